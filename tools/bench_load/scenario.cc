#include "tools/bench_load/scenario.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench_load/crowd.h"
#include "tools/bench_load/load.h"
#include "tools/bench_load/process_tree.h"
#include "tools/bench_load/side_load.h"
#include "tools/bench_load/swarm.h"

namespace groupcast::bench {
namespace {

// How often messages are looked for that do not come.
constexpr int64_t kLookEveryNs = 50'000'000;

// One run: the load and what goes on beside it, on one swarm, and perhaps a crowd.
class Run final : private Swarm::Listener, private SideLoad::Connections {
 public:
  Run(const Scenario& scenario, const Target& target, const RunOptions& options)
      : scenario_(scenario),
        target_(target),
        options_(options),
        patience_ns_(absl::ToInt64Nanoseconds(options.patience)),
        crowd_stream_(scenario.groups * scenario.senders_per_group),
        crowd_message_(std::max(scenario.message_bytes, kStampBytes), 'x'),
        swarm_(SwarmOptions()),
        load_(Load::Create(scenario,
                           [this](uint32_t connection, Group group, std::string_view message) {
                             swarm_.Send(connection, group, message);
                           })),
        side_(SideLoad::Create(scenario, this)) {}

  absl::StatusOr<RunResult> Do();

 private:
  Swarm::Options SwarmOptions() const;
  uint32_t own_connections() const;
  absl::Status OpenAndJoin();
  // Sends for that long, and waits until all has come, or nothing has for `patience`.
  absl::Status Drive(absl::Duration time);
  absl::Status status() const;
  absl::Duration ClientCpu() const;
  absl::Status TakeCrowdResult(RunResult* result);

  void OnMessage(uint32_t connection, const Stamp& stamp, int64_t now_ns) override {
    load_->OnMessage(connection, stamp, now_ns);
  }
  void OnOpen(uint32_t connection, int64_t now_ns) override { side_->OnOpen(connection, now_ns); }
  void OnJoined(uint32_t connection, int64_t now_ns) override {
    side_->OnJoined(connection, now_ns);
  }
  void OnClosed(uint32_t connection, bool told) override {
    const bool expected = side_->OnClosed(connection, told);
    if (expected && connection < scenario_.connections) load_->Excuse(connection);
  }

  void Join(uint32_t connection, Group group) override { swarm_.StartToJoin(connection, group); }
  void Move(uint32_t connection, Group from, Group to) override {
    swarm_.StartToMove(connection, from, to);
  }
  void Leave(uint32_t connection, Group group) override { swarm_.Leave(connection, group); }
  void Disconnect(uint32_t connection) override { swarm_.Disconnect(connection); }
  void Connect(uint32_t connection) override { swarm_.Connect(connection); }
  void SetReading(uint32_t connection, bool reading) override {
    swarm_.SetReading(connection, reading);
  }
  void SendToCrowd(int64_t sent_ns) override;
  int64_t CrowdHas() const override { return crowd_->Has(); }

