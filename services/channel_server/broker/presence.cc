#include "services/channel_server/broker/presence.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/channel/group_id.h"

namespace groupcast::service {
namespace {

using channel::v1::PresenceFrame;
using channel::v1::PresentMember;

// Protobuf's few bytes around a member, and around a group.
constexpr size_t kMemberOverheadBytes = 32;
constexpr size_t kGroupOverheadBytes = 32;

// What a watched group takes, besides its members, and what each worker takes in it.
constexpr size_t kGroupBytes = 500;
constexpr size_t kPlaceBytes = 150;

size_t WireBytes(const PresentMember& member) {
  return kMemberOverheadBytes + member.user().size() + member.info().size();
}

}  // namespace

void PresenceTables::ExpectWorkers(absl::Time now) {
  if (!has_begun_) began_ = now;
  has_begun_ = true;
  settled_at_ = began_ + options_.settle;
  if (settling_ || now >= settled_at_) return;
  settling_ = true;
  // Tables that were complete without the workers that are on their way.
  for (auto& [name, group] : groups_) {
    group->complete = false;
    for (auto& [id, place] : group->places) place.phase = Phase::kWaiting;
  }
}

const PresentGroup* PresenceTables::Find(absl::string_view group_id) const {
  const auto found = groups_.find(group_id);
  return found == groups_.end() || !found->second->watched() ? nullptr : &found->second->table;
}

// ---- Workers.

void PresenceTables::OnFrame(PublisherId from, const PresenceFrame& frame, absl::Time now) {
  if (!std::exchange(has_begun_, true)) began_ = now;
  auto found = workers_.find(from);
  if (found == workers_.end()) {
    if (workers_.size() >= options_.workers_max) {
      must_probe_ = true;
      return;  // it begins again
    }
    found = workers_.emplace(from, Worker{}).first;
  }
  Worker* const worker = &found->second;
  if (frame.stream() < worker->stream) return;  // of a connection that has ended
  if (frame.stream() > worker->stream) {
    worker->stream = frame.stream();
    if (frame.number() != 1) return BecomeStranger(worker);
    Open(from, worker, frame, now);
  }
  if (worker->stranger) return;
  if (worker->away) return BecomeStranger(worker);  // its connection was taken for lost
  worker->confirmed = std::max(worker->confirmed, std::min(frame.confirmed(), worker->sent));
  if (frame.number() == worker->received + 1) {
    ++worker->received;
    worker->confirmation_due = true;
    has_small_frames_ = true;
    for (const Wire& group : frame.groups()) OnGroup(from, group, now);
  } else if (frame.number() > worker->received) {
    return BecomeStranger(worker);
  }
  if (frame.ends()) return OnEnded(from, now);
  MakeReady(from, worker);
}

void PresenceTables::BecomeStranger(Worker* worker) {
  worker->stranger = true;
  worker->away = false;
  worker->probe_at = absl::InfinitePast();
  worker->unsent.clear();
  has_small_frames_ = true;
}

void PresenceTables::Open(PublisherId id, Worker* worker, const PresenceFrame& frame,
                          absl::Time now) {
  // Of another server, which was here before.
  if (frame.came_back() && !worker->known) ExpectWorkers(now);
  DropPlaces(id, now, now + options_.groups.lease);
  *worker =
      Worker{.stream = frame.stream(), .known = true, .probe_at = now + options_.probe_period};
  for (auto& [name, group] : groups_) {
    const size_t bytes_before = group->table.bytes();
    group->table.OnWorkerBack(id);
    OnTableChanged(group.get(), bytes_before);
    if (!group->watched()) continue;
    group->places[id].untold = Wire::ON;
    Queue(id, group.get());
  }
}

// Forgets what the worker was told and what it watches, but not its members. A table that nobody
// else watches stays until then: the worker may come back, and the members of other workers that
// are away too are in no list.
void PresenceTables::DropPlaces(PublisherId id, absl::Time now, absl::Time keep_until) {
  std::erase(ready_, id);
  std::vector<Group*> unwatched;
  std::vector<Group*> untold;
  for (auto& [name, group] : groups_) {
    const auto place = group->places.find(id);
    if (place == group->places.end()) continue;
    const bool watched = place->second.watches;
    if (watched) --watch_count_;
    group->places.erase(place);
    if (!watched) {
      untold.push_back(group.get());
    } else if (--group->watchers == 0 && keep_until > now) {
      group->kept = true;
      group->kept_until = keep_until;
      kept_.emplace(keep_until, group->id);
    } else {
      unwatched.push_back(group.get());
    }
  }
  for (Group* const group : unwatched) EndIfUnwatched(group);
  for (Group* const group : untold) EraseIfTold(group);
}

void PresenceTables::OnAway(PublisherId id, absl::Time now) {
  Worker* const worker = &workers_.at(id);
  if (worker->away) return;
  DropPlaces(id, now, now + options_.groups.lease);
  has_away_ = true;
  *worker = Worker{.stream = worker->stream,
                   .known = true,
                   .away = true,
                   .away_until = now + options_.groups.lease};
  for (auto& [name, group] : groups_) {
    const size_t bytes_before = group->table.bytes();
    group->table.OnWorkerAway(id, now);
    OnTableChanged(group.get(), bytes_before);
  }
  CompleteWhatIs();
}

void PresenceTables::OnEnded(PublisherId id, absl::Time now) {
  DropPlaces(id, now, now);
  for (auto& [name, group] : groups_) {
    const size_t bytes_before = group->table.bytes();
    group->table.OnWorkerEnded(id, now);
    OnTableChanged(group.get(), bytes_before);
  }
  workers_.erase(id);
  CompleteWhatIs();
}

// ---- Reports and watches.

void PresenceTables::OnGroup(PublisherId from, const Wire& news, absl::Time now) {
  if (!GroupIdDefect(news.group_id()).empty()) return;
  Worker* const worker = &workers_.at(from);
  if (news.watch() == Wire::ON) Watch(from, worker, news.group_id());
  const auto found = groups_.find(news.group_id());
  if (found == groups_.end()) return;
  Group* const group = found->second.get();
  if (news.watch() == Wire::OFF) EndWatch(from, group);
  // The worker may not know yet that nobody watches the group any more, or that a new watch asks
  // for a list of its own.
  const auto place = group->places.find(from);
  if (!group->watched() || place == group->places.end() ||
      place->second.untold != Wire::UNCHANGED) {
    return EraseIfTold(group);
  }
  PresentGroup& table = group->table;
  const size_t bytes_before = table.bytes();
  if (news.begins()) {
    place->second.listing = true;
    table.BeginList(from);
  }
  if (!place->second.listing) return;  // of an earlier watch
  for (const uint64_t connection : news.lost()) table.Lose(from, connection, now);
  for (const uint64_t connection : news.left()) table.Leave(from, connection);
  for (const PresentMember& member : news.joined()) table.Join(from, member, now);
  if (news.ends()) {
    table.EndList(from, now);
    place->second.declared = true;
  }
  OnTableChanged(group, bytes_before);
  if (table.size() > options_.members_per_group_max) {
    RefuseAll(group, Wire::TOO_MANY_MEMBERS);
  } else {
    if (news.ends()) CompleteIfAllDeclared(group);
    KeepBytesBounded(news.group_id());
  }
}

void PresenceTables::Watch(PublisherId from, Worker* worker, const std::string& group_id) {
  auto found = groups_.find(group_id);
  const bool is_new = found == groups_.end();
  if (is_new) {
    found = groups_.emplace(group_id, std::make_unique<Group>(group_id, &options_.groups)).first;
    found->second->own_bytes = kGroupBytes + kPlaceBytes * workers_.size();
    bytes_ += found->second->own_bytes;
  }
  Group* const group = found->second.get();
  Place* const place = &group->places[from];
  if (!place->watches) {
    if (worker->watches >= options_.groups_per_watcher_max ||
        groups_.size() > options_.groups_max) {
      place->refusal = Wire::TOO_MANY_WATCHES;
      return Queue(from, group);
    }
    place->watches = true;
    ++worker->watches;
    const bool was_watched = group->watched();
    ++group->watchers;
    ++watch_count_;
    if (std::exchange(group->kept, false)) kept_.erase({group->kept_until, group->id});
    if (!was_watched) {
      for (auto& [id, other] : workers_) {
        if (other.away || other.stranger) continue;
        group->places[id].untold = Wire::ON;
        Queue(id, group);
      }
    }
  }
  place->refusal = Wire::NONE;
  place->phase = Phase::kWaiting;
  if (group->complete) QueueWatchers(group);
}

void PresenceTables::EndWatch(PublisherId from, Group* group) {
  const auto place = group->places.find(from);
  if (place == group->places.end() || !place->second.watches) return;
  place->second.watches = false;
  --workers_.at(from).watches;
  --group->watchers;
  --watch_count_;
  EndIfUnwatched(group);
}

void PresenceTables::RefuseWatch(PublisherId from, Group* group, Wire::Refusal refusal) {
  group->places[from].refusal = refusal;
  EndWatch(from, group);
  Queue(from, group);
}

void PresenceTables::RefuseAll(Group* group, Wire::Refusal refusal) {
  std::vector<PublisherId> watchers;
  for (const auto& [id, place] : group->places) {
    if (place.watches) watchers.push_back(id);
  }
  if (std::exchange(group->kept, false)) kept_.erase({group->kept_until, group->id});
  if (watchers.empty()) return EndIfUnwatched(group);
  for (const PublisherId id : watchers) RefuseWatch(id, group, refusal);
}

void PresenceTables::KeepBytesBounded(const std::string& group_id) {
  while (bytes_ > options_.bytes_max && !by_bytes_.empty()) {
    RefuseAll(groups_.find(by_bytes_.rbegin()->second)->second.get(), Wire::TOO_MANY_BYTES);
  }
  if (bytes_ <= options_.bytes_max) return;
  const auto found = groups_.find(group_id);
  if (found != groups_.end()) RefuseAll(found->second.get(), Wire::TOO_MANY_BYTES);
}

// Forgets the members. The group stays until the workers that report are told.
void PresenceTables::EndIfUnwatched(Group* group) {
  if (group->watched()) return;
  const size_t bytes_before = group->table.bytes();
  group->table = PresentGroup(&options_.groups);
  group->complete = false;
  OnTableChanged(group, bytes_before);
  for (auto& [id, place] : group->places) {
    place.listing = place.declared = false;
    // One that was not told of the watch need not be told of its end.
    place.untold = place.untold == Wire::ON ? Wire::UNCHANGED : Wire::OFF;
    Queue(id, group);
  }
  EraseIfTold(group);
}

void PresenceTables::EraseIfTold(Group* group) {
  if (group->watched()) return;
  const bool told = std::all_of(group->places.begin(), group->places.end(), [](const auto& place) {
    return place.second.untold == Wire::UNCHANGED && place.second.refusal == Wire::NONE &&
           !place.second.queued;
  });
  if (!told) return;
  if (group->deadline != absl::InfiniteFuture()) deadlines_.erase({group->deadline, group->id});
  bytes_ -= group->own_bytes;
  by_bytes_.erase({group->table.bytes(), group->id});
  groups_.erase(groups_.find(group->id));
}

void PresenceTables::CompleteIfAllDeclared(Group* group) {
  if (group->complete || !group->watched() || settling_) return;
  for (const auto& [id, worker] : workers_) {
    if (worker.away || worker.stranger) continue;
    const auto place = group->places.find(id);
    if (place == group->places.end() || !place->second.declared) return;
  }
  group->complete = true;
  QueueWatchers(group);
}

void PresenceTables::CompleteWhatIs() {
  for (auto& [name, group] : groups_) CompleteIfAllDeclared(group.get());
}

void PresenceTables::OnTableChanged(Group* group, size_t bytes_before) {
  const size_t bytes = group->table.bytes();
  if (bytes != bytes_before) {
    by_bytes_.erase({bytes_before, group->id});
    if (bytes > 0) by_bytes_.emplace(bytes, group->id);
    bytes_ += bytes;
    bytes_ -= bytes_before;
  }
  member_count_ += group->table.size();
  member_count_ -= std::exchange(group->counted_members, group->table.size());
  for (const PresentGroup::Connection& connection : group->table.TakeUntold()) {
    // A worker without a place lists its members later, and is told then.
    const auto place = group->places.find(connection.worker);
    if (place == group->places.end()) continue;
    place->second.kept.insert(connection.id);
    Queue(connection.worker, group);
  }
  Reschedule(group);
  QueueWatchers(group);
}

void PresenceTables::Reschedule(Group* group) {
  const absl::Time deadline = group->table.next_deadline();
  if (deadline == group->deadline) return;
  if (group->deadline != absl::InfiniteFuture()) deadlines_.erase({group->deadline, group->id});
  group->deadline = deadline;
  if (deadline != absl::InfiniteFuture()) deadlines_.emplace(deadline, group->id);
}

// ---- Sending.

void PresenceTables::QueueWatchers(Group* group) {
  if (!group->complete) return;
  for (auto& [id, place] : group->places) {
    if (!place.watches || place.queued) continue;
    if (place.phase == Phase::kChanges && place.next_change == group->table.end_change()) continue;
    Queue(id, group);
  }
}

void PresenceTables::Queue(PublisherId id, Group* group) {
  const auto worker = workers_.find(id);
  if (worker == workers_.end() || worker->second.away) return;
  if (std::exchange(group->places[id].queued, true)) return;
  worker->second.queue.push_back(group);
  MakeReady(id, &worker->second);
}

bool PresenceTables::MaySend(const Worker& worker) const {
  return worker.unsent.empty() && !worker.stranger && !worker.away && !worker.queue.empty() &&
         worker.sent - worker.confirmed < options_.frames_under_way_max;
}

void PresenceTables::MakeReady(PublisherId id, Worker* worker) {
  if (!worker->ready && MaySend(*worker)) {
    worker->ready = true;
    ready_.push_back(id);
  }
}

void PresenceTables::Send(absl::Time now, BrokerSink* sink) {
  if (settling_ && now >= settled_at_) {
    settling_ = false;
    CompleteWhatIs();
  }
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Group* const group = groups_.find(deadlines_.begin()->second)->second.get();
    const size_t bytes_before = group->table.bytes();
    group->table.Expire(now);
    OnTableChanged(group, bytes_before);
  }
  while (!kept_.empty() && kept_.begin()->first <= now) {
    Group* const group = groups_.find(kept_.begin()->second)->second.get();
    kept_.erase(kept_.begin());
    group->kept = false;
    EndIfUnwatched(group);
  }
  size_t bytes = 0;
  for (size_t turns = ready_.size(); turns > 0 && bytes < options_.turn_bytes && !ready_.empty();
       --turns) {
    const PublisherId id = ready_.front();
    ready_.pop_front();
    Worker* const worker = &workers_.at(id);
    worker->ready = false;
    if (!MaySend(*worker)) continue;
    bytes += SendNext(id, worker, sink, now);
    if (const auto still = workers_.find(id); still != workers_.end())
      MakeReady(id, &still->second);
  }
  // Confirmations that no other frame has brought, what found no room before, and probes.
  const bool probes = now >= next_probe_ && (!groups_.empty() || must_probe_ || has_away_);
  if (probes) next_probe_ = now + options_.probe_period;
  if (!probes && !std::exchange(has_small_frames_, false)) return;
  const bool probes_all = probes && std::exchange(must_probe_, false);
  has_away_ = false;
  std::vector<PublisherId> away;
  std::vector<PublisherId> ended;
  for (auto& [id, worker] : workers_) {
    if (worker.away) {
      has_away_ = true;
      if (now >= worker.away_until) ended.push_back(id);
      continue;
    }
    std::string frame = std::exchange(worker.unsent, {});
    const bool is_kept = !frame.empty();
    if (!is_kept) {
      if (!worker.confirmation_due && !(probes && now >= worker.probe_at) && !worker.stranger &&
          !probes_all) {
        continue;
      }
      if (worker.stranger && now < worker.probe_at) {
        has_small_frames_ = true;
        continue;
      }
      frame = EmptyFrame(&worker);
    }
    const BrokerSink::Sent sent = SendFrame(id, &worker, frame, sink, now);
    if (sent == BrokerSink::Sent::kGone) away.push_back(id);
    if (sent == BrokerSink::Sent::kFull) {
      has_small_frames_ = true;
      if (is_kept) worker.unsent = std::move(frame);
    }
    if (sent == BrokerSink::Sent::kSent) MakeReady(id, &worker);
  }
  for (const PublisherId id : away) OnAway(id, now);
  for (const PublisherId id : ended) workers_.erase(id);
}

