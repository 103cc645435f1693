#include "groupcast/session.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "groupcast/status.h"

namespace groupcast {

Session::Session(SessionIdentity identity, const SessionLimits& limits)
    : identity_(std::move(identity)),
      limits_(limits),
      random_(std::hash<std::string>()(identity_.key_prefix)) {}

absl::Status Session::Join(absl::string_view group_id, const JoinOptions& options,
                           std::shared_ptr<const GroupCallbacks> callbacks) {
  if (!ended_.ok()) return ended_;
  if (groups_.contains(group_id)) {
    return absl::AlreadyExistsError(absl::StrCat("already joined: ", group_id));
  }
  if (groups_.size() >= limits_.groups_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("already in ", groups_.size(), " groups, and groups_max allows no more"));
  }
  const size_t leaves = written_leaves_.size() + postponed_leaves_.size();
  if (leaves >= 2 * limits_.groups_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the server has not carried out ", leaves, " leaves yet"));
  }
  if (ends_due_ >= 2 * limits_.groups_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("on_end of ", ends_due_, " earlier memberships has not run yet"));
  }
  // The join makes the connection a member, or finds it one.
  std::erase_if(postponed_leaves_,
                [&](const auto& entry) { return entry.second.group_id == group_id; });
  Group& group = groups_[std::string(group_id)];
  group.callbacks = std::move(callbacks);
  if (group.callbacks->on_members) group.view = std::make_shared<MembersView>(group.callbacks);
  group.history = options.history;
  group.position = options.since;
  if (connected_) queue_.push_back({CommandKind::kJoin, std::string(group_id)});
  return absl::OkStatus();
}

std::shared_ptr<const GroupCallbacks> Session::Leave(absl::string_view group_id) {
  const auto group = groups_.find(group_id);
  if (group == groups_.end()) return nullptr;

  std::erase_if(queue_, [&](const Command& command) {
    return command.kind == CommandKind::kJoin && command.group_id == group_id;
  });
  // Also if it was refused for the moment: not every refusal is certain that nothing was done.
  const bool join_was_written = group->second.join_id != CommandId{};
  if (join_was_written) {
    joins_.erase(group->second.join_id);
    queue_.push_back({CommandKind::kLeave, group->first, {}, kResendBackoffMin});
  }
  std::erase_if(callbacks_, [&](const DueCallback& due) { return due.group_id == group_id; });
  rejoining_.erase(group->first);
  DropViewRead(group_id);
  std::shared_ptr<const GroupCallbacks> callbacks = std::move(group->second.callbacks);
  groups_.erase(group);
  if (callbacks->on_end) CallEnd(callbacks, GroupLeft());
  return callbacks;
}

absl::Status Session::Send(absl::string_view group_id, absl::string_view message_json,
                           const SendOptions& options, SendCallback&& done) {
  if (!ended_.ok()) return ended_;
  const CommandId id = NewCommandId();
  std::string frame = SendToGroupFrame(group_id, message_json, options, {identity_.key_prefix, id});
  if (absl::Status status = CheckRoom(frame.size()); !status.ok()) return status;
  queue_bytes_ += frame.size();
  PendingSend& send = sends_[id];
  send.frame = std::move(frame);
  send.done = std::move(done);
  queue_.push_back({CommandKind::kSend, "", id});
  return absl::OkStatus();
}

absl::Status Session::History(absl::string_view group_id, const HistoryOptions& options,
                              HistoryCallback&& done) {
  const CommandId id = NewCommandId();
  PendingRead read{std::string(group_id), GroupHistoryFrame(group_id, options, id)};
  if (absl::Status status = CheckRead(read); !status.ok()) return status;
  read.on_history = std::move(done);
  AddRead(std::move(read), id);
  return absl::OkStatus();
}

absl::Status Session::Members(absl::string_view group_id, const MembersOptions& options,
                              MembersCallback&& done) {
  const CommandId id = NewCommandId();
  PendingRead read{std::string(group_id), GroupMembersFrame(group_id, options, id)};
  if (absl::Status status = CheckRead(read); !status.ok()) return status;
  read.on_members = std::move(done);
  AddRead(std::move(read), id);
  return absl::OkStatus();
}