  const Scenario& scenario_;
  const Target& target_;
  const RunOptions& options_;
  const int64_t patience_ns_;
  const uint32_t crowd_stream_;  // the first that is not the load's
  std::string crowd_message_;
  Swarm swarm_;
  std::unique_ptr<Load> load_;
  std::unique_ptr<SideLoad> side_;
  std::unique_ptr<Crowd> crowd_;
};

// Those of the swarm. A busy crowd's sender, which is no member, comes after the load's.
uint32_t Run::own_connections() const {
  if (!scenario_.has_crowd()) return scenario_.all_connections();
  return scenario_.connections + (scenario_.beside == Scenario::Beside::kBusyCrowd ? 1 : 0);
}

Swarm::Options Run::SwarmOptions() const {
  const Scenario& scenario = scenario_;
  return {.port = target_.port,
          .dialect = target_.dialect,
          .connections = own_connections(),
          .narrow = [&scenario](uint32_t connection) { return scenario.Stalls(connection); },
          .first_group =
              [&scenario](uint32_t connection) {
                return connection < scenario.connections
                           ? Group{scenario.FirstGroupOf(connection)}
                           : scenario.BesideGroupOf(connection - scenario.connections);
              },
          .message_tail = FillingOf(scenario).substr(kStampBytes)};
}

absl::Status Run::OpenAndJoin() {
  if ((scenario_.beside == Scenario::Beside::kJoins ||
       scenario_.beside == Scenario::Beside::kComeAndGo) &&
      !target_.dialect->CanLeave()) {
    return absl::FailedPreconditionError("the scenario needs a dialect that can leave a group");
  }
  if (scenario_.beside_watchers > 0 && !target_.dialect->CanWatch()) {
    return absl::FailedPreconditionError("the scenario needs a dialect that can watch members");
  }
  if (scenario_.has_crowd()) {
    auto crowd = Crowd::Start({.port = target_.port,
                               .dialect = target_.dialect,
                               .connections = scenario_.beside_connections,
                               .first_number = own_connections(),
                               .group = [this](uint32_t i) { return scenario_.BesideGroupOf(i); },
                               .stream = crowd_stream_});
    if (!crowd.ok()) return crowd.status();
    crowd_ = *std::move(crowd);
  }
  if (absl::Status status = swarm_.Open(); !status.ok()) return status;
  std::vector<Swarm::Joining> joins;
  for (uint32_t connection = 0; connection < scenario_.connections; ++connection) {
    for (uint32_t i = 0; i < scenario_.groups_per_connection; ++i) {
      joins.push_back({connection, Group{scenario_.FirstGroupOf(connection) + i}});
    }
  }
  if (!scenario_.has_crowd()) {
    for (uint32_t i = scenario_.connections; i < own_connections(); ++i) {
      joins.push_back({i, scenario_.BesideGroupOf(i - scenario_.connections),
                       i >= own_connections() - scenario_.beside_watchers});
    }
  }
  return swarm_.Join(joins);
}

absl::Status Run::status() const {
  if (!swarm_.status().ok() || crowd_ == nullptr) return swarm_.status();
  return crowd_->status();
}

absl::Status Run::Drive(absl::Duration time) {
  int64_t now_ns = MonotonicNs();
  const int64_t end_ns = now_ns + absl::ToInt64Nanoseconds(time);
  int64_t look_ns = now_ns + kLookEveryNs;
  load_->Start(now_ns);
  side_->Start(now_ns);
  for (; now_ns < end_ns && swarm_.status().ok(); now_ns = MonotonicNs()) {
    load_->OnTime(now_ns);
    side_->OnTime(now_ns);
    if (now_ns >= look_ns) {
      load_->GiveUpBefore(now_ns - patience_ns_, now_ns);
      look_ns = now_ns + kLookEveryNs;
    }
    swarm_.Poll(std::min({end_ns, look_ns, load_->NextTime(), side_->NextTime()}), this);
  }
  load_->Stop();
  side_->Stop(now_ns);
  while ((!load_->AllCame() || side_->Unfinished() > 0) && swarm_.status().ok() &&
         now_ns < std::max(load_->last_came_ns(), end_ns) + patience_ns_) {
    side_->OnTime(now_ns);
    swarm_.Poll(std::min(now_ns + kLookEveryNs, side_->NextTime()), this);
    now_ns = MonotonicNs();
  }
  return status();
}

void Run::SendToCrowd(int64_t sent_ns) {
  WriteStamp({crowd_stream_, crowd_->Send(), sent_ns}, crowd_message_.data());
  swarm_.Send(scenario_.connections, scenario_.BesideGroupOf(0), crowd_message_);
}

absl::Duration Run::ClientCpu() const {
  return OwnCpuTime() + (crowd_ == nullptr ? absl::ZeroDuration() : CpuTimeOf(crowd_->processes()));
}

absl::Status Run::TakeCrowdResult(RunResult* result) {
  const absl::StatusOr<Crowd::Result> crowd = crowd_->Finish();
  if (!crowd.ok()) return crowd.status();
  result->counts += crowd->counts;
  result->beside.done = crowd->deliveries;
  result->beside.latency = crowd->latency;
  return absl::OkStatus();
}

absl::StatusOr<RunResult> Run::Do() {
  RunResult result;
  result.pss_bare = PssOf(target_.processes);
  const int64_t opening_ns = MonotonicNs();
  if (absl::Status status = OpenAndJoin(); !status.ok()) return status;
  result.opening = absl::Nanoseconds(MonotonicNs() - opening_ns);
  result.pss_joined = PssOf(target_.processes);
  result.peak_joined = PeakMemoryOf(target_.processes);

  if (absl::Status status = Drive(options_.warm_up); !status.ok()) return status;
  load_->Measure();
  side_->Measure();
  if (crowd_ != nullptr) crowd_->Measure();
  const absl::Duration server_cpu = CpuTimeOf(target_.processes);
  const absl::Duration client_cpu = ClientCpu();
  const int64_t received_bytes = swarm_.ReceivedBytes();
  const int64_t began_ns = MonotonicNs();
  absl::Status status = Drive(std::max(options_.measured, scenario_.measured_min));
  if (!status.ok()) return status;
  const int64_t ended_ns = scenario_.beside == Scenario::Beside::kNothing
                               ? std::max(load_->last_came_ns(), began_ns)
                               : MonotonicNs();
  result.wall = absl::Nanoseconds(ended_ns - began_ns);
  result.client_cpu = ClientCpu() - client_cpu;
  result.server_cpu = CpuTimeOf(target_.processes) - server_cpu;
  result.received_bytes = swarm_.ReceivedBytes() - received_bytes;
  result.peak = PeakMemoryOf(target_.processes);
  load_->Report(&result);
  result.beside = side_->result();
  result.closed = swarm_.closed() - result.beside.told - result.beside.cut;
  result.unanswered += side_->Unfinished();
  if (crowd_ != nullptr) {
    if (status = TakeCrowdResult(&result); !status.ok()) return status;
  }
  return result;
}

}  // namespace

absl::StatusOr<RunResult> RunScenario(const Scenario& scenario, const Target& target,
                                      const RunOptions& options) {
  return Run(scenario, target, options).Do();
}

}  // namespace groupcast::bench
