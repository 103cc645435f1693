#ifndef SDK_CPP_GROUPCAST_TRANSPORT_STREAM_H_
#define SDK_CPP_GROUPCAST_TRANSPORT_STREAM_H_

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/consign.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "groupcast/tls.h"
#include "groupcast/tls_stream.h"

namespace groupcast {

// The bytes below a WebSocket: TCP, or TLS over TCP from StartTls() on. It is what
// websocket::stream asks of its next layer. Completion handlers are functions, not other tokens.
class TransportStream {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;
  using next_layer_type = boost::beast::tcp_stream;

  explicit TransportStream(boost::asio::any_io_executor executor)
      : layers_(std::make_shared<Layers>(std::move(executor))) {}

  executor_type get_executor() { return layers_->tcp.get_executor(); }
  next_layer_type& next_layer() { return layers_->tcp; }

  // From now on everything goes through TLS. The caller performs the handshake. May be called once.
  TlsStream& StartTls(TlsContext* context) { return layers_->tls.emplace(&layers_->tcp, context); }
  // Null without TLS.
  TlsStream* tls() { return layers_->tls.has_value() ? &*layers_->tls : nullptr; }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (!tls()) return layers_->tcp.async_read_some(buffers, std::forward<Handler>(handler));
    tls()->async_read_some(buffers, boost::asio::consign(std::forward<Handler>(handler), layers_));
  }

  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (!tls()) return layers_->tcp.async_write_some(buffers, std::forward<Handler>(handler));
    tls()->async_write_some(buffers, boost::asio::consign(std::forward<Handler>(handler), layers_));
  }

 private:
  struct Layers {
    explicit Layers(boost::asio::any_io_executor executor) : tcp(std::move(executor)) {}

    boost::beast::tcp_stream tcp;
    std::optional<TlsStream> tls;
  };

  // Shared with the operations of TLS. They use the layers to their end, and websocket::stream
  // does not wait for those of its own pings.
  std::shared_ptr<Layers> layers_;
};

// How websocket::stream ends what is below it.
template <typename Handler>
void async_teardown(boost::beast::role_type role, TransportStream& stream, Handler&& handler) {
  using boost::beast::async_teardown;
  using boost::beast::websocket::async_teardown;
  if (stream.tls()) stream.tls()->SendCloseNotify();
  async_teardown(role, stream.next_layer(), std::forward<Handler>(handler));
}

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TRANSPORT_STREAM_H_
