// bazel run -c opt //services/channel_server:broker_log_benchmark
//
// How long a rotation holds up the turn's thread, on real files in $TMPDIR or /var/tmp. The
// counters are of all turns in which a rotation was under way: the longest, and their number.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "services/channel_server/broker_log.h"
#include "services/channel_server/log/file_storage.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

constexpr PublisherId kPublisher{1};

class Server final : private BrokerSink {
 public:
  explicit Server(FsyncMode fsync)
      : broker_({.new_epoch = [] { return Epoch{7}; },
                 .has_log = true,
                 .record_room_bytes = GroupLog::kRecordHeaderBytes,
                 .retention = {.bytes_max = size_t{8} << 30}},
                &clock_, &clock_) {
    const char* parent = std::getenv("TMPDIR");
    directory_ = absl::StrCat(parent != nullptr ? parent : "/var/tmp", "/broker_log.XXXXXX");
    if (mkdtemp(directory_.data()) == nullptr) std::abort();
    storage_ = *FileStorage::Open(directory_, fsync);
    RecoveryReport report;
    log_ = *BrokerLog::Open({.fsync = fsync, .boot_id = ReadBootId()}, false, clock_.Now(),
                            storage_.get(), &broker_, &report);
    broker_.BeginTurn();
    channel::v1::Hello hello;
    hello.set_first_unacknowledged(1);
    Check(broker_.OnControl(kPublisher, ControlFrame(ControlKind::kHello, hello), this));
    EndTurn();
  }
  ~Server() {
    storage_ = nullptr;
    std::filesystem::remove_all(directory_);
  }

  void Subscribe(absl::string_view group_id) { Check(broker_.OnSubscription(TopicOf(group_id))); }
  void Publish(absl::string_view group_id) {
    frames_.push_back(LiveFramePrefix(group_id, {.kind = LiveKind::kPublication,
                                                 .publisher = kPublisher,
                                                 .number = ++number_}) +
                      std::string(200, 'x'));
    Check(broker_.OnPublication(absl::MakeSpan(frames_.back())));
  }
  void EndTurn() {
    Check(broker_.EndTurn(this));
    frames_.clear();
    broker_.BeginTurn();
  }
  // The time that it takes.
  absl::Duration Step() {
    const absl::Time begin = absl::Now();
    Check(log_->Step(clock_.Now()));
    return absl::Now() - begin;
  }
  void Pass(absl::Duration time) { clock_.Advance(time); }
  bool in_snapshot() const { return log_->in_snapshot(); }
  size_t segment_count() const { return log_->segment_count(); }

 private:
  static void Check(const absl::Status& status) {
    if (!status.ok()) std::abort();
  }
  absl::Status WriteLog(std::string* record) override { return log_->Append(record); }
  bool HandOut(size_t) override { return true; }
  bool Announce(absl::string_view) override { return true; }
  Sent SendControl(PublisherId, absl::string_view) override { return Sent::kSent; }

  FakeClock clock_;
  std::string directory_;
  std::unique_ptr<FileStorage> storage_;
  Broker broker_;
  std::unique_ptr<BrokerLog> log_;
  std::deque<std::string> frames_;
  uint64_t number_ = 0;
};

// Args: known groups, FsyncMode. Ten messages in each turn.
void BM_Rotation(benchmark::State& state) {
  Server server(static_cast<FsyncMode>(state.range(1)));
  for (int64_t i = 0; i < state.range(0); ++i) {
    server.Subscribe(absl::StrCat("group ", i));
    if (i % 1'000 == 0) server.EndTurn();
  }
  server.EndTurn();
  absl::Duration longest;
  int64_t turns = 0;
  for (auto _ : state) {
    server.Pass(absl::Minutes(1));
    const size_t segments = server.segment_count();
    do {
      for (int i = 0; i < 10; ++i) server.Publish(absl::StrCat("group ", i));
      server.EndTurn();
      longest = std::max(longest, server.Step());
      ++turns;
    } while (server.segment_count() == segments || server.in_snapshot());
  }
  state.counters["longest_ms"] = absl::ToDoubleMilliseconds(longest);
  state.counters["turns"] =
      benchmark::Counter(static_cast<double>(turns), benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_Rotation)
    ->ArgNames({"groups", "fsync"})
    ->ArgsProduct({{1'000, 1'000'000}, {0, 1, 2}})
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
