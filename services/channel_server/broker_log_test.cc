#include "services/channel_server/broker_log.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel_server/log/testing/memory_storage.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

constexpr PublisherId kPublisher{1};
constexpr int kGroups = 3'000;  // three parts of a snapshot

// A channel server without sockets: it dies with its end of life, and its storage stays.
class Life final : private BrokerSink {
 public:
  explicit Life(MemoryStorage* storage, const GroupLogOptions& options = {.boot_id = "boot"},
                bool begin_new_epoch = false, Epoch first = Epoch{7},
                const RetentionOptions& retention = {})
      : broker_(
            {.new_epoch = [next = static_cast<uint64_t>(first)]() mutable { return Epoch{next++}; },
             .has_log = true,
             .record_room_bytes = GroupLog::kRecordHeaderBytes,
             .retention = retention},
            &clock_, &clock_) {
    storage->Kill();
    absl::StatusOr<std::unique_ptr<BrokerLog>> log =
        BrokerLog::Open(options, begin_new_epoch, clock_.Now(), storage, &broker_, &report);
    EXPECT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    broker_.BeginTurn();
    channel::v1::Hello hello;
    hello.set_first_unacknowledged(1);
    EXPECT_TRUE(broker_.OnControl(kPublisher, ControlFrame(ControlKind::kHello, hello), this).ok());
    EXPECT_TRUE(EndTurn().ok());
  }

  void Publish(absl::string_view group_id) {
    frames_.push_back(LiveFramePrefix(group_id, {.kind = LiveKind::kPublication,
                                                 .publisher = kPublisher,
                                                 .number = ++number_}) +
                      "body");
    EXPECT_TRUE(broker_.OnPublication(absl::MakeSpan(frames_.back())).ok());
  }
  // And the log's step after it.
  absl::Status EndTurn() {
    const absl::Status written = broker_.EndTurn(this);
    frames_.clear();
    broker_.BeginTurn();
    const absl::Status kept = log_->Step(clock_.Now());
    return written.ok() ? kept : written;
  }
  void Pass(absl::Duration time) { clock_.Advance(time); }
  // The number of the group's messages that can be read.
  size_t History(absl::string_view group_id) {
    channel::v1::FetchHistory fetch;
    fetch.set_group_id(std::string(group_id));
    EXPECT_TRUE(
        broker_.OnControl(kPublisher, ControlFrame(ControlKind::kFetchHistory, fetch), this).ok());
    broker_.AnswerQuestions(this);
    return static_cast<size_t>(history_.messages_size());
  }
  // Goes on in another storage.
  absl::Status TakeUp(MemoryStorage* storage) {
    absl::StatusOr<std::unique_ptr<BrokerLog>> log =
        BrokerLog::OpenEmpty({.boot_id = "boot"}, clock_.Now(), storage, &broker_);
    if (log.ok()) log_ = *std::move(log);
    return log.status();
  }

  const Broker& broker() const { return broker_; }
  BrokerLog& log() { return *log_; }
  RecoveryReport report;

 private:
  absl::Status WriteLog(std::string* record) override { return log_->Append(record); }
  bool HandOut(size_t) override { return true; }
  bool Announce(absl::string_view) override { return true; }
  Sent SendControl(PublisherId, absl::string_view frame) override {
    const ControlView control = *ParseControlFrame(frame);
    channel::v1::HelloReply reply;
    if (control.kind == ControlKind::kHelloReply) {
      EXPECT_TRUE(reply.ParseFromString(std::string(control.body)));
      number_ = reply.last_accepted();
    } else if (control.kind == ControlKind::kHistory) {
      EXPECT_TRUE(history_.ParseFromString(std::string(control.body)));
    }
    return Sent::kSent;
  }

  FakeClock clock_;
  Broker broker_;
  std::unique_ptr<BrokerLog> log_;
  std::deque<std::string> frames_;
  uint64_t number_ = 0;
  channel::v1::History history_;
};

class BrokerLogTest : public testing::Test {
 protected:
  static void PublishToAll(Life* life) {
    for (int i = 0; i < kGroups; ++i) life->Publish(absl::StrCat("group ", i));
    EXPECT_TRUE(life->EndTurn().ok());
  }
  // The number of turns that the snapshot of a rotation takes.
  static int Rotate(Life* life) {
    life->Pass(absl::Minutes(1));
    const size_t segments = life->log().segment_count();
    while (life->log().segment_count() == segments) EXPECT_TRUE(life->EndTurn().ok());
    int turns = 1;  // the segment begins with a first part
    for (; life->log().in_snapshot(); ++turns) EXPECT_TRUE(life->EndTurn().ok());
    return turns;
  }

