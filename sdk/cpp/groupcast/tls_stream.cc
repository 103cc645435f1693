#include "groupcast/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <limits>
#include <new>

namespace groupcast {
namespace {

namespace asio = boost::asio;

int SizeOf(size_t size) {
  return static_cast<int>(std::min(size, size_t{std::numeric_limits<int>::max()}));
}

// Nothing is buffered, so there is nothing else to control.
long ControlSocket(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

TlsStream::TlsStream(boost::beast::tcp_stream* tcp, TlsContext* context)
    : tcp_(tcp), ssl_(SSL_new(context->native_handle())) {
  BIO* const bio = BIO_new(SocketMethod());
  if (ssl_ == nullptr || bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // It owns the BIO now.
  SSL_set_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_connect_state(ssl_.get());
  ErrorCode ignored;  // The first call of OpenSSL finds out.
  tcp_->socket().non_blocking(true, ignored);
}

void TlsStream::SendCloseNotify() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

TlsStream::Step TlsStream::ShakeHands() {
  ERR_clear_error();
  return ResultOf(SSL_do_handshake(ssl_.get()));
}

TlsStream::Step TlsStream::Read(asio::mutable_buffer buffer) {
  if (buffer.size() == 0) return {};
  ERR_clear_error();
  return ResultOf(SSL_read(ssl_.get(), buffer.data(), SizeOf(buffer.size())));
}

TlsStream::Step TlsStream::Write(asio::const_buffer buffer) {
  if (buffer.size() == 0) return {};
  ERR_clear_error();
  return ResultOf(SSL_write(ssl_.get(), buffer.data(), SizeOf(buffer.size())));
}

TlsStream::Step TlsStream::ResultOf(int result) {
  Step step;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      step.bytes = static_cast<size_t>(result);
      break;
    case SSL_ERROR_WANT_READ:
      step.wait = Step::Wait::kReadable;
      break;
    case SSL_ERROR_WANT_WRITE:
      step.wait = Step::Wait::kWritable;
      break;
    case SSL_ERROR_ZERO_RETURN:
      step.error = asio::error::eof;
      break;
    case SSL_ERROR_SSL:
      step.error = ErrorCode(static_cast<int>(ERR_get_error()), asio::error::get_ssl_category());
      break;
    default:
      step.error = socket_error_ ? socket_error_ : ErrorCode(asio::error::eof);
      break;
  }
  ERR_clear_error();
  return step;
}

BIO_METHOD* TlsStream::SocketMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "groupcast socket");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, &ReadSocket);
    BIO_meth_set_write(made, &WriteSocket);
    BIO_meth_set_ctrl(made, &ControlSocket);
    return made;
  }();
  return method;
}

int TlsStream::ReadSocket(BIO* bio, char* bytes, int size) {
  auto* const stream = static_cast<TlsStream*>(BIO_get_data(bio));
  ErrorCode& error = stream->socket_error_;
  const size_t read =
      stream->tcp_->socket().read_some(asio::buffer(bytes, static_cast<size_t>(size)), error);
  BIO_clear_retry_flags(bio);
  if (!error) return static_cast<int>(read);
  if (error == asio::error::would_block) BIO_set_retry_read(bio);
  return error == asio::error::eof ? 0 : -1;
}

int TlsStream::WriteSocket(BIO* bio, const char* bytes, int size) {
  auto* const stream = static_cast<TlsStream*>(BIO_get_data(bio));
  ErrorCode& error = stream->socket_error_;
  const size_t written =
      stream->tcp_->socket().write_some(asio::buffer(bytes, static_cast<size_t>(size)), error);
  BIO_clear_retry_flags(bio);
  if (!error) return static_cast<int>(written);
  if (error == asio::error::would_block) BIO_set_retry_write(bio);
  return -1;
}

}  // namespace groupcast
