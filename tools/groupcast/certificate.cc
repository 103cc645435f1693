#include "tools/groupcast/certificate.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"

namespace groupcast::cli {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Free<SSL_free>>;
using Addresses = std::unique_ptr<addrinfo, Free<freeaddrinfo>>;
using X509Pointer = std::unique_ptr<X509, Free<X509_free>>;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool IsAddress(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// A TCP connection whose calls, connect included, end after the time-out.
absl::StatusOr<Socket> Connect(const std::string& host, const std::string& port,
                               absl::Duration timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(gai_strerror(error));
  }
  const Addresses addresses(found);
  const timeval limit = absl::ToTimeval(timeout);
  std::string why = "there is no address";
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Socket made(socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0));
    setsockopt(made.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(made.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(made.fd(), address->ai_addr, address->ai_addrlen) == 0) return made;
    why = std::strerror(errno);
  }
  return absl::UnavailableError(why);
}

absl::Time EndOf(const X509* certificate) {
  std::tm end = {};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return absl::InfinitePast();
  return absl::FromTimeT(timegm(&end));
}

}  // namespace

absl::StatusOr<Certificate> ReadCertificate(const std::string& host, const std::string& port,
                                            const std::string& ca_file, absl::Duration timeout) {
  const Context context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return absl::InternalError("OpenSSL has no memory");
  const int trusted = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                      : SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
  if (trusted != 1) {
    return absl::InvalidArgumentError(absl::StrCat(ca_file, " has no certificate of a CA in PEM"));
  }
  const absl::StatusOr<Socket> connected = Connect(host, port, timeout);
  if (!connected.ok()) return connected.status();
  const Connection ssl(SSL_new(context.get()));
  // The handshake goes on after a certificate that is not trusted: this wants to read it.
  SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  if (IsAddress(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    SSL_set1_host(ssl.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl.get(), host.c_str());
  }
  SSL_set_fd(ssl.get(), connected->fd());
  if (SSL_connect(ssl.get()) != 1) return absl::UnavailableError("the TLS handshake failed");
  const X509Pointer certificate(SSL_get1_peer_certificate(ssl.get()));
  if (certificate == nullptr) return absl::UnavailableError("the server shows no certificate");
  Certificate result;
  result.valid_until = EndOf(certificate.get());
  const long verified = SSL_get_verify_result(ssl.get());
  if (verified != X509_V_OK) result.problem = X509_verify_cert_error_string(verified);
  return result;
}

}  // namespace groupcast::cli
