#include "tests/faults/stream_member.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/faults/chaos_message.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

constexpr size_t kFindingsMax = 20;
constexpr absl::Duration kLook = absl::Milliseconds(50);
// With the service's heartbeats each second. Shorter than what stands still.
constexpr absl::Duration kSilenceMax = absl::Seconds(3);
constexpr std::chrono::milliseconds kReconnectAfter{100};

}  // namespace

StreamMember::Counts& StreamMember::Counts::operator+=(const Counts& other) {
  streams += other.streams;
  recovered += other.recovered;
  deliveries += other.deliveries;
  gaps += other.gaps;
  return *this;
}

StreamMember::StreamMember(Options options, Ledger* ledger, ReturnClock* return_clock)
    : options_(std::move(options)), ledger_(ledger), return_clock_(return_clock) {
  for (const int group : options_.groups) {
    memberships_.push_back({.number = ledger_->Join({group, options_.client})});
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

StreamMember::Counts StreamMember::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<std::string> StreamMember::findings() const {
  const std::lock_guard lock(mutex_);
  return findings_;
}

void StreamMember::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock<std::mutex> lock(mutex);
  std::condition_variable_any stopped;
  while (!stop.stop_requested()) {
    try {
      Follow(stop);
    } catch (const StreamRefused& refused) {
      // Only the channel, or a service that stops, is a reason.
      if (refused.status != 503) Find("is refused", refused.what());
    } catch (const Failure&) {
      // The faults are meant to end connections.
    }
    stopped.wait_for(lock, stop, kReconnectAfter, [] { return false; });
  }
}

void StreamMember::Follow(const std::stop_token& stop) {
  const auto group_id = [](std::string* out, int group) { absl::StrAppend(out, GroupId(group)); };
  const std::string target =
      options_.groups.size() == 1
          ? absl::StrCat("/v1/groups/", GroupId(options_.groups.front()), "/events")
          : absl::StrCat("/v1/events?group=", absl::StrJoin(options_.groups, "&group=", group_id));
  HttpClient::Fields fields = {absl::StrCat("Authorization: Bearer ", options_.token)};
  if (!id_.empty()) fields.push_back(absl::StrCat("Last-Event-ID: ", id_));
  joins_.clear();
  EventStream stream(options_.port, target, fields, kSilenceMax);
  Count(&Counts::streams);
  while (!stop.stop_requested()) {
    const std::optional<StreamEvent> event = stream.NextWithin(kLook);
    if (!event.has_value()) {
      if (absl::Now() - stream.heard_at() > kSilenceMax) return;
      continue;
    }
    try {
      if (!Take(*event)) return;
    } catch (const Failure& malformed) {
      Find("gets what it cannot read:", malformed.what());
      throw;
    }
  }
}

bool StreamMember::Take(const StreamEvent& stream_event) {
  if (stream_event.name == "closing") return false;
  const JsonObject event(stream_event.data);
  if (stream_event.name == "joined") {
    joins_.push_back(event);
    // A stream that ends before has no id, and counts for nothing.
    if (joins_.size() < memberships_.size()) return true;
    TakeJoins();
  } else if (joins_.size() < memberships_.size()) {
    Find("gets before it has joined", stream_event.data);
  } else if (stream_event.name == "message") {
    TakeMessage(event);
  } else if (stream_event.name == "gap") {
    TakeGap(event);
  } else {
    Find(absl::StrCat("gets ", stream_event.name), stream_event.data);
    return true;
  }
  if (stream_event.id != ExpectedId()) {
    Find(absl::StrCat("has the id ", stream_event.id, " and not ", ExpectedId(), " after"),
         stream_event.data);
  }
  id_ = stream_event.id;
  return true;
}

void StreamMember::TakeJoins() {
  bool recovered = !id_.empty();
  for (const JsonObject& event : joins_) {
    const std::optional<size_t> group = GroupOf(event);
    if (!group.has_value()) continue;
    Membership& membership = memberships_[*group];
    const Place place{options_.groups[*group], options_.client};
    const int64_t offset = event.Number("offset");
    if (!id_.empty() && !(event.Has("recovered") && event.Bool("recovered"))) {
      recovered = false;
      Count(&Counts::gaps);
      ledger_->GapTold(place, membership.number, static_cast<uint64_t>(offset));
    } else if (!id_.empty() && offset != membership.offset) {
      Find(absl::StrCat("came back at ", membership.offset, " and joined with"), event.text());
    }
    ledger_->Joined(place, membership.number, static_cast<uint64_t>(offset));
    membership.epoch = event.Text("epoch");
    membership.offset = offset;
  }
  if (recovered) Count(&Counts::recovered);
}

void StreamMember::TakeMessage(const JsonObject& message) {
  const std::optional<size_t> group = GroupOf(message);
  if (!group.has_value()) return;
  Membership& membership = memberships_[*group];
  const int64_t offset = message.Number("offset");
  if (message.Number("previous") != membership.offset) {
    Find(absl::StrCat("was at ", membership.offset, " and gets"), message.text());
  }
  membership.offset = offset;
  Stamp stamp;
  if (!ParseMessage(message.Text("message"), &stamp)) stamp.client = -1;
  Count(&Counts::deliveries);
  ledger_->Delivered({options_.groups[*group], options_.client}, membership.number, stamp.client,
                     stamp.number, static_cast<uint64_t>(offset));
  return_clock_->Delivered(stamp.sent_us);
}

void StreamMember::TakeGap(const JsonObject& gap) {
  const std::optional<size_t> group = GroupOf(gap);
  if (!group.has_value()) return;
  Membership& membership = memberships_[*group];
  membership.epoch = gap.Text("epoch");
  membership.offset = gap.Number("to");
  Count(&Counts::gaps);
  ledger_->GapTold({options_.groups[*group], options_.client}, membership.number,
                   static_cast<uint64_t>(membership.offset));
}

std::optional<size_t> StreamMember::GroupOf(const JsonObject& event) {
  const std::string id = event.Text("group_id");
  for (size_t i = 0; i < options_.groups.size(); ++i) {
    if (GroupId(options_.groups[i]) == id) return i;
  }
  Find("is not in the group of", event.text());
  return std::nullopt;
}

std::string StreamMember::ExpectedId() const {
  std::string id;
  std::string epoch;
  for (const Membership& membership : memberships_) {
    if (!id.empty()) id += ',';
    if (membership.epoch != epoch) absl::StrAppend(&id, membership.epoch, "-");
    absl::StrAppend(&id, membership.offset);
    epoch = membership.epoch;
  }
  return id;
}

void StreamMember::Find(absl::string_view what, absl::string_view text) {
  const std::lock_guard lock(mutex_);
  if (findings_.size() >= kFindingsMax) return;
  findings_.push_back(
      absl::StrCat("stream: client ", options_.client, " ", what, " ", text.substr(0, 300)));
}

void StreamMember::Count(int64_t Counts::*what) {
  const std::lock_guard lock(mutex_);
  ++(counts_.*what);
}

}  // namespace groupcast::tests
