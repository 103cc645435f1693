#include "services/groups/group_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "services/groups/member_access.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// While the channel is not connected, sends wait for room for at most this time. SDKs repeat a send
// for 75 s, and the window keeps it for 30 s. The sum must be less than the 2 minutes for which
// keys are known.
constexpr absl::Duration kRoomWaitMax = absl::Seconds(10);

CommandError ErrorOf(const absl::Status& status, const std::string& id, Command::Kind kind) {
  return {.code = ErrorCodeOf(status),
          .message = std::string(status.message()),
          .id = id,
          .cmd = std::string(CommandName(kind))};
}

absl::string_view Bytes(const Fingerprint& fingerprint) {
  static_assert(std::has_unique_object_representations_v<Fingerprint>);
  return {reinterpret_cast<const char*>(&fingerprint), sizeof(fingerprint)};
}

// What members may know of a member, and what identifies its client over its connections.
void DescribeMember(const Member& member, PresentMember* to) {
  if (member.access != nullptr && member.access->identity.token.has_value()) {
    to->user = member.access->identity.token->user;
    to->info = member.access->identity.token->info;
  }
  to->identity =
      to->user.empty() ? member.named_session() : FingerprintOf({"user of presence", to->user});
}

// A group with more members here than this is flushed in pieces, and several messages at once.
constexpr size_t kInteractiveMembersMax = 64;

absl::Status Forbidden(Right right) {
  return absl::PermissionDeniedError(
      absl::StrCat("the connection does not have the right to ", RightName(right),
                   right == Right::kRead   ? " the history of this group"
                   : right == Right::kSend ? " to this group"
                                           : " this group"));
}

absl::Status Stopping() { return absl::UnavailableError("the service stops"); }

TrafficClass TrafficClassOf(const Group& group) {
  return group.members.size() > kInteractiveMembersMax ? TrafficClass::kBulk
                                                       : TrafficClass::kInteractive;
}

}  // namespace

GroupService::GroupService(const GroupServiceOptions& options, const Clock* clock)
    : options_(options),
      clock_(clock),
      command_limits_(options.commands),
      recent_(options.recent),
      recoveries_(&table_, clock),
      reads_(options.history_reads,
             [this](Member* reader, const absl::Status& why, const std::string& id) {
               Refuse(reader, ErrorOf(why, id, Command::Kind::kGroupHistory));
             }),
      presence_(
          options.presence, clock, &table_, [this](ConnectionId id) { return FindMember(id); },
          DescribeMember,
          [this](Member* member, const absl::Status& why, const std::string& id,
                 Command::Kind kind) {
            CommandError error = ErrorOf(why, id, kind);
            if (absl::IsResourceExhausted(why)) error.code = ErrorCode::kTooManyMembers;
            if (absl::IsAborted(why)) error.code = ErrorCode::kRateLimited;
            Refuse(member, error);
          }),
      authenticator_(options.access, clock),
      users_(options.users),
      sends_(options.sends,
             [this](const PublicationsSize& size) { return channel_->HasRoomFor(size); }) {}

void GroupService::Add(Member* member) {
  members_.emplace(member->connection_id(), member);
  authenticator_.Add(member);
}

void GroupService::Remove(Member* member) {
  if (members_.erase(member->connection_id()) == 0) return;
  authenticator_.Remove(member);
  users_.Remove(member);
  sends_.Remove(member);
  if (member->pending_answers > 0) reads_.Drop(member);
  if (member->pending_answers > 0) presence_.Drop(member);
  for (Group* group : table_.LeaveAll(member)) {
    presence_.OnLeave(*group, member, /*connection_lost=*/true);
    if (member->recoveries > 0) recoveries_.Drop(group, member);
    if (member->pending_answers > 0) pending_joins_.Drop(group, member);
    RemoveIfUnused(group);
  }
}

GroupService::Counters GroupService::counters() const {
  Counters all = counters_;
  const Recoveries::Counters& recoveries = recoveries_.counters();
  all.deliveries += recoveries.deliveries;
  all.gaps += recoveries.gaps;
  all.recoveries = recoveries.complete;
  all.recoveries_lost = recoveries.lost;
  return all;
}