  MemoryStorage storage_;
};

// The log does not have the bounds of histories. A start applies its own.
TEST_F(BrokerLogTest, ARestoredGroupHasTheHistoryOfItsPrefix) {
  RetentionOptions retention;
  retention.histories = {{"few.", {.messages_max = 2}},
                         {"short.", {.messages_max = 9, .age_max = absl::Seconds(90)}}};
  const auto publish = [](Life* life) {
    for (int i = 0; i < 5; ++i) {
      for (const char* const group : {"few.x", "short.x", "x"}) life->Publish(group);
      EXPECT_TRUE(life->EndTurn().ok());
    }
  };
  // A stall of more than some seconds counts as short, so time passes in steps.
  const auto pass = [](Life* life, int seconds) {
    for (int i = 0; i < seconds; ++i) {
      life->Pass(absl::Seconds(1));
      EXPECT_TRUE(life->EndTurn().ok());  // the next turn begins with the new time
      EXPECT_TRUE(life->EndTurn().ok());
    }
  };
  const GroupLogOptions log{.boot_id = "boot"};
  {
    Life life(&storage_, log, false, Epoch{7}, retention);
    publish(&life);
  }
  Life next(&storage_, log, false, Epoch{7}, retention);
  pass(&next, 59);
  EXPECT_EQ(next.History("few.x"), 5u);
  pass(&next, 1);
  EXPECT_EQ(next.History("few.x"), 2u);
  EXPECT_EQ(next.History("short.x"), 5u);
  EXPECT_EQ(next.History("x"), 5u);
  pass(&next, 29);
  EXPECT_EQ(next.History("short.x"), 5u);
  pass(&next, 1);
  EXPECT_EQ(next.History("short.x"), 0u);
  EXPECT_EQ(next.History("few.x"), 2u);
  EXPECT_EQ(next.History("x"), 5u);
}

TEST_F(BrokerLogTest, ARotationTakesOnePartInATurn) {
  Life life(&storage_);
  PublishToAll(&life);
  EXPECT_EQ(Rotate(&life), 3);
  EXPECT_EQ(life.log().segment_count(), 2u);
}

TEST_F(BrokerLogTest, TheSegmentOfARotationNeedsNoneBeforeIt) {
  {
    Life life(&storage_);
    PublishToAll(&life);
    Rotate(&life);
    life.Publish("group 1");
    ASSERT_TRUE(life.EndTurn().ok());
  }
  ASSERT_TRUE(storage_.Remove("log-0000000000000001").ok());
  const Life next(&storage_);
  EXPECT_EQ(next.broker().group_count(), static_cast<size_t>(kGroups));
  EXPECT_EQ(next.broker().last_offset(), static_cast<uint64_t>(kGroups) + 1);
  EXPECT_EQ(next.broker().epoch(), Epoch{7});
}

// At each step of a rotation, with a turn in between: nothing is lost and nothing is told as lost.
TEST_F(BrokerLogTest, AnEndInTheMiddleOfARotationLosesNothing) {
  for (int steps = 0; steps <= 6; ++steps) {
    SCOPED_TRACE(steps);
    MemoryStorage storage;
    uint64_t last_offset = 0;
    {
      Life life(&storage);
      PublishToAll(&life);
      life.Pass(absl::Minutes(1));
      for (int i = 0; i < steps; ++i) {
        life.Publish(absl::StrCat("group ", 400 * i));
        ASSERT_TRUE(life.EndTurn().ok());
      }
      last_offset = life.broker().last_offset();
    }
    const Life next(&storage);
    EXPECT_FALSE(next.report.tail_may_be_missing);
    EXPECT_EQ(next.report.torn_bytes, 0u);
    EXPECT_EQ(next.broker().last_offset(), last_offset);
    EXPECT_EQ(next.broker().group_count(), static_cast<size_t>(kGroups));
    EXPECT_EQ(next.broker().epoch(), Epoch{7});
  }
}

