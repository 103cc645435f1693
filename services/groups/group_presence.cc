#include "services/groups/group_presence.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/groups/encoding.h"
#include "services/groups/member_access.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

// The events of a group with more interested members than this are written in pieces.
constexpr size_t kInteractiveMembersMax = 64;

// The time between two looks at an exhausted budget.
constexpr absl::Duration kBudgetPause = absl::Milliseconds(10);

uint64_t IdOf(const Member& member) { return static_cast<uint64_t>(member.connection_id()); }

MemberFields FieldsOf(const PresentMember& member) {
  return {.connection_id = member.connection_id,
          .user = member.user,
          .info = member.info,
          .since_ms = member.since_ms};
}

}  // namespace

GroupPresence::GroupPresence(const GroupPresenceOptions& options, const Clock* clock,
                             GroupTable* table, std::function<Member*(ConnectionId)> find,
                             Describe describe, Refuse refuse)
    : options_(options),
      clock_(clock),
      table_(table),
      find_(std::move(find)),
      describe_(std::move(describe)),
      refuse_(std::move(refuse)) {}

void GroupPresence::SetPresence(Presence* presence) {
  presence_ = presence;
  if (presence != nullptr) presence->SetListener(this);
}

absl::Status GroupPresence::Check() const {
  if (presence_ == nullptr) return absl::UnavailableError("this channel has no presence");
  return absl::OkStatus();
}

// ---- This worker's members.

void GroupPresence::JoinItself(absl::string_view group_id, PresentMember self,
                               std::function<void()> on_view) {
  own_group_ = std::string(group_id);
  self_ = std::move(self);
  on_own_view_ = std::move(on_view);
  if (presence_ != nullptr) presence_->OnJoin(own_group_, self_.connection_id);
}

void GroupPresence::OnJoin(const Group& group, const Member& member) {
  if (presence_ != nullptr) presence_->OnJoin(group.id, IdOf(member));
}

void GroupPresence::OnLeave(const Group& group, Member* member, bool connection_lost) {
  if (presence_ == nullptr) return;
  presence_->OnLeave(group.id, IdOf(*member), connection_lost);
  if (member->presence_interests == 0) return;
  if (const auto found = watched_.find(group.id); found != watched_.end()) {
    RemoveInterest(found->first, &found->second, member);
  }
}

std::vector<uint64_t> GroupPresence::MembersOf(absl::string_view group_id) {
  if (!own_group_.empty() && group_id == own_group_) return {self_.connection_id};
  const Group* const group = table_->Find(group_id);
  if (group == nullptr || !group->subscribed) return {};
  std::vector<uint64_t> ids;
  ids.reserve(group->members.size());
  for (const Group::Place& place : group->members) ids.push_back(IdOf(*place.member));
  return ids;
}

std::optional<PresentMember> GroupPresence::FindMember(absl::string_view group_id,
                                                       uint64_t connection_id) {
  if (!own_group_.empty() && group_id == own_group_) {
    return connection_id == self_.connection_id ? std::optional(self_) : std::nullopt;
  }
  const Group* const group = table_->Find(group_id);
  const Member* const member = find_(ConnectionId{connection_id});
  if (group == nullptr || !group->subscribed || member == nullptr) return std::nullopt;
  const std::optional<absl::Time> since = table_->SinceOf(*group, *member);
  if (!since.has_value()) return std::nullopt;
  PresentMember present{.connection_id = connection_id, .since_ms = absl::ToUnixMillis(*since)};
  describe_(*member, &present);
  return present;
}

// ---- Watches.

GroupPresence::Watched* GroupPresence::WatchGroup(absl::string_view group_id) {
  const auto [found, is_new] = watched_.try_emplace(std::string(group_id));
  if (is_new) {
    if (!presence_->HasRoomToWatch() && !lingering_.empty()) Unwatch(lingering_.begin()->second);
    presence_->Watch(group_id);
  }
  EndLingering(found->first, &found->second);
  return &found->second;
}

void GroupPresence::Linger(const std::string& group_id, Watched* watched) {
  if (watched->lingers || !watched->interested.empty() || !watched->readers.empty()) return;
  watched->lingers = true;
  lingering_.emplace(watched->keep_until, group_id);
  for (const Reader& reader : watched->last_readers) {
    lingering_of_[reader].emplace(watched->keep_until, group_id);
  }
}

