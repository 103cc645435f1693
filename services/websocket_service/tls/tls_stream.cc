#include "services/websocket_service/tls/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// The plain bytes of the largest record (RFC 8446 section 5.1).
constexpr size_t kRecordBytes = 16 * 1024;

// What OpenSSL allocates for the record that it reads.
constexpr size_t kInputBufferBytes = kRecordBytes + 1024;

// Far more than a flight of the handshake, or the records of one Write.
constexpr size_t kWrittenBytesMax = 1 << 20;

// Those of one Write, with the overhead of its records, and answers.
constexpr size_t kUnsentBytesMax =
    TlsStream::kWriteBytesMax + kInputBufferBytes - kRecordBytes + TlsStream::kAnswerBytesMax;

// Frames, before their encryption. One buffer for all connections, as in the session.
std::array<char, kRecordBytes> gather_buffer;

// What OpenSSL has written in the present call, and the socket has not taken yet. The same.
std::string& Written() {
  static std::string* const written = new std::string;
  return *written;
}

// Bytes of several vectors, one after the other.
class Gatherer {
 public:
  explicit Gatherer(absl::Span<const iovec> vectors) : vectors_(vectors) {}

  // The next bytes for one record. A single frame that fills it is not copied.
  absl::string_view Next(size_t bytes_max) {
    bytes_max = std::min(bytes_max, kRecordBytes);
    size_t gathered = 0;
    while (!vectors_.empty()) {
      const iovec& vector = vectors_.front();
      const char* const bytes = static_cast<const char*>(vector.iov_base) + taken_;
      const size_t left = vector.iov_len - taken_;
      const size_t count = std::min(left, bytes_max - gathered);
      if (count < left) {
        taken_ += count;
      } else {
        vectors_.remove_prefix(1);
        taken_ = 0;
      }
      if (gathered == 0 && count == bytes_max) return {bytes, count};
      std::memcpy(gather_buffer.data() + gathered, bytes, count);
      gathered += count;
      if (gathered == bytes_max) break;
    }
    return {gather_buffer.data(), gathered};
  }

 private:
  absl::Span<const iovec> vectors_;
  size_t taken_ = 0;  // of the first vector
};

}  // namespace

std::unique_ptr<TlsStream> TlsStream::Create(std::shared_ptr<const TlsContext> context,
                                             int socket) {
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(context), socket));
  BIO_METHOD* const method = SocketMethod();
  if (method == nullptr) return nullptr;
  BIO* const bio = BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, stream.get());
  BIO_set_init(bio, 1);
  stream->ssl_.reset(SSL_new(stream->context_->get()));
  if (stream->ssl_ == nullptr) {
    BIO_free(bio);
    return nullptr;
  }
  SSL_set_bio(stream->ssl_.get(), bio, bio);
  SSL_set_accept_state(stream->ssl_.get());
  SSL_set_msg_callback(stream->ssl_.get(), &TlsStream::OnProtocol);
  SSL_set_msg_callback_arg(stream->ssl_.get(), stream.get());
  return stream;
}

int64_t TlsStream::unsent_memory_ = 0;

TlsStream::~TlsStream() { LeaveUnsentMemory(); }

void TlsStream::LeaveUnsentMemory() {
  leaves_memory_ = true;
  CountUnsentMemory();
}

BIO_METHOD* TlsStream::SocketMethod() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* const method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "groupcast socket");
    if (method != nullptr) {
      BIO_meth_set_write(method, &TlsStream::OnBioWrite);
      BIO_meth_set_read(method, &TlsStream::OnBioRead);
      BIO_meth_set_ctrl(method, &TlsStream::OnBioControl);
    }
    return method;
  }();
  return kMethod;
}

// It takes everything: the end of the call sends it with one system call.
int TlsStream::OnBioWrite(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  std::string& written = Written();
  if (size <= 0 || written.size() + static_cast<size_t>(size) > kWrittenBytesMax) return -1;
  written.append(bytes, static_cast<size_t>(size));
  return size;
}

