#include "services/channel_server/broker/present_group.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {
namespace {

// What a member takes besides its texts: its entry, its places in the indexes, a change.
constexpr size_t kEntryBytes = 400;

}  // namespace

void PresentGroup::Join(PublisherId worker, const channel::v1::PresentMember& member,
                        absl::Time now) {
  const uint64_t connection = member.connection_id();
  if (const auto known = by_connection_.find(connection); known != by_connection_.end()) {
    Entry& entry = entries_.at(known->second);
    if (entry.worker != worker) return;
    entry.named = true;
    SetData(&entry, member);
    if (std::exchange(entry.leaving, false)) SetDeadline(&entry, absl::InfiniteFuture());
    return;
  }
  Entry entry{.member = member, .connection = connection, .worker = worker};
  entry.member.clear_identity();
  entry.identity = IdentityOf(member);
  if (Entry* const left = FindTwin(entry, /*visible=*/true, /*leaving=*/true)) {
    Unbind(left);
    Bind(left, connection, worker);
    left->named = true;
    left->leaving = false;
    SetDeadline(left, absl::InfiniteFuture());
    return;
  }
  // What a list names was there before: after a restart of the server, it is in views already.
  entry.visible =
      listing_.contains(worker) || FindTwin(entry, /*visible=*/true, /*leaving=*/false) == nullptr;
  const uint64_t id = FreeIdFor(connection);
  entry.member.set_connection_id(id);
  Entry* const added = &entries_.emplace(id, std::move(entry)).first->second;
  bytes_ += BytesOf(*added);
  Bind(added, connection, worker);
  if (!added->identity.empty()) by_identity_[added->identity].push_back(id);
  if (added->visible) {
    NoteChange(id);
  } else {
    SetDeadline(added, now + std::min(options_->overlap, options_->grace));
  }
}

// A member may have another token now. The time of its join stays that of its first connection.
void PresentGroup::SetData(Entry* entry, const channel::v1::PresentMember& member) {
  const uint64_t id = entry->member.connection_id();
  const Fingerprint identity = IdentityOf(member);
  if (entry->identity != identity) {
    RemoveIdentity(*entry);
    entry->identity = identity;
    if (!identity.empty()) by_identity_[identity].push_back(id);
  }
  if (entry->member.user() == member.user() && entry->member.info() == member.info()) return;
  bytes_ -= BytesOf(*entry);
  entry->member.set_user(member.user());
  entry->member.set_info(member.info());
  bytes_ += BytesOf(*entry);
  if (entry->visible) NoteChange(id);
}

Fingerprint PresentGroup::IdentityOf(const channel::v1::PresentMember& member) const {
  if (member.identity().size() != 16 || options_->grace <= absl::ZeroDuration()) return {};
  return FingerprintFromBytes(member.identity());
}

void PresentGroup::RemoveIdentity(const Entry& entry) {
  const auto twins = by_identity_.find(entry.identity);
  if (twins == by_identity_.end()) return;
  std::erase(twins->second, entry.member.connection_id());
  if (twins->second.empty()) by_identity_.erase(twins);
}

void PresentGroup::Leave(PublisherId worker, uint64_t connection) {
  if (Entry* const entry = FindConnection(worker, connection)) Remove(entry);
}

void PresentGroup::Lose(PublisherId worker, uint64_t connection, absl::Time now) {
  if (Entry* const entry = FindConnection(worker, connection)) LoseEntry(entry, now);
}

void PresentGroup::LoseEntry(Entry* entry, absl::Time now) {
  if (!entry->visible || entry->identity.empty()) return Remove(entry);
  if (Entry* const next = FindTwin(*entry, /*visible=*/false, /*leaving=*/false)) {
    return TakeOver(entry, next);
  }
  entry->leaving = true;
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
  for (const uint64_t id : IdsOf(worker)) {
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.worker != worker) continue;
    Entry* const entry = &found->second;
    if (!entry->visible) {
      Remove(entry);
      continue;
    }
    if (Entry* const next = FindTwin(*entry, /*visible=*/false, /*leaving=*/false);
        next != nullptr && next->worker != worker) {
      TakeOver(entry, next);
      continue;
    }
    if (std::exchange(entry->leaving, true)) continue;
    SetDeadline(entry, now + options_->lease);
  }
}