void GroupPresence::EndLingering(const std::string& group_id, Watched* watched) {
  if (!std::exchange(watched->lingers, false)) return;
  lingering_.erase({watched->keep_until, group_id});
  for (const Reader& reader : watched->last_readers) {
    const auto found = lingering_of_.find(reader);
    found->second.erase({watched->keep_until, group_id});
    if (found->second.empty()) lingering_of_.erase(found);
  }
}

void GroupPresence::Unwatch(const std::string& group_id) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end()) return;
  presence_->Unwatch(found->first);
  EndLingering(found->first, &found->second);  // `group_id` may be gone now
  if (found->second.turn.has_value()) queue_.erase(*found->second.turn);
  watched_.erase(found);
}

std::vector<GroupPresence::Reader> GroupPresence::ReadersOf(const Member& member) {
  std::vector<Reader> readers = {{ReaderKind::kConnection, IdOf(member)}};
  if (member.access != nullptr && member.access->user_key != 0) {
    readers.emplace_back(ReaderKind::kUser, member.access->user_key);
  }
  return readers;
}

void GroupPresence::LingerWithinBounds(const std::string& group_id) {
  const auto watched = watched_.find(group_id);
  if (watched == watched_.end()) return;
  Linger(group_id, &watched->second);
  // A copy: the watch may be one of those that end.
  BoundLingering(std::vector<Reader>(watched->second.last_readers), /*more=*/0);
}

void GroupPresence::BoundLingering(const std::vector<Reader>& readers, size_t more) {
  for (const Reader& reader : readers) {
    const size_t max = reader.first == ReaderKind::kUser ? options_.lingering_per_user_max
                                                         : options_.lingering_per_connection_max;
    for (auto found = lingering_of_.find(reader);
         found != lingering_of_.end() && found->second.size() + more > max;
         found = lingering_of_.find(reader)) {
      Unwatch(found->second.begin()->second);
    }
  }
}

void GroupPresence::AddInterest(const Group& group, Member* member) {
  if (!member->encoding().has_member_events()) return;
  if (WatchGroup(group.id)->interested.insert(member).second) ++member->presence_interests;
}

void GroupPresence::RemoveInterest(const std::string& group_id, Watched* watched, Member* member) {
  if (watched->interested.erase(member) == 0) return;
  --member->presence_interests;
  if (!watched->interested.empty()) return;
  watched->changes.clear();
  watched->keep_until = std::max(watched->keep_until, clock_->Now() + options_.linger);
  watched->last_readers = ReadersOf(*member);
  LingerWithinBounds(group_id);
}

void GroupPresence::EndInterest(const Group& group, Member* member, const absl::Status& why) {
  const auto found = watched_.find(group.id);
  if (found == watched_.end() || !found->second.interested.contains(member)) return;
  RemoveInterest(group.id, &found->second, member);
  refuse_(member, why, "", Command::Kind::kAddGroup);
}

void GroupPresence::EndInterests(const std::string& group_id, Watched* watched,
                                 const absl::Status& why) {
  if (watched->interested.empty()) return;
  watched->changes.clear();
  watched->keep_until = std::max(watched->keep_until, clock_->Now() + options_.linger);
  for (Member* const member : std::exchange(watched->interested, {})) {
    --member->presence_interests;
    refuse_(member, why, "", Command::Kind::kAddGroup);
  }
  Linger(group_id, watched);
}

void GroupPresence::OnWatchRefused(absl::string_view group_id, const absl::Status& why) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end()) return;
  EndInterests(found->first, &found->second,
               absl::Status(why.code(), absl::StrCat("there are no more events of joins and leaves "
                                                     "in group \"",
                                                     group_id, "\": ", why.message())));
  const std::vector<Member*> readers(found->second.readers.begin(), found->second.readers.end());
  for (Member* const reader : readers) {
    if (const std::optional<Question> question = TakeQuestion(reader)) {
      refuse_(reader, why, question->command_id, Command::Kind::kGroupMembers);
    }
  }
  Unwatch(std::string(group_id));
  Resume(readers);
}

