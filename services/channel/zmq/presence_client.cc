#include "services/channel/zmq/presence_client.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/channel/wire.h"

namespace groupcast::service {
namespace {

using channel::v1::PresenceFrame;
using Wire = channel::v1::PresenceGroup;

// A stream whose first frame has no confirmation after this time begins again.
constexpr absl::Duration kOpenTimeout = absl::Seconds(5);

// Protobuf's few bytes around a member, and around a group.
constexpr size_t kMemberOverheadBytes = 32;
constexpr size_t kFingerprintBytes = 18;
constexpr size_t kGroupOverheadBytes = 32;

// What a member of a view takes besides its texts.
constexpr size_t kEntryBytes = 200;

// The changes of a small group that wait before its list begins anew.
constexpr size_t kChangesMin = 1'000;

size_t BytesOf(const PresentMember& member) {
  return kEntryBytes + member.user.size() + member.info.size();
}

absl::Status StatusOf(Wire::Refusal refusal) {
  switch (refusal) {
    case Wire::TOO_MANY_MEMBERS:
      return absl::ResourceExhaustedError("the group has too many members for presence");
    case Wire::TOO_MANY_WATCHES:
      return absl::UnavailableError("too many groups are watched for presence");
    default:
      return absl::UnavailableError("presence has no more memory");
  }
}

}  // namespace

// ---- The stream.

void PresenceClient::OnConnected(bool server_takes_part) {
  connected_ = server_takes_part;
  if (connected_) Open();
}

void PresenceClient::OnDisconnected() {
  connected_ = false;
  ForgetServer();
}

void PresenceClient::ForgetServer() {
  asked_.clear();
  reports_.clear();
  queue_.clear();
  untold_.clear();
  untold_ends_.clear();
  for (auto& [group_id, watched] : watched_) {
    watched.told = watched.complete = watched.building = false;
    untold_.emplace(group_id, false);
  }
}

void PresenceClient::Open() {
  came_back_ |= answered_;
  ++stream_;
  opened_ = answered_ = false;
  sent_ = confirmed_ = received_ = 0;
  confirmation_due_ = false;
  unsent_.clear();
  next_report_ = absl::InfinitePast();
  open_again_at_ = clock_->Now() + kOpenTimeout;
  ForgetServer();  // it asks for the lists that it needs
}

void PresenceClient::OnFrame(const PresenceFrame& frame) {
  if (!connected_ || frame.stream() != stream_) return;
  if (frame.unknown()) return Open();
  if (frame.confirmed() > confirmed_ && frame.confirmed() <= sent_) confirmed_ = frame.confirmed();
  if (confirmed_ > 0) answered_ = true;
  if (frame.number() == 0 || frame.number() <= received_) return;
  if (frame.number() != received_ + 1) return Open();
  ++received_;
  confirmation_due_ = true;
  for (const Wire& group : frame.groups()) OnGroup(group);
}

bool PresenceClient::Flush() {
  bool works = !refused_.empty();
  for (; !refused_.empty(); refused_.pop_front()) {
    if (listener_ != nullptr) {
      listener_->OnWatchRefused(refused_.front(), StatusOf(Wire::TOO_MANY_WATCHES));
    }
  }
  if (!connected_) return works;
  if (opened_ && !answered_ && clock_->Now() >= open_again_at_) Open();
  if (!SendUnsent()) return works;
  const bool reports = may_report();
  while (sent_ - confirmed_ < options_.frames_under_way_max &&
         (!opened_ || says_watches() || (reports && !queue_.empty()))) {
    next_report_ = clock_->Now() + options_.report_interval;
    if (!SendFrame()) return works;
    works = true;
  }
  if (!confirmation_due_) return works;
  PresenceFrame frame;
  frame.set_stream(stream_);
  frame.set_confirmed(received_);
  if (links_->SendControl(ControlFrame(ControlKind::kPresence, frame))) confirmation_due_ = false;
  return true;
}

// False: the link has no room now. The frame goes later.
bool PresenceClient::SendUnsent() {
  if (unsent_.empty()) return true;
  if (!links_->SendControl(unsent_)) return false;
  unsent_.clear();
  return true;
}

bool PresenceClient::SendFrame() {
  PresenceFrame frame;
  frame.set_stream(stream_);
  frame.set_number(sent_ + 1);
  frame.set_confirmed(received_);
  if (!opened_) frame.set_came_back(came_back_);
  size_t bytes = 0;
  const auto say = [&](const std::string& group_id, Wire::Switch watch) {
    Wire* const group = frame.add_groups();
    group->set_group_id(group_id);
    group->set_watch(watch);
    bytes += kGroupOverheadBytes + group_id.size();
  };
  while (!untold_ends_.empty() && bytes < options_.frame_bytes) {
    say(*untold_ends_.begin(), Wire::OFF);
    untold_ends_.erase(untold_ends_.begin());
  }
  while (!untold_.empty() && bytes < options_.frame_bytes) {
    watched_.at(untold_.begin()->first).told = true;
    say(untold_.begin()->first, Wire::ON);
    untold_.erase(untold_.begin());
  }
  while (!queue_.empty() && bytes < options_.frame_bytes) {
    std::string group_id = std::move(queue_.front());
    queue_.pop_front();
    const auto found = reports_.find(group_id);
    if (found == reports_.end() || !found->second.queued) continue;
    found->second.queued = false;
    if (AddReport(group_id, &found->second, &frame, &bytes)) {
      reports_.erase(found);
    } else {
      Queue(group_id, &found->second);
    }
  }
  if (opened_ && frame.groups_size() == 0) return true;
  ++sent_;
  opened_ = true;
  confirmation_due_ = false;
  unsent_ = ControlFrame(ControlKind::kPresence, frame);
  return SendUnsent();
}

bool PresenceClient::AddReport(const std::string& group_id, Report* report, PresenceFrame* frame,
                               size_t* bytes) {
  Wire* const group = frame->add_groups();
  group->set_group_id(group_id);
  *bytes += kGroupOverheadBytes + group_id.size();
  if (std::exchange(report->list_begins, false)) group->set_begins(true);
  // In a frame, the server takes losses, then leaves, then joins. Connections that left never come
  // again, so that is their order; but one that has joined in this frame must not leave in it.
  absl::flat_hash_set<uint64_t> joined;
  size_t taken = 0;
  // At least one, however small frames are.
  while (taken < report->changes.size() && (taken == 0 || *bytes < options_.frame_bytes)) {
    const Change change = report->changes[taken];
    if (change.news != News::kJoined && joined.contains(change.connection_id)) break;
    ++taken;
    if (report->list_left > 0) --report->list_left;
    switch (change.news) {
      case News::kJoined: {
        const std::optional<PresentMember> member =
            listener_->FindMember(group_id, change.connection_id);
        if (!member.has_value()) break;  // it has left since
        Describe(group_id, *member, group->add_joined());
        joined.insert(change.connection_id);
        *bytes += kMemberOverheadBytes + member->user.size() + member->info.size() +
                  (member->identity.empty() ? 0 : kFingerprintBytes) +
                  (member->session.empty() ? 0 : kFingerprintBytes);
        break;
      }
      case News::kLeft:
        group->add_left(change.connection_id);
        *bytes += sizeof(change.connection_id);
        break;
      case News::kLost:
        group->add_lost(change.connection_id);
        *bytes += sizeof(change.connection_id);
        break;
    }
  }
  report->changes.erase(report->changes.begin(),
                        report->changes.begin() + static_cast<std::ptrdiff_t>(taken));
  if (report->list_ends && report->list_left == 0) {
    report->list_ends = false;
    group->set_ends(true);
  }
  return report->changes.empty() && !report->list_ends;
}

void PresenceClient::Describe(const std::string& group_id, const PresentMember& member,
                              channel::v1::PresentMember* wire) const {
  wire->set_connection_id(member.connection_id);
  wire->set_user(member.user);
  wire->set_info(member.info);
  if (!member.identity.empty()) wire->set_identity(FingerprintBytes(member.identity));
  if (!member.session.empty()) wire->set_session(FingerprintBytes(member.session));
  wire->set_since_ms(member.since_ms);
  const auto group = kept_.find(group_id);
  if (group == kept_.end()) return;
  const auto kept = group->second.find(member.connection_id);
  if (kept == group->second.end()) return;
  wire->set_member_id(kept->second.member_id);
  wire->set_since_ms(kept->second.since_ms);
}

void PresenceClient::End() {
  if (!connected_ || !opened_) return;
  PresenceFrame frame;
  frame.set_stream(stream_);
  frame.set_ends(true);
  links_->SendControl(ControlFrame(ControlKind::kPresence, frame));
  connected_ = false;
}

// ---- Reports.

void PresenceClient::BeginList(const std::string& group_id, Report* report) {
  *report = Report{.list_begins = true, .list_ends = true, .queued = report->queued};
  for (const uint64_t id : listener_->MembersOf(group_id)) {
    report->changes.push_back({id, News::kJoined});
  }
  report->list_left = report->changes.size();
  Queue(group_id, report);
}

void PresenceClient::Queue(const std::string& group_id, Report* report) {
  if (!std::exchange(report->queued, true)) queue_.push_back(group_id);
}

void PresenceClient::AddChange(absl::string_view group_id, Change change) {
  if (asked_.empty() || !asked_.contains(group_id)) return;
  const auto found = reports_.try_emplace(std::string(group_id)).first;
  Report& report = found->second;
  report.changes.push_back(change);
  Queue(found->first, &report);
  if (report.changes.size() > report.list_left + kChangesMin &&
      report.changes.size() > 2 * listener_->MembersOf(group_id).size()) {
    BeginList(found->first, &report);
  }
}

void PresenceClient::OnJoin(absl::string_view group_id, uint64_t connection_id) {
  AddChange(group_id, {connection_id, News::kJoined});
}

void PresenceClient::OnLeave(absl::string_view group_id, uint64_t connection_id,
                             bool connection_lost) {
  if (const auto group = kept_.find(group_id); group != kept_.end()) {
    kept_ids_ -= group->second.erase(connection_id);
    if (group->second.empty()) kept_.erase(group);
  }
  AddChange(group_id, {connection_id, connection_lost ? News::kLost : News::kLeft});
}

std::vector<uint64_t> PresenceClient::ConnectionsOf(uint64_t member_id,
                                                    absl::string_view group_id) const {
  std::vector<uint64_t> connections;
  const auto look = [&](const KeptOfGroup& kept) {
    for (const auto& [connection_id, member] : kept) {
      if (member.member_id == member_id) connections.push_back(connection_id);
    }
  };
  if (!group_id.empty()) {
    if (const auto group = kept_.find(group_id); group != kept_.end()) look(group->second);
    return connections;
  }
  for (const auto& [group, kept] : kept_) look(kept);
  return connections;
}

// ---- Views.

void PresenceClient::Watch(absl::string_view group_id) {
  if (watched_.contains(group_id)) return;
  if (watched_.size() >= options_.watches_max) {
    refused_.emplace_back(group_id);
    return;
  }
  watched_.emplace(group_id, Watched{});
  std::string id(group_id);
  const bool server_knows = untold_ends_.erase(id) > 0;
  untold_.emplace(std::move(id), server_knows);
}

void PresenceClient::Unwatch(absl::string_view group_id) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end()) return;
  const Watched& watched = found->second;
  view_bytes_ -= watched.bytes;
  by_bytes_.erase({watched.ranked_bytes, found->first});
  const auto untold = untold_.find(found->first);
  if (watched.told || (untold != untold_.end() && untold->second)) {
    untold_ends_.insert(found->first);
  }
  if (untold != untold_.end()) untold_.erase(untold);
  watched_.erase(found);
}

