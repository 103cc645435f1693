#include "services/groups/authenticator.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "services/groups/member_access.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Kind = Authenticator::Due::Kind;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

class FakeMember final : public Member {
 public:
  FakeMember() : Member(ConnectionId{1}, &kPlainV1Encoding) {}
  void Send(const SharedBytes&, TrafficClass) override {}
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}
};

AuthenticatorOptions Options(const Clock* calendar, bool allow_anonymous = false) {
  TokenKeys keys;
  EXPECT_TRUE(keys.Add(kSecret, /*others_may_access=*/false).ok());
  AccessPolicy::Options policy;
  policy.tokens = std::make_shared<const TokenVerifier>(
      std::move(keys), TokenOptions{.leeway = absl::ZeroDuration()});
  policy.allow_anonymous = allow_anonymous;
  return {.policy = std::make_shared<const AccessPolicy>(std::move(policy)),
          .timeout = absl::Seconds(10),
          .grace = absl::Seconds(25),
          .group_tokens_max = 3,
          .calendar = calendar};
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  // A token that is valid for this time.
  std::string TokenFor(absl::Duration validity, absl::string_view claims) {
    return HmacToken(absl::StrCat("{\"exp\":", absl::ToUnixSeconds(calendar_.Now() + validity),
                                  claims.empty() ? "" : ",", claims, "}"),
                     kSecret);
  }
  std::string User(absl::string_view name, absl::Duration validity = absl::Hours(1)) {
    return TokenFor(validity, absl::StrCat(R"("sub":")", name, "\""));
  }
  std::string GroupToken(absl::string_view group, absl::Duration validity = absl::Hours(1)) {
    return TokenFor(validity, absl::StrCat(R"("sub":"alice","group":")", group, "\""));
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    calendar_.Advance(time);
  }
  // What has ended by now, after this time.
  std::vector<Kind> After(absl::Duration time) {
    Pass(time);
    std::vector<Kind> kinds;
    for (const Authenticator::Due& due : authenticator_.TakeDue()) kinds.push_back(due.kind);
    return kinds;
  }

  FakeClock clock_;
  FakeClock calendar_;
  FakeMember member_;
  Authenticator authenticator_{Options(&calendar_), &clock_};
};

TEST_F(AuthenticatorTest, AConnectionHasATimeForItsToken) {
  authenticator_.Add(&member_);
  EXPECT_TRUE(authenticator_.NeedsToken(member_));
  EXPECT_THAT(After(absl::Milliseconds(9'999)), IsEmpty());
  EXPECT_THAT(After(absl::Milliseconds(1)), ElementsAre(Kind::kNotAuthenticated));
  EXPECT_THAT(After(absl::Hours(1)), IsEmpty());
}

TEST_F(AuthenticatorTest, WithATokenItMayStay) {
  authenticator_.Add(&member_);
  ASSERT_TRUE(authenticator_.Authenticate(&member_, HmacToken("{}", kSecret)).ok());
  EXPECT_FALSE(authenticator_.NeedsToken(member_));
  EXPECT_THAT(After(absl::Hours(100)), IsEmpty());
}

TEST_F(AuthenticatorTest, AnonymousConnectionsMayStay) {
  Authenticator authenticator(Options(&calendar_, /*allow_anonymous=*/true), &clock_);
  authenticator.Add(&member_);
  EXPECT_EQ(member_.access, nullptr);
  EXPECT_FALSE(authenticator.NeedsToken(member_));
  Pass(absl::Hours(1));
  EXPECT_THAT(authenticator.TakeDue(), IsEmpty());
}

TEST_F(AuthenticatorTest, ItIsToldOfTheExpiryAndHasAGrace) {
  authenticator_.Add(&member_);
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  EXPECT_THAT(After(absl::Seconds(59)), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(1)), ElementsAre(Kind::kExpired));
  EXPECT_THAT(After(absl::Seconds(24)), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(1)), ElementsAre(Kind::kGraceOver));
  EXPECT_THAT(After(absl::Hours(1)), IsEmpty());
}

// The fresh token may be behind the commands that wait.
TEST_F(AuthenticatorTest, TheGraceIsLongerOnceForAConnectionWhoseCommandsWait) {
  authenticator_.Add(&member_);
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  EXPECT_THAT(After(absl::Seconds(60)), ElementsAre(Kind::kExpired));
  member_.waits_for_room = true;
  EXPECT_THAT(After(absl::Seconds(25)), IsEmpty());
  member_.waits_for_room = false;  // what waited behind it may still have to be read
  EXPECT_THAT(After(Authenticator::kProlongation - absl::Milliseconds(1)), IsEmpty());
  member_.waits_for_room = true;  // nobody stays by waiting again and again
  EXPECT_THAT(After(absl::Milliseconds(1)), ElementsAre(Kind::kGraceOver));
}

TEST_F(AuthenticatorTest, AProlongedGraceEndsWithAFreshToken) {
  authenticator_.Add(&member_);
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  member_.pending_answers = 1;
  EXPECT_THAT(After(absl::Seconds(85)), ElementsAre(Kind::kExpired));
  member_.pending_answers = 0;
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  EXPECT_THAT(After(absl::Seconds(60)), ElementsAre(Kind::kExpired));
  EXPECT_THAT(After(absl::Seconds(25)), ElementsAre(Kind::kGraceOver));
}

// An administrator sets the clock.
TEST_F(AuthenticatorTest, AChangeOfTheDateMovesNoEnd) {
  calendar_.Advance(absl::Hours(24 * 365));
  authenticator_.Add(&member_);
  const auto end = authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60)));
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end, calendar_.Now() + absl::Seconds(60));
  calendar_.Advance(absl::Hours(1));
  EXPECT_THAT(authenticator_.TakeDue(), IsEmpty());
  calendar_.Advance(-absl::Hours(2));
  EXPECT_THAT(After(absl::Seconds(59)), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(1)), ElementsAre(Kind::kExpired));
}

