// What LogRecovery takes for a torn write, what for damage, and what it says was lost.

#include "services/channel_server/log/log_recovery.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel_server/log/testing/memory_storage.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kThisBoot[] = "boot a";
constexpr char kOtherBoot[] = "boot b";

using Strings = std::vector<std::string>;

class Collector final : public GroupLogVisitor {
 public:
  absl::Status OnSnapshotPart(absl::string_view) override { return absl::OkStatus(); }
  void OnSnapshotEnd() override { ++snapshots; }
  absl::Status OnTurn(absl::string_view turn) override {
    turns.emplace_back(turn);
    return absl::OkStatus();
  }
  Strings turns;
  int snapshots = 0;
};

std::string Record(RecordKind kind, absl::string_view payload) {
  std::string record;
  AddRecord(kind, payload, &record);
  return record;
}

std::string Head(uint64_t number, FsyncMode fsync) {
  return SegmentHeader(number) +
         Record(RecordKind::kStart,
                absl::StrCat(std::string(1, static_cast<char>(fsync)), kThisBoot));
}

// A segment with a snapshot and one turn.
std::string Segment(uint64_t number, FsyncMode fsync, absl::string_view turn) {
  return absl::StrCat(Head(number, fsync), Record(RecordKind::kSnapshot, "state"),
                      Record(RecordKind::kSnapshotEnd, ""), Record(RecordKind::kTurn, turn));
}

// What a recovery in `boot` says.
struct Recovered {
  Recovered(MemoryStorage* storage, absl::string_view boot) {
    const auto segments = LogRecovery(boot, storage, &visited, &report).Read();
    status = segments.status();
    if (!segments.ok()) return;
    for (const LogRecovery::Segment& segment : *segments) numbers.push_back(segment.number);
  }
  Collector visited;
  RecoveryReport report;
  absl::Status status;
  std::vector<uint64_t> numbers;
};

// ---- A torn record.

enum class Outcome {
  kDamaged,  // refused, and nothing was changed
  kCut,      // cut off, and nothing else can be missing
  kMissing,  // cut off, and the tail may be missing
};

std::string Flipped(std::string bytes, size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
  return bytes;
}

struct Tail {
  const char* name;
  std::string bytes;
  // In the last segment, and in the one before it. Each: for this boot and then another, with
  // kInterval and then kAlways.
  Outcome last[2][2];
  Outcome before[2][2];
};

