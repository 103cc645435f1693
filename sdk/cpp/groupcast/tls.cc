#include "groupcast/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;

// `pem` is empty: the CAs of the system.
absl::StatusOr<std::shared_ptr<TlsContext>> NewContext(const std::string& pem) {
  auto context = std::make_shared<TlsContext>(TlsContext::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_verify_mode(asio::ssl::verify_peer);
  boost::system::error_code error;
  if (pem.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->add_certificate_authority(asio::buffer(pem), error);
  }
  if (error) return absl::InvalidArgumentError(error.message());
  return context;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  std::string content;
  char bytes[4096];
  while (file != nullptr) {
    const size_t size = std::fread(bytes, 1, sizeof(bytes), file.get());
    content.append(bytes, size);
    if (size < sizeof(bytes)) break;
  }
  if (file == nullptr || std::ferror(file.get()) != 0) {
    return absl::InvalidArgumentError(std::strerror(errno));
  }
  if (content.empty()) return absl::InvalidArgumentError("it is empty");
  return content;
}

bool IsAddress(const std::string& host) {
  boost::system::error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

absl::StatusOr<std::shared_ptr<TlsContext>> LoadTlsContext(const std::string& ca_file) {
  std::string pem;
  if (!ca_file.empty()) {
    absl::StatusOr<std::string> content = ReadFile(ca_file);
    if (!content.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("ca_file ", ca_file, ": ", content.status().message()));
    }
    pem = *std::move(content);
  }

  static std::mutex mutex;
  // By the CAs themselves, so that a changed file counts. Never destroyed: clients may be created
  // while the program ends.
  static auto* const contexts = new std::map<std::string, std::weak_ptr<TlsContext>>();
  const std::lock_guard<std::mutex> lock(mutex);
  if (const auto known = contexts->find(pem); known != contexts->end()) {
    if (std::shared_ptr<TlsContext> context = known->second.lock()) return context;
  }
  absl::StatusOr<std::shared_ptr<TlsContext>> context = NewContext(pem);
  if (!context.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ca_file ", ca_file, " has no certificates in PEM: ", context.status().message()));
  }
  std::erase_if(*contexts, [](const auto& entry) { return entry.second.expired(); });
  (*contexts)[pem] = *context;
  return context;
}

absl::Status ExpectHost(const std::string& host, SSL* ssl) {
  bool done = false;
  if (IsAddress(host)) {
    done = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  } else {
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    done =
        SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  }
  if (done) return absl::OkStatus();
  ERR_clear_error();
  return absl::InternalError(absl::StrCat("OpenSSL cannot check certificates of ", host));
}

absl::Status HandshakeFailure(const std::string& host, const SSL* ssl,
                              const boost::system::error_code& error) {
  const long verdict = SSL_get_verify_result(ssl);
  const char* const reason = X509_verify_cert_error_string(verdict);
  switch (verdict) {
    case X509_V_OK:
      break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::FailedPreconditionError(
          absl::StrCat("the server's certificate is not for ", host, ": ", reason));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return absl::FailedPreconditionError(
          absl::StrCat("the certificate of ", host, " is not from a CA that this client trusts (",
                       reason, "); ca_file can name the CA"));
    default:
      return absl::FailedPreconditionError(
          absl::StrCat("the certificate of ", host, " is not accepted: ", reason));
  }
  if (error.category() == asio::error::get_ssl_category() &&
      ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_WRONG_VERSION_NUMBER) {
    return absl::UnavailableError(
        absl::StrCat("TLS: ", host, " does not speak TLS on this port, or no version above 1.1"));
  }
  return absl::UnavailableError(absl::StrCat("TLS with ", host, ": ", error.message()));
}

}  // namespace groupcast
