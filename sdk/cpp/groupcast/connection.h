#ifndef SDK_CPP_GROUPCAST_CONNECTION_H_
#define SDK_CPP_GROUPCAST_CONNECTION_H_

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/connection_end.h"
#include "groupcast/host_lookup.h"
#include "groupcast/proxy_tunnel.h"
#include "groupcast/tls.h"
#include "groupcast/transport_stream.h"
#include "groupcast/url.h"

namespace groupcast {

struct ConnectionOptions {
  Url url;
  std::optional<Proxy> proxy;
  // For wss.
  std::shared_ptr<TlsContext> tls_context;
  // From Close() until OnClosed().
  absl::Duration close_timeout;
  size_t frame_bytes_max = 0;
};

class ConnectionHandler {
 public:
  // The server gave a sign of life that is no whole frame: a part of one, or a ping.
  virtual void OnHeard() = 0;
  virtual void OnFrame(absl::string_view frame) = 0;
  // The server does not keep to WebSocket as this client uses it. `close_code` says so to it.
  virtual void OnViolation(uint16_t close_code, const absl::Status& why) = 0;
  // The frame given to Write has left; the next one may be given.
  virtual void OnWritten() = 0;
  // The frame could not be written. OnClosed follows soon, unless the line is dead.
  virtual void OnWriteFailed(const absl::Status& why) = 0;
  // The last call.
  virtual void OnClosed(const ConnectionEnd& end) = 0;

 protected:
  ~ConnectionHandler() = default;
};

// One attempt to connect, and the resulting connection: resolver, TCP, the proxy's tunnel, TLS, the
// WebSocket handshake for subprotocol groupcast.v1.json, text frames in both directions. It keeps
// itself alive until its end. It has no time-outs, except for its goodbye: its owner decides when
// it has taken too long.
//
// Not thread-safe. Everything, including the handler, runs on `executor`, which runs one function
// at a time. Start, Write, Close and Abandon never call the handler. A handler that is gone gets no
// calls.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `lookup` is for the host to connect to: the proxy's, or the server's if there is none. It has
  // the same executor. `token` is shown to the server, unless it is empty. Requires one that
  // CheckToken() accepts.
  static std::shared_ptr<Connection> Start(boost::asio::any_io_executor executor,
                                           const ConnectionOptions& options, std::string token,
                                           std::shared_ptr<HostLookup> lookup,
                                           std::weak_ptr<ConnectionHandler> handler);

  // Requires can_write(), and that a frame has arrived.
  void Write(std::string frame);
  bool can_write() const { return !writing_ && !ending_; }

  // Begins RFC 6455's closing handshake with `code`, from any state. OnClosed follows within
  // close_timeout. No frame is handed out before it.
  void Close(uint16_t code);

  // Ends the connection at once. The handler gets no further call.
  void Abandon();

 private:
  using ErrorCode = boost::system::error_code;

  Connection(boost::asio::any_io_executor executor, const ConnectionOptions& options,
             std::string token, std::shared_ptr<HostLookup> lookup,
             std::weak_ptr<ConnectionHandler> handler);

  // The steps of an attempt, in this order.
  void Resolve();
  void ConnectTcp(const HostLookup::Endpoints& endpoints);
  void EnterTunnel();
  void OnTunnel(const TunnelResult& result);
  void ShakeHandsTls();
  void ShakeHands();
  void OnHandshake(const ErrorCode& error);

  void Read();
  void OnRead(const ErrorCode& error);
  void OnWrite(const ErrorCode& error);
  // Turns an error of Asio or Beast into a Status.
  void Fail(absl::string_view step, const ErrorCode& error);
  void End(const ConnectionEnd& end);
  void End(const absl::Status& why) { End(ConnectionEnd{why}); }
  boost::beast::tcp_stream& tcp() { return stream_.next_layer().next_layer(); }

  const ConnectionOptions options_;
  const std::string token_;
  const std::shared_ptr<HostLookup> lookup_;
  std::weak_ptr<ConnectionHandler> handler_;
  boost::beast::websocket::stream<TransportStream> stream_;
  boost::asio::steady_timer close_timer_;
  boost::beast::websocket::response_type response_;
  boost::beast::flat_buffer incoming_;
  std::string outgoing_;
  bool resolving_ = false;
  bool writing_ = false;
  bool open_ = false;    // The handshake is complete.
  bool ending_ = false;  // Close() was called.
  bool ended_ = false;   // OnClosed was called, or follows.
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CONNECTION_H_
