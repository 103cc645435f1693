#include "tools/bench_load/side_load.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

namespace groupcast::bench {
namespace {

// How often it is looked whether the crowd has a message. It takes hundreds of times as long.
constexpr int64_t kLookAtCrowdEveryNs = 1'000'000;

// Turns are taken in bursts: a client that wakes up for each costs more than the server.
constexpr int64_t kBurstEveryNs = 1'000'000;

// Connections take turns, by the clock, each with something that takes a while. One whose turn
// comes before it has finished is passed over, and counted.
class InTurn : public SideLoad {
 public:
  InTurn(const Scenario& scenario, Connections* connections)
      : SideLoad(scenario, connections),
        per_burst_(scenario.beside_per_second * kBurstEveryNs / 1e9),
        busy_(scenario.beside_connections - scenario.beside_watchers, false) {}

  void OnTime(int64_t now_ns) override {
    for (; going_on() && due_ns_ <= now_ns; due_ns_ += kBurstEveryNs) {
      for (turns_ += per_burst_; turns_ >= 1; --turns_) TakeTurn();
    }
  }
  int64_t NextTime() const override { return going_on() ? due_ns_ : kNever; }
  int64_t Unfinished() const override { return busy_count_; }

 protected:
  // Of a connection of its own; `place` counts from 0.
  uint32_t PlaceOf(uint32_t connection) const { return connection - scenario().connections; }
  uint32_t ConnectionAt(uint32_t place) const { return scenario().connections + place; }
  bool busy(uint32_t place) const { return place < busy_.size() && busy_[place]; }
  void End(uint32_t place, int64_t since_ns, int64_t now_ns) {
    busy_[place] = false;
    --busy_count_;
    CountDone(since_ns, now_ns);
  }

 private:
  void OnStart(int64_t now_ns) override { due_ns_ = now_ns; }
  virtual void Begin(uint32_t place, int64_t due_ns) = 0;

  void TakeTurn() {
    const auto place = static_cast<uint32_t>(next_++ % busy_.size());
    if (!busy_[place]) {
      busy_[place] = true;
      ++busy_count_;
      Begin(place, due_ns_);
    } else if (measuring()) {
      ++counts().undone;
    }
  }

  const double per_burst_;
  double turns_ = 0;  // that are due
  int64_t due_ns_ = 0;
  uint32_t next_ = 0;
  std::vector<bool> busy_;
  int64_t busy_count_ = 0;
};

// Everybody leaves a group for the next one. The latency is the answer's.
class Joins final : public InTurn {
 public:
  Joins(const Scenario& scenario, Connections* connections)
      : InTurn(scenario, connections), places_(scenario.beside_connections) {
    for (uint32_t place = 0; place < places_.size(); ++place) {
      places_[place].group = scenario.BesideGroupOf(place);
    }
  }

  void OnJoined(uint32_t connection, int64_t now_ns) override {
    const uint32_t place = PlaceOf(connection);
    if (busy(place)) End(place, places_[place].due_ns, now_ns);
  }

 private:
  struct Place {
    Group group{0};
    int64_t due_ns = 0;
  };

  void Begin(uint32_t place, int64_t due_ns) override {
    const Group from = places_[place].group;
    const uint32_t beside_group = static_cast<uint32_t>(from) - scenario().groups;
    places_[place] = {scenario().BesideGroupOf(beside_group + 1), due_ns};
    connections().Move(ConnectionAt(place), from, places_[place].group);
  }

  std::vector<Place> places_;
};

// Members leave, and come back after a tenth of the others has left. The latency is that of the
// join, from its beginning to the answer.
class ComeAndGo final : public InTurn {
 public:
  ComeAndGo(const Scenario& scenario, Connections* connections)
      : InTurn(scenario, connections), join_ns_(scenario.beside_connections, 0) {}

  void OnJoined(uint32_t connection, int64_t now_ns) override {
    const uint32_t place = PlaceOf(connection);
    if (busy(place)) End(place, join_ns_[place], now_ns);
  }
  int64_t Unfinished() const override {
    return InTurn::Unfinished() - static_cast<int64_t>(away_.size());
  }

 private:
  void Begin(uint32_t place, int64_t due_ns) override {
    connections().Leave(ConnectionAt(place), scenario().BesideGroupOf(place));
    away_.push_back(place);
    if (away_.size() <= join_ns_.size() / 10) return;
    const uint32_t back = away_.front();
    away_.pop_front();
    join_ns_[back] = due_ns;
    connections().Join(ConnectionAt(back), scenario().BesideGroupOf(back));
  }

