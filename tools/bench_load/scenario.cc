#include "tools/bench_load/scenario.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "tools/bench_load/load.h"
#include "tools/bench_load/process_tree.h"
#include "tools/bench_load/swarm.h"

namespace groupcast::bench {
namespace {

// How often messages are looked for that do not come.
constexpr int64_t kLookEveryNs = 50'000'000;

absl::Status OpenAndJoin(const Scenario& scenario, Swarm* swarm) {
  if (absl::Status status = swarm->Open(); !status.ok()) return status;
  std::vector<Swarm::Joining> joins;
  for (uint32_t connection = 0; connection < scenario.connections; ++connection) {
    joins.push_back({connection, Group{connection / scenario.members_per_group()}});
  }
  return swarm->Join(joins);
}

// Sends for that long, and waits until all has come, or nothing has for `patience`.
absl::Status Drive(Swarm* swarm, Load* load, absl::Duration time, absl::Duration patience) {
  const int64_t patience_ns = absl::ToInt64Nanoseconds(patience);
  int64_t now_ns = MonotonicNs();
  const int64_t end_ns = now_ns + absl::ToInt64Nanoseconds(time);
  int64_t look_ns = now_ns + kLookEveryNs;
  load->Start(now_ns);
  for (; now_ns < end_ns && swarm->status().ok(); now_ns = MonotonicNs()) {
    load->OnTime(now_ns);
    if (now_ns >= look_ns) {
      load->GiveUpBefore(now_ns - patience_ns, now_ns);
      look_ns = now_ns + kLookEveryNs;
    }
    swarm->Poll(std::min({end_ns, look_ns, load->NextTime()}), load);
  }
  load->Stop();
  while (!load->AllCame() && swarm->status().ok() &&
         now_ns < std::max(load->last_came_ns(), end_ns) + patience_ns) {
    swarm->Poll(now_ns + kLookEveryNs, load);
    now_ns = MonotonicNs();
  }
  return swarm->status();
}

}  // namespace

absl::StatusOr<RunResult> RunScenario(const Scenario& scenario, const Target& target,
                                      const RunOptions& options) {
  RunResult result;
  result.pss_bare = PssOf(target.processes);
  Swarm swarm(
      {.port = target.port, .dialect = target.dialect, .connections = scenario.connections});
  const int64_t opening_ns = MonotonicNs();
  if (absl::Status status = OpenAndJoin(scenario, &swarm); !status.ok()) return status;
  result.opening = absl::Nanoseconds(MonotonicNs() - opening_ns);
  result.pss_joined = PssOf(target.processes);

  const std::unique_ptr<Load> load =
      Load::Create(scenario, [&swarm](uint32_t connection, Group group, std::string_view message) {
        swarm.Send(connection, group, message);
      });
  absl::Status status = Drive(&swarm, load.get(), options.warm_up, options.patience);
  if (!status.ok()) return status;
  load->Measure();
  const absl::Duration server_cpu = CpuTimeOf(target.processes);
  const absl::Duration client_cpu = OwnCpuTime();
  const int64_t began_ns = MonotonicNs();
  status = Drive(&swarm, load.get(), options.measured, options.patience);
  if (!status.ok()) return status;
  result.client_cpu = OwnCpuTime() - client_cpu;
  result.server_cpu = CpuTimeOf(target.processes) - server_cpu;
  result.wall = absl::Nanoseconds(std::max(load->last_came_ns(), began_ns) - began_ns);
  result.closed = swarm.closed();
  load->Report(&result);
  return result;
}

}  // namespace groupcast::bench
