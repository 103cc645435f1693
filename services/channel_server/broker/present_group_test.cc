#include "services/channel_server/broker/present_group.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

constexpr PublisherId kA{1};
constexpr PublisherId kB{2};

class PresentGroupTest : public testing::Test {
 protected:
  void Join(PublisherId worker, uint64_t connection, const std::string& client = "",
            const std::string& info = "") {
    channel::v1::PresentMember member;
    member.set_connection_id(connection);
    member.set_info(info);
    if (!client.empty()) member.set_identity(FingerprintBytes(FingerprintOf({client})));
    group_.Join(worker, member, clock_.Now());
  }
  // A connection of a user, and of a session. `member`: the id that its worker reports.
  void JoinAs(PublisherId worker, uint64_t connection, const std::string& user,
              const std::string& session, const std::string& info = "", uint64_t member = 0,
              int64_t since_ms = 0) {
    channel::v1::PresentMember report;
    report.set_connection_id(connection);
    report.set_user(user);
    report.set_info(info);
    report.set_identity(FingerprintBytes(FingerprintOf({user.empty() ? session : user})));
    if (!session.empty()) report.set_session(FingerprintBytes(FingerprintOf({"session", session})));
    report.set_member_id(member);
    report.set_since_ms(since_ms);
    group_.Join(worker, report, clock_.Now());
  }
  // The connections whose worker must be told an id or a time since the last call: "2:1".
  std::string Untold() {
    std::string untold;
    for (const PresentGroup::Connection& connection : group_.TakeUntold()) {
      absl::StrAppend(&untold, untold.empty() ? "" : " ", connection.id, ":",
                      group_.MemberOf(connection.worker, connection.id)->connection_id());
    }
    return untold;
  }
  void Lose(PublisherId worker, uint64_t connection) {
    group_.Lose(worker, connection, clock_.Now());
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    group_.Expire(clock_.Now());
  }

  // The ids that watchers see.
  std::string Seen() const {
    std::string seen;
    for (const auto* member = group_.FirstFrom(0); member != nullptr;
         member = group_.FirstFrom(member->connection_id() + 1)) {
      absl::StrAppend(&seen, seen.empty() ? "" : " ", member->connection_id());
    }
    return seen;
  }
  // The changes since the last call: "+1 -2".
  std::string Changes() {
    std::string changes;
    for (; next_change_ < group_.end_change(); ++next_change_) {
      const uint64_t id = group_.change(next_change_);
      absl::StrAppend(&changes, changes.empty() ? "" : " ", group_.Find(id) == nullptr ? "-" : "+",
                      id);
    }
    return changes;
  }

  // The bytes of the remembered changes.
  size_t ChangeBytes() const {
    return (group_.end_change() - group_.first_change()) * sizeof(uint64_t);
  }

  FakeClock clock_;
  PresentGroupOptions options_;
  PresentGroup group_{&options_};
  uint64_t next_change_ = 1;
};

TEST_F(PresentGroupTest, MembersComeAndGo) {
  Join(kA, 1);
  Join(kB, 2);
  EXPECT_EQ(Changes(), "+1 +2");
  group_.Leave(kA, 1);
  EXPECT_EQ(Changes(), "-1");
  Lose(kB, 2);
  EXPECT_EQ(Changes(), "-2") << "a connection without an identity has no successor";
  EXPECT_EQ(group_.size(), 0u);
  EXPECT_EQ(group_.bytes(), ChangeBytes());
}

TEST_F(PresentGroupTest, ARepeatedJoinChangesNothing) {
  Join(kA, 1);
  Join(kA, 1);
  EXPECT_EQ(Changes(), "+1");
  group_.Leave(kB, 1);
  Join(kB, 1);
  EXPECT_EQ(Changes(), "") << "the connection is of another worker";
}

