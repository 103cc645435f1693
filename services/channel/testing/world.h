#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"

namespace groupcast::service::testing {

struct WorldResult {
  // Empty: all promises were kept. Else a sentence about the first broken promise.
  std::string failure;
  // The kind of world, for people.
  std::string description;
  uint64_t placed = 0;        // messages that have a place
  uint64_t acknowledged = 0;  // of these, to their publishers
  uint64_t delivered = 0;     // by channels to workers
  uint64_t faults = 0;
  uint64_t lost_frames = 0;  // by the network
  // The time until everything had its answer and its delivery. It begins 4 s after the last fault.
  absl::Duration to_rest;
  // The number of events of each kind that a world should cause, in words. A kind that is not in
  // the map did not happen.
  std::map<std::string, uint64_t> happened;
};

// Runs the world of `seed` until everything has come to rest, and checks the promises. A world has
// a channel server, workers and their users, a network that loses frames, and faults at random
// times. The same seed gives the same run. `trace`: prints the events.
WorldResult RunWorld(uint64_t seed, bool trace);

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_H_
