// Frames from the sockets, as a worker reads them. The first byte says what the rest is: a live
// frame, a topic or a control frame. What is accepted must be what would have been written, and
// nothing may crash a ChannelClient in the middle of its work.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "services/channel/wire.h"
#include "services/channel/zmq/channel_client.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

class Links final : public ChannelLinks {
 public:
  void SendPublication(absl::string_view) override {}
  bool SendControl(absl::string_view) override { return true; }
  void Subscribe(const std::string& topic) override { nonce = ParseTopic(topic)->nonce; }
  void Unsubscribe(const std::string&) override {}
  PublisherId nonce{};
};

// Its chain must never have a hole, whatever comes.
class Listener final : public ChannelListener {
 public:
  void OnSubscribed(absl::string_view, const Position& head) override { position_ = head; }
  void OnMessage(const Message& message) override {
    if (message.epoch != position_.epoch || message.previous != position_.offset) std::abort();
    position_.offset = message.offset;
  }
  void OnGap(absl::string_view, const Gap& gap) override { position_ = gap.to; }
  void OnConnectionState(bool) override {}
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status&) override {}

 private:
  Position position_;
};

constexpr Epoch kEpoch{7};

void CheckLiveFrame(absl::string_view bytes) {
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
  if (!frame.ok()) return;
  std::string again = LiveFramePrefix(frame->group_id, frame->header);
  // The header's zero byte is ignored by who reads it.
  const size_t zero = frame->group_id.size() + 1 + 3;
  again[zero] = bytes[zero];
  again.append(frame->body.data(), frame->body.size());
  if (again != bytes) std::abort();
}

void CheckTopic(absl::string_view bytes) {
  const absl::StatusOr<Topic> topic = ParseTopic(bytes);
  if (!topic.ok()) return;
  const bool is_proof = topic->nonce != PublisherId{};
  if (bytes != (is_proof ? ProofTopicOf(topic->group_id, topic->nonce) : TopicOf(topic->group_id)))
    std::abort();
}

// A connected client with a group that is being repaired, requests and publications under way.
void GiveToClient(absl::string_view frame, bool live) {
  FakeClock clock;
  Links links;
  Listener listener;
  ChannelClient client({.publisher = PublisherId{9}}, &clock, &links, &listener);
  client.OnPublishLinkUp();
  client.OnControlUp();
  channel::v1::HelloReply reply;
  reply.set_epoch(static_cast<uint64_t>(kEpoch));
  reply.set_attempt(1);
  reply.set_max_message_bytes(1 << 20);
  if (!client.OnControlFrame(ControlFrame(ControlKind::kHelloReply, reply)).ok()) std::abort();
  client.Subscribe("x");
  const LiveHeader announcement{
      .kind = LiveKind::kAnnouncement, .publisher = links.nonce, .epoch = kEpoch, .offset = 5};
  if (!client.OnLiveFrame(LiveFramePrefix("x", announcement)).ok()) std::abort();
  const LiveHeader message{.kind = LiveKind::kMessage, .epoch = kEpoch, .offset = 8, .previous = 7};
  if (!client.OnLiveFrame(LiveFramePrefix("x", message)).ok()) std::abort();
  client.FetchHistory("x", {kEpoch, 0}, 0, [](const absl::StatusOr<History>&) {});
  for (int i = 0; i < 3; ++i) {
    client.Publish({.group_id = "x", .content = {.data = "hello"}, .key = {}},
                   [](const absl::StatusOr<Position>&) {});
  }
  // Twice, because the second may find what the first has left.
  for (int i = 0; i < 2; ++i) {
    (live ? client.OnLiveFrame(frame) : client.OnControlFrame(frame)).IgnoreError();
    client.GiveAnswers();
    clock.Advance(absl::Milliseconds(300));
    client.Tick();
  }
  client.OnControlDown();
  client.GiveAnswers();
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(build/namespaces)
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      CheckLiveFrame(rest);
      GiveToClient(rest, true);
      break;
    case 1:
      CheckTopic(rest);
      break;
    default:
      GiveToClient(rest, false);
  }
  return 0;
}