void PresentGroup::OnWorkerBack(PublisherId worker) {
  for (const uint64_t id : IdsOf(worker)) {
    Entry& entry = entries_.at(id);
    if (!entry.visible) continue;
    entry.leaving = false;
    SetDeadline(&entry, absl::InfiniteFuture());
  }
}

void PresentGroup::OnWorkerEnded(PublisherId worker, absl::Time now) {
  BeginList(worker);
  EndList(worker, now);
}

void PresentGroup::Expire(absl::Time now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Entry* const entry = &entries_.at(deadlines_.begin()->second);
    if (entry->visible) {
      Remove(entry);
      continue;
    }
    entry->visible = true;
    SetDeadline(entry, absl::InfiniteFuture());
    NoteChange(entry->member.connection_id());
  }
}

const channel::v1::PresentMember* PresentGroup::Find(uint64_t id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() || !found->second.visible ? nullptr : &found->second.member;
}

const channel::v1::PresentMember* PresentGroup::FirstFrom(uint64_t id) const {
  auto at = entries_.lower_bound(id);
  while (at != entries_.end() && !at->second.visible) ++at;
  return at == entries_.end() ? nullptr : &at->second.member;
}

PresentGroup::Entry* PresentGroup::FindConnection(PublisherId worker, uint64_t connection) {
  const auto known = by_connection_.find(connection);
  if (known == by_connection_.end()) return nullptr;
  Entry* const entry = &entries_.at(known->second);
  return entry->worker == worker ? entry : nullptr;
}

PresentGroup::Entry* PresentGroup::FindTwin(const Entry& of, bool visible, bool leaving) {
  if (of.identity.empty()) return nullptr;
  const auto found = by_identity_.find(of.identity);
  if (found == by_identity_.end()) return nullptr;
  for (const uint64_t id : found->second) {
    Entry& twin = entries_.at(id);
    // A member with other data is another one for those that see it.
    if (twin.visible == visible && twin.leaving == leaving &&
        twin.member.user() == of.member.user() && twin.member.info() == of.member.info() &&
        &twin != &of) {
      return &twin;
    }
  }
  return nullptr;
}

// A connection may come back after a member with its id has got another connection. Ids stay
// unique: the connections that took ids over have left their own ones free.
uint64_t PresentGroup::FreeIdFor(uint64_t connection) const {
  uint64_t id = connection;
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

void PresentGroup::TakeOver(Entry* to, Entry* from) {
  const uint64_t connection = from->connection;
  const PublisherId worker = from->worker;
  const bool named = from->named;
  Remove(from);
  Unbind(to);
  Bind(to, connection, worker);
  to->named = named;
  to->leaving = false;
  SetDeadline(to, absl::InfiniteFuture());
}

void PresentGroup::Bind(Entry* entry, uint64_t connection, PublisherId worker) {
  entry->connection = connection;
  entry->worker = worker;
  by_connection_[connection] = entry->member.connection_id();
  by_worker_[worker].insert(entry->member.connection_id());
}

void PresentGroup::Unbind(Entry* entry) {
  by_connection_.erase(entry->connection);
  const auto of_worker = by_worker_.find(entry->worker);
  of_worker->second.erase(entry->member.connection_id());
  if (of_worker->second.empty()) by_worker_.erase(of_worker);
}

void PresentGroup::Remove(Entry* entry) {
  const uint64_t id = entry->member.connection_id();
  const bool was_visible = entry->visible;
  SetDeadline(entry, absl::InfiniteFuture());
  Unbind(entry);
  RemoveIdentity(*entry);
  bytes_ -= BytesOf(*entry);
  entries_.erase(id);
  if (was_visible) NoteChange(id);
}

void PresentGroup::NoteChange(uint64_t id) {
  changes_.push_back(id);
  ++end_change_;
  if (changes_.size() > options_->changes_max) changes_.pop_front();
}

std::vector<uint64_t> PresentGroup::IdsOf(PublisherId worker) const {
  const auto found = by_worker_.find(worker);
  if (found == by_worker_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

size_t PresentGroup::BytesOf(const Entry& entry) {
  return kEntryBytes + entry.member.user().size() + entry.member.info().size();
}

}  // namespace groupcast::service
