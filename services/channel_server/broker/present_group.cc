#include "services/channel_server/broker/present_group.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"

namespace groupcast::service {
namespace {

// What a member takes besides its texts: its entry, and its places in the indexes.
constexpr size_t kEntryBytes = 400;

}  // namespace

void PresentGroup::Join(PublisherId worker, const channel::v1::PresentMember& member,
                        absl::Time now) {
  Entry fresh = EntryOf(worker, member);
  if (const auto known = by_connection_.find(fresh.connection); known != by_connection_.end()) {
    Entry* const entry = &entries_.at(known->second);
    if (entry->worker != worker) return;
    entry->named = true;
    entry->told_id = fresh.told_id;
    entry->told_since_ms = fresh.told_since_ms;
    if (Update(entry, fresh)) {
      if (entry->state == State::kLeaving) BecomeThere(entry);
      return TellWorker(entry);
    }
    Leave(worker, fresh.connection);
  }
  Add(std::move(fresh), now);
}

PresentGroup::Entry PresentGroup::EntryOf(PublisherId worker,
                                          const channel::v1::PresentMember& member) const {
  const auto fingerprint = [this](const std::string& bytes) -> Fingerprint {
    if (bytes.size() != 16 || options_->grace <= absl::ZeroDuration()) return {};
    return FingerprintFromBytes(bytes);
  };
  Entry entry{.member = member,
              .identity = fingerprint(member.identity()),
              .session = fingerprint(member.session()),
              .connection = member.connection_id(),
              .worker = worker,
              .told_id = member.member_id() == 0 ? member.connection_id() : member.member_id(),
              .told_since_ms = member.since_ms()};
  entry.member.clear_identity();
  entry.member.clear_session();
  entry.member.clear_member_id();
  return entry;
}

void PresentGroup::Add(Entry entry, absl::Time now) {
  if (Entry* const left = FindTwin(entry, Match::kSession, State::kLeaving)) {
    return Succeed(left, entry);
  }
  if (FindTwin(entry, Match::kSession, State::kThere) != nullptr) {
    entry.state = State::kBehind;
  } else if (Entry* const left = FindTwin(entry, Match::kIdentity, State::kLeaving)) {
    return Succeed(left, entry);
  } else if (!listing_.contains(entry.worker) &&
             FindTwin(entry, Match::kIdentity, State::kThere) != nullptr) {
    entry.state = State::kWaiting;
  }
  // (What a list names was there before: after a restart of the server, it is in views already.)
  const uint64_t id = FreeIdFor(entry);
  entry.member.set_connection_id(id);
  Entry* const added = &entries_.emplace(id, std::move(entry)).first->second;
  bytes_ += BytesOf(*added);
  Bind(*added);
  AddTwin(*added);
  if (added->state == State::kThere) {
    BecomeThere(added);
    NoteChange(id);
  } else if (added->state == State::kWaiting) {
    SetDeadline(added, now + std::min(options_->overlap, options_->grace));
  }
  TellWorker(added);
}

// The time of its join stays that of its first connection.
bool PresentGroup::Update(Entry* entry, const Entry& fresh) {
  const bool has_same_texts =
      entry->member.user() == fresh.member.user() && entry->member.info() == fresh.member.info();
  if (has_same_texts && entry->identity == fresh.identity && entry->session == fresh.session) {
    return true;
  }
  if (entry->state == State::kBehind ||
      FindTwin(*entry, Match::kSession, State::kBehind) != nullptr ||
      FindTwin(fresh, Match::kSession, State::kThere) != nullptr) {
    return false;
  }
  RemoveTwin(*entry);
  bytes_ -= BytesOf(*entry);
  entry->identity = fresh.identity;
  entry->session = fresh.session;
  entry->member.set_user(fresh.member.user());
  entry->member.set_info(fresh.member.info());
  bytes_ += BytesOf(*entry);
  AddTwin(*entry);
  if (!has_same_texts && entry->visible()) NoteChange(entry->member.connection_id());
  return true;
}

void PresentGroup::Leave(PublisherId worker, uint64_t connection) {
  Entry* const entry = FindConnection(worker, connection);
  if (entry == nullptr) return;
  if (entry->visible()) {
    if (Entry* const next = FindTwin(*entry, Match::kSession, State::kBehind)) {
      return TakeOver(entry, next);
    }
  }
  Remove(entry);
}

void PresentGroup::Lose(PublisherId worker, uint64_t connection, absl::Time now) {
  if (Entry* const entry = FindConnection(worker, connection)) LoseEntry(entry, now);
}

void PresentGroup::LoseEntry(Entry* entry, absl::Time now) {
  if (!entry->visible() || entry->identity.empty()) return Remove(entry);
  if (Entry* const next = FindSuccessor(*entry)) return TakeOver(entry, next);
  SetState(entry, State::kLeaving);
  SetDeadline(entry, std::min(entry->deadline, now + options_->grace));
}

void PresentGroup::BeginList(PublisherId worker) {
  listing_.insert(worker);
  for (const uint64_t id : IdsOf(worker)) entries_.at(id).named = false;
}

void PresentGroup::EndList(PublisherId worker, absl::Time now) {
  listing_.erase(worker);
  for (const uint64_t id : IdsOf(worker)) {
    const auto entry = entries_.find(id);
    if (entry == entries_.end() || entry->second.worker != worker) continue;
    if (!std::exchange(entry->second.named, true)) LoseEntry(&entry->second, now);
  }
}

void PresentGroup::OnWorkerAway(PublisherId worker, absl::Time now) {
  listing_.erase(worker);
  const std::vector<uint64_t> ids = IdsOf(worker);
  for (const uint64_t id : ids) {
    if (Entry* const entry = &entries_.at(id); !entry->visible()) Remove(entry);
  }
  for (const uint64_t id : ids) {
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.worker != worker) continue;
    Entry* const entry = &found->second;
    if (Entry* const next = FindSuccessor(*entry)) {
      TakeOver(entry, next);
    } else if (entry->state != State::kLeaving) {
      SetState(entry, State::kLeaving);
      SetDeadline(entry, now + options_->lease);
    }
  }
}

