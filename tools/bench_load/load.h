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

// Sends messages at a scenario's pace, and checks and measures what comes of them. It does no IO
// and reads no clock: times are handed in.
class Load {
 public:
  virtual ~Load() = default;

  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // How a message leaves: by this connection, to this group.
  using Send = std::function<void(uint32_t connection, Group group, std::string_view message)>;

  // Both outlive it.
  static std::unique_ptr<Load> Create(const Scenario& scenario, Send send);

  // From now on it sends, until Stop.
  void Start(int64_t now_ns);
  void Stop() { sending_ = false; }

  // Deliveries and their latencies are counted from now on, until the end.
  void Measure() { measuring_ = true; }

  // To be called at NextTime, or not much later.
  virtual void OnTime(int64_t /*now_ns*/) {}
  virtual int64_t NextTime() const { return kNever; }

  // Waits no longer for what was sent before that moment, and sends other messages instead.
  virtual void GiveUpBefore(int64_t sent_ns, int64_t now_ns) = 0;

  void OnMessage(uint32_t connection, const Stamp& stamp, int64_t now_ns);

  // The member was told that it gets no more: it is not waited for, and misses nothing.
  void Excuse(uint32_t connection);

  // All members have all messages.
  bool AllCame() const { return owed_ == 0; }
  // When the last copy came. 0: none has.
  int64_t last_came_ns() const { return last_came_ns_; }

  // Fills in what it knows.
  void Report(RunResult* result) const;

 protected:
  Load(const Scenario& scenario, Send send);

  // How many members are to get what is sent to the group now.
  uint32_t MembersOf(uint32_t group) const {
    return scenario_.members_per_group() - (excused_.empty() ? 0 : excused_[group]);
  }
  // The stamp that the message got.
  Stamp SendMessage(uint32_t group, uint32_t sender, int64_t sent_ns);
  bool sending() const { return sending_; }
  void CountUnanswered() { ++unanswered_; }
  const Scenario& scenario() const { return scenario_; }

 private:
  virtual void OnStart(int64_t now_ns) = 0;
  // A copy that the member had not yet.
  virtual void OnCopy(uint32_t connection, const Stamp& stamp, int64_t now_ns) = 0;

  const Scenario& scenario_;
  const Send send_;
  const bool stalls_;  // some members do
  DeliveryCheck check_;
  std::string message_;
  bool sending_ = false;
  bool measuring_ = false;
  int64_t last_came_ns_ = 0;
  int64_t owed_ = 0;               // copies that have not come yet
  std::vector<uint32_t> excused_;  // by group, how many; empty: nobody
  int64_t sent_ = 0;
  int64_t unanswered_ = 0;
  int64_t deliveries_ = 0;
  LatencyHistogram latency_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_LOAD_H_