std::string PresenceTables::EmptyFrame(Worker* worker) const {
  PresenceFrame frame;
  frame.set_stream(worker->stream);
  if (worker->stranger) {
    frame.set_unknown(true);
  } else {
    frame.set_confirmed(worker->received);
  }
  return ControlFrame(ControlKind::kPresence, frame);
}

BrokerSink::Sent PresenceTables::SendFrame(PublisherId id, Worker* worker, absl::string_view frame,
                                           BrokerSink* sink, absl::Time now) {
  const BrokerSink::Sent sent = sink->SendControl(id, frame);
  if (sent == BrokerSink::Sent::kSent) worker->confirmation_due = false;
  worker->probe_at = now + options_.probe_period;
  return sent;
}

size_t PresenceTables::SendNext(PublisherId id, Worker* worker, BrokerSink* sink, absl::Time now) {
  PresenceFrame frame;
  size_t bytes = 0;
  while (!worker->queue.empty() && bytes < options_.frame_bytes) {
    Group* const group = worker->queue.front();
    worker->queue.pop_front();
    group->places.at(id).queued = false;
    if (!AddNews(id, group, &frame, &bytes)) {
      group->places.at(id).queued = true;
      worker->queue.push_back(group);  // others first
    } else {
      EraseIfTold(group);
    }
  }
  if (frame.groups_size() == 0) return 0;
  frame.set_stream(worker->stream);
  frame.set_number(++worker->sent);
  frame.set_confirmed(worker->received);
  std::string text = ControlFrame(ControlKind::kPresence, frame);
  switch (SendFrame(id, worker, text, sink, now)) {
    case BrokerSink::Sent::kSent:
      return text.size();
    case BrokerSink::Sent::kFull:
      worker->unsent = std::move(text);
      has_small_frames_ = true;
      return 0;
    case BrokerSink::Sent::kGone:
      OnAway(id, now);
      return 0;
  }
  return 0;
}

