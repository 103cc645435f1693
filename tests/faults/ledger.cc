#include "tests/faults/ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace groupcast::tests {

Ledger::Ledger(int groups, int clients) : groups_(static_cast<size_t>(groups)) {
  for (Group& group : groups_) {
    group.members.resize(static_cast<size_t>(clients));
    group.sends.resize(static_cast<size_t>(clients));
  }
}

uint64_t Ledger::Send(Place sender) {
  Group& group = GroupOf(sender);
  const std::lock_guard lock(group.mutex);
  const Member& member = group.members[static_cast<size_t>(sender.client)];
  Sends& sends = group.sends[static_cast<size_t>(sender.client)];
  sends.open.push_back({.as_member = member.joined, .begin = member.begin});
  ++group.counts.sent;
  ++group.open_sends;
  return sends.first + sends.open.size() - 1;
}

void Ledger::Answered(Place sender, uint64_t number, Answer answer) {
  Group& group = GroupOf(sender);
  const std::lock_guard lock(group.mutex);
  Sends& sends = group.sends[static_cast<size_t>(sender.client)];
  if (number < sends.first || sends.open[number - sends.first].answered) {
    Doubled(sender, answer.offset, "its send was answered again");
    return;
  }
  Sent& sent = sends.open[number - sends.first];
  sent.answered = true;
  sent.answer = answer;
  --group.open_sends;
  switch (answer.kind) {
    case Answer::Kind::kAcknowledged: {
      ++group.counts.acknowledged;
      group.acknowledged = std::max(group.acknowledged, answer.offset);
      if (sent.as_member && answer.offset <= sent.begin)
        Lost(sender, answer.offset, "what it sent as a member is before its membership");
      if (sent.delivered) {
        if (sent.delivered_offset != answer.offset)
          Reordered(sender, answer.offset, "was acknowledged here and delivered elsewhere");
        break;
      }
      const Message message{sender.client, number};
      const auto at = After(&group, answer.offset - 1);
      const bool taken = at != group.order.end() && at->offset == answer.offset;
      if (taken || !group.undelivered.emplace(answer.offset, message).second)
        Reordered(sender, answer.offset, "two messages have this offset");
      break;
    }
    case Answer::Kind::kUnknown:
      ++group.counts.unknown;
      break;
    case Answer::Kind::kNotDone:
      ++group.counts.not_done;
      if (sent.delivered)
        Doubled(sender, sent.delivered_offset, "was delivered and said to be not done");
      break;
  }
  TakeClosed(&sends);
}

uint64_t Ledger::Join(Place place) {
  Group& group = GroupOf(place);
  const std::lock_guard lock(group.mutex);
  Member& member = group.members[static_cast<size_t>(place.client)];
  member = {.membership = member.membership + 1, .asked = true};
  return member.membership;
}

uint64_t Ledger::JoinSince(Place place, uint64_t since) {
  const uint64_t membership = Join(place);
  Group& group = GroupOf(place);
  const std::lock_guard lock(group.mutex);
  Member& member = group.members[static_cast<size_t>(place.client)];
  member.since = true;
  member.begin = since;
  member.position = since;
  return membership;
}

void Ledger::Joined(Place place, uint64_t membership, uint64_t offset) {
  Group& group = GroupOf(place);
  const std::lock_guard lock(group.mutex);
  Member& member = group.members[static_cast<size_t>(place.client)];
  if (member.membership != membership) return;
  if (member.joined || member.since) {
    // It goes on where it was. If it cannot, a gap follows.
    if (offset < member.position) Reordered(place, offset, "was joined again behind its position");
  } else {
    member.begin = offset;
    member.position = offset;
  }
  member.joined = true;
}

