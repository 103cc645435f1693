#include "services/groups/group_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "services/channel/group_id.h"
#include "services/groups/encoded_message.h"
#include "services/groups/member_access.h"
#include "services/protocol/event.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// What members may know of a member, and what identifies its client over its connections.
void DescribeMember(const Member& member, PresentMember* to) {
  if (member.access != nullptr && member.access->identity.token.has_value()) {
    to->user = member.access->identity.token->user;
    to->info = member.access->identity.token->info;
  }
  to->session = member.named_session();
  to->identity =
      to->user.empty() ? member.named_session() : FingerprintOf({"user of presence", to->user});
}

// A group with more members here than this is flushed in pieces, and several messages at once.
constexpr size_t kInteractiveMembersMax = 64;

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
               refusals_.Tell(reader, CommandErrorOf(why, id, Command::Kind::kGroupHistory));
             }),
      presence_(
          options.presence, clock, &table_, [this](ConnectionId id) { return FindMember(id); },
          DescribeMember,
          [this](Member* member, const absl::Status& why, const std::string& id,
                 Command::Kind kind) {
            CommandError error = CommandErrorOf(why, id, kind);
            if (absl::IsResourceExhausted(why)) error.code = ErrorCode::kTooManyMembers;
            if (absl::IsAborted(why)) error.code = ErrorCode::kRateLimited;
            refusals_.Tell(member, error);
          }),
      users_(options.users),
      memberships_(options.memberships,
                   {.clock = clock,
                    .calendar = options.calendar,
                    .policy = options_.access.policy.get(),
                    .table = &table_,
                    .recoveries = &recoveries_,
                    .presence = &presence_,
                    .users = &users_,
                    .refusals = &refusals_,
                    .find = [this](ConnectionId id) { return FindMember(id); }}),
      access_(options.access, {.clock = clock,
                               .table = &table_,
                               .memberships = &memberships_,
                               .presence = &presence_,
                               .users = &users_,
                               .refusals = &refusals_,
                               .find = [this](ConnectionId id) { return FindMember(id); }}),
      send_rules_(options.send_rules, options.access.policy, clock),
      sends_(options.sends, &send_rules_, clock, options.calendar, &refusals_,
             [this](ConnectionId id) { return FindMember(id); }) {
  rate_windows_.SetTime(clock->Now());
  if (options.control.service.empty()) return;
  control_ = std::make_unique<ControlRoom>(options.control,
                                           ControlCommands::Parts{.clock = clock,
                                                                  .calendar = options.calendar,
                                                                  .table = &table_,
                                                                  .windows = &rate_windows_,
                                                                  .access = &access_,
                                                                  .members = &members_},
                                           &presence_);
}

void GroupService::Add(Member* member) {
  members_.emplace(member->connection_id(), member);
  access_.Add(member);
}

void GroupService::Remove(Member* member) {
  if (members_.erase(member->connection_id()) == 0) return;
  access_.Remove(member);
  users_.Remove(member);
  sends_.Remove(member);
  if (member->pending_answers > 0) reads_.Drop(member);
  if (member->pending_answers > 0) presence_.Drop(member);
  memberships_.Remove(member);
}

GroupService::Counters GroupService::counters() const {
  Counters all = counters_;
  const Recoveries::Counters& recoveries = recoveries_.counters();
  all.deliveries += recoveries.deliveries;
  all.gaps += recoveries.gaps;
  all.recoveries = recoveries.complete;
  all.recoveries_lost = recoveries.lost;
  const Refusals::Counters& refusals = refusals_.counters();
  all.errors = refusals.errors;
  all.refused = refusals.access;
  all.too_many_groups = refusals.too_many_groups;
  all.message_too_large = refusals.message_too_large;
  all.too_deep = refusals.too_deep;
  all.sends_limited = sends_.limited();
  all.user_connections = access_.over_user_connections();
  all.user_groups = memberships_.over_user_groups();
  if (control_ != nullptr) all.questions_limited = control_->limited();
  return all;
}

