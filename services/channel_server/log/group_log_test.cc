#include "services/channel_server/log/group_log.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel_server/log/testing/memory_storage.h"

namespace groupcast::service {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kFirst[] = "log-0000000000000001";
constexpr char kSecond[] = "log-0000000000000002";
constexpr char kThird[] = "log-0000000000000003";
constexpr char kThisBoot[] = "boot a";
constexpr char kOtherBoot[] = "boot b";

const absl::Time kStart = absl::UnixEpoch();

using Strings = std::vector<std::string>;

class Collector final : public GroupLogVisitor {
 public:
  absl::Status OnSnapshotPart(absl::string_view part) override {
    snapshots.emplace_back(part);
    everything.emplace_back(part);
    return part == refused ? absl::DataLossError("no snapshot of ours") : absl::OkStatus();
  }
  void OnSnapshotEnd() override { everything.emplace_back("end"); }
  absl::Status OnTurn(absl::string_view turn) override {
    turns.emplace_back(turn);
    everything.emplace_back(turn);
    return turn == refused ? absl::DataLossError("no turn of ours") : absl::OkStatus();
  }

  Strings snapshots;
  Strings turns;
  Strings everything;  // in its order
  std::string refused = "none";
};

GroupLogOptions Options(FsyncMode fsync = FsyncMode::kInterval, std::string boot_id = kThisBoot) {
  GroupLogOptions options;
  options.fsync = fsync;
  options.boot_id = std::move(boot_id);
  return options;
}

// What Open says and visits.
struct Opened {
  explicit Opened(MemoryStorage* storage, const GroupLogOptions& options = Options(),
                  const std::string& refused = "none") {
    visited.refused = refused;
    absl::StatusOr<std::unique_ptr<GroupLog>> opened =
        GroupLog::Open(options, storage, &visited, &report);
    status = opened.status();
    if (opened.ok()) log = *std::move(opened);
  }

  Collector visited;
  RecoveryReport report;
  absl::Status status;
  std::unique_ptr<GroupLog> log;
};

absl::Status Start(GroupLog* log, const std::string& snapshot = "", absl::Time now = kStart) {
  return log->Start({snapshot}, now);
}

// Rotates, and writes the snapshot of the new segment.
absl::Status Rotate(GroupLog* log, absl::Time now, absl::string_view snapshot = "") {
  for (int step = 0; step < 2; ++step) {
    const absl::StatusOr<bool> rotated = log->Rotate(now);
    if (!rotated.ok()) return rotated.status();
    if (*rotated) return log->AppendSnapshot(snapshot, /*is_last=*/true);
  }
  return absl::NotFoundError("no rotation was due");
}

absl::Status Append(GroupLog* log, absl::string_view turn) {
  std::string record(GroupLog::kRecordHeaderBytes, 'x');
  record.append(turn.data(), turn.size());
  return log->Append(&record);
}

// A server's life: it starts, does these turns, and is killed unless it is told to close.
void Live(MemoryStorage* storage, const Strings& turns, const GroupLogOptions& options = Options(),
          bool close = false) {
  storage->Kill();
  Opened opened(storage, options);
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  ASSERT_TRUE(Start(opened.log.get(), "snapshot").ok());
  for (const std::string& turn : turns) ASSERT_TRUE(Append(opened.log.get(), turn).ok());
  if (close) {
    ASSERT_TRUE(opened.log->Close().ok());
  }
}

std::map<std::string, std::string> Files(MemoryStorage* storage) {
  std::map<std::string, std::string> files;
  const Strings names = *storage->List();
  for (const std::string& name : names) files[name] = *storage->Read(name);
  return files;
}

// What must be said of a log that is damaged, and nothing may have been changed.
void ExpectDamaged(MemoryStorage* storage, const GroupLogOptions& options, const std::string& what,
                   const std::string& refused = "none") {
  const auto before = Files(storage);
  const Opened opened(storage, options, refused);
  EXPECT_EQ(opened.status.code(), absl::StatusCode::kDataLoss) << opened.status;
  EXPECT_THAT(std::string(opened.status.message()),
              AllOf(HasSubstr(what), HasSubstr("a backup"), HasSubstr("new --data_dir")));
  EXPECT_EQ(Files(storage), before);
}

TEST(GroupLogTest, AnEmptyStorageIsANewLog) {
  MemoryStorage storage;
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok());
  EXPECT_FALSE(opened.report.existed);
  EXPECT_FALSE(opened.report.tail_may_be_missing);
  EXPECT_THAT(opened.visited.snapshots, IsEmpty());
}

// The bytes are a promise to later versions. The checksums are those of libxxhash called from
// Python.
TEST(GroupLogTest, BytesAreAsDocumented) {
  MemoryStorage storage;
  Live(&storage, {"turn"}, Options(FsyncMode::kAlways, "b"), /*close=*/true);
  EXPECT_EQ(absl::BytesToHexString(storage.contents(kFirst)),
            "47434153544c4f47020000000100000000000000647f2d945ad1e5490200000001b6171d6e0262051d78"
            "640800000002839023c1736e617073686f742c46a2220000000005c294d3384315a43e0400000003ce5d"
            "fcee7475726efd2a70140000000004c294d338");
}

// A server that knows no images, and so no version 3, refuses such a segment.
TEST(GroupLogTest, ASegmentWithAnImageHasVersionThree) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  {
    const Opened opened(&storage, Options(FsyncMode::kInterval, "b"));
    ASSERT_TRUE(opened.status.ok());
    const Strings image = {"image"};
    auto next = image.begin();
    const auto parts = [&](std::string* part) {
      if (next == image.end()) return false;
      *part = *next++;
      return true;
    };
    ASSERT_TRUE(opened.log->StartAnew(parts, absl::UnixEpoch()).ok());
  }
  ASSERT_EQ(storage.newest(), "log-0000000000000002");
  EXPECT_EQ(absl::BytesToHexString(storage.contents(storage.newest())),
            "47434153544c4f470300000002000000000000003cb857c72c43e0530200000001d4eb80ff0162c6fa29"
            "3f0500000002634c66af696d6167652c46a2220000000005c294d338");
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_THAT(opened.visited.snapshots, ElementsAre("image"));
}

TEST(GroupLogTest, AKilledServersTurnsComeBackInOrder) {
  MemoryStorage storage;
  Live(&storage, {"one", "", "three"});
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok());
  EXPECT_THAT(opened.visited.snapshots, ElementsAre("snapshot"));
  EXPECT_THAT(opened.visited.turns, ElementsAre("one", "", "three"));
  EXPECT_TRUE(opened.report.existed);
  EXPECT_FALSE(opened.report.clean);
  EXPECT_FALSE(opened.report.tail_may_be_missing);
  EXPECT_EQ(opened.report.turns, 3u);
  EXPECT_EQ(opened.report.segments, 1u);
  EXPECT_EQ(opened.report.bytes, storage.contents(kFirst).size());
  EXPECT_EQ(opened.report.torn_bytes, 0u);
}