bool GroupService::HandleCommand(Member* member, absl::string_view text) {
  std::variant<Command, CommandError> parsed = ParseCommand(text, command_limits_);
  const auto* command = std::get_if<Command>(&parsed);
  if (command == nullptr) {
    if (member->pending_answers > 0) return false;
    ++counters_.commands;
    TakeTokens(member, 1);
    Refuse(member, std::get<CommandError>(parsed));
    return true;
  }
  if (member->pending_answers > 0 && !MayRun(*member, *command)) return false;
  if (!HasTokens(member, *command)) return true;
  if (!HasShownToken(member, *command)) return true;
  const std::optional<SendQueue::Weight> weight =
      command->kind == Command::Kind::kSendToGroup ? AdmitSend(member, *command) : std::nullopt;
  if (member->waits_for_room) return false;
  ++counters_.commands;
  TakeTokens(member, std::max<size_t>(1, command->group_ids.size()));
  switch (command->kind) {
    case Command::Kind::kAddGroup:
      if (gives_up_) {
        Refuse(member, ErrorOf(Stopping(), command->id, command->kind));
      } else {
        AddGroup(member, *command);
      }
      break;
    case Command::Kind::kLeaveGroup:
      LeaveGroup(member, *command);
      break;
    case Command::Kind::kSendToGroup:
      command->many ? SendToGroups(member, *command, weight)
                    : SendToGroup(member, *command, weight);
      break;
    case Command::Kind::kGroupHistory:
      // Without an id nobody would get the answer.
      if (command->id.empty()) break;
      if (!authenticator_.Allows(*member, command->group_ids.front().id, Right::kRead)) {
        ++counters_.refused;
        Refuse(member, ErrorOf(Forbidden(Right::kRead), command->id, command->kind));
        break;
      }
      if (gives_up_) {
        Refuse(member, ErrorOf(Stopping(), command->id, command->kind));
      } else {
        reads_.Read(member, *command);
      }
      break;
    case Command::Kind::kGroupMembers:
      ReadMembers(member, *command);
      break;
    case Command::Kind::kAuthenticate:
      Authenticate(member, *command);
      break;
    case Command::Kind::kPing:
      if (!command->id.empty()) member->Reply(PongReply(command->id));
      break;
  }
  return true;
}

absl::Status GroupService::Identify(Member* member, absl::string_view token) {
  // Without keys, the token is meant for somebody else, such as a proxy.
  if (token.empty() || authenticator_.policy().tokens() == nullptr) return absl::OkStatus();
  const absl::Status status = authenticator_.Authenticate(member, token).status();
  return status.ok() ? CountUser(member) : status;
}

absl::string_view GroupService::UserOf(const Member& member) {
  return member.access == nullptr ? absl::string_view() : member.access->identity.user();
}

void GroupService::Admit(Member* member, const absl::Status& identified) {
  if (absl::IsResourceExhausted(identified)) {
    return member->Disconnect(CloseCode::kOverLimit, identified.message());
  }
  if (!identified.ok()) {
    ++counters_.refused;
    Refuse(member, {.code = ErrorCodeOf(identified), .message = std::string(identified.message())});
    return member->Disconnect(absl::IsDeadlineExceeded(identified) ? CloseCode::kTokenExpired
                                                                   : CloseCode::kNotAuthenticated,
                              identified.message());
  }
  JoinPersonalGroup(member);
}

bool GroupService::HasShownToken(Member* member, const Command& command) {
  if (command.kind == Command::Kind::kAuthenticate || command.kind == Command::Kind::kPing ||
      !authenticator_.NeedsToken(*member)) {
    return true;
  }
  ++counters_.commands;
  ++counters_.refused;
  TakeTokens(member, 1);
  Refuse(member, ErrorOf(absl::UnauthenticatedError("show a token first, with authenticate"),
                         command.id, command.kind));
  return false;
}

void GroupService::Authenticate(Member* member, const Command& command) {
  const absl::StatusOr<absl::Time> end = authenticator_.Authenticate(member, command.token);
  if (!end.ok()) {
    return RefuseToken(member, end.status(), ErrorOf(end.status(), command.id, command.kind));
  }
  if (absl::Status status = CountUser(member); !status.ok()) {
    return member->Disconnect(CloseCode::kOverLimit, status.message());
  }
  if (!command.id.empty()) {
    member->Reply(AuthenticateReply(command.id, UserOf(*member), *end));
  }
  LeaveForbidden(member, "the fresh token does not allow it");
  // Members may be told other things of it now.
  for (const Group* group : table_.GroupsOf(*member)) {
    if (group->subscribed) presence_.OnJoin(*group, *member);
  }
  JoinPersonalGroup(member);
}

