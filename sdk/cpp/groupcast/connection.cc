#include "groupcast/connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "groupcast/status.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr char kSubprotocol[] = "groupcast.v1.json";
// With the token behind it: another subprotocol, which is offered beside the one above.
constexpr char kTokenSubprotocol[] = "groupcast.token.";

// Of the text with which a server explains that it refuses the handshake.
constexpr size_t kRefusalTextMax = 500;

// Buffers above it are released when the frame is done.
constexpr size_t kBufferBytesKept = size_t{16} << 10;

}  // namespace

std::shared_ptr<Connection> Connection::Start(asio::any_io_executor executor,
                                              const ConnectionOptions& options, std::string token,
                                              std::shared_ptr<HostLookup> lookup,
                                              std::weak_ptr<ConnectionHandler> handler) {
  std::shared_ptr<Connection> connection(new Connection(
      std::move(executor), options, std::move(token), std::move(lookup), std::move(handler)));
  connection->Resolve();
  return connection;
}

Connection::Connection(asio::any_io_executor executor, const ConnectionOptions& options,
                       std::string token, std::shared_ptr<HostLookup> lookup,
                       std::weak_ptr<ConnectionHandler> handler)
    : options_(options),
      token_(std::move(token)),
      lookup_(std::move(lookup)),
      handler_(std::move(handler)),
      stream_(executor),
      close_timer_(executor) {}

void Connection::Write(std::string frame) {
  writing_ = true;
  outgoing_ = std::move(frame);
  stream_.async_write(
      asio::buffer(outgoing_),
      [self = shared_from_this()](const ErrorCode& error, size_t) { self->OnWrite(error); });
}

void Connection::Close(uint16_t code) {
  if (ending_ || ended_) return;
  ending_ = true;
  if (!open_) {
    asio::post(stream_.get_executor(),
               [self = shared_from_this()] { self->End(absl::OkStatus()); });
    return;
  }
  close_timer_.expires_after(absl::ToChronoNanoseconds(options_.close_timeout));
  close_timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error) self->End(absl::OkStatus());
  });
  stream_.async_close(websocket::close_reason(code), [self = shared_from_this()](const ErrorCode&) {
    self->End(absl::OkStatus());
  });
}

void Connection::Abandon() {
  handler_.reset();
  End(absl::OkStatus());
}

void Connection::Resolve() {
  resolving_ = true;
  lookup_->Start(
      [self = shared_from_this()](const absl::StatusOr<HostLookup::Endpoints>& endpoints) {
        self->resolving_ = false;
        if (self->ended_) return;
        if (!endpoints.ok()) return self->End(endpoints.status());
        self->ConnectTcp(*endpoints);
      });
}

void Connection::ConnectTcp(const HostLookup::Endpoints& endpoints) {
  tcp().async_connect(endpoints, [self = shared_from_this()](const ErrorCode& error, const auto&) {
    if (self->ended_) return;
    if (error) {
      return self->Fail(self->options_.proxy ? "connecting to the proxy" : "connecting", error);
    }
    ErrorCode ignored;  // Without it frames are only slower.
    self->tcp().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    self->EnterTunnel();
  });
}

void Connection::EnterTunnel() {
  if (!options_.proxy.has_value()) return ShakeHandsTls();
  const Url& url = options_.url;
  const bool is_ipv6 = absl::StrContains(url.host, ':');
  const std::string target =
      absl::StrCat(is_ipv6 ? "[" : "", url.host, is_ipv6 ? "]:" : ":", url.port);
  OpenTunnel(&tcp(), *options_.proxy, target,
             [self = shared_from_this()](const TunnelResult& result) { self->OnTunnel(result); });
}

void Connection::OnTunnel(const TunnelResult& result) {
  if (ended_) return;
  if (!result.status.ok()) return End({result.status, MayRetryHttp(result.http_status)});
  ShakeHandsTls();
}

void Connection::ShakeHandsTls() {
  if (!options_.url.tls) return ShakeHands();
  TlsStream& tls = stream_.next_layer().StartTls(options_.tls_context.get());
  absl::Status expected = ExpectHost(options_.url.host, tls.native_handle());
  if (!expected.ok()) return End(expected);
  tls.async_handshake([self = shared_from_this(), &tls](const ErrorCode& error, size_t) {
    if (self->ended_) return;
    if (!error) return self->ShakeHands();
    self->End(HandshakeFailure(self->options_.url.host, tls.native_handle(), error));
  });
}

