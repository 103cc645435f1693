#include "services/channel_server/broker/presence.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

using channel::v1::PresenceFrame;
using Wire = channel::v1::PresenceGroup;

constexpr PublisherId kA{1};
constexpr PublisherId kB{2};
constexpr PublisherId kC{3};

// Collects frames of all workers, in words.
class Sink final : public BrokerSink {
 public:
  absl::Status WriteLog(std::string*) override { return absl::OkStatus(); }
  bool HandOut(size_t) override { return true; }
  bool Announce(absl::string_view) override { return true; }
  Sent SendControl(PublisherId to, absl::string_view bytes) override {
    if (reachable.contains(to) && reachable[to] != Sent::kSent) return reachable[to];
    PresenceFrame frame;
    EXPECT_TRUE(frame.ParseFromString(std::string(bytes.substr(kControlHeaderBytes))));
    ++frames[to];
    if (frame.unknown()) told[to].push_back("unknown");
    if (frame.number() > 0) last_number[to] = frame.number();
    for (const Wire& group : frame.groups()) {
      std::string words = group.group_id();
      if (group.watch() == Wire::ON) words += " report";
      if (group.watch() == Wire::OFF) words += " enough";
      if (group.begins()) words += " [";
      for (const auto& member : group.joined())
        absl::StrAppend(&words, " +", member.connection_id());
      for (const uint64_t id : group.left()) absl::StrAppend(&words, " -", id);
      for (const auto& kept : group.kept()) {
        absl::StrAppend(&words, " ", kept.connection_id(), "=", kept.member_id(), " since ",
                        kept.since_ms());
      }
      if (group.ends()) words += " ]";
      if (group.refusal() != Wire::NONE) {
        absl::StrAppend(&words, " ", Wire::Refusal_Name(group.refusal()));
      }
      told[to].push_back(words);
    }
    return Sent::kSent;
  }

  std::map<PublisherId, Sent> reachable;
  std::map<PublisherId, std::vector<std::string>> told;
  std::map<PublisherId, int> frames;
  std::map<PublisherId, uint64_t> last_number;
};

using Words = std::vector<std::string>;

class PresenceTest : public testing::Test {
 protected:
  PresenceTables& tables() {
    if (!tables_.has_value()) tables_.emplace(options_);
    return *tables_;
  }

