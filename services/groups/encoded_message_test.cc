#include "services/groups/encoded_message.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

class FakeMember final : public Member {
 public:
  explicit FakeMember(const Encoding* encoding) : Member(ConnectionId{1}, encoding) {}
  void Send(const SharedBytes&, TrafficClass) override {}
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override {}
};

// An encoding that counts how often it makes a block, and knows what it is given.
class CountingEncoding final : public Encoding {
 public:
  CountingEncoding() : Encoding(EncodingSlot::kFirst) {}
  SharedBytes EncodeMessage(const Message& message) const override {
    ++made;
    last = message;
    text = std::string(message.content.data);
    return SharedBytes::Copy("message");
  }
  SharedBytes EncodeExcluded(absl::string_view, const Position&, uint64_t) const override {
    return {};
  }
  SharedBytes EncodeGap(absl::string_view, const Gap&) const override { return {}; }
  SharedBytes EncodeEvent(absl::string_view, absl::string_view) const override { return {}; }

  mutable int made = 0;
  mutable Message last;
  mutable std::string text;
};

constexpr Position kPosition{Epoch{7}, 5};

TEST(EncodedMessageTest, AnEncodingMakesItsBlockOnceForAllItsMembers) {
  const CountingEncoding encoding;
  FakeMember first(&encoding);
  FakeMember second(&encoding);
  EncodedMessage message(kPosition, 4, {.data = "text"});
  EXPECT_EQ(encoding.made, 0);
  const SharedBytes block = message.For("g", &first);
  EXPECT_EQ(message.For("g", &second).bytes().data(), block.bytes().data());
  EXPECT_EQ(encoding.made, 1);
}

TEST(EncodedMessageTest, AnEncodingSeesTheWholeMessage) {
  const CountingEncoding encoding;
  FakeMember member(&encoding);
  EncodedMessage message(kPosition, 4,
                         {.kind = Content::Kind::kJson, .data = "[1]", .sent_at_ms = 9});
  message.For("g", &member);
  EXPECT_EQ(encoding.last.group_id, "g");
  EXPECT_EQ(encoding.last.epoch, Epoch{7});
  EXPECT_EQ(encoding.last.offset, 5u);
  EXPECT_EQ(encoding.last.previous, 4u);
  EXPECT_EQ(encoding.last.content.kind, Content::Kind::kJson);
  EXPECT_EQ(encoding.last.content.sent_at_ms, 9);
  EXPECT_EQ(encoding.text, "[1]");
}

TEST(EncodedMessageTest, EachKindOfMembersGetsItsOwnBlock) {
  FakeMember bare(&kPlainBareEncoding);
  FakeMember v1(&kPlainV1Encoding);
  EncodedMessage message(kPosition, 4, {.data = "text"});
  EXPECT_EQ(message.For("g", &bare).bytes(), "text");
  EXPECT_EQ(
      message.For("g", &v1).bytes(),
      R"({"event":"message","group_id":"g","message":"text","offset":5,"previous":4,"sent_at":0})");
  EXPECT_EQ(message.For("g", &bare).bytes(), "text");
}

TEST(EncodedMessageTest, TheExcludedSessionGetsThePlaceOrNothing) {
  FakeMember bare(&kPlainBareEncoding);
  FakeMember v1(&kPlainV1Encoding);
  FakeMember other(&kPlainV1Encoding);
  for (FakeMember* member : {&bare, &v1}) member->set_session(FingerprintOf({"s"}));
  other.set_session(FingerprintOf({"other"}));
  EncodedMessage message(kPosition, 4, {.data = "text", .excluded_session = FingerprintOf({"s"})});
  EXPECT_FALSE(message.For("g", &bare));
  EXPECT_EQ(message.For("g", &v1).bytes(),
            R"({"event":"message","group_id":"g","offset":5,"previous":4,"excluded":true})");
  EXPECT_NE(message.For("g", &other).bytes(), message.For("g", &v1).bytes());
}

TEST(EncodedMessageTest, KeepsItsContentInABlockThatHasIt) {
  FakeMember bare(&kPlainBareEncoding);
  FakeMember v1(&kPlainV1Encoding);
  std::string text = "text";
  EncodedMessage message(kPosition, 4, {.data = text});
  const size_t before = message.bytes();
  EXPECT_EQ(before, sizeof(message));
  message.For("g", &bare);
  message.Keep();
  EXPECT_EQ(message.bytes(), before + 4);
  text = "gone";
  EncodedMessage moved(std::move(message));
  EXPECT_NE(moved.For("g", &v1).bytes().find(R"("message":"text")"), absl::string_view::npos);
}

TEST(EncodedMessageTest, KeepsACopyOfItsContentOtherwise) {
  FakeMember bare(&kPlainBareEncoding);
  FakeMember v1(&kPlainV1Encoding);
  std::string text = "text";
  EncodedMessage message(kPosition, 4, {.data = text});
  const size_t v1_bytes = message.For("g", &v1).size();
  message.Keep();
  EXPECT_EQ(message.bytes(), sizeof(message) + 4 + v1_bytes);
  text = "gone";
  EXPECT_EQ(message.For("g", &bare).bytes(), "text");
  EXPECT_EQ(message.bytes(), sizeof(message) + 8 + v1_bytes);
}

}  // namespace
}  // namespace groupcast::service