TEST_F(PresentGroupTest, AClientThatComesBackWithinTheGraceKeepsItsMember) {
  Join(kA, 1, "alice");
  Changes();
  Lose(kA, 1);
  Pass(options_.grace - absl::Milliseconds(1));
  Join(kB, 2, "alice");
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "");
  EXPECT_EQ(Seen(), "1");
  group_.Leave(kB, 2);
  EXPECT_EQ(Changes(), "-1");
}

TEST_F(PresentGroupTest, AClientThatComesBackTooLateLeavesAndJoins) {
  Join(kA, 1, "alice");
  Lose(kA, 1);
  Changes();
  Pass(options_.grace);
  EXPECT_EQ(Changes(), "-1");
  Join(kB, 2, "alice");
  EXPECT_EQ(Changes(), "+2");
}

TEST_F(PresentGroupTest, ALeaveByCommandHasNoGrace) {
  Join(kA, 1, "alice");
  Changes();
  group_.Leave(kA, 1);
  EXPECT_EQ(Changes(), "-1");
}

TEST_F(PresentGroupTest, WithoutGraceEachConnectionCountsByItself) {
  options_.grace = absl::ZeroDuration();
  Join(kA, 1, "alice");
  Join(kB, 2, "alice");
  EXPECT_EQ(Changes(), "+1 +2");
  Lose(kA, 1);
  EXPECT_EQ(Changes(), "-1");
}

TEST_F(PresentGroupTest, ASecondConnectionAppearsAfterTheOverlap) {
  Join(kA, 1, "alice");
  Changes();
  Join(kB, 2, "alice");
  Pass(options_.overlap - absl::Milliseconds(1));
  EXPECT_EQ(Changes(), "");
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(Changes(), "+2");
  EXPECT_EQ(Seen(), "1 2");
}

TEST_F(PresentGroupTest, ASuccessorMayComeBeforeTheLossIsKnown) {
  Join(kA, 1, "alice");
  Changes();
  Join(kB, 2, "alice");
  Lose(kA, 1);
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "");
  EXPECT_EQ(Seen(), "1");
  Lose(kB, 2);
  Pass(options_.grace);
  EXPECT_EQ(Changes(), "-1");
}

TEST_F(PresentGroupTest, AMemberWithOtherDataIsNoSuccessor) {
  Join(kA, 1, "alice", "1");
  Lose(kA, 1);
  Changes();
  Join(kB, 2, "alice", "2");
  EXPECT_EQ(Changes(), "+2");
  Pass(options_.grace);
  EXPECT_EQ(Changes(), "-1");
}

TEST_F(PresentGroupTest, AMemberMayHaveOtherDataLater) {
  Join(kA, 1, "session", "1");
  const size_t bytes = group_.bytes() - ChangeBytes();
  Changes();
  Join(kA, 1, "alice", "22");
  EXPECT_EQ(Changes(), "+1");
  EXPECT_EQ(group_.Find(1)->info(), "22");
  EXPECT_EQ(group_.bytes(), bytes + 1 + ChangeBytes());
  Lose(kA, 1);
  Join(kB, 2, "session", "22");
  EXPECT_EQ(Changes(), "+2") << "it is another client now";
  Join(kB, 3, "alice", "22");
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "1 2");
}

TEST_F(PresentGroupTest, TheMembersOfALostWorkerStayForItsLease) {
  Join(kA, 1);
  Join(kA, 2, "alice");
  Join(kB, 3);
  Changes();
  group_.OnWorkerAway(kA, clock_.Now());
  Pass(options_.lease - absl::Milliseconds(1));
  EXPECT_EQ(Changes(), "");
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(Seen(), "3");
}

TEST_F(PresentGroupTest, AWorkerThatComesBackKeepsTheMembersThatItNames) {
  Join(kA, 1);
  Join(kA, 2);
  Changes();
  group_.OnWorkerAway(kA, clock_.Now());
  group_.OnWorkerBack(kA);
  Pass(absl::Minutes(1));
  group_.BeginList(kA);
  Join(kA, 2);
  Join(kA, 3);
  EXPECT_EQ(Changes(), "+3");
  group_.EndList(kA, clock_.Now());
  EXPECT_EQ(Changes(), "-1");
  EXPECT_EQ(Seen(), "2 3");
}