  // A worker connects.
  void Open(PublisherId worker, bool came_back = false) {
    ++streams_[worker];
    numbers_[worker] = 0;
    sink_.last_number[worker] = 0;
    PresenceFrame frame;
    frame.set_came_back(came_back);
    Give(worker, frame);
  }
  // A worker sends a frame, which also confirms all that it was sent.
  void Give(PublisherId worker, PresenceFrame frame) {
    frame.set_stream(streams_[worker]);
    frame.set_number(++numbers_[worker]);
    frame.set_confirmed(sink_.last_number[worker]);
    tables().OnFrame(worker, frame, clock_.Now());
  }
  void Watch(PublisherId worker, const std::string& group_id, bool on = true) {
    PresenceFrame frame;
    Wire* const group = frame.add_groups();
    group->set_group_id(group_id);
    group->set_watch(on ? Wire::ON : Wire::OFF);
    Give(worker, frame);
  }
  // The worker's whole list.
  void List(PublisherId worker, const std::string& group_id, const std::vector<uint64_t>& ids) {
    Wire news;
    news.set_begins(true);
    news.set_ends(true);
    Report(worker, group_id, news, ids);
  }
  void Report(PublisherId worker, const std::string& group_id, Wire news,
              const std::vector<uint64_t>& joined, const std::vector<uint64_t>& left = {}) {
    PresenceFrame frame;
    news.set_group_id(group_id);
    for (const uint64_t id : joined) {
      auto* const member = news.add_joined();
      member->set_connection_id(id);
      member->set_info(std::string(info_bytes_, 'i'));
      member->set_since_ms(static_cast<int64_t>(1'000 + id));
      if (!session_.empty()) {
        member->set_identity(FingerprintBytes(FingerprintOf({session_})));
        member->set_session(FingerprintBytes(FingerprintOf({session_})));
      }
    }
    for (const uint64_t id : left) news.add_left(id);
    *frame.add_groups() = news;
    Give(worker, frame);
  }
  // What the worker was told since the last call.
  Words Told(PublisherId worker) {
    tables().Send(clock_.Now(), &sink_);
    return std::exchange(sink_.told[worker], {});
  }
  void Confirm(PublisherId worker) {
    PresenceFrame frame;
    frame.set_stream(streams_[worker]);
    frame.set_confirmed(sink_.last_number[worker]);
    tables().OnFrame(worker, frame, clock_.Now());
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    tables().Send(clock_.Now(), &sink_);
  }

  FakeClock clock_;
  PresenceOptions options_;
  Sink sink_;
  size_t info_bytes_ = 0;
  std::string session_;  // of members that are reported

 private:
  std::optional<PresenceTables> tables_;
  std::map<PublisherId, uint64_t> streams_;
  std::map<PublisherId, uint64_t> numbers_;
};

TEST_F(PresenceTest, AWatcherGetsTheTableWhenAllWorkersHaveListedAndThenChanges) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  EXPECT_EQ(Told(kA), Words{"g report"});
  EXPECT_EQ(Told(kB), Words{"g report"});
  List(kA, "g", {1});
  EXPECT_EQ(Told(kA), Words{}) << "the other worker has not listed its members";
  List(kB, "g", {2, 3});
  EXPECT_EQ(Told(kA), Words{"g [ +1 +2 +3 ]"});
  Report(kB, "g", {}, {4}, {2});
  EXPECT_EQ(Told(kA), Words{"g +4 -2"});
  EXPECT_EQ(Told(kB), Words{}) << "it does not watch";
}

TEST_F(PresenceTest, CountsWatchesAndMembers) {
  const auto counts = [this] { return std::pair(tables().watch_count(), tables().member_count()); };
  using Counts = std::pair<size_t, size_t>;
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Watch(kB, "g");
  Watch(kB, "g");  // is one watch
  Watch(kB, "h");
  EXPECT_EQ(counts(), Counts(3, 0));
  Told(kA);
  Told(kB);
  List(kA, "g", {1, 2});
  List(kB, "g", {3});
  List(kB, "h", {3});
  EXPECT_EQ(counts(), Counts(3, 4));
  Report(kA, "g", {}, {4}, {1, 2});
  EXPECT_EQ(counts(), Counts(3, 3));
  Watch(kB, "h", false);
  EXPECT_EQ(counts(), Counts(2, 2)) << "the table has gone with its last watch";
  sink_.reachable[kB] = BrokerSink::Sent::kGone;
  Pass(absl::Seconds(1));
  EXPECT_EQ(counts(), Counts(1, 2)) << "its members stay until its lease ends";
  for (int second = 0; second < 10; ++second) Pass(absl::Seconds(1));
  EXPECT_EQ(counts(), Counts(1, 1));
  Watch(kA, "g", false);
  EXPECT_EQ(counts(), Counts(0, 0));
}

TEST_F(PresenceTest, WithoutWatchersNothingIsKeptOrSent) {
  Open(kA);
  Open(kB);
  Told(kA);
  const int frames = sink_.frames[kA];
  List(kA, "g", {1});
  Told(kA);
  Pass(absl::Minutes(1));
  EXPECT_EQ(tables().group_count(), 0u);
  EXPECT_EQ(tables().bytes(), 0u);
  EXPECT_EQ(sink_.frames[kA], frames + 1) << "no more than the confirmation";
}

TEST_F(PresenceTest, TheEndOfTheLastWatchEndsTheReports) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Watch(kB, "g");
  Told(kB);
  List(kA, "g", {1});
  List(kB, "g", {2});
  Told(kB);
  Watch(kA, "g", false);
  EXPECT_EQ(Told(kB), Words{}) << "it still watches";
  Watch(kB, "g", false);
  EXPECT_EQ(Told(kB), Words{"g enough"});
  EXPECT_EQ(tables().group_count(), 0u);
  EXPECT_EQ(tables().bytes(), 0u);
}

