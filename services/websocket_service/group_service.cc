#include "services/websocket_service/group_service.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// What stands in a bare connection's frame.
FramePtr BareFrame(const Message& message) {
  return MakeFrame(Opcode::kText, message.content.data);
}

FramePtr V1Frame(const Message& message) { return MakeFrame(Opcode::kText, MessageEvent(message)); }

}  // namespace

GroupService::GroupService(const GroupServiceOptions& options, const Clock* clock)
    : options_(options), clock_(clock) {}

void GroupService::Add(Member* member) { members_.emplace(member->connection_id(), member); }

void GroupService::Remove(Member* member) {
  if (members_.erase(member->connection_id()) == 0) return;
  for (Group* group : table_.LeaveAll(member)) {
    if (member->pending_joins > 0) {
      pending_joins_ -= std::erase_if(group->pending_joins, [&](const PendingJoin& join) {
        return join.connection == member->connection_id();
      });
    }
    RemoveIfUnused(group);
  }
}

bool GroupService::HandleCommand(Member* member, absl::string_view text) {
  std::variant<Command, CommandError> parsed = ParseCommand(text, options_.commands);
  const auto* command = std::get_if<Command>(&parsed);
  // Joins run side by side, up to a bound; everything else waits for the joins before it.
  const bool is_join = command != nullptr && command->kind == Command::Kind::kAddGroup;
  const bool may_join =
      is_join && static_cast<size_t>(member->pending_joins) < options_.groups_per_connection_max;
  if (member->pending_joins > 0 && !may_join) return false;
  ++counters_.commands;
  if (command == nullptr) {
    Refuse(member, std::get<CommandError>(parsed));
    return true;
  }
  switch (command->kind) {
    case Command::Kind::kAddGroup:
      AddGroup(member, *command);
      break;
    case Command::Kind::kLeaveGroup:
      LeaveGroup(member, *command);
      break;
    case Command::Kind::kSendToGroup:
      command->many ? SendToGroups(member, *command) : SendToGroup(member, *command);
      break;
    case Command::Kind::kPing:
      if (!command->id.empty()) Reply(member, PongReply(command->id));
      break;
  }
  return true;
}

void GroupService::AddGroup(Member* member, const Command& command) {
  const std::string& id = command.group_ids.front().id;
  Group* group = table_.Find(id);
  const bool is_member = group != nullptr && table_.IsMember(*group, *member);
  if (!is_member && member->group_count() >= options_.groups_per_connection_max) {
    Refuse(member, {.code = ErrorCode::kTooManyGroups,
                    .message = absl::StrCat("a connection may be in ",
                                            options_.groups_per_connection_max, " groups"),
                    .id = command.id,
                    .cmd = std::string(CommandName(command.kind))});
    return;
  }
  if (group == nullptr) {
    group = table_.FindOrAdd(id).group;
    channel_->Subscribe(id);
  }
  table_.Join(group, member);
  if (group->feed.warm()) {
    if (!command.id.empty()) Reply(member, PositionReply(command.id, id, group->feed.position()));
    return;
  }
  group->pending_joins.push_back({.connection = member->connection_id(),
                                  .command_id = command.id,
                                  .deadline = clock_->Now() + options_.join_timeout});
  ++member->pending_joins;
  ++pending_joins_;
}

void GroupService::LeaveGroup(Member* member, const Command& command) {
  const std::string& id = command.group_ids.front().id;
  if (Group* group = table_.Find(id); group != nullptr && table_.Leave(group, member)) {
    RemoveIfUnused(group);
  }
  if (!command.id.empty()) Reply(member, LeaveReply(command.id, id));
}

void GroupService::SendToGroup(Member* member, const Command& command) {
  const std::string& group_id = command.group_ids.front().id;
  const Content content{.kind = command.message_kind,
                        .data = command.message,
                        .sent_at_ms = absl::ToUnixMillis(absl::Now())};
  channel_->Publish(group_id, content,
                    [this, connection = member->connection_id(), id = command.id,
                     group_id](absl::StatusOr<Position> position) {
                      Member* const sender = FindMember(connection);
                      if (sender == nullptr) return;
                      if (!position.ok()) {
                        Refuse(sender,
                               {.code = ErrorCodeOf(position.status()),
                                .message = std::string(position.status().message()),
                                .id = id,
                                .cmd = std::string(CommandName(Command::Kind::kSendToGroup))});
                      } else if (!id.empty()) {
                        Reply(sender, PositionReply(id, group_id, *position));
                      }
                    });
}

void GroupService::SendToGroups(Member* member, const Command& command) {
  // The reply goes out when the last group has its result.
  struct Sending {
    std::vector<SendResult> results;
    size_t left;
  };
  auto sending = std::make_shared<Sending>();
  sending->left = command.group_ids.size();
  for (const GroupIdField& field : command.group_ids)
    sending->results.push_back({.group_id = field.id});

  const auto finish_one = [this, sending, connection = member->connection_id(), id = command.id](
                              size_t index, absl::StatusOr<Position> position, ErrorCode code) {
    SendResult& result = sending->results[index];
    if (position.ok()) {
      result.position = *position;
    } else {
      result.code = code;
      result.error = std::string(position.status().message());
    }
    --sending->left;
    Member* const sender = FindMember(connection);
    if (sender == nullptr) return;
    if (id.empty() && !position.ok()) {
      Refuse(sender, {.code = code,
                      .message = absl::StrCat(result.group_id, ": ", result.error),
                      .id = "",
                      .cmd = std::string(CommandName(Command::Kind::kSendToGroup))});
    }
    if (!id.empty() && sending->left == 0) Reply(sender, ResultsReply(id, sending->results));
  };
  const Content content{.kind = command.message_kind,
                        .data = command.message,
                        .sent_at_ms = absl::ToUnixMillis(absl::Now())};
  for (size_t i = 0; i < command.group_ids.size(); ++i) {
    const GroupIdField& field = command.group_ids[i];
    if (!field.defect.empty()) {
      finish_one(i, absl::InvalidArgumentError(absl::StrCat("group_id ", field.defect)),
                 ErrorCode::kGroupIdInvalid);
      continue;
    }
    channel_->Publish(field.id, content, [finish_one, i](absl::StatusOr<Position> position) {
      const ErrorCode code = position.ok() ? ErrorCode{} : ErrorCodeOf(position.status());
      finish_one(i, std::move(position), code);
    });
  }
}