void GroupPresence::CheckDeadlines() {
  const absl::Time now = clock_->Now();
  std::vector<Member*> late;
  for (const auto& [member, question] : questions_) {
    if (question.deadline <= now) late.push_back(member);
  }
  for (Member* const member : late) {
    if (const std::optional<Question> question = TakeQuestion(member)) {
      refuse_(member, absl::UnavailableError("the channel did not tell the members in time"),
              question->command_id, Command::Kind::kGroupMembers);
      LingerWithinBounds(question->group_id);
    }
  }
  for (auto& [group_id, watched] : watched_) {
    if (!watched.changes.empty() && now - watched.behind_since > options_.behind_max &&
        ExceedsItsShare(watched, now)) {
      EndInterests(group_id, &watched,
                   absl::ResourceExhaustedError(
                       absl::StrCat("there are no more events of joins and leaves in group \"",
                                    group_id, "\": it changes too fast for its many members")));
    }
  }
  while (!lingering_.empty() && lingering_.begin()->first <= now) {
    Unwatch(lingering_.begin()->second);
  }
  Resume(late);
}

// ---- Reads.

void GroupPresence::Read(Member* member, const Command& command) {
  if (!member->HasRoomFor(options_.page_bytes_max)) {
    refuse_(member,
            absl::AbortedError("the connection has not read its earlier messages and replies yet"),
            command.id, command.kind);
    return;
  }
  const std::string& group_id = command.group_ids.front().id;
  // A client that reads many groups ends its own watches before those of others.
  if (!watched_.contains(group_id)) BoundLingering(ReadersOf(*member), /*more=*/1);
  Watched* const watched = WatchGroup(group_id);
  watched->keep_until = clock_->Now() + options_.linger;
  watched->last_readers = ReadersOf(*member);
  Question question{.group_id = group_id,
                    .command_id = command.id,
                    .after = command.after,
                    .limit = command.limit,
                    .count_only = command.count_only,
                    .deadline = clock_->Now() + options_.read_timeout};
  const PresenceView* const view = presence_->View(group_id);
  if (view != nullptr && MayAnswer(*watched, *member, question)) {
    Answer(member, question, *view);
    return LingerWithinBounds(group_id);
  }
  questions_.emplace(member, std::move(question));
  watched->readers.insert(member);
  ++member->pending_answers;
}

// A member that gets events must have got those that the page has the effect of.
bool GroupPresence::MayAnswer(const Watched& watched, const Member& member,
                              const Question& question) const {
  return question.count_only || watched.changes.empty() ||
         !watched.interested.contains(const_cast<Member*>(&member));
}

void GroupPresence::Answer(Member* member, const Question& question, const PresenceView& view) {
  MembersReplyWriter reply(question.command_id, question.group_id, view.size());
  std::optional<uint64_t> next;
  if (!question.count_only) {
    reply.BeginMembers();
    auto at = question.after.has_value() ? view.upper_bound(*question.after) : view.begin();
    uint32_t count = 0;
    for (; at != view.end() && count < question.limit &&
           (count == 0 || reply.bytes() < options_.page_bytes_max);
         ++at, ++count) {
      reply.Add(FieldsOf(at->second));
      next = at->first;
    }
    if (at == view.end()) next.reset();
  }
  member->Reply(reply.Finish(next));
}

void GroupPresence::AnswerReaders(const std::string& group_id) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end() || found->second.readers.empty()) return;
  const PresenceView* const view = presence_->View(group_id);
  if (view == nullptr) return;
  std::vector<Member*> answered;
  for (Member* const reader :
       std::vector<Member*>(found->second.readers.begin(), found->second.readers.end())) {
    if (!MayAnswer(found->second, *reader, questions_.at(reader))) continue;
    Answer(reader, *TakeQuestion(reader), *view);
    answered.push_back(reader);
  }
  LingerWithinBounds(group_id);
  Resume(answered);
}

std::optional<GroupPresence::Question> GroupPresence::TakeQuestion(Member* member) {
  const auto found = questions_.find(member);
  if (found == questions_.end()) return std::nullopt;
  Question question = std::move(found->second);
  questions_.erase(found);
  if (const auto watched = watched_.find(question.group_id); watched != watched_.end()) {
    watched->second.readers.erase(member);
  }
  --member->pending_answers;
  return question;
}

void GroupPresence::Resume(const std::vector<Member*>& members) {
  for (Member* const member : members) {
    if (member->pending_answers == 0) member->ResumeCommands();
  }
}

void GroupPresence::Drop(Member* member) {
  if (const std::optional<Question> question = TakeQuestion(member)) {
    LingerWithinBounds(question->group_id);
  }
}

