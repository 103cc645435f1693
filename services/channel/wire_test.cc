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
    "0400000000000000"
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
constexpr char kKeyedHex[] =
    "31323300"
    "01010100"
    "8877665544332211"
    "0500000000000000"
    "0000000000000000"
    "0400000000000000"
    "0000000000000000"
    "100f0e0d0c0b0a09"
    "0807060504030201"
    "1205"
    "68656c6c6f"
    "18fbc098be9634";
constexpr char kVoidHex[] =
    "31323300"
    "01040000"
    "8877665544332211"
    "0500000000000000"
    "0000000000000000"
    "0400000000000000"
    "0000000000000000";
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
    "1003"
    "19efcdab8967452301"
    "202a";
constexpr char kHelloReplyHex[] =
    "01020000"
    "09efcdab8967452301"
    "1006"
    "18808004"
    "2003"
    "2801"
    "320e09efcdab896745230110061a012b"
    "3808";
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
    "200a"
    "29efcdab8967452301";
constexpr char kHistoryHex[] =
    "01050000"
    "0801"
    "11efcdab8967452301"
    "182a"
    "2007";
constexpr char kCompareHeadsHex[] =
    "01060000"
    "0802"
    "11efcdab8967452301"
    "1a070a033132331029";
constexpr char kHeadsHex[] =
    "01070000"
    "0802"
    "11efcdab8967452301"
    "1a070a03313233102a";
constexpr char kDigestHex[] =
    "01080000"
    "0809"
    "11efcdab8967452301"
    "1a070a03313233102a";

constexpr char kPresenceToServerHex[] =
    "01090000"
    "0802"
    "1003"
    "1801"
    "221e"
    "0a03313233"
    "1801"
    "2001"
    "2a13"
    "09ab00000000000000"
    "2205616c696365"
    "28e807"
    "2801";
constexpr char kPresenceToWorkerHex[] =
    "01090000"
    "0802"
    "1004"
    "1803"
    "2211"
    "0a03313233"
    "1001"
    "3208"
    "ab00000000000000";

constexpr PublisherId kPublisher{0x1122334455667788};
constexpr Epoch kEpoch{0x0123456789abcdef};
constexpr uint64_t kEpochNumber{0x0123456789abcdef};
constexpr Fingerprint kKey{0x090a0b0c0d0e0f10, 0x0102030405060708};

std::string Bytes(absl::string_view hex) { return absl::HexStringToBytes(hex); }
std::string Hex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

std::string Publication(const Fingerprint& key = {}) {
  channel::v1::Content content;
  content.set_data("hello");
  content.set_sent_at_ms(1792742400123);
  std::string frame =
      LiveFramePrefix("123",
                      {.kind = LiveKind::kPublication, .publisher = kPublisher, .key = key}) +
      content.SerializeAsString();
  PatchNumber(absl::MakeSpan(frame), 3, 5, 4);
  return frame;
}

channel::v1::Head* AddHead(uint64_t offset,
                           google::protobuf::RepeatedPtrField<channel::v1::Head>* heads) {
  channel::v1::Head* const head = heads->Add();
  head->set_group_id("123");
  head->set_offset(offset);
  return head;
}

TEST(WireTest, LiveFramesHaveTheirGoldenBytes) {
  std::string frame = Publication();
  EXPECT_EQ(Hex(frame), kPublicationHex);
  PatchIntoMessage(absl::MakeSpan(frame), 3, {kEpoch, 42}, 41);
  EXPECT_EQ(Hex(frame), kMessageHex);
  EXPECT_EQ(Hex(Publication(kKey)), kKeyedHex);
  EXPECT_EQ(
      Hex(LiveFramePrefix(
          "123", {.kind = LiveKind::kVoid, .publisher = kPublisher, .number = 5, .offset = 4})),
      kVoidHex);
  EXPECT_EQ(
      Hex(LiveFramePrefix(
          "123", {.kind = LiveKind::kAnnouncement, .epoch = kEpoch, .offset = 42, .previous = 7})),
      kAnnouncementHex);
}

TEST(WireTest, ConnectionFramesHaveTheirGoldenBytes) {
  channel::v1::Hello hello;
  hello.set_first_unacknowledged(6);
  hello.set_attempt(3);
  hello.set_epoch(kEpochNumber);
  hello.set_highest_offset(42);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kHello, hello)), kHelloHex);

  channel::v1::HelloReply reply;
  reply.set_epoch(kEpochNumber);
  reply.set_last_accepted(6);
  reply.set_max_message_bytes(65536);
  reply.set_attempt(3);
  reply.set_known(true);
  reply.mutable_results()->set_epoch(kEpochNumber);
  reply.mutable_results()->set_first_number(6);
  reply.mutable_results()->add_offsets(43);
  reply.set_last_digest(8);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kHelloReply, reply)), kHelloReplyHex);

  channel::v1::Acknowledgement acknowledgement;
  acknowledgement.set_epoch(kEpochNumber);
  acknowledgement.set_first_number(5);
  acknowledgement.add_offsets(42);
  acknowledgement.add_offsets(0);
  channel::v1::Refusal* refusal = acknowledgement.add_refusals();
  refusal->set_number(6);
  refusal->set_reason(channel::v1::Refusal::TOO_LARGE);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kAcknowledgement, acknowledgement)), kAcknowledgementHex);
}