  std::vector<int64_t> join_ns_;  // by place
  std::deque<uint32_t> away_;     // places, in the order in which they left
};

// Connections close, and come again: connect, and join. The latency is from the connect to the
// answer to the join.
class Churn final : public InTurn {
 public:
  Churn(const Scenario& scenario, Connections* connections)
      : InTurn(scenario, connections), connect_ns_(scenario.beside_connections, 0) {}

  void OnTime(int64_t now_ns) override {
    for (const uint32_t place : std::exchange(closed_, {})) {
      connect_ns_[place] = now_ns;
      connections().Connect(ConnectionAt(place));
    }
    InTurn::OnTime(now_ns);
  }
  int64_t NextTime() const override { return closed_.empty() ? InTurn::NextTime() : 0; }

  void OnOpen(uint32_t connection, int64_t) override {
    connections().Join(connection, scenario().BesideGroupOf(PlaceOf(connection)));
  }
  void OnJoined(uint32_t connection, int64_t now_ns) override {
    const uint32_t place = PlaceOf(connection);
    if (busy(place)) End(place, connect_ns_[place], now_ns);
  }
  bool OnClosed(uint32_t connection, bool) override {
    const uint32_t place = PlaceOf(connection);
    if (!busy(place)) return false;
    closed_.push_back(place);
    return true;
  }

 private:
  void Begin(uint32_t place, int64_t) override { connections().Disconnect(ConnectionAt(place)); }

  std::vector<int64_t> connect_ns_;  // by place
  std::vector<uint32_t> closed_;     // places that are to come again, at the next OnTime
};

// The last members of the load's first group stop to read while it is measured.
class Stall final : public SideLoad {
 public:
  using SideLoad::SideLoad;

  void Measure() override {
    SideLoad::Measure();
    SetReading(false);
  }
  bool OnClosed(uint32_t connection, bool told) override {
    if (!scenario().Stalls(connection)) return false;
    ++(told ? counts().told : counts().cut);
    return true;
  }

 private:
  void OnStop(int64_t) override {
    if (measuring()) SetReading(true);
  }
  void SetReading(bool reading) {
    for (uint32_t i = 0; i < scenario().connections; ++i) {
      if (scenario().Stalls(i)) connections().SetReading(i, reading);
    }
  }
};

// A message to the whole crowd as soon as it has the one before. The crowd itself counts what
// comes.
class BusyCrowd final : public SideLoad {
 public:
  using SideLoad::SideLoad;

  void OnTime(int64_t now_ns) override {
    if (now_ns < look_ns_) return;
    look_ns_ = now_ns + kLookAtCrowdEveryNs;
    if (!going_on() || Unfinished() > 0) return;
    ++sent_;
    connections().SendToCrowd(now_ns);
  }
  int64_t NextTime() const override { return going_on() || Unfinished() > 0 ? look_ns_ : kNever; }
  // Copies.
  int64_t Unfinished() const override {
    return sent_ * scenario().beside_connections - connections().CrowdHas();
  }

 private:
  void OnStart(int64_t now_ns) override { look_ns_ = now_ns; }

  int64_t look_ns_ = 0;
  int64_t sent_ = 0;
};

}  // namespace

std::unique_ptr<SideLoad> SideLoad::Create(const Scenario& scenario, Connections* connections) {
  switch (scenario.beside) {
    case Scenario::Beside::kNothing:
    case Scenario::Beside::kIdleCrowd:
      return std::make_unique<SideLoad>(scenario, connections);
    case Scenario::Beside::kJoins:
      return std::make_unique<Joins>(scenario, connections);
    case Scenario::Beside::kComeAndGo:
      return std::make_unique<ComeAndGo>(scenario, connections);
    case Scenario::Beside::kChurn:
      return std::make_unique<Churn>(scenario, connections);
    case Scenario::Beside::kStall:
      return std::make_unique<Stall>(scenario, connections);
    case Scenario::Beside::kBusyCrowd:
      return std::make_unique<BusyCrowd>(scenario, connections);
  }
  return nullptr;
}

void SideLoad::Start(int64_t now_ns) {
  going_on_ = true;
  OnStart(now_ns);
}

void SideLoad::Stop(int64_t now_ns) {
  going_on_ = false;
  OnStop(now_ns);
}

void SideLoad::CountDone(int64_t since_ns, int64_t now_ns) {
  if (!measuring_) return;
  ++result_.done;
  result_.latency.Record(now_ns - since_ns);
}

}  // namespace groupcast::bench
