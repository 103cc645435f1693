#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"

namespace groupcast::service::testing {

struct WorldResult {
  // Empty: all promises were kept. Else the first one that was broken, as a sentence.
  std::string failure;
  // What kind of world it was, for people.
  std::string description;
  uint64_t placed = 0;        // messages that have a place
  uint64_t acknowledged = 0;  // of these, to their publishers
  uint64_t delivered = 0;     // by channels to workers
  uint64_t faults = 0;
  uint64_t lost_frames = 0;  // by the network
  // How long it took, after the last fault and the 4 s that follow, until all was answered and
  // delivered.
  absl::Duration to_rest;
  // How often what kind of thing happened that a world is there for, in words. A kind that is not
  // here did not happen.
  std::map<std::string, uint64_t> happened;
};

// Runs the world that `seed` stands for: a channel server, workers and their users, over a network
// that loses, with faults at random times, until everything has come to rest; and checks the
// promises. The same seed gives the same run. `trace`: what happens is printed.
WorldResult RunWorld(uint64_t seed, bool trace);

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_H_