absl::Status Session::CheckRead(const PendingRead& read) const {
  return ended_.ok() ? CheckRoom(read.frame.size()) : ended_;
}

void Session::AddRead(PendingRead read, CommandId id) {
  queue_bytes_ += read.frame.size();
  reads_[id] = std::move(read);
  queue_.push_back({CommandKind::kRead, "", id});
}

void Session::Shutdown(const absl::Status& why) {
  if (!ended_.ok()) return;
  ended_ = why;
  while (!sends_.empty()) GiveUp(sends_.begin(), why);
  while (!reads_.empty()) Fail(reads_.begin(), why);
  OnDisconnected();
  queue_.clear();

  for (auto& [group_id, group] : groups_) {
    if (!group.answered) CallJoin(group_id, group, why);
    CallEnd(std::move(group.callbacks), why);
  }
  groups_.clear();
}

absl::Status Session::OnEvent(Event event, absl::Time now) {
  if (!connected_ && !std::holds_alternative<WelcomeEvent>(event)) {
    return absl::InternalError("the server's first event was not \"welcome\"");
  }
  return std::visit([&](auto& what) { return Handle(what, now); }, event);
}

std::optional<absl::Duration> Session::OnDisconnected() {
  connected_ = false;
  closing_ = false;
  // The server forgets the members of a connection that ended, so joins and leaves would be about
  // nothing. Sends that were written are queued again on the next connection, before the others.
  std::erase_if(queue_, [this](const Command& command) {
    if (command.kind == CommandKind::kRead) return false;
    if (command.kind != CommandKind::kSend) return true;
    const auto send = sends_.find(command.id);
    return send == sends_.end() || send->second.was_written();
  });
  resends_.clear();
  joins_.clear();
  written_leaves_.clear();
  postponed_leaves_.clear();
  rejoining_.clear();
  view_reads_.clear();
  has_refused_joins_ = false;
  for (auto& [group_id, group] : groups_) {
    group.state = GroupState::kQueued;
    group.join_id = CommandId{};
  }
  for (auto& [id, send] : sends_) {
    if (!send.was_written()) break;
    send.in_doubt |= send.in_flight;
    SetInFlight(&send, false);
    send.backoff = kResendBackoffMin;
  }
  while (!reads_.empty() && reads_.begin()->second.in_flight) Fail(reads_.begin(), AnswerLost());
  return std::exchange(reconnect_after_, std::nullopt);
}

void Session::RetryJoins() {
  if (!connected_) return;
  has_refused_joins_ = false;
  for (auto& [group_id, group] : groups_) {
    if (group.state != GroupState::kRefused) continue;
    group.state = GroupState::kQueued;
    queue_.push_back({CommandKind::kJoin, group_id});
  }
}

void Session::OnTimer(absl::Time now) {
  while (!sends_.empty() && sends_.begin()->second.deadline <= now) {
    GiveUp(sends_.begin(), sends_.begin()->second.refusal);
  }
  while (!resends_.empty() && resends_.begin()->first <= now) {
    queue_.push_back({CommandKind::kSend, "", resends_.begin()->second});
    resends_.erase(resends_.begin());
  }
  while (!postponed_leaves_.empty() && postponed_leaves_.begin()->first <= now) {
    PendingLeave& leave = postponed_leaves_.begin()->second;
    queue_.push_back({CommandKind::kLeave, std::move(leave.group_id), {}, leave.pause});
    postponed_leaves_.erase(postponed_leaves_.begin());
  }
}

absl::Time Session::next_deadline() const {
  absl::Time next = absl::InfiniteFuture();
  if (!sends_.empty()) next = sends_.begin()->second.deadline;
  if (!resends_.empty()) next = std::min(next, resends_.begin()->first);
  if (!postponed_leaves_.empty()) next = std::min(next, postponed_leaves_.begin()->first);
  return next;
}