const PresenceView* PresenceClient::View(absl::string_view group_id) const {
  const auto found = watched_.find(group_id);
  return found == watched_.end() || !found->second.complete ? nullptr : &found->second.view;
}

void PresenceClient::CountBytes(const std::string& group_id) {
  if (const auto found = watched_.find(group_id); found != watched_.end()) {
    Watched& watched = found->second;
    if (watched.ranked_bytes != watched.bytes) {
      by_bytes_.erase({watched.ranked_bytes, group_id});
      watched.ranked_bytes = watched.bytes;
      if (watched.bytes > 0) by_bytes_.emplace(watched.bytes, group_id);
    }
  }
  while (view_bytes_ > options_.view_bytes_max && !by_bytes_.empty()) {
    const std::string largest = by_bytes_.rbegin()->second;
    Refuse(largest, StatusOf(Wire::TOO_MANY_BYTES));
  }
}

void PresenceClient::Refuse(const std::string& group_id, const absl::Status& why) {
  if (!watched_.contains(group_id)) return;
  Unwatch(group_id);
  listener_->OnWatchRefused(group_id, why);
}

void PresenceClient::OnKept(const std::string& group_id, const channel::v1::KeptMember& kept) {
  const uint64_t connection_id = kept.connection_id();
  // It may have left meanwhile.
  if (!listener_->FindMember(group_id, connection_id).has_value()) return;
  const Kept known = {.member_id = kept.member_id(), .since_ms = kept.since_ms()};
  kept_ids_ += kept_[group_id].insert_or_assign(connection_id, known).second ? 1 : 0;
}