absl::Status GroupService::CountUser(Member* member) {
  const absl::string_view user = UserOf(*member);
  if (user.empty() || member->access->user_key != 0 ||
      users_.Add(member, user, JoinedGroups(*member))) {
    return absl::OkStatus();
  }
  ++counters_.user_connections;
  return absl::ResourceExhaustedError(
      absl::StrCat("the user has ", options_.users.connections_max, " connections"));
}

void GroupService::RefuseToken(Member* member, const absl::Status& why, const CommandError& error) {
  ++counters_.refused;
  Refuse(member, error);
  if (absl::IsAborted(why) || !authenticator_.MustGo(*member)) return;
  member->Disconnect(
      absl::IsDeadlineExceeded(why) ? CloseCode::kTokenExpired : CloseCode::kNotAuthenticated,
      why.message());
}

void GroupService::JoinPersonalGroup(Member* member) {
  const absl::string_view user = UserOf(*member);
  if (gives_up_) return;
  if (user.empty() || !authenticator_.policy().personal_groups()) return;
  Command join{.kind = Command::Kind::kAddGroup};
  join.group_ids.push_back({.id = PersonalGroup(user)});
  const Group* group = table_.Find(join.group_ids.front().id);
  if (group != nullptr && table_.IsMember(*group, *member)) return;
  AddGroup(member, join);
  group = table_.Find(join.group_ids.front().id);
  member->access->joined_by_service = group != nullptr && table_.IsMember(*group, *member);
}

bool GroupService::IsPersonal(const Member& member, absl::string_view group_id) const {
  return member.access != nullptr &&
         authenticator_.policy().IsPersonal(member.access->identity, group_id);
}

size_t GroupService::JoinedGroups(const Member& member) {
  const absl::string_view user = UserOf(member);
  if (user.empty() || !authenticator_.policy().personal_groups()) return member.group_count();
  const Group* const personal = table_.Find(PersonalGroup(user));
  const bool is_in_it = personal != nullptr && table_.IsMember(*personal, member);
  return member.group_count() - (is_in_it ? 1 : 0);
}

void GroupService::RetryPersonalGroups() {
  if (!channel_->connected()) return;
  for (const ConnectionId id : std::exchange(personal_retries_, {})) {
    if (Member* const member = FindMember(id)) JoinPersonalGroup(member);
  }
}

void GroupService::LeaveForbidden(Member* member, absl::string_view reason) {
  for (Group* group : table_.GroupsOf(*member)) {
    if (authenticator_.Allows(*member, group->id, Right::kJoin)) {
      EndForbiddenInterest(*group, member);
      continue;
    }
    ++counters_.refused;
    Refuse(member, {.code = ErrorCode::kForbidden,
                    .message = absl::StrCat("the connection has left the group: ", reason),
                    .cmd = std::string(CommandName(Command::Kind::kAddGroup)),
                    .group_id = group->id});
    Leave(group, member);
  }
}

void GroupService::EndTokens() {
  std::vector<ConnectionId> ended;
  for (const Authenticator::Due& due : authenticator_.TakeDue()) {
    switch (due.kind) {
      case Authenticator::Due::Kind::kNotAuthenticated:
        ++counters_.refused;
        due.member->Disconnect(CloseCode::kNotAuthenticated, "no token came in time");
        break;
      case Authenticator::Due::Kind::kExpired:
        Refuse(due.member, {.code = ErrorCode::kTokenExpired,
                            .message = "the token has expired: send a fresh one, with authenticate",
                            .cmd = std::string(CommandName(Command::Kind::kAuthenticate))});
        break;
      case Authenticator::Due::Kind::kGraceOver:
        ++counters_.refused;
        due.member->Disconnect(CloseCode::kTokenExpired, "the token has expired");
        break;
      case Authenticator::Due::Kind::kGroupGraceOver:
        Group* const group = table_.Find(due.group_id);
        if (group == nullptr || !table_.IsMember(*group, *due.member)) break;
        if (authenticator_.Allows(*due.member, due.group_id, Right::kJoin)) {
          EndForbiddenInterest(*group, due.member);
          break;
        }
        ++counters_.refused;
        Refuse(due.member,
               {.code = ErrorCode::kTokenExpired,
                .message = "the connection has left the group: the token for it has expired",
                .cmd = std::string(CommandName(Command::Kind::kAddGroup)),
                .group_id = due.group_id});
        Leave(group, due.member);
        ended.push_back(due.member->connection_id());
        break;
    }
  }
  // Last, because resumed commands may change the table. They waited if the join was under way.
  for (const ConnectionId id : ended) {
    Member* const member = FindMember(id);
    if (member != nullptr && member->pending_answers == 0) member->ResumeCommands();
  }
}

