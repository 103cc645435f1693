#ifndef GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_COMMANDS_H_
#define GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_COMMANDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "services/channel/presence.h"
#include "services/common/clock.h"
#include "services/common/token_bucket.h"
#include "services/groups/connection_access.h"
#include "services/groups/control/control_message.h"
#include "services/groups/group_table.h"
#include "services/groups/member.h"

namespace groupcast::service {

// What a worker does when it is asked by control, with its own groups and connections.
//
// Not thread-safe.
class ControlCommands {
 public:
  // Lists cost a look at each group, and ends of connections one at each connection or kept id. A
  // worker makes this number of looks per second for lists, and the same for ends, and then says
  // that it is busy: a twentieth of its time for each. One command may exceed it.
  static constexpr TokenRate kLooks = {.per_second = 4e5, .burst = 4e5};

  // All must outlive it.
  struct Parts {
    const Clock* clock;
    const Clock* calendar;  // the date, for times that leave the process
    GroupTable* table;
    const RateWindows* windows;
    ConnectionAccess* access;
    const absl::flat_hash_map<ConnectionId, Member*>* members;  // all connections of the worker
  };
  explicit ControlCommands(const Parts& parts) : parts_(parts) {}

  // It knows the ids that members have kept. Null: they are those of their connections.
  void SetPresence(const Presence* presence) { presence_ = presence; }

  // Carries out the command. A list has at most `list_bytes_max`, and `answer` gets the outcome.
  void Run(const ControlCommand& command, size_t list_bytes_max, ControlAnswer* answer);

 private:
  // The looks that the command costs.
  size_t CostOf(const ControlCommand& command) const;
  uint64_t Disconnect(const ControlCommand& command);
  uint64_t Expel(const ControlCommand& command);
  // The connections of the member with this id, in the group if it is not empty.
  std::vector<Member*> ConnectionsOf(uint64_t member_id, absl::string_view group_id) const;
  bool IsIn(const Member& member, absl::string_view group_id) const;

  const Parts parts_;
  const Presence* presence_ = nullptr;
  // Who asks for lists again and again does not keep operators from ending connections.
  TokenBucket looks_for_lists_;
  TokenBucket looks_for_ends_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONTROL_CONTROL_COMMANDS_H_
