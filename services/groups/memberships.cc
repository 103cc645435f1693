#include "services/groups/memberships.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/groups/member_access.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

CommandError TooManyGroups(const std::string& message, const Command& command) {
  return {.code = ErrorCode::kTooManyGroups,
          .message = message,
          .id = command.id,
          .cmd = std::string(CommandName(command.kind))};
}

}  // namespace

Memberships::Memberships(const MembershipsOptions& options, Parts parts)
    : options_(options), parts_(std::move(parts)) {}

bool Memberships::MayRunAtOnce(const Member& member, const Command& command) const {
  const Group* const group = parts_.table->Find(command.group_ids.front().id);
  return group == nullptr || !parts_.table->IsMember(*group, member);
}

void Memberships::Join(Member* member, const Command& command) {
  const std::string& id = command.group_ids.front().id;
  Group* group = parts_.table->Find(id);
  if (group != nullptr && parts_.table->IsMember(*group, *member)) {
    return JoinAgain(group, member, command);
  }
  // The user's own group has its place beside the bounds, also when the service joins it late.
  const bool is_personal = IsPersonal(*member, id);
  if (!is_personal && CountedGroups(*member) >= options_.groups_max) {
    return parts_.refusals->Tell(member, TooManyGroups(absl::StrCat("a connection may be in ",
                                                                    options_.groups_max, " groups"),
                                                       command));
  }
  if (!is_personal && !parts_.users->AddGroup(member)) {
    ++over_user_groups_;
    return parts_.refusals->Tell(
        member, TooManyGroups(absl::StrCat("the connections of a user may be in ",
                                           parts_.users->options().groups_max, " groups"),
                              command));
  }
  if (group == nullptr) {
    group = parts_.table->FindOrAdd(id).group;
    channel_->Subscribe(id);
  }
  parts_.table->Join(group, member, parts_.calendar->Now());
  if (member->access != nullptr) member->access->joined_by_service &= !is_personal;
  PendingJoin join = PendingJoinOf(group, member, command);
  if (group->subscribed) return BeginDelivery(std::move(join));
  pending_.Add(std::move(join));
  ++member->pending_answers;
}

PendingJoin Memberships::PendingJoinOf(Group* group, Member* member, const Command& command) const {
  return {.group = group,
          .member = member,
          .command_id = command.id,
          .since = command.since,
          .history = command.history,
          .presence = command.presence,
          .deadline = parts_.clock->Now() + options_.join_timeout};
}

// It changes nothing; the reply says where the member is.
void Memberships::JoinAgain(Group* group, Member* member, const Command& command) {
  // But the client's first join of its personal group is a join: it may ask for what it missed.
  if (IsPersonal(*member, group->id) && std::exchange(member->access->joined_by_service, false) &&
      (command.since.has_value() || command.history > 0)) {
    parts_.recoveries->Drop(group, member);
    parts_.table->Leave(group, member);
    parts_.table->Join(group, member, parts_.calendar->Now());
    return BeginDelivery(PendingJoinOf(group, member, command));
  }
  if (command.presence && group->subscribed) parts_.presence->AddInterest(*group, member);
  if (command.id.empty()) return;
  const Position* const recovering = parts_.recoveries->PositionOf(group, member);
  const Position& present = recovering != nullptr ? *recovering : group->position;
  std::optional<bool> recovered;
  if (command.since.has_value()) recovered = *command.since == present;
  member->Reply(PositionReply(command.id, group->id, present, recovered));
}

void Memberships::BeginDelivery(PendingJoin join) {
  parts_.presence->OnJoin(*join.group, *join.member);
  if (join.presence) parts_.presence->AddInterest(*join.group, join.member);
  if (join.since.has_value() || join.history > 0) {
    parts_.recoveries->Begin(std::move(join));
  } else if (!join.command_id.empty()) {
    join.member->Reply(PositionReply(join.command_id, join.group->id, join.group->position));
  }
}

void Memberships::Leave(Group* group, Member* member) {
  if (!parts_.table->Leave(group, member)) return;
  if (pending_.Drop(group, member)) --member->pending_answers;
  if (!IsPersonal(*member, group->id)) parts_.users->RemoveGroup(member);
  parts_.recoveries->Drop(group, member);
  parts_.presence->OnLeave(*group, member, /*connection_lost=*/false);
  RemoveIfUnused(group);
}