bool PresenceTables::AddNews(PublisherId id, Group* group, PresenceFrame* frame, size_t* bytes) {
  Place* const place = &group->places.at(id);
  Wire news;
  size_t news_bytes = kGroupOverheadBytes + group->id.size();
  bool says = false;
  if (place->untold != Wire::UNCHANGED) {
    news.set_watch(std::exchange(place->untold, Wire::UNCHANGED));
    says = true;
  }
  if (place->refusal != Wire::NONE) {
    news.set_refusal(std::exchange(place->refusal, Wire::NONE));
    says = true;
  }
  if (!place->kept.empty()) {
    const size_t before = *bytes;
    *bytes += news_bytes;
    AddKept(id, group, &news, bytes);
    news_bytes = *bytes - before;
    *bytes = before;
    says |= news.kept_size() > 0;
  }
  bool is_all = true;
  if (place->watches && group->complete) {
    const size_t before = *bytes;
    const size_t empty_bytes = news_bytes;
    *bytes += news_bytes;
    if (place->phase == Phase::kChanges && place->next_change < group->table.first_change()) {
      place->phase = Phase::kWaiting;  // it is too far behind
    }
    if (place->phase == Phase::kWaiting) {
      place->phase = Phase::kTable;
      place->begun = false;
      place->next_id = 0;
      place->next_change = group->table.end_change();
    }
    place->phase == Phase::kTable ? AddTable(group, place, &news, bytes)
                                  : AddChanges(group, place, &news, bytes);
    news_bytes = *bytes - before;
    *bytes = before;
    says |= news_bytes > empty_bytes || news.begins() || news.ends();
    is_all = place->phase == Phase::kChanges && place->next_change == group->table.end_change();
  }
  is_all &= place->kept.empty();
  if (!says) return is_all;
  *bytes += news_bytes;
  news.set_group_id(group->id);
  *frame->add_groups() = std::move(news);
  return is_all;
}

