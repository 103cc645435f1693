#include "services/channel_server/broker.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

using channel::v1::Refusal;

// A hello is answered and a publisher swept long before anybody could notice that this is not
// exact.
constexpr absl::Duration kPublisherSweepPeriod = absl::Minutes(1);

// A publisher that cannot be reached is tried again so often, and for so long. By then heartbeats
// have ended its connection, and with it the worker has given up on what was under way.
constexpr absl::Duration kUnreachableTryPeriod = absl::Milliseconds(100);
constexpr absl::Duration kUnreachableMax = absl::Seconds(10);

// Publications are a little larger than the message in them: protobuf's tags, the time it was sent.
constexpr size_t kContentOverheadBytes = 64;

// What a message in a history costs besides its frame: its node, and its group's if it is the only
// one.
constexpr size_t kRetainedOverheadBytes = 256;

// The most that one answer to a request for history carries; what is older is left out.
constexpr size_t kHistoryReplyBytesMax = 1u << 20;

}  // namespace

// A message of a group's history, with the whole frame behind it in one block.
struct Broker::Retained {
  Group* group;
  Retained* older;        // in the list of all
  Retained* newer;        // in the list of all
  Retained* group_newer;  // in the group's list
  absl::Time since;
  uint64_t offset;
  size_t bytes;

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
  size_t retained_count = 0;
  Retained* oldest = nullptr;
  Retained* newest = nullptr;
};

struct Broker::Publisher {
  uint64_t last_accepted = 0;
  absl::Time last_heard;
  // Results that were not sent yet, a frame for each run of numbers without a hole.
  std::vector<channel::v1::Acknowledgement> results;
  absl::Time unreachable_since = absl::InfiniteFuture();
};

Broker::Broker(const BrokerOptions& options, const Clock* clock)
    : options_(options), clock_(clock), now_(clock->Now()) {}

Broker::~Broker() {
  while (oldest_ != nullptr) Retained::Delete(std::exchange(oldest_, oldest_->newer));
}

void Broker::BeginTurn() { now_ = clock_->Now(); }

absl::Status Broker::OnPublication(absl::Span<char> frame) {
  const absl::StatusOr<LiveFrame> parsed = ParseLiveFrame({frame.data(), frame.size()});
  if (!parsed.ok()) {
    ++counters_.malformed;
    return parsed.status();
  }
  const LiveHeader& header = parsed->header;
  const auto found = publishers_.find(header.publisher);
  if (found == publishers_.end()) {
    ++counters_.strangers;
    return absl::FailedPreconditionError("publication of a publisher that has not said hello");
  }
  Publisher& publisher = *found->second;
  publisher.last_heard = now_;
  if (header.number <= publisher.last_accepted) {
    ++counters_.repeated;
    return absl::AlreadyExistsError("publication that was accepted before");
  }
  if (publisher.results.empty()) to_acknowledge_.push_back(header.publisher);
  if (publisher.results.empty() || header.number != publisher.last_accepted + 1) {
    channel::v1::Acknowledgement& run = publisher.results.emplace_back();
    run.set_epoch(static_cast<uint64_t>(options_.epoch));
    run.set_first_number(header.number);
  }
  counters_.holes += header.number - publisher.last_accepted - 1;
  publisher.last_accepted = header.number;

  const auto refuse = [&](Refusal::Reason reason, absl::string_view why) {
    ++counters_.refused;
    publisher.results.back().add_offsets(0);
    Refusal* const refusal = publisher.results.back().add_refusals();
    refusal->set_number(header.number);
    refusal->set_reason(reason);
    return absl::InvalidArgumentError(why);
  };
  if (header.kind != LiveKind::kPublication) {
    return refuse(Refusal::MALFORMED, "frame on the publish link that is not a publication");
  }
  if (parsed->body.size() > options_.max_message_bytes + kContentOverheadBytes) {
    return refuse(Refusal::TOO_LARGE, "publication over the maximum");
  }

  Group& group = KnowGroup(parsed->group_id);
  const uint64_t offset = ++last_offset_;
  PatchIntoMessage(frame, parsed->group_id.size(), {options_.epoch, offset}, group.head);
  group.head = offset;
  Retain(&group, frame, offset);
  publisher.results.back().add_offsets(offset);
  ++counters_.publications;
  return absl::OkStatus();
}

