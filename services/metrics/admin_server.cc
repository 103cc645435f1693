#include "services/metrics/admin_server.h"

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <list>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/core/tcp_stream.hpp"
#include "boost/beast/http.hpp"

namespace groupcast::service {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using net::ip::tcp;

constexpr char kTextType[] = "text/plain; charset=utf-8";
constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

// After an accept that failed for want of a descriptor.
constexpr absl::Duration kAcceptPause = absl::Seconds(1);

struct Answer {
  http::status status = http::status::ok;
  std::string body;  // without the newline at the end
  const char* type = kTextType;
};

Answer NotServed(http::status status, absl::string_view why) {
  return {.status = status, .body = absl::StrCat(why, "\n")};
}

}  // namespace

// Everything here lives on the loop.
class AdminServer::Server {
 public:
  Server(OriginPolicy hosts, AdminPages pages, const AdminServerOptions& options)
      : hosts_(std::move(hosts)),
        pages_(std::move(pages)),
        options_(options),
        acceptor_(loop_),
        ticker_(loop_),
        pause_(loop_) {}

  absl::Status Start(Fd listener);
  void Run() { loop_.run(); }
  void Stop() { loop_.stop(); }

  Answer AnswerTo(const http::request<http::empty_body>& request) const;
  const AdminServerOptions& options() const { return options_; }
  void Remove(const Connection* connection);

 private:
  void Accept();
  void Tick();
  Answer CheckPage(const http::request<http::empty_body>& request) const;

  const OriginPolicy hosts_;
  const AdminPages pages_;
  const AdminServerOptions options_;
  net::io_context loop_{1};
  tcp::acceptor acceptor_;
  net::steady_timer ticker_;
  net::steady_timer pause_;
  std::list<std::shared_ptr<Connection>> connections_;  // the oldest first
};

// One request and its answer. Handlers hold it, so it outlives its place in the server's list.
class AdminServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server* server, tcp::socket socket) : server_(server), stream_(std::move(socket)) {}

  void Start() {
    stream_.expires_after(absl::ToChronoNanoseconds(server_->options().request_timeout));
    parser_.header_limit(static_cast<uint32_t>(server_->options().head_bytes_max));
    http::async_read_header(
        stream_, buffer_, parser_,
        [self = shared_from_this()](error_code error, size_t) { self->OnHead(error); });
  }

  // Its handlers get an error, and end.
  void Abort() {
    error_code ignored;
    stream_.socket().close(ignored);
  }

 private:
  void OnHead(error_code error) {
    if (error == http::error::header_limit) {
      return Send(NotServed(http::status::request_header_fields_too_large, "The head is too long."),
                  /*with_body=*/true);
    }
    if (error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return Send(NotServed(http::status::bad_request, "This is not a request of HTTP/1.1."),
                  /*with_body=*/true);
    }
    if (error) return server_->Remove(this);
    Send(server_->AnswerTo(parser_.get()), parser_.get().method() != http::verb::head);
  }

  void Send(Answer answer, bool with_body) {
    response_.result(answer.status);
    response_.set(http::field::content_type, answer.type);
    response_.set(http::field::cache_control, "no-store");
    if (answer.status == http::status::method_not_allowed) {
      response_.set(http::field::allow, "GET, HEAD");
    }
    response_.keep_alive(false);
    response_.content_length(answer.body.size());
    if (with_body) response_.body() = std::move(answer.body);
    serializer_.emplace(response_);
    const auto written = [self = shared_from_this()](error_code error, size_t) {
      self->OnWritten(error);
    };
    if (with_body) {
      http::async_write(stream_, *serializer_, written);
    } else {
      http::async_write_header(stream_, *serializer_, written);
    }
  }

  // What the peer still sends is read and dropped: to close with unread input would reset the
  // connection, and the peer might lose the answer.
  void OnWritten(error_code error) {
    if (error) return server_->Remove(this);
    stream_.socket().shutdown(tcp::socket::shutdown_send, error);
    Discard();
  }

  void Discard() {
    stream_.async_read_some(net::buffer(discarded_),
                            [self = shared_from_this()](error_code error, size_t) {
                              error ? self->server_->Remove(self.get()) : self->Discard();
                            });
  }

  Server* const server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request_parser<http::empty_body> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::array<char, 1024> discarded_;
};

