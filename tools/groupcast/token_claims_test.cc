#include "tools/groupcast/token_claims.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "services/access/token.h"
#include "services/access/token_keys.h"
#include "tools/groupcast/token_signing.h"

namespace groupcast::cli {
namespace {

using service::SigningKey;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr char kSecret[] = "0123456789abcdef0123456789abcdef";

absl::StatusOr<service::Token> Verify(const std::string& token, const std::string& key,
                                      absl::Time now = kNow) {
  service::TokenKeys keys;
  EXPECT_TRUE(keys.Add(key, /*others_may_access=*/false).ok());
  return service::TokenVerifier(std::move(keys), {}).Verify(token, now);
}

TEST(TokenClaimsTest, TheClaimsOfAConnection) {
  TokenRequest request;
  request.user = "alice";
  request.groups = {"chat:*", "news"};
  request.info = R"({ "color": "red" })";
  EXPECT_EQ(*ClaimsJson(request, kNow),
            R"({"sub":"alice","iat":1800000000,"exp":1800003600,"info":{"color":"red"},)"
            R"("groups":["chat:*","news"]})");
  request.groups.clear();
  request.join = {"a"};
  request.send = {"b", "c"};
  EXPECT_THAT(*ClaimsJson(request, kNow), HasSubstr(R"("groups":{"join":["a"],"send":["b","c"]})"));
}

TEST(TokenClaimsTest, TheClaimsOfATokenForOneGroup) {
  TokenRequest request;
  request.group = "room";
  request.rights = {"join"};
  EXPECT_THAT(*ClaimsJson(request, kNow), HasSubstr(R"("group":"room","rights":["join"]})"));
}

TEST(TokenClaimsTest, PartsThatDoNotFitAreRefused) {
  TokenRequest both;
  both.groups = {"a"};
  both.join = {"b"};
  TokenRequest rights;
  rights.rights = {"join"};
  TokenRequest group;
  group.group = "a";
  group.groups = {"b"};
  TokenRequest info;
  info.info = "{";
  for (const TokenRequest& request : {both, rights, group, info}) {
    EXPECT_EQ(ClaimsJson(request, kNow).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(TokenSigningTest, TheServicesTakeATokenOfEachKindOfKey) {
  TokenRequest request;
  request.user = "alice";
  request.groups = {"chat:*"};
  const std::string claims = *ClaimsJson(request, kNow);
  const SigningKey rsa(SigningKey::Type::kRsa2048);
  const SigningKey ec(SigningKey::Type::kP256);
  const struct {
    std::string signing;
    std::string checking;
    const char* algorithm;
  } kKeys[] = {{absl::StrCat(kSecret, "\n"), kSecret, "HS256"},
               {rsa.PrivatePem(), rsa.PublicPem(), "RS256"},
               {ec.PrivatePem(), ec.PublicPem(), "ES256"}};
  for (const auto& key : kKeys) {
    const auto token = SignToken(claims, key.signing, "k1");
    ASSERT_TRUE(token.ok()) << token.status();
    const auto verified = Verify(*token, key.checking);
    ASSERT_TRUE(verified.ok()) << key.algorithm << verified.status();
    EXPECT_EQ(verified->user, "alice");
    EXPECT_TRUE(verified->grants.Of("chat:7").Has(service::Right::kSend));
    EXPECT_THAT(ReadToken(*token)->header, HasSubstr(key.algorithm));
    EXPECT_THAT(ReadToken(*token)->header, HasSubstr(R"("kid":"k1")"));
    EXPECT_EQ(Verify(*token, key.checking, kNow + absl::Hours(2)).status().code(),
              absl::StatusCode::kDeadlineExceeded);
  }
}

TEST(TokenSigningTest, WeakAndOtherKeysAreRefused) {
  const SigningKey weak(SigningKey::Type::kRsa1024);
  const SigningKey other(SigningKey::Type::kP384);
  const SigningKey rsa(SigningKey::Type::kRsa2048);
  for (const std::string& key :
       {std::string("short"), weak.PrivatePem(), other.PrivatePem(), rsa.PublicPem()}) {
    EXPECT_EQ(SignToken("{}", key, "").status().code(), absl::StatusCode::kInvalidArgument) << key;
  }
}

TEST(ReadTokenTest, AnyTokenCanBeRead) {
  const auto token =
      ReadToken(service::HmacToken(R"({"alg":"none"})", R"({"exp":1800000060})", "x"));
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token->header, R"({"alg":"none"})");
  EXPECT_EQ(token->claims, R"({"exp":1800000060})");
  EXPECT_EQ(ValidityText(*token, kNow), "expires in 1m");
  EXPECT_TRUE(IsInTime(*token, kNow));
  EXPECT_EQ(ValidityText(*token, kNow + absl::Minutes(3)), "expired 2m ago");
  EXPECT_FALSE(IsInTime(*token, kNow + absl::Minutes(1)));
}

TEST(ReadTokenTest, ATokenMayHaveABeginningAndNoEnd) {
  const auto token = ReadToken(service::HmacToken(R"({"nbf":1800000060})", kSecret));
  EXPECT_EQ(ValidityText(*token, kNow), "not valid before 1m from now");
  EXPECT_FALSE(IsInTime(*token, kNow));
  EXPECT_EQ(ValidityText(*token, kNow + absl::Minutes(1)), "does not expire");
  EXPECT_TRUE(IsInTime(*token, kNow + absl::Minutes(1)));
}

TEST(ReadTokenTest, OtherTextIsRefused) {
  for (const char* text : {"", "a.b.c", "e30.e30", "e30.W10.x", "e30.e30.x.y"}) {
    EXPECT_EQ(ReadToken(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace groupcast::cli
