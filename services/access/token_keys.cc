#include "services/access/token_keys.h"

#include <jwt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/access/token_json.h"
#include "services/common/key_file.h"

namespace groupcast::service {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using PublicKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Jwt = std::unique_ptr<jwt_t, Free<jwt_free>>;

constexpr size_t kCoordinateBytes = 32;  // of a point on P-256 (RFC 7518 section 6.2.1.2)

jwt_alg_t LibraryAlgorithm(TokenAlgorithm algorithm) {
  switch (algorithm) {
    case TokenAlgorithm::kHs256:
      return JWT_ALG_HS256;
    case TokenAlgorithm::kRs256:
      return JWT_ALG_RS256;
    case TokenAlgorithm::kEs256:
      return JWT_ALG_ES256;
  }
  return JWT_ALG_INVAL;
}

// A key's bytes in base64url (RFC 7518 section 2).
std::optional<std::string> Base64Member(const JsonMembers& members, absl::string_view name) {
  const auto at = members.find(name);
  if (at == members.end()) return std::nullopt;
  const std::optional<std::string> text = ReadJsonText(at->second);
  std::string bytes;
  if (!text.has_value() || !absl::WebSafeBase64Unescape(*text, &bytes)) return std::nullopt;
  return bytes;
}

// A member that is a string; empty if it is not there.
std::optional<std::string> TextMember(const JsonMembers& members, absl::string_view name) {
  const auto at = members.find(name);
  return at == members.end() ? std::string() : ReadJsonText(at->second);
}

std::string ToPem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_PUBKEY(bio.get(), key) != 1) return "";
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return std::string(bytes, static_cast<size_t>(size));
}

PublicKey MakeKey(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return PublicKey(key);
}

// RFC 7518 section 6.3.1.
PublicKey RsaKey(const JsonMembers& members) {
  const std::optional<std::string> modulus = Base64Member(members, "n");
  const std::optional<std::string> exponent = Base64Member(members, "e");
  if (!modulus.has_value() || !exponent.has_value()) return nullptr;
  const auto number = [](const std::string& bytes) {
    return Number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                            static_cast<int>(bytes.size()), nullptr));
  };
  const Number n = number(*modulus);
  const Number e = number(*exponent);
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return MakeKey("RSA", builder.get());
}

// RFC 7518 section 6.2.1.
PublicKey P256Key(const JsonMembers& members) {
  const std::optional<std::string> x = Base64Member(members, "x");
  const std::optional<std::string> y = Base64Member(members, "y");
  if (!x.has_value() || !y.has_value() || x->size() != kCoordinateBytes ||
      y->size() != kCoordinateBytes) {
    return nullptr;
  }
  const std::string point = absl::StrCat("\x04", *x, *y);  // uncompressed (SEC 1 section 2.3.3)
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return MakeKey("EC", builder.get());
}

bool IsP256(EVP_PKEY* key) {
  char name[64] = "";
  size_t size = 0;
  EVP_PKEY_get_group_name(key, name, sizeof(name), &size);
  const absl::string_view curve(name, size);
  return curve == "prime256v1" || curve == "P-256";
}

// Whoever knows a public key could sign with its bytes if they were taken for a secret: PEM behind
// a byte order mark or a comment, DER (a SEQUENCE), a line of OpenSSH, a JWK without its set.
bool LooksLikePublicKey(absl::string_view content) {
  constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";
  const bool is_der = content.size() > 2 && content[0] == '\x30' &&
                      (content[1] == '\x59' || content[1] == '\x81' || content[1] == '\x82');
  return is_der || absl::StrContains(content, "-----BEGIN") ||
         absl::StrContains(content, "\"kty\"") || absl::StartsWith(content, kByteOrderMark) ||
         absl::StartsWith(content, "ssh-") || absl::StartsWith(content, "ecdsa-");
}

// The algorithm that a public key is for.
absl::StatusOr<TokenAlgorithm> AlgorithmOf(EVP_PKEY* key) {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (context == nullptr || EVP_PKEY_public_check(context.get()) != 1) {
    return absl::InvalidArgumentError("is not a valid public key");
  }
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits >= TokenKeys::kRsaBitsMin) return TokenAlgorithm::kRs256;
    return absl::InvalidArgumentError(absl::StrCat(
        "is an RSA key of ", bits, " bits; it must have ", TokenKeys::kRsaBitsMin, " at least"));
  }
  if (EVP_PKEY_is_a(key, "EC") == 1 && IsP256(key)) return TokenAlgorithm::kEs256;
  return absl::InvalidArgumentError("must be an RSA key, or an EC key of the curve P-256");
}

}  // namespace

absl::string_view TokenAlgorithmName(TokenAlgorithm algorithm) {
  return jwt_alg_str(LibraryAlgorithm(algorithm));
}

absl::StatusOr<TokenKeys> TokenKeys::Load(const std::vector<std::string>& files) {
  TokenKeys keys;
  for (const std::string& path : files) {
    const absl::StatusOr<KeyFile> file = ReadKeyFile(path);
    if (!file.ok()) return file.status();
    if (absl::Status status = keys.Add(file->content, file->others_may_access); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(path, " ", status.message()));
    }
  }
  return keys;
}