TEST(WireTest, RepairFramesHaveTheirGoldenBytes) {
  channel::v1::FetchHistory fetch;
  fetch.set_request(1);
  fetch.set_group_id("123");
  fetch.set_after(41);
  fetch.set_epoch(kEpochNumber);
  fetch.set_newest(10);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kFetchHistory, fetch)), kFetchHistoryHex);

  channel::v1::History history;
  history.set_request(1);
  history.set_epoch(kEpochNumber);
  history.set_head(42);
  history.set_floor(7);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kHistory, history)), kHistoryHex);

  channel::v1::CompareHeads compare;
  compare.set_request(2);
  compare.set_epoch(kEpochNumber);
  AddHead(41, compare.mutable_heads());
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kCompareHeads, compare)), kCompareHeadsHex);

  channel::v1::Heads heads;
  heads.set_request(2);
  heads.set_epoch(kEpochNumber);
  AddHead(42, heads.mutable_heads());
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kHeads, heads)), kHeadsHex);

  channel::v1::Digest digest;
  digest.set_number(9);
  digest.set_epoch(kEpochNumber);
  AddHead(42, digest.mutable_heads());
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kDigest, digest)), kDigestHex);
}

TEST(WireTest, PresenceFramesHaveTheirGoldenBytes) {
  channel::v1::PresenceFrame to_server;
  to_server.set_stream(2);
  to_server.set_number(3);
  to_server.set_confirmed(1);
  to_server.set_came_back(true);
  channel::v1::PresenceGroup* const list = to_server.add_groups();
  list->set_group_id("123");
  list->set_begins(true);
  list->set_ends(true);
  channel::v1::PresentMember* const member = list->add_joined();
  member->set_connection_id(0xab);
  member->set_identity("alice");
  member->set_since_ms(1'000);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kPresence, to_server)), kPresenceToServerHex);

  channel::v1::PresenceFrame to_worker;
  to_worker.set_stream(2);
  to_worker.set_number(4);
  to_worker.set_confirmed(3);
  channel::v1::PresenceGroup* const news = to_worker.add_groups();
  news->set_group_id("123");
  news->set_watch(channel::v1::PresenceGroup::ON);
  news->add_left(0xab);
  EXPECT_EQ(Hex(ControlFrame(ControlKind::kPresence, to_worker)), kPresenceToWorkerHex);
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
  EXPECT_TRUE(frame->header.key.empty());
  channel::v1::Content content;
  ASSERT_TRUE(content.ParseFromString(std::string(frame->body)));
  EXPECT_EQ(content.data(), "hello");

  const std::string control = Bytes(kHelloHex);
  const absl::StatusOr<ControlView> view = ParseControlFrame(control);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->kind, ControlKind::kHello);
  EXPECT_EQ(Hex(view->body), "0806100319efcdab8967452301202a");
}

TEST(WireTest, AKeyStandsBetweenHeaderAndBodyAndStaysInTheMessage) {
  std::string bytes = Bytes(kKeyedHex);
  PatchIntoMessage(absl::MakeSpan(bytes), 3, {kEpoch, 42}, 41);
  const absl::StatusOr<LiveFrame> frame = ParseLiveFrame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->header.kind, LiveKind::kMessage);
  EXPECT_EQ(frame->header.key, kKey);
  EXPECT_EQ(frame->header.offset, 42u);
  EXPECT_EQ(Hex(frame->body), "120568656c6c6f18fbc098be9634");
}

TEST(WireTest, RefusesKeysThatAreNone) {
  const std::string keyed = LiveFramePrefix("123", {.kind = LiveKind::kMessage, .key = kKey});
  EXPECT_TRUE(ParseLiveFrame(keyed).ok());
  for (size_t cut = 1; cut <= kKeyBytes; ++cut) {
    EXPECT_EQ(
        ParseLiveFrame(absl::string_view(keyed).substr(0, keyed.size() - cut)).status().message(),
        "key cut short");
  }
  std::string empty = keyed;
  empty.replace(empty.size() - kKeyBytes, kKeyBytes, kKeyBytes, '\0');
  EXPECT_EQ(ParseLiveFrame(empty).status().message(), "an empty key");
}

TEST(WireTest, RefusesFlagsThatItDoesNotKnow) {
  std::string frame = Bytes(kMessageHex);
  frame[6] = 2;
  EXPECT_EQ(ParseLiveFrame(frame).status().message(), "unknown flags 2");
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
  frame[5] = 5;
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
