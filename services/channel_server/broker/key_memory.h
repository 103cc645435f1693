#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_KEY_MEMORY_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_KEY_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/channel/fingerprint.h"

namespace groupcast::service {

struct KeyMemoryOptions {
  // A key counts for this time, from its first publication on.
  absl::Duration window = absl::Minutes(2);
  // The number of keys after Expire. Over it, the oldest keys are forgotten first.
  size_t keys_max = 1'000'000;
};

// The keys of publications, each with the offset of the message that it led to.
//
// Time is handed in. Not thread-safe.
class KeyMemory {
 public:
  explicit KeyMemory(const KeyMemoryOptions& options) : options_(options) {}

  // Nothing: the key is not known.
  std::optional<uint64_t> Find(const Fingerprint& key) const;

  // `since` must not be before that of an earlier call by much: the oldest entry expires first.
  void Remember(const Fingerprint& key, uint64_t offset, absl::Time since);

  // The message of that key has come to nothing.
  void Forget(const Fingerprint& key) { offsets_.erase(key); }

  // Forgets keys over the bound; and keys over the window if `by_age`.
  void Expire(absl::Time now, bool by_age);

  void Clear();

  size_t size() const { return offsets_.size(); }

 private:
  struct Entry {
    uint64_t offset;
    absl::Time since;
  };
  const KeyMemoryOptions options_;
  absl::flat_hash_map<Fingerprint, Entry> offsets_;
  // May have keys that are forgotten, or were remembered anew since.
  std::deque<std::pair<Fingerprint, absl::Time>> by_age_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_KEY_MEMORY_H_