TEST(GroupLogTest, ATurnIsOneWrite) {
  MemoryStorage storage;
  Live(&storage, {"one", "two"});
  EXPECT_EQ(storage.append_count(), 2u);
}

TEST(GroupLogTest, SegmentsAreReadFromTheOldestOn) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  Live(&storage, {"two"}, Options(), /*close=*/true);
  Live(&storage, {"three"});
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok());
  EXPECT_THAT(opened.visited.snapshots, ElementsAre("snapshot", "snapshot", "snapshot"));
  EXPECT_THAT(opened.visited.turns, ElementsAre("one", "two", "three"));
  EXPECT_EQ(opened.report.segments, 3u);
  EXPECT_FALSE(opened.report.clean);
}

TEST(GroupLogTest, CloseIsACleanEnd) {
  MemoryStorage storage;
  Live(&storage, {"one"}, Options(), /*close=*/true);
  storage.LoseUnsynced();
  const Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
  ASSERT_TRUE(opened.status.ok());
  EXPECT_TRUE(opened.report.clean);
  EXPECT_FALSE(opened.report.tail_may_be_missing);
  EXPECT_THAT(opened.visited.turns, ElementsAre("one"));
}

TEST(GroupLogTest, NothingIsAppendedOutsideOfASegment) {
  MemoryStorage storage;
  const Opened opened(&storage);
  EXPECT_EQ(Append(opened.log.get(), "early").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  ASSERT_TRUE(opened.log->Close().ok());
  EXPECT_EQ(Append(opened.log.get(), "late").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Start(opened.log.get()).code(), absl::StatusCode::kFailedPrecondition);
}

// --- What a stop may leave at the end ---

// A write is cut anywhere: what is whole before it comes back, nothing else does, and the next
// server goes on.
TEST(GroupLogTest, EveryCutLeavesTheTurnsBeforeIt) {
  MemoryStorage whole;
  Live(&whole, {"one", "two", "three"});
  const std::string bytes(whole.contents(kFirst));
  const Strings turns = {"one", "two", "three"};
  std::vector<size_t> ends;  // of the head, and of each turn
  for (const char* turn : {"one", "two", "three"}) {
    if (ends.empty()) {
      ends.push_back(bytes.find(turn) - GroupLog::kRecordHeaderBytes);
    }
    ends.push_back(bytes.find(turn) + std::string(turn).size());
  }
  for (size_t cut = ends.front(); cut < bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    MemoryStorage storage;
    storage.Put(kFirst, bytes.substr(0, cut));
    const size_t kept =
        std::upper_bound(ends.begin(), ends.end(), cut) - ends.begin() - 1;  // turns
    const Strings expected(turns.begin(), turns.begin() + static_cast<std::ptrdiff_t>(kept));
    {
      const Opened opened(&storage);
      ASSERT_TRUE(opened.status.ok()) << opened.status;
      EXPECT_EQ(opened.visited.turns, expected);
      EXPECT_EQ(opened.report.torn_bytes, cut - ends[kept]);
      EXPECT_EQ(opened.report.torn.empty(), cut == ends[kept]);
      EXPECT_FALSE(opened.report.tail_may_be_missing);
      EXPECT_FALSE(opened.report.clean);
    }
    Live(&storage, {"four"});
    const Opened again(&storage);
    ASSERT_TRUE(again.status.ok()) << again.status;
    Strings and_four = expected;
    and_four.push_back("four");
    EXPECT_EQ(again.visited.turns, and_four);
    EXPECT_EQ(again.report.torn_bytes, 0u);
  }
}

TEST(GroupLogTest, EveryCutInASegmentsHeadIsDamage) {
  MemoryStorage whole;
  Live(&whole, {});
  const std::string bytes(whole.contents(kFirst));
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    MemoryStorage storage;
    storage.Put(kFirst, bytes.substr(0, cut));
    ExpectDamaged(&storage, Options(), kFirst);
    ExpectDamaged(&storage, Options(FsyncMode::kInterval, kOtherBoot), kFirst);
  }
}

// Whatever byte is wrong, and whether the power was lost or not: no turn is ever visited that was
// not written, and none out of order.
TEST(GroupLogTest, EveryWrongByteIsNoticed) {
  const Strings turns = {"one", "two", "three"};
  MemoryStorage whole;
  Live(&whole, turns);
  const std::string bytes(whole.contents(kFirst));
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const uint8_t bits : {0x01, 0x80, 0xff}) {
      for (const char* boot : {kThisBoot, kOtherBoot}) {
        SCOPED_TRACE(absl::StrCat("byte ", at, " bits ", bits, " ", boot));
        MemoryStorage storage;
        storage.Put(kFirst, bytes);
        storage.Corrupt(kFirst, at, bits);
        const Opened opened(&storage, Options(FsyncMode::kInterval, boot));
        ASSERT_LE(opened.visited.turns.size(), turns.size());
        EXPECT_TRUE(
            std::equal(opened.visited.turns.begin(), opened.visited.turns.end(), turns.begin()));
        if (opened.status.ok()) {
          EXPECT_EQ(boot, kOtherBoot) << "damage was taken for a torn tail";
          EXPECT_LT(opened.visited.turns.size(), turns.size());
          EXPECT_TRUE(opened.report.tail_may_be_missing);
          EXPECT_GT(opened.report.torn_bytes, 0u);
        } else {
          EXPECT_THAT(opened.status.code(), testing::AnyOf(absl::StatusCode::kDataLoss,
                                                           absl::StatusCode::kFailedPrecondition));
        }
      }
    }
  }
}

TEST(GroupLogTest, ZerosAtTheEndAreATornTail) {
  for (const bool same_boot : {true, false}) {
    for (const FsyncMode fsync : {FsyncMode::kInterval, FsyncMode::kAlways}) {
      MemoryStorage storage;
      Live(&storage, {"one"}, Options(fsync));
      const size_t size = storage.contents(kFirst).size();
      storage.Put(kFirst, absl::StrCat(std::string(storage.contents(kFirst)), std::string(100, 0)));
      const Opened opened(&storage, Options(fsync, same_boot ? kThisBoot : kOtherBoot));
      ASSERT_TRUE(opened.status.ok()) << opened.status;
      EXPECT_THAT(opened.visited.turns, ElementsAre("one"));
      EXPECT_EQ(opened.report.torn_bytes, 100u);
      EXPECT_THAT(opened.report.torn, AllOf(HasSubstr(kFirst), HasSubstr("zeros")));
      EXPECT_EQ(storage.contents(kFirst).size(), size);
      // Zeros that nobody wrote, without a power loss: who knows what was there.
      EXPECT_EQ(opened.report.tail_may_be_missing, same_boot || fsync != FsyncMode::kAlways);
    }
  }
}

