#include "groupcast/testing/fake_groups.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "groupcast/command.h"
#include "groupcast/random.h"

namespace groupcast {
namespace {

// As many as a server gives at once.
constexpr uint64_t kHistoryMax = 100;
constexpr uint64_t kPageMax = 500;

}  // namespace

FakeGroups::FakeGroups() : epoch_(RandomHex(8)) {}

void FakeGroups::Connect(uint64_t connection, absl::string_view session, absl::Time now) {
  Connection& added = connections_[connection];
  // In the order of the connections, as readers of a failed test like it.
  added.id = absl::StrFormat("c%015d", connection);
  // A connection without one is a session of its own.
  added.session = session.empty() ? added.id : std::string(session);
  added.since_seconds = absl::ToUnixSeconds(now);
  Write(connection, WelcomeFrame(added.id));
}

void FakeGroups::Disconnect(uint64_t connection) {
  if (connections_.count(connection) == 0) return;
  for (const auto& [group_id, group] : groups_) Leave(connection, group_id);
  connections_.erase(connection);
  const auto of_it = [connection](const Frame& frame) { return frame.connection == connection; };
  held_.erase(std::remove_if(held_.begin(), held_.end(), of_it), held_.end());
}

bool FakeGroups::OnFrame(uint64_t connection, absl::string_view frame, absl::Time now) {
  const absl::StatusOr<ReceivedCommand> command = ParseCommand(frame);
  if (!command.ok()) return false;
  if (FailIfAsked(connection, *command)) return true;
  const std::string& cmd = command->cmd;
  const bool of_group = cmd == "add_group" || cmd == "leave_group" || cmd == "send_to_group" ||
                        cmd == "group_history" || cmd == "group_members";
  if (of_group && !CheckGroupId(command->group_id).ok()) {
    Refuse(connection, *command, "group_id_invalid", false);
  } else if (cmd == "add_group") {
    Join(connection, *command);
  } else if (cmd == "leave_group") {
    Leave(connection, command->group_id);
    if (command->id != 0) {
      Write(connection, absl::StrCat(R"({"event":"reply","id":)", command->id, R"(,"group_id":)",
                                     QuoteJson(command->group_id), "}"));
    }
  } else if (cmd == "send_to_group") {
    Send(connection, *command, now);
  } else if (cmd == "group_history") {
    History(connection, *command);
  } else if (cmd == "group_members") {
    Members(connection, *command);
  } else if (cmd == "authenticate") {
    Write(connection, absl::StrCat(R"({"event":"reply","id":)", command->id, "}"));
  } else if (cmd == "ping") {
    Write(connection, absl::StrCat(R"({"event":"reply","id":)", command->id, R"(,"pong":true})"));
  } else {
    Refuse(connection, *command, "unknown_command", false);
  }
  return true;
}

Position FakeGroups::Publish(absl::string_view group_id, absl::string_view json, absl::Time now) {
  Entry entry;
  entry.json = CompactJson(json);
  return Append(group_id, std::move(entry), now);
}

std::vector<FakeGroups::Frame> FakeGroups::TakeFrames() { return std::exchange(frames_, {}); }

std::vector<Message> FakeGroups::Messages(absl::string_view group_id) const {
  std::vector<Message> messages;
  const auto found = groups_.find(group_id);
  if (found == groups_.end()) return messages;
  for (const Entry& entry : found->second.entries) {
    Message& message = messages.emplace_back();
    message.group_id = std::string(group_id);
    message.json = entry.json;
    message.text = UnquoteJson(entry.json);
    message.offset = entry.offset;
    message.previous = entry.previous;
    message.epoch = epoch_;
    message.sent_at = absl::FromUnixMillis(entry.sent_at_ms);
  }
  return messages;
}

size_t FakeGroups::MemberCount(absl::string_view group_id) const {
  const auto found = groups_.find(group_id);
  return found == groups_.end() ? 0 : found->second.members.size();
}

void FakeGroups::FailNext(absl::string_view cmd, absl::string_view word, bool retry) {
  failures_.push_back({std::string(cmd), std::string(word), retry});
}

void FakeGroups::ReleaseReplies() {
  hold_ = false;
  for (Frame& frame : std::exchange(held_, {})) frames_.push_back(std::move(frame));
}

void FakeGroups::ForgetMessages() {
  epoch_ = RandomHex(8);
  for (auto& [group_id, group] : groups_) {
    group.entries.clear();
    group.floor = group.head = last_offset_;
    for (const auto& [member, presence] : group.members) {
      Write(member,
            absl::StrCat(R"({"event":"gap","group_id":)", QuoteJson(group_id), R"(,"epoch":")",
                         epoch_, R"(","from":null,"to":)", group.head, "}"));
    }
  }
}

