// Runs many simulated worlds and reports the first one that breaks a promise.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "services/channel/testing/world.h"
#include "services/common/flags.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(uint64_t, seeds, 10'000, "how many worlds");
ABSL_FLAG(uint64_t, first, 1, "the seed of the first one");
ABSL_FLAG(int, threads, 0, "0: one for each core");
ABSL_FLAG(bool, trace, false, "print what happens; for --seeds=1");

namespace groupcast::service::testing {
namespace {

int Main() {
  const uint64_t first = absl::GetFlag(FLAGS_first);
  const uint64_t end = first + absl::GetFlag(FLAGS_seeds);
  const bool trace = absl::GetFlag(FLAGS_trace);
  int threads = absl::GetFlag(FLAGS_threads);
  if (threads <= 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  if (trace) threads = 1;

  std::atomic<uint64_t> next = first;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  WorldResult sum;
  uint64_t done = 0;
  const auto begin = std::chrono::steady_clock::now();
  auto next_line = begin + std::chrono::seconds(10);
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const auto work = [&] {
    for (uint64_t seed = next++; seed < end && !failed; seed = next++) {
      const WorldResult result = RunWorld(seed, trace);
      const std::lock_guard<std::mutex> lock(mutex);
      ++done;
      sum.placed += result.placed;
      sum.acknowledged += result.acknowledged;
      sum.delivered += result.delivered;
      sum.faults += result.faults;
      sum.lost_frames += result.lost_frames;
      sum.to_rest = std::max(sum.to_rest, result.to_rest);
      if (!result.failure.empty() && !failed.exchange(true)) {
        std::printf(
            "FAILED seed %llu (%s): %s\nafter %llu worlds, %.1f s; "
            "--first=%llu --seeds=1 --trace shows it\n",
            static_cast<unsigned long long>(seed), result.description.c_str(),
            result.failure.c_str(), static_cast<unsigned long long>(done), seconds(),
            static_cast<unsigned long long>(seed));
      }
      if (std::chrono::steady_clock::now() >= next_line) {
        next_line += std::chrono::seconds(10);
        std::printf("%llu of %llu worlds, %.0f/s\n", static_cast<unsigned long long>(done),
                    static_cast<unsigned long long>(end - first),
                    static_cast<double>(done) / seconds());
        std::fflush(stdout);
      }
    }
  };
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) pool.emplace_back(work);
  for (std::thread& thread : pool) thread.join();
  std::printf(
      "%llu worlds, %llu messages, %llu acknowledged, %llu deliveries, %llu faults, "
      "%llu frames lost by the network, at rest after %.1f s at most, %.1f s: %s\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(sum.placed),
      static_cast<unsigned long long>(sum.acknowledged),
      static_cast<unsigned long long>(sum.delivered), static_cast<unsigned long long>(sum.faults),
      static_cast<unsigned long long>(sum.lost_frames), absl::ToDoubleSeconds(sum.to_rest),
      seconds(), failed ? "a promise was broken" : "all promises kept");
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace groupcast::service::testing

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away does not end the run
  groupcast::service::ParseCommandLine(
      argc, argv, "Runs server, workers and clients on virtual time. See tools/simulate.");
  spdlog::set_level(spdlog::level::off);  // no log lines of the logic
  return groupcast::service::testing::Main();
}
