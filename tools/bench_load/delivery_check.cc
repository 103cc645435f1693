#include "tools/bench_load/delivery_check.h"

#include <algorithm>

namespace groupcast::bench {

DeliveryCheck::Counts& DeliveryCheck::Counts::operator+=(const Counts& other) {
  received += other.received;
  lost += other.lost;
  doubled += other.doubled;
  out_of_order += other.out_of_order;
  stray += other.stray;
  return *this;
}

void DeliveryCheck::AddMember(Streams streams) {
  members_.push_back({streams, views_.size()});
  for (uint32_t i = 0; i < streams.count; ++i) {
    views_.emplace_back().next = sent_[streams.first + i];
  }
}

DeliveryCheck::Verdict DeliveryCheck::Receive(uint32_t member, const Stamp& stamp) {
  ++counts_.received;
  const Member& receiver = members_[member];
  const uint32_t place = stamp.stream - receiver.streams.first;  // huge if it is below
  if (place >= receiver.streams.count || stamp.sequence >= sent_[stamp.stream]) {
    ++counts_.stray;
    return Verdict::kStray;
  }
  View& view = views_[receiver.first_view + place];
  if (stamp.sequence == view.next) {
    ++view.next;
    return Verdict::kNext;
  }
  if (stamp.sequence > view.next) {
    counts_.lost += stamp.sequence - view.next;  // until they come
    for (; view.next < stamp.sequence; ++view.next) view.missing.push_back(view.next);
    ++view.next;
    if (view.missing.size() > kMissingMax) {
      view.missing.erase(view.missing.begin(), view.missing.end() - kMissingMax);
    }
    return Verdict::kAhead;
  }
  const auto missing = std::lower_bound(view.missing.begin(), view.missing.end(), stamp.sequence);
  if (missing == view.missing.end() || *missing != stamp.sequence) {
    ++counts_.doubled;
    return Verdict::kDoubled;
  }
  view.missing.erase(missing);
  --counts_.lost;
  ++counts_.out_of_order;
  return Verdict::kLate;
}

int64_t DeliveryCheck::Excuse(uint32_t member) {
  Member& excused = members_[member];
  excused.excused = true;
  int64_t not_got = 0;
  for (uint32_t i = 0; i < excused.streams.count; ++i) {
    const View& view = views_[excused.first_view + i];
    not_got += sent_[excused.streams.first + i] - view.next;
    not_got += static_cast<int64_t>(view.missing.size());
  }
  return not_got;
}

DeliveryCheck::Counts DeliveryCheck::Finish() const {
  Counts counts = counts_;
  for (const Member& member : members_) {
    if (member.excused) continue;
    for (uint32_t i = 0; i < member.streams.count; ++i) {
      counts.lost += sent_[member.streams.first + i] - views_[member.first_view + i].next;
    }
  }
  return counts;
}

}  // namespace groupcast::bench