bool FakeGroups::FailIfAsked(uint64_t connection, const ReceivedCommand& command) {
  const auto asked = std::find_if(failures_.begin(), failures_.end(),
                                  [&](const Failure& f) { return f.cmd == command.cmd; });
  if (asked == failures_.end()) return false;
  Refuse(connection, command, asked->word, asked->retry);
  failures_.erase(asked);
  return true;
}

void FakeGroups::Join(uint64_t connection, const ReceivedCommand& command) {
  Group* group = FindOrCreate(command.group_id);
  if (group == nullptr) return Refuse(connection, command, "too_many_groups", false);
  const auto [member, is_new] = group->members.try_emplace(connection, false);
  if (command.presence) member->second = true;

  Position begin = {epoch_, group->head};
  std::optional<bool> recovered;
  if (is_new && command.since.has_value()) {
    recovered = Covers(*group, *command.since);
    if (*recovered) begin = *command.since;
  } else if (is_new && command.history.value_or(0) > 0 && !group->entries.empty()) {
    const size_t count = std::min({*command.history, kHistoryMax, uint64_t{group->entries.size()}});
    begin.offset = group->entries[group->entries.size() - count].previous;
  }
  if (command.id != 0) {
    Write(connection, PositionReplyFrame(command.id, command.group_id, begin, recovered));
  }
  for (const Entry& entry : group->entries) {
    if (entry.offset > begin.offset) {
      Write(connection, MessageFrame(command.group_id, EntryFields(entry, connection)));
    }
  }
  if (is_new) TellMembers(*group, command.group_id, "member_joined", connection);
}

void FakeGroups::Leave(uint64_t connection, absl::string_view group_id) {
  const auto found = groups_.find(group_id);
  if (found == groups_.end() || found->second.members.erase(connection) == 0) return;
  TellMembers(found->second, group_id, "member_left", connection);
}

void FakeGroups::Send(uint64_t connection, const ReceivedCommand& command, absl::Time now) {
  if (command.message.empty()) return Refuse(connection, command, "message_missing", false);
  Group* group = FindOrCreate(command.group_id);
  if (group == nullptr || held_.size() >= kHeldMax) {
    return Refuse(connection, command, "unavailable", true);
  }
  const std::string& session = connections_[connection].session;
  const auto earlier =
      std::find_if(group->entries.begin(), group->entries.end(), [&](const Entry& entry) {
        return !command.key.empty() && entry.key == command.key && entry.session == session;
      });
  Position position;
  if (earlier != group->entries.end()) {
    position = {epoch_, earlier->offset};
  } else {
    Entry entry;
    entry.json = command.message;
    entry.session = session;
    entry.key = command.key;
    entry.excluded = command.exclude_self;
    position = Append(command.group_id, std::move(entry), now);
  }
  if (command.id == 0) return;
  std::string reply = PositionReplyFrame(command.id, command.group_id, position);
  if (hold_) {
    held_.push_back({connection, std::move(reply)});
  } else {
    Write(connection, std::move(reply));
  }
}

void FakeGroups::History(uint64_t connection, const ReceivedCommand& command) {
  static const Group kNone;
  const auto found = groups_.find(command.group_id);
  const Group& group = found == groups_.end() ? kNone : found->second;
  const bool recovered = command.since.has_value() && Covers(group, *command.since);
  std::vector<const Entry*> wanted;
  for (const Entry& entry : group.entries) {
    if (!recovered || entry.offset > command.since->offset) wanted.push_back(&entry);
  }
  const size_t count = std::min<uint64_t>(
      wanted.size(), std::clamp<uint64_t>(command.limit.value_or(kHistoryMax), 1, kHistoryMax));
  std::string messages;
  for (size_t i = wanted.size() - count; i < wanted.size(); ++i) {
    absl::StrAppend(&messages, messages.empty() ? "{" : ",{", EntryFields(*wanted[i], connection),
                    "}");
  }
  const Position head = {epoch_, found == groups_.end() ? last_offset_ : group.head};
  std::string reply = PositionReplyFrame(command.id, command.group_id, head,
                                         command.since.has_value()
                                             ? std::optional(recovered && count == wanted.size())
                                             : std::nullopt);
  reply.pop_back();
  Write(connection, absl::StrCat(reply, R"(,"messages":[)", messages, "]}"));
}

