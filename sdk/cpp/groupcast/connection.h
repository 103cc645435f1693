#ifndef SDK_CPP_GROUPCAST_CONNECTION_H_
#define SDK_CPP_GROUPCAST_CONNECTION_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/url.h"

namespace groupcast {

struct ConnectionOptions {
  Url url;
  // From the start until Established().
  absl::Duration connect_timeout;
  // A ping is sent after half of this without a byte from the server.
  absl::Duration dead_peer_timeout;
  // From Close() until OnClosed().
  absl::Duration close_timeout;
  size_t frame_bytes_max = 0;
};

class ConnectionHandler {
 public:
  virtual void OnFrame(absl::string_view frame) = 0;
  // The frame given to Write has left; the next one may be given.
  virtual void OnWritten() = 0;
  // The last call. `code` is the server's close code; kNoCloseFrame if there was none, or if this
  // side ended the connection.
  virtual void OnClosed(uint16_t code, const absl::Status& why) = 0;

 protected:
  ~ConnectionHandler() = default;
};

// One attempt to connect, and the resulting connection: resolver, TCP, the WebSocket handshake for
// subprotocol groupcast.v1.json, text frames in both directions. It keeps itself alive until
// OnClosed.
//
// Not thread-safe. Everything, including the handler, runs on the single thread of `io`. Start,
// Write and Close never call the handler. The handler must outlive the run of `io`.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static std::shared_ptr<Connection> Start(boost::asio::io_context* io,
                                           const ConnectionOptions& options,
                                           ConnectionHandler* handler);

  // Disarms the connect time-out, because the server speaks the protocol.
  void Established();

  // Requires can_write(), and that a frame has arrived.
  void Write(std::string frame);
  bool can_write() const { return !writing_ && !ending_; }

  // Begins RFC 6455's closing handshake with `code`, from any state. OnClosed follows with `why`,
  // within close_timeout. No frame is handed out before it.
  void Close(uint16_t code, const absl::Status& why);

  // Ends the connection after `timeout`, unless it ends by itself before.
  void EndAfter(absl::Duration timeout, absl::string_view why);

 private:
  using Resolver = boost::asio::ip::tcp::resolver;
  using ErrorCode = boost::system::error_code;

  Connection(boost::asio::io_context* io, const ConnectionOptions& options,
             ConnectionHandler* handler);
  void Resolve();
  void OnResolved(const ErrorCode& error, const Resolver::results_type& results);
  void OnConnected(const ErrorCode& error);
  void OnHandshake(const ErrorCode& error);
  void Read();
  void OnRead(const ErrorCode& error);
  void OnWrite(const ErrorCode& error);
  // Turns an error of Asio or Beast into a Status.
  void Fail(absl::string_view step, const ErrorCode& error);
  void End(uint16_t code, const absl::Status& why);

  const ConnectionOptions options_;
  ConnectionHandler* const handler_;
  Resolver resolver_;
  boost::beast::websocket::stream<boost::beast::tcp_stream> stream_;
  boost::asio::steady_timer deadline_;
  boost::beast::websocket::response_type response_;
  boost::beast::flat_buffer incoming_;
  std::string outgoing_;
  bool writing_ = false;
  bool open_ = false;    // The handshake is complete.
  bool ending_ = false;  // Close() was called. end_status_ has the reason.
  absl::Status end_status_;
  bool ended_ = false;  // OnClosed was called, or follows.
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CONNECTION_H_
