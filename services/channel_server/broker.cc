#include "services/channel_server/broker.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/channel_server/proto/snapshot.pb.h"

namespace groupcast::service {
namespace {

using channel::v1::Refusal;
using channel_server::v1::Snapshot;

// A publisher is swept long before anybody could notice that this is not exact.
constexpr absl::Duration kPublisherSweepPeriod = absl::Minutes(1);

// More time than this between two turns is time for which the process did not run.
constexpr absl::Duration kTurnMax = absl::Seconds(2);

// Publications are a little larger than the message in them: protobuf's tags, the time it was sent,
// a session.
constexpr size_t kContentOverheadBytes = 96;

// What a kept message costs besides its frame: its node, and its group's if it is the only one.
constexpr size_t kRetainedOverheadBytes = 256;

// So many control frames wait while the log cannot take a new epoch. Over it they are dropped:
// workers ask again.
constexpr size_t kWaitingControlMax = 1'000;

// So many heads go into one control frame.
constexpr int kHeadsPerFrame = 500;

// So many groups are forgotten in a turn, which has to name them in the log.
constexpr size_t kForgottenPerTurnMax = 10'000;

}  // namespace

// A kept message, with the whole frame behind it in one block.
struct Broker::Retained {
  Group* group;
  Retained* older;        // in the list of all
  Retained* newer;        // in the list of all
  Retained* group_newer;  // in the group's list
  absl::Time since;
  uint64_t offset;
  size_t bytes;
  bool old;  // older than the repair retention

  char* frame() { return reinterpret_cast<char*>(this + 1); }

  static Retained* New(absl::Span<const char> frame) {
    auto* retained = new (::operator new(sizeof(Retained) + frame.size())) Retained();
    retained->bytes = frame.size();
    std::memcpy(retained->frame(), frame.data(), frame.size());
    return retained;
  }
  static void Delete(Retained* retained) { ::operator delete(retained); }
};

struct Broker::Group {
  const std::string* id = nullptr;  // the key under which the group is known
  uint64_t head = 0;
  uint64_t floor = 0;
  bool subscribed = false;
  bool announce = false;  // it is in to_announce_
  bool active = false;    // it is in active_
  bool logged = false;    // the log knows that it is known
  bool idle = false;      // it is in the list of idle groups
  absl::Time idle_since;
  Group* idle_before = nullptr;
  Group* idle_after = nullptr;
  size_t retained_count = 0;
  Retained* oldest = nullptr;
  Retained* newest = nullptr;
};

struct Broker::Publisher {
  struct Result {
    uint64_t offset;  // 0: refused
    uint8_t reason;   // Refusal::Reason
  };

  bool known = false;  // its numbers are: it has said hello in this epoch, or is in the log
  uint64_t last_accepted = 0;
  absl::Time last_heard;
  bool present = false;  // it has said hello, and can be reached as far as is known
  uint64_t last_digest = 0;
  // Of the numbers up to last_accepted; the last `unsent` of them are of this turn.
  std::deque<Result> results;
  size_t unsent = 0;

  uint64_t first_result() const { return last_accepted - results.size() + 1; }

  void ForgetNumbers() {
    known = false;
    last_accepted = 0;
    results.clear();
    unsent = 0;
  }

  // Those of this turn stay, whatever the publisher says.
  void ForgetResultsBelow(uint64_t number) {
    while (results.size() > unsent && first_result() < number) results.pop_front();
  }
  void ForgetResultsOver(size_t max) {
    while (results.size() > std::max(max, unsent)) results.pop_front();
  }

  // The results from `number` on, as far as they are remembered.
  void ResultsFrom(uint64_t number, channel::v1::Acknowledgement* run) const {
    number = std::max(number, first_result());
    run->set_first_number(number);
    for (size_t i = number - first_result(); i < results.size(); ++i) {
      run->add_offsets(results[i].offset);
      if (results[i].offset != 0) continue;
      Refusal* const refusal = run->add_refusals();
      refusal->set_number(first_result() + i);
      refusal->set_reason(static_cast<Refusal::Reason>(results[i].reason));
    }
  }
};

// What a log's turn does to a broker that begins.
class Broker::Recovery final : public TurnVisitor {
 public:
  explicit Recovery(Broker* broker) : broker_(broker) {}

  void OnTime(int64_t time_ms) override {
    // Ages go on as if the time since then had been lived through.
    const absl::Duration age = broker_->calendar_->Now() - absl::FromUnixMillis(time_ms);
    since_ = broker_->now_ - std::max(absl::ZeroDuration(), age);
  }

