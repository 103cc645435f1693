#ifndef SDK_CPP_GROUPCAST_TLS_STREAM_H_
#define SDK_CPP_GROUPCAST_TLS_STREAM_H_

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <utility>

#include "groupcast/tls.h"

namespace groupcast {

// The client's side of TLS over a socket. asio::ssl::stream keeps four buffers of 17 KiB for each
// connection; this one gives OpenSSL the socket itself, and OpenSSL keeps a buffer only while it
// has a part of a record.
//
// One read and one write may be under way at a time, on the executor of `tcp`, which must outlive
// the operations. Completion handlers are functions, not other tokens.
class TlsStream {
 public:
  using ErrorCode = boost::system::error_code;

  // `tcp` is connected.
  TlsStream(boost::beast::tcp_stream* tcp, TlsContext* context);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  SSL* native_handle() { return ssl_.get(); }

  // `handler` gets (error_code, size_t), as the others; the size means nothing.
  template <typename Handler>
  void async_handshake(Handler&& handler) {
    Run([this] { return ShakeHands(); }, std::forward<Handler>(handler));
  }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    Run([this, buffer = FirstOf<boost::asio::mutable_buffer>(buffers)] { return Read(buffer); },
        std::forward<Handler>(handler));
  }

  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    Run(
        [this, buffers] {
          // One record for the small buffers of a frame. A repetition has the same bytes.
          std::array<char, kSmallBytes> bytes;
          const auto first = FirstOf<boost::asio::const_buffer>(buffers);
          if (first.size() >= kSmallBytes) return Write(first);
          const size_t size = boost::asio::buffer_copy(boost::asio::buffer(bytes), buffers);
          return Write(boost::asio::buffer(bytes.data(), size));
        },
        std::forward<Handler>(handler));
  }

  // Tells the peer that nothing follows, if the socket takes it at once.
  void SendCloseNotify();

 private:
  static constexpr size_t kSmallBytes = 4096;

  // What one call of OpenSSL came to.
  struct Step {
    enum class Wait { kNothing, kReadable, kWritable };
    Wait wait = Wait::kNothing;
    ErrorCode error;
    size_t bytes = 0;
  };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  // Repeats a step until it has nothing to wait for. It never completes within the first call.
  template <typename Call>
  struct Operation {
    TlsStream* const stream;
    Call call;
    bool has_waited = false;
    bool is_done = false;
    Step step;

    template <typename Self>
    void operator()(Self& self, const ErrorCode& error = {}) {
      using Socket = boost::asio::ip::tcp::socket;
      if (error) return self.complete(error, 0);
      if (!is_done) step = call();
      Socket& socket = stream->tcp_->socket();
      if (step.wait == Step::Wait::kNothing) {
        if (is_done || has_waited) return self.complete(step.error, step.bytes);
        is_done = true;
        return boost::asio::post(socket.get_executor(), std::move(self));
      }
      has_waited = true;
      socket.async_wait(step.wait == Step::Wait::kReadable ? Socket::wait_read : Socket::wait_write,
                        std::move(self));
    }
  };

  template <typename Call, typename Handler>
  void Run(Call call, Handler&& handler) {
    boost::asio::async_compose<Handler, void(ErrorCode, size_t)>(
        Operation<Call>{this, std::move(call)}, handler, tcp_->socket());
  }

  // The first buffer that is not empty.
  template <typename Buffer, typename Buffers>
  static Buffer FirstOf(const Buffers& buffers) {
    for (auto it = boost::asio::buffer_sequence_begin(buffers);
         it != boost::asio::buffer_sequence_end(buffers); ++it) {
      if (Buffer(*it).size() > 0) return *it;
    }
    return {};
  }

  Step ShakeHands();
  Step Read(boost::asio::mutable_buffer buffer);
  Step Write(boost::asio::const_buffer buffer);
  Step ResultOf(int result);

  // What OpenSSL calls for its bytes.
  static BIO_METHOD* SocketMethod();
  static int ReadSocket(BIO* bio, char* bytes, int size);
  static int WriteSocket(BIO* bio, const char* bytes, int size);

  boost::beast::tcp_stream* const tcp_;
  ErrorCode socket_error_;  // Of OpenSSL's last call.
  const std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TLS_STREAM_H_