int TlsStream::OnBioRead(BIO* bio, char* bytes, int size) {
  auto* const stream = static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (stream->may_read_bytes_ == 0) {
    stream->may_have_more_ = true;
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t bytes_max = std::min(static_cast<size_t>(size), stream->may_read_bytes_);
  const ssize_t count = recv(stream->socket_, bytes, bytes_max, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (count > 0) {
    stream->may_read_bytes_ -= static_cast<size_t>(count);
    stream->received_bytes_ += static_cast<size_t>(count);
  }
  stream->at_end_ = count == 0;
  return static_cast<int>(count);
}

long TlsStream::OnBioControl(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return static_cast<TlsStream*>(BIO_get_data(bio))->at_end_ ? 1 : 0;
    default:
      return 0;
  }
}

// OpenSSL reads on within one call while records bring no data. It has no bound for key updates and
// for refused renegotiations. This is called at the header of each record.
void TlsStream::OnProtocol(int is_written, int, int type, const void*, size_t, SSL* ssl,
                           void* stream_pointer) {
  if (is_written != 0 || type != SSL3_RT_HEADER) return;
  auto* const stream = static_cast<TlsStream*>(stream_pointer);
  ++stream->records_;
  if (!stream->is_established_) return;
  if (++stream->fruitless_records_ <= kFruitlessRecordsMax) return;
  stream->is_broken_ = true;
  // OpenSSL reads nothing after the end.
  SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

void TlsStream::BeginReading(size_t bytes_max) {
  records_ = 0;
  may_read_bytes_ = bytes_max;
  may_have_more_ = false;
  has_input_ = false;
}

TlsStream::Progress TlsStream::Handshake() {
  if (!SendUnsent()) return errno == EAGAIN ? Progress::kUnfinished : Progress::kFailed;
  BeginReading(kInputBufferBytes);
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  const int error = SSL_get_error(ssl_.get(), result);
  const unsigned long reason = ERR_peek_last_error();
  // The peer's certificate is known to nobody else: an alert is text for people too.
  if (!SendWritten()) return Progress::kFailed;
  if (result == 1) {
    is_established_ = true;
    has_input_ = SSL_has_pending(ssl_.get()) == 1;
    return Progress::kDone;
  }
  if (error == SSL_ERROR_WANT_READ) return Progress::kUnfinished;
  if (error == SSL_ERROR_SSL && reason != 0) {
    const char* const text = ERR_reason_error_string(reason);
    failure_ = text == nullptr ? absl::StrCat("error ", reason) : text;
  }
  ERR_clear_error();
  return Progress::kFailed;
}

ssize_t TlsStream::Read(char* bytes, size_t size) {
  size_t total = 0;
  BeginReading(size + kInputBufferBytes);
  if (is_broken_) {
    errno = ECONNRESET;
    return -1;
  }
  while (total < size && records_ < kRecordsPerRead) {
    ERR_clear_error();
    size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), bytes + total, size - total, &count);
    if (result != 1) {
      const ssize_t failure = ReadFailure(result);
      has_input_ = may_have_more_;
      if (total == 0) return failure;
      // The end comes with the next call. The socket may not show it again.
      if (failure == 0 || errno != EAGAIN) has_input_ = true;
      return static_cast<ssize_t>(total);
    }
    fruitless_records_ = 0;
    total += count;
  }
  has_input_ = SSL_has_pending(ssl_.get()) == 1;
  return SendWritten() ? static_cast<ssize_t>(total) : -1;
}

ssize_t TlsStream::Peek(char* bytes, size_t size) {
  BeginReading(size + kInputBufferBytes);
  if (is_broken_) {
    errno = ECONNRESET;
    return -1;
  }
  ERR_clear_error();
  size_t count = 0;
  const int result = SSL_peek_ex(ssl_.get(), bytes, size, &count);
  if (result != 1) {
    const ssize_t failure = ReadFailure(result);
    has_input_ = may_have_more_ || failure == 0 || errno != EAGAIN;
    return failure;
  }
  has_input_ = true;
  return SendWritten() ? static_cast<ssize_t>(count) : -1;
}

ssize_t TlsStream::ReadFailure(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  // An answer, such as an alert.
  if (!SendWritten()) return -1;
  if (error == SSL_ERROR_ZERO_RETURN && !is_broken_) return 0;
  errno = error == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
  return -1;
}

size_t TlsStream::input_bytes() const {
  return SSL_has_pending(ssl_.get()) == 1 ? kInputBufferBytes : 0;
}

ssize_t TlsStream::Write(absl::Span<const iovec> vectors) {
  if (!SendUnsent()) return -1;
  Gatherer gatherer(vectors);
  size_t total = 0;
  while (total < kWriteBytesMax) {
    const absl::string_view record = gatherer.Next(kWriteBytesMax - total);
    if (record.empty()) break;
    ERR_clear_error();
    size_t count = 0;
    if (SSL_write_ex(ssl_.get(), record.data(), record.size(), &count) != 1 ||
        count != record.size()) {
      ERR_clear_error();
      Written().clear();
      errno = ECONNRESET;
      return -1;
    }
    total += count;
  }
  return SendWritten() ? static_cast<ssize_t>(total) : -1;
}

void TlsStream::SendCloseNotify() {
  if (std::exchange(sent_close_notify_, true)) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  SendWritten();
}

bool TlsStream::SendWritten() {
  std::string& written = Written();
  if (!written.empty()) {
    size_t sent = 0;
    if (unsent_.empty()) {
      const ssize_t count =
          send(socket_, written.data(), written.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0) {
        sent = static_cast<size_t>(count);
      } else {
        is_broken_ = is_broken_ || (errno != EAGAIN && errno != EINTR);
      }
    }
    if (unsent_bytes() + written.size() - sent > kUnsentBytesMax) is_broken_ = true;
    if (!is_broken_) {
      unsent_.erase(0, std::exchange(unsent_begin_, 0));
      unsent_.append(written, sent);
    }
    written.clear();
    CountUnsentMemory();
  }
  if (is_broken_) errno = ECONNRESET;
  return !is_broken_;
}

bool TlsStream::SendUnsent() {
  while (unsent_bytes() > 0) {
    const ssize_t count =
        send(socket_, unsent_.data() + unsent_begin_, unsent_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    unsent_begin_ += static_cast<size_t>(count);
  }
  if (!unsent_.empty()) {
    unsent_ = std::string();
    unsent_begin_ = 0;
    CountUnsentMemory();
  }
  return true;
}

void TlsStream::CountUnsentMemory() {
  const size_t memory = leaves_memory_ || unsent_.empty() ? 0 : unsent_.capacity();
  unsent_memory_ += static_cast<int64_t>(memory) - static_cast<int64_t>(counted_memory_);
  counted_memory_ = memory;
}

}  // namespace groupcast::service
