#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_ADMIN_FETCH_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_ADMIN_FETCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"
#include "services/common/event_loop.h"
#include "services/common/ip_address.h"
#include "services/common/posix.h"

namespace groupcast::service {

// Where the admin port of a service is.
struct ServiceAddress {
  IpAddress address;
  uint16_t port = 0;
  std::string text;  // as the configuration names it, "127.0.0.1:9234"
};

// One GET request to an admin port, on a connection of its own. It never waits: it goes on when the
// loop has events for it. It has no time-out: its owner destroys it, which ends it.
//
// Not thread-safe.
class AdminFetch final : private EventHandler {
 public:
  struct Answer {
    int status = 0;  // of HTTP
    std::string body;
  };

  // `on_done` is called when the answer is there, from an event of the loop. It must not destroy
  // this object. It is not called if the request has failed already when the constructor returns.
  AdminFetch(EventLoop* loop, const ServiceAddress& to, absl::string_view path,
             size_t body_bytes_max, std::function<void()> on_done);
  ~AdminFetch();
  AdminFetch(const AdminFetch&) = delete;
  AdminFetch& operator=(const AdminFetch&) = delete;

  bool is_done() const { return answer_.has_value(); }
  // Only when it is done. kUnavailable: nobody listens there, or the connection has ended early.
  // kInvalidArgument: that is no answer of HTTP. kResourceExhausted: the answer is too large. The
  // messages are sentences without a period.
  const absl::StatusOr<Answer>& answer() const { return *answer_; }

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  void OnEvents(uint32_t events) override;
  void Connect(const ServiceAddress& to);
  void Write();
  void Read();
  void Parse(absl::string_view bytes);
  void TakeAnswer();
  void Finish(absl::StatusOr<Answer> answer);

  EventLoop* const loop_;
  const size_t body_bytes_max_;
  const std::function<void()> on_done_;
  Fd socket_;
  bool registered_ = false;
  std::string request_;  // what remains to be written
  std::string head_;     // of the answer, as far as it has come
  Parser parser_;
  std::optional<absl::StatusOr<Answer>> answer_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_ADMIN_FETCH_H_
