#include "services/channel_server/broker/broker.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/channel_server/broker/reads.h"

namespace groupcast::service {
namespace {

using channel::v1::Refusal;

// More time than this between two turns is time for which the process did not run.
constexpr absl::Duration kTurnMax = absl::Seconds(2);

// The bound of control frames that are answered later. Over it the broker drops them: workers ask
// again.
constexpr size_t kWaitingControlMax = 1'000;

// No worker is further ahead of the server: by the lost end of a log, or on its first hello. A
// stranger with a worker's id could otherwise use its numbers up.
constexpr uint64_t kNumbersAheadMax = uint64_t{1} << 40;
constexpr uint64_t kFirstNumberMax = uint64_t{1} << 63;

// The number of groups that are forgotten in a turn, which has to name them in the log.
constexpr size_t kForgottenPerTurnMax = 10'000;

}  // namespace

Broker::Broker(const BrokerOptions& options, const Clock* clock, const Clock* calendar)
    : options_(options),
      clock_(clock),
      calendar_(calendar),
      clock_time_(clock->Now()),
      state_(options_.new_epoch(), clock_time_, options_.retention, options_.publishers,
             options_.keys),
      restorer_(&state_, calendar),
      snapshot_(options_.groups_per_snapshot_part, &state_, calendar),
      digests_(options_.digest_period),
      questions_(options_.questions),
      presence_(options_.presence) {}

void Broker::FinishRecovery(bool tail_may_be_missing) {
  no_expiry_before_ = state_.now + options_.retention.repair_retention;
  no_key_expiry_before_ = state_.now + options_.keys.window;  // the calendar gives their ages
  state_.publishers.FinishRecovery();
  state_.last_handed_out = state_.last_offset;
  if (!state_.publishers.all().empty()) presence_.ExpectWorkers(state_.now);
  if (tail_may_be_missing) BeginEpoch();
  state_.groups.ForEach([this](KnownGroup* group) { state_.UpdateIdle(group); });
}

void Broker::BeginEpoch() {
  state_.BeginEpoch(options_.new_epoch());
  unlogged_epoch_ = true;
  unlogged_groups_.clear();
  digests_.Clear();
  state_.groups.ForEach([this](KnownGroup* group) {
    LogKnown(group);
    if (!std::exchange(group->announce, true)) announcements_.Add(*group->id, PublisherId{});
  });
}

void Broker::LogKnown(KnownGroup* group) {
  if (group->logged || std::exchange(group->log_due, true)) return;
  unlogged_groups_.push_back(group);
}

// ---- A turn.

void Broker::BeginTurn() {
  const absl::Time time = clock_->Now();
  state_.now += std::min(time - clock_time_, kTurnMax);
  clock_time_ = time;
  offset_before_turn_ = state_.last_offset;
}

absl::Status Broker::OnPublication(absl::Span<char> frame) {
  const absl::StatusOr<LiveFrame> parsed = ParseLiveFrame({frame.data(), frame.size()});
  if (!parsed.ok()) {
    ++counters_.malformed;
    return parsed.status();
  }
  const LiveHeader& header = parsed->header;
  Publisher* const publisher = state_.publishers.Find(header.publisher);
  if (publisher == nullptr || !publisher->known) {
    ++counters_.strangers;
    return absl::FailedPreconditionError("publication of a publisher that has not said hello");
  }
  state_.publishers.Touch(publisher, state_.now);
  if (header.number <= publisher->last_accepted()) {
    ++counters_.repeated;
    return absl::AlreadyExistsError("publication that was accepted before");
  }
  if (header.number != publisher->last_accepted() + 1) {
    ++counters_.out_of_turn;
    return absl::AbortedError("publication whose predecessors have not come");
  }
  publisher->ForgetResultsBelow(header.offset);

  const auto refuse = [&](Refusal::Reason reason, absl::string_view why) {
    Accept(publisher, {.offset = 0, .reason = static_cast<uint8_t>(reason)});
    return absl::InvalidArgumentError(why);
  };
  if (header.kind == LiveKind::kVoid) {
    ++counters_.voids;
    Accept(publisher, {.offset = 0, .reason = Refusal::VOID});
    return absl::CancelledError("publication that was given up");
  }
  if (header.kind != LiveKind::kPublication) {
    ++counters_.not_publications;
    return refuse(Refusal::MALFORMED, "frame on the publish link that is not a publication");
  }
  if (parsed->body.size() > options_.max_message_bytes + kContentOverheadBytes) {
    ++counters_.too_large;
    return refuse(Refusal::TOO_LARGE, "publication over the maximum");
  }
  if (!header.key.empty()) {
    if (const std::optional<uint64_t> offset = state_.keys.Find(header.key)) {
      ++counters_.same_key;
      Accept(publisher, {.offset = *offset, .reason = 0});
      return absl::AlreadyExistsError("publication whose key was used before");
    }
  }

  KnownGroup* const group = state_.groups.FindOrAdd(parsed->group_id);
  const uint64_t offset = ++state_.last_offset;
  PatchIntoMessage(frame, parsed->group_id.size(), {state_.epoch, offset}, group->last_placed);
  group->last_placed = offset;
  state_.UpdateIdle(group);
  if (!header.key.empty()) state_.keys.Remember(header.key, offset, state_.now);
  Accept(publisher, {.offset = offset, .reason = 0});
  Taken& taken = taken_.back();
  taken.group = group;
  taken.frame = frame;
  taken.body_bytes = parsed->body.size();
  taken.offset = offset;
  taken.key = header.key;
  return absl::OkStatus();
}

void Broker::Accept(Publisher* publisher, const Publisher::Result& result) {
  if (!publisher->has_untold()) to_acknowledge_.push_back(publisher);
  publisher->Accept(result, state_.publishers.results_max());
  taken_.push_back({.publisher = publisher, .number = publisher->last_accepted()});
}

absl::Status Broker::OnSubscription(absl::string_view bytes) {
  const absl::StatusOr<Topic> topic = ParseTopic(bytes);
  if (!topic.ok()) {
    ++counters_.malformed;
    return topic.status();
  }
  KnownGroup* const group = state_.groups.FindOrAdd(topic->group_id);
  LogKnown(group);
  if (topic->nonce != PublisherId{}) {
    announcements_.Add(*group->id, topic->nonce);
    return absl::OkStatus();
  }
  group->subscribed = true;
  if (!std::exchange(group->announce, true)) announcements_.Add(*group->id, PublisherId{});
  state_.UpdateIdle(group);
  return absl::OkStatus();
}

absl::Status Broker::OnUnsubscription(absl::string_view bytes) {
  const absl::StatusOr<Topic> topic = ParseTopic(bytes);
  if (!topic.ok()) {
    ++counters_.malformed;
    return topic.status();
  }
  KnownGroup* const group = state_.groups.Find(topic->group_id);
  if (group == nullptr || topic->nonce != PublisherId{}) return absl::OkStatus();
  group->subscribed = false;
  state_.UpdateIdle(group);
  return absl::OkStatus();
}

absl::Status Broker::EndTurn(BrokerSink* sink) {
  const auto dropped = [this](const Announcements::Entry& entry) {
    if (KnownGroup* const group = state_.groups.Find(entry.group_id)) state_.UpdateIdle(group);
  };
  Expire();
  const size_t to_forget = CountGroupsToForget();
  if (absl::Status written = WriteTurn(to_forget, sink); !written.ok()) {
    ++counters_.failed_writes;
    log_failed_ = true;
    TakeBack();
    // Heads may be known from this turn on only, so they wait for the log.
    announcements_.Postpone(dropped);
    HandOut(sink);
    if (!untold_epoch()) digests_.Send(&state_, sink);
    Acknowledge(sink);
    return written;
  }
  log_failed_ = false;
  for (size_t i = 0; i < to_forget; ++i) state_.groups.ForgetFirstIdle();
  const Announcements::Send announce = [this, sink](const Announcements::Entry& entry) {
    return Announce(entry, sink);
  };
  announcements_.SendWaiting(announce);
  HandOut(sink);
  announcements_.SendNew(announce, dropped);
  digests_.Send(&state_, sink);
  Acknowledge(sink);
  AnswerWaiting(sink);
  return absl::OkStatus();
}

Broker::Rest Broker::rest() const {
  if (handing_out()) return Rest::kNoRoom;
  if (questions_.waiting() > 0 && !untold_epoch()) return Rest::kMore;
  if (presence_.has_more()) return Rest::kMore;
  // Announcements wait for the log then, and no turn that follows at once would help.
  if (log_failed_) return Rest::kNothing;
  if (announcements_.found_no_room()) return Rest::kNoRoom;
  return announcements_.waiting() > 0 ? Rest::kMore : Rest::kNothing;
}

void Broker::Expire() {
  state_.keys.Expire(state_.now, state_.now >= no_key_expiry_before_);
  if (state_.now < no_expiry_before_) return;
  state_.publishers.Expire(state_.now);
  state_.retention.Expire(state_.now);
}

// The number of idle groups to forget, from the group with the longest idle time on. Once a worker
// may have learned that a group is not known, the log must not restore the group.
size_t Broker::CountGroupsToForget() const {
  const GroupIndex& groups = state_.groups;
  size_t count = 0;
  for (const KnownGroup* group = groups.first_idle();
       group != nullptr && count < kForgottenPerTurnMax; group = groups.next_idle(*group)) {
    const bool is_old = group->idle_since + options_.retention.repair_retention <= state_.now;
    if (!is_old && groups.idle_count() - count <= options_.idle_groups_max) break;
    ++count;
  }
  return count;
}

absl::Status Broker::WriteTurn(size_t to_forget, BrokerSink* sink) {
  if (options_.has_log) {
    writer_.Begin(options_.record_room_bytes, absl::ToUnixMillis(calendar_->Now()));
    if (unlogged_epoch_) writer_.AddEpoch(state_.epoch);
    for (const KnownGroup* const group : unlogged_groups_) {
      writer_.AddKnown(*group->id, group->head);
    }
    for (const Taken& taken : taken_) {
      if (taken.group != nullptr) {
        writer_.AddMessage({taken.frame.data(), taken.frame.size()});
      } else {
        const Publisher::Result& result = taken.publisher->result(taken.number);
        writer_.AddResult(taken.publisher->id(), taken.number, result.offset, result.reason);
      }
    }
    const KnownGroup* forgotten = state_.groups.first_idle();
    for (size_t i = 0; i < to_forget; ++i, forgotten = state_.groups.next_idle(*forgotten)) {
      writer_.AddForgotten(*forgotten->id, forgotten->head);
    }
    if (!writer_.empty()) {
      if (absl::Status written = sink->WriteLog(&writer_.record()); !written.ok()) return written;
    }
  }
  unlogged_epoch_ = false;
  for (KnownGroup* const group : std::exchange(unlogged_groups_, {})) group->logged = true;
  for (const Taken& taken : taken_) {
    if (taken.group == nullptr) continue;
    taken.group->logged = true;
    to_hand_out_.push_back(taken);
  }
  taken_.clear();
  return absl::OkStatus();
}

// Refuses the turn's publications. They have no other effect.
void Broker::TakeBack() {
  state_.last_offset = offset_before_turn_;
  for (const Taken& taken : taken_) {
    Publisher::Result& result = taken.publisher->result(taken.number);
    // Also for a publication with the same key as one that is taken back.
    if (result.offset > offset_before_turn_) {
      result = {.offset = 0, .reason = Refusal::UNAVAILABLE};
      ++counters_.unlogged;
    }
    if (taken.group == nullptr) continue;
    taken.group->last_placed = taken.group->head;
    if (!taken.key.empty()) state_.keys.Forget(taken.key);
  }
  DropUnknownGroups();
  taken_.clear();
}

// Drops unused groups that appeared while the log could not be written. No worker knows of them,
// and they must not pile up.
void Broker::DropUnknownGroups() {
  absl::flat_hash_set<KnownGroup*> unknown;
  std::erase_if(unlogged_groups_, [&](KnownGroup* group) {
    if (group->subscribed) return false;
    unknown.insert(group);
    return true;
  });
  for (const Taken& taken : taken_) {
    if (taken.group == nullptr) continue;
    state_.UpdateIdle(taken.group);
    if (!taken.group->logged && !taken.group->subscribed) unknown.insert(taken.group);
  }
  if (unknown.empty()) return;
  for (KnownGroup* const group : unknown) state_.groups.Remove(group);
  announcements_.EraseIf([this](const Announcements::Entry& entry) {
    return state_.groups.Find(entry.group_id) == nullptr;
  });
}

void Broker::HandOut(BrokerSink* sink) {
  for (; handed_out_ < to_hand_out_.size(); ++handed_out_) {
    const Taken& taken = to_hand_out_[handed_out_];
    // The sink takes the frame.
    if (next_retained_ == nullptr) {
      next_retained_ = state_.retention.Copy(taken.publisher->id(), taken.frame, taken.body_bytes);
    }
    if (!sink->HandOut(handed_out_)) return;
    state_.Retain(taken.group, std::move(next_retained_), taken.offset, state_.now);
    digests_.NoteActive(taken.group);
    ++counters_.publications;
  }
  to_hand_out_.clear();
  handed_out_ = 0;
}

bool Broker::Announce(const Announcements::Entry& entry, BrokerSink* sink) {
  KnownGroup* const group = state_.groups.Find(entry.group_id);
  if (group == nullptr) return true;
  const bool is_proof = entry.nonce != PublisherId{};
  if (!is_proof && !group->announce) return true;
  if (!sink->Announce(LiveFramePrefix(entry.group_id, {.kind = LiveKind::kAnnouncement,
                                                       .publisher = entry.nonce,
                                                       .number = state_.last_handed_out,
                                                       .epoch = state_.epoch,
                                                       .offset = group->head,
                                                       .previous = group->floor()}))) {
    return false;
  }
  ++counters_.announcements;
  if (!is_proof) group->announce = false;
  // A worker may ask for the proof of a group without subscribers.
  state_.UpdateIdle(group);
  return true;
}

void Broker::Acknowledge(BrokerSink* sink) {
  if (handing_out()) return;
  for (Publisher* const publisher : to_acknowledge_) {
    channel::v1::Acknowledgement run;
    run.set_epoch(static_cast<uint64_t>(state_.epoch));
    publisher->TellResults(&run);
    // If it cannot be sent, the worker asks when it has waited a while.
    sink->SendControl(publisher->id(), ControlFrame(ControlKind::kAcknowledgement, run));
  }
  to_acknowledge_.clear();
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
  // (Presence knows no epochs.)
  if (untold_epoch() && control->kind != ControlKind::kPresence) {
    AnswerLater(from, frame);
    return absl::OkStatus();
  }
  switch (control->kind) {
    case ControlKind::kHello:
      return handle(&Broker::Hello);
    case ControlKind::kFetchHistory:
      return handle(&Broker::AddQuestion);
    case ControlKind::kCompareHeads:
      return handle(&Broker::Compare);
    case ControlKind::kPresence:
      return handle(&Broker::TakePresence);
    default:
      ++counters_.malformed;
      return absl::InvalidArgumentError(
          absl::StrCat("control frame of unknown kind ", static_cast<int>(control->kind)));
  }
}

void Broker::AnswerLater(PublisherId from, absl::string_view frame) {
  if (waiting_control_.size() < kWaitingControlMax) {
    waiting_control_.emplace_back(from, std::string(frame));
  }
}

void Broker::AnswerWaiting(BrokerSink* sink) {
  for (const auto& [from, frame] : std::exchange(waiting_control_, {})) {
    OnControl(from, frame, sink).IgnoreError();  // it was understood before
  }
}

void Broker::Hello(PublisherId from, const channel::v1::Hello& hello, BrokerSink* sink) {
  // A worker knows a higher offset than this log. So the log has lost its end, or is an old copy.
  if (Epoch{hello.epoch()} == state_.epoch && hello.highest_offset() > state_.last_offset) {
    // Not in the middle of a turn of the epoch that ends.
    const bool is_mid_turn = !taken_.empty() || handing_out();
    if (!is_mid_turn) BeginEpoch();
    if (is_mid_turn || untold_epoch()) {
      return AnswerLater(from, ControlFrame(ControlKind::kHello, hello));
    }
  }
  Publisher* const publisher = state_.publishers.FindOrAdd(from, state_.now);
  if (publisher == nullptr) return;  // it says hello again
  const uint64_t first_max =
      publisher->known ? publisher->last_told() + kNumbersAheadMax : kFirstNumberMax;
  if (hello.first_unacknowledged() > first_max) {
    ++counters_.malformed;
    return;
  }
  const bool known = std::exchange(publisher->known, true);
  state_.publishers.Touch(publisher, state_.now);
  publisher->present = true;
  // What came before it has its results already, of this server or of one before it.
  if (hello.first_unacknowledged() > publisher->last_told() + 1) {
    if (publisher->has_untold()) return;  // results that it cannot have
    publisher->ContinueAt(hello.first_unacknowledged());
  }
  publisher->ForgetResultsBelow(hello.first_unacknowledged());
  channel::v1::HelloReply reply;
  reply.set_epoch(static_cast<uint64_t>(state_.epoch));
  reply.set_last_accepted(publisher->last_told());
  reply.set_max_message_bytes(options_.max_message_bytes);
  reply.set_attempt(hello.attempt());
  reply.set_known(known);
  reply.set_last_digest(publisher->last_digest);
  reply.set_reading_paused(handing_out());
  reply.set_presence(true);
  reply.mutable_results()->set_epoch(static_cast<uint64_t>(state_.epoch));
  publisher->ResultsFrom(hello.first_unacknowledged(), reply.mutable_results());
  // If this cannot be sent, the worker says hello again.
  sink->SendControl(from, ControlFrame(ControlKind::kHelloReply, reply));
}

void Broker::AddQuestion(PublisherId from, const channel::v1::FetchHistory& fetch, BrokerSink*) {
  questions_.Add(from, fetch);
}

void Broker::TakePresence(PublisherId from, const channel::v1::PresenceFrame& frame, BrokerSink*) {
  presence_.OnFrame(from, frame, state_.now);
}

void Broker::AnswerQuestions(BrokerSink* sink) {
  if (!untold_epoch()) AnswerSomeQuestions(sink);
  // Last, so that it takes no room from answers that messages wait for.
  presence_.Send(state_.now, sink);
}

void Broker::AnswerSomeQuestions(BrokerSink* sink) {
  questions_.AnswerSome([&](PublisherId to, const channel::v1::FetchHistory& fetch) {
    const std::string frame = ControlFrame(ControlKind::kHistory, ReadHistory(state_, fetch));
    // If it cannot be sent, the worker asks again.
    sink->SendControl(to, frame);
    ++counters_.history_answers;
    return frame.size();
  });
}

void Broker::Compare(PublisherId from, const channel::v1::CompareHeads& compare, BrokerSink* sink) {
  sink->SendControl(from, ControlFrame(ControlKind::kHeads, DifferentHeads(state_, compare)));
}

}  // namespace groupcast::service
