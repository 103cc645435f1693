// bazel run -c opt //services/groups:group_service_benchmark
//
// A herd: many members that reconnect at once, while messages keep coming. Time per message and per
// member must not grow with the herd.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "services/channel/memory/memory_channel.h"
#include "services/groups/group_service.h"
#include "services/groups/plain_encodings.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{0x0a};
constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

class BenchMember final : public Member {
 public:
  BenchMember(uint64_t id, size_t room, GroupService* service)
      : Member(ConnectionId{id}, &kPlainV1Encoding), room_(room), service_(service) {
    service_->Add(this);
  }
  ~BenchMember() override { service_->Remove(this); }

  void Send(const SharedBytes&, TrafficClass) override {
    if (room_ > 0) --room_;
  }
  bool HasRoomFor(size_t) const override { return room_ > 0; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}

  void Drain(size_t room) {
    room_ = room;
    if (recoveries > 0) service_->OnDrained(this);
  }

 private:
  size_t room_;
  GroupService* const service_;
};

struct World {
  World() : service({.memberships = {.groups_max = kUnlimited}}, &clock), channel(&hub, &service) {
    spdlog::set_level(spdlog::level::off);
    service.SetChannel(&channel);
    channel.SetConnected(true);
    Add(kUnlimited);
    Join(0, "g");
    hub.Pump();
  }

  void Add(size_t room) {
    members.push_back(std::make_unique<BenchMember>(members.size() + 1, room, &service));
  }
  void Join(size_t member, const std::string& group) {
    service.HandleCommand(members[member].get(),
                          absl::StrCat(R"({"cmd":"add_group","group_id":")", group, R"("})"));
  }
  // One more member, which has seen what is up to `since`.
  void Return(uint64_t since, size_t room) {
    Add(room);
    service.HandleCommand(
        members.back().get(),
        absl::StrCat(
            R"({"cmd":"add_group","group_id":"g","since":{"epoch":"000000000000000a","offset":)",
            since, "}}"));
  }
  void Publish(int count) {
    for (int i = 0; i < count; ++i) {
      channel.Publish({.group_id = "g", .content = {.data = "message"}}, [](const auto&) {});
    }
    hub.Pump();
  }

  // One more message at the worker, without what the channel in memory costs.
  void Deliver() {
    const uint64_t previous = delivered++;
    service.OnMessage({.group_id = "g",
                       .epoch = kEpoch,
                       .offset = delivered,
                       .previous = previous,
                       .content = {.data = "message"}});
  }

  uint64_t delivered = 200;
  FakeClock clock;
  MemoryHub hub{kEpoch};
  GroupService service;
  MemoryChannel channel;
  std::vector<std::unique_ptr<BenchMember>> members;  // the first one is live
};

// Live members of a group: what each message costs, and each delivery.
void BM_FanOut(benchmark::State& state) {
  World world;
  for (int64_t i = 1; i < state.range(0); ++i) {
    world.Add(kUnlimited);
    world.Join(world.members.size() - 1, "g");
  }
  for (auto _ : state) world.Deliver();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FanOut)->Arg(1)->Arg(100)->Arg(10'000);

// Their outboxes are full: each is somewhere in the history.
void BM_MessageWhileMembersRecover(benchmark::State& state) {
  World world;
  world.Publish(200);
  for (int64_t i = 0; i < state.range(0); ++i) world.Return(100, 2);
  world.hub.Pump();
  for (auto _ : state) world.Deliver();
}
BENCHMARK(BM_MessageWhileMembersRecover)->Arg(0)->Arg(100)->Arg(1'000)->Arg(10'000);

// The channel has not yet said where they begin.
void BM_MessageWhileMembersAreUndecided(benchmark::State& state) {
  World world;
  world.Publish(200);
  world.channel.HoldAnswers(true);
  for (int64_t i = 0; i < state.range(0); ++i) world.Return(100, 2);
  for (auto _ : state) world.Deliver();
}
BENCHMARK(BM_MessageWhileMembersAreUndecided)->Arg(0)->Arg(100)->Arg(1'000)->Arg(10'000);

// From the first join until all are live: 100 messages to fetch, and 100 that come meanwhile.
void BM_HerdRecovers(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>();
    world->Publish(200);
    state.ResumeTiming();
    for (int64_t i = 0; i < state.range(0); ++i) world->Return(100, 10);
    for (int i = 0; i < 100; ++i) {
      world->Publish(1);
      for (size_t member = static_cast<size_t>(i); member < world->members.size(); member += 10) {
        world->members[member]->Drain(10);
      }
      world->hub.Pump();
    }
    for (const auto& member : world->members) member->Drain(kUnlimited);
    world->hub.Pump();
    if (world->service.counters().recoveries != static_cast<uint64_t>(state.range(0))) {
      state.SkipWithError("not all have recovered");
    }
    state.PauseTiming();
    world.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_HerdRecovers)->Arg(100)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond);

// Members come back from a faster worker, each ahead of this one by another message. Then this
// one's messages come. Each member gets all messages after its own, so an item is one delivery.
void BM_WorkerCatchesUpWithItsMembers(benchmark::State& state) {
  uint64_t deliveries = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>();
    world->channel.HoldMessages(true);
    world->Publish(static_cast<int>(state.range(0)));
    for (int64_t i = 1; i <= state.range(0); ++i) {
      world->Return(static_cast<uint64_t>(i), kUnlimited);
    }
    world->hub.Pump();
    state.ResumeTiming();
    world->channel.HoldMessages(false);
    world->hub.Pump();
    state.PauseTiming();
    deliveries += world->service.counters().deliveries;
    world.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(deliveries));
}
BENCHMARK(BM_WorkerCatchesUpWithItsMembers)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);

// One join waits for the channel; the other groups have nothing to do with it.
void BM_TickWithManyGroups(benchmark::State& state) {
  World world;
  for (int64_t i = 0; i < state.range(0); ++i) world.Join(0, absl::StrCat("group ", i));
  world.hub.Pump();
  world.channel.SetConnected(false);
  world.hub.Pump();
  world.Add(kUnlimited);
  world.Join(world.members.size() - 1, "cold");
  for (auto _ : state) world.service.CheckDeadlines();
}
BENCHMARK(BM_TickWithManyGroups)->Arg(100)->Arg(1'000)->Arg(10'000);

// They wait for their outboxes to drain, and so for nothing that a tick could do.
void BM_TickWhileMembersRecover(benchmark::State& state) {
  World world;
  world.Publish(200);
  for (int64_t i = 0; i < state.range(0); ++i) world.Return(100, 2);
  world.hub.Pump();
  for (auto _ : state) world.service.CheckDeadlines();
}
BENCHMARK(BM_TickWhileMembersRecover)->Arg(100)->Arg(1'000)->Arg(10'000);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