bool GroupService::HandleCommand(Member* member, absl::string_view text) {
  std::variant<Command, CommandError> parsed = ParseCommand(text, command_limits_);
  const auto* command = std::get_if<Command>(&parsed);
  if (command == nullptr) {
    if (member->pending_answers > 0) return false;
    ++counters_.commands;
    TakeTokens(member, 1);
    refusals_.Tell(member, std::get<CommandError>(parsed));
    return true;
  }
  return Run(member, *command);
}

bool GroupService::Run(Member* member, const Command& command) {
  if (member->pending_answers > 0 &&
      !(command.kind == Command::Kind::kAddGroup && memberships_.MayRunAtOnce(*member, command))) {
    return false;
  }
  if (!HasTokens(member, command)) return true;
  if (!HasShownToken(member, command)) return true;
  const std::optional<SendQueue::Weight> weight =
      command.kind == Command::Kind::kSendToGroup ? sends_.Admit(member, command) : std::nullopt;
  if (member->waits_for_room) return false;
  ++counters_.commands;
  TakeTokens(member, std::max<size_t>(1, command.group_ids.size()));
  RunCommand(member, command, weight);
  return true;
}

void GroupService::RunCommand(Member* member, const Command& command,
                              std::optional<SendQueue::Weight> weight) {
  switch (command.kind) {
    case Command::Kind::kAddGroup:
      return AddGroup(member, command);
    case Command::Kind::kLeaveGroup:
      return LeaveGroup(member, command);
    case Command::Kind::kSendToGroup:
      return sends_.Send(member, command, weight);
    case Command::Kind::kGroupHistory:
      return ReadHistory(member, command);
    case Command::Kind::kGroupMembers:
      return ReadMembers(member, command);
    case Command::Kind::kAuthenticate:
      return access_.Authenticate(member, command);
    case Command::Kind::kPing:
      if (!command.id.empty()) member->Reply(PongReply(command.id));
      return;
  }
}

bool GroupService::HasShownToken(Member* member, const Command& command) {
  if (access_.HasShownToken(*member, command)) return true;
  ++counters_.commands;
  TakeTokens(member, 1);
  refusals_.CountAccess();
  refusals_.Tell(member,
                 CommandErrorOf(absl::UnauthenticatedError("show a token first, with authenticate"),
                                command.id, command.kind));
  return false;
}

bool GroupService::HasTokens(Member* member, const Command& command) {
  const absl::Status status = CheckTokens(*member);
  if (status.ok()) return true;
  ++counters_.commands;
  refusals_.Tell(member, CommandErrorOf(status, command.id, command.kind));
  return false;
}

absl::Status GroupService::CheckTokens(const Member& member) {
  const TokenRate& own = options_.command_rate;
  const absl::Time now = clock_->Now();
  const bool has_own = own.per_second <= 0 || member.command_tokens.Available(own, now) >= 1;
  if (has_own && users_.HasToken(member, now)) return absl::OkStatus();
  ++(has_own ? counters_.user_rate_limited : counters_.rate_limited);
  const TokenRate& rate = has_own ? options_.users.command_rate : own;
  return absl::AbortedError(absl::StrCat("more than ", rate.per_second, " commands a second",
                                         has_own ? " of one user" : "", ", after ", rate.burst,
                                         " at once"));
}