TEST_F(PresenceTest, AReportOfAnEarlierWatchDoesNotCount) {
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  Watch(kA, "g", false);
  Told(kA);
  Watch(kA, "g");
  List(kA, "g", {1});  // it was on its way before the worker is told of the new watch
  EXPECT_EQ(Told(kA), Words{"g report"});
  List(kA, "g", {2});
  EXPECT_EQ(Told(kA), Words{"g [ +2 ]"});
}

TEST_F(PresenceTest, AReportBeforeTheListDoesNotCount) {
  session_ = "s";  // a member that is lost would stay for the grace
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {});
  Watch(kA, "g", false);
  Told(kA);
  Watch(kA, "g");
  Told(kA);
  Report(kA, "g", {}, {1});  // of the earlier watch
  List(kA, "g", {});
  EXPECT_EQ(Told(kA), Words{"g [ ]"});
}

TEST_F(PresenceTest, ALaterWorkerListsToo) {
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  Told(kA);
  Open(kB);
  EXPECT_EQ(Told(kB), Words{"g report"});
  List(kB, "g", {2});
  EXPECT_EQ(Told(kA), Words{"g +2"});
}

TEST_F(PresenceTest, ASecondWatchOfAWorkerGetsTheWholeTableAgain) {
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  Told(kA);
  Watch(kA, "g");
  EXPECT_EQ(Told(kA), Words{"g [ +1 ]"});
}

TEST_F(PresenceTest, ALargeTableComesInFrames) {
  options_.frame_bytes = 100;
  info_bytes_ = 70;
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1, 2, 3});
  Words told;
  for (int i = 0; i < 5; ++i) {
    for (const std::string& words : Told(kA)) told.push_back(words);
    if (i == 0) Report(kA, "g", {}, {9}, {1});  // while the table is on its way
  }
  EXPECT_EQ(told, (Words{"g [ +1", "g +2", "g +3", "g +9", "g ]", "g +9 -1"}));
}

TEST_F(PresenceTest, AWatcherThatConfirmsNothingGetsFewFrames) {
  options_.frames_under_way_max = 2;
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {});
  Told(kA);
  Open(kB);
  Told(kB);
  List(kB, "g", {});
  for (uint64_t id = 1; id <= 5; ++id) {
    Report(kB, "g", {}, {id});
    tables().Send(clock_.Now(), &sink_);
  }
  EXPECT_EQ(Told(kA), Words{"g +1"}) << "with the table, two are without confirmation";
  EXPECT_FALSE(tables().has_more());
  Confirm(kA);
  EXPECT_TRUE(tables().has_more());
  EXPECT_EQ(Told(kA), (Words{"g +2 +3 +4 +5"}));
}

TEST_F(PresenceTest, AWatcherThatIsTooFarBehindGetsTheWholeTableAgain) {
  options_.groups.changes_max = 2;
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  Told(kA);
  Report(kA, "g", {}, {2, 3, 4});
  EXPECT_EQ(Told(kA), Words{"g [ +1 +2 +3 +4 ]"});
}

TEST_F(PresenceTest, AFrameWithoutRoomIsSentLater) {
  Open(kA);
  Watch(kA, "g");
  sink_.reachable[kA] = BrokerSink::Sent::kFull;
  EXPECT_EQ(Told(kA), Words{});
  sink_.reachable[kA] = BrokerSink::Sent::kSent;
  EXPECT_EQ(Told(kA), Words{"g report"});
}

TEST_F(PresenceTest, ADeadWorkersMembersLeaveWhenItsLeaseEnds) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  List(kB, "g", {2});
  Told(kA);
  sink_.reachable[kB] = BrokerSink::Sent::kGone;
  Pass(options_.probe_period);  // finds out
  Pass(options_.groups.lease - absl::Milliseconds(1));
  EXPECT_EQ(Told(kA), Words{});
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(Told(kA), Words{"g -2"});
}

TEST_F(PresenceTest, AnIdleWorkersDeathIsFoundToo) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kB);
  sink_.reachable[kB] = BrokerSink::Sent::kGone;
  List(kA, "g", {1});
  Pass(options_.probe_period);
  EXPECT_EQ(Told(kA), (Words{"g report", "g [ +1 ]"})) << "the table waits for it no longer";
}

