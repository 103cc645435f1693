// Presence through GroupService: what members of one worker or of two get.

#include "services/groups/group_presence.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "services/access/testing/token_maker.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

constexpr char kJoin[] = R"({"cmd":"add_group","group_id":"g"})";
constexpr char kJoinAndWatch[] = R"({"cmd":"add_group","group_id":"g","presence":true})";
constexpr char kLeave[] = R"({"cmd":"leave_group","group_id":"g"})";
constexpr char kMembers[] = R"({"cmd":"group_members","group_id":"g","id":1})";
constexpr char kCount[] = R"({"cmd":"group_members","group_id":"g","count_only":true,"id":1})";

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

GroupServiceOptions Options() {
  AccessPolicy::Options access;
  TokenKeys keys;
  EXPECT_TRUE(keys.Add(kSecret, /*others_may_access=*/false).ok());
  access.tokens = std::make_shared<const TokenVerifier>(std::move(keys), TokenOptions{});
  access.allow_anonymous = true;
  access.personal_groups = false;
  // Observing "secret." needs a grant; "hidden." nobody may observe.
  GroupAccess open;
  for (std::optional<Whom>& whom : open.whom) whom = Whom::kAnyone;
  GroupAccess secret = open;
  secret.whom[static_cast<size_t>(Right::kObserve)] = Whom::kGranted;
  GroupAccess hidden = open;
  hidden.whom[static_cast<size_t>(Right::kObserve)] = Whom::kNobody;
  access.rules = PrefixMap<GroupAccess>({{"", open}, {"secret.", secret}, {"hidden.", hidden}});
  GroupServiceOptions options;
  options.access.policy = std::make_shared<const AccessPolicy>(std::move(access));
  return options;
}

class GroupPresenceTest : public GroupServiceFixture {
 protected:
  explicit GroupPresenceTest(const GroupServiceOptions& options = Options())
      : GroupServiceFixture(options),
        other_service_(options, &clock_),
        other_channel_(&hub_, &other_service_) {
    other_service_.SetChannel(&other_channel_);
    other_channel_.SetConnected(true);
    Settle();
  }

  // A v1 member of another worker.
  std::unique_ptr<FakeMember> V1Elsewhere() {
    return std::make_unique<FakeMember>(++last_id_, &kPlainV1Encoding, &other_service_);
  }
  std::unique_ptr<FakeMember> Joined() {
    auto member = V1Elsewhere();
    member->Do(kJoin);
    Settle();
    return member;
  }

  void Settle() {
    do {
      service_.ServePresence();
      other_service_.ServePresence();
    } while (hub_.Pump());
    service_.ServePresence();
  }
  // What the member has received since the last call, without the times of joins.
  static Received Take(FakeMember* member) {
    Received received = std::exchange(member->received, {});
    for (std::string& text : received) {
      for (size_t at = text.find(",\"since\":"); at != std::string::npos;
           at = text.find(",\"since\":")) {
        text.erase(at, text.find_first_not_of("0123456789", at + 9) - at);
      }
    }
    return received;
  }
  static std::string Joins(uint64_t id) {
    return absl::StrCat(R"({"event":"member_joined","group_id":"g","connection_id":")",
                        absl::Hex(id, absl::kZeroPad16), "\"}");
  }
  static std::string Leaves(uint64_t id) {
    return absl::StrCat(R"({"event":"member_left","group_id":"g","connection_id":")",
                        absl::Hex(id, absl::kZeroPad16), "\"}");
  }

  GroupService other_service_;
  MemoryChannel other_channel_;
};

TEST_F(GroupPresenceTest, ReadsTheMembersOfAllWorkers) {
  const auto here = V1();
  here->Do(kJoin);
  const auto there = Joined();
  const auto reader = Bare();
  reader->Do(kMembers);
  Settle();
  EXPECT_THAT(
      Take(reader.get()),
      ElementsAre(
          R"({"event":"reply","id":1,"group_id":"g","count":2,"members":[)"
          R"({"connection_id":"0000000000000001"},{"connection_id":"0000000000000002"}]})"));
}

