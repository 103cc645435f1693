#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_FAKE_ADMIN_PORT_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_FAKE_ADMIN_PORT_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"
#include "services/http_gateway/dashboard/admin_fetch.h"

namespace groupcast::service {

// A service's admin port on loopback, in the loop of the test. It answers each request with the
// bytes that the test has given for its path, and closes the connection. It keeps a request for
// another path, and its connection, without an answer.
class FakeAdminPort final : private EventHandler {
 public:
  explicit FakeAdminPort(EventLoop* loop);
  ~FakeAdminPort();

  // The bytes of the answer, as they are.
  void AnswerBytes(const std::string& path, const std::string& bytes) { answers_[path] = bytes; }
  // An answer of HTTP/1.1.
  void Answer(const std::string& path, int status, absl::string_view body);
  // From now on nothing listens.
  void Close();

  ServiceAddress port() const { return port_; }
  // The requests so far, each up to its empty line.
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  class Connection;

  void OnEvents(uint32_t events) override;

  EventLoop* const loop_;
  Fd listener_;
  ServiceAddress port_;
  std::map<std::string, std::string> answers_;
  std::vector<std::string> requests_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_FAKE_ADMIN_PORT_H_
