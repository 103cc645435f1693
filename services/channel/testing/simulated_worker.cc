#include "services/channel/testing/simulated_worker.h"

#include <algorithm>

#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service::testing {
namespace {

// Of any in these worlds, with the window's bookkeeping.
constexpr size_t kGroupsOfACommandMax = 4;
constexpr size_t kPublicationBytesMax = 300;

// As docs/channel_wire.md has them.
constexpr size_t kHeldBytesMax = 32u << 20;
constexpr size_t kUncheckedHeadsMax = 100'000;

// Worlds have few groups. So half of the workers need many pages for a comparison, and half of them
// can put off very few groups. The publisher's id is random already.
ChannelClientOptions WithSmallBounds(ChannelClientOptions options) {
  const auto bits = static_cast<uint64_t>(options.publisher);
  if ((bits & 1) != 0) {
    options.heads_per_page = 1;
    options.pages_max = 1;
  }
  if ((bits & 2) != 0) options.late_groups_max = 1;
  return options;
}

}  // namespace

SimulatedWorker::SimulatedWorker(const WorkerPlan& plan, EventQueue* events, Random* random,
                                 Network* network, Truth* truth)
    : plan_(plan),
      events_(events),
      random_(random),
      truth_(truth),
      links_(network, plan.client.publisher, [this] { Wake(); }),
      client_(WithSmallBounds(plan.client), events, &links_, this),
      self_(std::make_shared<SimulatedWorker*>(this)) {
  Tick();
}

SimulatedWorker::~SimulatedWorker() { *self_ = nullptr; }

void SimulatedWorker::Tick() {
  tick_due_ = true;
  Wake();
  events_->After(absl::Milliseconds(50), [self = self_] {
    if (*self != nullptr) (*self)->Tick();
  });
}

void SimulatedWorker::Continue() {
  stopped_ = false;
  Wake();
}

void SimulatedWorker::Wake() {
  if (turn_due_ || stopped_) return;
  turn_due_ = true;
  events_->After(random_->Between(absl::ZeroDuration(), absl::Microseconds(300)), [self = self_] {
    if (*self == nullptr) return;
    (*self)->turn_due_ = false;
    (*self)->Turn();
  });
}

void SimulatedWorker::Turn() {
  if (stopped_) return;
  if (std::exchange(tick_due_, false)) client_.Tick();
  client_.GiveAnswers();
  WorkerInbox& inbox = links_.inbox;
  const auto read = [&](auto* queue, auto handle) {
    for (int64_t i = random_->Between(1, plan_.reads_per_turn_max); i > 0 && !queue->empty(); --i) {
      const auto item = std::move(queue->front());
      queue->pop_front();
      handle(item);
    }
  };
  const auto link_event = [&](WorkerInbox::Event event) {
    switch (event) {
      case WorkerInbox::Event::kControlUp:
        return client_.OnControlUp();
      case WorkerInbox::Event::kControlDown:
        return client_.OnControlDown();
      case WorkerInbox::Event::kPublishUp:
        return client_.OnPublishLinkUp();
      case WorkerInbox::Event::kPublishDown:
        return client_.OnPublishLinkDown();
    }
  };
  read(&inbox.monitor, link_event);
  read(&inbox.publish, link_event);
  if (!inbox.live.empty()) client_.OnLiveInputWaits();
  read(&inbox.control, [&](const std::string& frame) {
    if (const absl::Status status = client_.OnControlFrame(frame); !status.ok()) {
      truth_->Fail(absl::StrCat("a worker cannot read a control frame: ", status.message()));
    }
  });
  read(&inbox.live, [&](const std::string& frame) {
    if (const absl::Status status = client_.OnLiveFrame(frame); !status.ok()) {
      truth_->Fail(absl::StrCat("a worker cannot read a live frame: ", status.message()));
    }
  });
  client_.GiveAnswers();
  if (turn_work_) turn_work_();
  client_.GiveAnswers();
  CheckBounds();
  if (!inbox.monitor.empty() || !inbox.publish.empty() || !inbox.control.empty() ||
      !inbox.live.empty()) {
    Wake();
  }
}

void SimulatedWorker::CheckBounds() {
  const auto check = [this](absl::string_view what, size_t is, size_t max) {
    if (is > max) truth_->Fail(absl::StrCat("a worker's ", what, ": ", is, ", of ", max));
  };
  // An empty window takes a command to several groups whole.
  check("window", client_.window_bytes(),
        std::max(plan_.client.window.bytes_max + kPublicationBytesMax,
                 kGroupsOfACommandMax * kPublicationBytesMax));
  check("held bytes", client_.held_bytes(), kHeldBytesMax);
  check("unchecked heads", client_.unchecked_heads(), kUncheckedHeadsMax);
}

const Position* SimulatedWorker::PositionOf(absl::string_view group_id) const {
  const auto found = positions_.find(group_id);
  return found == positions_.end() ? nullptr : &found->second;
}

void SimulatedWorker::OnSubscribed(absl::string_view group_id, const Position& head) {
  positions_[std::string(group_id)] = head;
  listener_->OnSubscribed(group_id, head);
}

void SimulatedWorker::OnMessage(const Message& message) {
  const auto found = positions_.find(message.group_id);
  if (found == positions_.end()) {
    truth_->Fail(absl::StrCat("group ", message.group_id, ": a message before the subscription"));
    return;
  }
  Position& position = found->second;
  if (message.epoch != position.epoch || message.previous != position.offset) {
    truth_->Fail(absl::StrCat("group ", message.group_id, ": message ", message.offset,
                              " with previous ", message.previous, " is delivered after ",
                              position.offset));
  }
  const Truth::Message* const next = truth_->Next(message.group_id, message.epoch, position.offset);
  if (next == nullptr || next->offset != message.offset || next->text != message.content.data) {
    truth_->Fail(absl::StrCat("group ", message.group_id, ": after ", position.offset, " comes ",
                              message.offset, " \"", message.content.data, "\", but there is ",
                              next == nullptr ? "nothing" : absl::StrCat(next->offset)));
  }
  position = {message.epoch, message.offset};
  listener_->OnMessage(message);
}

void SimulatedWorker::OnGap(absl::string_view group_id, const Gap& gap) {
  Position& position = positions_[std::string(group_id)];
  if (!truth_->may_lose()) {
    truth_->Fail(absl::StrCat("group ", group_id, ": a gap from ", position.offset, " to ",
                              gap.to.offset, gap.new_epoch ? " of a new epoch" : "",
                              ", but nothing was lost"));
  }
  if (gap.new_epoch != (gap.to.epoch != position.epoch) ||
      (!gap.new_epoch && (gap.from != position.offset || gap.to.offset <= gap.from))) {
    truth_->Fail(absl::StrCat("group ", group_id, ": a gap from ", gap.from, " to ", gap.to.offset,
                              " that does not begin at ", position.offset));
  }
  position = gap.to;
  listener_->OnGap(group_id, gap);
}

void SimulatedWorker::OnConnectionState(bool connected) { listener_->OnConnectionState(connected); }

void SimulatedWorker::OnRoom() {
  ++rooms_;
  listener_->OnRoom();
}

void SimulatedWorker::OnMisconfigured(const absl::Status& why) {
  truth_->Fail(absl::StrCat("a worker is misconfigured: ", why.message()));
}

}  // namespace groupcast::service::testing