TEST_F(PresentGroupTest, TwoConnectionsOfOneClientInAListAreThereAtOnce) {
  group_.BeginList(kA);
  Join(kA, 1, "alice");
  Join(kA, 2, "alice");
  EXPECT_EQ(Seen(), "1 2");
  group_.EndList(kA, clock_.Now());
  Join(kA, 3, "alice");
  EXPECT_EQ(Seen(), "1 2");
  Pass(options_.overlap);
  EXPECT_EQ(Seen(), "1 2 3");
}

TEST_F(PresentGroupTest, ClientsOfALostWorkerMayComeBackElsewhere) {
  Join(kA, 1, "alice");
  Join(kA, 2, "bob");
  Changes();
  Join(kB, 11, "alice");  // before the loss is known
  group_.OnWorkerAway(kA, clock_.Now());
  Join(kB, 12, "bob");
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "");
  EXPECT_EQ(Seen(), "1 2");
}

TEST_F(PresentGroupTest, AConnectionWhoseIdAnotherOneHasGetsAFreeId) {
  Join(kA, 1, "alice");
  group_.OnWorkerAway(kA, clock_.Now());
  Join(kB, 2, "alice");  // has id 1 now
  group_.OnWorkerBack(kA);
  group_.BeginList(kA);
  Join(kA, 1, "alice");  // it was there all the time
  group_.EndList(kA, clock_.Now());
  Pass(options_.overlap);
  EXPECT_EQ(Seen(), "1 2");
  group_.Leave(kA, 1);
  EXPECT_EQ(Seen(), "1");
  group_.Leave(kB, 2);
  EXPECT_EQ(Seen(), "");
}

TEST_F(PresentGroupTest, TheMembersOfAnEndedWorkerAreLostAtOnce) {
  Join(kA, 1);
  Join(kA, 2, "alice");
  group_.OnWorkerEnded(kA, clock_.Now());
  EXPECT_EQ(Seen(), "2");
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "");
}

// A half-open connection: its loss is known long after its client has come back.
TEST_F(PresentGroupTest, ASecondConnectionOfASessionIsTheSameMember) {
  JoinAs(kA, 1, "alice", "s");
  Changes();
  JoinAs(kB, 2, "alice", "s");
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "");
  EXPECT_EQ(Seen(), "1");
  Lose(kA, 1);
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "");
  Lose(kB, 2);
  Pass(options_.grace - absl::Milliseconds(1));
  EXPECT_EQ(Changes(), "");
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(Changes(), "-1");
  EXPECT_EQ(group_.size(), 0u);
  EXPECT_EQ(group_.bytes(), ChangeBytes());
}

TEST_F(PresentGroupTest, ASessionWithoutAUserIsOneMemberToo) {
  JoinAs(kA, 1, "", "s");
  JoinAs(kB, 2, "", "s");
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "+1");
}

TEST_F(PresentGroupTest, TwoSessionsOfAUserAreTwoMembers) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kA, 2, "alice", "t");
  Pass(options_.overlap);
  EXPECT_EQ(Changes(), "+1 +2");
  JoinAs(kB, 3, "alice", "t");  // the second one comes back, and the loss is not known yet
  Pass(absl::Minutes(1));
  Lose(kA, 1);
  Pass(options_.grace);
  EXPECT_EQ(Changes(), "-1") << "its session has no other connection";
  Lose(kA, 2);
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "2");
}

TEST_F(PresentGroupTest, ASessionIsThereUntilItsLastConnectionLeaves) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kA, 2, "alice", "s");
  JoinAs(kB, 3, "alice", "s");
  Changes();
  group_.Leave(kA, 1);
  group_.Leave(kB, 3);
  EXPECT_EQ(Changes(), "");
  EXPECT_EQ(Seen(), "1");
  group_.Leave(kA, 2);
  EXPECT_EQ(Changes(), "-1");
}

