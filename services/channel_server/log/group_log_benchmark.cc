// bazel run -c opt //services/channel_server/log:group_log_benchmark
//
// On real files, in $TMPDIR or /var/tmp. What is appended is bounded by rotation as in the server.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "services/channel_server/log/file_storage.h"
#include "services/channel_server/log/group_log.h"

namespace groupcast::service {
namespace {

constexpr size_t kMessageBytes = 256;

class Counter final : public GroupLogVisitor {
 public:
  absl::Status OnSnapshotPart(absl::string_view) override { return absl::OkStatus(); }
  void OnSnapshotEnd() override {}
  absl::Status OnTurn(absl::string_view) override {
    ++turns;
    return absl::OkStatus();
  }
  uint64_t turns = 0;
};

struct LogOnFiles {
  explicit LogOnFiles(FsyncMode fsync, absl::Duration keep = absl::ZeroDuration()) {
    const char* parent = std::getenv("TMPDIR");
    directory = absl::StrCat(parent != nullptr ? parent : "/var/tmp", "/group_log.XXXXXX");
    if (mkdtemp(directory.data()) == nullptr) std::abort();
    options.fsync = fsync;
    options.boot_id = ReadBootId();
    options.keep = keep;
    storage = *FileStorage::Open(directory, fsync);
    Open();
  }
  ~LogOnFiles() { std::filesystem::remove_all(directory); }

  void Open() {
    log = *GroupLog::Open(options, storage.get(), &counter, &report);
    if (!log->Start({std::string("snapshot")}, now).ok()) std::abort();
  }
  // As between the turns of a server.
  void Rotate() {
    now += absl::Seconds(2);
    const absl::StatusOr<bool> rotated = log->Rotate(now);
    if (!rotated.ok()) std::abort();
    if (*rotated && !log->AppendSnapshot("snapshot", /*is_last=*/true).ok()) std::abort();
  }

  std::string directory;
  GroupLogOptions options;
  std::unique_ptr<FileStorage> storage;
  std::unique_ptr<GroupLog> log;
  Counter counter;
  RecoveryReport report;
  absl::Time now = absl::UnixEpoch();
};

// Items are messages. Args: messages in a turn, FsyncMode.
void BM_Append(benchmark::State& state) {
  const auto messages = static_cast<size_t>(state.range(0));
  LogOnFiles files(static_cast<FsyncMode>(state.range(1)));
  const std::string message(kMessageBytes, 'm');
  std::string record;
  for (auto _ : state) {
    record.resize(GroupLog::kRecordHeaderBytes);
    for (size_t i = 0; i < messages; ++i) record += message;
    if (!files.log->Append(&record).ok()) state.SkipWithError("append failed");
    files.Rotate();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(messages));
  state.SetBytesProcessed(static_cast<int64_t>(files.log->appended_bytes()));
}
BENCHMARK(BM_Append)
    ->ArgNames({"messages", "fsync"})
    ->ArgsProduct({{1, 10, 100}, {0, 1, 2}})
    ->UseRealTime();

// 1 GiB in turns of so many messages; the files are in the system's cache, as after a kill.
void BM_Recover(benchmark::State& state) {
  const auto messages = static_cast<size_t>(state.range(0));
  LogOnFiles files(FsyncMode::kNever, absl::InfiniteDuration());
  const std::string message(kMessageBytes, 'm');
  std::string record;
  while (files.log->appended_bytes() < 1u << 30) {
    record.resize(GroupLog::kRecordHeaderBytes);
    for (size_t i = 0; i < messages; ++i) record += message;
    if (!files.log->Append(&record).ok()) state.SkipWithError("append failed");
    files.Rotate();
  }
  for (auto _ : state) {
    files.counter.turns = 0;
    const auto log =
        GroupLog::Open(files.options, files.storage.get(), &files.counter, &files.report);
    if (!log.ok()) state.SkipWithError("recovery failed");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(files.counter.turns));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(files.report.bytes));
}
BENCHMARK(BM_Recover)->ArgName("messages")->Arg(1)->Arg(100)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