// Whether a command may run before the pending answers. Joins run at the same time, one for each
// group, so at most groups_per_connection_max of them.
bool GroupService::MayRun(const Member& member, const Command& command) {
  if (command.kind != Command::Kind::kAddGroup) return false;
  const Group* const group = table_.Find(command.group_ids.front().id);
  return group == nullptr || !table_.IsMember(*group, member);
}

bool GroupService::HasTokens(Member* member, const Command& command) {
  const TokenRate& own = options_.command_rate;
  const absl::Time now = clock_->Now();
  const bool has_own = own.per_second <= 0 || member->command_tokens.Available(own, now) >= 1;
  if (has_own && users_.HasToken(*member, now)) return true;
  ++counters_.commands;
  ++(has_own ? counters_.user_rate_limited : counters_.rate_limited);
  const TokenRate& rate = has_own ? options_.users.command_rate : own;
  Refuse(member, {.code = ErrorCode::kRateLimited,
                  .message = absl::StrCat("more than ", rate.per_second, " commands a second",
                                          has_own ? " of one user" : "", ", after ", rate.burst,
                                          " at once"),
                  .id = command.id,
                  .cmd = std::string(CommandName(command.kind))});
  return false;
}

void GroupService::TakeTokens(Member* member, size_t commands) {
  users_.TakeTokens(*member, commands, clock_->Now());
  const TokenRate& rate = options_.command_rate;
  if (rate.per_second <= 0) return;
  member->command_tokens.Take(static_cast<double>(commands), rate, clock_->Now());
}

bool GroupService::MayWaitForRoom() const {
  return channel_->connected() || clock_->Now() < away_since_ + kRoomWaitMax;
}

std::optional<SendQueue::Weight> GroupService::AdmitSend(Member* member, const Command& command) {
  if (gives_up_) return std::nullopt;
  PublicationsSize size{.count = 0};
  for (const GroupIdField& field : command.group_ids) {
    if (!field.defect.empty() || !authenticator_.Allows(*member, field.id, Right::kSend)) continue;
    ++size.count;
    size.bytes += BytesOf(*member, command, field.id);
  }
  // What may go nowhere is refused at once, and waits for no room.
  if (size.count == 0) return SendQueue::Weight::kLight;
  return MayWaitForRoom() ? sends_.Admit(member, size) : sends_.AdmitAtOnce(size);
}

std::string GroupService::SenderOf(const Member& member, absl::string_view group_id) const {
  if (!authenticator_.policy().NamesSender(group_id)) return "";
  return SenderJson(UserOf(member), static_cast<uint64_t>(member.connection_id()));
}

size_t GroupService::BytesOf(const Member& member, const Command& command,
                             absl::string_view group_id) const {
  return group_id.size() + command.message.size() + SenderOf(member, group_id).size();
}

bool GroupService::MayJoin(Member* member, const Command& command) {
  const std::string& id = command.group_ids.front().id;
  if (!command.token.empty()) {
    const absl::Status status = authenticator_.AddGroupToken(member, command.token, id);
    if (!status.ok()) {
      CommandError error = ErrorOf(status, command.id, command.kind);
      if (absl::IsResourceExhausted(status)) error.code = ErrorCode::kTooManyGroups;
      RefuseToken(member, status, error);
      return false;
    }
  }
  for (const Right right : {Right::kJoin, Right::kRead}) {
    if (right == Right::kRead && command.history == 0) continue;
    if (authenticator_.Allows(*member, id, right)) continue;
    ++counters_.refused;
    Refuse(member, ErrorOf(Forbidden(right), command.id, command.kind));
    // A token for a join that is refused counts for nothing else. It may have replaced one that
    // did.
    if (!command.token.empty()) {
      authenticator_.DropGroupToken(member, id);
      LeaveForbidden(member, "the token for it does not allow it");
    }
    return false;
  }
  return !command.presence || MayObserve(member, command);
}

bool GroupService::MayObserve(Member* member, const Command& command) {
  absl::Status status = presence_.Check();
  if (!authenticator_.Allows(*member, command.group_ids.front().id, Right::kObserve)) {
    ++counters_.refused;
    status = Forbidden(Right::kObserve);
  }
  if (status.ok()) return true;
  Refuse(member, ErrorOf(status, command.id, command.kind));
  return false;
}

