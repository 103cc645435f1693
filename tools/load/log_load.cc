#include "tools/load/log_load.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/load/channel_load.h"
#include "tools/load/server_process.h"

namespace groupcast::load {
namespace {

struct Candidate {
  std::string name;
  std::unique_ptr<ServerProcess> server;
  uint16_t port = 0;
  LogCost cost;
  std::vector<double> rate;
  std::vector<double> cpu_us;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The median of a[i] / b[i]: what both have of a round's disturbances cancels out.
double MedianRatio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return Median(ratios);
}

absl::Status RunOnce(const LogLoadOptions& options, Candidate* candidate) {
  ChannelLoadOptions load;
  load.port = candidate->port;
  load.server = candidate->server->pid();
  load.messages = options.messages;
  load.message_bytes = options.message_bytes;
  const absl::StatusOr<ChannelLoadResult> result = MeasureThroughput(load);
  if (!result.ok()) return result.status();
  const auto received = static_cast<double>(result->received);
  candidate->rate.push_back(received / absl::ToDoubleSeconds(result->wall));
  candidate->cpu_us.push_back(absl::ToDoubleMicroseconds(result->server_cpu) / received);
  candidate->cost.lost += result->lost;
  candidate->cost.out_of_order += result->out_of_order;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<LogCost>> MeasureLogCost(const LogLoadOptions& options) {
  std::vector<Candidate> candidates;
  for (const char* fsync : {"", "never", "interval", "always"}) {
    Candidate& candidate = candidates.emplace_back();
    candidate.name = *fsync == '\0' ? "no log" : fsync;
    candidate.server = std::make_unique<ServerProcess>(options.channel_server, options.directory,
                                                       absl::StrCat("log_", fsync));
    std::vector<std::string> flags = {"--port=0"};
    if (*fsync != '\0') {
      flags.push_back(absl::StrCat("--data_dir=", options.directory, "/data_", fsync));
      flags.push_back(absl::StrCat("--fsync=", fsync));
    }
    if (absl::Status status = candidate.server->Start(flags); !status.ok()) return status;
    const absl::StatusOr<uint16_t> port = candidate.server->WaitUntilReady();
    if (!port.ok()) return port.status();
    candidate.port = *port;
  }
  // The first round fills what is kept in memory, and is not counted.
  for (int round = 0; round <= options.rounds; ++round) {
    for (size_t i = 0; i < candidates.size(); ++i) {
      Candidate& candidate = candidates[(static_cast<size_t>(round) + i) % candidates.size()];
      if (absl::Status status = RunOnce(options, &candidate); !status.ok()) return status;
      if (round > 0) continue;
      candidate.rate.clear();
      candidate.cpu_us.clear();
    }
  }
  std::vector<LogCost> costs;
  for (Candidate& candidate : candidates) {
    LogCost& cost = candidate.cost;
    cost.name = candidate.name;
    cost.messages_per_second = Median(candidate.rate);
    cost.server_cpu = absl::Microseconds(Median(candidate.cpu_us));
    cost.throughput_ratio = MedianRatio(candidate.rate, candidates.front().rate);
    cost.cpu_ratio = MedianRatio(candidate.cpu_us, candidates.front().cpu_us);
    costs.push_back(std::move(cost));
  }
  return costs;
}

}  // namespace groupcast::load
