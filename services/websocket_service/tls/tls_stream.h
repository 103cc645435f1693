#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_STREAM_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_STREAM_H_

#include <openssl/ssl.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
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
// Write, which is kWriteBytesMax, and kAnswerBytesMax of answers to what the peer sends within TLS.
// A peer that causes more answers and takes none is broken. It takes no other Write until all are
// sent.
//
// A peer can send records that bring no data: key updates, refused renegotiations, empty or padded
// records. So each call reads a bounded number of bytes and records. After kFruitlessRecordsMax
// records in a row without data, the peer is broken.
//
// It does not own the socket. Not thread-safe, and for one thread of a process: all streams share
// buffers.
class TlsStream {
 public:
  // What one Write takes.
  static constexpr size_t kWriteBytesMax = 64 * 1024;
  static constexpr size_t kAnswerBytesMax = 8 * 1024;
  // Records with data that one Read takes, and further ones without data.
  static constexpr uint32_t kRecordsPerRead = 64;
  static constexpr uint32_t kFruitlessRecordsMax = 32;

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

  // As read(2) of a socket that does not block. Fewer bytes than `size`, or EAGAIN: there are no
  // more, or only the end of the stream, or the call has read as much as it may (see has_input).
  // 0: the peer has ended its stream.
  ssize_t Read(char* bytes, size_t size);
  // As recv(2) with MSG_PEEK.
  ssize_t Peek(char* bytes, size_t size);
  // Whether Read would return something that the socket does not show, because it is here already.
  // It may be wrong once: then Read fails with EAGAIN.
  bool has_input() const { return has_input_; }
  // The bytes that it has taken from the socket since the call before, encrypted.
  size_t TakeReceivedBytes() { return std::exchange(received_bytes_, 0); }
  // The memory that holds a part of the peer's next record.
  size_t input_bytes() const;

  // As writev(2) of a socket that does not block, but it takes at most kWriteBytesMax. Without
  // vectors it sends what is unsent. EAGAIN: it has taken nothing, because there are unsent bytes.
  ssize_t Write(absl::Span<const iovec> vectors);
  // The encrypted bytes that the socket has not taken.
  size_t unsent_bytes() const { return unsent_.size() - unsent_begin_; }
  // The memory of such bytes, of all streams of the process.
  static int64_t unsent_memory() { return unsent_memory_; }
  // The connection ends soon: unsent_memory leaves its bytes out from now on.
  void LeaveUnsentMemory();

  // Tells the peer that no more bytes come. It may leave unsent bytes.
  void SendCloseNotify();

 private:
  TlsStream(std::shared_ptr<const TlsContext> context, int socket)
      : context_(std::move(context)), socket_(socket) {}

  static BIO_METHOD* SocketMethod();
  static int OnBioWrite(BIO* bio, const char* bytes, int size);
  static int OnBioRead(BIO* bio, char* bytes, int size);
  static long OnBioControl(BIO* bio, int command, long number, void* pointer);
  static void OnProtocol(int is_written, int version, int type, const void* bytes, size_t count,
                         SSL* ssl, void* stream);

  // A call may read this number of bytes from the socket.
  void BeginReading(size_t bytes_max);
  // The result of a call of OpenSSL that has failed, as of read(2).
  ssize_t ReadFailure(int result);
  // Sends what OpenSSL has written in this call. What the socket does not take is unsent.
  bool SendWritten();
  bool SendUnsent();
  void CountUnsentMemory();

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  static int64_t unsent_memory_;

  const std::shared_ptr<const TlsContext> context_;  // OpenSSL calls it back
  const int socket_;
  bool has_input_ = false;
  bool at_end_ = false;          // of the socket
  bool is_established_ = false;  // the handshake is complete
  bool is_broken_ = false;       // by what the peer sends
  bool may_have_more_ = false;   // the present call has read as many bytes as it may
  bool leaves_memory_ = false;   // unsent_memory_ leaves it out
  bool sent_close_notify_ = false;
  uint32_t records_ = 0;            // in the present call
  uint32_t fruitless_records_ = 0;  // since the last data
  size_t may_read_bytes_ = 0;       // in the rest of the present call
  size_t received_bytes_ = 0;
  size_t counted_memory_ = 0;  // in unsent_memory_
  size_t unsent_begin_ = 0;
  std::string unsent_;
  std::string failure_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_TLS_STREAM_H_