void GroupService::EndForbiddenInterest(const Group& group, Member* member) {
  if (member->presence_interests == 0) return;
  if (authenticator_.Allows(*member, group.id, Right::kObserve)) return;
  presence_.EndInterest(
      group, member,
      absl::PermissionDeniedError(absl::StrCat("there are no more events of joins and leaves in "
                                               "group \"",
                                               group.id, "\": the right to observe it is gone")));
}

void GroupService::AddGroup(Member* member, const Command& command) {
  if (!MayJoin(member, command)) return;
  const std::string& id = command.group_ids.front().id;
  Group* group = table_.Find(id);
  if (group != nullptr && table_.IsMember(*group, *member)) {
    return AddGroupAgain(group, member, command);
  }
  // The user's own group has its place beside the bounds, also when the service joins it late.
  const bool is_personal = IsPersonal(*member, id);
  if (!is_personal && JoinedGroups(*member) >= options_.groups_per_connection_max) {
    Refuse(member, {.code = ErrorCode::kTooManyGroups,
                    .message = absl::StrCat("a connection may be in ",
                                            options_.groups_per_connection_max, " groups"),
                    .id = command.id,
                    .cmd = std::string(CommandName(command.kind))});
    return;
  }
  if (!is_personal && !users_.AddGroup(member)) {
    ++counters_.user_groups;
    Refuse(member, {.code = ErrorCode::kTooManyGroups,
                    .message = absl::StrCat("the connections of a user may be in ",
                                            options_.users.groups_max, " groups"),
                    .id = command.id,
                    .cmd = std::string(CommandName(command.kind))});
    return;
  }
  if (group == nullptr) {
    group = table_.FindOrAdd(id).group;
    channel_->Subscribe(id);
  }
  table_.Join(group, member, absl::Now());
  if (member->access != nullptr) member->access->joined_by_service &= !is_personal;
  PendingJoin join = JoinOf(group, member, command);
  if (group->subscribed) return BeginDelivery(std::move(join));
  pending_joins_.Add(std::move(join));
  ++member->pending_answers;
}

PendingJoin GroupService::JoinOf(Group* group, Member* member, const Command& command) const {
  return {.group = group,
          .member = member,
          .command_id = command.id,
          .since = command.since,
          .history = command.history,
          .presence = command.presence,
          .deadline = clock_->Now() + options_.join_timeout};
}

// It changes nothing; the reply says where the member is.
void GroupService::AddGroupAgain(Group* group, Member* member, const Command& command) {
  // But the client's first join of its personal group is a join: it may ask for what it missed.
  if (IsPersonal(*member, group->id) && std::exchange(member->access->joined_by_service, false) &&
      (command.since.has_value() || command.history > 0)) {
    recoveries_.Drop(group, member);
    table_.Leave(group, member);
    table_.Join(group, member, absl::Now());
    return BeginDelivery(JoinOf(group, member, command));
  }
  if (command.presence && group->subscribed) presence_.AddInterest(*group, member);
  if (command.id.empty()) return;
  const Position* const recovering = recoveries_.PositionOf(group, member);
  const Position& present = recovering != nullptr ? *recovering : group->position;
  std::optional<bool> recovered;
  if (command.since.has_value()) recovered = *command.since == present;
  member->Reply(PositionReply(command.id, group->id, present, recovered));
}

// The join's group is subscribed.
void GroupService::BeginDelivery(PendingJoin join) {
  presence_.OnJoin(*join.group, *join.member);
  if (join.presence) presence_.AddInterest(*join.group, join.member);
  if (join.since.has_value() || join.history > 0) {
    recoveries_.Begin(std::move(join));
  } else if (!join.command_id.empty()) {
    join.member->Reply(PositionReply(join.command_id, join.group->id, join.group->position));
  }
}

void GroupService::LeaveGroup(Member* member, const Command& command) {
  const std::string& id = command.group_ids.front().id;
  authenticator_.DropGroupToken(member, id);
  if (Group* group = table_.Find(id); group != nullptr) Leave(group, member);
  if (!command.id.empty()) member->Reply(LeaveReply(command.id, id));
}

void GroupService::Leave(Group* group, Member* member) {
  if (!table_.Leave(group, member)) return;
  if (pending_joins_.Drop(group, member)) --member->pending_answers;
  if (!IsPersonal(*member, group->id)) users_.RemoveGroup(member);
  recoveries_.Drop(group, member);
  presence_.OnLeave(*group, member, /*connection_lost=*/false);
  RemoveIfUnused(group);
}