void Ledger::Delivered(Place place, uint64_t membership, int sender, uint64_t number,
                       uint64_t offset) {
  Group& group = GroupOf(place);
  const std::lock_guard lock(group.mutex);
  Member& member = group.members[static_cast<size_t>(place.client)];
  if (member.membership != membership) return;
  ++group.counts.deliveries;
  const Entry entry{offset, {sender, number}};
  if (!member.joined) Reordered(place, offset, "came before the answer to the join");
  if (offset <= member.position) {
    const auto at = After(&group, offset - 1);
    const bool same =
        at != group.order.end() && at->offset == offset && at->message == entry.message;
    if (same) {
      Doubled(place, offset, "came again");
    } else {
      Reordered(place, offset, "came after a later one");
    }
    return;
  }
  if (member.position < group.forgotten)
    Lost(place, offset, "comes to a member that is too far behind to be judged");
  auto next = After(&group, member.position);
  for (; next != group.order.end() && next->offset < offset; ++next)
    Lost(place, next->offset, "was skipped");
  if (next == group.order.end() || next->offset > offset) {
    Appear(place, entry, next);
  } else if (next->message != entry.message) {
    Reordered(place, offset, "is another message than others got");
  }
  member.position = offset;
}

void Ledger::GapTold(Place place, uint64_t membership, uint64_t offset) {
  Group& group = GroupOf(place);
  const std::lock_guard lock(group.mutex);
  Member& member = group.members[static_cast<size_t>(place.client)];
  if (member.membership != membership) return;
  ++group.counts.gaps;
  Lost(place, offset, "is the end of a gap that a member was told");
  member.position = std::max(member.position, offset);
}

uint64_t Ledger::Leave(Place place) {
  Group& group = GroupOf(place);
  const std::lock_guard lock(group.mutex);
  Member& member = group.members[static_cast<size_t>(place.client)];
  const uint64_t position = member.position;
  member = {.membership = member.membership + 1};
  return position;
}

bool Ledger::AllJoined() const {
  return std::all_of(groups_.begin(), groups_.end(), [](const Group& group) {
    const std::lock_guard lock(group.mutex);
    return std::all_of(group.members.begin(), group.members.end(),
                       [](const Member& member) { return member.joined == member.asked; });
  });
}

bool Ledger::Settled() const {
  return std::all_of(groups_.begin(), groups_.end(), [](const Group& group) {
    const std::lock_guard lock(group.mutex);
    if (group.open_sends != 0) return false;
    const uint64_t last =
        std::max(group.acknowledged, group.order.empty() ? 0 : group.order.back().offset);
    return std::all_of(group.members.begin(), group.members.end(), [&](const Member& member) {
      return !member.asked || (member.joined && member.position >= last);
    });
  });
}

Ledger::Counts Ledger::Now() const {
  Counts sum;
  for (const Group& group : groups_) {
    const std::lock_guard lock(group.mutex);
    sum.sent += group.counts.sent;
    sum.acknowledged += group.counts.acknowledged;
    sum.unknown += group.counts.unknown;
    sum.not_done += group.counts.not_done;
    sum.unanswered += group.open_sends;
    sum.deliveries += group.counts.deliveries;
    sum.lost += group.counts.lost;
    sum.doubled += group.counts.doubled;
    sum.reordered += group.counts.reordered;
    sum.gaps += group.counts.gaps;
  }
  return sum;
}

Ledger::Counts Ledger::Judge() {
  for (size_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    const std::lock_guard lock(group.mutex);
    for (size_t c = 0; c < group.members.size(); ++c) {
      const Place place{static_cast<int>(g), static_cast<int>(c)};
      const Member& member = group.members[c];
      if (!member.asked) continue;
      if (!member.joined) Lost(place, member.position, "and all after it: it never joined");
      for (auto at = After(&group, member.position); at != group.order.end(); ++at)
        Lost(place, at->offset, "never came");
    }
    for (const auto& [offset, message] : group.undelivered) {
      for (size_t c = 0; c < group.members.size(); ++c) {
        if (group.members[c].joined && group.members[c].begin < offset)
          Lost({static_cast<int>(g), static_cast<int>(c)}, offset,
               "was acknowledged and came to nobody");
      }
    }
  }
  return Now();
}

std::vector<std::string> Ledger::Findings() const {
  const std::lock_guard lock(findings_mutex_);
  return findings_;
}