TEST_F(GroupPresenceTest, AMemberHasTheTimeOfItsJoin) {
  const auto there = Joined();
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  const auto reader = V1();
  reader->Do(kMembers);
  Settle();
  ASSERT_EQ(reader->received.size(), 1u);
  const std::string& text = reader->received[0];
  int64_t since = 0;
  ASSERT_TRUE(absl::SimpleAtoi(
      text.substr(text.find("since") + 7, text.find('}') - text.find("since") - 7), &since))
      << text;
  EXPECT_EQ(since % 1'000, 0);
  EXPECT_LE(since / 1'000, now);
  EXPECT_GE(since / 1'000, now - 60);
}

TEST_F(GroupPresenceTest, CountsWithoutNames) {
  const auto one = Joined();
  const auto two = Joined();
  const auto reader = V1();
  reader->Do(kCount);
  Settle();
  EXPECT_THAT(Take(reader.get()),
              ElementsAre(R"({"event":"reply","id":1,"group_id":"g","count":2})"));
}

TEST_F(GroupPresenceTest, ALargeGroupComesInPages) {
  std::vector<std::unique_ptr<FakeMember>> members;
  for (int i = 0; i < 5; ++i) members.push_back(Joined());
  const auto reader = V1();
  reader->Do(R"({"cmd":"group_members","group_id":"g","limit":2,"id":1})");
  Settle();
  EXPECT_THAT(Take(reader.get()),
              ElementsAre(MatchesRegex(".*\"count\":5,.*0001\"},.*0002\"}],\"next\":\"0+2\"}")));
  reader->Do(
      R"({"cmd":"group_members","group_id":"g","limit":2,"after":"0000000000000004","id":1})");
  Settle();
  EXPECT_THAT(Take(reader.get()),
              ElementsAre(HasSubstr(R"("members":[{"connection_id":"0000000000000005"}]})")));
  reader->Do(R"({"cmd":"group_members","group_id":"g","limit":5,"id":1})");
  Settle();
  EXPECT_THAT(Take(reader.get()), ElementsAre(testing::Not(HasSubstr("next"))));
}

TEST_F(GroupPresenceTest, WithoutAnIdNothingHappens) {
  const auto reader = V1();
  reader->Do(R"({"cmd":"group_members","group_id":"g"})");
  Settle();
  EXPECT_THAT(reader->received, IsEmpty());
}

TEST_F(GroupPresenceTest, AMemberThatAskedGetsJoinsAndLeaves) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  const auto unasked = V1();
  unasked->Do(kJoin);
  const auto first = Joined();
  Take(watcher.get());
  const auto there = Joined();
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Joins(4)));
  there->Do(kLeave);
  Settle();
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Leaves(4)));
  watcher->Do(kLeave);
  const auto later = Joined();
  EXPECT_THAT(Take(watcher.get()), IsEmpty());
  EXPECT_THAT(Take(unasked.get()), IsEmpty());
}

TEST_F(GroupPresenceTest, AMemberMayAskWithASecondJoin) {
  const auto watcher = V1();
  watcher->Do(kJoin);
  Settle();
  watcher->Do(kJoinAndWatch);
  Settle();
  const auto there = Joined();
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Joins(2)));
}

TEST_F(GroupPresenceTest, AConnectionThatEndsLeaves) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  auto there = Joined();
  Take(watcher.get());
  there = nullptr;
  Settle();
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Leaves(2)));
}

TEST_F(GroupPresenceTest, ABareMemberGetsNoEvents) {
  const auto bare = Bare();
  bare->Do(kJoinAndWatch);
  Settle();
  const auto there = Joined();
  EXPECT_THAT(Take(bare.get()), IsEmpty());
}

TEST_F(GroupPresenceTest, ARuleForbidsIt) {
  const auto member = V1();
  member->Do(R"({"cmd":"add_group","group_id":"hidden.1","presence":true,"id":1})");
  member->Do(R"({"cmd":"group_members","group_id":"hidden.1","id":2})");
  Settle();
  EXPECT_THAT(
      Take(member.get()),
      ElementsAre(
          R"({"event":"error","id":1,"cmd":"add_group","code":"forbidden","message":"the connection does not have the right to observe this group","retry":false})",
          R"({"event":"error","id":2,"cmd":"group_members","code":"forbidden","message":"the connection does not have the right to observe this group","retry":false})"));
  EXPECT_EQ(member->group_count(), 0u) << "the join is refused";
}