std::optional<std::string> Session::NextFrame(absl::Time now) {
  if (!connected_ || closing()) return std::nullopt;
  if (!view_reads_.empty() && view_reads_.front().id == CommandId{}) {
    ViewRead& read = view_reads_.front();
    read.id = NewCommandId();
    return GroupMembersFrame(read.group_id, {kViewPageMembers, read.after}, read.id);
  }
  while (!queue_.empty()) {
    const bool waits =
        queue_.front().kind == CommandKind::kSend || queue_.front().kind == CommandKind::kRead;
    if (waits && (!rejoining_.empty() || in_flight_ >= limits_.in_flight_max)) return std::nullopt;

    const Command command = std::move(queue_.front());
    queue_.pop_front();
    switch (command.kind) {
      case CommandKind::kJoin:
        return JoinFrame(command.group_id);
      case CommandKind::kLeave:
        return LeaveFrame(command);
      case CommandKind::kRead: {
        PendingRead& read = reads_.find(command.id)->second;
        SetInFlight(&read, true);
        return read.frame;
      }
      case CommandKind::kSend: {
        const auto found = sends_.find(command.id);
        if (found == sends_.end()) continue;
        PendingSend& send = found->second;
        if (!send.was_written()) send.deadline = now + kResendPeriod;
        if (now >= send.deadline) continue;  // OnTimer gives it up.
        SetInFlight(&send, true);
        return send.frame;
      }
    }
  }
  return std::nullopt;
}

std::function<void()> Session::NextCallback() {
  if (callbacks_.empty()) return nullptr;
  std::function<void()> run = std::move(callbacks_.front().run);
  if (callbacks_.front().is_end) --ends_due_;
  callbacks_.pop_front();
  return run;
}

bool Session::joins_settled() const {
  return std::all_of(groups_.begin(), groups_.end(),
                     [](const auto& entry) { return entry.second.state == GroupState::kJoined; });
}

absl::Status Session::Handle(const WelcomeEvent&, absl::Time) {
  if (connected_) return absl::InternalError("the server welcomed twice");
  connected_ = true;
  std::vector<Command> first;
  for (const auto& [group_id, group] : groups_) {
    rejoining_.insert(group_id);
    first.push_back({CommandKind::kJoin, group_id});
  }
  for (const auto& [id, send] : sends_) {
    if (!send.was_written()) break;
    first.push_back({CommandKind::kSend, "", id});
  }
  queue_.insert(queue_.begin(), std::make_move_iterator(first.begin()),
                std::make_move_iterator(first.end()));
  return absl::OkStatus();
}

absl::Status Session::Handle(ReplyEvent& event, absl::Time) {
  if (!event.id.has_value()) return absl::OkStatus();
  if (const auto group = FindJoin(*event.id); group != groups_.end()) {
    return OnJoined(group, event);
  }
  if (const auto send = sends_.find(*event.id);
      send != sends_.end() && send->second.was_written()) {
    return OnSent(send, event);
  }
  if (const auto read = reads_.find(*event.id); read != reads_.end() && read->second.in_flight) {
    return OnRead(read, event);
  }
  if (!view_reads_.empty() && view_reads_.front().id == *event.id) return OnViewPage(event);
  written_leaves_.erase(*event.id);
  return absl::OkStatus();
}

absl::Status Session::Handle(const ErrorEvent& event, absl::Time now) {
  if (event.lost_group.has_value()) {
    if (const auto group = FindJoined(*event.lost_group); group != groups_.end()) {
      OnJoinRefused(group, event.error);
    }
    return absl::OkStatus();
  }
  if (!event.id.has_value()) return absl::OkStatus();
  if (const auto group = FindJoin(*event.id); group != groups_.end()) {
    OnJoinRefused(group, event.error);
  } else if (const auto send = sends_.find(*event.id);
             send != sends_.end() && send->second.in_flight) {
    OnSendRefused(send, event.error, now);
  } else if (const auto read = reads_.find(*event.id);
             read != reads_.end() && read->second.in_flight) {
    Fail(read, ToStatus(event.error));
  } else if (!view_reads_.empty() && view_reads_.front().id == *event.id) {
    EndViewRead(ToStatus(event.error));
  } else if (written_leaves_.contains(*event.id)) {
    OnLeaveRefused(*event.id, event.error, now);
  }
  return absl::OkStatus();
}