void PresenceTables::AddKept(PublisherId id, Group* group, Wire* news, size_t* bytes) {
  std::set<uint64_t>& kept = group->places.at(id).kept;
  // At least one, however small frames are.
  for (bool any = false; !kept.empty() && (!any || *bytes < options_.frame_bytes); any = true) {
    const uint64_t connection = *kept.begin();
    kept.erase(kept.begin());
    const PresentMember* const member = group->table.MemberOf(id, connection);
    if (member == nullptr) continue;
    channel::v1::KeptMember* const told = news->add_kept();
    told->set_connection_id(connection);
    told->set_member_id(member->connection_id());
    told->set_since_ms(member->since_ms());
    *bytes += kMemberOverheadBytes;
  }
}

void PresenceTables::AddTable(Group* group, Place* place, Wire* news, size_t* bytes) {
  if (!std::exchange(place->begun, true)) news->set_begins(true);
  // At least one, however small frames are.
  for (bool any = false; !any || *bytes < options_.frame_bytes; any = true) {
    const PresentMember* const member = group->table.FirstFrom(place->next_id);
    if (member == nullptr) {
      news->set_ends(true);
      place->phase = Phase::kChanges;
      return;
    }
    *news->add_joined() = *member;
    *bytes += WireBytes(*member);
    if (member->connection_id() == UINT64_MAX) {
      news->set_ends(true);
      place->phase = Phase::kChanges;
      return;
    }
    place->next_id = member->connection_id() + 1;
  }
}

void PresenceTables::AddChanges(Group* group, Place* place, Wire* news, size_t* bytes) {
  absl::flat_hash_set<uint64_t> told;
  for (bool any = false;
       place->next_change < group->table.end_change() && (!any || *bytes < options_.frame_bytes);
       ++place->next_change, any = true) {
    const uint64_t id = group->table.change(place->next_change);
    if (!told.insert(id).second) continue;
    if (const PresentMember* const member = group->table.Find(id)) {
      *news->add_joined() = *member;
      *bytes += WireBytes(*member);
    } else {
      news->add_left(id);
      *bytes += sizeof(id);
    }
  }
}

}  // namespace groupcast::service