void GroupService::ReadMembers(Member* member, const Command& command) {
  // Without an id nobody would get the answer.
  if (command.id.empty()) return;
  if (gives_up_) {
    Refuse(member, ErrorOf(Stopping(), command.id, command.kind));
  } else if (MayObserve(member, command)) {
    presence_.Read(member, command);
  }
}

void GroupService::Publish(Member* member, const Command& command,
                           std::optional<SendQueue::Weight> weight, const std::string& group_id,
                           int64_t sent_at_ms, Channel::PublishCallback done) {
  if (!weight.has_value()) {
    return done(gives_up_ ? Stopping()
                          : absl::UnavailableError("too many publications wait for the channel"));
  }
  const std::string sender = SenderOf(*member, group_id);
  Publication publication{.group_id = group_id,
                          .content = {.kind = command.message_kind,
                                      .data = command.message,
                                      .sent_at_ms = sent_at_ms,
                                      .from = sender}};
  if (command.exclude_self) publication.content.excluded_session = member->session();
  if (!command.key.empty()) {
    publication.key = FingerprintOf({Bytes(member->session()), group_id, command.key});
  }
  if (*weight == SendQueue::Weight::kHeavy) {
    done = [this, bytes = BytesOf(*member, command, group_id),
            done = std::move(done)](absl::StatusOr<Position> position) {
      sends_.OnHeavyResult(bytes);
      done(std::move(position));
      sends_.GoOn();
    };
  }
  if (!authenticator_.Allows(*member, group_id, Right::kSend)) {
    ++counters_.refused;
    return done(Forbidden(Right::kSend));
  }
  if (absl::Status status = CheckGroupRule(member, command, group_id); !status.ok()) {
    return done(std::move(status));
  }
  channel_->Publish(publication, std::move(done));
}

absl::Status GroupService::CheckGroupRule(Member* member, const Command& command,
                                          absl::string_view group_id) {
  const size_t* const bytes_max = options_.message_bytes_by_prefix.Find(group_id);
  if (bytes_max != nullptr && command.message.size() > *bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat("the message has ", command.message.size(),
                                                     " bytes; the limit of this group is ",
                                                     *bytes_max));
  }
  const TokenRate* const rate = options_.send_rate_by_prefix.Find(group_id);
  if (rate == nullptr || rate->per_second <= 0) return absl::OkStatus();
  if (member->send_rates == nullptr) member->send_rates = std::make_unique<SendRates>();
  if (member->send_rates->Take(group_id, *rate, clock_->Now())) return absl::OkStatus();
  ++counters_.sends_limited;
  return absl::AbortedError(absl::StrCat("this group takes ", rate->per_second,
                                         " messages a second from one connection, after ",
                                         rate->burst, " at once"));
}

void GroupService::SendToGroup(Member* member, const Command& command,
                               std::optional<SendQueue::Weight> weight) {
  const std::string& group_id = command.group_ids.front().id;
  Publish(member, command, weight, group_id, absl::ToUnixMillis(absl::Now()),
          [this, number = BeginSend(member, command), id = command.id,
           group_id](absl::StatusOr<Position> position) {
            Member* const sender = EndSend(number);
            if (sender == nullptr) return;
            if (!position.ok()) {
              Refuse(sender, ErrorOf(position.status(), id, Command::Kind::kSendToGroup));
            } else if (!id.empty()) {
              sender->Reply(PositionReply(id, group_id, *position));
            }
          });
}