absl::Status Broker::OnSubscription(absl::string_view bytes) {
  const absl::StatusOr<Topic> topic = ParseTopic(bytes);
  if (!topic.ok()) {
    ++counters_.malformed;
    return topic.status();
  }
  Group& group = KnowGroup(topic->group_id);
  if (topic->nonce != PublisherId{}) {
    to_announce_.emplace_back(*group.id, topic->nonce);
    return absl::OkStatus();
  }
  group.subscribed = true;
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
  ForgetGroup(&found->second);
  return absl::OkStatus();
}

absl::Status Broker::OnControl(PublisherId from, absl::string_view frame, BrokerSink* sink) {
  const absl::StatusOr<ControlView> control = ParseControlFrame(frame);
  if (!control.ok()) {
    ++counters_.malformed;
    return control.status();
  }
  const int body_bytes = static_cast<int>(control->body.size());
  switch (control->kind) {
    case ControlKind::kHello: {
      channel::v1::Hello hello;
      if (!hello.ParseFromArray(control->body.data(), body_bytes)) break;
      Hello(from, hello, sink);
      return absl::OkStatus();
    }
    case ControlKind::kFetchHistory: {
      channel::v1::FetchHistory fetch;
      if (!fetch.ParseFromArray(control->body.data(), body_bytes)) break;
      Fetch(from, fetch, sink);
      return absl::OkStatus();
    }
    default:
      break;
  }
  ++counters_.malformed;
  return absl::InvalidArgumentError(absl::StrCat(
      "control frame of kind ", static_cast<int>(control->kind), " that cannot be read"));
}

void Broker::EndTurn(BrokerSink* sink) {
  ExpireHistory();
  ExpirePublishers();
  for (const auto& [id, nonce] : to_announce_) {
    const auto found = groups_.find(id);
    if (found == groups_.end()) continue;  // its subscribers left within the turn
    Group& group = found->second;
    if (nonce == PublisherId{}) {
      if (!group.announce) continue;
      group.announce = false;
    }
    ++counters_.announcements;
    sink->Announce(LiveFramePrefix(id, {.kind = LiveKind::kAnnouncement,
                                        .publisher = nonce,
                                        .epoch = options_.epoch,
                                        .offset = group.head,
                                        .previous = group.floor}));
    // One that only a proof was asked for has no subscriber.
    ForgetGroup(&group);
  }
  to_announce_.clear();

  Acknowledge(sink);
}

void Broker::Acknowledge(BrokerSink* sink) {
  if (!unreachable_.empty() && now_ >= next_unreachable_try_) {
    next_unreachable_try_ = now_ + kUnreachableTryPeriod;
    to_acknowledge_.insert(to_acknowledge_.end(), unreachable_.begin(), unreachable_.end());
    unreachable_.clear();
  }
  for (const PublisherId id : to_acknowledge_) {
    const auto found = publishers_.find(id);
    if (found == publishers_.end()) continue;
    Publisher& publisher = *found->second;
    size_t sent = 0;
    while (sent < publisher.results.size() &&
           sink->SendControl(
               id, ControlFrame(ControlKind::kAcknowledgement, publisher.results[sent]))) {
      ++sent;
    }
    publisher.results.erase(publisher.results.begin(),
                            publisher.results.begin() + static_cast<ptrdiff_t>(sent));
    if (publisher.results.empty()) {
      publisher.unreachable_since = absl::InfiniteFuture();
      continue;
    }
    publisher.unreachable_since = std::min(publisher.unreachable_since, now_);
    if (now_ - publisher.unreachable_since < kUnreachableMax) {
      unreachable_.push_back(id);
    } else {
      publisher.results.clear();
      publisher.unreachable_since = absl::InfiniteFuture();
    }
  }
  to_acknowledge_.clear();
}

Broker::Group& Broker::KnowGroup(absl::string_view id) {
  const auto [entry, is_new] = groups_.try_emplace(id);
  if (is_new) {
    entry->second.id = &entry->first;
    entry->second.head = entry->second.floor = highest_forgotten_;
  }
  return entry->second;
}

void Broker::ForgetGroup(Group* group) {
  if (group->subscribed || group->oldest != nullptr) return;
  highest_forgotten_ = std::max(highest_forgotten_, group->head);
  groups_.erase(groups_.find(*group->id));
}