TEST_F(GroupPresenceTest, AMemberShowsItsUserAndInfo) {
  const auto there = V1Elsewhere();
  other_service_.Admit(there.get(),
                       other_service_.Identify(
                           there.get(), HmacToken(R"({"sub":"alice","info":{"n":1}})", kSecret)));
  there->Do(kJoin);
  const auto reader = V1();
  reader->Do(kMembers);
  Settle();
  EXPECT_THAT(
      Take(reader.get()),
      ElementsAre(HasSubstr(
          R"("members":[{"connection_id":"0000000000000001","user":"alice","info":{"n":1}}])")));
}

TEST_F(GroupPresenceTest, WhoLosesTheRightToObserveLosesTheEvents) {
  const auto token = [](const std::string& rights) {
    return HmacToken(absl::StrCat(R"({"sub":"alice","groups":{")", rights, R"(":["secret.1"]}})"),
                     kSecret);
  };
  const auto watcher = V1();
  service_.Admit(watcher.get(), service_.Identify(watcher.get(), token("observe")));
  watcher->Do(R"({"cmd":"add_group","group_id":"secret.1","presence":true})");
  Settle();
  watcher->Do(absl::StrCat(R"({"cmd":"authenticate","token":")", token("join"), "\"}"));
  EXPECT_THAT(
      Take(watcher.get()),
      ElementsAre(
          R"({"event":"error","cmd":"add_group","code":"forbidden","message":"there are no more events of joins and leaves in group \"secret.1\": the right to observe it is gone","retry":false})"));
  EXPECT_EQ(watcher->presence_interests, 0u);
  const auto there = V1Elsewhere();
  there->Do(R"({"cmd":"add_group","group_id":"secret.1"})");
  Settle();
  EXPECT_THAT(Take(watcher.get()), IsEmpty());
}

TEST_F(GroupPresenceTest, AReadFailsWithoutAChannel) {
  channel_.SetConnected(false);
  const auto reader = V1();
  reader->Do(kMembers);
  reader->Do(R"({"cmd":"ping","id":2})");
  Settle();
  EXPECT_THAT(Take(reader.get()), IsEmpty()) << "later commands wait";
  clock_.Advance(absl::Seconds(5));
  service_.CheckDeadlines();
  EXPECT_THAT(
      Take(reader.get()),
      ElementsAre(
          R"({"event":"error","id":1,"cmd":"group_members","code":"unavailable","message":"the channel did not tell the members in time","retry":true})",
          R"({"event":"reply","id":2,"pong":true})"));
}

TEST_F(GroupPresenceTest, AReadOfAConnectionThatEndsIsForgotten) {
  channel_.SetConnected(false);
  auto reader = V1();
  reader->Do(kMembers);
  reader = nullptr;
  clock_.Advance(absl::Seconds(5));
  service_.CheckDeadlines();
  channel_.SetConnected(true);
  Settle();
}

TEST_F(GroupPresenceTest, TheEndOfTheWorkerRefusesReads) {
  channel_.SetConnected(false);
  const auto reader = V1();
  reader->Do(kMembers);
  Settle();
  service_.GiveUp();
  EXPECT_THAT(Take(reader.get()), ElementsAre(HasSubstr("the service stops")));
  EXPECT_EQ(reader->pending_answers, 0);
  reader->Do(kMembers);
  EXPECT_THAT(Take(reader.get()), ElementsAre(HasSubstr("\"code\":\"unavailable\"")));
}

TEST_F(GroupPresenceTest, AConnectionThatDoesNotReadGetsNoPages) {
  const auto reader = V1();
  reader->room = 0;
  reader->Do(kMembers);
  EXPECT_THAT(Take(reader.get()), ElementsAre(HasSubstr("\"code\":\"rate_limited\"")));
}

TEST_F(GroupPresenceTest, AWatchEndsSomeTimeAfterTheLastRead) {
  const auto reader = V1();
  reader->Do(kCount);
  Settle();
  EXPECT_NE(channel_.presence()->View("g"), nullptr);
  clock_.Advance(Options().presence.linger - absl::Seconds(1));
  service_.CheckDeadlines();
  EXPECT_NE(channel_.presence()->View("g"), nullptr);
  clock_.Advance(absl::Seconds(1));
  service_.CheckDeadlines();
  EXPECT_EQ(channel_.presence()->View("g"), nullptr);
}

