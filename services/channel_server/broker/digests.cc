#include "services/channel_server/broker/digests.h"

#include <utility>

#include "services/channel/proto/wire.pb.h"

namespace groupcast::service {
namespace {

// The number of heads in one digest. More active groups make several digests.
constexpr int kHeadsPerDigest = 500;

}  // namespace

void Digests::NoteActive(KnownGroup* group) {
  if (!std::exchange(group->active, true)) active_.push_back(group);
}

// What the digests of all publishers have in common: everything but the number. (The fields of a
// protobuf message may come in any order, so the number can stand in front of it.)
std::vector<std::string> Digests::TakeBodies(BrokerState* state) {
  std::vector<std::string> bodies;
  channel::v1::Digest digest;
  const auto finish = [&] {
    digest.set_epoch(static_cast<uint64_t>(state->epoch));
    bodies.push_back(digest.SerializeAsString());
    digest.Clear();
  };
  for (KnownGroup* const group : std::exchange(active_, {})) {
    group->active = false;
    // Also without subscribers: a subscription may have been lost as well.
    channel::v1::Head* const head = digest.add_heads();
    head->set_group_id(*group->id);
    head->set_offset(group->head);
    if (digest.heads_size() == kHeadsPerDigest) finish();
    state->UpdateIdle(group);
  }
  if (bodies.empty() || digest.heads_size() > 0) finish();
  return bodies;
}

void Digests::Send(BrokerState* state, BrokerSink* sink) {
  if (state->now < next_) return;
  next_ = state->now + period_;
  const std::vector<std::string> bodies = TakeBodies(state);
  last_round_ = {};
  for (auto& [id, publisher] : state->publishers.all()) {
    if (!publisher.present) continue;
    bool lags = false;
    for (const std::string& body : bodies) {
      channel::v1::Digest number;
      number.set_number(++publisher.last_digest);
      const BrokerSink::Sent sent =
          sink->SendControl(id, ControlFrame(ControlKind::kDigest, number) + body);
      // The worker says hello after it reconnects. A worker that cannot take a digest now sees the
      // hole.
      if (sent == BrokerSink::Sent::kGone) publisher.present = false;
      if (sent == BrokerSink::Sent::kSent) ++sent_;
      lags |= sent == BrokerSink::Sent::kFull;
    }
    if (!publisher.present) continue;
    ++last_round_.workers;
    if (lags) ++last_round_.lagging;
  }
}

}  // namespace groupcast::service