absl::Status Session::Handle(MessageEvent& event, absl::Time) {
  Message& message = event.message;
  const auto group = FindJoined(message.group_id);
  if (group == groups_.end()) return absl::OkStatus();  // Left, and the server does not know yet.
  Position& position = *group->second.position;
  if (message.offset <= position.offset) return absl::OkStatus();  // A duplicate.

  if (message.previous > position.offset) {
    CallGap(group->second, {message.group_id, position.epoch, position.offset, message.previous});
  } else if (message.previous < position.offset) {
    // It steps over what this member was given, so it belongs to another history.
    CallGap(group->second, {message.group_id, position.epoch, std::nullopt, message.previous});
  }
  position.offset = message.offset;
  if (event.excluded) return absl::OkStatus();
  message.epoch = position.epoch;
  callbacks_.push_back(
      {group->first, [callbacks = group->second.callbacks, message = std::move(message)] {
         callbacks->on_message(message);
       }});
  return absl::OkStatus();
}

absl::Status Session::Handle(GapEvent& event, absl::Time) {
  Gap& gap = event.gap;
  const auto group = FindJoined(gap.group_id);
  if (group == groups_.end()) return absl::OkStatus();
  Position& position = *group->second.position;
  if (gap.epoch != position.epoch) {
    gap.from.reset();
  } else if (gap.from.has_value()) {
    if (gap.to <= position.offset) return absl::OkStatus();  // This member has lost nothing by it.
    gap.from = position.offset;
  }
  position = gap.position();
  CallGap(group->second, std::move(gap));
  return absl::OkStatus();
}

absl::Status Session::Handle(MemberEvent& event, absl::Time) {
  const auto group = FindJoined(event.group_id);
  if (group == groups_.end()) return absl::OkStatus();
  CallView(group, [event = std::move(event)](MembersView* view) { view->OnEvent(event); });
  return absl::OkStatus();
}

absl::Status Session::Handle(const ClosingEvent& event, absl::Time) {
  closing_ = true;
  reconnect_after_ = event.reconnect_after;
  return absl::OkStatus();
}

absl::Status Session::Handle(const UnknownEvent&, absl::Time) { return absl::OkStatus(); }

absl::Status Session::OnJoined(Groups::iterator found, ReplyEvent& reply) {
  if (!reply.position.has_value()) {
    return absl::InternalError("the server sent a reply without epoch and offset");
  }
  auto& [group_id, group] = *found;
  joins_.erase(group.join_id);
  group.state = GroupState::kJoined;
  rejoining_.erase(group_id);
  group.answered = true;

  // A reply that begins before this member's position loses nothing: what comes again is dropped.
  // A worker of an earlier version, which knows no `since`, answers so if it is behind.
  const std::optional<Position> last = std::move(group.position);
  const bool continues = last.has_value() && last->epoch == reply.position->epoch &&
                         last->offset >= reply.position->offset && reply.recovered.value_or(true);
  group.position = continues ? last : *std::move(reply.position);
  const bool recovered = continues || !last.has_value();
  CallJoin(group_id, group, Joined{*group.position, recovered});
  if (group.view) {
    CallView(found, [](MembersView* view) { view->BeginReading(); });
    view_reads_.push_back({group_id});
  }
  if (recovered) return absl::OkStatus();

  Gap gap{group_id, group.position->epoch, std::nullopt, group.position->offset};
  if (last->epoch == gap.epoch && last->offset < gap.to) gap.from = last->offset;
  CallGap(group, std::move(gap));
  return absl::OkStatus();
}

void Session::OnJoinRefused(Groups::iterator found, const ServerError& error) {
  auto& [group_id, group] = *found;
  joins_.erase(group.join_id);
  rejoining_.erase(group_id);
  DropViewRead(group_id);
  group.answered = true;
  absl::Status why = ToStatus(error);
  CallJoin(group_id, group, why);
  if (error.retry) {
    group.state = GroupState::kRefused;
    has_refused_joins_ = true;
    return;
  }
  CallEnd(std::move(group.callbacks), why);
  groups_.erase(found);
}