TEST_F(GroupPresenceTest, AWatchStaysWhileAMemberNeedsIt) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  clock_.Advance(absl::Hours(1));
  service_.CheckDeadlines();
  EXPECT_NE(channel_.presence()->View("g"), nullptr);
  watcher->Do(kLeave);
  clock_.Advance(Options().presence.linger);
  service_.CheckDeadlines();
  EXPECT_EQ(channel_.presence()->View("g"), nullptr);
}

TEST_F(GroupPresenceTest, AGroupThatNobodyAsksAboutIsNotWatched) {
  const auto here = V1();
  here->Do(kJoin);
  const auto there = Joined();
  EXPECT_EQ(channel_.presence()->View("g"), nullptr);
  EXPECT_EQ(other_channel_.presence()->View("g"), nullptr);
}

TEST_F(GroupPresenceTest, AWatchStaysForAWhileAfterTheLastMemberThatNeedsIt) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  watcher->Do(kLeave);
  service_.CheckDeadlines();
  EXPECT_NE(channel_.presence()->View("g"), nullptr);
}

TEST_F(GroupPresenceTest, AJoinWithoutAnAnswerIsNoMemberYet) {
  channel_.SetConnected(false);
  const auto here = V1();
  here->Do(kJoin);
  const auto reader = V1Elsewhere();
  reader->Do(kCount);
  Settle();
  EXPECT_THAT(Take(reader.get()), ElementsAre(HasSubstr("\"count\":0")));
}

class SmallPagesTest : public GroupPresenceTest {
 protected:
  static GroupServiceOptions SmallOptions() {
    GroupServiceOptions options = Options();
    options.presence.page_bytes_max = 1;
    options.presence.linger = absl::ZeroDuration();
    return options;
  }
  SmallPagesTest() : GroupPresenceTest(SmallOptions()) {}
};

TEST_F(SmallPagesTest, APageHasABoundInBytesAndAtLeastOneMember) {
  const auto one = Joined();
  const auto two = Joined();
  const auto reader = V1();
  reader->Do(kMembers);
  Settle();
  EXPECT_THAT(Take(reader.get()),
              ElementsAre(HasSubstr(R"("members":[{"connection_id":"0000000000000001"}],"next")")));
}

TEST_F(SmallPagesTest, AWatchStaysWhileAReadWaits) {
  const auto reader = V1();
  reader->Do(kCount);
  service_.CheckDeadlines();
  Settle();
  EXPECT_THAT(Take(reader.get()), ElementsAre(HasSubstr("\"count\":0")));
}

class SlowEventsTest : public GroupPresenceTest {
 protected:
  static GroupServiceOptions SlowOptions() {
    GroupServiceOptions options = Options();
    options.presence.event_rate = {.per_second = 10, .burst = 1};
    options.presence.events_per_turn = 1;
    return options;
  }
  SlowEventsTest() : GroupPresenceTest(SlowOptions()) {}
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    Settle();
  }
};

TEST_F(SlowEventsTest, EventsOverTheRateWait) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  Pass(absl::Seconds(1));
  Take(watcher.get());
  const auto one = Joined();
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Joins(2)));
  const auto two = Joined();
  EXPECT_THAT(Take(watcher.get()), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Joins(3)));
}

TEST_F(SlowEventsTest, WhoComesAndGoesMeanwhileIsNotTold) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  Pass(absl::Seconds(1));
  const auto one = Joined();
  Take(watcher.get());
  auto two = Joined();
  two = nullptr;
  Settle();
  Pass(absl::Minutes(1));
  EXPECT_THAT(Take(watcher.get()), IsEmpty());
}

TEST_F(SlowEventsTest, APageWaitsForTheEventsBeforeIt) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  Pass(absl::Seconds(1));
  const auto one = Joined();
  const auto two = Joined();
  Take(watcher.get());
  watcher->Do(kMembers);
  Settle();
  EXPECT_THAT(Take(watcher.get()), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Joins(3), HasSubstr("\"count\":3")));
}

