#include "services/groups/control/control_commands.h"

#include <algorithm>
#include <set>

#include "services/groups/member_access.h"

namespace groupcast::service {

void ControlCommands::Run(const ControlCommand& command, size_t list_bytes_max,
                          ControlAnswer* answer) {
  const GroupListBounds bounds = {
      .groups_max = command.limit > 0 ? command.limit : kListedGroupsMax,
      .bytes_max = list_bytes_max};
  TokenBucket& looks = IsEnd(command) ? looks_for_ends_ : looks_for_lists_;
  const absl::Time now = parts_.clock->Now();
  // A count is the second half of a question whose first half was admitted.
  if (command.kind != ControlCommand::Kind::kCount && looks.Available(kLooks, now) <= 0) {
    answer->outcome = ControlAnswer::Outcome::kBusy;
    return;
  }
  looks.Take(static_cast<double>(CostOf(command)), kLooks, now);
  switch (command.kind) {
    case ControlCommand::Kind::kGroups:
      answer->list = ListGroups(*parts_.table, command.prefix, command.after, bounds);
      return;
    case ControlCommand::Kind::kBusiest:
      answer->list = ListBusiest(*parts_.table, command.prefix, *parts_.windows, bounds);
      return;
    case ControlCommand::Kind::kCount:
      answer->list = CountMembers(*parts_.table, command.groups, bounds);
      return;
    case ControlCommand::Kind::kDisconnect:
      answer->count = Disconnect(command);
      return;
    case ControlCommand::Kind::kExpel:
      answer->count = Expel(command);
      return;
  }
}

size_t ControlCommands::CostOf(const ControlCommand& command) const {
  switch (command.kind) {
    case ControlCommand::Kind::kGroups:
    case ControlCommand::Kind::kBusiest:
      return parts_.table->group_count();
    case ControlCommand::Kind::kCount:
      return command.groups.size();
    case ControlCommand::Kind::kDisconnect:
    case ControlCommand::Kind::kExpel:
      break;
  }
  if (command.member == 0) return parts_.members->size();
  if (command.group.empty()) return presence_ == nullptr ? 1 : 1 + presence_->kept_ids();
  const Group* const group = parts_.table->Find(command.group);
  return group == nullptr ? 1 : 1 + group->members.size();
}

bool ControlCommands::IsIn(const Member& member, absl::string_view group_id) const {
  const Group* const group = parts_.table->Find(group_id);
  return group != nullptr && parts_.table->IsMember(*group, member);
}

std::vector<Member*> ControlCommands::ConnectionsOf(uint64_t member_id,
                                                    absl::string_view group_id) const {
  std::set<uint64_t> ids = {member_id};
  if (presence_ != nullptr) {
    for (const uint64_t id : presence_->ConnectionsOf(member_id, group_id)) ids.insert(id);
  }
  std::vector<Member*> connections;
  for (const uint64_t id : ids) {
    const auto found = parts_.members->find(ConnectionId{id});
    if (found == parts_.members->end() || !found->second->is_lasting()) continue;
    if (group_id.empty() || IsIn(*found->second, group_id)) connections.push_back(found->second);
  }
  return connections;
}

uint64_t ControlCommands::Disconnect(const ControlCommand& command) {
  std::vector<Member*> connections;
  if (command.member != 0) {
    connections = ConnectionsOf(command.member, command.group);
  } else {
    for (const auto& [id, member] : *parts_.members) {
      if (UserOf(*member) == command.user && member->is_lasting()) connections.push_back(member);
    }
  }
  for (Member* const connection : connections) {
    connection->Disconnect(command.code, command.reason);
  }
  return connections.size();
}

uint64_t ControlCommands::Expel(const ControlCommand& command) {
  Group* const group = parts_.table->Find(command.group);
  if (group == nullptr) return 0;
  const std::vector<Member*> connections = ConnectionsOf(command.member, command.group);
  parts_.access->ExpelAll(group, connections, command.reason);
  return connections.size();
}

}  // namespace groupcast::service