TEST_F(PresenceTest, AWorkerThatReconnectsListsAgainAndNobodyLeaves) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {});
  List(kB, "g", {2, 3});
  Told(kA);
  sink_.reachable[kB] = BrokerSink::Sent::kGone;
  Pass(options_.probe_period);
  sink_.reachable[kB] = BrokerSink::Sent::kSent;
  Open(kB, /*came_back=*/true);
  sink_.told.clear();
  EXPECT_EQ(Told(kB), Words{"g report"});
  Pass(absl::Minutes(1));
  EXPECT_EQ(Told(kA), Words{});
  List(kB, "g", {3});
  EXPECT_EQ(Told(kA), Words{"g -2"});
}

TEST_F(PresenceTest, ATableWaitsForItsWatcherToComeBack) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kA);
  Told(kB);
  List(kA, "g", {1});
  List(kB, "g", {2});
  Told(kA);
  for (const PublisherId worker : {kA, kB}) sink_.reachable[worker] = BrokerSink::Sent::kGone;
  Pass(options_.probe_period);  // both are away, and then only one is back
  sink_.reachable[kA] = BrokerSink::Sent::kSent;
  Open(kA, /*came_back=*/true);
  Watch(kA, "g");
  EXPECT_EQ(Told(kA), Words{"g report [ +1 +2 ]"});
  Watch(kA, "g", false);
  EXPECT_EQ(Told(kA), Words{"g enough"}) << "a watch that its worker ends is not kept";
  EXPECT_EQ(tables().group_count(), 0u);
}

TEST_F(PresenceTest, ATableWhoseWatchersDoNotComeBackEnds) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kB);
  sink_.reachable[kA] = BrokerSink::Sent::kGone;
  Pass(options_.probe_period);
  EXPECT_EQ(tables().group_count(), 1u);
  Pass(options_.groups.lease);
  EXPECT_EQ(Told(kB), Words{"g enough"});
  EXPECT_EQ(tables().group_count(), 0u);
}

TEST_F(PresenceTest, AnEndedWorkersMembersLeaveAtOnce) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {});
  List(kB, "g", {2});
  Told(kA);
  PresenceFrame end;
  end.set_ends(true);
  Give(kB, end);
  EXPECT_EQ(Told(kA), Words{"g -2"});
}

TEST_F(PresenceTest, AfterARestartATableWaitsUntilTheWorkersAreBack) {
  Open(kA, /*came_back=*/true);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  Pass(options_.settle - absl::Milliseconds(1));
  EXPECT_EQ(Told(kA), Words{});
  Open(kB, /*came_back=*/true);
  Told(kB);
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(Told(kA), Words{}) << "the second worker has not listed yet";
  List(kB, "g", {2});
  EXPECT_EQ(Told(kA), Words{"g [ +1 +2 ]"});
}

TEST_F(PresenceTest, ATableThatWasCompleteWithoutTheWorkersThatComeBackBeginsAgain) {
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  EXPECT_EQ(Told(kA), Words{"g [ +1 ]"}) << "nothing shows yet that the server has begun again";
  Open(kB, /*came_back=*/true);
  Watch(kB, "g");
  EXPECT_EQ(Told(kB), Words{"g report"});
  List(kB, "g", {2});
  Open(kC, /*came_back=*/true);
  EXPECT_EQ(Told(kB), Words{});
  Told(kC);
  List(kC, "g", {3});
  Pass(options_.settle);
  EXPECT_EQ(Told(kA), Words{"g [ +1 +2 +3 ]"});
  EXPECT_EQ(Told(kB), Words{"g [ +1 +2 +3 ]"});
}

TEST_F(PresenceTest, AServerThatKnewPublishersWaitsToo) {
  tables().ExpectWorkers(clock_.Now());
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  EXPECT_EQ(Told(kA), Words{});
  Pass(options_.settle);
  EXPECT_EQ(Told(kA), Words{"g [ +1 ]"});
}