TEST_F(SlowEventsTest, WhoAsksLaterIsNotToldOfEarlierChanges) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  Pass(absl::Seconds(1));
  const auto one = Joined();
  const auto two = Joined();  // waits
  watcher->Do(kLeave);
  const auto later = V1();
  later->Do(kJoinAndWatch);
  Settle();
  Pass(absl::Minutes(1));
  Pass(absl::Minutes(1));
  EXPECT_THAT(Take(later.get()), testing::Not(testing::Contains(Joins(3))));
}

TEST_F(SlowEventsTest, ACountDoesNotWaitForEvents) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  Pass(absl::Seconds(1));
  const auto one = Joined();
  const auto two = Joined();
  Take(watcher.get());
  watcher->Do(kCount);
  EXPECT_THAT(Take(watcher.get()), ElementsAre(HasSubstr("\"count\":3")));
}

TEST_F(SlowEventsTest, WhoGoesAndComesMeanwhileIsNotTold) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  const auto there = Joined();
  Pass(absl::Minutes(1));
  Pass(absl::Minutes(1));
  // The time of a join is in seconds: in the next second it is another one.
  int64_t second = 0;
  do {
    const auto other = Joined();  // uses the rate up
    Take(watcher.get());
    second = absl::ToUnixSeconds(absl::Now());
    there->Do(kLeave);
    there->Do(kJoin);  // at a known time
    Pass(absl::Minutes(1));
    Pass(absl::Minutes(1));
    Take(watcher.get());
    const auto another = Joined();
    Take(watcher.get());
    there->Do(kLeave);
    Settle();
    there->Do(kJoin);
    Settle();
  } while (absl::ToUnixSeconds(absl::Now()) != second);
  Pass(absl::Minutes(1));
  Pass(absl::Minutes(1));
  const Received told = Take(watcher.get());
  EXPECT_THAT(told, testing::Not(testing::Contains(Leaves(2))));
  EXPECT_THAT(told, testing::Not(testing::Contains(Joins(2))));
}

TEST_F(SlowEventsTest, AGroupThatChangesTooFastLosesItsEvents) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  std::vector<std::unique_ptr<FakeMember>> members;
  for (int i = 0; i < 300; ++i) {
    members.push_back(Joined());
    if (i % 10 == 0) Pass(absl::Milliseconds(500));
    service_.CheckDeadlines();
  }
  EXPECT_THAT(
      Take(watcher.get()).back(),
      R"({"event":"error","cmd":"add_group","code":"too_many_members","message":"there are no more events of joins and leaves in group \"g\": it changes too fast for its many members","retry":false})");
  EXPECT_EQ(watcher->presence_interests, 0u);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(watcher.get()), IsEmpty());
  EXPECT_EQ(watcher->group_count(), 1u) << "it stays a member";
}

TEST_F(SlowEventsTest, AfterAStandstillFewChangesAreTold) {
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  Settle();
  Pass(absl::Seconds(1));
  const auto one = Joined();  // uses the rate up
  const auto two = Joined();
  Take(watcher.get());
  clock_.Advance(Options().presence.behind_max + absl::Seconds(1));
  service_.CheckDeadlines();
  Settle();
  EXPECT_THAT(Take(watcher.get()), ElementsAre(Joins(3)));
}

class BusyGroupsTest : public GroupPresenceTest {
 protected:
  static GroupServiceOptions BusyOptions() {
    GroupServiceOptions options = Options();
    options.presence.event_rate = {.per_second = 100, .burst = 1};
    return options;
  }
  BusyGroupsTest() : GroupPresenceTest(BusyOptions()) {}
};

TEST_F(BusyGroupsTest, AGroupWithFewEventsDoesNotWaitForThem) {
  constexpr int kGroups = 20;
  constexpr size_t kWatchers = 5;
  const auto join = [](int i, bool watch) {
    return absl::StrCat(R"({"cmd":"add_group","group_id":"busy )", i, "\"",
                        watch ? R"(,"presence":true})" : "}");
  };
  const auto watcher = V1();
  watcher->Do(kJoinAndWatch);
  size_t busy_events = 0;
  std::vector<std::unique_ptr<FakeMember>> busy;
  for (size_t n = 0; n < kWatchers; ++n) {
    busy.push_back(V1());
    for (int i = 0; i < kGroups; ++i) busy.back()->Do(join(i, /*watch=*/true));
  }
  do {
    clock_.Advance(absl::Seconds(10));
    Settle();
  } while (service_.ServePresence() != absl::InfiniteFuture());
  for (const auto& member : busy) member->on_send = [&] { ++busy_events; };
  std::vector<std::unique_ptr<FakeMember>> others;
  for (int n = 0; n < 10; ++n) {
    others.push_back(V1Elsewhere());
    for (int i = 0; i < kGroups; ++i) others.back()->Do(join(i, /*watch=*/false));
  }
  Settle();
  Take(watcher.get());
  busy_events = 0;
  const auto there = Joined();
  while (watcher->received.empty() && busy_events < 1'000) {
    clock_.Advance(absl::Milliseconds(10));
    Settle();
  }
  EXPECT_THAT(Take(watcher.get()), ElementsAre(HasSubstr("member_joined")));
  // Of each busy group, at most the change that it was about to tell. They have 10 each.
  EXPECT_LE(busy_events, kGroups * kWatchers);
}