void Session::OnLeaveRefused(CommandId id, const ServerError& error, absl::Time now) {
  PendingLeave leave = written_leaves_.extract(id).mapped();
  // In the other case the application is in the group again: its join stands behind this leave.
  if (!error.retry || groups_.contains(leave.group_id)) return;
  const absl::Time again =
      now + leave.pause * std::uniform_real_distribution<double>(0.5, 1)(random_);
  leave.pause = std::min(leave.pause * 2, kResendBackoffMax);
  postponed_leaves_.emplace(again, std::move(leave));
}

absl::Status Session::OnSent(Sends::iterator send, ReplyEvent& reply) {
  if (!reply.position.has_value()) {
    return absl::InternalError("the server sent a reply without epoch and offset");
  }
  Resolve(send, *std::move(reply.position));
  return absl::OkStatus();
}

void Session::OnSendRefused(Sends::iterator found, const ServerError& error, absl::Time now) {
  PendingSend& send = found->second;
  SetInFlight(&send, false);
  if (!error.retry) return GiveUp(found, ToStatus(error));
  send.in_doubt |= !SaysNotDone(error);
  send.refusal = ToStatus(error);
  const absl::Time again =
      now + send.backoff * std::uniform_real_distribution<double>(0.5, 1)(random_);
  send.backoff = std::min(send.backoff * 2, kResendBackoffMax);
  if (again >= send.deadline) return GiveUp(found, send.refusal);
  resends_.emplace(again, found->first);
}

absl::Status Session::OnRead(Reads::iterator read, ReplyEvent& reply) {
  return read->second.on_history ? OnHistory(read, reply) : OnMembers(read, reply);
}

absl::Status Session::OnHistory(Reads::iterator read, ReplyEvent& reply) {
  if (!reply.position.has_value() || !reply.messages.has_value()) {
    return absl::InternalError("the server sent a history without epoch, offset or messages");
  }
  GroupHistory result;
  result.group_id = read->second.group_id;
  result.head = *std::move(reply.position);
  result.recovered = reply.recovered.value_or(false);
  result.messages.reserve(reply.messages->size());
  for (MessageEvent& event : *reply.messages) {
    if (event.excluded) continue;
    event.message.group_id = result.group_id;
    event.message.epoch = result.head.epoch;
    result.messages.push_back(std::move(event.message));
  }
  Resolve(read, &PendingRead::on_history, absl::StatusOr<GroupHistory>(std::move(result)));
  return absl::OkStatus();
}

absl::Status Session::OnMembers(Reads::iterator read, ReplyEvent& reply) {
  if (!reply.count.has_value()) {
    return absl::InternalError("the server sent members without their number");
  }
  GroupMembers result;
  result.group_id = read->second.group_id;
  result.count = *reply.count;
  if (reply.members.has_value()) result.members = *std::move(reply.members);
  result.next = std::move(reply.next).value_or("");
  Resolve(read, &PendingRead::on_members, absl::StatusOr<GroupMembers>(std::move(result)));
  return absl::OkStatus();
}

absl::Status Session::OnViewPage(ReplyEvent& reply) {
  if (!reply.members.has_value()) {
    return absl::InternalError("the server sent a page without members");
  }
  ViewRead& read = view_reads_.front();
  read.members += reply.members->size();
  if (read.members > kViewMembersMax) {
    EndViewRead(TooManyMembers());
    return absl::OkStatus();
  }
  const bool is_last = !reply.next.has_value();
  CallView(groups_.find(read.group_id), [page = *std::move(reply.members), is_last](
                                            MembersView* view) { view->OnPage(page, is_last); });
  if (is_last) {
    view_reads_.pop_front();
  } else {
    read.id = CommandId{};
    read.after = *std::move(reply.next);
  }
  return absl::OkStatus();
}

void Session::EndViewRead(const absl::Status& why) {
  CallView(groups_.find(view_reads_.front().group_id),
           [why](MembersView* view) { view->Fail(why); });
  view_reads_.pop_front();
}

void Session::DropViewRead(absl::string_view group_id) {
  std::erase_if(view_reads_, [&](const ViewRead& read) { return read.group_id == group_id; });
}

void Session::CallView(Groups::iterator group, std::function<void(MembersView*)> run) {
  if (!group->second.view) return;
  callbacks_.push_back(
      {group->first, [view = group->second.view, run = std::move(run)] { run(view.get()); }});
}