absl::Status GroupService::TakeToken(Member* member) {
  if (absl::Status status = CheckTokens(*member); !status.ok()) return status;
  TakeTokens(member, 1);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> GroupService::AskWorkers(Member* member, ControlCommand command,
                                                  ControlQuestions::Done done) {
  if (gives_up_) return StoppingError();
  if (control_ == nullptr) return absl::UnavailableError("this worker has no part in control");
  if (absl::Status status = TakeToken(member); !status.ok()) return status;
  return control_->Ask(std::move(command), std::move(done));
}

void GroupService::TakeTokens(Member* member, size_t commands) {
  users_.TakeTokens(*member, commands, clock_->Now());
  const TokenRate& rate = options_.command_rate;
  if (rate.per_second <= 0) return;
  member->command_tokens.Take(static_cast<double>(commands), rate, clock_->Now());
}

bool GroupService::Stops(Member* member, const Command& command) {
  if (!gives_up_) return false;
  refusals_.Tell(member, CommandErrorOf(StoppingError(), command.id, command.kind));
  return true;
}

void GroupService::AddGroup(Member* member, const Command& command) {
  if (Stops(member, command)) return;
  if (access_.MayJoin(member, command)) memberships_.Join(member, command);
}

void GroupService::LeaveGroup(Member* member, const Command& command) {
  if (!access_.MayLeave(member, command)) return;
  const std::string& id = command.group_ids.front().id;
  access_.DropGroupToken(member, id);
  if (Group* group = table_.Find(id); group != nullptr) memberships_.Leave(group, member);
  if (!command.id.empty()) member->Reply(LeaveReply(command.id, id));
}

void GroupService::ReadHistory(Member* member, const Command& command) {
  // Without an id nobody would get the answer.
  if (command.id.empty() || !access_.MayRead(member, command)) return;
  if (!Stops(member, command)) reads_.Read(member, command);
}

void GroupService::ReadMembers(Member* member, const Command& command) {
  // Without an id nobody would get the answer.
  if (command.id.empty() || Stops(member, command)) return;
  if (access_.MayObserve(member, command)) presence_.Read(member, command);
}

void GroupService::OnSubscribed(absl::string_view group_id, const Position& head) {
  if (control_ != nullptr && IsReservedGroup(group_id)) return control_->OnSubscribed(group_id);
  memberships_.OnSubscribed(group_id, head);
}

void GroupService::OnMessage(const Message& message) {
  Group* const group = table_.Find(message.group_id);
  if (group == nullptr) {
    // Reserved groups are in no table.
    if (control_ != nullptr) control_->OnMessage(message);
    return;
  }
  if (!group->subscribed) return;
  group->position = {message.epoch, message.offset};
  group->rate.Count(rate_windows_);
  ++counters_.messages;
  if (message_watcher_) message_watcher_(message.content.sent_at_ms);
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
  sends_.OnConnectionState(connected);
  TellConnection(connected);
  if (connected) recoveries_.OnConnected();
}

// Both lines of one absence are written, or none.
void GroupService::TellConnection(bool connected) {
  if (connected) {
    if (std::exchange(away_told_, false)) spdlog::info("the channel is there");
  } else if (const int64_t count = connection_log_limit_.Admit(clock_->Now())) {
    away_told_ = true;
    spdlog::warn(
        "the channel is away: sends wait until it is back ({} times since the last such line)",
        count);
  }
}

void GroupService::UpdateCommandLimits() {
  const size_t configured = options_.commands.message_bytes_max;
  const size_t now = std::min(configured, channel_->message_bytes_max());
  if (std::exchange(command_limits_.message_bytes_max, now) == now) return;
  if (now == configured) {
    // The last line tells the truth: this one follows each of the others.
    if (std::exchange(smaller_told_, false)) {
      spdlog::info("the channel takes messages of up to {} bytes again", now);
    }
  } else if (const int64_t count = maximum_log_limit_.Admit(clock_->Now())) {
    smaller_told_ = true;
    spdlog::warn(
        "the channel takes messages of up to {} bytes, but --max_message_bytes is {}: larger sends "
        "are refused ({} changes since the last such line)",
        now, configured, count);
  }
}

void GroupService::OnRoom() { sends_.OnRoom(); }

void GroupService::OnMisconfigured(const absl::Status& why) {
  if (on_fatal_) on_fatal_(why);
}

void GroupService::GiveUp() {
  gives_up_ = true;  // first: the commands that are resumed below must not wait again
  sends_.GiveUp();
  memberships_.GiveUp();
  reads_.RefuseAll(StoppingError());
  presence_.RefuseReads(StoppingError());
  if (control_ != nullptr) control_->GiveUp(StoppingError());
  sends_.ReleaseAll();
}

void GroupService::CheckDeadlines() {
  rate_windows_.SetTime(clock_->Now());
  if (control_ != nullptr) control_->OnTick();
  access_.CheckDeadlines();
  memberships_.CheckDeadlines();
  recoveries_.RetryFailed();
  presence_.CheckDeadlines();
  sends_.CheckDeadlines();
}

Member* GroupService::FindMember(ConnectionId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : found->second;
}

}  // namespace groupcast::service