TEST_F(AuthenticatorTest, AFreshTokenWithinTheGraceIsEnough) {
  authenticator_.Add(&member_);
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  EXPECT_THAT(After(absl::Seconds(84)), ElementsAre(Kind::kExpired));
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  EXPECT_THAT(After(absl::Seconds(59)), IsEmpty());
  EXPECT_THAT(After(absl::Seconds(1)), ElementsAre(Kind::kExpired));
}

TEST_F(AuthenticatorTest, LateForBothAtOnce) {
  authenticator_.Add(&member_);
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  EXPECT_THAT(After(absl::Hours(1)), ElementsAre(Kind::kExpired, Kind::kGraceOver));
}

TEST_F(AuthenticatorTest, ARefusedTokenChangesNothing) {
  authenticator_.Add(&member_);
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice", absl::Seconds(60))).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(authenticator_.Authenticate(&member_, "no token").status()));
  EXPECT_TRUE(
      absl::IsPermissionDenied(authenticator_.Authenticate(&member_, User("bob")).status()));
  EXPECT_TRUE(
      absl::IsUnauthenticated(authenticator_.Authenticate(&member_, GroupToken("room")).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      authenticator_.Authenticate(&member_, User("alice", absl::ZeroDuration())).status()));
  EXPECT_EQ(member_.access->identity.user(), "alice");
  EXPECT_THAT(After(absl::Seconds(60)), ElementsAre(Kind::kExpired));
}

TEST_F(AuthenticatorTest, TooManyRefusedTokensAreTheEnd) {
  authenticator_.Add(&member_);
  EXPECT_TRUE(authenticator_.MustGo(member_));  // it has none yet
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice")).ok());
  for (int i = 0; i < Authenticator::kRefusedTokensMax; ++i) {
    EXPECT_FALSE(authenticator_.Authenticate(&member_, i % 2 == 0 ? "no token" : User("bob")).ok());
    EXPECT_FALSE(authenticator_.MustGo(member_)) << i;
  }
  EXPECT_FALSE(authenticator_.AddGroupToken(&member_, GroupToken("room"), "other").ok());
  EXPECT_TRUE(authenticator_.MustGo(member_));
}

TEST_F(AuthenticatorTest, ASessionIsItsUsers) {
  FakeMember same;
  FakeMember other;
  FakeMember anonymous;
  for (FakeMember* member : {&member_, &same, &other, &anonymous}) {
    member->set_session(FingerprintOf({"session"}));
  }
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice")).ok());
  ASSERT_TRUE(authenticator_.Authenticate(&same, User("alice")).ok());
  ASSERT_TRUE(authenticator_.Authenticate(&other, User("bob")).ok());
  EXPECT_EQ(member_.session(), same.session());
  EXPECT_NE(member_.session(), other.session());
  EXPECT_NE(member_.session(), anonymous.session());
  // A fresh token keeps it.
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice")).ok());
  EXPECT_EQ(member_.session(), same.session());
  for (FakeMember* member : {&same, &other}) authenticator_.Remove(member);
}

