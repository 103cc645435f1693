#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SIDE_LOAD_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SIDE_LOAD_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>

#include "tools/bench_load/dialect.h"
#include "tools/bench_load/scenario.h"

namespace groupcast::bench {

// The load beside a scenario's measured load (Scenario::Beside), and its results. It has no IO and
// reads no clock: callers pass the time and handle the connections.
//
// Not thread-safe.
class SideLoad {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Its actions. Connections and groups are numbered as in the scenario.
  class Connections {
   public:
    // OnJoined follows.
    virtual void Join(uint32_t connection, Group group) = 0;
    virtual void Move(uint32_t connection, Group from, Group to) = 0;
    // Nothing follows.
    virtual void Leave(uint32_t connection, Group group) = 0;
    // Ends a connection like a client that has finished. OnClosed follows.
    virtual void Disconnect(uint32_t connection) = 0;
    // Opens it again. OnOpen follows.
    virtual void Connect(uint32_t connection) = 0;
    virtual void SetReading(uint32_t connection, bool reading) = 0;
    // One message to the whole crowd. CrowdHas returns the number of copies that have reached it in
    // all.
    virtual void SendToCrowd(int64_t sent_ns) = 0;
    virtual int64_t CrowdHas() const = 0;

   protected:
    ~Connections() = default;
  };

  // Both must outlive it.
  static std::unique_ptr<SideLoad> Create(const Scenario& scenario, Connections* connections);
  // A load without actions.
  SideLoad(const Scenario& scenario, Connections* connections)
      : scenario_(scenario), connections_(*connections) {}
  virtual ~SideLoad() = default;

  // It runs between these two calls, and may start again.
  void Start(int64_t now_ns);
  void Stop(int64_t now_ns);
  // The number of actions that have begun and not ended.
  virtual int64_t Unfinished() const { return 0; }

  // Counts actions from now on, until the end.
  virtual void Measure() { measuring_ = true; }

  // Call it at NextTime, or a little later.
  virtual void OnTime(int64_t /*now_ns*/) {}
  virtual int64_t NextTime() const { return kNever; }

  virtual void OnOpen(uint32_t /*connection*/, int64_t /*now_ns*/) {}
  virtual void OnJoined(uint32_t /*connection*/, int64_t /*now_ns*/) {}
  // `told`: a close frame came first. Returns true if this end was expected.
  virtual bool OnClosed(uint32_t /*connection*/, bool /*told*/) { return false; }

  const BesideResult& result() const { return result_; }

 protected:
  bool going_on() const { return going_on_; }
  bool measuring() const { return measuring_; }
  const Scenario& scenario() const { return scenario_; }
  Connections& connections() { return connections_; }
  const Connections& connections() const { return connections_; }
  BesideResult& counts() { return result_; }
  // One action is complete. It took from `since_ns` until `now_ns`.
  void CountDone(int64_t since_ns, int64_t now_ns);

 private:
  virtual void OnStart(int64_t /*now_ns*/) {}
  virtual void OnStop(int64_t /*now_ns*/) {}

  const Scenario& scenario_;
  Connections& connections_;
  BesideResult result_;
  bool going_on_ = false;
  bool measuring_ = false;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SIDE_LOAD_H_