absl::Status AdminServer::Server::Start(Fd listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return ErrnoStatus("getsockname");
  }
  error_code error;
  acceptor_.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), listener.Release(),
                   error);
  if (error) return absl::InternalError(error.message());
  Accept();
  Tick();
  return absl::OkStatus();
}

void AdminServer::Server::Accept() {
  acceptor_.async_accept([this](error_code error, tcp::socket socket) {
    if (error) {
      pause_.expires_after(absl::ToChronoNanoseconds(kAcceptPause));
      return pause_.async_wait([this](error_code) { Accept(); });
    }
    if (connections_.size() >= options_.connections_max) {
      connections_.front()->Abort();
      connections_.pop_front();
    }
    connections_.push_back(std::make_shared<Connection>(this, std::move(socket)));
    connections_.back()->Start();
    Accept();
  });
}

void AdminServer::Server::Tick() {
  if (pages_.on_tick == nullptr) return;
  pages_.on_tick();
  ticker_.expires_after(absl::ToChronoNanoseconds(options_.tick));
  ticker_.async_wait([this](error_code) { Tick(); });
}

void AdminServer::Server::Remove(const Connection* connection) {
  connections_.remove_if([connection](const auto& other) { return other.get() == connection; });
}

// An answer that is ok: the page may ask.
Answer AdminServer::Server::CheckPage(const http::request<http::empty_body>& request) const {
  const auto text = [&request](http::field field) {
    const auto value = request[field];
    return absl::string_view(value.data(), value.size());
  };
  const absl::string_view host = text(http::field::host);
  const auto answer = [](OriginPolicy::Verdict verdict, absl::string_view field) {
    switch (verdict) {
      case OriginPolicy::Verdict::kMalformed:
        return NotServed(http::status::bad_request,
                         absl::StrCat("The field ", field, " is malformed."));
      case OriginPolicy::Verdict::kRefused:
        return NotServed(http::status::forbidden,
                         absl::StrCat("The field ", field, " names another site."));
      case OriginPolicy::Verdict::kPass:
        break;
    }
    return Answer();
  };
  if (request.count(http::field::host) > 1) {
    return NotServed(http::status::bad_request, "The field Host is there twice.");
  }
  if (Answer refusal = answer(hosts_.CheckHost(host), "Host"); refusal.status != http::status::ok) {
    return refusal;
  }
  if (request.count(http::field::origin) == 0) return {};
  return answer(hosts_.CheckOrigin(text(http::field::origin), host), "Origin");
}

Answer AdminServer::Server::AnswerTo(const http::request<http::empty_body>& request) const {
  if (Answer refusal = CheckPage(request); refusal.status != http::status::ok) return refusal;
  const absl::string_view target(request.target().data(), request.target().size());
  const absl::string_view path = target.substr(0, target.find('?'));
  const bool is_metrics = path == "/metrics";
  const bool is_health = path == "/healthz";
  const bool is_ready = path == "/readyz";
  if (!is_metrics && !is_health && !is_ready) {
    return NotServed(http::status::not_found, "There are /metrics, /healthz and /readyz here.");
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return NotServed(http::status::method_not_allowed, "GET and HEAD alone are allowed here.");
  }
  if (is_metrics) return {.body = pages_.metrics(), .type = kMetricsType};
  if (is_health) return {.body = "alive\n"};
  const std::string why = pages_.why_not_ready();
  if (why.empty()) return {.body = "ready\n"};
  return NotServed(http::status::service_unavailable, why);
}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Create(
    Fd listener, OriginPolicy hosts, AdminPages pages, const AdminServerOptions& options) {
  auto server = std::make_unique<Server>(std::move(hosts), std::move(pages), options);
  if (absl::Status status = server->Start(std::move(listener)); !status.ok()) return status;
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(server)));
}

AdminServer::AdminServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}

AdminServer::~AdminServer() = default;

void AdminServer::Run() { server_->Run(); }

void AdminServer::Stop() { server_->Stop(); }

}  // namespace groupcast::service
