#include "groupcast/proxy_tunnel.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "groupcast/status.h"

namespace groupcast {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr uint32_t kHeaderBytesMax = 8 << 10;

class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  Tunnel(beast::tcp_stream* stream, const Proxy& proxy, const std::string& target,
         std::function<void(const TunnelResult&)> done)
      : stream_(stream), request_(http::verb::connect, target, 11), done_(std::move(done)) {
    request_.set(http::field::host, target);
    request_.set(http::field::user_agent, "groupcast-cpp");
    if (!proxy.authorization.empty()) {
      request_.set(http::field::proxy_authorization, proxy.authorization);
    }
    parser_.header_limit(kHeaderBytesMax);
    // The answer to CONNECT has no body: what follows is of the target.
    parser_.skip(true);
  }

  void Start() {
    http::async_write(*stream_, request_,
                      [self = shared_from_this()](const ErrorCode& error, size_t) {
                        if (error) return self->Fail(error);
                        self->Read();
                      });
  }

 private:
  using ErrorCode = boost::system::error_code;

  void Read() {
    http::async_read_header(*stream_, buffer_, parser_,
                            [self = shared_from_this()](const ErrorCode& error, size_t) {
                              if (error) return self->Fail(error);
                              self->OnAnswer();
                            });
  }

  void OnAnswer() {
    const int status = static_cast<int>(parser_.get().result_int());
    if (status / 100 != 2) return done_({HttpRefusal("proxy", status, ""), status});
    // The target speaks only after this client has.
    if (buffer_.size() > 0) {
      return done_({absl::InternalError("the proxy sent more than its answer"), status});
    }
    done_({absl::OkStatus(), status});
  }

  void Fail(const ErrorCode& error) {
    const std::string text = absl::StrCat("the proxy: ", error.message());
    const bool no_http =
        error.category() == http::make_error_code(http::error::bad_version).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message;
    done_({no_http ? absl::InternalError(text) : absl::UnavailableError(text), 0});
  }

  beast::tcp_stream* const stream_;
  http::request<http::empty_body> request_;
  http::response_parser<http::empty_body> parser_;
  beast::flat_buffer buffer_{kHeaderBytesMax};
  const std::function<void(const TunnelResult&)> done_;
};

}  // namespace

void OpenTunnel(beast::tcp_stream* stream, const Proxy& proxy, const std::string& target,
                std::function<void(const TunnelResult&)> done) {
  std::make_shared<Tunnel>(stream, proxy, target, std::move(done))->Start();
}

}  // namespace groupcast