TEST_F(BrokerLogTest, ASnapshotThatFindsNoRoomIsBegunAnewLater) {
  Life life(&storage_);
  PublishToAll(&life);
  life.Pass(absl::Minutes(1));
  ASSERT_TRUE(life.EndTurn().ok());
  storage_.set_bytes_left(10'000);
  EXPECT_EQ(life.EndTurn().code(), absl::StatusCode::kResourceExhausted);
  // Nobody turns in circles for it.
  EXPECT_FALSE(life.log().in_snapshot());
  storage_.set_bytes_left(std::nullopt);
  EXPECT_TRUE(life.EndTurn().ok());
  EXPECT_FALSE(life.log().in_snapshot());
  life.Pass(absl::Seconds(1));
  int turns = 0;
  do {
    EXPECT_TRUE(life.EndTurn().ok());
    ++turns;
  } while (life.log().in_snapshot());
  EXPECT_EQ(turns, 3);
}

// ---- A log that begins anew.

TEST_F(BrokerLogTest, RestartsDoNotPileUpSegments) {
  constexpr int kRestarts = 500;
  constexpr int kFewGroups = 300;
  size_t segments_max = 0;
  uint64_t bytes_max = 0;
  for (int i = 0; i < kRestarts; ++i) {
    Life life(&storage_);
    for (int group = 0; i == 0 && group < kFewGroups; ++group) {
      life.Publish(absl::StrCat("group ", group));
    }
    ASSERT_TRUE(life.EndTurn().ok());
    ASSERT_EQ(life.broker().last_offset(), static_cast<uint64_t>(kFewGroups + i));
    ASSERT_FALSE(life.report.tail_may_be_missing);
    life.Publish("group 1");
    ASSERT_TRUE(life.EndTurn().ok());
    const std::vector<std::string> names = *storage_.List();
    uint64_t bytes = 0;
    for (const std::string& name : names) bytes += storage_.contents(name).size();
    segments_max = std::max(segments_max, names.size());
    bytes_max = std::max(bytes_max, bytes);
  }
  RecordProperty("segments", static_cast<int>(segments_max));
  RecordProperty("bytes", static_cast<int>(bytes_max));
  EXPECT_LE(segments_max, GroupLogOptions().segments_at_start_max + 1);
  EXPECT_LE(bytes_max, 500'000u);  // a snapshot has 6 KB, and an image up to 80 KB
  Life last(&storage_);
  EXPECT_EQ(last.History("group 1"), static_cast<size_t>(kRestarts) + 1);
  EXPECT_EQ(last.History("group 2"), 1u);
}

// The messages are in the segments that are there. The next start with room begins anew.
TEST_F(BrokerLogTest, WithoutRoomForAnImageAStartGoesOnInAFurtherSegment) {
  constexpr uint64_t kMessages = 500;
  const GroupLogOptions options{.segments_at_start_max = 3, .boot_id = "boot"};
  {
    Life life(&storage_, options);
    for (uint64_t i = 0; i < kMessages; ++i) life.Publish("group 1");
    ASSERT_TRUE(life.EndTurn().ok());
  }
  { const Life second(&storage_, options); }
  { const Life third(&storage_, options); }
  ASSERT_EQ(storage_.List()->size(), 3u);
  storage_.set_bytes_left(5'000);
  {
    Life life(&storage_, options);
    EXPECT_EQ(life.log().segment_count(), 4u);
    life.Publish("group 1");
    ASSERT_TRUE(life.EndTurn().ok());
  }
  storage_.set_bytes_left(std::nullopt);
  Life next(&storage_, options);
  EXPECT_EQ(next.broker().last_offset(), kMessages + 1);
  EXPECT_EQ(next.log().segment_count(), 1u);
  EXPECT_EQ(storage_.List()->size(), 1u);
}

// Before the earlier segments are gone, too.
TEST_F(BrokerLogTest, AnImageStandsForAllSegmentsBeforeIt) {
  for (const bool can_remove : {true, false}) {
    MemoryStorage storage;
    Life life(&storage);
    PublishToAll(&life);
    Rotate(&life);
    life.Publish("group 1");
    ASSERT_TRUE(life.EndTurn().ok());
    MemoryStorage with_old_ones = storage;
    ASSERT_TRUE(life.log().StartAnew(absl::UnixEpoch()).ok());
    EXPECT_EQ(life.log().segment_count(), 1u);
    EXPECT_EQ(storage.List()->size(), 1u);
    life.Publish("group 1");
    ASSERT_TRUE(life.EndTurn().ok());
    if (!can_remove) {
      const std::vector<std::string> names = *storage.List();
      for (const std::string& name : names) {
        with_old_ones.Put(name, std::string(storage.contents(name)));
      }
    }
    Life next(can_remove ? &storage : &with_old_ones);
    EXPECT_EQ(next.broker().last_offset(), static_cast<uint64_t>(kGroups) + 2);
    EXPECT_EQ(next.History("group 1"), 3u);
    EXPECT_EQ(next.broker().retained_bytes(), life.broker().retained_bytes());
  }
}

TEST_F(BrokerLogTest, ALogThatFindsNoRoomToBeginAnewGoesOnAsItWas) {
  {
    Life life(&storage_);
    PublishToAll(&life);
    storage_.set_bytes_left(10'000);
    EXPECT_EQ(life.log().StartAnew(absl::UnixEpoch()).code(), absl::StatusCode::kResourceExhausted);
    life.Publish("group 1");
    EXPECT_TRUE(life.EndTurn().ok());
    storage_.set_bytes_left(std::nullopt);
  }
  Life next(&storage_);
  EXPECT_EQ(next.History("group 1"), 2u);
}

TEST_F(BrokerLogTest, ALogBeginsAnewAfterTheSegmentThatIsBeingCreated) {
  storage_.set_create_takes(3);
  Life life(&storage_);
  PublishToAll(&life);
  life.Pass(absl::Minutes(1));
  ASSERT_TRUE(life.EndTurn().ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(life.log().StartAnew(absl::UnixEpoch()).code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_TRUE(life.log().StartAnew(absl::UnixEpoch()).ok());
  EXPECT_FALSE(life.log().in_snapshot());
  EXPECT_EQ(storage_.newest(), "log-0000000000000003");
  EXPECT_EQ(storage_.List()->size(), 1u);
  Life next(&storage_);
  EXPECT_EQ(next.History("group 1"), 1u);
}

// The snapshot of the present segment is in progress then. It restarts, and leaves no group out.
TEST_F(BrokerLogTest, AnImageWithoutRoomLeavesTheSnapshotWhole) {
  for (const bool in_other_storage : {false, true}) {
    SCOPED_TRACE(in_other_storage);
    MemoryStorage storage;
    MemoryStorage other;
    {
      Life life(&storage);
      PublishToAll(&life);
      life.Pass(absl::Minutes(1));
      while (!life.log().in_snapshot()) ASSERT_TRUE(life.EndTurn().ok());
      MemoryStorage* const full = in_other_storage ? &other : &storage;
      full->set_bytes_left(10'000);
      const absl::Status begun =
          in_other_storage ? life.TakeUp(&other) : life.log().StartAnew(absl::UnixEpoch());
      ASSERT_EQ(begun.code(), absl::StatusCode::kResourceExhausted);
      full->set_bytes_left(std::nullopt);
      while (life.log().in_snapshot()) ASSERT_TRUE(life.EndTurn().ok());
    }
    ASSERT_TRUE(storage.Remove("log-0000000000000001").ok());
    const Life next(&storage);
    EXPECT_EQ(next.broker().group_count(), static_cast<size_t>(kGroups));
  }
}

// All of the state goes into an empty storage, and the next start needs nothing else.
TEST_F(BrokerLogTest, ARunningBrokerTakesUpAnEmptyStorage) {
  Life life(&storage_);
  PublishToAll(&life);
  MemoryStorage other;
  EXPECT_EQ(life.TakeUp(&storage_).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(life.TakeUp(&other).ok());
  life.Publish("group 1");
  ASSERT_TRUE(life.EndTurn().ok());
  Life next(&other);
  EXPECT_EQ(next.History("group 1"), 2u);
  EXPECT_EQ(next.broker().group_count(), static_cast<size_t>(kGroups));
}

TEST_F(BrokerLogTest, AMissingSegmentIsNoticed) {
  Life life(&storage_);
  PublishToAll(&life);
  Rotate(&life);
  EXPECT_TRUE(life.log().Check().ok());
  ASSERT_TRUE(storage_.Remove("log-0000000000000001").ok());
  EXPECT_EQ(life.log().Check().code(), absl::StatusCode::kOutOfRange);
  ASSERT_TRUE(life.log().StartAnew(absl::UnixEpoch()).ok());
  EXPECT_TRUE(life.log().Check().ok());
  ASSERT_TRUE(storage_.Remove(storage_.newest()).ok());
  EXPECT_EQ(life.log().Check().code(), absl::StatusCode::kDataLoss);
}

// ---- The epoch at a start. A process takes 20 for a new log, and 21 for another history.

constexpr Epoch kOfANewLog{20};
constexpr Epoch kOfAnotherHistory{21};

TEST_F(BrokerLogTest, TheOperatorsNewEpochBeginsAnotherHistoryAndStays) {
  {
    Life life(&storage_);
    life.Publish("x");
    ASSERT_TRUE(life.EndTurn().ok());
  }
  // The log already says so, even if this process ends before its first turn.
  for (int turns : {0, 1}) {
    MemoryStorage storage = storage_;
    {
      Life life(&storage, {.boot_id = "boot"}, /*begin_new_epoch=*/true, kOfANewLog);
      EXPECT_EQ(life.broker().epoch(), kOfAnotherHistory);
      EXPECT_EQ(life.broker().last_offset(), 1u);
      EXPECT_FALSE(life.report.tail_may_be_missing);
      if (turns == 1) {
        life.Publish("x");
        ASSERT_TRUE(life.EndTurn().ok());
      }
    }
    const Life next(&storage, {.boot_id = "boot"}, false, Epoch{30});
    EXPECT_EQ(next.broker().epoch(), kOfAnotherHistory);
    EXPECT_EQ(next.broker().last_offset(), 1u + static_cast<uint64_t>(turns));
  }
}

TEST_F(BrokerLogTest, WithoutALogTheOperatorsNewEpochIsTheFirst) {
  const Life life(&storage_, {.boot_id = "boot"}, /*begin_new_epoch=*/true, kOfANewLog);
  EXPECT_EQ(life.broker().epoch(), kOfANewLog);
}

TEST_F(BrokerLogTest, OnlyTheOperatorOrAMissingTailBeginsAnotherHistory) {
  {
    Life life(&storage_);
    life.Publish("x");
    ASSERT_TRUE(life.EndTurn().ok());
  }
  MemoryStorage same_boot = storage_;
  EXPECT_EQ(Life(&same_boot, {.boot_id = "boot"}, false, kOfANewLog).broker().epoch(), Epoch{7});
  MemoryStorage other_boot = storage_;
  EXPECT_EQ(Life(&other_boot, {.boot_id = "other"}, false, kOfANewLog).broker().epoch(),
            kOfAnotherHistory);
}

// ---- Errors of the storage.

TEST_F(BrokerLogTest, ALogThatCannotBeOpenedOrStartedIsTold) {
  FakeClock clock;
  const auto open = [&] {
    Broker broker({.new_epoch = [] { return Epoch{7}; },
                   .has_log = true,
                   .record_room_bytes = GroupLog::kRecordHeaderBytes},
                  &clock, &clock);
    RecoveryReport report;
    return BrokerLog::Open({}, false, clock.Now(), &storage_, &broker, &report).status();
  };
  storage_.set_can_sync(false);
  EXPECT_EQ(open().code(), absl::StatusCode::kInternal);
  storage_.set_can_sync(true);
  EXPECT_TRUE(open().ok());
  storage_.Put("log-0000000000000001", "another thing");
  EXPECT_EQ(open().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(BrokerLogTest, ASegmentThatCannotBeMadeIsTold) {
  Life life(&storage_);
  life.Publish("x");
  ASSERT_TRUE(life.EndTurn().ok());
  life.Pass(absl::Minutes(1));
  storage_.set_bytes_left(0);
  absl::Status status;
  for (int turn = 0; turn < 3 && status.ok(); ++turn) status = life.EndTurn();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(BrokerLogTest, ADiskThatIsFullAtTheStartIsASentence) {
  storage_.set_bytes_left(10);
  FakeClock clock;
  Broker broker({.new_epoch = [] { return Epoch{7}; }, .has_log = true}, &clock, &clock);
  RecoveryReport report;
  const absl::Status status =
      BrokerLog::Open({}, false, clock.Now(), &storage_, &broker, &report).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("make room there and start again"), absl::string_view::npos);
}

}  // namespace
}  // namespace groupcast::service
