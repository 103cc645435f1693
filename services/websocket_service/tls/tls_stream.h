#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_STREAM_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_STREAM_H_

#include <openssl/ssl.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/websocket_service/tls/tls_context.h"

namespace groupcast::service {

// The server's side of TLS on one connection, over a socket that does not block. No call waits.
//
// Bytes that it has encrypted and that the socket does not take wait here: at most those of one
// Write, which is kWriteBytesMax. It takes no others until they are sent.
//
// It does not own the socket. Not thread-safe, and for one thread of a process: all streams share
// buffers.
class TlsStream {
 public:
  // What one Write takes.
  static constexpr size_t kWriteBytesMax = 64 * 1024;

  enum class Progress {
    kDone,
    kUnfinished,  // it goes on when the socket is readable, or writable if there are unsent bytes
    kFailed,      // by the peer, or because the two have nothing in common; see failure()
  };

  // Null: there is no memory for it.
  static std::unique_ptr<TlsStream> Create(std::shared_ptr<const TlsContext> context, int socket);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Goes on with the handshake. Call it until it is done. After a failure the peer has its alert,
  // if the socket took it.
  Progress Handshake();
  // Why Handshake has failed, for people. Empty: the peer has gone.
  const std::string& failure() const { return failure_; }
  // Whether the peer has resumed an earlier session.
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

  // As read(2) of a socket that does not block. Fewer bytes than `size`: there are no more, or only
  // the end of the stream (see has_input). 0: the peer has ended its stream.
  ssize_t Read(char* bytes, size_t size);
  // As recv(2) with MSG_PEEK.
  ssize_t Peek(char* bytes, size_t size);
  // Whether Read would return something that the socket does not show, because it is here already.
  // It may be wrong once: then Read fails with EAGAIN.
  bool has_input() const { return has_input_; }
  // The memory that holds a part of the peer's next record.
  size_t input_bytes() const;

  // As writev(2) of a socket that does not block, but it takes at most kWriteBytesMax. Without
  // vectors it sends what is unsent. EAGAIN: it has taken nothing, because there are unsent bytes.
  ssize_t Write(absl::Span<const iovec> vectors);
  // The encrypted bytes that the socket has not taken.
  size_t unsent_bytes() const { return unsent_.size() - unsent_begin_; }

  // Tells the peer that no more bytes come. It may leave unsent bytes.
  void SendCloseNotify();

 private:
  TlsStream(std::shared_ptr<const TlsContext> context, int socket)
      : context_(std::move(context)), socket_(socket) {}

  static BIO_METHOD* SocketMethod();
  static int OnBioWrite(BIO* bio, const char* bytes, int size);
  static int OnBioRead(BIO* bio, char* bytes, int size);
  static long OnBioControl(BIO* bio, int command, long number, void* pointer);

  // The result of a call of OpenSSL that has failed, as of read(2).
  ssize_t ReadFailure(int result);
  // Sends what OpenSSL has written in this call. What the socket does not take is unsent.
  bool SendWritten();
  bool SendUnsent();

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  const std::shared_ptr<const TlsContext> context_;  // OpenSSL calls it back
  const int socket_;
  bool has_input_ = false;
  bool at_end_ = false;  // of the socket
  bool sent_close_notify_ = false;
  size_t unsent_begin_ = 0;
  std::string unsent_;
  std::string failure_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_STREAM_H_
