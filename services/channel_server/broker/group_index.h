#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_GROUP_INDEX_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_GROUP_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"
#include "services/channel_server/broker/retention.h"

namespace groupcast::service {

// A group that the server knows.
struct KnownGroup : Retention::Chain {
  using Hook = boost::intrusive::list_member_hook<>;

  const std::string* id = nullptr;  // the key under which the index has it
  // The offset of the newest message that was handed out. No worker learns of a later one.
  uint64_t head = 0;
  // The offset of the newest message that has a place. It is above `head` from the arrival of the
  // publication until the message is handed out.
  uint64_t last_placed = 0;
  bool subscribed = false;
  bool announce = false;  // its announcement is due
  bool active = false;    // the next digest names it
  bool logged = false;    // the log has it as a known group
  bool log_due = false;   // until it is logged: the next turn that can be written names it
  absl::Time idle_since;
  Hook in_all;
  Hook in_idle;

  // For a group without messages: its past ends at `offset`.
  void SetHead(uint64_t offset) {
    head = last_placed = offset;
    SetFloor(offset);
  }
};

// The groups that the server knows, and the order in which it may forget unused groups.
//
// A group is idle if it has no subscribers, no retained messages and nothing to send. When the
// server forgets a group, it raises highest_forgotten() to the group's head if that is higher. If
// the server knows the group again later, the group begins there. So a chain never continues over a
// hole.
//
// The caller gives it the time. Not thread-safe.
class GroupIndex {
 public:
  GroupIndex() = default;
  GroupIndex(const GroupIndex&) = delete;
  GroupIndex& operator=(const GroupIndex&) = delete;

  // Null: it is not known.
  KnownGroup* Find(absl::string_view id);
  const KnownGroup* Find(absl::string_view id) const;

  // A group that was not known begins with `head`.
  KnownGroup* FindOrAdd(absl::string_view id, uint64_t head);
  // A new group begins at highest_forgotten(): no message of a forgotten group is above it.
  KnownGroup* FindOrAdd(absl::string_view id) { return FindOrAdd(id, highest_forgotten_); }

  // The caller calls it after each change of the conditions for an idle group.
  void UpdateIdle(KnownGroup* group, absl::Time now);

  // The group that has been idle for the longest time. Null: none is idle.
  const KnownGroup* first_idle() const { return idle_.empty() ? nullptr : &idle_.front(); }
  // The next idle group. Null: `group` is the last.
  const KnownGroup* next_idle(const KnownGroup& group) const;
  size_t idle_count() const { return idle_.size(); }

  // Forgets a group.
  void Forget(KnownGroup* group);
  void ForgetFirstIdle() { Forget(&idle_.front()); }
  // Removes a group that no worker knows of. It must have no messages.
  void Remove(KnownGroup* group);

  uint64_t highest_forgotten() const { return highest_forgotten_; }
  void set_highest_forgotten(uint64_t offset) { highest_forgotten_ = offset; }

  size_t size() const { return groups_.size(); }

  // A cursor that visits every group once. Groups may be added and removed meanwhile. It visits
  // each group that exists from the beginning to the end. It may visit an added group.
  void RewindCursor() { cursor_ = all_.begin(); }
  // Null: the end.
  const KnownGroup* cursor() const { return cursor_ == all_.end() ? nullptr : &*cursor_; }
  void AdvanceCursor() { ++cursor_; }

  // Calls `visit` for each group, in the order of FindOrAdd. `visit` may remove its group.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto it = all_.begin(); it != all_.end();) {
      KnownGroup& group = *it++;
      visit(&group);
    }
  }

 private:
  using All = boost::intrusive::list<
      KnownGroup, boost::intrusive::member_hook<KnownGroup, KnownGroup::Hook, &KnownGroup::in_all>,
      boost::intrusive::constant_time_size<false>>;
  using Idle =
      boost::intrusive::list<KnownGroup, boost::intrusive::member_hook<KnownGroup, KnownGroup::Hook,
                                                                       &KnownGroup::in_idle>>;

  absl::node_hash_map<std::string, KnownGroup> groups_;
  All all_;    // in the order of FindOrAdd
  Idle idle_;  // in the order of the beginning of their idle time
  All::iterator cursor_ = all_.end();
  uint64_t highest_forgotten_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_GROUP_INDEX_H_