TEST_F(PresenceTest, AWorkerIsToldTheMembersOfItsConnections) {
  session_ = "s";
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kA);
  Told(kB);
  List(kA, "g", {1});
  List(kB, "g", {});
  EXPECT_EQ(Told(kA), Words{"g [ +1 ]"});
  Report(kB, "g", {}, {2});
  EXPECT_EQ(Told(kB), Words{"g 2=1 since 1001"});
  EXPECT_EQ(Told(kA), Words{}) << "it knows that already, and its view has not changed";
  Open(kB, /*came_back=*/true);
  EXPECT_EQ(Told(kB), Words{"g report"});
  List(kB, "g", {2});
  EXPECT_EQ(Told(kB), Words{"g 2=1 since 1001"}) << "it has shown that it does not know it";
}

TEST_F(PresenceTest, ManyIdsOfMembersGoInFrames) {
  options_.frame_bytes = 1;
  session_ = "s";
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1, 2, 3});
  Words told;
  for (int i = 0; i < 5; ++i) {
    for (const std::string& words : Told(kA)) told.push_back(words);
    Confirm(kA);
  }
  EXPECT_EQ(told, (Words{"g [ +1 2=1 since 1001", "g 3=1 since 1001 ]"}));
}

TEST_F(PresenceTest, AConnectionThatHasLeftIsNotTold) {
  session_ = "s";
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  Told(kA);
  Report(kA, "g", {}, {2});
  Report(kA, "g", {}, {}, {2});
  EXPECT_EQ(Told(kA), Words{});
}

TEST_F(PresenceTest, AHoleInTheNumbersBeginsTheStreamAgain) {
  Open(kA);
  PresenceFrame lost;
  Told(kA);
  PresenceFrame frame;
  frame.set_stream(1);
  frame.set_number(3);
  tables().OnFrame(kA, frame, clock_.Now());
  EXPECT_EQ(Told(kA), Words{"unknown"});
  Open(kA);
  Watch(kA, "g");
  EXPECT_EQ(Told(kA), Words{"g report"});
}

TEST_F(PresenceTest, AStreamThatTheServerDoesNotKnowBeginsAgain) {
  PresenceFrame frame;
  frame.set_stream(7);
  frame.set_number(2);
  tables().OnFrame(kA, frame, clock_.Now());
  EXPECT_EQ(Told(kA), Words{"unknown"});
}

TEST_F(PresenceTest, AGroupWithTooManyMembersIsRefused) {
  options_.members_per_group_max = 2;
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1, 2, 3});
  EXPECT_EQ(Told(kA), Words{"g enough TOO_MANY_MEMBERS"});
  EXPECT_EQ(tables().group_count(), 0u);
}

TEST_F(PresenceTest, TooManyBytesAreRefused) {
  options_.bytes_max = 10'000;
  info_bytes_ = 3'000;
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1, 2, 3});
  EXPECT_EQ(Told(kA), Words{"g enough TOO_MANY_BYTES"});
  EXPECT_EQ(tables().bytes(), 0u);
}

TEST_F(PresenceTest, TheLargestTableGoesFirst) {
  options_.bytes_max = 13'000;
  info_bytes_ = 1'000;
  Open(kA);
  for (const char* const group_id : {"large", "small", "other"}) Watch(kA, group_id);
  Told(kA);
  List(kA, "large", {1, 2, 3, 4, 5});
  List(kA, "small", {6});
  List(kA, "other", {7});
  Told(kA);
  Report(kA, "small", {}, {8});
  EXPECT_EQ(Told(kA), (Words{"small +8", "large enough TOO_MANY_BYTES"}))
      << "not the one that has grown last";
  Report(kA, "other", {}, {9, 10, 11, 12, 13});
  EXPECT_EQ(Told(kA), Words{"other +9 +10 +11 +12 +13"}) << "there is room again";
  Report(kA, "other", {}, {14});
  EXPECT_EQ(Told(kA), Words{"other enough TOO_MANY_BYTES"});
  Watch(kA, "small", false);
  EXPECT_EQ(Told(kA), Words{"small enough"});
  EXPECT_EQ(tables().bytes(), 0u);
}

