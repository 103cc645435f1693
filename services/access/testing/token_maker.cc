#include "services/access/testing/token_maker.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdexcept>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace groupcast::service {
namespace {

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void Check(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL failed");
}

std::string TakeText(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

std::string Number(EVP_PKEY* key, const char* name, int bytes_min) {
  BIGNUM* number = nullptr;
  Check(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  std::string bytes(static_cast<size_t>(std::max(bytes_min, BN_num_bytes(number))), '\0');
  Check(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                     static_cast<int>(bytes.size())) > 0);
  BN_free(number);
  return bytes;
}

// A signature of ECDSA as JWS has it: two numbers of 32 bytes (RFC 7518 section 3.4).
std::string RawSignature(const std::string& der) {
  const unsigned char* at = Bytes(der);
  ECDSA_SIG* const signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  Check(signature != nullptr);
  std::string raw(64, '\0');
  auto* const to = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), to, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), to + 32, 32);
  ECDSA_SIG_free(signature);
  return raw;
}

std::string SigningInput(absl::string_view header, absl::string_view claims) {
  return absl::StrCat(Base64Url(header), ".", Base64Url(claims));
}

}  // namespace

struct SigningKey::Key {
  EVP_PKEY* pkey;
};

std::string Base64Url(absl::string_view bytes) {
  std::string text = absl::WebSafeBase64Escape(bytes);
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

std::string HmacToken(absl::string_view header, absl::string_view claims,
                      absl::string_view secret) {
  const std::string input = SigningInput(header, claims);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), Bytes(input), input.size(),
       digest, &size);
  return absl::StrCat(input, ".", Base64Url({reinterpret_cast<const char*>(digest), size}));
}

std::string HmacToken(absl::string_view claims, absl::string_view secret) {
  return HmacToken(R"({"alg":"HS256","typ":"JWT"})", claims, secret);
}

SigningKey::SigningKey(Type type) : key_(new Key) {
  switch (type) {
    case Type::kRsa1024:
      key_->pkey = EVP_RSA_gen(1024);
      break;
    case Type::kRsa2048:
      key_->pkey = EVP_RSA_gen(2048);
      break;
    case Type::kP256:
      key_->pkey = EVP_EC_gen("P-256");
      break;
    case Type::kP384:
      key_->pkey = EVP_EC_gen("P-384");
      break;
  }
  Check(key_->pkey != nullptr);
}

SigningKey::~SigningKey() {
  EVP_PKEY_free(key_->pkey);
  delete key_;
}

std::string SigningKey::PublicPem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  Check(PEM_write_bio_PUBKEY(bio, key_->pkey) == 1);
  return TakeText(bio);
}

std::string SigningKey::PrivatePem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  Check(PEM_write_bio_PrivateKey(bio, key_->pkey, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return TakeText(bio);
}

std::string SigningKey::JwkMembers() const {
  if (EVP_PKEY_is_a(key_->pkey, "RSA") == 1) {
    return absl::StrCat(R"("kty":"RSA","n":")",
                        Base64Url(Number(key_->pkey, OSSL_PKEY_PARAM_RSA_N, 0)), R"(","e":")",
                        Base64Url(Number(key_->pkey, OSSL_PKEY_PARAM_RSA_E, 0)), "\"");
  }
  const int bytes = (EVP_PKEY_get_bits(key_->pkey) + 7) / 8;
  return absl::StrCat(R"("kty":"EC","crv":"P-)", EVP_PKEY_get_bits(key_->pkey), R"(","x":")",
                      Base64Url(Number(key_->pkey, OSSL_PKEY_PARAM_EC_PUB_X, bytes)), R"(","y":")",
                      Base64Url(Number(key_->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, bytes)), "\"");
}

std::string SigningKey::Sign(absl::string_view header, absl::string_view claims) const {
  const std::string input = SigningInput(header, claims);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  Check(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_->pkey) == 1);
  size_t size = 0;
  Check(EVP_DigestSign(context, nullptr, &size, Bytes(input), input.size()) == 1);
  std::string signature(size, '\0');
  Check(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                       Bytes(input), input.size()) == 1);
  signature.resize(size);
  EVP_MD_CTX_free(context);
  if (EVP_PKEY_is_a(key_->pkey, "EC") == 1) signature = RawSignature(signature);
  return absl::StrCat(input, ".", Base64Url(signature));
}

std::string SigningKey::Sign(absl::string_view claims) const {
  return Sign(EVP_PKEY_is_a(key_->pkey, "RSA") == 1 ? R"({"alg":"RS256","typ":"JWT"})"
                                                    : R"({"alg":"ES256","typ":"JWT"})",
              claims);
}

}  // namespace groupcast::service
