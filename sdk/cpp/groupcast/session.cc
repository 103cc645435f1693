#include "sdk/cpp/groupcast/session.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sdk/cpp/groupcast/status.h"

namespace groupcast {

Session::Session(const SessionLimits& limits) : limits_(limits) {}

absl::Status Session::Join(absl::string_view group_id,
                           std::shared_ptr<const GroupCallbacks> callbacks) {
  if (!ended_.ok()) return ended_;
  if (groups_.contains(group_id)) {
    return absl::AlreadyExistsError(absl::StrCat("already joined: ", group_id));
  }
  if (groups_.size() >= limits_.groups_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("already in ", groups_.size(), " groups, and groups_max allows no more"));
  }
  groups_[std::string(group_id)].callbacks = std::move(callbacks);
  if (connected_) queue_.push_back({CommandKind::kJoin, std::string(group_id)});
  return absl::OkStatus();
}

std::shared_ptr<const GroupCallbacks> Session::Leave(absl::string_view group_id) {
  const auto group = groups_.find(group_id);
  if (group == groups_.end()) return nullptr;

  const bool join_was_written =
      group->second.state == GroupState::kJoining || group->second.state == GroupState::kJoined;
  if (join_was_written) {
    queue_.push_back({CommandKind::kLeave, group->first});
    joins_.erase(group->second.join_id);
  } else {
    Unqueue(group_id);
  }
  std::erase_if(callbacks_, [&](const DueCallback& due) { return due.group_id == group_id; });
  rejoining_.erase(group->first);
  std::shared_ptr<const GroupCallbacks> callbacks = std::move(group->second.callbacks);
  groups_.erase(group);
  return callbacks;
}

absl::Status Session::Send(absl::string_view group_id, absl::string_view message_json,
                           SendCallback&& done) {
  if (!ended_.ok()) return ended_;
  const CommandId id = NewId();
  std::string frame = SendToGroupFrame(group_id, message_json, id);
  if (frame.size() > limits_.queue_bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame of ", frame.size(), " bytes never fits into queue_bytes_max"));
  }
  if (frame.size() > limits_.queue_bytes_max - send_bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sends of ", send_bytes_, " bytes wait for their acknowledgement already"));
  }
  send_bytes_ += frame.size();
  queue_.push_back(
      {CommandKind::kSend, std::string(group_id), id, std::move(frame), std::move(done)});
  return absl::OkStatus();
}

void Session::Shutdown(const absl::Status& why) {
  if (!ended_.ok()) return;
  OnDisconnected();
  ended_ = why;
  for (Command& command : queue_) CallSent(std::move(command.done), why);
  queue_.clear();
  send_bytes_ = 0;

  // Released when this is run and dropped, by the owner.
  std::vector<std::shared_ptr<const GroupCallbacks>> released;
  for (auto& [group_id, group] : groups_) {
    if (!group.answered) CallJoin(group_id, group, why);
    released.push_back(std::move(group.callbacks));
  }
  groups_.clear();
  callbacks_.push_back({"", [released = std::move(released)] {}});
}

absl::Status Session::OnEvent(Event event) {
  if (!connected_ && !std::holds_alternative<WelcomeEvent>(event)) {
    return absl::InternalError("the server's first event was not \"welcome\"");
  }
  return std::visit([this](auto& what) { return Handle(what); }, event);
}

std::optional<absl::Duration> Session::OnDisconnected() {
  connected_ = false;
  // The server forgets the members of a connection that ended, so these would be about nothing.
  std::erase_if(queue_, [](const Command& c) { return c.kind != CommandKind::kSend; });
  joins_.clear();
  rejoining_.clear();
  has_refused_joins_ = false;
  for (auto& [group_id, group] : groups_) {
    group.state = GroupState::kQueued;
  }
  for (auto& [id, sent] : written_sends_) {
    send_bytes_ -= sent.bytes;
    CallSent(std::move(sent.done), OutcomeUnknown());
  }
  written_sends_.clear();
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

std::optional<std::string> Session::NextFrame() {
  if (!connected_ || closing() || queue_.empty()) return std::nullopt;
  if (queue_.front().kind == CommandKind::kSend && !rejoining_.empty()) return std::nullopt;

  Command command = std::move(queue_.front());
  queue_.pop_front();
  switch (command.kind) {
    case CommandKind::kJoin: {
      Group& group = groups_.find(command.group_id)->second;
      group.state = GroupState::kJoining;
      group.join_id = NewId();
      joins_[group.join_id] = command.group_id;
      return AddGroupFrame(command.group_id, group.join_id);
    }
    case CommandKind::kLeave:
      return LeaveGroupFrame(command.group_id);
    case CommandKind::kSend:
      break;
  }
  written_sends_[command.id] = {command.frame.size(), std::move(command.done)};
  return std::move(command.frame);
}

std::function<void()> Session::NextCallback() {
  if (callbacks_.empty()) return nullptr;
  std::function<void()> run = std::move(callbacks_.front().run);
  callbacks_.pop_front();
  return run;
}

bool Session::joins_settled() const {
  return std::all_of(groups_.begin(), groups_.end(),
                     [](const auto& entry) { return entry.second.state == GroupState::kJoined; });
}

absl::Status Session::Handle(const WelcomeEvent&) {
  if (connected_) return absl::InternalError("the server welcomed twice");
  connected_ = true;
  for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
    rejoining_.insert(group->first);
    queue_.push_front({CommandKind::kJoin, group->first});
  }
  return absl::OkStatus();
}