// After a power loss the kernel may have written a later block and not an earlier one.
TEST(GroupLogTest, AHoleInTheTailIsCutAfterAPowerLossOnly) {
  MemoryStorage storage;
  Live(&storage, {"one", "two", "three"});
  const size_t two = storage.contents(kFirst).find("two");
  storage.Corrupt(kFirst, two, 0xff);
  ExpectDamaged(&storage, Options(),
                absl::StrCat(kFirst, " is damaged at byte ", two - GroupLog::kRecordHeaderBytes));
  const Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_THAT(opened.visited.turns, ElementsAre("one"));
  EXPECT_TRUE(opened.report.tail_may_be_missing);
  EXPECT_EQ(storage.contents(kFirst).size(), two - GroupLog::kRecordHeaderBytes);
}

TEST(GroupLogTest, AfterAPowerLossTheTailMayBeMissing) {
  for (const FsyncMode fsync : {FsyncMode::kNever, FsyncMode::kInterval, FsyncMode::kAlways}) {
    MemoryStorage storage(fsync);
    Live(&storage, {"one"}, Options(fsync));
    storage.LoseUnsynced();
    const Opened opened(&storage, Options(fsync, kOtherBoot));
    ASSERT_TRUE(opened.status.ok()) << opened.status;
    EXPECT_EQ(opened.visited.turns.size(), fsync == FsyncMode::kAlways ? 1u : 0u);
    EXPECT_EQ(opened.report.tail_may_be_missing, fsync != FsyncMode::kAlways);
  }
}

// What counts is how the log was written, not how it will be.
TEST(GroupLogTest, TheModeOfTheLastRunDecidesWhatMayBeMissing) {
  MemoryStorage storage(FsyncMode::kInterval);
  Live(&storage, {"one"}, Options(FsyncMode::kInterval));
  EXPECT_TRUE(Opened(&storage, Options(FsyncMode::kAlways, kOtherBoot)).report.tail_may_be_missing);
  Live(&storage, {"two"}, Options(FsyncMode::kAlways, kOtherBoot));
  EXPECT_FALSE(Opened(&storage, Options(FsyncMode::kNever, "c")).report.tail_may_be_missing);
}

TEST(GroupLogTest, AnUnknownBootIsTakenForAnother) {
  MemoryStorage storage;
  Live(&storage, {"one"}, Options(FsyncMode::kInterval, ""));
  EXPECT_TRUE(Opened(&storage, Options(FsyncMode::kInterval, "")).report.tail_may_be_missing);
}

// A server that closed its log, and another that wrote without any sync when the power went: that
// the first one ended cleanly must not hide the second.
TEST(GroupLogTest, ACleanEndDoesNotHideWhatCameAfterIt) {
  MemoryStorage storage(FsyncMode::kNever);
  Live(&storage, {"one"}, Options(FsyncMode::kNever), /*close=*/true);
  Live(&storage, {"two"}, Options(FsyncMode::kNever));
  storage.LoseUnsynced();
  const Opened opened(&storage, Options(FsyncMode::kNever, kOtherBoot));
  ASSERT_TRUE(opened.status.ok());
  EXPECT_THAT(opened.visited.turns, ElementsAre("one"));
  EXPECT_FALSE(opened.report.clean);
  EXPECT_TRUE(opened.report.tail_may_be_missing);
}

// A killed server's tail is in the system's cache only. When its segment is not the last any more,
// a power loss must not tear it.
TEST(GroupLogTest, AKilledServersTailIsSyncedByTheNext) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  Live(&storage, {});
  storage.LoseUnsynced();
  const Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
  ASSERT_TRUE(opened.status.ok());
  EXPECT_THAT(opened.visited.turns, ElementsAre("one"));
}

TEST(GroupLogTest, ASegmentWithoutContentsIsRemovedAfterAPowerLossOnly) {
  for (const size_t zeros : {0, 100}) {
    MemoryStorage storage;
    Live(&storage, {"one"});
    storage.Put(kSecond, std::string(zeros, 0));
    ExpectDamaged(&storage, Options(), kSecond);
    {
      const Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
      ASSERT_TRUE(opened.status.ok()) << opened.status;
      EXPECT_THAT(opened.visited.turns, ElementsAre("one"));
      EXPECT_TRUE(opened.report.tail_may_be_missing);
      EXPECT_THAT(opened.report.torn, HasSubstr(kSecond));
      EXPECT_THAT(*storage.List(), ElementsAre(kFirst));
    }
    Live(&storage, {"two"});
    EXPECT_THAT(Opened(&storage).visited.turns, ElementsAre("one", "two"));
  }
}

// The first segment ever got a name, and the power went: there is nothing to recover and nothing to
// repair by hand.
TEST(GroupLogTest, AnOnlySegmentWithoutContentsIsRemoved) {
  MemoryStorage storage;
  storage.Put(kFirst, "");
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_TRUE(opened.report.existed);
  EXPECT_TRUE(opened.report.tail_may_be_missing);
  EXPECT_THAT(*storage.List(), IsEmpty());
}

TEST(GroupLogTest, ASegmentWithHalfAHeadIsRemovedAfterAPowerLossOnly) {
  MemoryStorage whole;
  Live(&whole, {"one"});
  const std::string first(whole.contents(kFirst));
  Live(&whole, {});
  const std::string second(whole.contents(kSecond));
  const size_t head = second.find("snapshot") - GroupLog::kRecordHeaderBytes;
  for (size_t cut = 1; cut < head; ++cut) {
    SCOPED_TRACE(cut);
    MemoryStorage storage;
    storage.Put(kFirst, first);
    storage.Put(kSecond, second.substr(0, cut));
    ExpectDamaged(&storage, Options(), kSecond);
    const Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
    ASSERT_TRUE(opened.status.ok()) << opened.status;
    EXPECT_THAT(opened.visited.turns, ElementsAre("one"));
    EXPECT_TRUE(opened.report.tail_may_be_missing);
  }
}

// --- Damage ---

TEST(GroupLogTest, NothingIsTornBeforeTheLastSegment) {
  MemoryStorage storage;
  Live(&storage, {"one"}, Options(FsyncMode::kAlways));
  Live(&storage, {"two"}, Options(FsyncMode::kAlways));
  const std::string first(storage.contents(kFirst));
  for (const std::string& bad :
       {first.substr(0, first.size() - 1), first + std::string(100, 0), std::string()}) {
    storage.Put(kFirst, bad);
    ExpectDamaged(&storage, Options(), kFirst);
    ExpectDamaged(&storage, Options(FsyncMode::kInterval, kOtherBoot), kFirst);
  }
}

TEST(GroupLogTest, AMissingSegmentIsDamage) {
  MemoryStorage storage;
  for (int i = 0; i < 3; ++i) Live(&storage, {"turn"});
  ASSERT_TRUE(storage.Remove(kSecond).ok());
  ExpectDamaged(&storage, Options(), absl::StrCat(kSecond, " is missing"));
}

