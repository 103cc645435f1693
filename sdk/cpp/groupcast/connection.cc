#include "groupcast/connection.h"

#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "groupcast/status.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr char kSubprotocol[] = "groupcast.v1.json";

}  // namespace

std::shared_ptr<Connection> Connection::Start(asio::io_context* io,
                                              const ConnectionOptions& options,
                                              ConnectionHandler* handler) {
  std::shared_ptr<Connection> connection(new Connection(io, options, handler));
  connection->Resolve();
  return connection;
}

Connection::Connection(asio::io_context* io, const ConnectionOptions& options,
                       ConnectionHandler* handler)
    : options_(options), handler_(handler), resolver_(*io), stream_(*io), deadline_(*io) {}

void Connection::Established() { deadline_.cancel(); }

void Connection::Write(std::string frame) {
  writing_ = true;
  outgoing_ = std::move(frame);
  stream_.async_write(
      asio::buffer(outgoing_),
      [self = shared_from_this()](const ErrorCode& error, size_t) { self->OnWrite(error); });
}

void Connection::Close(uint16_t code, const absl::Status& why) {
  if (ending_ || ended_) return;
  ending_ = true;
  end_status_ = why;
  if (!open_) {
    asio::post(stream_.get_executor(),
               [self = shared_from_this()] { self->End(kNoCloseFrame, self->end_status_); });
    return;
  }
  EndAfter(options_.close_timeout, "");
  stream_.async_close(websocket::close_reason(code), [self = shared_from_this()](const ErrorCode&) {
    self->End(kNoCloseFrame, self->end_status_);
  });
}

void Connection::EndAfter(absl::Duration timeout, absl::string_view why) {
  deadline_.expires_after(absl::ToChronoNanoseconds(timeout));
  deadline_.async_wait([self = shared_from_this(), why = std::string(why)](const ErrorCode& error) {
    if (error) return;
    self->End(kNoCloseFrame, self->ending_ ? self->end_status_ : absl::DeadlineExceededError(why));
  });
}

void Connection::Resolve() {
  EndAfter(options_.connect_timeout, "the server could not be reached in time");
  resolver_.async_resolve(
      options_.url.host, options_.url.port,
      [self = shared_from_this()](const ErrorCode& error, const Resolver::results_type& results) {
        self->OnResolved(error, results);
      });
}

void Connection::OnResolved(const ErrorCode& error, const Resolver::results_type& results) {
  if (ended_) return;
  if (error) return Fail("resolving the host", error);
  beast::get_lowest_layer(stream_).async_connect(
      results, [self = shared_from_this()](const ErrorCode& error, const auto&) {
        self->OnConnected(error);
      });
}

void Connection::OnConnected(const ErrorCode& error) {
  if (ended_) return;
  if (error) return Fail("connecting", error);
  ErrorCode ignored;  // Without it frames are only slower.
  beast::get_lowest_layer(stream_).socket().set_option(asio::ip::tcp::no_delay(true), ignored);

  websocket::stream_base::timeout timeouts;
  timeouts.handshake_timeout = websocket::stream_base::none();  // deadline_ watches it.
  timeouts.idle_timeout = absl::ToChronoNanoseconds(options_.dead_peer_timeout);
  timeouts.keep_alive_pings = true;
  stream_.set_option(timeouts);
  stream_.read_message_max(options_.frame_bytes_max);
  stream_.text(true);
  stream_.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
    request.set(http::field::sec_websocket_protocol, kSubprotocol);
    request.set(http::field::user_agent, "groupcast-cpp");
  }));
  stream_.async_handshake(
      response_, options_.url.authority, options_.url.target,
      [self = shared_from_this()](const ErrorCode& error) { self->OnHandshake(error); });
}

void Connection::OnHandshake(const ErrorCode& error) {
  if (ended_) return;
  if (error == websocket::error::upgrade_declined) {
    return End(kNoCloseFrame,
               absl::UnavailableError(absl::StrCat("the server refused the handshake with HTTP ",
                                                   response_.result_int())));
  }
  if (error) return Fail("the handshake", error);
  if (response_[http::field::sec_websocket_protocol] != kSubprotocol) {
    return End(kNoCloseFrame, absl::InternalError(absl::StrCat(
                                  "the server does not speak subprotocol ", kSubprotocol)));
  }
  open_ = true;
  Read();
}

void Connection::Read() {
  stream_.async_read(incoming_, [self = shared_from_this()](const ErrorCode& error, size_t) {
    self->OnRead(error);
  });
}

void Connection::OnRead(const ErrorCode& error) {
  // Once this side closes, Beast reads what is left.
  if (ended_ || ending_) return;
  if (error) return Fail("reading", error);
  if (!stream_.got_text()) {
    return Close(websocket::close_code::unknown_data,
                 absl::InternalError("the server sent a binary frame"));
  }
  const auto data = incoming_.cdata();
  handler_->OnFrame(absl::string_view(static_cast<const char*>(data.data()), data.size()));
  if (ended_ || ending_) return;
  incoming_.consume(incoming_.size());
  Read();
}

void Connection::OnWrite(const ErrorCode& error) {
  writing_ = false;
  if (ended_ || ending_) return;
  if (error) {
    // The reader finds out too, and knows the close code, if there is one.
    return EndAfter(options_.close_timeout, absl::StrCat("writing: ", error.message()));
  }
  handler_->OnWritten();
}

void Connection::Fail(absl::string_view step, const ErrorCode& error) {
  if (error == websocket::error::closed) {
    const websocket::close_reason& reason = stream_.reason();
    return End(reason.code, CloseStatus(reason.code, {reason.reason.data(), reason.reason.size()}));
  }
  if (error == beast::error::timeout) {
    return End(kNoCloseFrame, absl::DeadlineExceededError(
                                  absl::StrCat("nothing came from the server for ",
                                               absl::FormatDuration(options_.dead_peer_timeout))));
  }
  const bool protocol_error =
      error.category() == make_error_code(websocket::error::closed).category();
  const std::string text = absl::StrCat(step, ": ", error.message());
  End(kNoCloseFrame, protocol_error ? absl::InternalError(text) : absl::UnavailableError(text));
}

void Connection::End(uint16_t code, const absl::Status& why) {
  if (ended_) return;
  ended_ = true;
  const std::shared_ptr<Connection> self = shared_from_this();
  resolver_.cancel();
  deadline_.cancel();
  beast::get_lowest_layer(stream_).close();
  handler_->OnClosed(code, why);
}

}  // namespace groupcast
