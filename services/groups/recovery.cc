#include "services/groups/recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/protocol/event.h"

namespace groupcast::service {

Recoveries::Recovery::Recovery(PendingJoin pending_join, uint64_t its_number)
    : join(std::move(pending_join)),
      group(join.group),
      member(join.member),
      number(its_number),
      position(join.since.value_or(Position{})) {}

void Recoveries::Begin(PendingJoin join) {
  const auto recovery = std::make_shared<Recovery>(std::move(join), next_number_++);
  Group* const group = recovery->group;
  all_.emplace(Key(group, recovery->member), recovery);
  OfGroup& of_group = groups_[group];
  of_group.all.push_back(*recovery);
  table_->SetLive(group, *recovery->member, false);
  ++recovery->member->recoveries;
  Step(recovery);
  if (recovery->replied) return;
  recovery->is_pending = true;
  ++recovery->member->pending_answers;
  expiring_.insert(*recovery);
  // A `since` that the group has passed is decided by the channel's answer alone.
  const bool has_passed =
      recovery->join.since.has_value() && recovery->decided_at() <= group->position.offset;
  if (!has_passed) of_group.undecided.insert(*recovery);
}

void Recoveries::Drop(Group* group, Member* member) {
  const Pointer recovery = Find(group, member);
  if (recovery == nullptr) return;
  if (recovery->is_pending) --member->pending_answers;
  End(recovery);
}

void Recoveries::End(const Pointer& recovery) {
  recovery->ended = true;
  recovery->of_group.unlink();  // it leaves the other lists when it is destroyed
  --recovery->member->recoveries;
  all_.erase(Key(recovery->group, recovery->member));
  const auto of_group = groups_.find(recovery->group);
  if (of_group->second.all.empty()) groups_.erase(of_group);
}

const Position* Recoveries::PositionOf(Group* group, Member* member) const {
  const auto found = all_.find({group, member});
  return found == all_.end() ? nullptr : &found->second->position;
}

void Recoveries::OnPosition(Group* group) {
  const auto of_group = groups_.find(group);
  if (of_group == groups_.end()) return;
  // All others continue when their fetch has its answer or their member has room.
  std::vector<Pointer> decided;
  for (Recovery& recovery : of_group->second.undecided) {
    if (recovery.decided_at() > group->position.offset) break;
    if (group->recent->size() < recovery.join.history) continue;
    decided.push_back(recovery.shared_from_this());
  }
  AdvanceInOrder(std::move(decided));
}

void Recoveries::OnGap(Group* group, const Gap& gap) {
  const auto of_group = groups_.find(group);
  if (of_group == groups_.end()) return;
  std::vector<Pointer> recoveries;
  for (Recovery& recovery : of_group->second.all) recoveries.push_back(recovery.shared_from_this());
  for (const Pointer& recovery : recoveries) {
    // The member gets a gap in the same epoch when the recovery reaches it.
    if (recovery->replied && gap.new_epoch) TellGap(recovery.get(), gap);
    Advance(recovery);
  }
}

void Recoveries::OnDrained(Member* member) {
  std::vector<Pointer> recoveries;
  for (Group* group : table_->GroupsNotLive(*member)) {
    recoveries.push_back(Find(group, member));
    recoveries.back()->blocked = false;
  }
  AdvanceInOrder(std::move(recoveries));
}

void Recoveries::OnConnected() {
  for (Recovery& recovery : failed_) recovery.retry_at = clock_->Now();
  RetryFailed();
}

std::vector<PendingJoin> Recoveries::TakeExpired(absl::Time now) {
  std::vector<PendingJoin> expired;
  const auto end =
      std::find_if(expiring_.begin(), expiring_.end(),
                   [now](const Recovery& recovery) { return recovery.join.deadline > now; });
  while (expiring_.begin() != end) {
    const Pointer recovery = expiring_.begin()->shared_from_this();
    expired.push_back(recovery->join);
    Drop(recovery->group, recovery->member);
  }
  return expired;
}

void Recoveries::RetryFailed() {
  const absl::Time now = clock_->Now();
  std::vector<Pointer> due;
  const auto end = std::find_if(failed_.begin(), failed_.end(), [now](const Recovery& recovery) {
    return recovery.retry_at > now;
  });
  while (failed_.begin() != end) {
    due.push_back(failed_.front().shared_from_this());
    failed_.pop_front();
  }
  AdvanceInOrder(std::move(due));
}

Recoveries::Pointer Recoveries::Find(Group* group, Member* member) const {
  const auto found = all_.find({group, member});
  return found == all_.end() ? nullptr : found->second;
}

void Recoveries::AdvanceInOrder(std::vector<Pointer> recoveries) {
  std::ranges::sort(recoveries, {}, [](const Pointer& recovery) { return recovery->number; });
  for (const Pointer& recovery : recoveries) Advance(recovery);
}

// Step, and then the commands that waited for the join's reply.
void Recoveries::Advance(const Pointer& recovery) {
  if (recovery->ended) return;
  Step(recovery);
  if (!recovery->is_pending || !recovery->replied) return;
  recovery->is_pending = false;
  if (--recovery->member->pending_answers == 0) recovery->member->ResumeCommands();
}

// Takes the steps that are possible now.
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

// Sends the reply, or fetches the history that the reply depends on.
void Recoveries::Decide(const Pointer& recovery) {
  const Group& group = *recovery->group;
  const RecentMessages::Ring* const recent = group.recent.get();
  if (!recovery->join.since.has_value()) {
    const uint32_t count = recovery->join.history;
    if (recent == nullptr || recent->size() < count) {
      return Fetch(recovery, {}, count, Want::kNewest);
    }
    const uint64_t begin = recent->at(recent->size() - count).previous();
    return Reply(recovery.get(), {group.position.epoch, begin}, std::nullopt);
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
    return Reply(recovery.get(), {present.epoch, std::min(first, present.offset)}, std::nullopt);
  }
  const Position& since = *recovery->join.since;
  // A position that is no message's place, and no floor, is of another history.
  const bool complete = first == since.offset && page.floor <= since.offset;
  Reply(recovery.get(), complete ? since : present, complete);
}

void Recoveries::Reply(Recovery* recovery, const Position& position,
                       std::optional<bool> recovered) {
  recovery->replied = true;
  recovery->undecided.unlink();
  recovery->expiring.unlink();
  recovery->position = position;
  const PendingJoin& join = recovery->join;
  recovery->lost = recovered == false;
  if (join.command_id.empty()) return;
  recovery->member->Reply(PositionReply(join.command_id, recovery->group->id, position, recovered));
}

void Recoveries::Fetch(const Pointer& recovery, const Position& after, uint32_t newest, Want want) {
  if (recovery->fetching || recovery->retry_at > clock_->Now()) return;
  recovery->failed.unlink();
  recovery->fetching = true;
  fetcher_.Fetch(
      recovery->group->id, after, newest,
      [this, want, weak = std::weak_ptr<Recovery>(recovery)](absl::StatusOr<HistoryPage>& page) {
        if (const Pointer waiting = weak.lock()) OnAnswer(waiting, want, page);
      });
}

void Recoveries::OnAnswer(const Pointer& recovery, Want want, absl::StatusOr<HistoryPage>& page) {
  recovery->fetching = false;
  if (!page.ok() || page->head.epoch != recovery->group->position.epoch) {
    // With another epoch, the worker will soon get the gap of the new epoch.
    RetryLater(recovery.get());
  } else if (recovery->replied && want != Want::kMessages) {
    // A message to the worker decided it meanwhile. The answer may begin after that message.
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
  if (!recovery->head_covers) Reply(recovery, present, false);
}

void Recoveries::FeedRecent(Recovery* recovery, size_t index) {
  const Group& group = *recovery->group;
  for (; index < group.recent->size(); ++index) {
    const SharedBytes bytes = group.recent->BytesFor(index, group.id, recovery->member);
    if (!Feed(recovery, group.recent->at(index).offset(), bytes)) return;
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
    const SharedBytes& bytes = message.For(recovery->group->id, recovery->member);
    if (!Feed(recovery, message.offset(), bytes)) return;
  }
  // The answer is older than the messages that the group has.
  if (recovery->position == before) RetryLater(recovery);
}

// False: there is no room for it.
bool Recoveries::Feed(Recovery* recovery, uint64_t offset, const SharedBytes& bytes) {
  if (bytes) {
    recovery->blocked = !recovery->member->HasRoomFor(bytes.size());
    if (recovery->blocked) return false;
    recovery->member->Send(bytes, TrafficClass::kBulk);
    ++counters_.deliveries;
  }
  recovery->position.offset = offset;
  return true;
}

void Recoveries::TellGap(Recovery* recovery, const Gap& gap) {
  ++counters_.gaps;
  recovery->lost = true;
  recovery->position = gap.to;
  const SharedBytes event = recovery->member->encoding().EncodeGap(recovery->group->id, gap);
  if (event) recovery->member->Send(event, TrafficClass::kBulk);
}

void Recoveries::RetryLater(Recovery* recovery) {
  recovery->retry_at = clock_->Now() + kRetryAfter;
  failed_.push_back(*recovery);
}

void Recoveries::BecomeLive(const Pointer& recovery) {
  if (recovery->join.since.has_value()) {
    ++(recovery->lost ? counters_.lost : counters_.complete);
  }
  table_->SetLive(recovery->group, *recovery->member, true);
  End(recovery);
}

}  // namespace groupcast::service
