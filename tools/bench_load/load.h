#ifndef GROUPCAST_TOOLS_BENCH_LOAD_LOAD_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_LOAD_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench_load/delivery_check.h"
#include "tools/bench_load/latency_histogram.h"
#include "tools/bench_load/scenario.h"

namespace groupcast::bench {

// The text of a scenario's messages, the same in every run. A stamp overwrites its beginning.
std::string FillingOf(const Scenario& scenario);

// Sends messages at a scenario's pace, and checks and measures the results. It has no IO and reads
// no clock: callers pass the time.
class Load {
 public:
  virtual ~Load() = default;

  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // How a message leaves: on this connection, to this group.
  using Send = std::function<void(uint32_t connection, Group group, std::string_view message)>;

  // `scenario` and the targets of `send` outlive it.
  static std::unique_ptr<Load> Create(const Scenario& scenario, Send send);

  // Sends from now on, until Stop.
  void Start(int64_t now_ns);
  void Stop() { sending_ = false; }

  // Counts deliveries and their latencies from now on, until the end.
  void Measure() { measuring_ = true; }

  // Call it at NextTime, or a little later.
  virtual void OnTime(int64_t /*now_ns*/) {}
  virtual int64_t NextTime() const { return kNever; }

  // Stops waiting for messages sent before that time, and sends other messages instead.
  virtual void GiveUpBefore(int64_t sent_ns, int64_t now_ns) = 0;

  void OnMessage(uint32_t connection, const Stamp& stamp, int64_t now_ns);

  // The server announced to the member that it gets no more. The load does not wait for it, and it
  // misses nothing.
  void Excuse(uint32_t connection);

  // Whether all members have all messages.
  bool AllCame() const { return owed_ == 0; }
  // The time of the last copy. 0: none has come.
  int64_t last_came_ns() const { return last_came_ns_; }

  // Fills in its results.
  void Report(RunResult* result) const;

 protected:
  Load(const Scenario& scenario, Send send);

  // The number of members that should get a message that is sent to the group now.
  uint32_t MembersOf(uint32_t group) const {
    return scenario_.members_per_group() - (excused_.empty() ? 0 : excused_[group]);
  }
  // Returns the message's stamp.
  Stamp SendMessage(uint32_t group, uint32_t sender, int64_t sent_ns);
  bool sending() const { return sending_; }
  void CountUnanswered() { ++unanswered_; }
  const Scenario& scenario() const { return scenario_; }

 private:
  virtual void OnStart(int64_t now_ns) = 0;
  // A copy that is new to the member.
  virtual void OnCopy(uint32_t connection, const Stamp& stamp, int64_t now_ns) = 0;

  const Scenario& scenario_;
  const Send send_;
  const bool stalls_;  // some members stall
  DeliveryCheck check_;
  std::string message_;
  bool sending_ = false;
  bool measuring_ = false;
  int64_t last_came_ns_ = 0;
  int64_t owed_ = 0;               // copies that are still missing
  std::vector<uint32_t> excused_;  // by group, their number; empty: none
  int64_t sent_ = 0;
  int64_t unanswered_ = 0;
  int64_t deliveries_ = 0;
  LatencyHistogram latency_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_LOAD_H_