std::vector<Tail> Tails() {
  using enum Outcome;
  const std::string turn = Record(RecordKind::kTurn, "torn");
  const std::string half = turn.substr(0, turn.size() - 1);
  const std::string bad_payload = Flipped(turn, turn.size() - 1);
  const std::string bad_header = Flipped(turn, 5);
  // A length over the end of the file, and yet a record behind it.
  std::string hiding = Record(RecordKind::kTurn, std::string(100, 'x'));
  hiding = absl::StrCat(hiding.substr(0, 20), turn);
  return {
      {"the end cuts its payload",
       half,
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"the end cuts its header",
       turn.substr(0, 5),
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"a single byte",
       turn.substr(0, 1),
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      // While the machine runs nobody has written these.
      {"zeros",
       std::string(100, '\0'),
       {{kMissing, kMissing}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"zeros that a header does not fit in",
       std::string(5, '\0'),
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      // A disk does not write in order. With kAlways this was the last write.
      {"a wrong payload",
       bad_payload,
       {{kDamaged, kDamaged}, {kMissing, kMissing}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"a wrong header",
       bad_header,
       {{kDamaged, kDamaged}, {kMissing, kMissing}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      // With kAlways a write was safe before the next one began.
      {"a wrong payload before a whole record",
       bad_payload + turn,
       {{kDamaged, kDamaged}, {kMissing, kDamaged}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"zeros before a whole record",
       std::string(100, '\0') + turn,
       {{kDamaged, kDamaged}, {kMissing, kDamaged}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"a cut record that has a whole one in it",
       hiding,
       {{kCut, kDamaged}, {kMissing, kDamaged}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
  };
}

void ExpectOutcome(MemoryStorage* storage, uint64_t torn, const Tail& tail, bool other_boot,
                   Outcome expected) {
  const std::string name = SegmentName(torn);
  const std::string before(storage->contents(name));
  const Recovered recovered(storage, other_boot ? kOtherBoot : kThisBoot);
  if (expected == Outcome::kDamaged) {
    EXPECT_EQ(recovered.status.code(), absl::StatusCode::kDataLoss) << recovered.status;
    EXPECT_EQ(storage->contents(name), before);
    return;
  }
  ASSERT_TRUE(recovered.status.ok()) << recovered.status;
  EXPECT_THAT(recovered.visited.turns, ElementsAre("one", "two"));
  EXPECT_THAT(recovered.numbers, ElementsAre(1u, 2u));
  EXPECT_EQ(recovered.report.segments, 2u);
  EXPECT_EQ(recovered.report.torn_bytes, tail.bytes.size());
  EXPECT_THAT(recovered.report.torn,
              HasSubstr(absl::StrCat(name, ", byte ", before.size() - tail.bytes.size(), ": ")));
  EXPECT_EQ(recovered.report.tail_may_be_missing, expected == Outcome::kMissing);
  EXPECT_FALSE(recovered.report.clean && torn == 2);
  EXPECT_EQ(storage->contents(name), before.substr(0, before.size() - tail.bytes.size()));
}

TEST(LogRecoveryTest, ATornRecordIsCutOffOnlyWhereAWriteMayHaveEnded) {
  for (const Tail& tail : Tails()) {
    for (const bool other_boot : {false, true}) {
      for (const FsyncMode fsync : {FsyncMode::kNever, FsyncMode::kInterval, FsyncMode::kAlways}) {
        SCOPED_TRACE(absl::StrCat(tail.name, other_boot ? ", other boot" : ", same boot",
                                  ", fsync ", static_cast<int>(fsync)));
        const bool always = fsync == FsyncMode::kAlways;
        {
          MemoryStorage storage;
          storage.Put(SegmentName(1), Segment(1, fsync, "one"));
          storage.Put(SegmentName(2), Segment(2, fsync, "two") + tail.bytes);
          ExpectOutcome(&storage, 2, tail, other_boot, tail.last[other_boot][always]);
        }
        // The segment after it ended cleanly: that must not hide the loss before it.
        for (const bool clean : {false, true}) {
          MemoryStorage storage;
          storage.Put(SegmentName(1), Segment(1, fsync, "one") + tail.bytes);
          storage.Put(SegmentName(2),
                      Segment(2, fsync, "two") + (clean ? Record(RecordKind::kCleanEnd, "") : ""));
          ExpectOutcome(&storage, 1, tail, other_boot, tail.before[other_boot][always]);
        }
      }
    }
  }
}

// What the mode of a segment allows is for that segment alone.
TEST(LogRecoveryTest, TheModeOfTheTornSegmentCounts) {
  for (const bool first_always : {false, true}) {
    const FsyncMode first = first_always ? FsyncMode::kAlways : FsyncMode::kInterval;
    const FsyncMode second = first_always ? FsyncMode::kInterval : FsyncMode::kAlways;
    MemoryStorage storage;
    storage.Put(SegmentName(1), Segment(1, first, "one") + "half");
    storage.Put(SegmentName(2), Segment(2, second, "two"));
    const Recovered recovered(&storage, kOtherBoot);
    EXPECT_EQ(recovered.status.ok(), !first_always) << recovered.status;
    if (!first_always) {
      EXPECT_TRUE(recovered.report.tail_may_be_missing);
    }
  }
}

TEST(LogRecoveryTest, EachTornPlaceIsTold) {
  MemoryStorage storage;
  storage.Put(SegmentName(1), Segment(1, FsyncMode::kInterval, "one") + "half");
  storage.Put(SegmentName(2), Segment(2, FsyncMode::kInterval, "two") + "also");
  storage.Put(SegmentName(3), std::string(7, '\0'));
  const Recovered recovered(&storage, kOtherBoot);
  ASSERT_TRUE(recovered.status.ok()) << recovered.status;
  EXPECT_THAT(recovered.numbers, ElementsAre(1u, 2u));
  EXPECT_EQ(recovered.report.torn_bytes, 4u + 4u + 7u);
  for (const uint64_t number : {1, 2, 3}) {
    EXPECT_THAT(recovered.report.torn, HasSubstr(SegmentName(number)));
  }
}

// ---- A segment that is dropped.

// The server that made it may have acknowledged turns that were in it.
TEST(LogRecoveryTest, ADroppedSegmentMeansThatTheTailMayBeMissing) {
  for (const FsyncMode fsync : {FsyncMode::kNever, FsyncMode::kInterval, FsyncMode::kAlways}) {
    const std::string head = Head(2, fsync);
    for (const std::string& left :
         {std::string(), std::string(100, '\0'), head.substr(0, 5), head.substr(0, 30)}) {
      SCOPED_TRACE(absl::StrCat("fsync ", static_cast<int>(fsync), ", ", left.size(), " bytes"));
      for (const bool clean : {false, true}) {
        MemoryStorage storage;
        storage.Put(SegmentName(1),
                    Segment(1, fsync, "one") + (clean ? Record(RecordKind::kCleanEnd, "") : ""));
        storage.Put(SegmentName(2), left);
        {
          MemoryStorage same = storage;
          EXPECT_TRUE(absl::IsDataLoss(Recovered(&same, kThisBoot).status));
          EXPECT_THAT(*same.List(), ElementsAre(SegmentName(1), SegmentName(2)));
        }
        const Recovered recovered(&storage, kOtherBoot);
        // With kAlways the contents were safe before the name. But a name alone is what a power
        // loss leaves of a segment that was never used.
        if (fsync == FsyncMode::kAlways && left.find_first_not_of('\0') != std::string::npos) {
          EXPECT_TRUE(absl::IsDataLoss(recovered.status)) << recovered.status;
          EXPECT_THAT(*storage.List(), ElementsAre(SegmentName(1), SegmentName(2)));
          continue;
        }
        ASSERT_TRUE(recovered.status.ok()) << recovered.status;
        EXPECT_THAT(recovered.numbers, ElementsAre(1u));
        EXPECT_THAT(*storage.List(), ElementsAre(SegmentName(1)));
        EXPECT_THAT(recovered.visited.turns, ElementsAre("one"));
        EXPECT_TRUE(recovered.report.tail_may_be_missing);
        EXPECT_TRUE(recovered.report.existed);
        EXPECT_FALSE(recovered.report.clean);
        EXPECT_EQ(recovered.report.torn_bytes, left.size());
        EXPECT_EQ(recovered.report.segments, 1u);
        EXPECT_THAT(recovered.report.torn, HasSubstr(SegmentName(2)));
      }
    }
  }
}

// It was made in advance and never used: nothing is lost with it.
TEST(LogRecoveryTest, ASegmentInReserveIsRemovedAndNothingIsMissing) {
  for (const bool clean : {false, true}) {
    MemoryStorage storage;
    storage.Put(SegmentName(1), Segment(1, FsyncMode::kInterval, "one") +
                                    (clean ? Record(RecordKind::kCleanEnd, "") : ""));
    storage.Put(SegmentName(2), Head(2, FsyncMode::kInterval));
    MemoryStorage other = storage;
    const Recovered recovered(&storage, kThisBoot);
    ASSERT_TRUE(recovered.status.ok()) << recovered.status;
    EXPECT_THAT(*storage.List(), ElementsAre(SegmentName(1)));
    EXPECT_EQ(recovered.report.clean, clean);
    EXPECT_FALSE(recovered.report.tail_may_be_missing);
    EXPECT_EQ(recovered.report.torn_bytes, 0u);
    // A clean end counts in every boot.
    EXPECT_EQ(Recovered(&other, kOtherBoot).report.tail_may_be_missing, !clean);
  }
}

}  // namespace
}  // namespace groupcast::service
