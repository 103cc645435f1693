#include "services/access/token_keys.h"

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";  // 32 bytes

const SigningKey& Rsa() {
  static const SigningKey* const key = new SigningKey(SigningKey::Type::kRsa2048);
  return *key;
}
const SigningKey& P256() {
  static const SigningKey* const key = new SigningKey(SigningKey::Type::kP256);
  return *key;
}

TokenKeys With(absl::string_view content) {
  TokenKeys keys;
  const absl::Status status = keys.Add(content, /*others_may_access=*/false);
  EXPECT_TRUE(status.ok()) << status;
  return keys;
}

std::string ErrorOf(absl::string_view content, bool others_may_access = false) {
  TokenKeys keys;
  const absl::Status status = keys.Add(content, others_may_access);
  EXPECT_TRUE(keys.empty());
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

std::string Jwk(absl::string_view members) { return absl::StrCat("{\"keys\":[{", members, "}]}"); }

std::string Oct(absl::string_view secret) {
  return absl::StrCat(R"("kty":"oct","k":")", Base64Url(secret), "\"");
}

TEST(TokenKeysTest, EachKindOfKeyVerifiesItsOwn) {
  EXPECT_TRUE(With(kSecret).Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, ""));
  EXPECT_TRUE(With(Rsa().PublicPem()).Verify(Rsa().Sign("{}"), TokenAlgorithm::kRs256, ""));
  EXPECT_TRUE(With(P256().PublicPem()).Verify(P256().Sign("{}"), TokenAlgorithm::kEs256, ""));
}

TEST(TokenKeysTest, AnotherKeyDoesNotVerify) {
  const SigningKey rsa(SigningKey::Type::kRsa2048);
  const SigningKey p256(SigningKey::Type::kP256);
  EXPECT_FALSE(With(kSecret).Verify(HmacToken("{}", "another secret of thirty-two byte"),
                                    TokenAlgorithm::kHs256, ""));
  EXPECT_FALSE(With(Rsa().PublicPem()).Verify(rsa.Sign("{}"), TokenAlgorithm::kRs256, ""));
  EXPECT_FALSE(With(P256().PublicPem()).Verify(p256.Sign("{}"), TokenAlgorithm::kEs256, ""));
}

TEST(TokenKeysTest, AChangedTokenDoesNotVerify) {
  for (const auto& [keys, token, algorithm] :
       {std::tuple{With(kSecret), HmacToken(R"({"sub":"a"})", kSecret), TokenAlgorithm::kHs256},
        {With(Rsa().PublicPem()), Rsa().Sign(R"({"sub":"a"})"), TokenAlgorithm::kRs256},
        {With(P256().PublicPem()), P256().Sign(R"({"sub":"a"})"), TokenAlgorithm::kEs256}}) {
    ASSERT_TRUE(keys.Verify(token, algorithm, ""));
    const size_t payload = token.find('.') + 1;
    const size_t signature = token.rfind('.') + 1;
    for (const size_t at : {payload, payload + 3, signature, signature + 20}) {
      std::string changed = token;
      changed[at] = changed[at] == 'A' ? 'B' : 'A';
      EXPECT_FALSE(keys.Verify(changed, algorithm, "")) << at;
    }
    EXPECT_FALSE(keys.Verify(token.substr(0, signature), algorithm, ""));
    EXPECT_FALSE(keys.Verify(token.substr(0, token.size() - 4), algorithm, ""));
  }
}

// An attacker knows the public key, and signs with its text as if that were a secret.
TEST(TokenKeysTest, APublicKeyIsNoSecret) {
  for (const std::string& pem : {Rsa().PublicPem(), P256().PublicPem()}) {
    const TokenKeys keys = With(pem);
    for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1)}) {
      const std::string forged = HmacToken("{}", secret);
      for (const TokenAlgorithm algorithm :
           {TokenAlgorithm::kHs256, TokenAlgorithm::kRs256, TokenAlgorithm::kEs256}) {
        EXPECT_FALSE(keys.Verify(forged, algorithm, ""));
      }
    }
  }
}

// The header of the token, which the library reads, and the caller's reading of it must agree.
TEST(TokenKeysTest, TheHeaderMustNameTheAlgorithm) {
  const std::string hs512 = HmacToken(R"({"alg":"HS512"})", "{}", kSecret);
  EXPECT_FALSE(With(kSecret).Verify(hs512, TokenAlgorithm::kHs256, ""));
  const std::string none = absl::StrCat(Base64Url(R"({"alg":"none"})"), ".", Base64Url("{}"), ".");
  EXPECT_FALSE(With(kSecret).Verify(none, TokenAlgorithm::kHs256, ""));
}