void PresenceClient::OnGroup(const Wire& news) {
  if (listener_ == nullptr) return;
  const std::string& group_id = news.group_id();
  if (news.watch() == Wire::ON) {
    asked_.insert(group_id);
    next_report_ = absl::InfinitePast();  // somebody waits for the list
    BeginList(group_id, &reports_[group_id]);
  }
  if (news.watch() == Wire::OFF) {
    asked_.erase(group_id);
    reports_.erase(group_id);
    if (const auto kept = kept_.find(group_id); kept != kept_.end()) {
      kept_ids_ -= kept->second.size();
      kept_.erase(kept);
    }
  }
  for (const channel::v1::KeptMember& kept : news.kept()) OnKept(group_id, kept);
  if (news.refusal() != Wire::NONE) {
    // The listener may have ended this watch, and begun another one that the server will answer.
    if (!untold_.contains(group_id)) Refuse(group_id, StatusOf(news.refusal()));
    return;
  }
  OnTable(group_id, news);
  CountBytes(group_id);
}

void PresenceClient::OnTable(const std::string& group_id, const Wire& news) {
  // The listener may end the watch in each of its methods, so the group is looked up each time.
  const auto watched = [&]() -> Watched* {
    const auto found = watched_.find(group_id);
    return found == watched_.end() ? nullptr : &found->second;
  };
  if (Watched* const group = watched(); news.begins() && group != nullptr) {
    group->building = true;
    group->complete = false;
    group->unnamed.clear();
    for (const auto& [id, member] : group->view) group->unnamed.insert(id);
  }
  for (const uint64_t id : news.left()) OnLeft(group_id, id);
  for (const channel::v1::PresentMember& member : news.joined()) OnJoined(group_id, member);
  CountBytes(group_id);
  if (!news.ends()) return;
  Watched* group = watched();
  if (group == nullptr || !group->building) return;
  group->building = false;
  for (const uint64_t id : std::exchange(group->unnamed, {})) OnLeft(group_id, id);
  group = watched();
  if (group == nullptr) return;
  group->complete = group->was_complete = true;
  listener_->OnViewComplete(group_id);
}

