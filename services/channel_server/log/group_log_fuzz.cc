// Gives arbitrary bytes to the log's recovery, as the last segment after one that is whole. The
// first byte says how: bit 0, as after a power loss; bit 1, with the checksums made right, so that
// what they would keep out gets in.
//
// Whatever they are, recovery ends with a sentence, or with a log that goes on: the next start
// finds the same turns, nothing torn any more, and what was added.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "services/channel_server/log/group_log.h"
#include "services/channel_server/log/testing/memory_storage.h"

namespace groupcast::service {
namespace {

constexpr char kBoot[] = "boot";
constexpr char kSecond[] = "log-0000000000000002";

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

class Collector final : public GroupLogVisitor {
 public:
  absl::Status OnSnapshotPart(absl::string_view part) override {
    Check(snapshots > 0 || part == "first", "another snapshot than the oldest");
    ++snapshots;
    return absl::OkStatus();
  }
  void OnSnapshotEnd() override { Check(snapshots > 0, "a snapshot without parts"); }
  absl::Status OnTurn(absl::string_view turn) override {
    turns.emplace_back(turn);
    return absl::OkStatus();
  }

  int snapshots = 0;
  std::vector<std::string> turns;
};

uint32_t Checksum(const std::string& bytes, size_t at, size_t size) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data() + at, size));
}

void Store(uint32_t value, std::string* bytes, size_t at) {
  for (size_t i = 0; i < 4; ++i) (*bytes)[at + i] = static_cast<char>(value >> (8 * i));
}

void FixChecksums(std::string* bytes) {
  if (bytes->size() < kSegmentHeaderBytes) return;
  Store(Checksum(*bytes, 0, 20), bytes, 20);
  size_t at = kSegmentHeaderBytes;
  while (bytes->size() - at >= GroupLog::kRecordHeaderBytes) {
    size_t size = 0;
    for (size_t i = 0; i < 4; ++i) {
      size |= static_cast<size_t>(static_cast<uint8_t>((*bytes)[at + 4 + i])) << (8 * i);
    }
    const size_t payload = at + GroupLog::kRecordHeaderBytes;
    const bool whole = size <= bytes->size() - payload;
    if (whole) Store(Checksum(*bytes, payload, size), bytes, at + 9);
    Store(Checksum(*bytes, at + 4, 9), bytes, at);
    if (!whole) return;
    at = payload + size;
  }
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  GroupLogOptions options;
  options.boot_id = kBoot;
  MemoryStorage storage;
  Collector collector;
  RecoveryReport report;
  std::string record;
  const auto add_turn = [&record](GroupLog* log) {
    record.assign(GroupLog::kRecordHeaderBytes, '\0');
    record += "turn";
    Check(log->Append(&record).ok(), "a turn cannot be appended");
  };
  {
    const auto log = GroupLog::Open(options, &storage, &collector, &report);
    Check(log.ok() && (*log)->Start({std::string("first")}, absl::UnixEpoch()).ok(),
          "no first segment");
    add_turn(log->get());
  }

  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 2) != 0) FixChecksums(&bytes);
  storage.Put(kSecond, bytes);
  if ((data[0] & 1) != 0) options.boot_id = "another boot";
  const absl::Status status = GroupLog::Open(options, &storage, &collector, &report).status();
  if (!status.ok()) {
    Check(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status), "a wrong error");
    Check(storage.contents(kSecond) == bytes, "something was changed");
    return 0;
  }
  Check(collector.snapshots > 0, "no snapshot");
  Check(!collector.turns.empty() && collector.turns[0] == "turn", "the first turn is lost");

  Collector again;
  const auto log = GroupLog::Open(options, &storage, &again, &report);
  Check(log.ok(), "cannot be opened again");
  Check(again.turns == collector.turns, "other turns when opened again");
  Check(report.torn_bytes == 0, "torn again");
  Check((*log)->Start({std::string("third")}, absl::UnixEpoch()).ok(), "no next segment");
  add_turn(log->get());

  Collector more;
  Check(GroupLog::Open(options, &storage, &more, &report).ok(), "what was added cannot be read");
  Check(more.turns.size() == again.turns.size() + 1, "what was added is not there");
  return 0;
}