void GroupPresence::RefuseReads(const absl::Status& why) {
  std::vector<Member*> readers;
  for (const auto& [member, question] : questions_) readers.push_back(member);
  for (Member* const reader : readers) {
    if (const std::optional<Question> question = TakeQuestion(reader)) {
      refuse_(reader, why, question->command_id, Command::Kind::kGroupMembers);
      LingerWithinBounds(question->group_id);
    }
  }
  Resume(readers);
}

// ---- Events.

void GroupPresence::OnViewComplete(absl::string_view group_id) {
  if (!own_group_.empty() && group_id == own_group_) return on_own_view_();
  AnswerReaders(std::string(group_id));
}

void GroupPresence::OnMemberJoined(absl::string_view group_id, const PresentMember& member) {
  NoteChange(group_id, {.joined = true, .known = false, .member = member});
}

void GroupPresence::OnMemberLeft(absl::string_view group_id, const PresentMember& member) {
  NoteChange(group_id, {.joined = false, .known = true, .member = member});
}

void GroupPresence::NoteChange(absl::string_view group_id, Change change) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end() || found->second.interested.empty()) return;
  Watched& watched = found->second;
  if (watched.changes.empty()) {
    watched.behind_since = clock_->Now();
    watched.behind_events = 0;
  }
  const uint64_t id = change.member.connection_id;
  if (const auto earlier = watched.changes.find(id); earlier != watched.changes.end()) {
    change.known = earlier->second.known;
    // It has come and gone, or gone and come again, without anybody's knowledge.
    const bool is_back = change.joined && !earlier->second.joined &&
                         change.member.user == earlier->second.member.user &&
                         change.member.info == earlier->second.member.info &&
                         change.member.since_ms == earlier->second.member.since_ms;
    if (is_back || (!change.joined && !change.known)) {
      watched.changes.erase(earlier);
      return;
    }
    earlier->second = std::move(change);
  } else {
    watched.changes.emplace(id, std::move(change));
  }
  if (!watched.turn.has_value()) Queue(found->first, &watched);
}

void GroupPresence::Queue(const std::string& group_id, Watched* watched) {
  watched->turn = Turn(virtual_time_ + watched->interested.size(), ++last_turn_);
  queue_.emplace(*watched->turn, group_id);
}

absl::Time GroupPresence::ServeTurn() {
  if (queue_.empty()) return absl::InfiniteFuture();
  const absl::Time now = clock_->Now();
  for (size_t events = 0; !queue_.empty() && events < options_.events_per_turn;) {
    if (event_tokens_.Available(options_.event_rate, now) <= 0) return now + kBudgetPause;
    const auto next = queue_.begin();
    virtual_time_ = next->first.first;
    const std::string group_id = std::move(next->second);
    queue_.erase(next);
    Watched& watched = watched_.find(group_id)->second;
    watched.turn.reset();
    if (!watched.changes.empty()) {
      const size_t sent = SendChange(group_id, &watched);
      watched.behind_events += sent;
      event_tokens_.Take(static_cast<double>(sent), options_.event_rate, now);
      events += sent;
    }
    if (!watched.changes.empty()) {
      Queue(group_id, &watched);
    } else {
      AnswerReaders(group_id);
    }
  }
  return queue_.empty() ? absl::InfiniteFuture() : absl::InfinitePast();
}

// A worker that stood still is behind with all groups, also with those that have few events.
bool GroupPresence::ExceedsItsShare(const Watched& watched, absl::Time now) const {
  const double wanted = static_cast<double>(watched.behind_events) +
                        static_cast<double>(watched.changes.size() * watched.interested.size());
  const double possible =
      options_.event_rate.per_second * absl::ToDoubleSeconds(now - watched.behind_since);
  return wanted * static_cast<double>(queue_.size()) > possible;
}

size_t GroupPresence::SendChange(const std::string& group_id, Watched* watched) {
  const TrafficClass traffic_class = watched->interested.size() > kInteractiveMembersMax
                                         ? TrafficClass::kBulk
                                         : TrafficClass::kInteractive;
  const auto change = watched->changes.begin();
  const MemberFields fields = FieldsOf(change->second.member);
  const std::string json = change->second.joined ? MemberJoinedEvent(group_id, fields)
                                                 : MemberLeftEvent(group_id, fields);
  BlockPerEncoding blocks;
  for (Member* const member : watched->interested) {
    SharedBytes& block = blocks.Of(member->encoding());
    if (!block) block = member->encoding().EncodeEvent(json, {});
    member->Send(block, traffic_class);
  }
  watched->changes.erase(change);
  return watched->interested.size();
}

}  // namespace groupcast::service