TEST_F(PresentGroupTest, AConnectionThatWaitsIsNotTheSuccessorOfAnotherSession) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kA, 2, "alice", "t");
  Pass(options_.overlap);
  JoinAs(kB, 3, "alice", "t");
  Changes();
  Lose(kA, 1);
  Pass(options_.grace);
  EXPECT_EQ(Changes(), "-1");
}

TEST_F(PresentGroupTest, ASessionThatComesBackTakesItsOwnMember) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kA, 2, "alice", "t");
  Pass(options_.overlap);
  Lose(kA, 1);
  Lose(kA, 2);
  JoinAs(kB, 3, "alice", "t");
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "2");
}

TEST_F(PresentGroupTest, TwoConnectionsOfASessionThatWaitBecomeOneMember) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kA, 2, "alice", "t");
  JoinAs(kB, 3, "alice", "t");
  Pass(options_.overlap);
  EXPECT_EQ(Seen(), "1 2");
  EXPECT_EQ(Untold(), "3:2");
  Lose(kA, 2);
  Pass(absl::Minutes(1));
  EXPECT_EQ(Seen(), "1 2");
}

TEST_F(PresentGroupTest, OtherDataOfOneConnectionOfASessionIsAnotherMember) {
  JoinAs(kA, 1, "alice", "s", "1");
  JoinAs(kA, 2, "alice", "s", "1");
  Changes();
  JoinAs(kA, 1, "alice", "s", "2");
  Pass(options_.overlap);
  EXPECT_EQ(Seen(), "1 2") << "the other connection keeps the member";
  EXPECT_EQ(group_.Find(1)->info(), "1");
  EXPECT_EQ(group_.Find(2)->info(), "2");
  JoinAs(kA, 2, "alice", "s", "2");
  Pass(options_.overlap);
  EXPECT_EQ(Seen(), "2") << "both have the same data again";
  EXPECT_EQ(group_.MemberOf(kA, 1)->info(), "2");
}

TEST_F(PresentGroupTest, TheSecondConnectionOfASessionStaysWhenTheFirstWorkerIsLost) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kA, 2, "alice", "s");
  JoinAs(kB, 3, "alice", "s");
  Changes();
  group_.OnWorkerAway(kA, clock_.Now());
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "");
  group_.OnWorkerBack(kA);
  group_.BeginList(kA);
  JoinAs(kA, 1, "alice", "s");
  group_.EndList(kA, clock_.Now());
  Lose(kB, 3);
  Pass(absl::Minutes(1));
  EXPECT_EQ(Changes(), "");
  EXPECT_EQ(Seen(), "1");
}

TEST_F(PresentGroupTest, OtherConnectionsOfALostWorkerAreNoSuccessors) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kA, 2, "alice", "s");
  JoinAs(kB, 3, "alice", "s");
  group_.OnWorkerAway(kA, clock_.Now());
  Lose(kB, 3);
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "");
}

TEST_F(PresentGroupTest, AWorkerIsToldTheIdOfASuccessor) {
  Join(kA, 1, "alice");
  EXPECT_EQ(Untold(), "") << "it knows the connection's own id";
  Lose(kA, 1);
  Join(kB, 2, "alice");
  EXPECT_EQ(Untold(), "2:1");
  Join(kB, 2, "alice");
  EXPECT_EQ(Untold(), "2:1") << "it does not know it";
}

TEST_F(PresentGroupTest, AWorkerIsToldTheIdOfASecondConnectionOfASession) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kB, 2, "alice", "s");
  EXPECT_EQ(Untold(), "2:1");
  Lose(kA, 1);
  EXPECT_EQ(Untold(), "") << "it is the same id";
  JoinAs(kB, 2, "alice", "s", "", /*member=*/1);
  EXPECT_EQ(Untold(), "");
}