void Connection::ShakeHands() {
  websocket::stream_base::timeout timeouts;
  // The owner watches the time.
  timeouts.handshake_timeout = websocket::stream_base::none();
  timeouts.idle_timeout = websocket::stream_base::none();
  timeouts.keep_alive_pings = false;
  stream_.set_option(timeouts);
  stream_.read_message_max(options_.frame_bytes_max);
  stream_.text(true);
  const std::string subprotocols =
      token_.empty() ? kSubprotocol : absl::StrCat(kSubprotocol, ", ", kTokenSubprotocol, token_);
  stream_.set_option(
      websocket::stream_base::decorator([subprotocols](websocket::request_type& request) {
        request.set(http::field::sec_websocket_protocol, subprotocols);
        request.set(http::field::user_agent, "groupcast-cpp");
      }));
  // Beast calls it while it reads.
  stream_.control_callback([this](websocket::frame_type, beast::string_view) {
    if (const std::shared_ptr<ConnectionHandler> handler = handler_.lock()) handler->OnHeard();
  });
  stream_.async_handshake(
      response_, options_.url.authority, options_.url.target,
      [self = shared_from_this()](const ErrorCode& error) { self->OnHandshake(error); });
}

void Connection::OnHandshake(const ErrorCode& error) {
  if (ended_) return;
  if (error == websocket::error::upgrade_declined) {
    const int status = static_cast<int>(response_.result_int());
    const absl::string_view text = absl::StripAsciiWhitespace(response_.body());
    return End(
        {HttpRefusal("server", status, text.substr(0, kRefusalTextMax)), MayRetryHttp(status)});
  }
  if (error) return Fail("the handshake", error);
  if (response_[http::field::sec_websocket_protocol] != kSubprotocol) {
    return End(
        absl::InternalError(absl::StrCat("the server does not speak subprotocol ", kSubprotocol)));
  }
  open_ = true;
  Read();
}

void Connection::Read() {
  // In parts, because a large frame on a slow line shows that the line is alive.
  stream_.async_read_some(
      incoming_, 0,
      [self = shared_from_this()](const ErrorCode& error, size_t) { self->OnRead(error); });
}

void Connection::OnRead(const ErrorCode& error) {
  // Once this side closes, Beast reads what is left.
  if (ended_ || ending_) return;
  if (error) return Fail("reading", error);
  const std::shared_ptr<ConnectionHandler> handler = handler_.lock();
  if (!handler) return;
  if (!stream_.got_text()) {
    return handler->OnViolation(websocket::close_code::unknown_data,
                                absl::InternalError("the server sent a binary frame"));
  }
  if (!stream_.is_message_done()) {
    handler->OnHeard();
    return Read();
  }
  const auto data = incoming_.cdata();
  handler->OnFrame(absl::string_view(static_cast<const char*>(data.data()), data.size()));
  if (ended_ || ending_) return;
  incoming_.consume(incoming_.size());
  // A large frame is rare, and its room would stay.
  if (incoming_.capacity() > kBufferBytesKept) incoming_.shrink_to_fit();
  Read();
}

void Connection::OnWrite(const ErrorCode& error) {
  // After an error nothing more is written: it would only count as written.
  writing_ = static_cast<bool>(error);
  if (outgoing_.capacity() > kBufferBytesKept) std::string().swap(outgoing_);
  const std::shared_ptr<ConnectionHandler> handler = handler_.lock();
  if (ended_ || ending_ || !handler) return;
  if (error) {
    // The reader finds out too, and knows the close code, if there is one.
    return handler->OnWriteFailed(
        absl::UnavailableError(absl::StrCat("writing: ", error.message())));
  }
  handler->OnWritten();
}

void Connection::Fail(absl::string_view step, const ErrorCode& error) {
  if (error == websocket::error::closed) {
    const websocket::close_reason& reason = stream_.reason();
    return End({CloseStatus(reason.code, {reason.reason.data(), reason.reason.size()}),
                MayReconnect(reason.code), reason.code});
  }
  const bool protocol_error =
      error.category() == make_error_code(websocket::error::closed).category();
  const std::string text = absl::StrCat(step, ": ", error.message());
  End(protocol_error ? absl::InternalError(text) : absl::UnavailableError(text));
}

void Connection::End(const ConnectionEnd& end) {
  if (ended_) return;
  ended_ = true;
  const std::shared_ptr<Connection> self = shared_from_this();
  // It serves one attempt at a time, and this may be an earlier one.
  if (resolving_) lookup_->Cancel();
  close_timer_.cancel();
  tcp().close();
  if (const std::shared_ptr<ConnectionHandler> handler = handler_.lock()) {
    handler->OnClosed(end);
  }
}

}  // namespace groupcast
