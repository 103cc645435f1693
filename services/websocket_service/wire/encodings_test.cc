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
  for (const Encoding* encoding : std::initializer_list<const Encoding*>{
           &kBareEncoding, &kV1Encoding, &kBareEncoding, &kV1Encoding}) {
    members.push_back(std::make_unique<FakeMember>(members.size() + 1, encoding));
    service.Add(members.back().get());
    service.HandleCommand(members.back().get(), R"({"cmd":"add_group","group_id":"g"})");
  }
  hub.Pump();
  channel.Publish({.group_id = "g", .content = {.data = "text"}}, [](const auto&) {});
  hub.Pump();
  for (const auto& member : members) ASSERT_EQ(member->frames.size(), 1u);
  EXPECT_EQ(members[0]->frames[0].bytes(), "\x81\x04text");
  EXPECT_EQ(Text(members[1]->frames[0]).substr(0, 18), R"({"event":"message")");
  for (const size_t i : {0, 1}) {
    EXPECT_EQ(members[i]->frames[0].bytes().data(), members[i + 2]->frames[0].bytes().data());
  }
  for (const auto& member : members) service.Remove(member.get());
}

}  // namespace
}  // namespace groupcast::service