void PresentGroup::OnWorkerBack(PublisherId worker) {
  for (const uint64_t id : IdsOf(worker)) {
    if (Entry* const entry = &entries_.at(id); entry->visible()) BecomeThere(entry);
  }
}

void PresentGroup::OnWorkerEnded(PublisherId worker, absl::Time now) {
  BeginList(worker);
  EndList(worker, now);
}

void PresentGroup::Expire(absl::Time now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Entry* const entry = &entries_.at(deadlines_.begin()->second);
    if (entry->visible()) {
      Remove(entry);
      continue;
    }
    BecomeThere(entry);
    NoteChange(entry->member.connection_id());
  }
}

const channel::v1::PresentMember* PresentGroup::Find(uint64_t id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() || !found->second.visible() ? nullptr : &found->second.member;
}

const channel::v1::PresentMember* PresentGroup::FirstFrom(uint64_t id) const {
  auto at = entries_.lower_bound(id);
  while (at != entries_.end() && !at->second.visible()) ++at;
  return at == entries_.end() ? nullptr : &at->second.member;
}

PresentGroup::Entry* PresentGroup::FindConnection(PublisherId worker, uint64_t connection) {
  const auto known = by_connection_.find(connection);
  if (known == by_connection_.end()) return nullptr;
  Entry* const entry = &entries_.at(known->second);
  return entry->worker == worker ? entry : nullptr;
}

PresentGroup::Entry* PresentGroup::FindTwin(const Entry& of, Match match, State state) {
  const bool by_session = match == Match::kSession;
  if ((by_session ? of.session : of.identity).empty()) return nullptr;
  const size_t hash = HashOf(of, match);
  for (auto at = twins_.lower_bound({hash, state, 0}); at != twins_.end(); ++at) {
    ++looked_at_;
    const auto [its_hash, its_state, id] = *at;
    if (its_hash != hash || its_state != state) break;
    Entry& twin = entries_.at(id);
    // A member with other data is another one for those that see it.
    if (twin.connection != of.connection && twin.member.user() == of.member.user() &&
        twin.member.info() == of.member.info() &&
        (by_session ? twin.session == of.session : twin.identity == of.identity)) {
      return &twin;
    }
  }
  return nullptr;
}

PresentGroup::Entry* PresentGroup::FindSuccessor(const Entry& of) {
  Entry* const next = FindTwin(of, Match::kSession, State::kBehind);
  return next != nullptr ? next : FindTwin(of, Match::kIdentity, State::kWaiting);
}

// A connection may come back after a member with its id has got another connection. Ids stay
// unique: the connections that took ids over have left their own ones free.
uint64_t PresentGroup::FreeIdFor(const Entry& entry) const {
  if (entry.state != State::kBehind && !entries_.contains(entry.told_id)) return entry.told_id;
  uint64_t id = entry.connection;
  for (auto taken = entries_.find(id); taken != entries_.end(); taken = entries_.find(id)) {
    id = taken->second.connection;
  }
  return id;
}

void PresentGroup::SetDeadline(Entry* entry, absl::Time deadline) {
  const uint64_t id = entry->member.connection_id();
  if (entry->deadline != absl::InfiniteFuture()) deadlines_.erase({entry->deadline, id});
  entry->deadline = deadline;
  if (deadline != absl::InfiniteFuture()) deadlines_.emplace(deadline, id);
}

