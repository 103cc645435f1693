#include "tools/bench_load/scenarios.h"

namespace groupcast::bench {

const std::vector<Scenario>& Scenarios() {
  using Pace = Scenario::Pace;
  static const auto& scenarios = *new std::vector<Scenario>{
      {.name = "fan_out",
       .about = "1 sender, 1,000 members, 16 messages in flight",
       .connections = 1'000,
       .in_flight = 16,
       .floor = "raw_8"},
      {.name = "fan_out_rate",
       .about = "1 sender, 1,000 members, 200 messages per second",
       .pace = Pace::kRate,
       .connections = 1'000,
       .per_second = 200},
      {.name = "rooms",
       .about = "200 groups of 5, everybody sends, and waits for its own message",
       .pace = Pace::kOwnCame,
       .connections = 1'000,
       .groups = 200,
       .senders_per_group = 5},
      // With more in flight the members' outboxes, 1 MiB each, could overflow.
      {.name = "large",
       .about = "1 sender, 100 members, 64 KiB, 4 messages in flight",
       .connections = 100,
       .in_flight = 4,
       .message_bytes = 64 * 1024},
      {.name = "ping_pong",
       .about = "2 members that send in turn, one message at a time",
       .connections = 2,
       .senders_per_group = 2},
      {.name = "idle",
       .about = "10,000 members in 1,000 groups, one message at a time",
       .connections = 10'000,
       .groups = 1'000,
       .weighs = true},
  };
  return scenarios;
}

}  // namespace groupcast::bench