  void OnMessage(const LiveFrame& frame, absl::string_view bytes) override {
    const LiveHeader& header = frame.header;
    Group& group = broker_->KnowGroup(frame.group_id, header.previous);
    // It was forgotten in between, and this was its first message when it came back.
    if (group.head != header.previous) Reset(&group, header.previous);
    group.head = header.offset;
    group.logged = true;
    broker_->last_offset_ = std::max(broker_->last_offset_, header.offset);
    broker_->Retain(&group, {bytes.data(), bytes.size()}, header.offset, since_);
    if (!header.key.empty()) broker_->RememberKey(header.key, header.offset, since_);
    AddResult(header.publisher, header.number, header.offset, 0);
  }

  void OnResult(PublisherId publisher, uint64_t number, uint64_t offset, uint8_t reason) override {
    AddResult(publisher, number, offset, reason);
  }

  void OnKnown(absl::string_view group_id, uint64_t floor) override {
    Group& group = broker_->KnowGroup(group_id, floor);
    group.logged = true;
    Reset(&group, floor);
  }

  void OnForgotten(absl::string_view group_id, uint64_t head) override {
    Group& group = broker_->KnowGroup(group_id, head);
    Reset(&group, head);
    broker_->ForgetGroup(&group);
  }

  void OnEpoch(Epoch epoch) override {
    if (epoch == broker_->epoch_) return;
    broker_->BeginEpoch();
    broker_->epoch_ = epoch;
    broker_->unlogged_epoch_ = false;
  }

 private:
  void Reset(Group* group, uint64_t head) {
    while (group->oldest != nullptr) broker_->DropOldest(group);
    group->head = group->floor = head;
  }

  void AddResult(PublisherId id, uint64_t number, uint64_t offset, uint8_t reason) {
    std::unique_ptr<Publisher>& publisher = broker_->publishers_[id];
    if (publisher == nullptr) publisher = std::make_unique<Publisher>();
    publisher->known = true;
    publisher->last_heard = since_;
    if (number <= publisher->last_accepted) return;
    // A server before this one took the numbers up from where the publisher was.
    if (number != publisher->last_accepted + 1) publisher->results.clear();
    publisher->last_accepted = number;
    publisher->results.push_back({offset, reason});
    publisher->ForgetResultsOver(broker_->options_.results_max);
  }