TEST(TokenKeysTest, KeysOfASet) {
  EXPECT_TRUE(With(Jwk(Oct(kSecret))).Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, ""));
  EXPECT_TRUE(With(Jwk(Rsa().JwkMembers())).Verify(Rsa().Sign("{}"), TokenAlgorithm::kRs256, ""));
  EXPECT_TRUE(With(Jwk(P256().JwkMembers())).Verify(P256().Sign("{}"), TokenAlgorithm::kEs256, ""));
}

TEST(TokenKeysTest, AnIdChoosesTheKey) {
  const std::string second(32, '2');
  const TokenKeys keys = With(absl::StrCat("{\"keys\":[{\"kid\":\"a\",", Oct(kSecret),
                                           "},{\"kid\":\"b\",", Oct(second), "}]}"));
  EXPECT_EQ(keys.size(), 2u);
  EXPECT_TRUE(keys.Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, "a"));
  EXPECT_TRUE(keys.Verify(HmacToken("{}", second), TokenAlgorithm::kHs256, "b"));
  EXPECT_FALSE(keys.Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, "b"));
  EXPECT_FALSE(keys.Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, "c"));
  EXPECT_TRUE(keys.Verify(HmacToken("{}", second), TokenAlgorithm::kHs256, ""));
  // A key without an id is for tokens with any id.
  EXPECT_TRUE(With(kSecret).Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, "c"));
}

TEST(TokenKeysTest, WhatASetHasForOthersIsLeftOut) {
  const TokenKeys keys =
      With(absl::StrCat(R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"},{"alg":"RS512",)",
                        Rsa().JwkMembers(), "},{\"use\":\"enc\",", Rsa().JwkMembers(),
                        R"(},{"kty":"EC","crv":"P-384"},{)", P256().JwkMembers(), "}]}"));
  EXPECT_EQ(keys.size(), 1u);
  EXPECT_EQ(ErrorOf(Jwk(R"("kty":"OKP")")), "has no key for HS256, RS256 or ES256");
}

TEST(TokenKeysTest, ASecretNeeds32Bytes) {
  EXPECT_THAT(ErrorOf(kSecret.substr(1)), HasSubstr("has a secret of 31 bytes; it must have 32"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("has a secret of 0 bytes"));
  EXPECT_THAT(ErrorOf("\n"), HasSubstr("has a secret of 0 bytes"));
  EXPECT_THAT(ErrorOf(Jwk(Oct(kSecret.substr(1)))), HasSubstr("keys[0] has a secret of 31 bytes"));
  EXPECT_THAT(ErrorOf(Jwk(Oct(""))), HasSubstr("keys[0] has a secret of 0 bytes"));
}

TEST(TokenKeysTest, OneLineEndIsNotOfTheSecret) {
  for (const absl::string_view end : {"\n", "\r\n"}) {
    EXPECT_TRUE(With(absl::StrCat(kSecret, end))
                    .Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, ""));
  }
  const std::string line = absl::StrCat(kSecret, "\n");
  EXPECT_TRUE(
      With(absl::StrCat(line, "\n")).Verify(HmacToken("{}", line), TokenAlgorithm::kHs256, ""));
}

TEST(TokenKeysTest, ASecretIsNotForOthers) {
  EXPECT_THAT(ErrorOf(kSecret, /*others_may_access=*/true), HasSubstr("other users may access it"));
  EXPECT_THAT(ErrorOf(Jwk(Oct(kSecret)), /*others_may_access=*/true),
              HasSubstr("keys[0] has a secret, and other users may access it"));
  TokenKeys keys;
  EXPECT_TRUE(keys.Add(Rsa().PublicPem(), /*others_may_access=*/true).ok());
  EXPECT_TRUE(keys.Add(Jwk(P256().JwkMembers()), /*others_may_access=*/true).ok());
}

TEST(TokenKeysTest, WeakAndOtherKeys) {
  EXPECT_THAT(ErrorOf(SigningKey(SigningKey::Type::kRsa1024).PublicPem()),
              HasSubstr("is an RSA key of 1024 bits; it must have 2048 at least"));
  EXPECT_THAT(ErrorOf(Jwk(SigningKey(SigningKey::Type::kRsa1024).JwkMembers())),
              HasSubstr("keys[0] is an RSA key of 1024 bits"));
  EXPECT_THAT(ErrorOf(SigningKey(SigningKey::Type::kP384).PublicPem()),
              HasSubstr("must be an RSA key, or an EC key of the curve P-256"));
}

