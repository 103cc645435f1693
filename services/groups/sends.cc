#include "services/groups/sends.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/groups/member_access.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

// While the channel is not connected, sends wait for room for at most this time. SDKs repeat a send
// for 75 s, and the window keeps it for 30 s. The sum must be less than the 2 minutes for which
// keys are known.
constexpr absl::Duration kRoomWaitMax = absl::Seconds(10);

}  // namespace

Sends::Sends(const SendQueueOptions& options, const SendRules* rules, const Clock* clock,
             const Clock* calendar, Refusals* refusals, std::function<Member*(ConnectionId)> find)
    : rules_(*rules),
      clock_(clock),
      calendar_(calendar),
      refusals_(refusals),
      find_(std::move(find)),
      queue_(options, [this](const PublicationsSize& size) { return channel_->HasRoomFor(size); }) {
}

bool Sends::MayWaitForRoom() const {
  return channel_->connected() || clock_->Now() < away_since_ + kRoomWaitMax;
}

std::optional<SendQueue::Weight> Sends::Admit(Member* member, const Command& command) {
  if (gives_up_) return std::nullopt;
  PublicationsSize size{.count = 0};
  for (const GroupIdField& field : command.group_ids) {
    if (!field.defect.empty() || !rules_.Allows(IdentityOf(*member), field.id)) continue;
    ++size.count;
    size.bytes += BytesOf(*member, command, field.id);
  }
  // What may go nowhere is refused at once, and waits for no room.
  if (size.count == 0) return SendQueue::Weight::kLight;
  return MayWaitForRoom() ? queue_.Admit(member, size) : queue_.AdmitAtOnce(size);
}

std::string Sends::SenderOf(const Member& member, absl::string_view group_id) const {
  return rules_.SenderOf(IdentityOf(member), static_cast<uint64_t>(member.connection_id()),
                         group_id);
}

size_t Sends::BytesOf(const Member& member, const Command& command,
                      absl::string_view group_id) const {
  return group_id.size() + command.message.size() + SenderOf(member, group_id).size();
}

void Sends::Send(Member* member, const Command& command, std::optional<SendQueue::Weight> weight) {
  command.many ? SendToGroups(member, command, weight) : SendToGroup(member, command, weight);
}

void Sends::Publish(Member* member, const Command& command, std::optional<SendQueue::Weight> weight,
                    const std::string& group_id, int64_t sent_at_ms,
                    Channel::PublishCallback done) {
  if (!weight.has_value()) {
    return done(gives_up_ ? StoppingError()
                          : absl::UnavailableError("too many publications wait for the channel"));
  }
  const std::string sender = SenderOf(*member, group_id);
  Publication publication{.group_id = group_id,
                          .content = {.kind = command.message_kind,
                                      .data = command.message,
                                      .sent_at_ms = sent_at_ms,
                                      .from = sender}};
  publication.content.excluded_session =
      command.exclude_self ? member->session() : command.excluded_session;
  if (!command.key.empty()) {
    publication.key = PublicationKey(member->session(), group_id, command.key);
  }
  absl::Status status =
      rules_.Take(IdentityOf(*member), group_id, command.message.size(), &member->send_rates);
  if (absl::IsPermissionDenied(status)) {
    refusals_->CountAccess();
    return done(std::move(status));  // Admit has not counted it
  }
  if (*weight == SendQueue::Weight::kHeavy) {
    done = [this, bytes = BytesOf(*member, command, group_id),
            done = std::move(done)](absl::StatusOr<Position> position) {
      queue_.OnHeavyResult(bytes);
      done(std::move(position));
      queue_.GoOn();
    };
  }
  if (!status.ok()) {
    if (absl::IsAborted(status)) ++limited_;
    return done(std::move(status));
  }
  ++published_;
  channel_->Publish(publication, std::move(done));
}

void Sends::SendToGroup(Member* member, const Command& command,
                        std::optional<SendQueue::Weight> weight) {
  const std::string& group_id = command.group_ids.front().id;
  Publish(member, command, weight, group_id, absl::ToUnixMillis(calendar_->Now()),
          [this, number = Begin(member, command), id = command.id,
           group_id](absl::StatusOr<Position> position) {
            Member* const sender = End(number);
            if (sender == nullptr) return;
            if (!position.ok()) {
              refusals_->Tell(sender,
                              CommandErrorOf(position.status(), id, Command::Kind::kSendToGroup));
            } else if (!id.empty()) {
              sender->Reply(PositionReply(id, group_id, *position));
            }
          });
}

void Sends::SendToGroups(Member* member, const Command& command,
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

  const auto finish_one = [this, sending, number = Begin(member, command), id = command.id](
                              size_t index, absl::StatusOr<Position> position, ErrorCode code) {
    SendResult& result = sending->results[index];
    if (position.ok()) {
      result.position = *position;
    } else {
      result.code = code;
      result.error = std::string(position.status().message());
    }
    const bool is_last = --sending->left == 0;
    Member* const sender = is_last ? End(number) : FindSender(number);
    if (sender == nullptr) return;
    if (!position.ok() && !id.empty()) refusals_->Count(code);
    if (id.empty() && !position.ok()) {
      refusals_->Tell(sender, {.code = code,
                               .message = absl::StrCat(result.group_id, ": ", result.error),
                               .id = "",
                               .cmd = std::string(CommandName(Command::Kind::kSendToGroup))});
    }
    if (!id.empty() && is_last) sender->Reply(ResultsReply(id, sending->results));
  };
  // One time for all: the channel server keeps one copy of what is the same for all groups.
  const int64_t sent_at_ms = absl::ToUnixMillis(calendar_->Now());
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

void Sends::OnConnectionState(bool connected) {
  queue_.SetConnected(connected);
  if (connected) return;
  away_since_ = clock_->Now();
  queue_.GoOn();
}

void Sends::CheckDeadlines() {
  // A member that left may have made room for others.
  MayWaitForRoom() ? queue_.GoOn() : queue_.ReleaseAll();
}

uint64_t Sends::Begin(Member* member, const Command& command) {
  ++member->pending_sends;
  pending_.emplace(++last_number_,
                   PendingSend{.connection = member->connection_id(), .command_id = command.id});
  return last_number_;
}

Member* Sends::FindSender(uint64_t number) const {
  const auto send = pending_.find(number);
  return send == pending_.end() ? nullptr : find_(send->second.connection);
}

Member* Sends::End(uint64_t number) {
  Member* const sender = FindSender(number);
  pending_.erase(number);
  if (sender != nullptr) --sender->pending_sends;
  return sender;
}

void Sends::GiveUp() {
  gives_up_ = true;
  std::vector<std::pair<uint64_t, std::string>> sends;
  for (const auto& [number, send] : pending_) sends.emplace_back(number, send.command_id);
  std::sort(sends.begin(), sends.end());
  for (const auto& [number, id] : sends) {
    Member* const sender = End(number);
    if (sender == nullptr) continue;
    refusals_->Tell(sender, {.code = ErrorCode::kOutcomeUnknown,
                             .message = "the service stops, and the channel has not answered yet",
                             .id = id,
                             .cmd = std::string(CommandName(Command::Kind::kSendToGroup))});
  }
}

}  // namespace groupcast::service
