#include "services/websocket_service/tls/tls_context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/common/key_file.h"

namespace groupcast::service {
namespace {

// Key exchange with forward secrecy and authenticated encryption, the only kinds that TLS 1.3 has.
constexpr char kTls12Ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

// As ALPN writes it (RFC 7301): a length and a name.
constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

constexpr long kTicketSeconds = 12 * 60 * 60;

absl::Status Wrong(const TlsFiles::File& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(file.name, ": ", file.path, " ", why));
}

// The message of `status` names the path.
absl::Status At(const TlsFiles::File& file, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(file.name, ": ", status.message()));
}

// The reason of OpenSSL's last error.
std::string OpenSslReason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
std::unique_ptr<BIO, FreeBio> MemoryBio(const std::string& bytes) {
  return std::unique_ptr<BIO, FreeBio>(
      BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeX509>;

// There is nobody to ask.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                   const unsigned char* offered, unsigned offered_bytes, void*) {
  unsigned char* found = nullptr;
  // A client that offers other protocols alone must be told (RFC 7301 section 3.2).
  if (SSL_select_next_proto(&found, chosen_bytes, kHttp11, sizeof(kHttp11), offered,
                            offered_bytes) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TicketKeys::TicketKeys() : keys_{RandomKey(), RandomKey()} {}

TicketKeys TicketKeys::Next() const {
  TicketKeys next;
  next.keys_[1] = keys_[0];
  return next;
}

TicketKeys::Key TicketKeys::RandomKey() {
  Key key;
  // Without random bytes there is no TLS at all: OpenSSL's own handshakes fail too.
  RAND_bytes(key.name.data(), static_cast<int>(key.name.size()));
  RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size()));
  RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size()));
  return key;
}

absl::StatusOr<std::shared_ptr<const TlsContext>> TlsContext::Load(const TlsFiles& files,
                                                                   const TicketKeys& tickets,
                                                                   absl::Time now,
                                                                   const TlsContext* present) {
  if (files.certificate.path.empty() || files.key.path.empty()) {
    const bool has_key = files.certificate.path.empty();
    return absl::InvalidArgumentError(
        absl::StrCat(has_key ? files.key.name : files.certificate.name, " needs ",
                     has_key ? files.certificate.name : files.key.name, " beside it"));
  }
  std::shared_ptr<TlsContext> context(new TlsContext(files, tickets));
  // Before the files are read: what is written meanwhile makes it outdated.
  context->versions_ = {VersionOf(files.certificate.path), VersionOf(files.key.path)};
  context->may_be_expired_ =
      present != nullptr && present->files_.certificate.path == files.certificate.path &&
      present->files_.key.path == files.key.path && present->versions_ == context->versions_;
  ERR_clear_error();
  if (absl::Status status = context->SetRules(); !status.ok()) return status;
  if (absl::Status status = context->LoadCertificate(now); !status.ok()) return status;
  if (absl::Status status = context->LoadKey(); !status.ok()) return status;
  return context;
}

absl::Status TlsContext::SetRules() {
  context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = context_.get();
  if (context == nullptr) return absl::InternalError(absl::StrCat("TLS: ", OpenSslReason()));
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   // WebSocket has its own end: close frames.
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  // An idle connection keeps no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_timeout(context, kTicketSeconds);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &TlsContext::OnTicket);
  SSL_CTX_set_alpn_select_cb(context, &ChooseProtocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context, &NoPassphrase);
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, kTls12Ciphers) != 1 ||
      SSL_CTX_set_session_id_context(context, kHttp11, sizeof(kHttp11)) != 1) {
    return absl::InternalError(absl::StrCat("TLS: ", OpenSslReason()));
  }
  return absl::OkStatus();
}

absl::Status TlsContext::LoadCertificate(absl::Time now) {
  const TlsFiles::File& file = files_.certificate;
  const absl::StatusOr<KeyFile> contents = ReadKeyFile(file.path);
  if (!contents.ok()) return At(file, contents.status());
  const std::unique_ptr<BIO, FreeBio> bio = MemoryBio(contents->content);
  const Certificate own(PEM_read_bio_X509_AUX(bio.get(), nullptr, &NoPassphrase, nullptr));
  if (own == nullptr) return Wrong(file, "has no certificate in PEM");
  if (SSL_CTX_use_certificate(context_.get(), own.get()) != 1) {
    return Wrong(file, absl::StrCat("has a certificate that cannot be used: ", OpenSslReason()));
  }
  while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr)}) {
    if (SSL_CTX_add1_chain_cert(context_.get(), next.get()) != 1) {
      return Wrong(file, absl::StrCat("has a chain that cannot be used: ", OpenSslReason()));
    }
  }
  // The end of the file is an error of this kind.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return Wrong(file, absl::StrCat("has a damaged certificate in its chain: ", OpenSslReason()));
  }
  ERR_clear_error();
  const absl::Time from = TimeOf(X509_get0_notBefore(own.get()));
  valid_until_ = TimeOf(X509_get0_notAfter(own.get()));
  if (now > valid_until_ && !may_be_expired_) {
    return Wrong(file, absl::StrCat("has a certificate that has expired; it was valid until ",
                                    absl::FormatTime(valid_until_, absl::UTCTimeZone())));
  }
  if (now < from) {
    return Wrong(file, absl::StrCat("has a certificate that is not valid yet, but from ",
                                    absl::FormatTime(from, absl::UTCTimeZone())));
  }
  return absl::OkStatus();
}

absl::Status TlsContext::LoadKey() {
  const TlsFiles::File& file = files_.key;
  const absl::StatusOr<std::string> contents = ReadSecretFile(file.path);
  if (!contents.ok()) return At(file, contents.status());
  const std::unique_ptr<BIO, FreeBio> bio = MemoryBio(*contents);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr), &EVP_PKEY_free);
  if (key == nullptr) {
    ERR_clear_error();
    return Wrong(file, "has no private key in PEM without a passphrase");
  }
  if (SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1 ||
      SSL_CTX_check_private_key(context_.get()) != 1) {
    ERR_clear_error();
    return Wrong(file, absl::StrCat("does not belong to the certificate of ",
                                    files_.certificate.name, ", ", files_.certificate.path));
  }
  return absl::OkStatus();
}

int TlsContext::OnTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int encrypts) {
  const auto& context = *static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const std::array<TicketKeys::Key, 2>& keys = context.tickets_.keys_;
  const TicketKeys::Key* key = &keys[0];
  if (encrypts == 1) {
    std::copy(key->name.begin(), key->name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  } else {
    key = std::find_if(keys.begin(), keys.end(), [name](const TicketKeys::Key& candidate) {
      return std::equal(candidate.name.begin(), candidate.name.end(), name);
    });
    if (key == keys.end()) return 0;  // a full handshake
  }
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(
          OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key->mac.data()), key->mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv, encrypts) !=
          1 ||
      EVP_MAC_CTX_set_params(mac, parameters) != 1) {
    return -1;
  }
  // 2: it counts, and the client gets a new one.
  return encrypts == 1 || key == &keys[0] ? 1 : 2;
}

TlsContext::Version TlsContext::VersionOf(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return {};
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .modified_ns = status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec,
          .bytes = status.st_size};
}

bool TlsContext::IsOutdated() const {
  return versions_[0] != VersionOf(files_.certificate.path) ||
         versions_[1] != VersionOf(files_.key.path);
}

}  // namespace groupcast::service