TEST(TokenKeysTest, APrivateKeyIsRefused) {
  EXPECT_THAT(ErrorOf(Rsa().PrivatePem()), HasSubstr("has a private key"));
  EXPECT_THAT(ErrorOf(Jwk(absl::StrCat(P256().JwkMembers(), R"(,"d":"AA")"))),
              HasSubstr("keys[0] is a private key"));
}

// Whoever knows it could sign with its bytes.
TEST(TokenKeysTest, APublicKeyInAnotherFormIsNoSecretEither) {
  const std::string pem = Rsa().PublicPem();
  std::string der;
  absl::Base64Unescape(pem.substr(pem.find('\n'), pem.rfind("-----END") - pem.find('\n')), &der);
  ASSERT_GT(der.size(), 200u);
  for (const std::string& content :
       {"\xef\xbb\xbf" + pem, "# our key\n" + pem, der, "ssh-rsa " + std::string(300, 'A'),
        absl::StrCat("[{", Rsa().JwkMembers(), "}]")}) {
    EXPECT_THAT(ErrorOf(content), HasSubstr("looks like a public key"));
  }
}

TEST(TokenKeysTest, WhatIsNoKey) {
  EXPECT_THAT(ErrorOf("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
              HasSubstr("must begin with -----BEGIN PUBLIC KEY-----"));
  EXPECT_THAT(ErrorOf("-----BEGIN CERTIFICATE-----"), HasSubstr("must begin with"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("must be a JWK set"));
  EXPECT_THAT(ErrorOf(R"({"keys":{}})"), HasSubstr("must be a JWK set"));
  EXPECT_THAT(ErrorOf(R"({"keys":[1]})"), HasSubstr("keys[0] must be an object"));
  EXPECT_THAT(ErrorOf(Jwk(R"("kty":"oct","kty":"oct")")), HasSubstr("keys[0] must be an object"));
  EXPECT_THAT(ErrorOf(Jwk(R"("kty":1)")), HasSubstr("keys[0] must have strings as kty"));
  EXPECT_THAT(ErrorOf(Jwk(R"("kty":"oct")")), HasSubstr("must have its secret as \"k\""));
  EXPECT_THAT(ErrorOf(Jwk(R"("kty":"RSA","n":"AA")")), HasSubstr("is not a valid key"));
  EXPECT_THAT(ErrorOf(Jwk(R"("kty":"RSA","n":"AA","e":"AA")")), HasSubstr("keys[0] "));
  // A point that is not on the curve.
  const std::string zero = Base64Url(std::string(32, '\1'));
  EXPECT_THAT(ErrorOf(Jwk(absl::StrCat(R"("kty":"EC","crv":"P-256","x":")", zero, R"(","y":")",
                                       zero, "\""))),
              HasSubstr("is not a valid"));
}

TEST(TokenKeysTest, TheMostKeysAndOneOver) {
  std::string set = "{\"keys\":[";
  for (size_t i = 0; i < TokenKeys::kKeysMax; ++i) absl::StrAppend(&set, "{", Oct(kSecret), "},");
  set.pop_back();
  TokenKeys keys = With(set + "]}");
  EXPECT_EQ(keys.size(), TokenKeys::kKeysMax);
  EXPECT_EQ(keys.Add(kSecret, false).message(), "has one key too many: there may be 64");
}

TEST(TokenKeysTest, AnErrorNamesTheFile) {
  const std::string good = absl::StrCat(::testing::TempDir(), "/good_key");
  const std::string bad = absl::StrCat(::testing::TempDir(), "/bad_key");
  std::ofstream(good) << kSecret << "\n";
  std::ofstream(bad) << "short";
  chmod(good.c_str(), 0600);
  chmod(bad.c_str(), 0600);
  const absl::StatusOr<TokenKeys> keys = TokenKeys::Load({good});
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_TRUE(keys->Verify(HmacToken("{}", kSecret), TokenAlgorithm::kHs256, ""));
  EXPECT_THAT(std::string(TokenKeys::Load({good, bad}).status().message()),
              HasSubstr(absl::StrCat(bad, " has a secret of 5 bytes")));
  chmod(good.c_str(), 0644);
  EXPECT_THAT(std::string(TokenKeys::Load({good}).status().message()),
              HasSubstr(absl::StrCat(good, " has a secret, and other users may access it")));
  EXPECT_THAT(std::string(TokenKeys::Load({"/no/such/file"}).status().message()),
              HasSubstr("/no/such/file"));
}

}  // namespace
}  // namespace groupcast::service