TEST_F(PresenceTest, TooManyWatchesAreRefused) {
  options_.groups_per_watcher_max = 1;
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  Watch(kA, "h");
  EXPECT_EQ(Told(kA), Words{"h TOO_MANY_WATCHES"});
  EXPECT_EQ(tables().group_count(), 1u);
}

TEST_F(PresenceTest, AnEndedWatchMakesRoomForAnotherOne) {
  options_.groups_per_watcher_max = 1;
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  Watch(kA, "h");  // is refused, and not told yet
  Watch(kA, "g", false);
  Watch(kA, "h");
  EXPECT_EQ(Told(kA), (Words{"h report", "g enough"}));
}

TEST_F(PresenceTest, TooManyGroupsAreRefused) {
  options_.groups_max = 1;
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kB);
  Watch(kB, "h");
  EXPECT_EQ(Told(kB), Words{"h TOO_MANY_WATCHES"});
}

TEST_F(PresenceTest, WorkersOverTheBoundWaitUntilDeadOnesAreForgotten) {
  options_.workers_max = 1;
  Open(kA);
  Told(kA);
  sink_.reachable[kA] = BrokerSink::Sent::kGone;
  Open(kB);
  EXPECT_EQ(Told(kB), Words{});
  EXPECT_EQ(sink_.frames[kB], 0);
  Pass(options_.groups.lease + options_.probe_period);
  Pass(options_.probe_period);
  Open(kB);
  Watch(kB, "g");
  EXPECT_EQ(Told(kB), Words{"g report"});
}

TEST_F(PresenceTest, AFrameOfAWorkerThatWasTakenForLostBeginsTheStreamAgain) {
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kA);
  Told(kB);
  sink_.reachable[kB] = BrokerSink::Sent::kGone;
  Pass(options_.probe_period);
  sink_.reachable[kB] = BrokerSink::Sent::kSent;
  Confirm(kB);
  EXPECT_EQ(Told(kB), Words{"unknown"});
}

TEST_F(PresenceTest, AMemberThatChangesTwiceIsToldOnce) {
  Open(kA);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {});
  Told(kA);
  Report(kA, "g", {}, {4});
  info_bytes_ = 5;
  Report(kA, "g", {}, {4});
  EXPECT_EQ(Told(kA), Words{"g +4"});
}

TEST_F(PresenceTest, ATurnHasABudget) {
  options_.turn_bytes = 1;
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  EXPECT_EQ(Told(kA), Words{"g report"});
  EXPECT_EQ(std::exchange(sink_.told[kB], {}), Words{});
  EXPECT_TRUE(tables().has_more());
  EXPECT_EQ(Told(kB), Words{"g report"});
}

TEST_F(PresenceTest, AWatchThatEndsAtOnceIsToldToNobody) {
  Open(kA);
  Open(kB);
  Told(kB);
  Watch(kA, "g");
  EXPECT_GT(tables().bytes(), 0u) << "a group without members takes some too";
  Watch(kA, "g", false);
  EXPECT_EQ(Told(kB), Words{});
  EXPECT_EQ(tables().group_count(), 0u);
}

TEST_F(PresenceTest, IdsOfMembersNeedNoWatchOfTheirWorker) {
  options_.frame_bytes = 1;
  session_ = "s";
  Open(kA);
  Open(kB);
  Watch(kA, "g");
  Told(kA);
  List(kA, "g", {1});
  Told(kA);
  Told(kB);
  List(kB, "g", {2, 3});
  Confirm(kB);
  EXPECT_EQ(Told(kB), Words{"g 2=1 since 1001"});
  Confirm(kB);
  EXPECT_EQ(Told(kB), Words{"g 3=1 since 1001"});
}

TEST_F(PresenceTest, AFrameOfAnEarlierConnectionIsIgnored) {
  Open(kA);
  Open(kA);
  PresenceFrame old;
  old.set_stream(1);
  old.set_number(2);
  Wire* const group = old.add_groups();
  group->set_group_id("g");
  group->set_watch(Wire::ON);
  tables().OnFrame(kA, old, clock_.Now());
  EXPECT_EQ(Told(kA), Words{});
  EXPECT_EQ(tables().group_count(), 0u);
}

}  // namespace
}  // namespace groupcast::service