std::deque<Ledger::Entry>::iterator Ledger::After(Group* group, uint64_t offset) {
  return std::upper_bound(group->order.begin(), group->order.end(), offset,
                          [](uint64_t value, const Entry& entry) { return value < entry.offset; });
}

// A message that no member had got before; its place is before `before`.
void Ledger::Appear(Place where, const Entry& entry, std::deque<Entry>::iterator before) {
  Group& group = GroupOf(where);
  group.order.insert(before, entry);
  for (size_t c = 0; c < group.members.size(); ++c) {
    const Member& member = group.members[c];
    if (member.joined && static_cast<int>(c) != where.client && member.begin < entry.offset &&
        entry.offset <= member.position) {
      Lost({where.group, static_cast<int>(c)}, entry.offset, "came to others only");
    }
  }
  if (const auto acknowledged = group.undelivered.find(entry.offset);
      acknowledged != group.undelivered.end()) {
    if (acknowledged->second != entry.message)
      Reordered(where, entry.offset, "is another message than was acknowledged");
    group.undelivered.erase(acknowledged);
  }
  NoteDelivery(where, entry);
  if (group.order.size() > kKeptMessages) {
    group.forgotten = group.order.front().offset;
    group.order.pop_front();
  }
}

// A message has its place in the group's order: it must be one that was sent, and have no other.
void Ledger::NoteDelivery(Place where, const Entry& entry) {
  const auto [sender, number] = entry.message;
  Group& group = GroupOf(where);
  if (sender < 0 || static_cast<size_t>(sender) >= group.sends.size()) {
    Reordered(where, entry.offset, "was sent by nobody");
    return;
  }
  Sends& sends = group.sends[static_cast<size_t>(sender)];
  if (number >= sends.first + sends.open.size()) {
    Reordered(where, entry.offset, "was never sent");
    return;
  }
  if (number < sends.first) {
    const auto late = sends.undelivered.find(number);
    if (late == sends.undelivered.end()) {
      Doubled(where, entry.offset, "has two places in the order");
    } else if (late->second == Answer::Kind::kNotDone) {
      Doubled(where, entry.offset, "was delivered and said to be not done");
    }
    if (late != sends.undelivered.end()) sends.undelivered.erase(late);
    return;
  }
  Sent& sent = sends.open[number - sends.first];
  if (sent.delivered) {
    Doubled(where, entry.offset, "has two places in the order");
    return;
  }
  sent.delivered = true;
  sent.delivered_offset = entry.offset;
  if (sent.answered && sent.answer.kind == Answer::Kind::kAcknowledged &&
      sent.answer.offset != entry.offset) {
    Reordered(where, entry.offset, "was acknowledged at another offset");
  }
  if (sent.answered && sent.answer.kind == Answer::Kind::kNotDone)
    Doubled(where, entry.offset, "was delivered and said to be not done");
  TakeClosed(&sends);
}

void Ledger::TakeClosed(Sends* sends) {
  while (!sends->open.empty()) {
    const Sent& sent = sends->open.front();
    if (!sent.answered) return;
    if (!sent.delivered) {
      if (sent.answer.kind == Answer::Kind::kAcknowledged) return;
      sends->undelivered.emplace(sends->first, sent.answer.kind);
    }
    sends->open.pop_front();
    ++sends->first;
  }
}

void Ledger::Lost(Place member, uint64_t offset, const char* how) {
  ++GroupOf(member).counts.lost;
  Find("lost", member, offset, how);
}

void Ledger::Doubled(Place place, uint64_t offset, const char* how) {
  ++GroupOf(place).counts.doubled;
  Find("doubled", place, offset, how);
}

void Ledger::Reordered(Place place, uint64_t offset, const char* how) {
  ++GroupOf(place).counts.reordered;
  Find("reordered", place, offset, how);
}

void Ledger::Find(const char* what, Place place, uint64_t offset, const char* how) {
  const std::lock_guard lock(findings_mutex_);
  if (findings_.size() == kFindingsMax) return;
  findings_.push_back(absl::StrCat(what, ": group ", place.group, ", client ", place.client,
                                   ", offset ", offset, ": ", how));
}

}  // namespace groupcast::tests
