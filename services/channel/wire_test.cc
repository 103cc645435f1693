#include "services/channel/wire.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "services/channel/proto/wire.pb.h"

namespace groupcast::service {
namespace {

// The golden bytes of docs/channel_wire.md, which has them with an explanation. A change of one is
// a change of the format: the document, the code and kWireVersion go with it.
constexpr char kPublicationHex[] =
    "31323300"
    "01010000"
    "8877665544332211"
    "0500000000000000"
    "0000000000000000"
    "0000000000000000"
    "0000000000000000"
    "1205"
    "68656c6c6f"
    "18fbc098be9634";
constexpr char kMessageHex[] =
    "31323300"
    "01020000"
    "8877665544332211"
    "0500000000000000"
    "efcdab8967452301"
    "2a00000000000000"
    "2900000000000000"
    "1205"
    "68656c6c6f"
    "18fbc098be9634";
constexpr char kAnnouncementHex[] =
    "31323300"
    "01030000"
    "0000000000000000"
    "0000000000000000"
    "efcdab8967452301"
    "2a00000000000000"
    "0700000000000000";
constexpr char kHelloHex[] =
    "01010000"
    "0806"
    "1003";
constexpr char kHelloReplyHex[] =
    "01020000"
    "09efcdab8967452301"
    "1005"
    "18808004"
    "2003";
constexpr char kAcknowledgementHex[] =
    "01030000"
    "09efcdab8967452301"
    "1005"
    "1a022a00"
    "220408061001";
constexpr char kFetchHistoryHex[] =
    "01040000"
    "0801"
    "1203313233"
    "1829"
    "200a";
constexpr char kHistoryHex[] =
    "01050000"
    "0801"
    "11efcdab8967452301"
    "182a"
    "2007";

constexpr PublisherId kPublisher{0x1122334455667788};
constexpr Epoch kEpoch{0x0123456789abcdef};

std::string Bytes(absl::string_view hex) { return absl::HexStringToBytes(hex); }
std::string Hex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

std::string Publication() {
  channel::v1::Content content;
  content.set_data("hello");
  content.set_sent_at_ms(1792742400123);
  return LiveFramePrefix("123",
                         {.kind = LiveKind::kPublication, .publisher = kPublisher, .number = 5}) +
         content.SerializeAsString();
}

TEST(WireTest, LiveFramesHaveTheirGoldenBytes) {
  std::string frame = Publication();
  EXPECT_EQ(Hex(frame), kPublicationHex);
  PatchIntoMessage(absl::MakeSpan(frame), 3, {kEpoch, 42}, 41);
  EXPECT_EQ(Hex(frame), kMessageHex);
  EXPECT_EQ(
      Hex(LiveFramePrefix(
          "123", {.kind = LiveKind::kAnnouncement, .epoch = kEpoch, .offset = 42, .previous = 7})),
      kAnnouncementHex);
}

TEST(WireTest, ControlFramesHaveTheirGoldenBytes) {
  channel::v1::Hello hello;
  hello.set_first_unacknowledged(6);
  hello.set_attempt(3);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kHello, hello)), kHelloHex);

  channel::v1::HelloReply reply;
  reply.set_epoch(static_cast<uint64_t>(kEpoch));
  reply.set_last_accepted(5);
  reply.set_max_message_bytes(65536);
  reply.set_attempt(3);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kHelloReply, reply)), kHelloReplyHex);

  channel::v1::Acknowledgement acknowledgement;
  acknowledgement.set_epoch(static_cast<uint64_t>(kEpoch));
  acknowledgement.set_first_number(5);
  acknowledgement.add_offsets(42);
  acknowledgement.add_offsets(0);
  channel::v1::Refusal* refusal = acknowledgement.add_refusals();
  refusal->set_number(6);
  refusal->set_reason(channel::v1::Refusal::TOO_LARGE);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kAcknowledgement, acknowledgement)), kAcknowledgementHex);

  channel::v1::FetchHistory fetch;
  fetch.set_request(1);
  fetch.set_group_id("123");
  fetch.set_after(41);
  fetch.set_limit(10);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kFetchHistory, fetch)), kFetchHistoryHex);

  channel::v1::History history;
  history.set_request(1);
  history.set_epoch(static_cast<uint64_t>(kEpoch));
  history.set_head(42);
  history.set_floor(7);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kHistory, history)), kHistoryHex);
}