absl::Status Session::Handle(ReplyEvent& event) {
  if (!event.id.has_value()) return absl::OkStatus();
  const auto group = FindJoin(*event.id);
  const auto sent = written_sends_.find(*event.id);
  if (group == groups_.end() && sent == written_sends_.end()) return absl::OkStatus();
  if (!event.position.has_value()) {
    return absl::InternalError("the server sent a reply without epoch and offset");
  }
  if (group != groups_.end()) {
    OnJoined(group, *std::move(event.position));
  } else {
    send_bytes_ -= sent->second.bytes;
    CallSent(std::move(sent->second.done), *std::move(event.position));
    written_sends_.erase(sent);
  }
  return absl::OkStatus();
}

absl::Status Session::Handle(const ErrorEvent& event) {
  if (!event.id.has_value()) return absl::OkStatus();
  if (const auto group = FindJoin(*event.id); group != groups_.end()) {
    OnJoinRefused(group, event.error);
  } else if (const auto sent = written_sends_.find(*event.id); sent != written_sends_.end()) {
    send_bytes_ -= sent->second.bytes;
    CallSent(std::move(sent->second.done), ToStatus(event.error));
    written_sends_.erase(sent);
  }
  return absl::OkStatus();
}

absl::Status Session::Handle(MessageEvent& event) {
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
  message.epoch = position.epoch;
  callbacks_.push_back(
      {group->first, [callbacks = group->second.callbacks, message = std::move(message)] {
         callbacks->on_message(message);
       }});
  return absl::OkStatus();
}

absl::Status Session::Handle(GapEvent& event) {
  const auto group = FindJoined(event.gap.group_id);
  if (group == groups_.end()) return absl::OkStatus();
  group->second.position = Position{event.gap.epoch, event.gap.to};
  CallGap(group->second, std::move(event.gap));
  return absl::OkStatus();
}

absl::Status Session::Handle(const ClosingEvent& event) {
  reconnect_after_ = event.reconnect_after;
  return absl::OkStatus();
}

absl::Status Session::Handle(const UnknownEvent&) { return absl::OkStatus(); }

void Session::OnJoined(Groups::iterator found, Position position) {
  auto& [group_id, group] = *found;
  joins_.erase(group.join_id);
  group.state = GroupState::kJoined;
  rejoining_.erase(group_id);
  group.answered = true;
  CallJoin(group_id, group, position);

  const std::optional<Position> last = group.position;
  if (last.has_value() && last->epoch == position.epoch) {
    if (position.offset > last->offset) {
      CallGap(group, {group_id, position.epoch, last->offset, position.offset});
    }
    // A worker that is behind will send again what was seen before: those are duplicates.
    position.offset = std::max(position.offset, last->offset);
  } else if (last.has_value()) {
    CallGap(group, {group_id, position.epoch, std::nullopt, position.offset});
  }
  group.position = std::move(position);
}

void Session::OnJoinRefused(Groups::iterator found, const ServerError& error) {
  auto& [group_id, group] = *found;
  joins_.erase(group.join_id);
  rejoining_.erase(group_id);
  group.answered = true;
  CallJoin(group_id, group, ToStatus(error));
  if (error.retry) {
    group.state = GroupState::kRefused;
    has_refused_joins_ = true;
    return;
  }
  // The owner drops the callbacks, outside of its lock.
  callbacks_.push_back({"", [released = std::move(group.callbacks)] {}});
  groups_.erase(found);
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

bool Session::Unqueue(absl::string_view group_id) {
  return std::erase_if(queue_, [&](const Command& command) {
           return command.kind == CommandKind::kJoin && command.group_id == group_id;
         }) > 0;
}

void Session::CallJoin(const std::string& group_id, const Group& group,
                       absl::StatusOr<Position> result) {
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

void Session::CallSent(SendCallback done, absl::StatusOr<Position> result) {
  if (!done) return;
  callbacks_.push_back(
      {"", [done = std::move(done), result = std::move(result)] { done(result); }});
}

}  // namespace groupcast
