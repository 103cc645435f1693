// Random lives of a channel server with a log that rotates all the time. From whichever segment a
// log begins, as long as its snapshot is whole, a new process knows what the old one knew.

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/channel_server/broker_log.h"
#include "services/channel_server/log/testing/memory_storage.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

constexpr int kGroups = 12;
constexpr uint64_t kPublishers = 3;
constexpr Epoch kFirstEpoch{7};

std::string Id(int group) { return absl::StrCat("g", group); }

class Server final : private BrokerSink {
 public:
  Server(MemoryStorage* storage, const FakeClock& calendar, std::mt19937* random)
      : calendar_(calendar),
        random_(random),
        broker_({.new_epoch = [epoch = uint64_t{7}]() mutable { return Epoch{epoch++}; },
                 .has_log = true,
                 .record_room_bytes = GroupLog::kRecordHeaderBytes,
                 .retention = {.history_age_max = absl::Seconds(2),
                               .repair_retention = absl::Seconds(1)},
                 .idle_groups_max = 2,
                 .groups_per_snapshot_part = 1 + Below(3)},
                &clock_, &calendar_) {
    RecoveryReport report;
    absl::StatusOr<std::unique_ptr<BrokerLog>> log = BrokerLog::Open(
        {.segment_age_max = absl::Milliseconds(500), .keep = absl::Hours(1), .boot_id = "boot"},
        false, clock_.Now(), storage, &broker_, &report);
    EXPECT_TRUE(log.ok()) << log.status();
    EXPECT_FALSE(report.tail_may_be_missing);
    log_ = *std::move(log);
    broker_.BeginTurn();
  }

  // Does something that a turn may have, and sometimes ends the turn.
  void Step() {
    switch (Below(10)) {
      case 0:
        Give(broker_.OnSubscription(TopicOf(Id(Below(kGroups)))));
        break;
      case 1:
        Give(broker_.OnUnsubscription(TopicOf(Id(Below(kGroups)))));
        break;
      case 2:
        Pass(absl::Milliseconds(Below(700)));
        break;
      case 3:
        has_room_ = Below(3) > 0;
        break;
      case 4:
        // Rarely: a worker that is ahead of the log.
        if (Below(20) == 0) Hello(1, 1'000'000);
        break;
      case 5:
      case 6:
        EndTurn();
        break;
      default:
        Publish(1 + static_cast<uint64_t>(Below(kPublishers)), Id(Below(kGroups)));
    }
  }
  // Until nothing waits.
  void ComeToRest() {
    has_room_ = true;
    do EndTurn();
    while (broker_.handing_out());
    EndTurn();  // an epoch may have begun at the end of the last one
  }

  // What it answers: epoch, heads, and last numbers.
  std::string Knowledge() {
    std::string words = absl::StrCat("epoch ", static_cast<uint64_t>(broker_.epoch()), " offset ",
                                     broker_.last_offset());
    for (int group = 0; group < kGroups; ++group) {
      channel::v1::FetchHistory fetch;
      fetch.set_group_id(Id(group));
      Give(
          broker_.OnControl(PublisherId{1}, ControlFrame(ControlKind::kFetchHistory, fetch), this));
      broker_.AnswerQuestions(this);
      absl::StrAppend(&words, ", ", Id(group), " ", head_);
    }
    for (uint64_t id = 1; id <= kPublishers; ++id) {
      Hello(id);
      absl::StrAppend(&words, ", publisher ", id, " at ", last_accepted_);
    }
    return words;
  }
  const FakeClock& calendar() const { return calendar_; }