TEST_F(AuthenticatorTest, ATokenForAGroup) {
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice")).ok());
  EXPECT_FALSE(authenticator_.Allows(member_, "room", Right::kJoin));
  EXPECT_TRUE(absl::IsPermissionDenied(
      authenticator_.AddGroupToken(&member_, GroupToken("room"), "room2")));
  EXPECT_TRUE(absl::IsPermissionDenied(authenticator_.AddGroupToken(
      &member_, TokenFor(absl::Hours(1), R"("sub":"bob","group":"room")"), "room")));
  ASSERT_TRUE(
      authenticator_.AddGroupToken(&member_, GroupToken("room", absl::Seconds(60)), "room").ok());
  EXPECT_TRUE(authenticator_.Allows(member_, "room", Right::kJoin));
  EXPECT_FALSE(authenticator_.Allows(member_, "room", Right::kSend));
  EXPECT_THAT(After(absl::Seconds(84)), IsEmpty());
  Pass(absl::Seconds(1));
  const auto due = authenticator_.TakeDue();
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].kind, Kind::kGroupGraceOver);
  EXPECT_EQ(due[0].group_id, "room");
  EXPECT_FALSE(authenticator_.Allows(member_, "room", Right::kJoin));
}

// A client that always waits for something must not keep its rights so.
TEST_F(AuthenticatorTest, TheEndOfAGroupsTokenWaitsForNothing) {
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice")).ok());
  ASSERT_TRUE(
      authenticator_.AddGroupToken(&member_, GroupToken("room", absl::Seconds(1)), "room").ok());
  member_.pending_answers = 1;
  EXPECT_THAT(After(absl::Seconds(26)), ElementsAre(Kind::kGroupGraceOver));
  EXPECT_FALSE(authenticator_.Allows(member_, "room", Right::kJoin));
}

TEST_F(AuthenticatorTest, ValidTokensHaveARateToo) {
  const std::string token = User("alice");
  for (int i = 0; i < 140; ++i) ASSERT_TRUE(authenticator_.Authenticate(&member_, token).ok()) << i;
  EXPECT_TRUE(absl::IsAborted(authenticator_.Authenticate(&member_, token).status()));
  EXPECT_TRUE(absl::IsAborted(authenticator_.AddGroupToken(&member_, GroupToken("a"), "a")));
  Pass(absl::Seconds(1));
  EXPECT_TRUE(authenticator_.Authenticate(&member_, token).ok());
  EXPECT_TRUE(absl::IsAborted(authenticator_.Authenticate(&member_, token).status()));
}

TEST_F(AuthenticatorTest, TheMostTokensForGroupsAndOneOver) {
  ASSERT_TRUE(authenticator_.Authenticate(&member_, User("alice")).ok());
  for (const std::string group : {"a", "b", "c"}) {
    EXPECT_TRUE(authenticator_.AddGroupToken(&member_, GroupToken(group), group).ok());
  }
  EXPECT_TRUE(
      absl::IsResourceExhausted(authenticator_.AddGroupToken(&member_, GroupToken("d"), "d")));
  EXPECT_TRUE(authenticator_.AddGroupToken(&member_, GroupToken("b"), "b").ok());  // a fresh one
  authenticator_.DropGroupToken(&member_, "a");
  EXPECT_FALSE(authenticator_.Allows(member_, "a", Right::kJoin));
  EXPECT_TRUE(authenticator_.AddGroupToken(&member_, GroupToken("d"), "d").ok());
}

TEST_F(AuthenticatorTest, AConnectionThatIsGoneIsForgotten) {
  auto gone = std::make_unique<FakeMember>();
  authenticator_.Add(gone.get());
  authenticator_.Remove(gone.get());
  gone.reset();
  EXPECT_THAT(After(absl::Hours(1)), IsEmpty());
}

TEST_F(AuthenticatorTest, WithoutKeysNoTokenIsTaken) {
  Authenticator authenticator({}, &clock_);
  authenticator.Add(&member_);
  EXPECT_FALSE(authenticator.NeedsToken(member_));
  EXPECT_TRUE(
      absl::IsUnauthenticated(authenticator.Authenticate(&member_, User("alice")).status()));
  EXPECT_TRUE(authenticator.Allows(member_, "any", Right::kSend));
}

}  // namespace
}  // namespace groupcast::service