TEST(WireTest, ReadsWhatItWrites) {
  const std::string bytes = Bytes(kMessageHex);
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->group_id, "123");
  EXPECT_EQ(frame->header.kind, LiveKind::kMessage);
  EXPECT_EQ(frame->header.publisher, kPublisher);
  EXPECT_EQ(frame->header.number, 5u);
  EXPECT_EQ(frame->header.epoch, kEpoch);
  EXPECT_EQ(frame->header.offset, 42u);
  EXPECT_EQ(frame->header.previous, 41u);
  channel::v1::Content content;
  ASSERT_TRUE(content.ParseFromString(std::string(frame->body)));
  EXPECT_EQ(content.data(), "hello");

  const std::string control = Bytes(kHelloHex);
  const absl::StatusOr<ControlView> view = ParseControlFrame(control);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->kind, ControlKind::kHello);
  EXPECT_EQ(Hex(view->body), "08061003");
}

TEST(WireTest, RefusesALiveFrameCutAnywhereInItsHeader) {
  const std::string whole = Bytes(kAnnouncementHex);
  ASSERT_TRUE(ParseLiveFrame(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ParseLiveFrame(absl::string_view(whole).substr(0, size)).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  }
  EXPECT_FALSE(ParseControlFrame("\x01\x01").ok());
}

TEST(WireTest, RefusesOtherVersionsByName) {
  std::string live = Bytes(kMessageHex);
  live[4] = 2;
  EXPECT_EQ(ParseLiveFrame(live).status().message(), "wire version 2, this side speaks 1");
  std::string control = Bytes(kHelloHex);
  control[0] = 9;
  EXPECT_EQ(ParseControlFrame(control).status().message(), "wire version 9, this side speaks 1");
}

TEST(WireTest, RefusesUnknownKindsAndGroupIdsThatAreNone) {
  std::string frame = Bytes(kMessageHex);
  frame[5] = 4;
  EXPECT_FALSE(ParseLiveFrame(frame).ok());
  frame[5] = 0;
  EXPECT_FALSE(ParseLiveFrame(frame).ok());
  EXPECT_FALSE(ParseLiveFrame(LiveFramePrefix("", {.kind = LiveKind::kMessage})).ok());
  EXPECT_FALSE(ParseLiveFrame(LiveFramePrefix("a\n", {.kind = LiveKind::kMessage})).ok());
  EXPECT_FALSE(
      ParseLiveFrame(LiveFramePrefix(std::string(129, 'g'), {.kind = LiveKind::kMessage})).ok());
  EXPECT_TRUE(
      ParseLiveFrame(LiveFramePrefix(std::string(128, 'g'), {.kind = LiveKind::kMessage})).ok());
}

// Topics match by prefix.
TEST(WireTest, NoTopicIsAPrefixOfAnother) {
  EXPECT_EQ(TopicOf("12"), std::string("12\0", 3));
  EXPECT_NE(TopicOf("123").substr(0, 3), TopicOf("12"));
  EXPECT_EQ(ParseTopic(TopicOf("12"))->group_id, "12");
  EXPECT_EQ(ParseTopic(TopicOf("12"))->nonce, PublisherId{});
}

TEST(WireTest, AProofTopicIsHowTheAnnouncementThatAnswersItBegins) {
  const std::string topic = ProofTopicOf("123", kPublisher);
  const std::string answer = LiveFramePrefix(
      "123",
      {.kind = LiveKind::kAnnouncement, .publisher = kPublisher, .epoch = kEpoch, .offset = 42});
  EXPECT_EQ(answer.substr(0, topic.size()), topic);
  const std::string other =
      LiveFramePrefix("123", {.kind = LiveKind::kMessage, .publisher = kPublisher});
  EXPECT_NE(other.substr(0, topic.size()), topic);
  EXPECT_EQ(ParseTopic(topic)->group_id, "123");
  EXPECT_EQ(ParseTopic(topic)->nonce, kPublisher);
}

TEST(WireTest, RefusesTopicsThatAreNeither) {
  const std::string proof = ProofTopicOf("123", kPublisher);
  for (size_t size = 0; size < proof.size(); ++size) {
    EXPECT_EQ(ParseTopic(absl::string_view(proof).substr(0, size)).ok(), size == 4) << size;
  }
  EXPECT_FALSE(ParseTopic(proof + "x").ok());
  EXPECT_FALSE(ParseTopic(ProofTopicOf("123", PublisherId{})).ok());
  EXPECT_FALSE(ParseTopic(absl::string_view("\0", 1)).ok());
}

}  // namespace
}  // namespace groupcast::service