void Memberships::Remove(Member* member) {
  for (Group* group : parts_.table->LeaveAll(member)) {
    parts_.presence->OnLeave(*group, member, /*connection_lost=*/true);
    if (member->recoveries > 0) parts_.recoveries->Drop(group, member);
    if (member->pending_answers > 0) pending_.Drop(group, member);
    RemoveIfUnused(group);
  }
}

void Memberships::JoinPersonalGroup(Member* member) {
  const absl::string_view user = UserOf(*member);
  if (gives_up_) return;
  if (user.empty() || !parts_.policy->personal_groups()) return;
  Command join{.kind = Command::Kind::kAddGroup};
  join.group_ids.push_back({.id = PersonalGroup(user)});
  const Group* group = parts_.table->Find(join.group_ids.front().id);
  if (group != nullptr && parts_.table->IsMember(*group, *member)) return;
  Join(member, join);
  group = parts_.table->Find(join.group_ids.front().id);
  member->access->joined_by_service = group != nullptr && parts_.table->IsMember(*group, *member);
}

void Memberships::RetryPersonalGroups() {
  if (!channel_->connected()) return;
  for (const ConnectionId id : std::exchange(personal_retries_, {})) {
    if (Member* const member = parts_.find(id)) JoinPersonalGroup(member);
  }
}

bool Memberships::IsPersonal(const Member& member, absl::string_view group_id) const {
  return member.access != nullptr && parts_.policy->IsPersonal(member.access->identity, group_id);
}

size_t Memberships::CountedGroups(const Member& member) const {
  const absl::string_view user = UserOf(member);
  if (user.empty() || !parts_.policy->personal_groups()) return member.group_count();
  const Group* const personal = parts_.table->Find(PersonalGroup(user));
  const bool is_in_it = personal != nullptr && parts_.table->IsMember(*personal, member);
  return member.group_count() - (is_in_it ? 1 : 0);
}

void Memberships::OnSubscribed(absl::string_view group_id, const Position& head) {
  Group* const group = parts_.table->Find(group_id);
  if (group == nullptr) return;
  group->subscribed = true;
  group->position = head;
  std::vector<Member*> admitted;
  for (PendingJoin& join : pending_.TakeOf(group)) {
    admitted.push_back(join.member);
    --join.member->pending_answers;
    BeginDelivery(std::move(join));
  }
  // Last, because resumed commands may change the table.
  for (Member* member : admitted) {
    if (member->pending_answers == 0) member->ResumeCommands();
  }
}

void Memberships::CheckDeadlines() {
  RetryPersonalGroups();
  FailJoins(parts_.clock->Now(), absl::UnavailableError("the channel did not answer in time"));
}

void Memberships::GiveUp() {
  gives_up_ = true;
  FailJoins(absl::InfiniteFuture(), StoppingError());
}

void Memberships::FailJoins(absl::Time now, const absl::Status& why) {
  std::vector<Member*> refused;
  for (const PendingJoin& join : pending_.TakeExpired(now)) {
    --join.member->pending_answers;
    RefuseJoin(join, why);
    refused.push_back(join.member);
  }
  for (const PendingJoin& join : parts_.recoveries->TakeExpired(now)) {
    RefuseJoin(join, why);
    refused.push_back(join.member);
  }
  // Last, because resumed commands may change the table.
  for (Member* member : refused) {
    if (member->pending_answers == 0) member->ResumeCommands();
  }
}

void Memberships::RefuseJoin(const PendingJoin& join, const absl::Status& why) {
  parts_.table->Leave(join.group, join.member);
  const bool is_personal = IsPersonal(*join.member, join.group->id);
  if (!is_personal) parts_.users->RemoveGroup(join.member);
  parts_.presence->OnLeave(*join.group, join.member, /*connection_lost=*/false);
  const bool is_by_service =
      is_personal && std::exchange(join.member->access->joined_by_service, false);
  if (is_by_service && !gives_up_) {
    // The client has not asked for it, and will not ask again.
    personal_retries_.push_back(join.member->connection_id());
    return RemoveIfUnused(join.group);
  }
  parts_.refusals->Tell(join.member,
                        CommandErrorOf(why, join.command_id, Command::Kind::kAddGroup));
  RemoveIfUnused(join.group);
}

void Memberships::RemoveIfUnused(Group* group) {
  if (!group->members.empty()) return;
  channel_->Unsubscribe(group->id);
  parts_.table->Remove(group);
}

}  // namespace groupcast::service