void GroupService::SendToGroups(Member* member, const Command& command,
                                std::optional<SendQueue::Weight> weight) {
  // The reply is sent when the last group has its result.
  struct Sending {
    std::vector<SendResult> results;
    size_t left;
  };
  auto sending = std::make_shared<Sending>();
  sending->left = command.group_ids.size();
  for (const GroupIdField& field : command.group_ids)
    sending->results.push_back({.group_id = field.id});

  const auto finish_one = [this, sending, number = BeginSend(member, command), id = command.id](
                              size_t index, absl::StatusOr<Position> position, ErrorCode code) {
    SendResult& result = sending->results[index];
    if (position.ok()) {
      result.position = *position;
    } else {
      result.code = code;
      result.error = std::string(position.status().message());
    }
    const bool is_last = --sending->left == 0;
    Member* const sender = is_last ? EndSend(number) : FindSender(number);
    if (sender == nullptr) return;
    if (!position.ok() && !id.empty()) CountError(code);
    if (id.empty() && !position.ok()) {
      Refuse(sender, {.code = code,
                      .message = absl::StrCat(result.group_id, ": ", result.error),
                      .id = "",
                      .cmd = std::string(CommandName(Command::Kind::kSendToGroup))});
    }
    if (!id.empty() && is_last) sender->Reply(ResultsReply(id, sending->results));
  };
  // One time for all: the channel server keeps one copy of what is the same for all groups.
  const int64_t sent_at_ms = absl::ToUnixMillis(absl::Now());
  for (size_t i = 0; i < command.group_ids.size(); ++i) {
    const GroupIdField& field = command.group_ids[i];
    if (!field.defect.empty()) {
      finish_one(i, absl::InvalidArgumentError(absl::StrCat("group_id ", field.defect)),
                 ErrorCode::kGroupIdInvalid);
      continue;
    }
    Publish(member, command, weight, field.id, sent_at_ms,
            [finish_one, i](absl::StatusOr<Position> position) {
              const ErrorCode code = position.ok() ? ErrorCode{} : ErrorCodeOf(position.status());
              finish_one(i, std::move(position), code);
            });
  }
}

void GroupService::OnSubscribed(absl::string_view group_id, const Position& head) {
  Group* const group = table_.Find(group_id);
  if (group == nullptr) return;
  group->subscribed = true;
  group->position = head;
  std::vector<Member*> admitted;
  for (PendingJoin& join : pending_joins_.TakeOf(group)) {
    admitted.push_back(join.member);
    --join.member->pending_answers;
    BeginDelivery(std::move(join));
  }
  // Last, because resumed commands may change the table.
  for (Member* member : admitted) {
    if (member->pending_answers == 0) member->ResumeCommands();
  }
}

void GroupService::OnMessage(const Message& message) {
  Group* const group = table_.Find(message.group_id);
  if (group == nullptr || !group->subscribed) return;
  group->position = {message.epoch, message.offset};
  ++counters_.messages;
  const TrafficClass traffic_class = TrafficClassOf(*group);
  EncodedMessage encoded(group->position, message.previous, message.content);
  for (const Group::Place& place : group->members) {
    if (!place.live) continue;
    // A reference of its own: the block counts as shared also for the first member.
    const SharedBytes bytes = encoded.For(group->id, place.member);
    if (!bytes) continue;
    place.member->Send(bytes, traffic_class);
    ++counters_.deliveries;
  }
  if (group->recent == nullptr) group->recent = std::make_unique<RecentMessages::Ring>(&recent_);
  group->recent->Push(std::move(encoded));
  recoveries_.OnPosition(group);
}

void GroupService::OnGap(absl::string_view group_id, const Gap& gap) {
  Group* const group = table_.Find(group_id);
  if (group == nullptr || !group->subscribed) return;
  ++counters_.gaps;
  group->position = gap.to;
  group->recent.reset();  // no chain leads over the gap
  if (const int64_t count = gap_log_limit_.Admit(clock_->Now())) {
    spdlog::warn(
        "group \"{}\": messages up to offset {} of epoch {} are lost ({} gaps since the last such "
        "line)",
        group->id, gap.to.offset, EpochText(gap.to.epoch), count);
  }
  BlockPerEncoding events;
  for (const Group::Place& place : group->members) {
    if (!place.live) continue;
    const Encoding& encoding = place.member->encoding();
    SharedBytes& event = events.Of(encoding);
    if (!event) event = encoding.EncodeGap(group->id, gap);
    if (event) place.member->Send(event, TrafficClassOf(*group));
  }
  recoveries_.OnGap(group, gap);
}

void GroupService::OnConnectionState(bool connected) {
  if (connected) UpdateCommandLimits();
  sends_.SetConnected(connected);
  if (connected) {
    spdlog::info("the channel is there");
    recoveries_.OnConnected();
  } else {
    away_since_ = clock_->Now();
    spdlog::warn("the channel is away: sends wait until it is back");
    sends_.GoOn();
  }
}

void GroupService::UpdateCommandLimits() {
  const size_t configured = options_.commands.message_bytes_max;
  const size_t now = std::min(configured, channel_->message_bytes_max());
  if (std::exchange(command_limits_.message_bytes_max, now) == now) return;
  if (now < configured) {
    spdlog::warn(
        "the channel takes messages of up to {} bytes, but --max_message_bytes is {}: larger sends "
        "are refused",
        now, configured);
  } else {
    spdlog::info("the channel takes messages of up to {} bytes again", now);
  }
}

