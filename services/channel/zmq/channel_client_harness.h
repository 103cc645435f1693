#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_HARNESS_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_HARNESS_H_

// A ChannelClient for tests. The other side of its links is a fake server that describes frames in
// words.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"
#include "services/channel/zmq/channel_client.h"
#include "services/common/clock.h"

namespace groupcast::service {

using Words = std::vector<std::string>;

inline constexpr Epoch kEpoch{7};
inline constexpr Epoch kNextEpoch{8};
inline constexpr PublisherId kPublisher{9};

// Group id and offset.
using HeadList = std::vector<std::pair<std::string, uint64_t>>;

// Keeps the frames that the client sends.
class FakeLinks final : public ChannelLinks {
 public:
  void SendPublication(absl::string_view frame) override;
  bool SendControl(absl::string_view frame) override;
  void Subscribe(const std::string& topic) override;
  void Unsubscribe(const std::string& topic) override;

  Words publications;   // "1 text", "1 void"
  Words subscriptions;  // "+x", "-x"; for a proof "+x?", "-x?"
  Words controls;       // whole frames
  PublisherId last_nonce{};
  bool control_full = false;
};

// Lists its events in words, and runs a test's function at that time.
class FakeListener final : public ChannelListener {
 public:
  void OnSubscribed(absl::string_view group_id, const Position& head) override;
  void OnMessage(const Message& message) override;
  void OnGap(absl::string_view group_id, const Gap& gap) override;
  void OnConnectionState(bool connected) override;
  void OnRoom() override;
  void OnMisconfigured(const absl::Status& why) override;

  Words told;
  std::function<void()> on_message = [] {};
  std::function<void()> on_subscribed = [] {};
};

class ChannelClientTest : public testing::Test {
 protected:
  // Digests come only if a test sends them.
  explicit ChannelClientTest(absl::Duration digest_timeout = absl::InfiniteDuration());

  // All links are up, and the hello has its answer. The lists have no event of it.
  void Connect();
  // Answers the newest hello.
  void AnswerHello(channel::v1::HelloReply reply);
  void AnswerHello() { AnswerHello(KnownReply()); }
  static channel::v1::HelloReply KnownReply(Epoch epoch = kEpoch, uint64_t last_accepted = 0);

  // Ticks every 50 ms until `time` has passed.
  void Pass(absl::Duration time);

  // Takes the oldest control frame, which must be of this kind. Without a frame: the default body.
  template <typename Body>
  Body Take(ControlKind kind) {
    Body body;
    if (links_.controls.empty()) {
      ADD_FAILURE() << "no control frame";
      return body;
    }
    const std::string frame = std::move(links_.controls.front());
    links_.controls.erase(links_.controls.begin());
    const ControlView view = *ParseControlFrame(frame);
    EXPECT_EQ(view.kind, kind);
    EXPECT_TRUE(body.ParseFromString(std::string(view.body)));
    return body;
  }
  channel::v1::Hello TakeHello() { return Take<channel::v1::Hello>(ControlKind::kHello); }
  channel::v1::FetchHistory TakeFetch() {
    return Take<channel::v1::FetchHistory>(ControlKind::kFetchHistory);
  }
  channel::v1::CompareHeads TakeCompare() {
    return Take<channel::v1::CompareHeads>(ControlKind::kCompareHeads);
  }

  void Control(ControlKind kind, const google::protobuf::MessageLite& body);
  void Acknowledge(uint64_t first_number, const std::vector<uint64_t>& offsets);
  void Digest(uint64_t number, const HeadList& heads = {}, Epoch epoch = kEpoch);
  void Heads(const channel::v1::CompareHeads& question, const HeadList& heads = {},
             Epoch epoch = kEpoch);
  // The messages are pairs of previous and offset. The text of a message is its offset.
  void History(const channel::v1::FetchHistory& question, uint64_t head, uint64_t floor,
               const std::vector<std::pair<uint64_t, uint64_t>>& messages, Epoch epoch = kEpoch);

  void Live(const std::string& frame) { EXPECT_TRUE(client_.OnLiveFrame(frame).ok()); }
  void Announce(absl::string_view group_id, uint64_t offset, Epoch epoch = kEpoch,
                PublisherId nonce = {});
  void Message(absl::string_view group_id, uint64_t offset, uint64_t previous,
               Epoch epoch = kEpoch);
  static std::string MessageFrame(absl::string_view group_id, uint64_t offset, uint64_t previous,
                                  Epoch epoch = kEpoch);

  // Subscribes, and answers the proof with this head. Clears the lists.
  void Join(absl::string_view group_id, uint64_t head, Epoch epoch = kEpoch);

  // Its answer is "text: offset" or "text: error".
  void Publish(const std::string& text);
  // Its answer is "history of 2 up to 9", with " from 5" if its floor is there, or "history:
  // error".
  void Fetch(absl::string_view group_id, uint64_t after, uint32_t newest = 0);

  // The listener's events and the answers since the last call. The answers are last.
  Words Told();
  Words Sent() { return std::exchange(links_.publications, {}); }
  Words Subscribed() { return std::exchange(links_.subscriptions, {}); }

  FakeClock clock_;
  FakeLinks links_;
  FakeListener listener_;
  Words answers_;
  ChannelClient client_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_HARNESS_H_