void PresentGroup::SetState(Entry* entry, State state) {
  RemoveTwin(*entry);
  entry->state = state;
  AddTwin(*entry);
}

void PresentGroup::BecomeThere(Entry* entry) {
  SetState(entry, State::kThere);
  SetDeadline(entry, absl::InfiniteFuture());
  while (Entry* const other = FindTwin(*entry, Match::kSession, State::kWaiting)) {
    SetState(other, State::kBehind);
    SetDeadline(other, absl::InfiniteFuture());
    TellWorker(other);
  }
}

void PresentGroup::AddTwin(const Entry& entry) {
  const uint64_t id = entry.member.connection_id();
  if (!entry.identity.empty()) twins_.emplace(HashOf(entry, Match::kIdentity), entry.state, id);
  if (!entry.session.empty()) twins_.emplace(HashOf(entry, Match::kSession), entry.state, id);
}

void PresentGroup::RemoveTwin(const Entry& entry) {
  const uint64_t id = entry.member.connection_id();
  if (!entry.identity.empty()) twins_.erase({HashOf(entry, Match::kIdentity), entry.state, id});
  if (!entry.session.empty()) twins_.erase({HashOf(entry, Match::kSession), entry.state, id});
}

void PresentGroup::TakeOver(Entry* to, Entry* from) {
  const Entry connection = *from;
  Remove(from);
  Succeed(to, connection);
}

void PresentGroup::Succeed(Entry* to, const Entry& connection) {
  Unbind(*to);
  RemoveTwin(*to);
  to->session = connection.session;
  to->connection = connection.connection;
  to->worker = connection.worker;
  to->told_id = connection.told_id;
  to->told_since_ms = connection.told_since_ms;
  to->named = connection.named;
  Bind(*to);
  AddTwin(*to);
  BecomeThere(to);
  TellWorker(to);
}

void PresentGroup::Bind(const Entry& entry) {
  by_connection_[entry.connection] = entry.member.connection_id();
  by_worker_[entry.worker].insert(entry.member.connection_id());
}

void PresentGroup::Unbind(const Entry& entry) {
  by_connection_.erase(entry.connection);
  const auto of_worker = by_worker_.find(entry.worker);
  of_worker->second.erase(entry.member.connection_id());
  if (of_worker->second.empty()) by_worker_.erase(of_worker);
}

void PresentGroup::Remove(Entry* entry) {
  const uint64_t id = entry->member.connection_id();
  const bool was_visible = entry->visible();
  SetDeadline(entry, absl::InfiniteFuture());
  Unbind(*entry);
  RemoveTwin(*entry);
  bytes_ -= BytesOf(*entry);
  entries_.erase(id);
  if (was_visible) NoteChange(id);
}

void PresentGroup::NoteChange(uint64_t id) {
  changes_.push_back(id);
  ++end_change_;
  // A whole table is shorter than more changes than that.
  const size_t max = std::min(options_->changes_max,
                              std::max(options_->changes_of_small_max, 2 * entries_.size()));
  while (changes_.size() > max) changes_.pop_front();
}

const PresentGroup::Entry& PresentGroup::MemberOf(const Entry& entry) {
  if (entry.state != State::kBehind) return entry;
  const Entry* const member = FindTwin(entry, Match::kSession, State::kThere);
  return member == nullptr ? entry : *member;
}

const channel::v1::PresentMember* PresentGroup::MemberOf(PublisherId worker, uint64_t connection) {
  const Entry* const entry = FindConnection(worker, connection);
  return entry == nullptr ? nullptr : &MemberOf(*entry).member;
}

void PresentGroup::TellWorker(Entry* entry) {
  const channel::v1::PresentMember& member = MemberOf(*entry).member;
  if (entry->told_id == member.connection_id() && entry->told_since_ms == member.since_ms()) return;
  entry->told_id = member.connection_id();
  entry->told_since_ms = member.since_ms();
  untold_.push_back({entry->worker, entry->connection});
}

std::vector<uint64_t> PresentGroup::IdsOf(PublisherId worker) const {
  const auto found = by_worker_.find(worker);
  if (found == by_worker_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

size_t PresentGroup::HashOf(const Entry& entry, Match match) {
  return absl::HashOf(match, match == Match::kSession ? entry.session : entry.identity,
                      entry.member.user(), entry.member.info());
}

size_t PresentGroup::BytesOf(const Entry& entry) {
  return kEntryBytes + entry.member.user().size() + entry.member.info().size();
}

}  // namespace groupcast::service
