#include "services/access/token.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class TokenTest : public ::testing::Test {
 protected:
  absl::StatusOr<Token> VerifyText(absl::string_view token, absl::Time now = kNow) {
    TokenKeys keys;
    EXPECT_TRUE(keys.Add(kSecret, /*others_may_access=*/false).ok());
    return TokenVerifier(std::move(keys), options_).Verify(token, now);
  }
  absl::StatusOr<Token> Verify(absl::string_view claims, absl::Time now = kNow) {
    return VerifyText(HmacToken(claims, kSecret), now);
  }
  // The error of claims with a good signature.
  std::string ErrorOf(absl::string_view claims) { return TextErrorOf(HmacToken(claims, kSecret)); }
  std::string HeaderErrorOf(absl::string_view header) {
    return TextErrorOf(HmacToken(header, "{}", kSecret));
  }
  std::string TextErrorOf(absl::string_view token) {
    const absl::StatusOr<Token> verified = VerifyText(token);
    EXPECT_TRUE(absl::IsUnauthenticated(verified.status())) << verified.status();
    // Nothing of the token may get into a log.
    if (token.size() > 8) {
      EXPECT_FALSE(absl::StrContains(verified.status().message(), token.substr(0, 8)));
    }
    return std::string(verified.status().message());
  }

  TokenOptions options_;
};

TEST_F(TokenTest, AllClaims) {
  const absl::StatusOr<Token> token = Verify(
      R"({"sub":"alice","exp":1800000100,"nbf":1799999999.5,"iat":1799999999,
          "info":{"name": "Alice", "n": 0.10},"groups":["chat:*"],"jti":"x","other":[1]})");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->user, "alice");
  EXPECT_EQ(token->info, R"({"name":"Alice","n":0.10})");
  EXPECT_EQ(token->grants.Of("chat:1"), Rights::All());
  EXPECT_EQ(token->group, "");
  EXPECT_EQ(token->valid_until, absl::FromUnixSeconds(1'800'000'130));
}

TEST_F(TokenTest, NoClaimIsNeeded) {
  const absl::StatusOr<Token> token = Verify("{}");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->user, "");
  EXPECT_EQ(token->info, "");
  EXPECT_TRUE(token->grants.empty());
  EXPECT_EQ(token->valid_until, absl::InfiniteFuture());
}

TEST_F(TokenTest, ExpiresAtTheLeewayExactly) {
  const std::string claims = R"({"exp":1800000000})";
  const absl::Time end = absl::FromUnixSeconds(1'800'000'000) + options_.leeway;
  EXPECT_TRUE(Verify(claims, end - absl::Milliseconds(1)).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(Verify(claims, end).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(Verify(claims, end + absl::Seconds(1)).status()));
  options_.leeway = absl::ZeroDuration();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Verify(claims, kNow).status()));
}

TEST_F(TokenTest, AnExpiredTokenWithAnotherDefectIsInvalid) {
  options_.audience = "chat";
  EXPECT_TRUE(absl::IsUnauthenticated(Verify(R"({"exp":1})").status()));
}

TEST_F(TokenTest, IsNotValidBeforeItsTime) {
  for (const absl::string_view name : {"nbf", "iat"}) {
    const std::string claims = absl::StrCat("{\"", name, "\":1800000000}");
    const absl::Time begin = absl::FromUnixSeconds(1'800'000'000) - options_.leeway;
    EXPECT_TRUE(Verify(claims, begin).ok());
    const absl::Status early = Verify(claims, begin - absl::Seconds(1)).status();
    EXPECT_TRUE(absl::IsUnauthenticated(early));
    EXPECT_EQ(early.message(),
              absl::StrCat("the token is not valid yet: its ", name, " is in the future"));
  }
}

TEST_F(TokenTest, DatesAreNumbers) {
  for (const absl::string_view name : {"exp", "nbf", "iat"}) {
    for (const absl::string_view value :
         {"\"1800000100\"", "null", "true", "-1", "[1]", "{}", "1e300", "9007199254740992"}) {
      EXPECT_EQ(ErrorOf(absl::StrCat("{\"", name, "\":", value, "}")),
                absl::StrCat("the claim ", name, " must be a number of seconds since 1970"))
          << value;
    }
  }
}

TEST_F(TokenTest, AUserHasItsBounds) {
  EXPECT_TRUE(Verify(absl::StrCat(R"({"sub":")", std::string(123, 'u'), "\"}")).ok());
  for (const std::string& sub :
       {std::string("\"\""), absl::StrCat("\"", std::string(124, 'u'), "\""),
        std::string("\"a\\u007fb\""), std::string("\"\\n\"")}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("{\"sub\":", sub, "}")), HasSubstr("the claim sub must not"))
        << sub;
  }
  EXPECT_EQ(ErrorOf(R"({"sub":1})"), "the claim sub must be a string");
}