TEST(GroupLogTest, ASegmentUnderAnothersNameIsDamage) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  storage.Put(kSecond, std::string(storage.contents(kFirst)));
  ExpectDamaged(&storage, Options(), "it is in truth log-0000000000000001");
}

TEST(GroupLogTest, WhatTheVisitorRefusesIsDamage) {
  MemoryStorage storage;
  Live(&storage, {"one", "two"});
  const size_t two = storage.contents(kFirst).find("two") - GroupLog::kRecordHeaderBytes;
  ExpectDamaged(&storage, Options(), absl::StrCat("byte ", two, ": no turn of ours"), "two");
  ExpectDamaged(&storage, Options(), "no snapshot of ours", "snapshot");
}

TEST(GroupLogTest, ANewerVersionIsRefused) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  storage.Corrupt(kFirst, kSegmentVersionAt, kSegmentVersion ^ 4);
  const Opened opened(&storage);
  EXPECT_EQ(opened.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status.message()),
              AllOf(HasSubstr(kFirst), HasSubstr("a newer version"), HasSubstr("format 4"),
                    HasSubstr("use that version or another --data_dir")));
}

TEST(GroupLogTest, ForeignContentsAreRefused) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  storage.Put(kThird, "2026-11-23 service started");
  storage.Put(kSecond, "2026-11-23 service started");
  const Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
  EXPECT_EQ(opened.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status.message()),
              AllOf(HasSubstr(kSecond), HasSubstr("is not a log of the channel server")));
}

TEST(GroupLogTest, ADirectoryWithOtherThingsIsRefused) {
  for (const char* name : {"notes.txt", "log-1", "log-000000000000001x", "log-+000000000000001",
                           "xlog-0000000000000001"}) {
    MemoryStorage storage;
    storage.Put(name, "something");
    const Opened opened(&storage);
    EXPECT_EQ(opened.status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(opened.status.message()),
                AllOf(HasSubstr(name), HasSubstr("is not a data directory of the channel server"),
                      HasSubstr("give an empty or a new directory")));
  }
}

TEST(GroupLogTest, OtherThingsBesideALogAreLeftAlone) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  storage.Put("notes.txt", "something");
  EXPECT_THAT(Opened(&storage).visited.turns, ElementsAre("one"));
  EXPECT_EQ(storage.contents("notes.txt"), "something");
}

// --- A full disk ---

