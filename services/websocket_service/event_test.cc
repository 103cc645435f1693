#include "services/websocket_service/event.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Position kPosition{Epoch{0x5f0c2ab3d1e94477}, 41};

// The examples of docs/protocol.md: who changes one changes the other.

TEST(EventTest, Welcome) {
  EXPECT_EQ(WelcomeEvent(0xc4f1e2a90b7d3356, absl::Seconds(25),
                         {.message_bytes = 65536, .groups = 128, .frame_bytes = 1048576}),
            R"({"event":"welcome","connection_id":"c4f1e2a90b7d3356","ping_interval_ms":25000,)"
            R"("limits":{"message_bytes":65536,"groups":128,"frame_bytes":1048576}})");
}

TEST(EventTest, Replies) {
  EXPECT_EQ(PositionReply("1", "123", kPosition),
            R"({"event":"reply","id":1,"group_id":"123","epoch":"5f0c2ab3d1e94477","offset":41})");
  EXPECT_EQ(LeaveReply("2", "123"), R"({"event":"reply","id":2,"group_id":"123"})");
  EXPECT_EQ(PongReply("5"), R"({"event":"reply","id":5,"pong":true})");
}

TEST(EventTest, ResultsOfManyGroups) {
  EXPECT_EQ(
      ResultsReply("4", {{.group_id = "a", .position = {kPosition.epoch, 43}},
                         {.group_id = std::string("b\0", 2),
                          .error = "group_id has a control character",
                          .code = ErrorCode::kGroupIdInvalid}}),
      R"({"event":"reply","id":4,"results":[{"group_id":"a","epoch":"5f0c2ab3d1e94477","offset":43},)"
      R"({"group_id":"b\u0000","code":"group_id_invalid","message":"group_id has a control character","retry":false}]})");
}

TEST(EventTest, MessageKeepsTextAsAStringAndJsonAsItIs) {
  Message message{
      .group_id = "123",
      .epoch = kPosition.epoch,
      .offset = 42,
      .previous = 41,
      .content = {.kind = Content::Kind::kText, .data = "hello", .sent_at_ms = 1792742400123}};
  EXPECT_EQ(
      MessageEvent(message),
      R"({"event":"message","group_id":"123","message":"hello","offset":42,"previous":41,"sent_at":1792742400123})");
  message.content.kind = Content::Kind::kJson;
  message.content.data = R"({"n":0.10})";
  EXPECT_EQ(
      MessageEvent(message),
      R"({"event":"message","group_id":"123","message":{"n":0.10},"offset":42,"previous":41,"sent_at":1792742400123})");
}

TEST(EventTest, Gap) {
  EXPECT_EQ(GapEvent("123", kPosition.epoch, false, 42, 57),
            R"({"event":"gap","group_id":"123","epoch":"5f0c2ab3d1e94477","from":42,"to":57})");
  EXPECT_EQ(GapEvent("123", kPosition.epoch, true, 42, 3),
            R"({"event":"gap","group_id":"123","epoch":"5f0c2ab3d1e94477","from":null,"to":3})");
}

TEST(EventTest, Closing) {
  EXPECT_EQ(ClosingEvent(CloseCode::kDraining, "draining", absl::Milliseconds(740)),
            R"({"event":"closing","code":4000,"reason":"draining","reconnect_after_ms":740})");
}

TEST(EventTest, ErrorWithAndWithoutWhatCouldNotBeRead) {
  EXPECT_EQ(ErrorEvent({.code = ErrorCode::kMessageMissing,
                        .message = "send_to_group needs a field \"message\"",
                        .id = "3",
                        .cmd = "send_to_group"}),
            R"({"event":"error","id":3,"cmd":"send_to_group","code":"message_missing",)"
            R"("message":"send_to_group needs a field \"message\"","retry":false})");
  EXPECT_EQ(ErrorEvent({.code = ErrorCode::kUnavailable, .message = "x"}),
            R"({"event":"error","code":"unavailable","message":"x","retry":true})");
}

}  // namespace
}  // namespace groupcast::service
