#include "services/groups/recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/protocol/event.h"

namespace groupcast::service {

struct Recoveries::Recovery {
  Group* const group;
  Member* const member;
  const PendingJoin join;
  const uint64_t number;  // in the order in which they began

  // What the member has got; before the reply, what it has seen (`since`).
  Position position;
  bool replied = false;
  bool is_pending = false;   // counted in the member's pending_answers
  bool head_covers = false;  // `since` is ahead of the group, but not of the channel's head
  bool lost = false;         // something was told to be lost
  bool ended = false;        // it is out of the map
  bool blocked = false;      // the outbox had no room; it goes on with OnDrained
  bool fetching = false;
  absl::Time retry_at = absl::InfinitePast();
};

void Recoveries::Begin(Group* group, Member* member, PendingJoin join) {
  auto recovery = std::make_shared<Recovery>(Recovery{
      .group = group, .member = member, .join = std::move(join), .number = next_number_++});
  if (recovery->join.since.has_value()) recovery->position = *recovery->join.since;
  all_.emplace(Key(group, member), recovery);
  table_->SetLive(group, *member, false);
  ++member->recoveries;
  Step(recovery);
  if (recovery->replied) return;
  recovery->is_pending = true;
  ++member->pending_answers;
}

void Recoveries::Drop(Group* group, Member* member) {
  const Pointer recovery = Find(group, member);
  if (recovery == nullptr) return;
  if (recovery->is_pending) --member->pending_answers;
  recovery->ended = true;
  --member->recoveries;
  all_.erase({group, member});
}

const Position* Recoveries::PositionOf(Group* group, Member* member) const {
  const auto found = all_.find({group, member});
  return found == all_.end() ? nullptr : &found->second->position;
}

void Recoveries::OnPosition(Group* group) {
  if (all_.empty()) return;
  for (const Pointer& recovery : OfGroup(group)) {
    // Others go on when their fetch is answered or their member has room.
    if (!recovery->replied) Advance(recovery);
  }
}

void Recoveries::OnGap(Group* group, const Gap& gap) {
  if (all_.empty()) return;
  for (const Pointer& recovery : OfGroup(group)) {
    if (recovery->ended) continue;
    if (recovery->replied && gap.new_epoch) {
      TellGap(recovery.get(), gap);
      BecomeLive(recovery);
    }
    // Of a gap in the same epoch it learns when it gets there.
    if (!recovery->ended) Advance(recovery);
  }
}

void Recoveries::OnDrained(Member* member) {
  // By key: a group may be gone by then.
  for (Group* group : table_->GroupsNotLive(*member)) {
    const Pointer recovery = Find(group, member);
    if (recovery == nullptr) continue;
    recovery->blocked = false;
    Advance(recovery);
  }
}

void Recoveries::OnConnected() {
  for (const auto& [key, recovery] : all_) {
    if (recovery->retry_at != absl::InfinitePast()) recovery->retry_at = clock_->Now();
  }
  RetryFailed();
}

std::vector<Recoveries::Expired> Recoveries::TakeExpired() {
  const absl::Time now = clock_->Now();
  std::vector<Pointer> overdue;
  for (const auto& [key, recovery] : all_) {
    if (!recovery->replied && recovery->join.deadline <= now) overdue.push_back(recovery);
  }
  Sort(&overdue);
  std::vector<Expired> expired;
  for (const Pointer& recovery : overdue) {
    expired.push_back({recovery->group, recovery->member, recovery->join});
  }
  for (const Expired& join : expired) Drop(join.group, join.member);
  return expired;
}

void Recoveries::RetryFailed() {
  std::vector<Pointer> failed;
  for (const auto& [key, recovery] : all_) {
    if (recovery->retry_at != absl::InfinitePast()) failed.push_back(recovery);
  }
  Sort(&failed);
  for (const Pointer& recovery : failed) Advance(recovery);
}

// Who began first goes on first, whatever their addresses are.
void Recoveries::Sort(std::vector<Pointer>* recoveries) {
  std::sort(recoveries->begin(), recoveries->end(),
            [](const Pointer& a, const Pointer& b) { return a->number < b->number; });
}

Recoveries::Pointer Recoveries::Find(Group* group, Member* member) const {
  const auto found = all_.find({group, member});
  return found == all_.end() ? nullptr : found->second;
}

std::vector<Recoveries::Pointer> Recoveries::OfGroup(Group* group) const {
  std::vector<Pointer> of_group;
  for (auto it = all_.lower_bound({group, nullptr}); it != all_.end() && it->first.first == group;
       ++it) {
    of_group.push_back(it->second);
  }
  Sort(&of_group);
  return of_group;
}

// Step, and then the commands that waited for the join's reply.
void Recoveries::Advance(const Pointer& recovery) {
  if (recovery->ended) return;
  Step(recovery);
  if (!recovery->is_pending || !recovery->replied) return;
  recovery->is_pending = false;
  if (--recovery->member->pending_answers == 0) recovery->member->ResumeCommands();
}

// Does what can be done now.
void Recoveries::Step(const Pointer& recovery) {
  if (!recovery->replied) Decide(recovery);
  if (!recovery->replied) return;
  const Group& group = *recovery->group;
  if (group.recent != nullptr) {
    if (const auto index = group.recent->After(recovery->position.offset)) {
      FeedRecent(recovery.get(), *index);
    }
  }
  if (recovery->position == group.position) return BecomeLive(recovery);
  recovery->blocked = recovery->blocked || !recovery->member->HasRoomFor(0);
  if (!recovery->blocked) Fetch(recovery, recovery->position, 0, Want::kMessages);
}

// Gives the reply, or fetches what it depends on.
void Recoveries::Decide(const Pointer& recovery) {
  const Group& group = *recovery->group;
  const RecentMessages::Ring* const recent = group.recent.get();
  if (!recovery->join.since.has_value()) {
    const uint32_t count = recovery->join.history;
    if (recent == nullptr || recent->size() < count) {
      return Fetch(recovery, {}, count, Want::kNewest);
    }
    const uint64_t begin = recent->at(recent->size() - count).previous();
    return Reply(recovery.get(), {group.position.epoch, begin}, false);
  }
  const Position& since = *recovery->join.since;
  if (since.epoch != group.position.epoch) return Reply(recovery.get(), group.position, false);
  if (since.offset > group.position.offset) {
    // Another worker may be faster than this one.
    if (recovery->head_covers) return;
    return Fetch(recovery, since, 1, Want::kHead);
  }
  if (since == group.position || (recent != nullptr && recent->After(since.offset).has_value())) {
    return Reply(recovery.get(), since, true);
  }
  Fetch(recovery, since, 0, Want::kMessages);
}

// `page` is of the group's epoch.
void Recoveries::DecideByPage(const Pointer& recovery, const HistoryPage& page) {
  const Position& present = recovery->group->position;
  const uint64_t first = page.messages.empty() ? page.head.offset : page.messages[0].previous();
  if (!recovery->join.since.has_value()) {
    return Reply(recovery.get(), {present.epoch, std::min(first, present.offset)}, false);
  }
  const Position& since = *recovery->join.since;
  // A position that is no message's place, and no floor, is of another history.
  const bool complete = first == since.offset && page.floor <= since.offset;
  Reply(recovery.get(), complete ? since : present, complete);
}

void Recoveries::Reply(Recovery* recovery, const Position& position, bool recovered) {
  recovery->replied = true;
  recovery->position = position;
  const PendingJoin& join = recovery->join;
  recovery->lost = join.since.has_value() && !recovered;
  if (join.command_id.empty()) return;
  recovery->member->Send(
      MakeFrame(Opcode::kText, PositionReply(join.command_id, recovery->group->id, position,
                                             join.since.has_value() ? std::optional<bool>(recovered)
                                                                    : std::nullopt)),
      TrafficClass::kInteractive);
}

void Recoveries::Fetch(const Pointer& recovery, const Position& after, uint32_t newest, Want want) {
  if (recovery->fetching || recovery->retry_at > clock_->Now()) return;
  recovery->retry_at = absl::InfinitePast();
  recovery->fetching = true;
  fetcher_.Fetch(
      recovery->group->id, after, newest,
      [this, want, weak = std::weak_ptr<Recovery>(recovery)](absl::StatusOr<HistoryPage>& page) {
        if (const Pointer waiting = weak.lock()) OnAnswer(waiting, want, page);
      });
}

void Recoveries::OnAnswer(const Pointer& recovery, Want want, absl::StatusOr<HistoryPage>& page) {
  if (recovery->ended) return;
  recovery->fetching = false;
  if (!page.ok() || page->head.epoch != recovery->group->position.epoch) {
    // With another epoch, the worker is about to be told of it.
    RetryLater(recovery.get());
  } else if (recovery->replied && want != Want::kMessages) {
    // Decided meanwhile by what the worker was delivered: the answer may begin after it.
  } else if (want == Want::kHead) {
    OnHead(recovery.get(), page->head);
  } else {
    if (!recovery->replied) DecideByPage(recovery, *page);
    FeedPage(recovery.get(), &*page);
  }
  Advance(recovery);
}

void Recoveries::OnHead(Recovery* recovery, const Position& head) {
  const Position& present = recovery->group->position;
  const uint64_t since = recovery->join.since->offset;
  recovery->head_covers = head.offset >= since;
  if (!recovery->head_covers && present.offset < since) Reply(recovery, present, false);
}

void Recoveries::FeedRecent(Recovery* recovery, size_t index) {
  const Group& group = *recovery->group;
  for (; index < group.recent->size(); ++index) {
    const SharedBytes frame = group.recent->FrameFor(index, group.id, recovery->member);
    if (!Feed(recovery, group.recent->at(index).offset(), frame)) return;
  }
}

void Recoveries::FeedPage(Recovery* recovery, HistoryPage* page) {
  // What is beyond the group's position comes live.
  const Position& present = recovery->group->position;
  const Position before = recovery->position;
  const uint64_t begin = std::min(page->begin(), present.offset);
  if (begin > recovery->position.offset) {
    TellGap(recovery, {.from = recovery->position.offset, .to = {present.epoch, begin}});
  }
  for (EncodedMessage& message : page->messages) {
    if (message.offset() <= recovery->position.offset) continue;
    if (message.offset() > present.offset) break;
    const SharedBytes frame = message.FrameFor(recovery->group->id, recovery->member);
    if (!Feed(recovery, message.offset(), frame)) return;
  }
  // An answer from before the messages that the group has got.
  if (recovery->position == before && recovery->position != present) RetryLater(recovery);
}

// False: there is no room for it.
bool Recoveries::Feed(Recovery* recovery, uint64_t offset, const SharedBytes& frame) {
  if (frame) {
    recovery->blocked = !recovery->member->HasRoomFor(frame.size());
    if (recovery->blocked) return false;
    recovery->member->Send(frame, TrafficClass::kBulk);
    ++counters_.deliveries;
  }
  recovery->position.offset = offset;
  return true;
}

void Recoveries::TellGap(Recovery* recovery, const Gap& gap) {
  ++counters_.gaps;
  recovery->lost = true;
  recovery->position = gap.to;
  if (!recovery->member->v1()) return;
  recovery->member->Send(MakeFrame(Opcode::kText, GapEvent(recovery->group->id, gap)),
                         TrafficClass::kBulk);
}

void Recoveries::RetryLater(Recovery* recovery) {
  recovery->retry_at = clock_->Now() + kRetryAfter;
}

void Recoveries::BecomeLive(const Pointer& recovery) {
  if (recovery->join.since.has_value()) {
    ++(recovery->lost ? counters_.lost : counters_.complete);
  }
  recovery->ended = true;
  --recovery->member->recoveries;
  table_->SetLive(recovery->group, *recovery->member, true);
  all_.erase({recovery->group, recovery->member});
}

}  // namespace groupcast::service
