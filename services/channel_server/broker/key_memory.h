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
  // The bound of the keys after Expire. Over it, the oldest keys are forgotten first.
  size_t keys_max = 1'000'000;
};

// The keys of publications, each with the offset of its message.
//
// The caller gives it the time. Not thread-safe.
class KeyMemory {
 public:
  explicit KeyMemory(const KeyMemoryOptions& options) : options_(options) {}

  // Nullopt: the key is not known.
  std::optional<uint64_t> Find(const Fingerprint& key) const;

  // `since` must not be much before the `since` of an earlier call: the oldest entry expires first.
  void Remember(const Fingerprint& key, uint64_t offset, absl::Time since);

  // The message of that key was not published.
  void Forget(const Fingerprint& key) { offsets_.erase(key); }

  // Forgets keys over the bound. If `by_age`, also forgets keys over the window.
  void Expire(absl::Time now, bool by_age);

  void Clear();

  struct Known {
    Fingerprint key;
    uint64_t offset;
    absl::Time since;
  };
  // The entries from 0 to entry_count(), oldest first. Nullopt: its key is forgotten, or has a
  // later entry.
  size_t entry_count() const { return by_age_.size(); }
  std::optional<Known> entry(size_t index) const;

  size_t size() const { return offsets_.size(); }

 private:
  struct Entry {
    uint64_t offset;
    absl::Time since;
  };
  const KeyMemoryOptions options_;
  absl::flat_hash_map<Fingerprint, Entry> offsets_;
  // It may contain keys that are forgotten, or were remembered again.
  std::deque<std::pair<Fingerprint, absl::Time>> by_age_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_KEY_MEMORY_H_