void Broker::Retain(Group* group, absl::Span<const char> frame, uint64_t offset) {
  Retained* retained = Retained::New(frame);
  retained->group = group;
  retained->since = now_;
  retained->offset = offset;
  retained->older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = retained;
  newest_ = retained;
  (group->newest != nullptr ? group->newest->group_newer : group->oldest) = retained;
  group->newest = retained;
  history_bytes_ += retained->bytes + kRetainedOverheadBytes;
  if (++group->retained_count > options_.history_messages_max) DropOldest(group);
  while (history_bytes_ > options_.history_bytes_max) {
    Group* const victim = oldest_->group;
    DropOldest(victim);
    if (victim != group) ForgetGroup(victim);
  }
  ForgetGroup(group);
}

void Broker::DropOldest(Group* group) {
  Retained* const dropped = group->oldest;
  (dropped->older != nullptr ? dropped->older->newer : oldest_) = dropped->newer;
  (dropped->newer != nullptr ? dropped->newer->older : newest_) = dropped->older;
  group->oldest = dropped->group_newer;
  if (group->oldest == nullptr) group->newest = nullptr;
  --group->retained_count;
  group->floor = dropped->offset;
  history_bytes_ -= dropped->bytes + kRetainedOverheadBytes;
  Retained::Delete(dropped);
}

void Broker::ExpireHistory() {
  while (oldest_ != nullptr && oldest_->since + options_.history_age_max <= now_) {
    Group* const group = oldest_->group;
    DropOldest(group);
    ForgetGroup(group);
  }
}

void Broker::ExpirePublishers() {
  if (now_ < next_publisher_sweep_) return;
  next_publisher_sweep_ = now_ + kPublisherSweepPeriod;
  absl::erase_if(publishers_, [this](const auto& entry) {
    return entry.second->last_heard + options_.publisher_age_max <= now_;
  });
}

void Broker::Hello(PublisherId from, const channel::v1::Hello& hello, BrokerSink* sink) {
  if (publishers_.size() >= options_.publishers_max && !publishers_.contains(from)) {
    publishers_.erase(std::min_element(
        publishers_.begin(), publishers_.end(),
        [](const auto& a, const auto& b) { return a.second->last_heard < b.second->last_heard; }));
  }
  std::unique_ptr<Publisher>& publisher = publishers_[from];
  if (publisher == nullptr) publisher = std::make_unique<Publisher>();
  publisher->last_heard = now_;
  publisher->results
      .clear();  // of a connection before this one, whose end was the end of waiting for them
  // What came before it was acknowledged already, by this server or by the one before it.
  if (hello.first_unacknowledged() > publisher->last_accepted + 1) {
    publisher->last_accepted = hello.first_unacknowledged() - 1;
  }
  channel::v1::HelloReply reply;
  reply.set_epoch(static_cast<uint64_t>(options_.epoch));
  reply.set_last_accepted(publisher->last_accepted);
  reply.set_max_message_bytes(options_.max_message_bytes);
  reply.set_attempt(hello.attempt());
  // If this cannot be sent, the connection is going: the next one begins with a hello of its own.
  sink->SendControl(from, ControlFrame(ControlKind::kHelloReply, reply));
}

void Broker::Fetch(PublisherId from, const channel::v1::FetchHistory& fetch, BrokerSink* sink) {
  channel::v1::History history;
  history.set_request(fetch.request());
  history.set_epoch(static_cast<uint64_t>(options_.epoch));
  const auto found = groups_.find(fetch.group_id());
  if (found == groups_.end()) {
    history.set_head(highest_forgotten_);
    history.set_floor(highest_forgotten_);
  } else {
    const Group& group = found->second;
    history.set_head(group.head);
    history.set_floor(group.floor);
    size_t count = 0;
    size_t bytes = 0;
    Retained* first = group.oldest;
    for (; first != nullptr && first->offset <= fetch.after(); first = first->group_newer) {
    }
    for (Retained* at = first; at != nullptr; at = at->group_newer) {
      ++count;
      bytes += at->bytes;
    }
    const size_t limit = fetch.limit() == 0 ? count : fetch.limit();
    for (; count > limit || (count > 1 && bytes > kHistoryReplyBytesMax); --count) {
      // The newest are wanted; what is left out before them counts as not kept.
      history.set_floor(first->offset);
      bytes -= first->bytes;
      first = first->group_newer;
    }
    for (Retained* at = first; at != nullptr; at = at->group_newer) {
      history.add_messages(at->frame(), at->bytes);
    }
  }
  sink->SendControl(from, ControlFrame(ControlKind::kHistory, history));
}

}  // namespace groupcast::service
