#ifndef GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_PRESENCE_H_
#define GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_PRESENCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/presence.h"

namespace groupcast::service {

// Presence of a channel in a MemoryHub. It looks at the members of all channels after each change,
// so it suits small groups, for tests. It knows no identities: each connection is a client of its
// own, and there is no grace. While the channel is not connected, its views stand still.
//
// Not thread-safe.
class MemoryPresence final : public Presence {
 public:
  // The presences of a hub's channels.
  using All = std::vector<MemoryPresence*>;

  // `later` runs work outside of all calls. `all` and the listener must outlive it.
  MemoryPresence(All* all, std::function<void(std::function<void()>)> later);
  ~MemoryPresence() override;

  void SetConnected(bool connected);

  // The bound of the watches. Over it, a watch is refused.
  void set_watches_max(size_t watches_max) { watches_max_ = watches_max; }

  void SetListener(PresenceListener* listener) override { listener_ = listener; }
  void Watch(absl::string_view group_id) override;
  void Unwatch(absl::string_view group_id) override;
  bool HasRoomToWatch() const override { return watched_.size() < watches_max_; }
  const PresenceView* View(absl::string_view group_id) const override;
  void OnJoin(absl::string_view group_id, uint64_t connection_id) override;
  void OnLeave(absl::string_view group_id, uint64_t connection_id, bool connection_lost) override;
  // Each member has the id of its connection.
  std::vector<uint64_t> ConnectionsOf(uint64_t, absl::string_view) const override { return {}; }
  size_t kept_ids() const override { return 0; }

 private:
  struct Watched {
    PresenceView view;
    bool complete = false;
    bool was_complete = false;
  };

  // All views of the group follow the truth, later.
  void LookLater(absl::string_view group_id);
  void Look(const std::string& group_id);
  PresenceView MembersNow(const std::string& group_id) const;

  All* const all_;
  const std::function<void(std::function<void()>)> later_;
  PresenceListener* listener_ = nullptr;
  bool connected_ = false;
  size_t watches_max_ = std::numeric_limits<size_t>::max();
  std::map<std::string, Watched, std::less<>> watched_;
  std::shared_ptr<MemoryPresence*> self_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_PRESENCE_H_