class LingeringTest : public GroupPresenceTest {
 protected:
  static GroupServiceOptions LingeringOptions() {
    GroupServiceOptions options = Options();
    options.presence.lingering_per_connection_max = 2;
    options.presence.lingering_per_user_max = 3;
    return options;
  }
  LingeringTest() : GroupPresenceTest(LingeringOptions()) {}

  void Read(FakeMember* reader, absl::string_view group_id) {
    reader->Do(absl::StrCat(R"({"cmd":"group_members","count_only":true,"id":1,"group_id":")",
                            group_id, "\"}"));
    Settle();
    EXPECT_THAT(Take(reader), ElementsAre(HasSubstr("\"count\":0")));
    clock_.Advance(absl::Milliseconds(1));
  }
  std::string Watched() {
    std::string watched;
    for (const char* const id : {"a", "b", "c", "d", "g", "h", "i"}) {
      if (channel_.presence()->View(id) != nullptr) watched += id;
    }
    return watched;
  }
  std::unique_ptr<FakeMember> Interested(absl::string_view group_id) {
    auto member = V1();
    member->Do(absl::StrCat(R"({"cmd":"add_group","presence":true,"group_id":")", group_id, "\"}"));
    Settle();
    return member;
  }
};

TEST_F(LingeringTest, TheOldestReadsOfAConnectionMakeRoom) {
  const auto reader = V1();
  const auto other = V1();
  Read(other.get(), "d");
  Read(reader.get(), "a");
  Read(reader.get(), "b");
  Read(reader.get(), "a");
  EXPECT_EQ(Watched(), "abd");
  Read(reader.get(), "c");
  EXPECT_EQ(Watched(), "acd") << "of its own reads only";
}

TEST_F(LingeringTest, TheConnectionsOfAUserHaveABoundTogether) {
  std::vector<std::unique_ptr<FakeMember>> readers;
  for (const char* const group_id : {"a", "b", "c", "d"}) {
    readers.push_back(V1());
    service_.Admit(readers.back().get(),
                   service_.Identify(readers.back().get(), HmacToken(R"({"sub":"al"})", kSecret)));
    Read(readers.back().get(), group_id);
  }
  EXPECT_EQ(Watched(), "bcd");
}

TEST_F(LingeringTest, AGroupWithInterestCountsAsNoRead) {
  const auto watcher = Interested("g");
  Take(watcher.get());
  for (const char* const group_id : {"a", "b", "c"}) Read(watcher.get(), group_id);
  EXPECT_EQ(Watched(), "bcg");
}

TEST_F(LingeringTest, AWatchIsRefusedOnlyWhenMembersNeedAllOthers) {
  channel_.presence()->set_watches_max(3);
  const auto reader = V1();
  const auto other = V1();
  Read(reader.get(), "a");
  Read(other.get(), "b");
  Read(other.get(), "c");
  Read(other.get(), "d");
  EXPECT_EQ(Watched(), "acd");
  const auto one = Interested("g");
  EXPECT_EQ(Watched(), "cdg") << "the oldest read of all is the first to go";
  const auto two = Interested("h");
  const auto three = Interested("i");
  EXPECT_EQ(Watched(), "ghi");
  const auto four = Interested("a");
  EXPECT_EQ(Watched(), "ghi");
  EXPECT_THAT(Take(four.get()), ElementsAre(HasSubstr("\"code\":\"unavailable\"")));
}

}  // namespace
}  // namespace groupcast::service