TEST(GroupLogTest, ATurnThatFindsNoRoomIsNotInTheLog) {
  // Also with a part of it written, up to all but one byte.
  for (uint64_t room = 0; room < GroupLog::kRecordHeaderBytes + 3; ++room) {
    SCOPED_TRACE(room);
    MemoryStorage storage;
    const Opened opened(&storage);
    ASSERT_TRUE(Start(opened.log.get()).ok());
    ASSERT_TRUE(Append(opened.log.get(), "one").ok());
    storage.set_bytes_left(room);
    EXPECT_EQ(Append(opened.log.get(), "two").code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(Append(opened.log.get(), "two").code(), absl::StatusCode::kResourceExhausted);
    storage.set_bytes_left(std::nullopt);
    EXPECT_TRUE(Append(opened.log.get(), "three").ok());
    EXPECT_THAT(Opened(&storage).visited.turns, ElementsAre("one", "three"));
  }
}

// A part of a record stays on the disk: nothing may be written behind it, and nothing is lost if
// the server is killed then.
TEST(GroupLogTest, NothingIsAppendedBehindARestThatCannotBeTakenAway) {
  MemoryStorage storage;
  const Opened opened(&storage);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  storage.set_bytes_left(5);
  storage.set_can_truncate(false);
  EXPECT_EQ(Append(opened.log.get(), "two").code(), absl::StatusCode::kResourceExhausted);
  storage.set_bytes_left(std::nullopt);
  EXPECT_EQ(Append(opened.log.get(), "three").code(), absl::StatusCode::kInternal);
  // Nor does another segment begin.
  EXPECT_EQ(Rotate(opened.log.get(), kStart + absl::Hours(1)).code(), absl::StatusCode::kNotFound);
  storage.set_can_truncate(true);
  MemoryStorage killed = storage;
  killed.Kill();
  {
    const Opened next(&killed);
    ASSERT_TRUE(next.status.ok()) << next.status;
    EXPECT_THAT(next.visited.turns, ElementsAre("one"));
    EXPECT_EQ(next.report.torn_bytes, 5u);
    EXPECT_FALSE(next.report.tail_may_be_missing);
  }
  EXPECT_TRUE(Append(opened.log.get(), "four").ok());
  EXPECT_THAT(Opened(&storage).visited.turns, ElementsAre("one", "four"));
}

TEST(GroupLogTest, ARotationThatFindsNoRoomGoesOnInTheOldSegment) {
  MemoryStorage storage;
  GroupLogOptions options = Options();
  options.segment_bytes_max = 1;
  const Opened opened(&storage, options);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  ASSERT_TRUE(Append(opened.log.get(), std::string(100, '1')).ok());
  const absl::Time later = kStart + absl::Seconds(10);
  ASSERT_TRUE(opened.log->wants_rotation(later));
  storage.set_bytes_left(30);
  EXPECT_EQ(Rotate(opened.log.get(), later).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(opened.log->wants_rotation(later + absl::Milliseconds(999)));
  EXPECT_TRUE(opened.log->wants_rotation(later + absl::Seconds(1)));
  EXPECT_TRUE(Append(opened.log.get(), "two").ok());
  storage.set_bytes_left(std::nullopt);
  EXPECT_TRUE(Rotate(opened.log.get(), later + absl::Seconds(1)).ok());
  EXPECT_TRUE(Append(opened.log.get(), "three").ok());
  EXPECT_THAT(*storage.List(), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(Opened(&storage).visited.turns, ElementsAre(std::string(100, '1'), "two", "three"));
}

TEST(GroupLogTest, APartOfASnapshotThatFindsNoRoomIsNotInTheLog) {
  MemoryStorage storage;
  GroupLogOptions options = Options();
  options.segment_bytes_max = 1;
  const Opened opened(&storage, options);
  ASSERT_TRUE(Start(opened.log.get(), "a").ok());
  ASSERT_TRUE(Append(opened.log.get(), std::string(100, '1')).ok());
  const absl::Time later = kStart + absl::Seconds(10);
  ASSERT_FALSE(*opened.log->Rotate(later));
  ASSERT_TRUE(*opened.log->Rotate(later));
  storage.set_bytes_left(GroupLog::kRecordHeaderBytes);
  EXPECT_EQ(opened.log->AppendSnapshot("b", true).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(opened.log->needs_snapshot());
  storage.set_bytes_left(std::nullopt);
  EXPECT_TRUE(Append(opened.log.get(), "two").ok());
  EXPECT_TRUE(opened.log->AppendSnapshot("c", true).ok());
  EXPECT_FALSE(opened.log->needs_snapshot());
  EXPECT_THAT(Opened(&storage).visited.everything,
              ElementsAre("a", "end", std::string(100, '1'), "two", "c", "end"));
}

// --- Rotation and deletion ---

TEST(GroupLogTest, ASegmentIsDueBySize) {
  MemoryStorage storage;
  GroupLogOptions options = Options();
  options.segment_bytes_max = 100;
  const Opened opened(&storage, options);
  const absl::Time later = kStart + absl::Seconds(2);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  EXPECT_FALSE(opened.log->wants_rotation(later));
  ASSERT_TRUE(Append(opened.log.get(), std::string(99 - GroupLog::kRecordHeaderBytes, 'x')).ok());
  EXPECT_FALSE(opened.log->wants_rotation(later));
  ASSERT_TRUE(Append(opened.log.get(), "").ok());
  EXPECT_TRUE(opened.log->wants_rotation(later));
}

// Otherwise a snapshot larger than a segment would be written every turn.
TEST(GroupLogTest, TurnsTakeAsMuchAsTheSnapshotBeforeASegmentIsDue) {
  MemoryStorage storage;
  GroupLogOptions options = Options();
  options.segment_bytes_max = 100;
  const Opened opened(&storage, options);
  const absl::Time later = kStart + absl::Seconds(2);
  ASSERT_TRUE(Start(opened.log.get(), std::string(1000, 's')).ok());
  ASSERT_TRUE(Append(opened.log.get(), std::string(900, 'x')).ok());
  EXPECT_FALSE(opened.log->wants_rotation(later));
  ASSERT_TRUE(Append(opened.log.get(), std::string(200, 'x')).ok());
  EXPECT_TRUE(opened.log->wants_rotation(later));
}

TEST(GroupLogTest, ASegmentIsDueByAgeIfItHasTurns) {
  MemoryStorage storage;
  const Opened opened(&storage);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  EXPECT_FALSE(opened.log->wants_rotation(kStart + absl::Hours(1)));
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  EXPECT_FALSE(opened.log->wants_rotation(kStart + absl::Seconds(59)));
  EXPECT_TRUE(opened.log->wants_rotation(kStart + absl::Seconds(60)));
}

// Turns need not wait for the next file.
TEST(GroupLogTest, TurnsGoOnWhileTheNextSegmentIsMade) {
  MemoryStorage storage;
  storage.set_create_takes(3);
  const Opened opened(&storage);
  ASSERT_TRUE(Start(opened.log.get(), "a").ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  const absl::Time later = kStart + absl::Minutes(1);
  EXPECT_FALSE(*opened.log->Rotate(later));
  ASSERT_TRUE(Append(opened.log.get(), "two").ok());
  EXPECT_FALSE(*opened.log->Rotate(later));
  EXPECT_FALSE(*opened.log->Rotate(later));
  ASSERT_TRUE(Append(opened.log.get(), "three").ok());
  EXPECT_TRUE(*opened.log->Rotate(later));
  EXPECT_FALSE(*opened.log->Rotate(later));
  ASSERT_TRUE(Append(opened.log.get(), "four").ok());
  EXPECT_EQ(opened.log->segment_count(), 2u);
  const size_t four = storage.contents(kSecond).find("four");
  EXPECT_NE(four, absl::string_view::npos);
  EXPECT_THAT(Opened(&storage).visited.turns, ElementsAre("one", "two", "three", "four"));
}

TEST(GroupLogTest, KnowsTheSizeOfItsSegments) {
  MemoryStorage storage;
  const auto stored = [&storage] {
    uint64_t bytes = 0;
    for (const auto& [name, contents] : Files(&storage)) bytes += contents.size();
    return bytes;
  };
  {
    const Opened opened(&storage);
    GroupLog* const log = opened.log.get();
    EXPECT_EQ(log->bytes(), 0u);
    ASSERT_TRUE(Start(log, "snapshot").ok());
    EXPECT_EQ(log->bytes(), stored());
    ASSERT_TRUE(Append(log, "one").ok());
    EXPECT_EQ(log->bytes(), stored());
    ASSERT_TRUE(Rotate(log, kStart + absl::Minutes(1), "another snapshot").ok());
    EXPECT_EQ(log->segment_count(), 2u);
    ASSERT_TRUE(Append(log, "two").ok());
    EXPECT_EQ(log->bytes(), stored());
    // Without the first segment, which has expired.
    ASSERT_TRUE(Rotate(log, kStart + absl::Minutes(7), "third").ok());
    EXPECT_EQ(log->segment_count(), 2u);
    EXPECT_EQ(log->bytes(), stored());
    storage.set_bytes_left(3);
    EXPECT_FALSE(Append(log, "too long").ok());
    EXPECT_EQ(log->bytes(), stored()) << "what was not written does not count";
    storage.set_bytes_left(std::nullopt);
  }
  const std::string newest = storage.newest();
  storage.CutNewest(storage.contents(newest).size() - 2);
  const Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_GT(opened.report.torn_bytes, 0u);
  EXPECT_EQ(opened.log->bytes(), stored()) << "without what was cut off";
  ASSERT_TRUE(Start(opened.log.get(), "again").ok());
  EXPECT_EQ(opened.log->bytes(), stored());
  ASSERT_TRUE(Append(opened.log.get(), "four").ok());
  ASSERT_TRUE(Rotate(opened.log.get(), kStart + absl::Minutes(1), "fifth").ok());
  EXPECT_EQ(opened.log->bytes(), stored());
  const auto image = [parts = Strings{"image"}](std::string* part) mutable {
    if (parts.empty()) return false;
    *part = parts.back();
    parts.pop_back();
    return true;
  };
  ASSERT_TRUE(opened.log->StartAnew(image, kStart).ok());
  EXPECT_EQ(opened.log->segment_count(), 1u);
  EXPECT_EQ(opened.log->bytes(), stored());
}

TEST(GroupLogTest, ASnapshotStandsBetweenTheTurnsInWhichItWasWritten) {
  MemoryStorage storage;
  const Opened opened(&storage);
  ASSERT_TRUE(Start(opened.log.get(), "a").ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  const absl::Time later = kStart + absl::Minutes(1);
  ASSERT_FALSE(*opened.log->Rotate(later));
  ASSERT_TRUE(*opened.log->Rotate(later));
  EXPECT_TRUE(opened.log->needs_snapshot());
  ASSERT_TRUE(opened.log->AppendSnapshot("b1", false).ok());
  ASSERT_TRUE(Append(opened.log.get(), "two").ok());
  EXPECT_FALSE(opened.log->wants_rotation(later + absl::Hours(1)));
  ASSERT_TRUE(opened.log->AppendSnapshot("b2", true).ok());
  EXPECT_FALSE(opened.log->needs_snapshot());
  EXPECT_FALSE(opened.log->AppendSnapshot("b3", true).ok());
  ASSERT_TRUE(Append(opened.log.get(), "three").ok());
  EXPECT_THAT(Opened(&storage).visited.everything,
              ElementsAre("a", "end", "one", "b1", "two", "b2", "end", "three"));
}

// The server was killed before anything went to the segment: the one before it is the last.
TEST(GroupLogTest, ASegmentThatWasMadeInAdvanceIsRemoved) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  {
    const Opened opened(&storage);
    ASSERT_TRUE(Start(opened.log.get(), "b").ok());
    ASSERT_TRUE(Append(opened.log.get(), "two").ok());
    ASSERT_FALSE(*opened.log->Rotate(kStart + absl::Minutes(1)));
    ASSERT_TRUE(*opened.log->Rotate(kStart + absl::Minutes(1)));
  }
  // Killed in the middle of the last write to the segment before.
  storage.Put(kSecond, absl::StrCat(std::string(storage.contents(kSecond)), "half"));
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_THAT(*storage.List(), ElementsAre(kFirst, kSecond));
  EXPECT_EQ(opened.report.torn_bytes, 4u);
  EXPECT_FALSE(opened.report.tail_may_be_missing);
  EXPECT_THAT(opened.visited.turns, ElementsAre("one", "two"));
}

TEST(GroupLogTest, NoSegmentIsDeletedBeforeALaterOneHasAWholeSnapshot) {
  MemoryStorage storage;
  const Opened opened(&storage);
  const auto minute = [](int m) { return kStart + absl::Minutes(m); };
  ASSERT_TRUE(Start(opened.log.get(), "a", minute(0)).ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  ASSERT_FALSE(*opened.log->Rotate(minute(1)));
  ASSERT_TRUE(*opened.log->Rotate(minute(1)));
  ASSERT_TRUE(opened.log->AppendSnapshot("b1", false).ok());
  ASSERT_FALSE(*opened.log->Rotate(minute(20)));
  EXPECT_THAT(*storage.List(), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(Opened(&storage).visited.turns, ElementsAre("one"));
  ASSERT_TRUE(opened.log->AppendSnapshot("b2", true).ok());
  ASSERT_FALSE(*opened.log->Rotate(minute(20)));
  EXPECT_THAT(*storage.List(), ElementsAre(kSecond));
  EXPECT_THAT(Opened(&storage).visited.snapshots, ElementsAre("b1", "b2"));
}

// A server was killed before its snapshot was whole, and the segments expired together: the next
// one may find any number of them deleted.
TEST(GroupLogTest, FirstSegmentsWithoutASnapshotAreRemoved) {
  MemoryStorage storage;
  {
    const Opened opened(&storage);
    ASSERT_TRUE(Start(opened.log.get(), "a").ok());
    ASSERT_TRUE(Append(opened.log.get(), "one").ok());
    ASSERT_FALSE(*opened.log->Rotate(kStart + absl::Minutes(1)));
    ASSERT_TRUE(*opened.log->Rotate(kStart + absl::Minutes(1)));
    ASSERT_TRUE(opened.log->AppendSnapshot("b", false).ok());
    ASSERT_TRUE(Append(opened.log.get(), "two").ok());
  }
  Live(&storage, {"three"});
  ASSERT_TRUE(storage.Remove(kFirst).ok());
  // But damage is no deletion.
  MemoryStorage damaged = storage;
  damaged.Corrupt(kSecond, damaged.contents(kSecond).find("two"), 0xff);
  ExpectDamaged(&damaged, Options(), kSecond);
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_THAT(*storage.List(), ElementsAre(kThird));
  EXPECT_THAT(opened.visited.everything, ElementsAre("snapshot", "end", "three"));
}

TEST(GroupLogTest, AFirstSegmentWithHalfASnapshotIsDamage) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  Live(&storage, {"two"});
  std::string bytes(storage.contents(kFirst));
  storage.Corrupt(kFirst, bytes.find("snapshot"), 0xff);
  ExpectDamaged(&storage, Options(), absl::StrCat(kFirst, " is damaged at byte "));
}

// As an earlier version of the server wrote it.
TEST(GroupLogTest, AFirstVersionsSnapshotIsWholeWithOneRecord) {
  std::string bytes = SegmentHeader(1);
  bytes[kSegmentVersionAt] = 1;
  const uint32_t checksum = LogChecksum({bytes.data(), kSegmentChecksumAt});
  for (size_t i = 0; i < 4; ++i) {
    bytes[kSegmentChecksumAt + i] = static_cast<char>(checksum >> (8 * i));
  }
  AddRecord(RecordKind::kStart, absl::StrCat(std::string(1, 1), kThisBoot), &bytes);
  AddRecord(RecordKind::kSnapshot, "snapshot", &bytes);
  AddRecord(RecordKind::kTurn, "one", &bytes);
  MemoryStorage storage;
  storage.Put(kFirst, bytes);
  Live(&storage, {"two"});
  const Opened opened(&storage);
  ASSERT_TRUE(opened.status.ok()) << opened.status;
  EXPECT_THAT(opened.visited.everything,
              ElementsAre("snapshot", "end", "one", "snapshot", "end", "two"));
}

TEST(GroupLogTest, SegmentsAreDeletedWhenAllOfThemIsOldEnough) {
  MemoryStorage storage;
  const Opened opened(&storage);
  const auto minute = [](int m) { return kStart + absl::Minutes(m); };
  ASSERT_TRUE(Start(opened.log.get(), "a", minute(0)).ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  ASSERT_TRUE(Rotate(opened.log.get(), minute(1), "b").ok());
  ASSERT_TRUE(Append(opened.log.get(), "two").ok());
  ASSERT_TRUE(Rotate(opened.log.get(), minute(7) - absl::Seconds(1), "c").ok());
  EXPECT_THAT(*storage.List(), ElementsAre(kFirst, kSecond, kThird));
  EXPECT_EQ(opened.log->segment_count(), 3u);
  // The first one's last turn is six minutes old. Nothing was written since the last rotation.
  EXPECT_FALSE(*opened.log->Rotate(minute(7)));
  EXPECT_FALSE(opened.log->wants_rotation(minute(8)));
  EXPECT_THAT(*storage.List(), ElementsAre(kSecond, kThird));
  const Opened next(&storage);
  EXPECT_THAT(next.visited.everything, ElementsAre("b", "end", "two", "c", "end"));
}

TEST(GroupLogTest, WhatCannotBeDeletedIsTriedAgainAndLeavesNoHole) {
  MemoryStorage storage;
  const Opened opened(&storage);
  const auto minute = [](int m) { return kStart + absl::Minutes(m); };
  ASSERT_TRUE(Start(opened.log.get(), "a", minute(0)).ok());
  for (int i = 1; i <= 2; ++i) {
    ASSERT_TRUE(Append(opened.log.get(), "turn").ok());
    ASSERT_TRUE(Rotate(opened.log.get(), minute(i), "b").ok());
  }
  storage.set_can_remove(false);
  ASSERT_FALSE(*opened.log->Rotate(minute(20)));
  EXPECT_THAT(*storage.List(), ElementsAre(kFirst, kSecond, kThird));
  storage.set_can_remove(true);
  EXPECT_THAT(*storage.List(), ElementsAre(kThird));
}

TEST(GroupLogTest, WhatWasFoundAtTheStartIsKeptAsIfItWereNew) {
  MemoryStorage storage;
  Live(&storage, {"one"});
  const Opened opened(&storage);
  const absl::Time start = kStart + absl::Hours(100);
  ASSERT_TRUE(Start(opened.log.get(), "", start).ok());
  ASSERT_FALSE(*opened.log->Rotate(start + absl::Minutes(6) - absl::Seconds(1)));
  EXPECT_THAT(*storage.List(), ElementsAre(kFirst, kSecond));
  ASSERT_FALSE(*opened.log->Rotate(start + absl::Minutes(6)));
  EXPECT_THAT(*storage.List(), ElementsAre(kSecond));
}

// The system writes the end of a file in its own time, and a newer file may be on the disk before.
TEST(GroupLogTest, UnlessEachWriteIsSyncedASegmentMayBeThereAndTheEndOfTheOneBeforeNot) {
  for (const FsyncMode fsync : {FsyncMode::kNever, FsyncMode::kInterval, FsyncMode::kAlways}) {
    SCOPED_TRACE(static_cast<int>(fsync));
    MemoryStorage storage(fsync);
    Live(&storage, {"one", "two"}, Options(fsync));
    storage.Kill();
    {
      const Opened opened(&storage, Options(fsync));
      ASSERT_TRUE(Start(opened.log.get(), "second").ok());
      ASSERT_TRUE(Append(opened.log.get(), "three").ok());
      ASSERT_TRUE(Rotate(opened.log.get(), kStart + absl::Seconds(60), "third").ok());
      ASSERT_TRUE(Append(opened.log.get(), "four").ok());
    }
    std::string cut(storage.contents(kSecond));
    cut.resize(cut.size() - 3);
    storage.Put(kSecond, cut);
    EXPECT_FALSE(Opened(&storage, Options(fsync)).status.ok());  // the machine still runs
    const Opened opened(&storage, Options(fsync, kOtherBoot));
    EXPECT_EQ(opened.status.ok(), fsync != FsyncMode::kAlways) << opened.status;
    if (!opened.status.ok()) continue;
    EXPECT_TRUE(opened.report.tail_may_be_missing);
    EXPECT_THAT(opened.visited.turns, ElementsAre("one", "two", "four"));
  }
}

// ---- What a call outside of its time does.

TEST(GroupLogTest, BeforeAStartAndAfterAnEndNothingIsDone) {
  MemoryStorage storage;
  const Opened opened(&storage);
  const absl::Time later = kStart + absl::Hours(1);
  EXPECT_FALSE(*opened.log->Rotate(later));
  EXPECT_TRUE(opened.log->Close().ok());
  EXPECT_EQ(Append(opened.log.get(), "early").message(), "no segment was started");
  EXPECT_FALSE(opened.log->needs_snapshot());
  EXPECT_EQ(opened.log->AppendSnapshot("", true).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(opened.log->segment_count(), 0u);
  EXPECT_THAT(*storage.List(), IsEmpty());

  ASSERT_TRUE(Start(opened.log.get(), "", kStart).ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  EXPECT_EQ(opened.log->appended_bytes(), GroupLog::kRecordHeaderBytes + 3);
  ASSERT_TRUE(opened.log->Close().ok());
  const auto files = Files(&storage);
  EXPECT_TRUE(opened.log->Close().ok());
  EXPECT_FALSE(*opened.log->Rotate(later));
  EXPECT_FALSE(*opened.log->Rotate(later));
  EXPECT_EQ(Append(opened.log.get(), "late").message(), "no segment was started");
  EXPECT_EQ(Files(&storage), files);
}

TEST(GroupLogTest, ARecordHasRoomForItsHeader) {
  MemoryStorage storage;
  const Opened opened(&storage);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  std::string record(GroupLog::kRecordHeaderBytes - 1, 'x');
  EXPECT_EQ(opened.log->Append(&record).code(), absl::StatusCode::kInvalidArgument);
  record += 'x';
  EXPECT_TRUE(opened.log->Append(&record).ok());
}

TEST(GroupLogTest, AnEndThatFindsNoRoomIsNone) {
  MemoryStorage storage;
  const Opened opened(&storage);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  storage.set_bytes_left(0);
  EXPECT_EQ(opened.log->Close().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(Opened(&storage).report.clean);
  storage.set_bytes_left(std::nullopt);
  EXPECT_TRUE(opened.log->Close().ok());
  EXPECT_TRUE(Opened(&storage).report.clean);
}

// From then on the log must show that it has not ended cleanly.
TEST(GroupLogTest, AStartThatCannotBeMadeSafeIsNone) {
  MemoryStorage storage;
  const Opened opened(&storage);
  storage.set_can_sync(false);
  EXPECT_EQ(Start(opened.log.get()).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Append(opened.log.get(), "one").code(), absl::StatusCode::kFailedPrecondition);
  storage.set_can_sync(true);
  EXPECT_TRUE(Start(opened.log.get()).ok());
  EXPECT_TRUE(Append(opened.log.get(), "one").ok());
}

TEST(GroupLogTest, AReportIsOfItsOwnLogAlone) {
  MemoryStorage torn;
  Live(&torn, {"one"});
  torn.Put(kFirst, std::string(torn.contents(kFirst)) + "half");
  MemoryStorage empty;
  Collector visited;
  RecoveryReport report;
  ASSERT_TRUE(GroupLog::Open(Options(), &torn, &visited, &report).ok());
  ASSERT_EQ(report.torn_bytes, 4u);
  ASSERT_TRUE(GroupLog::Open(Options(), &empty, &visited, &report).ok());
  EXPECT_FALSE(report.existed);
  EXPECT_EQ(report.torn_bytes, 0u);
  EXPECT_EQ(report.turns, 0u);
}

// ---- The segments after the first.

constexpr size_t kRecord = GroupLog::kRecordHeaderBytes;

// Each snapshot counts for its own segment, to the byte: with its records' headers, and without the
// snapshots before it.
TEST(GroupLogTest, EachSegmentsTurnsTakeAsMuchAsItsOwnSnapshot) {
  MemoryStorage storage;
  GroupLogOptions options = Options();
  options.segment_bytes_max = 100;
  const Opened opened(&storage, options);
  GroupLog* const log = opened.log.get();
  const auto second = [](int s) { return kStart + absl::Seconds(s); };
  ASSERT_TRUE(Start(log, std::string(5000, 's')).ok());
  const size_t first = storage.contents(kFirst).size();
  ASSERT_TRUE(Append(log, std::string(first - kRecord - 1, 'x')).ok());
  EXPECT_FALSE(log->wants_rotation(second(2)));
  ASSERT_TRUE(Append(log, "").ok());
  EXPECT_TRUE(log->wants_rotation(second(2)));

  ASSERT_FALSE(*log->Rotate(second(2)));
  ASSERT_TRUE(*log->Rotate(second(2)));
  ASSERT_TRUE(log->AppendSnapshot(std::string(400, 's'), false).ok());
  ASSERT_TRUE(log->AppendSnapshot(std::string(300, 's'), true).ok());
  const size_t snapshot = 700 + 3 * kRecord;  // and the record of its end
  ASSERT_TRUE(Append(log, std::string(snapshot - kRecord - 1 - kRecord, 'x')).ok());
  EXPECT_FALSE(log->wants_rotation(second(4)));
  ASSERT_TRUE(Append(log, "").ok());
  EXPECT_FALSE(log->wants_rotation(second(4)));
  ASSERT_TRUE(Append(log, "").ok());
  EXPECT_TRUE(log->wants_rotation(second(4)));

  // A small one: then the bytes of a segment count.
  ASSERT_TRUE(Rotate(log, second(4)).ok());
  ASSERT_TRUE(Append(log, std::string(99 - kRecord, 'x')).ok());
  EXPECT_FALSE(log->wants_rotation(second(6)));
  ASSERT_TRUE(Append(log, "").ok());
  EXPECT_TRUE(log->wants_rotation(second(6)));
}

TEST(GroupLogTest, EachSegmentIsDueByItsOwnAge) {
  MemoryStorage storage;
  const Opened opened(&storage);
  const auto second = [](int s) { return kStart + absl::Seconds(s); };
  ASSERT_TRUE(Start(opened.log.get(), "", second(1000)).ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  EXPECT_FALSE(opened.log->wants_rotation(second(1059)));
  EXPECT_TRUE(opened.log->wants_rotation(second(1060)));
  ASSERT_TRUE(Rotate(opened.log.get(), second(1070)).ok());
  ASSERT_TRUE(Append(opened.log.get(), "two").ok());
  EXPECT_FALSE(opened.log->wants_rotation(second(1129)));
  EXPECT_TRUE(opened.log->wants_rotation(second(1130)));
}

// With kAlways, too, old segments go only when the snapshot that replaces them is safe.
TEST(GroupLogTest, TheLastPartOfASnapshotIsSafeAtOnce) {
  MemoryStorage storage(FsyncMode::kAlways);
  const Opened opened(&storage, Options(FsyncMode::kAlways));
  ASSERT_TRUE(Start(opened.log.get(), "a").ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  ASSERT_FALSE(*opened.log->Rotate(kStart + absl::Minutes(1)));
  ASSERT_TRUE(*opened.log->Rotate(kStart + absl::Minutes(1)));
  ASSERT_TRUE(opened.log->AppendSnapshot("b1", false).ok());
  {
    MemoryStorage lost = storage;
    lost.LoseUnsynced();
    EXPECT_THAT(Opened(&lost, Options(FsyncMode::kAlways, kOtherBoot)).visited.everything,
                ElementsAre("a", "end", "one"));
  }
  ASSERT_TRUE(opened.log->AppendSnapshot("b2", true).ok());
  storage.LoseUnsynced();
  EXPECT_THAT(Opened(&storage, Options(FsyncMode::kAlways, kOtherBoot)).visited.everything,
              ElementsAre("a", "end", "one", "b1", "b2", "end"));
}

// On a full disk that is what makes room.
TEST(GroupLogTest, OldSegmentsAreDeletedAlsoWhenThereIsNoRoomForANewOne) {
  MemoryStorage storage;
  const Opened opened(&storage);
  ASSERT_TRUE(Start(opened.log.get()).ok());
  ASSERT_TRUE(Append(opened.log.get(), "one").ok());
  ASSERT_TRUE(Rotate(opened.log.get(), kStart + absl::Minutes(1)).ok());
  ASSERT_TRUE(Append(opened.log.get(), "two").ok());
  storage.set_bytes_left(0);
  EXPECT_EQ(Rotate(opened.log.get(), kStart + absl::Minutes(7)).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(*storage.List(), ElementsAre(kSecond));
  EXPECT_EQ(opened.log->segment_count(), 1u);
}

// Each write was synced before the next one, so a power loss tears the last one only. What is not
// whole before it is damage, and those after it were acknowledged.
TEST(GroupLogPowerLossTest, WithFsyncAlwaysOnlyTheLastWriteIsTorn) {
  MemoryStorage storage(FsyncMode::kAlways);
  Live(&storage, {"one", "two", "three"}, Options(FsyncMode::kAlways), /*close=*/true);
  storage.Corrupt(kFirst, storage.contents(kFirst).find("two"), 0xff);
  ExpectDamaged(&storage, Options(FsyncMode::kAlways, kOtherBoot), kFirst);
  EXPECT_NE(storage.contents(kFirst).find("three"), absl::string_view::npos);
}

// Create syncs the contents before the name appears.
TEST(GroupLogPowerLossTest, WithFsyncAlwaysASegmentsHeadIsNeverTorn) {
  MemoryStorage storage(FsyncMode::kAlways);
  Live(&storage, {"one"}, Options(FsyncMode::kAlways));
  Live(&storage, {"two"}, Options(FsyncMode::kAlways));
  storage.Corrupt(kSecond, kSegmentChecksumAt, 0xff);
  ExpectDamaged(&storage, Options(FsyncMode::kAlways, kOtherBoot), kSecond);
  EXPECT_FALSE(storage.contents(kSecond).empty());
}

// The snapshot took longer than old segments are kept: its last part had to wait for room.
TEST(GroupLogPowerLossTest, NoSegmentGoesBeforeTheSnapshotAfterItIsSafe) {
  MemoryStorage storage(FsyncMode::kInterval);
  GroupLogOptions options = Options(FsyncMode::kInterval);
  options.keep = absl::Seconds(10);
  options.segment_age_max = absl::Seconds(1);
  {
    Opened opened(&storage, options);
    ASSERT_TRUE(Start(opened.log.get(), "first").ok());
    ASSERT_TRUE(Append(opened.log.get(), "turn").ok());
    absl::Time now = kStart + absl::Seconds(2);
    while (!*opened.log->Rotate(now)) {
    }
    ASSERT_TRUE(storage.Sync().ok());  // the second is over
    storage.set_bytes_left(0);
    ASSERT_FALSE(opened.log->AppendSnapshot("part", /*is_last=*/true).ok());
    now += options.keep;
    storage.set_bytes_left(std::nullopt);
    ASSERT_TRUE(opened.log->AppendSnapshot("part", /*is_last=*/true).ok());
    ASSERT_FALSE(*opened.log->Rotate(now));
  }
  storage.LoseUnsynced();
  Opened opened(&storage, Options(FsyncMode::kInterval, kOtherBoot));
  EXPECT_TRUE(opened.status.ok()) << opened.status;
}

}  // namespace
}  // namespace groupcast::service