TEST_F(TokenTest, TheLargestInfoAndOneOver) {
  const std::string most(TokenVerifier::kInfoBytesMax - 2, 'i');
  EXPECT_TRUE(Verify(absl::StrCat("{\"info\":\"", most, "\"}")).ok());
  EXPECT_EQ(ErrorOf(absl::StrCat("{\"info\":\"", most, "i\"}")),
            "the claim info is over 1024 bytes");
}

TEST_F(TokenTest, Issuer) {
  EXPECT_TRUE(Verify(R"({"iss":"anyone"})").ok());
  options_.issuer = "https://id.example";
  EXPECT_TRUE(Verify(R"({"iss":"https://id.example"})").ok());
  for (const absl::string_view claims : {"{}", R"({"iss":"https://id.example/"})"}) {
    EXPECT_THAT(ErrorOf(claims), HasSubstr("the claim iss is not"));
  }
  EXPECT_EQ(ErrorOf(R"({"iss":["https://id.example"]})"), "the claim iss must be a string");
}

TEST_F(TokenTest, Audience) {
  EXPECT_TRUE(Verify(R"({"aud":[]})").ok());
  EXPECT_THAT(ErrorOf(R"({"aud":"chat"})"), HasSubstr("the service has none"));
  options_.audience = "chat";
  EXPECT_TRUE(Verify(R"({"aud":"chat"})").ok());
  EXPECT_TRUE(Verify(R"({"aud":["mail","chat"]})").ok());
  for (const absl::string_view claims : {"{}", R"({"aud":"mail"})", R"({"aud":[]})"}) {
    EXPECT_EQ(ErrorOf(claims), "the claim aud does not name this service");
  }
  EXPECT_THAT(ErrorOf(R"({"aud":[1]})"), HasSubstr("the claim aud must be a string or an array"));
}

TEST_F(TokenTest, GroupsByRight) {
  const absl::StatusOr<Token> token =
      Verify(R"({"groups":{"join":["chat:*","news"],"send":"chat:1"}})");
  ASSERT_TRUE(token.ok()) << token.status();
  const Grants& grants = token->grants;
  EXPECT_TRUE(grants.Of("chat:1").Has(Right::kJoin));
  EXPECT_TRUE(grants.Of("news").Has(Right::kJoin));
  EXPECT_TRUE(grants.Of("chat:1").Has(Right::kSend));
  EXPECT_FALSE(grants.Of("chat:2").Has(Right::kSend));
  EXPECT_FALSE(grants.Of("chat:1").Has(Right::kRead));
  EXPECT_FALSE(grants.Of("chat:1").Has(Right::kObserve));
}

TEST_F(TokenTest, GroupsOfAWrongForm) {
  for (const absl::string_view groups : {"1", "null", "[1]", "{\"join\":1}", "{\"joins\":[]}",
                                         "{\"join\":[],\"join\":[]}", "[[\"a\"]]"}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("{\"groups\":", groups, "}")),
                HasSubstr("the claim groups must be"))
        << groups;
  }
}

TEST_F(TokenTest, ATokenForOneGroup) {
  const absl::StatusOr<Token> usual = Verify(R"({"group":"room"})");
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_EQ(usual->group, "room");
  EXPECT_TRUE(usual->group_rights.Has(Right::kJoin));
  EXPECT_TRUE(usual->group_rights.Has(Right::kRead));
  EXPECT_FALSE(usual->group_rights.Has(Right::kSend));
  const absl::StatusOr<Token> with_rights = Verify(R"({"group":"room","rights":["send"]})");
  ASSERT_TRUE(with_rights.ok()) << with_rights.status();
  EXPECT_TRUE(with_rights->group_rights.Has(Right::kSend));
  EXPECT_FALSE(with_rights->group_rights.Has(Right::kJoin));
  EXPECT_THAT(ErrorOf(R"({"group":"room","rights":["write"]})"), HasSubstr("the claim rights"));
  EXPECT_EQ(ErrorOf(R"({"group":""})"), "the claim group must be a group id");
}

TEST_F(TokenTest, ADoubledClaimIsRefused) {
  for (const absl::string_view claims :
       {R"({"sub":"a","sub":"b"})", R"({"sub":"a","s\u0075b":"b"})"}) {
    EXPECT_THAT(ErrorOf(claims), HasSubstr("without a name twice"));
  }
  EXPECT_THAT(HeaderErrorOf(R"({"alg":"HS256","alg":"none"})"), HasSubstr("header"));
}

TEST_F(TokenTest, OtherAlgorithms) {
  for (const absl::string_view alg :
       {"none", "None", "HS384", "HS512", "RS512", "PS256", "hs256", ""}) {
    EXPECT_EQ(HeaderErrorOf(absl::StrCat(R"({"alg":")", alg, "\"}")),
              "the token's algorithm must be HS256, RS256 or ES256")
        << alg;
  }
  EXPECT_EQ(HeaderErrorOf("{}"), "the token's algorithm must be HS256, RS256 or ES256");
  const std::string none = absl::StrCat(Base64Url(R"({"alg":"none"})"), ".", Base64Url("{}"), ".");
  EXPECT_EQ(TextErrorOf(none), "the token's algorithm must be HS256, RS256 or ES256");
}

TEST_F(TokenTest, Headers) {
  EXPECT_TRUE(VerifyText(HmacToken(R"({"alg":"HS256"})", "{}", kSecret)).ok());
  EXPECT_EQ(HeaderErrorOf(R"({"alg":"HS256","crit":["exp"],"exp":1})"),
            "the token's header must not have crit");
  EXPECT_EQ(HeaderErrorOf(R"({"alg":"HS256","kid":1})"), "the token's kid must be a string");
  EXPECT_EQ(HeaderErrorOf("[]"), "the token's header is not a JSON object");
}

TEST_F(TokenTest, TheTypeIsNamedIfItIsAnotherOne) {
  EXPECT_TRUE(VerifyText(HmacToken(R"({"alg":"HS256","typ":"jwt"})", "{}", kSecret)).ok());
  for (const absl::string_view type : {R"("at+jwt")", R"("")", "1", "null"}) {
    EXPECT_EQ(HeaderErrorOf(absl::StrCat(R"({"alg":"HS256","typ":)", type, "}")),
              "the token's typ must be JWT, if it is there")
        << type;
  }
}

TEST_F(TokenTest, WhatIsNoToken) {
  const std::string good = HmacToken("{}", kSecret);
  for (const std::string& text : {std::string(), std::string("."), good + ".", good + "=",
                                  "." + good, good.substr(0, good.rfind('.')), good + " ",
                                  " " + good, good + "+", std::string("not a token")}) {
    EXPECT_EQ(TextErrorOf(text),
              "the token must be three parts in base64url, with dots between them")
        << text;
  }
  EXPECT_EQ(TextErrorOf(good.substr(0, good.size() - 3)),
            "no key of the service has signed the token");
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("claims must be a JSON object"));
  EXPECT_EQ(TextErrorOf(".."), "the token's header is not a JSON object");
  // The library reads the claims too, and refuses what is not UTF-8, and NUL.
  for (const absl::string_view claims : {"{\"sub\":\"\xff\"}", R"({"sub":"a\u0000b"})"}) {
    EXPECT_EQ(ErrorOf(claims), "no key of the service has signed the token");
  }
}

TEST_F(TokenTest, TheLargestAndOneOver) {
  // 3 bytes of a claim are 4 of the token.
  std::string claims;
  std::string token;
  for (size_t fill = 6'000; token.size() < TokenVerifier::kTokenBytesMax; ++fill) {
    claims = absl::StrCat(R"({"x":")", std::string(fill, 'x'), "\"}");
    token = HmacToken(claims, kSecret);
    if (token.size() <= TokenVerifier::kTokenBytesMax) {
      EXPECT_TRUE(VerifyText(token).ok()) << token.size();
    }
  }
  while (token.size() <= TokenVerifier::kTokenBytesMax) token += 'A';
  EXPECT_EQ(TextErrorOf(token), "the token has over 8192 bytes");
}

}  // namespace
}  // namespace groupcast::service
