#include "services/groups/send_rules.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/protocol/error.h"

namespace groupcast::service {
namespace {

class SendRulesTest : public testing::Test {
 protected:
  static std::shared_ptr<const AccessPolicy> Policy() {
    GroupAccess closed;
    closed.whom[static_cast<size_t>(Right::kSend)] = Whom::kAuthenticated;
    GroupAccess named;
    named.names_sender = true;
    std::vector<std::pair<std::string, GroupAccess>> rules = {{"closed:", closed},
                                                              {"named:", named}};
    return std::make_shared<const AccessPolicy>(
        AccessPolicy::Options{.rules = PrefixMap<GroupAccess>(std::move(rules))});
  }

  // The word of the answer to a message from somebody without a token. Empty: it may go.
  std::string Take(absl::string_view group_id, size_t message_bytes) {
    const absl::Status status = rules_.Take(nullptr, group_id, message_bytes, &rates_);
    return status.ok() ? "" : std::string(ErrorWord(ErrorCodeOf(status)));
  }

  FakeClock clock_;
  SendRules rules_{
      {.message_bytes_by_prefix = PrefixMap<size_t>({{"chat.", 9}}),
       .send_rate_by_prefix = PrefixMap<TokenRate>(
           {{"chat.", {.per_second = 1, .burst = 2}}, {"closed:", {.per_second = 1, .burst = 1}}})},
      Policy(),
      &clock_};
  std::unique_ptr<SendRates> rates_;
};

// Most senders never send to a group with a rate.
TEST_F(SendRulesTest, ASenderHasNoRatesBeforeAGroupNeedsThem) {
  EXPECT_EQ(Take("other", 1'000), "");
  EXPECT_EQ(rates_, nullptr);
  EXPECT_EQ(Take("chat.1", 9), "");
  EXPECT_NE(rates_, nullptr);
}

TEST_F(SendRulesTest, TheSizeAndTheRateAreThoseOfTheGroup) {
  EXPECT_EQ(Take("chat.1", 10), "message_too_large");
  EXPECT_EQ(Take("chat.1", 1), "");
  EXPECT_EQ(Take("chat.1", 1), "");  // what was refused cost nothing
  EXPECT_EQ(Take("chat.1", 1), "rate_limited");
  EXPECT_EQ(Take("chat.2", 1), "");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Take("chat.1", 1), "");
}

TEST_F(SendRulesTest, WithoutTheRightNothingElseCounts) {
  EXPECT_EQ(Take("closed:1", 1), "forbidden");
  EXPECT_FALSE(rules_.Allows(nullptr, "closed:1"));
  EXPECT_EQ(rates_, nullptr);
  const Identity alice{.token = Token{.user = "alice"}};
  EXPECT_TRUE(rules_.Allows(&alice, "closed:1"));
  EXPECT_TRUE(rules_.Take(&alice, "closed:1", 1, &rates_).ok());
}

TEST_F(SendRulesTest, NamesTheSenderWhereTheRuleSaysSo) {
  const Identity alice{.token = Token{.user = "alice"}};
  EXPECT_EQ(rules_.SenderOf(&alice, 0x0a, "named:1"),
            R"({"user":"alice","connection_id":"000000000000000a"})");
  EXPECT_EQ(rules_.SenderOf(nullptr, 0x0a, "named:1"), R"({"connection_id":"000000000000000a"})");
  EXPECT_EQ(rules_.SenderOf(&alice, 0x0a, "other"), "");
}

TEST_F(SendRulesTest, AKeyIsOfItsSessionAndItsGroup) {
  const Fingerprint session{1, 2};
  const Fingerprint key = PublicationKey(session, "g", "k");
  EXPECT_EQ(key, PublicationKey(session, "g", "k"));
  EXPECT_NE(key, PublicationKey({1, 3}, "g", "k"));
  EXPECT_NE(key, PublicationKey(session, "h", "k"));
  EXPECT_NE(key, PublicationKey(session, "g", "l"));
  EXPECT_TRUE(PublicationKey(session, "g", "").empty());
}

}  // namespace
}  // namespace groupcast::service
