#ifndef GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"

namespace groupcast::service {

class MemoryChannel;

// A channel within one process, for tests: what channel servers do, without sockets and without
// loss. It keeps all history for as long as it lives.
//
// Everything that it tells listeners is queued until Pump, so that no listener is called from
// inside a call of its own.
//
// Not thread-safe.
class MemoryHub {
 public:
  explicit MemoryHub(Epoch epoch) : epoch_(epoch) {}

  // Hands out what is queued, also what listeners cause meanwhile. Returns whether there was
  // anything.
  bool Pump();

 private:
  friend class MemoryChannel;

  struct Group {
    uint64_t head = 0;
    std::vector<MemoryChannel*> subscribers;
    std::vector<History::Entry> messages;
  };

  void Later(std::function<void()> event) { queue_.push_back(std::move(event)); }

  const Epoch epoch_;
  uint64_t last_offset_ = 0;
  absl::flat_hash_map<std::string, Group> groups_;
  std::vector<std::function<void()>> queue_;
};

class MemoryChannel final : public Channel {
 public:
  // `hub` and `listener` must outlive it. It begins as not connected.
  MemoryChannel(MemoryHub* hub, ChannelListener* listener);
  ~MemoryChannel() override;

  void Publish(absl::string_view group_id, const Content& content, PublishCallback done) override;
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, uint64_t after, uint32_t limit,
                    HistoryCallback done) override;
  bool connected() const override { return connected_; }

  // As if the connection came or went. While it is away nothing is handed to this channel's
  // listener, and nothing is taken; when it is back, subscriptions are announced again.
  void SetConnected(bool connected);

 private:
  void Deliver(absl::string_view group_id, const History::Entry& entry);
  void Announce(const std::string& group_id);

  MemoryHub* const hub_;
  ChannelListener* const listener_;
  bool connected_ = false;
  absl::flat_hash_set<std::string> subscriptions_;
  std::shared_ptr<MemoryChannel*> self_;  // for events in the hub's queue
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_