void FakeGroups::Members(uint64_t connection, const ReceivedCommand& command) {
  static const Group kNone;
  const auto found = groups_.find(command.group_id);
  const Group& group = found == groups_.end() ? kNone : found->second;
  const uint64_t limit = std::clamp<uint64_t>(command.limit.value_or(100), 1, kPageMax);
  std::string page;
  absl::string_view last;
  uint64_t count = 0;
  bool more = false;
  for (const auto& [member, presence] : group.members) {
    const std::string& id = connections_.at(member).id;
    if (command.count_only || id <= command.after) continue;
    if (count == limit) {
      more = true;
      break;
    }
    absl::StrAppend(&page, page.empty() ? "" : ",", "{", MemberFields(member), "}");
    last = id;
    ++count;
  }
  std::string reply =
      absl::StrCat(R"({"event":"reply","id":)", command.id, R"(,"group_id":)",
                   QuoteJson(command.group_id), R"(,"count":)", group.members.size());
  if (!command.count_only) absl::StrAppend(&reply, R"(,"members":[)", page, "]");
  if (more) absl::StrAppend(&reply, R"(,"next":)", QuoteJson(last));
  Write(connection, absl::StrCat(reply, "}"));
}

Position FakeGroups::Append(absl::string_view group_id, Entry entry, absl::Time now) {
  Group* group = FindOrCreate(group_id);
  if (group == nullptr) return {epoch_, last_offset_};
  entry.previous = group->head;
  entry.offset = group->head = ++last_offset_;
  entry.sent_at_ms = absl::ToUnixMillis(now);
  group->entries.push_back(std::move(entry));
  for (const auto& [member, presence] : group->members) {
    Write(member, MessageFrame(group_id, EntryFields(group->entries.back(), member)));
  }
  if (group->entries.size() > kMessagesMax) {
    group->floor = group->entries.front().offset;
    group->entries.pop_front();
  }
  return {epoch_, group->head};
}

FakeGroups::Group* FakeGroups::FindOrCreate(absl::string_view group_id) {
  const auto found = groups_.find(group_id);
  if (found != groups_.end()) return &found->second;
  if (groups_.size() >= kGroupsMax) return nullptr;
  Group& group = groups_[std::string(group_id)];
  group.floor = group.head = last_offset_;
  return &group;
}

bool FakeGroups::Covers(const Group& group, const Position& position) const {
  return position.epoch == epoch_ && position.offset >= group.floor &&
         position.offset <= group.head;
}

std::string FakeGroups::EntryFields(const Entry& entry, uint64_t connection) const {
  if (entry.excluded && entry.session == connections_.at(connection).session) {
    return ExcludedFields(entry.previous, entry.offset);
  }
  return MessageFields(entry.json, entry.previous, entry.offset, entry.sent_at_ms);
}

std::string FakeGroups::MemberFields(uint64_t connection) const {
  const Connection& member = connections_.at(connection);
  return absl::StrCat(R"("connection_id":)", QuoteJson(member.id), R"(,"since":)",
                      member.since_seconds * 1000);
}

void FakeGroups::TellMembers(const Group& group, absl::string_view group_id,
                             absl::string_view event, uint64_t connection) {
  for (const auto& [member, presence] : group.members) {
    if (!presence) continue;
    Write(member, absl::StrCat(R"({"event":")", event, R"(","group_id":)", QuoteJson(group_id), ",",
                               MemberFields(connection), "}"));
  }
}

void FakeGroups::Write(uint64_t connection, std::string text) {
  frames_.push_back({connection, std::move(text)});
}

void FakeGroups::Refuse(uint64_t connection, const ReceivedCommand& command, absl::string_view word,
                        bool retry) {
  Write(connection, ErrorFrame(command.id, word, retry));
}

}  // namespace groupcast
