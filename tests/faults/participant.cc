#include "tests/faults/participant.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/faults/chaos_access.h"
#include "tests/faults/chaos_message.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

// Bounds what one client has unanswered. It takes an outage of half a minute to get there.
constexpr int kUnansweredMax = 256;

Answer ToAnswer(const absl::StatusOr<Position>& result) {
  if (result.ok()) return {Answer::Kind::kAcknowledged, result->offset};
  if (absl::IsUnknown(result.status())) return {Answer::Kind::kUnknown};
  return {Answer::Kind::kNotDone};
}

}  // namespace

Participant::Participant(int number, uint16_t port, std::vector<int> groups, Ledger* ledger,
                         ReturnClock* return_clock)
    : number_(number), groups_(std::move(groups)), ledger_(ledger), return_clock_(return_clock) {
  ClientOptions options;
  options.url = absl::StrCat("ws://127.0.0.1:", port, "/?token=", TokenOf(UserOf(number)));
  options.backoff_base = absl::Milliseconds(100);
  options.backoff_cap = absl::Seconds(1);
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
  if (!client.ok()) throw Failure(client.status().ToString());
  client_ = *std::move(client);
  for (const int group : groups_) JoinAs(group, ledger_->Join({group, number_}), JoinOptions());
}

void Participant::Send(int group) {
  if (unanswered_ >= kUnansweredMax) return;
  ++unanswered_;
  const Place place{group, number_};
  const uint64_t number = ledger_->Send(place);
  const absl::Status status =
      client_->Send(GroupId(group), MessageText(number_, number, absl::Now()),
                    [this, place, number](const absl::StatusOr<Position>& result) {
                      ledger_->Answered(place, number, ToAnswer(result));
                      --unanswered_;
                    });
  if (status.ok()) return;
  ledger_->Answered(place, number, {Answer::Kind::kNotDone});
  --unanswered_;
}

void Participant::LeaveLast() {
  const Place place{groups_.back(), number_};
  client_->Leave(GroupId(place.group));
  left_at_ = ledger_->Leave(place);
  left_ = true;
}

void Participant::JoinLast(uint64_t how) {
  const Place place{groups_.back(), number_};
  left_ = false;
  JoinOptions options;
  uint64_t membership = 0;
  // It may have left before it had joined at all; then there is no position to go on from.
  if (how % 3 == 0 && left_at_ != 0) {
    const std::lock_guard lock(mutex_);
    options.since = Position{epoch_, left_at_};
    membership = ledger_->JoinSince(place, left_at_);
  } else {
    if (how % 3 == 1) options.history = 20;
    membership = ledger_->Join(place);
  }
  JoinAs(place.group, membership, options);
}

void Participant::JoinAs(int group, uint64_t membership, const JoinOptions& options) {
  const Place place{group, number_};
  const absl::Status status = client_->Join(
      GroupId(group), options,
      [this, place, membership](const Message& message) {
        Stamp stamp;
        if (!ParseMessage(message.text.value_or(""), &stamp)) stamp.client = -1;
        ledger_->Delivered(place, membership, stamp.client, stamp.number, message.offset);
        return_clock_->Delivered(stamp.sent_us);
      },
      [this, place, membership](const absl::StatusOr<Joined>& joined) {
        if (!joined.ok()) return;  // the client tries again by itself
        {
          const std::lock_guard lock(mutex_);
          epoch_ = joined->position.epoch;
        }
        ledger_->Joined(place, membership, joined->position.offset);
      },
      [this, place, membership](const Gap& gap) { ledger_->GapTold(place, membership, gap.to); });
  if (!status.ok()) throw Failure(absl::StrCat("join: ", status.ToString()));
}

}  // namespace groupcast::tests