void GroupService::OnHead(absl::string_view group_id, const Position& head) {
  Group* const group = table_.Find(group_id);
  if (group == nullptr) return;
  switch (group->feed.OnHead(head)) {
    case Feed::HeadVerdict::kInStep:
      break;
    case Feed::HeadVerdict::kWarm:
      FinishPendingJoins(group);
      break;
    case Feed::HeadVerdict::kGap:
      TellGap(*group);
      break;
  }
}

void GroupService::OnMessage(const Message& message) {
  Group* const group = table_.Find(message.group_id);
  if (group == nullptr) return;
  switch (group->feed.OnMessage({message.epoch, message.offset}, message.previous)) {
    case Feed::Verdict::kDrop:
      return;
    case Feed::Verdict::kGap:
      TellGap(*group);
      break;
    case Feed::Verdict::kDeliver:
      break;
  }
  ++counters_.messages;
  counters_.deliveries += group->members.size();
  FramePtr bare;
  FramePtr v1;
  for (const Group::Place& place : group->members) {
    FramePtr& frame = place.member->v1() ? v1 : bare;
    if (!frame) frame = place.member->v1() ? V1Frame(message) : BareFrame(message);
    place.member->Send(frame);
  }
}

void GroupService::OnConnectionState(bool connected) {
  if (connected) {
    spdlog::info("the channel is there");
  } else {
    spdlog::warn("the channel is away: sends are refused until it is back");
  }
}

void GroupService::OnMisconfigured(const absl::Status& why) {
  if (on_fatal_) on_fatal_(why);
}

void GroupService::CheckDeadlines() {
  if (pending_joins_ == 0) return;
  const absl::Time now = clock_->Now();
  std::vector<Group*> cold;
  for (const auto& [id, group] : table_.groups()) {
    if (!group->pending_joins.empty() && group->pending_joins.front().deadline <= now)
      cold.push_back(group.get());
  }
  for (Group* group : cold) {
    while (!group->pending_joins.empty() && group->pending_joins.front().deadline <= now) {
      const PendingJoin join = std::move(group->pending_joins.front());
      group->pending_joins.pop_front();
      --pending_joins_;
      Member* const member = FindMember(join.connection);
      if (member == nullptr) continue;
      table_.Leave(group, member);
      Refuse(member, {.code = ErrorCode::kUnavailable,
                      .message = "the channel did not answer in time",
                      .id = join.command_id,
                      .cmd = std::string(CommandName(Command::Kind::kAddGroup))});
      FinishJoin(member);
    }
    RemoveIfUnused(group);
  }
}

void GroupService::FinishPendingJoins(Group* group) {
  std::deque<PendingJoin> joins;
  joins.swap(group->pending_joins);
  pending_joins_ -= joins.size();
  std::vector<Member*> finished;
  for (const PendingJoin& join : joins) {
    Member* const member = FindMember(join.connection);
    if (member == nullptr) continue;
    // Again, for the case that an earlier join of the same connection ran out of time and left.
    table_.Join(group, member);
    if (!join.command_id.empty()) {
      Reply(member, PositionReply(join.command_id, group->id, group->feed.position()));
    }
    finished.push_back(member);
  }
  RemoveIfUnused(group);  // if all who waited are gone
  // Last, because commands that go on may change the table.
  for (Member* member : finished) FinishJoin(member);
}

void GroupService::FinishJoin(Member* member) {
  if (--member->pending_joins == 0) member->ResumeCommands();
}

void GroupService::RemoveIfUnused(Group* group) {
  if (!group->members.empty() || !group->pending_joins.empty()) return;
  channel_->Unsubscribe(group->id);
  table_.Remove(group);
}

void GroupService::TellGap(const Group& group) {
  ++counters_.gaps;
  const Feed::Gap& gap = group.feed.gap();
  const Epoch epoch = group.feed.position().epoch;
  if (const int64_t count = gap_log_limit_.Admit(clock_->Now())) {
    spdlog::warn(
        "group \"{}\": messages up to offset {} of epoch {} are lost ({} gaps since the last such "
        "line)",
        group.id, gap.to, EpochText(epoch), count);
  }
  FramePtr event;
  for (const Group::Place& place : group.members) {
    if (!place.member->v1()) continue;
    if (!event) {
      event = MakeFrame(Opcode::kText, GapEvent(group.id, epoch, gap.new_epoch, gap.from, gap.to));
    }
    place.member->Send(event);
  }
}

void GroupService::Reply(Member* member, const std::string& event) {
  member->Send(MakeFrame(Opcode::kText, event));
}

void GroupService::Refuse(Member* member, const CommandError& error) {
  ++counters_.errors;
  Reply(member, ErrorEvent(error));
}

Member* GroupService::FindMember(ConnectionId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : found->second;
}

}  // namespace groupcast::service
