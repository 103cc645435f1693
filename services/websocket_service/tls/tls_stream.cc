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
  return stream;
}

TlsStream::~TlsStream() = default;

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
  const ssize_t count = recv(stream->socket_, bytes, static_cast<size_t>(size), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
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

TlsStream::Progress TlsStream::Handshake() {
  if (!SendUnsent()) return errno == EAGAIN ? Progress::kUnfinished : Progress::kFailed;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  const int error = SSL_get_error(ssl_.get(), result);
  const unsigned long reason = ERR_peek_last_error();
  // The peer's certificate is known to nobody else: an alert is text for people too.
  if (!SendWritten()) return Progress::kFailed;
  if (result == 1) {
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
  has_input_ = false;
  while (total < size) {
    ERR_clear_error();
    size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), bytes + total, size - total, &count);
    if (result != 1) {
      const ssize_t failure = ReadFailure(result);
      if (total == 0) return failure;
      // The end comes with the next call. The socket may not show it again.
      has_input_ = failure == 0 || errno != EAGAIN;
      return static_cast<ssize_t>(total);
    }
    total += count;
  }
  has_input_ = SSL_has_pending(ssl_.get()) == 1;
  return static_cast<ssize_t>(total);
}

ssize_t TlsStream::Peek(char* bytes, size_t size) {
  ERR_clear_error();
  size_t count = 0;
  const int result = SSL_peek_ex(ssl_.get(), bytes, size, &count);
  if (result != 1) {
    const ssize_t failure = ReadFailure(result);
    has_input_ = failure == 0 || errno != EAGAIN;
    return failure;
  }
  has_input_ = true;
  return static_cast<ssize_t>(count);
}

ssize_t TlsStream::ReadFailure(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  // An answer, such as an alert.
  if (!Written().empty() && !SendWritten()) return -1;
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
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
  if (written.empty()) return true;
  size_t sent = 0;
  bool is_broken = false;
  if (unsent_.empty()) {
    const ssize_t count =
        send(socket_, written.data(), written.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent = static_cast<size_t>(count);
    } else {
      is_broken = errno != EAGAIN && errno != EINTR;
    }
  }
  if (!is_broken) unsent_.append(written, sent);
  written.clear();
  if (unsent_.size() - unsent_begin_ > 2 * kWrittenBytesMax) is_broken = true;
  if (is_broken) errno = ECONNRESET;
  return !is_broken;
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
  }
  return true;
}

}  // namespace groupcast::service