// Its id is its member's already. But a server that begins again would show the time of the second
// join.
TEST_F(PresentGroupTest, AWorkerIsToldTheTimeOfAMemberThatItsConnectionJoinsAgain) {
  JoinAs(kA, 1, "alice", "s", "", /*member=*/0, /*since_ms=*/1'000);
  JoinAs(kB, 2, "alice", "s", "", /*member=*/0, /*since_ms=*/2'000);
  EXPECT_EQ(Untold(), "2:1");
  group_.Leave(kA, 1);
  JoinAs(kA, 1, "alice", "s", "", /*member=*/0, /*since_ms=*/3'000);
  EXPECT_EQ(Untold(), "1:1");
  EXPECT_EQ(group_.MemberOf(kA, 1)->since_ms(), 1'000);
  JoinAs(kA, 1, "alice", "s", "", /*member=*/1, /*since_ms=*/1'000);
  EXPECT_EQ(Untold(), "") << "the worker knows it";
}

TEST_F(PresentGroupTest, AMemberHasTheIdThatItsWorkerReports) {
  group_.BeginList(kB);
  JoinAs(kB, 2, "alice", "s", "", /*member=*/1);
  group_.EndList(kB, clock_.Now());
  EXPECT_EQ(Seen(), "1");
  group_.BeginList(kA);
  JoinAs(kA, 1, "alice", "s");  // the earlier connection, whose loss is not known yet
  group_.EndList(kA, clock_.Now());
  EXPECT_EQ(Seen(), "1");
  Lose(kA, 1);
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "1");
}

TEST_F(PresentGroupTest, AReportedIdThatAnotherMemberHasIsNotTaken) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kB, 2, "bob", "t", "", /*member=*/1);
  EXPECT_EQ(Seen(), "1 2");
  EXPECT_EQ(Untold(), "2:2");
}

TEST_F(PresentGroupTest, WithAShortGraceASecondConnectionWaitsForTheGrace) {
  options_.grace = options_.overlap / 2;
  Join(kA, 1, "alice");
  Join(kB, 2, "alice");
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "1 2");
}

TEST_F(PresentGroupTest, AnotherSessionAloneIsNoChange) {
  JoinAs(kA, 1, "alice", "s");
  Changes();
  JoinAs(kA, 1, "alice", "t");
  EXPECT_EQ(Changes(), "");
  JoinAs(kB, 2, "alice", "t");
  Pass(options_.overlap);
  EXPECT_EQ(Changes(), "") << "it is a second connection of that session";
}

TEST_F(PresentGroupTest, AnotherWorkersReportOfAConnectionHasNoEffect) {
  Join(kA, 1, "alice", "1");
  Changes();
  Join(kB, 1, "alice", "2");
  EXPECT_EQ(Changes(), "");
}

TEST_F(PresentGroupTest, AListThatWasNotFinishedEndsWithItsWorker) {
  Join(kB, 1, "alice");
  group_.BeginList(kA);
  group_.OnWorkerAway(kA, clock_.Now());
  group_.OnWorkerBack(kA);
  Changes();
  Join(kA, 2, "alice");
  EXPECT_EQ(Changes(), "") << "it waits as any second connection";
}

TEST_F(PresentGroupTest, AListDoesNotProlongTheGrace) {
  Join(kA, 1, "alice");
  Lose(kA, 1);
  Pass(options_.grace / 2);
  group_.BeginList(kA);
  group_.EndList(kA, clock_.Now());
  Pass(options_.grace / 2);
  EXPECT_EQ(Seen(), "");
}

TEST_F(PresentGroupTest, AConnectionBehindAnotherOneHasNoIdThatOthersNeed) {
  JoinAs(kA, 9, "alice", "s");
  JoinAs(kB, 2, "alice", "s", "", /*member=*/1);
  JoinAs(kB, 1, "bob", "t");
  EXPECT_EQ(Seen(), "1 9");
}

TEST_F(PresentGroupTest, AMemberIsOfTheSessionOfItsNewConnection) {
  JoinAs(kA, 1, "alice", "s");
  Lose(kA, 1);
  JoinAs(kB, 2, "alice", "t");
  JoinAs(kB, 3, "alice", "t");
  Pass(options_.overlap);
  EXPECT_EQ(Seen(), "1");
}

TEST_F(PresentGroupTest, ASuccessorThatItsWorkerDoesNotNameIsLost) {
  JoinAs(kA, 1, "alice", "s");
  JoinAs(kB, 2, "alice", "s");
  group_.BeginList(kB);
  Lose(kA, 1);
  EXPECT_EQ(Seen(), "1");
  group_.EndList(kB, clock_.Now());
  Pass(options_.grace);
  EXPECT_EQ(Seen(), "");
}

TEST_F(PresentGroupTest, OtherDataOfAConnectionBehindAnotherOneIsAnotherMember) {
  JoinAs(kA, 1, "alice", "s", "1");
  JoinAs(kA, 2, "alice", "s", "1");
  JoinAs(kA, 2, "alice", "s", "2");
  Pass(options_.overlap);
  EXPECT_EQ(Seen(), "1 2");
  EXPECT_EQ(group_.Find(1)->info(), "1");
  EXPECT_EQ(group_.Find(2)->info(), "2");
}

TEST_F(PresentGroupTest, ChangesOfMembersThatAreGoneTakeLittle) {
  options_.changes_of_small_max = 4;
  for (uint64_t id = 1; id <= 100; ++id) Join(kA, id);
  EXPECT_EQ(group_.first_change(), 1u) << "a whole table is as long";
  for (uint64_t id = 1; id <= 100; ++id) group_.Leave(kA, id);
  EXPECT_EQ(group_.end_change() - group_.first_change(), 4u);
  EXPECT_EQ(group_.bytes(), 4 * sizeof(uint64_t));
}

// What an operation costs does not depend on the number of connections of the same client.
TEST_F(PresentGroupTest, ManyConnectionsOfASessionCostNoMoreThanFew) {
  constexpr uint64_t kConnections = 20'000;
  uint64_t before = 0;
  uint64_t most = 0;
  const auto count = [&] {
    most = std::max(most, group_.looked_at() - before);
    before = group_.looked_at();
  };
  for (uint64_t id = 1; id <= kConnections; ++id) {
    JoinAs(kA, id, "alice", "s");
    count();
  }
  EXPECT_EQ(Seen(), "1");
  JoinAs(kA, 7, "alice", "s", "info");  // other data
  count();
  for (uint64_t id = 1; id <= kConnections; ++id) {
    id % 2 == 0 ? group_.Leave(kA, id) : Lose(kA, id);
    count();
  }
  EXPECT_LE(most, 10u);
  EXPECT_EQ(Seen(), "7");
}

TEST_F(PresentGroupTest, ManySessionsOfAUserCostNoMoreThanFew) {
  constexpr uint64_t kConnections = 20'000;
  for (uint64_t id = 1; id <= kConnections; ++id) {
    JoinAs(kA, id, "alice", absl::StrCat("s", id));
  }
  Pass(options_.overlap);
  for (uint64_t id = 1; id <= kConnections; ++id) Lose(kA, id);
  for (uint64_t id = 1; id <= kConnections; ++id) {
    JoinAs(kB, kConnections + id, "alice", absl::StrCat("s", id));
  }
  EXPECT_EQ(group_.size(), kConnections);
  EXPECT_LE(group_.looked_at(), 10 * kConnections);
}

TEST_F(PresentGroupTest, RemembersABoundedNumberOfChanges) {
  options_.changes_max = 3;
  for (uint64_t id = 1; id <= 5; ++id) Join(kA, id);
  EXPECT_EQ(group_.first_change(), 3u);
  EXPECT_EQ(group_.end_change(), 6u);
  EXPECT_EQ(group_.change(3), 3u);
}

}  // namespace
}  // namespace groupcast::service