std::string Session::JoinFrame(const std::string& group_id) {
  Group& group = groups_.find(group_id)->second;
  group.state = GroupState::kJoining;
  group.join_id = NewCommandId();
  joins_[group.join_id] = group_id;
  JoinOptions options;
  if (group.position.has_value()) {
    options.since = group.position;
  } else {
    options.history = group.history;
  }
  return AddGroupFrame(group_id, options, /*presence=*/group.view != nullptr, group.join_id);
}

std::string Session::LeaveFrame(const Command& command) {
  const CommandId id = NewCommandId();
  written_leaves_[id] = {command.group_id, command.pause};
  return LeaveGroupFrame(command.group_id, id);
}

absl::Status Session::CheckRoom(size_t bytes) const {
  if (bytes > limits_.queue_bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame of ", bytes, " bytes never fits into queue_bytes_max"));
  }
  if (bytes > limits_.queue_bytes_max - queue_bytes_) {
    return QueueFull(
        absl::StrCat("commands of ", queue_bytes_, " bytes wait for their answers already"));
  }
  return absl::OkStatus();
}

void Session::GiveUp(Sends::iterator send, const absl::Status& if_not_done) {
  const bool maybe_done = send->second.in_flight || send->second.in_doubt;
  Resolve(send, maybe_done ? OutcomeUnknown() : if_not_done);
}

template <typename Pending>
void Session::SetInFlight(Pending* pending, bool in_flight) {
  in_flight_ += in_flight ? 1 : 0;
  in_flight_ -= std::exchange(pending->in_flight, in_flight) ? 1 : 0;
}

void Session::Resolve(Sends::iterator send, absl::StatusOr<Position> result) {
  queue_bytes_ -= send->second.frame.size();
  SetInFlight(&send->second, false);
  if (send->second.done) {
    callbacks_.push_back(
        {"", [done = std::move(send->second.done), result = std::move(result)] { done(result); }});
  }
  sends_.erase(send);
}

template <typename Callback, typename Result>
void Session::Resolve(Reads::iterator read, Callback PendingRead::*callback, Result result) {
  queue_bytes_ -= read->second.frame.size();
  SetInFlight(&read->second, false);
  callbacks_.push_back({"", [done = std::move(read->second.*callback), result = std::move(result)] {
                          done(result);
                        }});
  reads_.erase(read);
}

void Session::Fail(Reads::iterator read, const absl::Status& why) {
  if (read->second.on_history) {
    Resolve(read, &PendingRead::on_history, absl::StatusOr<GroupHistory>(why));
  } else {
    Resolve(read, &PendingRead::on_members, absl::StatusOr<GroupMembers>(why));
  }
}

Session::Groups::iterator Session::FindJoin(CommandId id) {
  const auto join = joins_.find(id);
  return join == joins_.end() ? groups_.end() : groups_.find(join->second);
}

Session::Groups::iterator Session::FindJoined(absl::string_view group_id) {
  const auto group = groups_.find(group_id);
  if (group == groups_.end() || group->second.state != GroupState::kJoined) return groups_.end();
  return group;
}

void Session::CallJoin(const std::string& group_id, const Group& group,
                       absl::StatusOr<Joined> result) {
  callbacks_.push_back({group_id, [callbacks = group.callbacks, result = std::move(result)] {
                          if (callbacks->on_join) callbacks->on_join(result);
                        }});
}

void Session::CallGap(const Group& group, Gap gap) {
  std::string group_id = gap.group_id;
  callbacks_.push_back({std::move(group_id), [callbacks = group.callbacks, gap = std::move(gap)] {
                          if (callbacks->on_gap) callbacks->on_gap(gap);
                        }});
}

void Session::CallEnd(std::shared_ptr<const GroupCallbacks> callbacks, const absl::Status& why) {
  ++ends_due_;
  // The owner also drops the callbacks with it, outside of its lock.
  callbacks_.push_back({"",
                        [callbacks = std::move(callbacks), why] {
                          if (callbacks->on_end) callbacks->on_end(why);
                        },
                        /*is_end=*/true});
}

}  // namespace groupcast