void PresenceClient::OnJoined(const std::string& group_id, const channel::v1::PresentMember& wire) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end()) return;
  Watched& group = found->second;
  // Of a watch that has ended: the present one begins with a whole table.
  if (!group.building && !group.complete) return;
  if (group.building) group.unnamed.erase(wire.connection_id());
  PresentMember member{.connection_id = wire.connection_id(),
                       .user = wire.user(),
                       .info = wire.info(),
                       .since_ms = wire.since_ms()};
  const auto [at, is_new] = group.view.try_emplace(member.connection_id);
  const bool is_same = !is_new && at->second.user == member.user &&
                       at->second.info == member.info && at->second.since_ms == member.since_ms;
  if (is_same) return;
  const size_t bytes_before = is_new ? 0 : BytesOf(at->second);
  view_bytes_ += BytesOf(member) - bytes_before;
  group.bytes += BytesOf(member) - bytes_before;
  at->second = member;
  if (group.was_complete) listener_->OnMemberJoined(group_id, member);
}

void PresenceClient::OnLeft(const std::string& group_id, uint64_t connection_id) {
  const auto found = watched_.find(group_id);
  if (found == watched_.end()) return;
  Watched& group = found->second;
  const auto member = group.view.find(connection_id);
  if (member == group.view.end()) return;
  view_bytes_ -= BytesOf(member->second);
  group.bytes -= BytesOf(member->second);
  const PresentMember left = std::move(member->second);
  group.view.erase(member);
  if (group.was_complete) listener_->OnMemberLeft(group_id, left);
}

}  // namespace groupcast::service