 private:
  int Below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(*random_); }
  static void Give(const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; }

  void Hello(uint64_t id, uint64_t highest_offset = 0) {
    channel::v1::Hello hello;
    hello.set_first_unacknowledged(1);
    hello.set_epoch(static_cast<uint64_t>(broker_.epoch()));
    hello.set_highest_offset(highest_offset);
    Give(broker_.OnControl(PublisherId{id}, ControlFrame(ControlKind::kHello, hello), this));
  }

  void Publish(uint64_t publisher, const std::string& group_id) {
    if (broker_.handing_out()) return;
    Hello(publisher);
    std::string& frame = frames_.emplace_back(
        LiveFramePrefix(group_id, {.kind = LiveKind::kPublication,
                                   .publisher = PublisherId{publisher},
                                   .number = last_accepted_ + 1 + taken_[publisher]}) +
        "body");
    if (broker_.OnPublication(absl::MakeSpan(frame)).ok()) ++taken_[publisher];
  }

  void EndTurn() {
    Give(broker_.EndTurn(this));
    if (!broker_.handing_out()) {
      frames_.clear();
      for (uint64_t& taken : taken_) taken = 0;
    }
    broker_.BeginTurn();
    Give(log_->Step(clock_.Now()));
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    calendar_.Advance(time);
  }

  // What is retained leads from the floor to the head without a hole.
  static void CheckChain(const channel::v1::History& history) {
    uint64_t last = history.floor();
    for (const std::string& bytes : history.messages()) {
      const LiveFrame frame = *ParseLiveFrame(bytes);
      EXPECT_EQ(frame.header.previous, last);
      last = frame.header.offset;
    }
    EXPECT_EQ(last, history.head());
  }

  absl::Status WriteLog(std::string* record) override { return log_->Append(record); }
  bool HandOut(size_t) override { return has_room_; }
  bool Announce(absl::string_view) override { return has_room_; }
  Sent SendControl(PublisherId, absl::string_view frame) override {
    const ControlView view = *ParseControlFrame(frame);
    if (view.kind == ControlKind::kHistory) {
      channel::v1::History history;
      EXPECT_TRUE(history.ParseFromString(std::string(view.body)));
      CheckChain(history);
      head_ = history.head();
    } else if (view.kind == ControlKind::kHelloReply) {
      channel::v1::HelloReply reply;
      EXPECT_TRUE(reply.ParseFromString(std::string(view.body)));
      last_accepted_ = reply.last_accepted();
    }
    return Sent::kSent;
  }

  FakeClock clock_;
  FakeClock calendar_;
  std::mt19937* const random_;
  Broker broker_;
  std::unique_ptr<BrokerLog> log_;
  std::deque<std::string> frames_;
  uint64_t taken_[kPublishers + 1] = {};  // of the present turn
  bool has_room_ = true;
  uint64_t head_ = 0;
  uint64_t last_accepted_ = 0;
};

bool HasWholeSnapshot(const std::string& segment) {
  RecordReader reader(segment);
  while (reader.Next() == RecordReader::Result::kRecord) {
    if (reader.kind() == RecordKind::kSnapshotEnd) return true;
  }
  return false;
}

TEST(BrokerLogRandomTest, EverySegmentWithAWholeSnapshotCanBeTheFirst) {
  int beginnings = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    MemoryStorage storage;
    storage.set_create_takes(1 + static_cast<int>(seed % 4));
    std::string knowledge;
    FakeClock calendar;
    {
      Server server(&storage, calendar, &random);
      for (int i = 0; i < 400; ++i) server.Step();
      server.ComeToRest();
      calendar = server.calendar();
      knowledge = server.Knowledge();
    }
    std::vector<std::string> names = *storage.List();
    for (size_t first = 0; first < names.size(); ++first) {
      if (!HasWholeSnapshot(*storage.Read(names[first]))) continue;
      MemoryStorage from_here = storage;
      from_here.Kill();
      for (size_t i = 0; i < first; ++i) ASSERT_TRUE(from_here.Remove(names[i]).ok());
      ++beginnings;
      EXPECT_EQ(Server(&from_here, calendar, &random).Knowledge(), knowledge) << names[first];
      if (testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(beginnings, 1'000);
}

}  // namespace
}  // namespace groupcast::service
