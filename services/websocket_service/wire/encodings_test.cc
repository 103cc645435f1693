#include "services/websocket_service/wire/encodings.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/channel/memory/memory_channel.h"
#include "services/groups/group_service.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{0x0a};
constexpr Message kMessage{
    .group_id = "g", .epoch = kEpoch, .offset = 5, .previous = 4, .content = {.data = "text"}};

std::string Text(const SharedBytes& frame) {
  EXPECT_EQ(frame.bytes()[0], '\x81');  // FIN, and a text frame
  return std::string(FramePayload(frame));
}

TEST(EncodingsTest, BareMembersGetTheMessageAndRepliesOnly) {
  EXPECT_EQ(kBareEncoding.EncodeMessage(kMessage).bytes(), "\x81\x04text");
  EXPECT_FALSE(kBareEncoding.EncodeExcluded("g", {kEpoch, 5}, 4));
  EXPECT_FALSE(kBareEncoding.EncodeGap("g", {.from = 4, .to = {kEpoch, 5}}));
  EXPECT_EQ(Text(kBareEncoding.EncodeEvent("{", "}")), "{}");
}

TEST(EncodingsTest, V1MembersGetAnEventForEverything) {
  EXPECT_EQ(
      Text(kV1Encoding.EncodeMessage(kMessage)),
      R"({"event":"message","group_id":"g","message":"text","offset":5,"previous":4,"sent_at":0})");
  EXPECT_EQ(Text(kV1Encoding.EncodeExcluded("g", {kEpoch, 5}, 4)),
            R"({"event":"message","group_id":"g","offset":5,"previous":4,"excluded":true})");
  EXPECT_EQ(Text(kV1Encoding.EncodeGap("g", {.from = 4, .to = {kEpoch, 5}})),
            R"({"event":"gap","group_id":"g","epoch":"000000000000000a","from":4,"to":5})");
  EXPECT_EQ(Text(kV1Encoding.EncodeEvent("{", "}")), "{}");
}

TEST(EncodingsTest, TheSlotsOfOneProcessAreDistinct) {
  EXPECT_NE(kBareEncoding.slot(), kV1Encoding.slot());
}

TEST(DeflatedEncodingTest, CompressesFromTheThresholdOnAndOnlyWhatBecomesSmaller) {
  Deflater deflater;
  Inflater inflater;
  const DeflatedEncoding bare(&kBareEncoding, EncodingSlot::kThird, &deflater, 100);
  const auto encode = [&](const std::string& text) {
    Message message = kMessage;
    message.content.data = text;
    return bare.EncodeMessage(message);
  };
  EXPECT_EQ(Text(encode(std::string(99, 'x'))), std::string(99, 'x'));
  const SharedBytes compressed = encode(std::string(100, 'x'));
  EXPECT_EQ(compressed.bytes()[0], '\xc1') << "FIN, RSV1, and a text frame";
  EXPECT_LT(compressed.size(), 20u);
  EXPECT_EQ(*inflater.Inflate(FramePayload(compressed), 100), std::string(100, 'x'));

  std::string noise;
  for (uint32_t i = 1; noise.size() < 200; ++i) noise += static_cast<char>(i * 2654435761u >> 24);
  EXPECT_EQ(Text(encode(noise)), noise);
}

TEST(DeflatedEncodingTest, HasTheEventsOfItsMode) {
  Deflater deflater;
  Inflater inflater;
  const DeflatedEncoding bare(&kBareEncoding, EncodingSlot::kThird, &deflater, 1'000);
  const DeflatedEncoding v1(&kV1Encoding, EncodingSlot::kFourth, &deflater, 1);
  EXPECT_FALSE(bare.EncodeExcluded("g", {kEpoch, 5}, 4));
  EXPECT_FALSE(bare.EncodeGap("g", {.from = 4, .to = {kEpoch, 5}}));
  EXPECT_EQ(Text(bare.EncodeEvent("{", "}")), "{}");
  const auto inflated = [&](const SharedBytes& frame) {
    return frame.bytes()[0] == '\x81' ? Text(frame)
                                      : std::string(*inflater.Inflate(FramePayload(frame), 1'000));
  };
  EXPECT_EQ(inflated(v1.EncodeMessage(kMessage)), Text(kV1Encoding.EncodeMessage(kMessage)));
  EXPECT_EQ(inflated(v1.EncodeExcluded("g", {kEpoch, 5}, 4)),
            Text(kV1Encoding.EncodeExcluded("g", {kEpoch, 5}, 4)));
  const Gap gap{.from = 4, .to = {kEpoch, 5}};
  EXPECT_EQ(inflated(v1.EncodeGap("g", gap)), Text(kV1Encoding.EncodeGap("g", gap)));
  const std::string rest(50, 'r');
  EXPECT_EQ(inflated(v1.EncodeEvent("{", rest)), "{" + rest);
}

class FakeMember final : public Member {
 public:
  FakeMember(uint64_t id, const Encoding* encoding) : Member(ConnectionId{id}, encoding) {}
  void Send(const SharedBytes& bytes, TrafficClass) override { frames.push_back(bytes); }
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}

  std::vector<SharedBytes> frames;
};

// The whole way: each mode's members share one frame of a message.
TEST(EncodingsTest, TheGroupsFrameAMessageOnceForEachMode) {
  FakeClock clock;
  GroupService service({}, &clock);
  MemoryHub hub(kEpoch);
  MemoryChannel channel(&hub, &service);
  service.SetChannel(&channel);
  channel.SetConnected(true);
  std::vector<std::unique_ptr<FakeMember>> members;
  Deflater deflater;
  const DeflatedEncoding bare(&kBareEncoding, EncodingSlot::kThird, &deflater, 1);
  const DeflatedEncoding v1(&kV1Encoding, EncodingSlot::kFourth, &deflater, 1);
  const Encoding* const kinds[] = {&kBareEncoding, &kV1Encoding, &bare, &v1};
  for (size_t i = 0; i < 8; ++i) {
    const Encoding* const encoding = kinds[i % 4];
    members.push_back(std::make_unique<FakeMember>(members.size() + 1, encoding));
    service.Add(members.back().get());
    service.HandleCommand(members.back().get(), R"({"cmd":"add_group","group_id":"g"})");
  }
  hub.Pump();
  const std::string text = "text text text text text";
  channel.Publish({.group_id = "g", .content = {.data = text}}, [](const auto&) {});
  hub.Pump();
  for (const auto& member : members) ASSERT_EQ(member->frames.size(), 1u);
  EXPECT_EQ(Text(members[0]->frames[0]), text);
  EXPECT_EQ(members[2]->frames[0].bytes()[0], '\xc1');
  EXPECT_EQ(members[3]->frames[0].bytes()[0], '\xc1');
  EXPECT_EQ(Text(members[1]->frames[0]).substr(0, 18), R"({"event":"message")");
  for (const size_t i : {0, 1, 2, 3}) {
    EXPECT_EQ(members[i]->frames[0].bytes().data(), members[i + 4]->frames[0].bytes().data());
  }
  for (const auto& member : members) service.Remove(member.get());
}

}  // namespace
}  // namespace groupcast::service
