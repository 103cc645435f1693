#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_DIGESTS_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_DIGESTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/channel_server/broker/broker_sink.h"
#include "services/channel_server/broker/broker_state.h"

namespace groupcast::service {

// Sends the digests to all publishers: the heads of the groups that were active since the last
// digest. Digests are numbered for each publisher, and an empty one is sent too. So a publisher
// that missed a digest finds a hole in the numbers.
//
// Not thread-safe.
class Digests {
 public:
  explicit Digests(absl::Duration period) : period_(period) {}

  // The group's head has changed. The next digest names it.
  void NoteActive(KnownGroup* group);

  // Forgets the heads for the next digest, because another epoch begins.
  void Clear() { active_.clear(); }

  // Sends digests if they are due.
  void Send(BrokerState* state, BrokerSink* sink);

  // The last time that digests were due: the workers that were connected, and those of them with a
  // full control queue, which took no digest.
  struct Round {
    size_t workers = 0;
    size_t lagging = 0;
  };
  const Round& last_round() const { return last_round_; }
  // All that workers have taken so far.
  uint64_t sent() const { return sent_; }

 private:
  std::vector<std::string> TakeBodies(BrokerState* state);

  const absl::Duration period_;
  absl::Time next_ = absl::InfinitePast();
  std::vector<KnownGroup*> active_;
  Round last_round_;
  uint64_t sent_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_DIGESTS_H_