  Broker* const broker_;
  absl::Time since_;
};

Broker::Broker(const BrokerOptions& options, const Clock* clock, const Clock* calendar)
    : options_(options),
      clock_(clock),
      calendar_(calendar),
      clock_time_(clock->Now()),
      now_(clock_time_),
      epoch_(options_.new_epoch()) {}

Broker::~Broker() {
  while (oldest_ != nullptr) Retained::Delete(std::exchange(oldest_, oldest_->newer));
}

// ---- Recovery.

absl::Status Broker::RestoreSnapshot(absl::string_view bytes) {
  class Snapshot snapshot;
  if (!snapshot.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("a snapshot that cannot be read");
  }
  if (std::exchange(has_snapshot_, true)) {
    // What was read before it has led here, except to an epoch that begins with it.
    last_offset_ = std::max(last_offset_, snapshot.last_offset());
    Recovery(this).OnEpoch(Epoch{snapshot.epoch()});
    return absl::OkStatus();
  }
  epoch_ = Epoch{snapshot.epoch()};
  last_offset_ = snapshot.last_offset();
  highest_forgotten_ = snapshot.highest_forgotten();
  for (const Snapshot::Group& group : snapshot.groups()) {
    KnowGroup(group.group_id(), group.head()).logged = true;
  }
  const absl::Time date = calendar_->Now();
  for (const Snapshot::Publisher& publisher : snapshot.publishers()) {
    std::unique_ptr<Publisher>& restored = publishers_[PublisherId{publisher.id()}];
    restored = std::make_unique<Publisher>();
    restored->known = true;
    restored->last_accepted = publisher.last_accepted();
    const absl::Duration age = date - absl::FromUnixMillis(publisher.heard_ms());
    restored->last_heard = now_ - std::max(absl::ZeroDuration(), age);
  }
  return absl::OkStatus();
}

absl::Status Broker::RestoreTurn(absl::string_view record) {
  Recovery recovery(this);
  return ReadTurn(record, &recovery);
}

void Broker::FinishRecovery(bool tail_may_be_missing) {
  no_expiry_before_ = now_ + options_.repair_retention;
  no_key_expiry_before_ = now_ + options_.key_window;  // their ages go by the calendar
  for (auto& [id, publisher] : publishers_) publisher->unsent = 0;
  ForgetPublishersOver(options_.publishers_max);  // the log has those that were forgotten since
  if (tail_may_be_missing) BeginEpoch();
  for (Group* const group : SortedGroups()) UpdateIdle(group);
}

std::string Broker::Snapshot() const {
  class Snapshot snapshot;
  snapshot.set_epoch(static_cast<uint64_t>(epoch_));
  snapshot.set_last_offset(last_offset_);
  snapshot.set_highest_forgotten(highest_forgotten_);
  for (const auto& [id, group] : groups_) {
    Snapshot::Group* const entry = snapshot.add_groups();
    entry->set_group_id(id);
    entry->set_head(group.head);
  }
  const absl::Time date = calendar_->Now();
  for (const auto& [id, publisher] : publishers_) {
    if (!publisher->known) continue;
    Snapshot::Publisher* const entry = snapshot.add_publishers();
    entry->set_id(static_cast<uint64_t>(id));
    entry->set_last_accepted(publisher->last_accepted);
    entry->set_heard_ms(absl::ToUnixMillis(date - (now_ - publisher->last_heard)));
  }
  return snapshot.SerializeAsString();
}

void Broker::BeginEpoch() {
  epoch_ = options_.new_epoch();
  unlogged_epoch_ = true;
  while (oldest_ != nullptr) DropOldest(oldest_->group);
  highest_forgotten_ = last_offset_;
  // What they knew are places in the epoch before. What has no result yet is sent again.
  keys_.clear();
  keys_by_age_.clear();
  for (auto& [id, publisher] : publishers_) publisher->ForgetNumbers();
  active_.clear();
  unlogged_groups_.clear();
  absl::erase_if(groups_, [](const auto& entry) { return !entry.second.subscribed; });
  first_idle_ = last_idle_ = nullptr;
  idle_count_ = 0;
  for (Group* const group : SortedGroups()) {
    group->head = group->floor = last_offset_;
    group->active = false;
    group->logged = false;
    LogKnown(group);
    if (std::exchange(group->announce, true)) continue;
    to_announce_.emplace_back(*group->id, PublisherId{});
  }
}

// ---- A turn.

void Broker::BeginTurn() {
  const absl::Time time = clock_->Now();
  now_ += std::min(time - clock_time_, kTurnMax);
  clock_time_ = time;
  offset_before_turn_ = last_offset_;
}

absl::Status Broker::OnPublication(absl::Span<char> frame) {
  const absl::StatusOr<LiveFrame> parsed = ParseLiveFrame({frame.data(), frame.size()});
  if (!parsed.ok()) {
    ++counters_.malformed;
    return parsed.status();
  }
  const LiveHeader& header = parsed->header;
  const auto found = publishers_.find(header.publisher);
  if (found == publishers_.end() || !found->second->known) {
    ++counters_.strangers;
    return absl::FailedPreconditionError("publication of a publisher that has not said hello");
  }
  Publisher& publisher = *found->second;
  publisher.last_heard = now_;
  if (header.number <= publisher.last_accepted) {
    ++counters_.repeated;
    return absl::AlreadyExistsError("publication that was accepted before");
  }
  if (header.number != publisher.last_accepted + 1) {
    ++counters_.out_of_turn;
    return absl::AbortedError("publication whose predecessors have not come");
  }
  publisher.ForgetResultsBelow(header.offset);

  const auto refuse = [&](Refusal::Reason reason, absl::string_view why) {
    ++counters_.refused;
    AddResult(header.publisher, &publisher, 0, reason);
    return absl::InvalidArgumentError(why);
  };
  if (header.kind == LiveKind::kVoid) {
    AddResult(header.publisher, &publisher, 0, Refusal::VOID);
    return absl::CancelledError("publication that was given up");
  }
  if (header.kind != LiveKind::kPublication) {
    return refuse(Refusal::MALFORMED, "frame on the publish link that is not a publication");
  }
  if (parsed->body.size() > options_.max_message_bytes + kContentOverheadBytes) {
    return refuse(Refusal::TOO_LARGE, "publication over the maximum");
  }
  if (!header.key.empty()) {
    if (const auto key = keys_.find(header.key); key != keys_.end()) {
      ++counters_.same_key;
      AddResult(header.publisher, &publisher, key->second.offset, 0);
      return absl::AlreadyExistsError("publication whose key was used before");
    }
  }

  Group& group = KnowGroup(parsed->group_id, highest_forgotten_);
  const uint64_t offset = ++last_offset_;
  const uint64_t previous = group.head;
  PatchIntoMessage(frame, parsed->group_id.size(), {epoch_, offset}, previous);
  group.head = offset;
  if (!group.active) {
    group.active = true;
    active_.push_back(&group);
    UpdateIdle(&group);
  }
  if (!header.key.empty()) RememberKey(header.key, offset, now_);
  AddResult(header.publisher, &publisher, offset, 0);
  Taken& taken = taken_.back();
  taken.group = &group;
  taken.frame = frame;
  taken.offset = offset;
  taken.previous = previous;
  taken.key = header.key;
  return absl::OkStatus();
}

void Broker::AddResult(PublisherId id, Publisher* publisher, uint64_t offset, uint8_t reason) {
  if (publisher->unsent++ == 0) to_acknowledge_.push_back(id);
  publisher->results.push_back({offset, reason});
  ++publisher->last_accepted;
  publisher->ForgetResultsOver(options_.results_max);
  taken_.push_back({.publisher_id = id,
                    .publisher = publisher,
                    .number = publisher->last_accepted,
                    .group = nullptr,
                    .frame = {},
                    .offset = 0,
                    .previous = 0,
                    .key = {}});
}

absl::Status Broker::OnSubscription(absl::string_view bytes) {
  const absl::StatusOr<Topic> topic = ParseTopic(bytes);
  if (!topic.ok()) {
    ++counters_.malformed;
    return topic.status();
  }
  Group& group = KnowGroup(topic->group_id, highest_forgotten_);
  LogKnown(&group);
  if (topic->nonce != PublisherId{}) {
    to_announce_.emplace_back(*group.id, topic->nonce);
    return absl::OkStatus();
  }
  group.subscribed = true;
  UpdateIdle(&group);
  if (!group.announce) {
    group.announce = true;
    to_announce_.emplace_back(*group.id, PublisherId{});
  }
  return absl::OkStatus();
}

absl::Status Broker::OnUnsubscription(absl::string_view bytes) {
  const absl::StatusOr<Topic> topic = ParseTopic(bytes);
  if (!topic.ok()) {
    ++counters_.malformed;
    return topic.status();
  }
  const auto found = groups_.find(topic->group_id);
  if (found == groups_.end() || topic->nonce != PublisherId{}) return absl::OkStatus();
  found->second.subscribed = false;
  UpdateIdle(&found->second);
  return absl::OkStatus();
}

absl::Status Broker::EndTurn(BrokerSink* sink) {
  Expire();
  const size_t to_forget = CountGroupsToForget();
  if (absl::Status written = WriteTurn(to_forget, sink); !written.ok()) {
    ++counters_.failed_writes;
    TakeBack();
    SendDigests(sink);
    Acknowledge(sink);
    return written;
  }
  for (size_t i = 0; i < to_forget; ++i) ForgetGroup(first_idle_);
  size_t index = 0;
  for (const Taken& taken : taken_) {
    if (taken.group == nullptr) continue;
    Group* const group = taken.group;
    group->logged = true;
    Retain(group, taken.frame, taken.offset, now_);
    sink->HandOut(index++);
    ++counters_.publications;
  }
  taken_.clear();
  Announce(sink);
  SendDigests(sink);
  Acknowledge(sink);
  for (const auto& [from, frame] : std::exchange(waiting_control_, {})) {
    OnControl(from, frame, sink).IgnoreError();  // it was understood before
  }
  return absl::OkStatus();
}

absl::Status Broker::WriteTurn(size_t to_forget, BrokerSink* sink) {
  if (!options_.has_log) return absl::OkStatus();
  writer_.Begin(options_.record_room_bytes, absl::ToUnixMillis(calendar_->Now()));
  if (unlogged_epoch_) writer_.AddEpoch(epoch_);
  for (const auto& [id, floor] : unlogged_groups_) writer_.AddKnown(id, floor);
  for (const Taken& taken : taken_) {
    if (taken.group != nullptr) {
      writer_.AddMessage({taken.frame.data(), taken.frame.size()});
      continue;
    }
    const Publisher& publisher = *taken.publisher;
    const auto& result = publisher.results[taken.number - publisher.first_result()];
    writer_.AddResult(taken.publisher_id, taken.number, result.offset, result.reason);
  }
  const Group* forgotten = first_idle_;
  for (size_t i = 0; i < to_forget; ++i, forgotten = forgotten->idle_after) {
    writer_.AddForgotten(*forgotten->id, forgotten->head);
  }
  if (writer_.empty()) return absl::OkStatus();
  if (absl::Status written = sink->WriteLog(&writer_.record()); !written.ok()) return written;
  unlogged_epoch_ = false;
  unlogged_groups_.clear();
  return absl::OkStatus();
}

// The turn's publications are refused, and it is as if they had not come. Announcements wait for
// the log, because their heads may be known from this turn on only.
void Broker::TakeBack() {
  last_offset_ = offset_before_turn_;
  for (auto taken = taken_.rbegin(); taken != taken_.rend(); ++taken) {
    Publisher& publisher = *taken->publisher;
    auto& result = publisher.results[taken->number - publisher.first_result()];
    // Also of one that has the key of one that is taken back.
    if (result.offset > offset_before_turn_) {
      result = {.offset = 0, .reason = Refusal::UNAVAILABLE};
      ++counters_.refused;
    }
    if (taken->group == nullptr) continue;
    taken->group->head = taken->previous;
    if (!taken->key.empty()) keys_.erase(taken->key);
  }
  taken_.clear();
  DropUnknownGroups();
  // Who wants proof of its subscription asks again.
  std::erase_if(to_announce_, [this](const auto& entry) {
    if (entry.second == PublisherId{}) return false;
    const auto found = groups_.find(entry.first);
    if (found != groups_.end()) UpdateIdle(&found->second);
    return true;
  });
}

// Groups that came while the log could not be written, and that nobody uses. Nobody was told of
// them either, and they must not pile up.
void Broker::DropUnknownGroups() {
  std::vector<Group*> dropped;
  const auto drop = [&dropped](Group& group) {
    if (group.subscribed || group.oldest != nullptr) return false;
    dropped.push_back(&group);
    return true;
  };
  std::erase_if(unlogged_groups_, [&](const auto& known) {
    const auto found = groups_.find(known.first);
    return found == groups_.end() || drop(found->second);
  });
  for (Group* const group : active_) {
    if (!group->logged) drop(*group);
  }
  std::sort(dropped.begin(), dropped.end());
  dropped.erase(std::unique(dropped.begin(), dropped.end()), dropped.end());
  if (dropped.empty()) return;
  const auto is_dropped = [&dropped](const Group* group) {
    return std::binary_search(dropped.begin(), dropped.end(), group);
  };
  std::erase_if(active_, is_dropped);
  std::erase_if(to_announce_, [&](const auto& entry) {
    const auto found = groups_.find(entry.first);
    return found != groups_.end() && is_dropped(&found->second);
  });
  for (Group* const group : dropped) {
    group->announce = true;  // takes it out of the list of idle groups
    UpdateIdle(group);
    groups_.erase(groups_.find(*group->id));
  }
}

void Broker::Announce(BrokerSink* sink) {
  for (const auto& [id, nonce] : to_announce_) {
    const auto found = groups_.find(id);
    if (found == groups_.end()) continue;
    Group& group = found->second;
    if (nonce == PublisherId{} && !std::exchange(group.announce, false)) continue;
    ++counters_.announcements;
    sink->Announce(LiveFramePrefix(id, {.kind = LiveKind::kAnnouncement,
                                        .publisher = nonce,
                                        .epoch = epoch_,
                                        .offset = group.head,
                                        .previous = group.floor}));
    // One that only a proof was asked for has no subscriber.
    UpdateIdle(&group);
  }
  to_announce_.clear();
}

void Broker::Acknowledge(BrokerSink* sink) {
  for (const PublisherId id : to_acknowledge_) {
    Publisher& publisher = *publishers_.at(id);
    channel::v1::Acknowledgement run;
    run.set_epoch(static_cast<uint64_t>(epoch_));
    publisher.ResultsFrom(publisher.last_accepted - publisher.unsent + 1, &run);
    publisher.unsent = 0;
    // If it cannot be sent, the worker asks when it has waited a while.
    sink->SendControl(id, ControlFrame(ControlKind::kAcknowledgement, run));
  }
  to_acknowledge_.clear();
}

void Broker::SendDigests(BrokerSink* sink) {
  if (now_ < next_digest_ || untold_epoch()) return;
  next_digest_ = now_ + options_.digest_period;
  // What all have in common is made once; the number goes in front of it (fields of a protobuf
  // message may come in any order).
  std::vector<std::string> bodies;
  channel::v1::Digest digest;
  const auto finish = [&] {
    digest.set_epoch(static_cast<uint64_t>(epoch_));
    bodies.push_back(digest.SerializeAsString());
    digest.Clear();
  };
  for (Group* const group : active_) {
    group->active = false;
    // Whether it has subscribers or not: a subscription may have been lost as well.
    channel::v1::Head* const head = digest.add_heads();
    head->set_group_id(*group->id);
    head->set_offset(group->head);
    if (digest.heads_size() == kHeadsPerFrame) finish();
    UpdateIdle(group);
  }
  active_.clear();
  if (bodies.empty() || digest.heads_size() > 0) finish();
  for (auto& [id, publisher] : publishers_) {
    if (!publisher->present) continue;
    for (const std::string& body : bodies) {
      channel::v1::Digest number;
      number.set_number(++publisher->last_digest);
      const BrokerSink::Sent sent =
          sink->SendControl(id, ControlFrame(ControlKind::kDigest, number) + body);
      ++counters_.digests;
      // It says hello when it comes back. One that cannot take a digest now sees the hole in their
      // numbers.
      if (sent == BrokerSink::Sent::kGone) publisher->present = false;
    }
  }
}

// ---- What is kept.

std::vector<Broker::Group*> Broker::SortedGroups() {
  std::vector<Group*> sorted;
  sorted.reserve(groups_.size());
  for (auto& [id, group] : groups_) sorted.push_back(&group);
  std::sort(sorted.begin(), sorted.end(),
            [](const Group* a, const Group* b) { return *a->id < *b->id; });
  return sorted;
}

Broker::Group& Broker::KnowGroup(absl::string_view id, uint64_t head) {
  const auto [entry, is_new] = groups_.try_emplace(id);
  if (is_new) {
    entry->second.id = &entry->first;
    entry->second.head = entry->second.floor = head;
  }
  return entry->second;
}

void Broker::LogKnown(Group* group) {
  if (group->logged || !options_.has_log) return;
  group->logged = true;
  unlogged_groups_.emplace_back(*group->id, group->head);
}

// Puts the group into the list of idle groups if nobody needs it now, or takes it out.
void Broker::UpdateIdle(Group* group) {
  const bool idle =
      !group->subscribed && group->oldest == nullptr && !group->announce && !group->active;
  if (idle == group->idle) return;
  group->idle = idle;
  if (idle) {
    group->idle_since = now_;
    group->idle_before = last_idle_;
    group->idle_after = nullptr;
    (last_idle_ != nullptr ? last_idle_->idle_after : first_idle_) = group;
    last_idle_ = group;
    ++idle_count_;
    return;
  }
  (group->idle_before != nullptr ? group->idle_before->idle_after : first_idle_) =
      group->idle_after;
  (group->idle_after != nullptr ? group->idle_after->idle_before : last_idle_) = group->idle_before;
  --idle_count_;
}

void Broker::ForgetGroup(Group* group) {
  highest_forgotten_ = std::max(highest_forgotten_, group->head);
  group->announce = true;  // takes it out of the list
  UpdateIdle(group);
  groups_.erase(groups_.find(*group->id));
}

void Broker::Retain(Group* group, absl::Span<const char> frame, uint64_t offset, absl::Time since) {
  Retained* retained = Retained::New(frame);
  retained->group = group;
  retained->since = since;
  retained->offset = offset;
  retained->older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = retained;
  newest_ = retained;
  if (first_young_ == nullptr) first_young_ = retained;
  (group->newest != nullptr ? group->newest->group_newer : group->oldest) = retained;
  group->newest = retained;
  retained_bytes_ += retained->bytes + kRetainedOverheadBytes;
  if (++group->retained_count > options_.history_messages_max && group->oldest->old) {
    DropOldest(group);
  }
  UpdateIdle(group);
  // Always one is left.
  while (retained_bytes_ > options_.retained_bytes_max && oldest_ != newest_) {
    DropOldest(oldest_->group);
  }
}

void Broker::DropOldest(Group* group) {
  Retained* const dropped = group->oldest;
  (dropped->older != nullptr ? dropped->older->newer : oldest_) = dropped->newer;
  (dropped->newer != nullptr ? dropped->newer->older : newest_) = dropped->older;
  if (first_young_ == dropped) first_young_ = dropped->newer;
  group->oldest = dropped->group_newer;
  if (group->oldest == nullptr) group->newest = nullptr;
  --group->retained_count;
  group->floor = dropped->offset;
  retained_bytes_ -= dropped->bytes + kRetainedOverheadBytes;
  Retained::Delete(dropped);
  UpdateIdle(group);
}

void Broker::Expire() {
  while (!keys_by_age_.empty() && (keys_by_age_.size() > options_.keys_max ||
                                   (now_ >= no_key_expiry_before_ &&
                                    keys_by_age_.front().second + options_.key_window <= now_))) {
    const auto& [key, since] = keys_by_age_.front();
    if (const auto found = keys_.find(key); found != keys_.end() && found->second.since == since) {
      keys_.erase(found);
    }
    keys_by_age_.pop_front();
  }
  ExpirePublishers();
  if (may_expire()) ExpireRetained();
}

// How many of the idle groups, from the one unused for longest on, are to be forgotten. Once
// somebody may have been told that a group is not known, it must not come back with the log.
size_t Broker::CountGroupsToForget() const {
  size_t count = 0;
  for (const Group* group = first_idle_; group != nullptr && count < kForgottenPerTurnMax;
       group = group->idle_after) {
    const bool is_old = may_expire() && group->idle_since + options_.repair_retention <= now_;
    if (!is_old && idle_count_ - count <= options_.idle_groups_max) break;
    ++count;
  }
  return count;
}

void Broker::ExpireRetained() {
  const absl::Duration age_max = std::max(options_.history_age_max, options_.repair_retention);
  while (oldest_ != nullptr && oldest_->since + age_max <= now_) DropOldest(oldest_->group);
  // Those that are past the repair retention now may be more than a history has.
  while (first_young_ != nullptr && first_young_->since + options_.repair_retention <= now_) {
    Retained* const aged = first_young_;
    aged->old = true;
    first_young_ = aged->newer;
    Group* const group = aged->group;
    while (group->retained_count > options_.history_messages_max && group->oldest->old) {
      DropOldest(group);
    }
  }
}

void Broker::ExpirePublishers() {
  if (!may_expire() || now_ < next_publisher_sweep_) return;
  next_publisher_sweep_ = now_ + kPublisherSweepPeriod;
  std::erase_if(publishers_, [this](const auto& entry) {
    return entry.second->unsent == 0 &&
           entry.second->last_heard + options_.publisher_age_max <= now_;
  });
}

void Broker::ForgetPublishersOver(size_t max) {
  while (publishers_.size() > max) {
    publishers_.erase(std::min_element(
        publishers_.begin(), publishers_.end(),
        [](const auto& a, const auto& b) { return a.second->last_heard < b.second->last_heard; }));
  }
}

void Broker::RememberKey(const Fingerprint& key, uint64_t offset, absl::Time since) {
  keys_[key] = {offset, since};
  keys_by_age_.emplace_back(key, since);
}

// ---- Control.

absl::Status Broker::OnControl(PublisherId from, absl::string_view frame, BrokerSink* sink) {
  const absl::StatusOr<ControlView> control = ParseControlFrame(frame);
  if (!control.ok()) {
    ++counters_.malformed;
    return control.status();
  }
  const auto handle =
      [&]<typename Body>(void (Broker::*handler)(PublisherId, const Body&, BrokerSink*)) {
        Body body;
        if (!body.ParseFromArray(control->body.data(), static_cast<int>(control->body.size()))) {
          ++counters_.malformed;
          return absl::InvalidArgumentError("control frame with a body that cannot be read");
        }
        (this->*handler)(from, body, sink);
        return absl::OkStatus();
      };
  if (untold_epoch()) {
    if (waiting_control_.size() < kWaitingControlMax) {
      waiting_control_.emplace_back(from, std::string(frame));
    }
    return absl::OkStatus();
  }
  switch (control->kind) {
    case ControlKind::kHello:
      return handle(&Broker::Hello);
    case ControlKind::kFetchHistory:
      return handle(&Broker::Fetch);
    case ControlKind::kCompareHeads:
      return handle(&Broker::Compare);
    default:
      ++counters_.malformed;
      return absl::InvalidArgumentError(
          absl::StrCat("control frame of unknown kind ", static_cast<int>(control->kind)));
  }
}

void Broker::Hello(PublisherId from, const channel::v1::Hello& hello, BrokerSink* sink) {
  // A log that is behind what it has told before is not that log: an old copy of it was put back.
  if (Epoch{hello.epoch()} == epoch_ && hello.highest_offset() > last_offset_) {
    BeginEpoch();
    if (untold_epoch()) {
      waiting_control_.emplace_back(from, ControlFrame(ControlKind::kHello, hello));
      return;
    }
  }
  if (!publishers_.contains(from)) ForgetPublishersOver(options_.publishers_max - 1);
  std::unique_ptr<Publisher>& publisher = publishers_[from];
  if (publisher == nullptr) publisher = std::make_unique<Publisher>();
  const bool known = std::exchange(publisher->known, true);
  publisher->last_heard = now_;
  publisher->present = true;
  // What came before it has its results already, of this server or of one before it.
  if (hello.first_unacknowledged() > publisher->last_accepted + 1) {
    publisher->results.clear();
    publisher->last_accepted = hello.first_unacknowledged() - 1;
  }
  publisher->ForgetResultsBelow(hello.first_unacknowledged());
  channel::v1::HelloReply reply;
  reply.set_epoch(static_cast<uint64_t>(epoch_));
  reply.set_last_accepted(publisher->last_accepted);
  reply.set_max_message_bytes(options_.max_message_bytes);
  reply.set_attempt(hello.attempt());
  reply.set_known(known);
  reply.set_last_digest(publisher->last_digest);
  reply.mutable_results()->set_epoch(static_cast<uint64_t>(epoch_));
  publisher->ResultsFrom(hello.first_unacknowledged(), reply.mutable_results());
  // If this cannot be sent, the worker says hello again.
  sink->SendControl(from, ControlFrame(ControlKind::kHelloReply, reply));
}

void Broker::Fetch(PublisherId from, const channel::v1::FetchHistory& fetch, BrokerSink* sink) {
  channel::v1::History history;
  history.set_request(fetch.request());
  history.set_epoch(static_cast<uint64_t>(epoch_));
  const auto found = groups_.find(fetch.group_id());
  if (found == groups_.end()) {
    history.set_head(highest_forgotten_);
    history.set_floor(highest_forgotten_);
    sink->SendControl(from, ControlFrame(ControlKind::kHistory, history));
    return;
  }
  const Group& group = found->second;
  history.set_head(group.head);
  history.set_floor(group.floor);
  const bool same_epoch = Epoch{fetch.epoch()} == epoch_;
  Retained* first = group.oldest;
  const auto skip_first = [&] {
    history.set_floor(first->offset);
    first = first->group_newer;
  };
  if (same_epoch) {
    for (; first != nullptr && first->offset <= fetch.after(); first = first->group_newer) {
    }
  }
  if (fetch.newest() > 0) {
    // What a client reads: the newest, within the bounds of history. What is left out before them
    // counts as not kept.
    size_t count = 0;
    size_t bytes = 0;
    for (Retained* at = first; at != nullptr; at = at->group_newer) {
      ++count;
      bytes += at->bytes;
    }
    const size_t limit = std::min<size_t>(fetch.newest(), options_.history_messages_max);
    while (first != nullptr && (count > limit || first->since + options_.history_age_max <= now_ ||
                                (count > 1 && bytes > options_.history_answer_bytes_max))) {
      --count;
      bytes -= first->bytes;
      skip_first();
    }
  }
  size_t bytes = 0;
  for (Retained* at = first; at != nullptr; at = at->group_newer) {
    bytes += at->bytes;
    if (history.messages_size() > 0 && bytes > options_.history_answer_bytes_max) break;
    history.add_messages(at->frame(), at->bytes);
  }
  sink->SendControl(from, ControlFrame(ControlKind::kHistory, history));
}

void Broker::Compare(PublisherId from, const channel::v1::CompareHeads& compare, BrokerSink* sink) {
  channel::v1::Heads heads;
  heads.set_request(compare.request());
  heads.set_epoch(static_cast<uint64_t>(epoch_));
  const bool same_epoch = Epoch{compare.epoch()} == epoch_;
  for (const channel::v1::Head& head : compare.heads()) {
    const auto found = groups_.find(head.group_id());
    const uint64_t offset = found == groups_.end() ? highest_forgotten_ : found->second.head;
    if (same_epoch && offset == head.offset()) continue;
    channel::v1::Head* const other = heads.add_heads();
    other->set_group_id(head.group_id());
    other->set_offset(offset);
  }
  sink->SendControl(from, ControlFrame(ControlKind::kHeads, heads));
}

}  // namespace groupcast::service