void GroupService::OnRoom() { sends_.GoOn(); }

void GroupService::OnMisconfigured(const absl::Status& why) {
  if (on_fatal_) on_fatal_(why);
}

uint64_t GroupService::BeginSend(Member* member, const Command& command) {
  ++member->pending_sends;
  pending_sends_.emplace(
      ++last_send_, PendingSend{.connection = member->connection_id(), .command_id = command.id});
  return last_send_;
}

Member* GroupService::FindSender(uint64_t number) const {
  const auto send = pending_sends_.find(number);
  return send == pending_sends_.end() ? nullptr : FindMember(send->second.connection);
}

Member* GroupService::EndSend(uint64_t number) {
  Member* const sender = FindSender(number);
  pending_sends_.erase(number);
  if (sender != nullptr) --sender->pending_sends;
  return sender;
}

void GroupService::GiveUp() {
  gives_up_ = true;  // first: the commands that are resumed below must not wait again
  std::vector<std::pair<uint64_t, std::string>> sends;
  for (const auto& [number, send] : pending_sends_) sends.emplace_back(number, send.command_id);
  std::sort(sends.begin(), sends.end());
  for (const auto& [number, id] : sends) {
    Member* const sender = EndSend(number);
    if (sender == nullptr) continue;
    Refuse(sender, {.code = ErrorCode::kOutcomeUnknown,
                    .message = "the service stops, and the channel has not answered yet",
                    .id = id,
                    .cmd = std::string(CommandName(Command::Kind::kSendToGroup))});
  }
  FailJoins(absl::InfiniteFuture(), Stopping());
  reads_.RefuseAll(Stopping());
  presence_.RefuseReads(Stopping());
  sends_.ReleaseAll();
}

void GroupService::CheckDeadlines() {
  EndTokens();
  RetryPersonalGroups();
  FailJoins(clock_->Now(), absl::UnavailableError("the channel did not answer in time"));
  recoveries_.RetryFailed();
  presence_.CheckDeadlines();
  // A member that left may have made room for others.
  MayWaitForRoom() ? sends_.GoOn() : sends_.ReleaseAll();
}

void GroupService::FailJoins(absl::Time now, const absl::Status& why) {
  std::vector<Member*> refused;
  for (const PendingJoin& join : pending_joins_.TakeExpired(now)) {
    --join.member->pending_answers;
    RefuseJoin(join, why);
    refused.push_back(join.member);
  }
  for (const PendingJoin& join : recoveries_.TakeExpired(now)) {
    RefuseJoin(join, why);
    refused.push_back(join.member);
  }
  // Last, because resumed commands may change the table.
  for (Member* member : refused) {
    if (member->pending_answers == 0) member->ResumeCommands();
  }
}

void GroupService::RefuseJoin(const PendingJoin& join, const absl::Status& why) {
  table_.Leave(join.group, join.member);
  const bool is_personal = IsPersonal(*join.member, join.group->id);
  if (!is_personal) users_.RemoveGroup(join.member);
  presence_.OnLeave(*join.group, join.member, /*connection_lost=*/false);
  const bool is_by_service =
      is_personal && std::exchange(join.member->access->joined_by_service, false);
  if (is_by_service && !gives_up_) {
    // The client has not asked for it, and will not ask again.
    personal_retries_.push_back(join.member->connection_id());
    return RemoveIfUnused(join.group);
  }
  Refuse(join.member, ErrorOf(why, join.command_id, Command::Kind::kAddGroup));
  RemoveIfUnused(join.group);
}

void GroupService::RemoveIfUnused(Group* group) {
  if (!group->members.empty()) return;
  channel_->Unsubscribe(group->id);
  table_.Remove(group);
}

void GroupService::Refuse(Member* member, const CommandError& error) {
  ++counters_.errors;
  CountError(error.code);
  member->Reply(ErrorEvent(error));
}

void GroupService::CountError(ErrorCode code) {
  if (code == ErrorCode::kTooManyGroups) ++counters_.too_many_groups;
  if (code == ErrorCode::kMessageTooLarge) ++counters_.message_too_large;
}

Member* GroupService::FindMember(ConnectionId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : found->second;
}

}  // namespace groupcast::service
