#include "services/channel_server/broker/key_memory.h"

namespace groupcast::service {

std::optional<uint64_t> KeyMemory::Find(const Fingerprint& key) const {
  const auto found = offsets_.find(key);
  if (found == offsets_.end()) return std::nullopt;
  return found->second.offset;
}

void KeyMemory::Remember(const Fingerprint& key, uint64_t offset, absl::Time since) {
  offsets_[key] = {offset, since};
  by_age_.emplace_back(key, since);
}

void KeyMemory::Expire(absl::Time now, bool by_age) {
  while (!by_age_.empty()) {
    const auto& [key, since] = by_age_.front();
    if (by_age_.size() <= options_.keys_max && !(by_age && since + options_.window <= now)) return;
    if (entry(0).has_value()) offsets_.erase(key);
    by_age_.pop_front();
  }
}

std::optional<KeyMemory::Known> KeyMemory::entry(size_t index) const {
  const auto& [key, since] = by_age_[index];
  const auto found = offsets_.find(key);
  if (found == offsets_.end() || found->second.since != since) return std::nullopt;
  return Known{key, found->second.offset, since};
}

void KeyMemory::Clear() {
  offsets_.clear();
  by_age_.clear();
}

}  // namespace groupcast::service