absl::Status TokenKeys::Add(absl::string_view content, bool others_may_access) {
  const absl::string_view text = absl::StripAsciiWhitespace(content);
  if (absl::StartsWith(text, "-----BEGIN ")) return AddPem("", std::string(text));
  if (absl::StartsWith(text, "{")) return AddSet(text, others_may_access);
  if (LooksLikePublicKey(content)) {
    return absl::InvalidArgumentError(
        "looks like a public key in a form that is not read here, and must not be a secret: use "
        "PEM "
        "that begins with -----BEGIN PUBLIC KEY-----, or a JWK set");
  }
  if (others_may_access) return absl::InvalidArgumentError(kOthersMayAccess);
  absl::string_view secret = content;
  if (absl::ConsumeSuffix(&secret, "\n")) absl::ConsumeSuffix(&secret, "\r");
  return AddSecret("", secret);
}

absl::Status TokenKeys::AddSecret(std::string id, absl::string_view secret) {
  if (secret.size() < kSecretBytesMin) {
    return absl::InvalidArgumentError(absl::StrCat("has a secret of ", secret.size(),
                                                   " bytes; it must have ", kSecretBytesMin,
                                                   " at least (RFC 7518 section 3.2)"));
  }
  return Push({TokenAlgorithm::kHs256, std::move(id), std::string(secret)});
}

absl::Status TokenKeys::AddPem(std::string id, const std::string& pem) {
  if (absl::StrContains(pem, "PRIVATE KEY-----")) {
    return absl::InvalidArgumentError(
        "has a private key; the service needs the public key alone (openssl pkey -pubout)");
  }
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const PublicKey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError("must begin with -----BEGIN PUBLIC KEY----- and be PEM");
  }
  const absl::StatusOr<TokenAlgorithm> algorithm = AlgorithmOf(key.get());
  if (!algorithm.ok()) return algorithm.status();
  return Push({*algorithm, std::move(id), ToPem(key.get())});
}

absl::Status TokenKeys::AddSet(absl::string_view json, bool others_may_access) {
  const std::optional<JsonMembers> set = ReadJsonMembers(json);
  const auto keys = set.has_value() ? set->find("keys") : JsonMembers::const_iterator();
  const std::optional<std::vector<absl::string_view>> elements =
      set.has_value() && keys != set->end() ? ReadJsonElements(keys->second) : std::nullopt;
  if (!elements.has_value()) {
    return absl::InvalidArgumentError("must be a JWK set: {\"keys\": [...]} (RFC 7517 section 5)");
  }
  const size_t before = keys_.size();
  for (size_t i = 0; i < elements->size(); ++i) {
    const auto wrong = [i](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("keys[", i, "] ", what));
    };
    const std::optional<JsonMembers> members = ReadJsonMembers((*elements)[i]);
    if (!members.has_value()) return wrong("must be an object without a name twice");
    const std::optional<std::string> type = TextMember(*members, "kty");
    const std::optional<std::string> use = TextMember(*members, "use");
    const std::optional<std::string> named = TextMember(*members, "alg");
    std::optional<std::string> id = TextMember(*members, "kid");
    if (!type.has_value() || !use.has_value() || !named.has_value() || !id.has_value()) {
      return wrong("must have strings as kty, use, alg and kid");
    }
    if (!use->empty() && *use != "sig") continue;
    const auto is_for = [&](TokenAlgorithm algorithm) {
      return named->empty() || *named == TokenAlgorithmName(algorithm);
    };
    absl::Status added;
    if (*type == "oct" && is_for(TokenAlgorithm::kHs256)) {
      if (others_may_access) return wrong(kOthersMayAccess);
      const std::optional<std::string> secret = Base64Member(*members, "k");
      if (!secret.has_value()) return wrong("must have its secret as \"k\", in base64url");
      added = AddSecret(*std::move(id), *secret);
    } else if ((*type == "RSA" && is_for(TokenAlgorithm::kRs256)) ||
               (*type == "EC" && is_for(TokenAlgorithm::kEs256))) {
      if (members->contains("d")) {
        return wrong("is a private key; the service needs the public key alone");
      }
      if (*type == "EC" && TextMember(*members, "crv") != "P-256") continue;
      const PublicKey key = *type == "RSA" ? RsaKey(*members) : P256Key(*members);
      if (key == nullptr) return wrong("is not a valid key (RFC 7518 section 6)");
      const absl::StatusOr<TokenAlgorithm> algorithm = AlgorithmOf(key.get());
      added = algorithm.ok() ? Push({*algorithm, *std::move(id), ToPem(key.get())})
                             : algorithm.status();
    }
    if (!added.ok()) return wrong(added.message());
  }
  if (keys_.size() > before) return absl::OkStatus();
  return absl::InvalidArgumentError("has no key for HS256, RS256 or ES256");
}

absl::Status TokenKeys::Push(Key key) {
  if (keys_.size() == kKeysMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("has one key too many: there may be ", kKeysMax));
  }
  keys_.push_back(std::move(key));
  return absl::OkStatus();
}

bool TokenKeys::Verify(absl::string_view token, TokenAlgorithm algorithm,
                       absl::string_view key_id) const {
  const std::string text(token);
  for (const Key& key : keys_) {
    if (key.algorithm != algorithm) continue;
    if (!key.id.empty() && !key_id.empty() && key.id != key_id) continue;
    jwt_t* decoded = nullptr;
    const bool is_valid =
        jwt_decode(&decoded, text.c_str(), reinterpret_cast<const unsigned char*>(key.bytes.data()),
                   static_cast<int>(key.bytes.size())) == 0;
    const Jwt owned(decoded);
    // The library goes by the token's header. It must not have seen another algorithm there.
    if (is_valid && jwt_get_alg(owned.get()) == LibraryAlgorithm(algorithm)) return true;
  }
  return false;
}

}  // namespace groupcast::service
