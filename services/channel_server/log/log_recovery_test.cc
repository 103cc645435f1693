// What LogRecovery takes for a torn write, what for damage, and what it says was lost.

#include "services/channel_server/log/log_recovery.h"

#include <optional>
#include <string>
#include <utility>
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
  const char* torn;  // what is said of it
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
       "the record is cut off",
       half,
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"the end cuts its header",
       "the record is cut off",
       turn.substr(0, 5),
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"a single byte",
       "the record is cut off",
       turn.substr(0, 1),
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      // While the machine runs nobody has written these.
      {"zeros",
       "nothing but zeros",
       std::string(100, '\0'),
       {{kMissing, kMissing}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"zeros that a header does not fit in",
       "the record is cut off",
       std::string(5, '\0'),
       {{kCut, kCut}, {kMissing, kCut}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      // A disk does not write in order. With kAlways this was the last write.
      {"a wrong payload",
       "the record's checksum is wrong",
       bad_payload,
       {{kDamaged, kDamaged}, {kMissing, kMissing}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"a wrong header",
       "the record's checksum is wrong",
       bad_header,
       {{kDamaged, kDamaged}, {kMissing, kMissing}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      // With kAlways a write was safe before the next one began.
      {"a wrong payload before a whole record",
       "the record's checksum is wrong",
       bad_payload + turn,
       {{kDamaged, kDamaged}, {kMissing, kDamaged}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"a byte before a whole record",
       "the record's checksum is wrong",
       "x" + turn + turn,
       {{kDamaged, kDamaged}, {kMissing, kDamaged}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"zeros before a whole record",
       "the record's checksum is wrong",
       std::string(100, '\0') + turn,
       {{kDamaged, kDamaged}, {kMissing, kDamaged}},
       {{kDamaged, kDamaged}, {kMissing, kDamaged}}},
      {"a cut record that has a whole one in it",
       "the record is cut off",
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
  EXPECT_EQ(recovered.report.torn,
            absl::StrCat(storage->Describe(name), ", byte ", before.size() - tail.bytes.size(),
                         ": ", tail.torn));
  EXPECT_EQ(recovered.report.bytes,
            storage->contents(SegmentName(1)).size() + storage->contents(SegmentName(2)).size());
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
  const size_t at = storage.contents(SegmentName(1)).size();
  EXPECT_EQ(
      recovered.report.torn,
      absl::StrCat(storage.Describe(SegmentName(1)), ", byte ", at, ": the record is cut off; ",
                   storage.Describe(SegmentName(2)), ", byte ", at, ": the record is cut off; ",
                   storage.Describe(SegmentName(3)), ": the segment never got its contents"));
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

// The end says that nothing comes after it.
TEST(LogRecoveryTest, WhatStandsAfterTheCleanEndIsNotOverlooked) {
  const std::string ended =
      Segment(1, FsyncMode::kInterval, "one") + Record(RecordKind::kCleanEnd, "");
  MemoryStorage storage;
  storage.Put(SegmentName(1), ended + Record(RecordKind::kTurn, "two"));
  EXPECT_TRUE(absl::IsDataLoss(Recovered(&storage, kThisBoot).status));
  storage.Put(SegmentName(1), ended + "half");
  const Recovered recovered(&storage, kOtherBoot);
  ASSERT_TRUE(recovered.status.ok()) << recovered.status;
  EXPECT_FALSE(recovered.report.clean);
  EXPECT_TRUE(recovered.report.tail_may_be_missing);
}

// ---- A segment's head.

std::string WithChecksum(std::string header) {
  const uint32_t checksum = LogChecksum({header.data(), kSegmentChecksumAt});
  for (size_t i = 0; i < 4; ++i) {
    header[kSegmentChecksumAt + i] = static_cast<char>(checksum >> (8 * i));
  }
  return header;
}

std::string OfVersion(char version, std::string segment) {
  segment[kSegmentVersionAt] = version;
  return WithChecksum(std::move(segment));
}

absl::Status StatusOf(const Strings& segments, absl::string_view boot = kThisBoot) {
  MemoryStorage storage;
  for (size_t i = 0; i < segments.size(); ++i) storage.Put(SegmentName(i + 1), segments[i]);
  const Recovered recovered(&storage, boot);
  if (!recovered.status.ok()) {
    for (size_t i = 0; i < segments.size(); ++i) {
      EXPECT_EQ(storage.contents(SegmentName(i + 1)), segments[i]);
    }
  }
  return recovered.status;
}

void ExpectSaid(const absl::Status& status, absl::StatusCode code, const std::string& what) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(LogRecoveryTest, WhatIsWrongWithAHeadIsSaid) {
  constexpr auto kDataLoss = absl::StatusCode::kDataLoss;
  constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
  const std::string whole = Segment(1, FsyncMode::kInterval, "one");
  const std::string head = SegmentHeader(1);
  for (size_t size = 1; size < kSegmentHeaderBytes; ++size) {
    ExpectSaid(StatusOf({head.substr(0, size)}), kDataLoss,
               "is damaged at byte 0: it ends in the middle of its header");
  }
  ExpectSaid(StatusOf({head}), kDataLoss,
             "is damaged at byte 24: the segment does not begin with a start record");
  // As soon as the version can be read, it counts.
  const std::string newer = OfVersion(kSegmentVersionMax + 1, whole);
  for (const size_t size : {kSegmentNumberAt, kSegmentHeaderBytes, newer.size()}) {
    ExpectSaid(StatusOf({newer.substr(0, size)}), kFailedPrecondition, "newer version");
  }
  // Also after a power loss, and also as the last of many: another version will read it.
  const std::string newer_second =
      OfVersion(kSegmentVersionMax + 1, Segment(2, FsyncMode::kInterval, "two"));
  ExpectSaid(StatusOf({whole, newer_second}, kOtherBoot), kFailedPrecondition, "newer version");
  ExpectSaid(StatusOf({OfVersion(0, whole)}), kDataLoss,
             "at byte 0: the checksum of its header is wrong");
  ExpectSaid(StatusOf({Flipped(whole, kSegmentNumberAt)}), kDataLoss,
             "at byte 0: the checksum of its header is wrong");
  ExpectSaid(StatusOf({Segment(7, FsyncMode::kInterval, "one")}), kDataLoss,
             "at byte 0: it is in truth log-0000000000000007");
  ExpectSaid(StatusOf({whole, "", Segment(3, FsyncMode::kInterval, "three")}), kDataLoss,
             "at byte 0: it is empty");
}

TEST(LogRecoveryTest, AStartRecordHasAKnownMode) {
  const std::string rest =
      Record(RecordKind::kSnapshot, "state") + Record(RecordKind::kSnapshotEnd, "");
  const auto with = [&](absl::string_view payload) {
    return StatusOf({SegmentHeader(1) + Record(RecordKind::kStart, payload) + rest});
  };
  EXPECT_TRUE(with(std::string(1, 0)).ok());
  EXPECT_TRUE(with("\x02").ok());
  ExpectSaid(with("\x03"), absl::StatusCode::kDataLoss, "does not begin with a start record");
  ExpectSaid(with(""), absl::StatusCode::kDataLoss, "does not begin with a start record");
}

// What looks like a segment in reserve, or like one whose deletion had begun, and is damaged.
TEST(LogRecoveryTest, ADamagedHeadIsDamageWhateverElseIsMissing) {
  const std::string whole = Segment(1, FsyncMode::kInterval, "one");
  const auto flipped = [](uint64_t number) {
    return Flipped(Head(number, FsyncMode::kInterval), kSegmentChecksumAt);
  };
  EXPECT_TRUE(absl::IsDataLoss(StatusOf({whole, flipped(2)})));
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(
      {flipped(1) + Record(RecordKind::kTurn, "one"), Segment(2, FsyncMode::kInterval, "two")})));
  // Between others it is no torn head, in any boot.
  EXPECT_TRUE(absl::IsDataLoss(
      StatusOf({whole, flipped(2), Segment(3, FsyncMode::kInterval, "three")}, kOtherBoot)));
}

// Version 1 has no record for the end of a snapshot.
TEST(LogRecoveryTest, InTheFirstVersionOnlyASnapshotIsASnapshot) {
  const std::string head = Head(1, FsyncMode::kInterval);
  const std::string snapshot = Record(RecordKind::kSnapshot, "state");
  const std::string turn = Record(RecordKind::kTurn, "one");
  EXPECT_TRUE(StatusOf({OfVersion(1, head + snapshot)}).ok());
  EXPECT_TRUE(StatusOf({OfVersion(1, head + snapshot + turn)}).ok());
  ExpectSaid(StatusOf({OfVersion(1, head + turn)}), absl::StatusCode::kDataLoss,
             "the segment's snapshot is not whole");
  ExpectSaid(StatusOf({head + snapshot + turn}), absl::StatusCode::kDataLoss,
             "the segment's snapshot is not whole");
}

// A whole header with a length over the bound is no record that the end cuts off.
TEST(LogRecoveryTest, ALengthOverTheBoundIsDamage) {
  for (const uint32_t over : {0, 1}) {
    std::string record = Record(RecordKind::kTurn, "x");
    const uint32_t length = static_cast<uint32_t>(kLogRecordBytesMax) + over;
    for (size_t i = 0; i < 4; ++i) record[4 + i] = static_cast<char>(length >> (8 * i));
    const uint32_t checksum = LogChecksum({record.data() + 4, 9});
    for (size_t i = 0; i < 4; ++i) record[i] = static_cast<char>(checksum >> (8 * i));
    MemoryStorage storage;
    storage.Put(SegmentName(1), Segment(1, FsyncMode::kInterval, "one") + record);
    EXPECT_EQ(Recovered(&storage, kThisBoot).status.ok(), over == 0);
  }
}

TEST(LogRecoveryTest, OnlyAWholeNameIsASegments) {
  EXPECT_EQ(SegmentNumber("log-0000000000000012"), 12u);
  EXPECT_EQ(SegmentNumber("log-12345678901234567"), std::nullopt);  // of 17 digits
  for (const char* name :
       {"", "log-", "log-1", "log-000000000000001", "log-00000000000000012", "log-000000000000001x",
        "lag-0000000000000012", "log-+000000000000012", "log- 000000000000012"}) {
    EXPECT_EQ(SegmentNumber(name), std::nullopt) << name;
  }
}

// ---- A storage that fails, and one without an order.

// Fails at its call number `fails_at`.
class FailingStorage final : public LogStorage {
 public:
  FailingStorage(MemoryStorage* disk, int fails_at) : disk_(disk), left_(fails_at) {}

  absl::StatusOr<Strings> List() override {
    if (Fails()) return Failure();
    Strings names = *disk_->List();
    return Strings(names.rbegin(), names.rend());
  }
  absl::StatusOr<std::string> Read(const std::string& name) override {
    if (Fails()) return Failure();
    return disk_->Read(name);
  }
  absl::Status Truncate(const std::string& name, uint64_t size) override {
    return Fails() ? Failure() : disk_->Truncate(name, size);
  }
  absl::Status Remove(const std::string& name) override {
    return Fails() ? Failure() : disk_->Remove(name);
  }
  std::string Describe(absl::string_view name) const override { return disk_->Describe(name); }

  // A recovery does nothing of this.
  absl::Status Create(const std::string&, const Pieces&) override { return Failure(); }
  void BeginCreate(const std::string&, std::string) override {}
  std::optional<absl::Status> FinishCreate() override { return Failure(); }
  absl::Status Append(absl::string_view) override { return Failure(); }
  absl::Status AppendUnsynced(absl::string_view) override { return Failure(); }
  void RemoveLater(const std::string&) override {}
  absl::Status Sync() override { return Failure(); }
  absl::Status Check() override { return Failure(); }
  absl::Status Find(const std::string&) override { return Failure(); }

  bool has_failed() const { return left_ <= 0; }

 private:
  static absl::Status Failure() { return absl::InternalError("the disk is broken"); }
  bool Fails() { return --left_ == 0; }

  MemoryStorage* const disk_;
  int left_;
};

// The next start finds all that there was.
TEST(LogRecoveryTest, EachErrorOfTheStorageEndsARecoveryThatCanBeRepeated) {
  MemoryStorage disk;
  // One to leave out because it has no snapshot, two that are torn, one to drop.
  disk.Put(SegmentName(1),
           Head(1, FsyncMode::kInterval) + Record(RecordKind::kTurn, "without a snapshot"));
  disk.Put(SegmentName(2), Segment(2, FsyncMode::kInterval, "one") + "half");
  disk.Put(SegmentName(3), Segment(3, FsyncMode::kInterval, "two") + "half");
  disk.Put(SegmentName(4), "");
  // And the same with a segment in reserve.
  MemoryStorage reserve = disk;
  reserve.Put(SegmentName(4), Head(4, FsyncMode::kInterval));
  for (MemoryStorage* const log : {&disk, &reserve}) {
    int fails_at = 1;
    for (bool has_failed = true; has_failed; ++fails_at) {
      SCOPED_TRACE(fails_at);
      MemoryStorage copy = *log;
      FailingStorage storage(&copy, fails_at);
      Collector visited;
      RecoveryReport report;
      const auto segments = LogRecovery(kOtherBoot, &storage, &visited, &report).Read();
      has_failed = storage.has_failed();
      EXPECT_EQ(absl::IsInternal(segments.status()), has_failed) << segments.status();
      EXPECT_EQ(segments.ok(), !has_failed);
      const Recovered next(&copy, kOtherBoot);
      EXPECT_THAT(next.visited.turns, ElementsAre("one", "two"));
      EXPECT_THAT(next.numbers, ElementsAre(2u, 3u));
      EXPECT_THAT(*copy.List(), ElementsAre(SegmentName(2), SegmentName(3)));
    }
    EXPECT_GT(fails_at, 10);
  }
}

}  // namespace
}  // namespace groupcast::service
