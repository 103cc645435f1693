#include "services/protocol/event.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Position kPosition{Epoch{0x5f0c2ab3d1e94477}, 41};

// The examples of docs/protocol.md: who changes one changes the other.

TEST(EventTest, Welcome) {
  EXPECT_EQ(WelcomeEvent(0xc4f1e2a90b7d3356, absl::Seconds(25),
                         {.message_bytes = 65536,
                          .groups = 128,
                          .frame_bytes = 1048576,
                          .key_bytes = 64,
                          .key_window = absl::Minutes(2)}),
            R"({"event":"welcome","connection_id":"c4f1e2a90b7d3356","ping_interval_ms":25000,)"
            R"("limits":{"message_bytes":65536,"groups":128,"frame_bytes":1048576,"key_bytes":64,)"
            R"("key_window_ms":120000}})");
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
  EXPECT_EQ(GapEvent("123", {.from = 42, .to = {kPosition.epoch, 57}}),
            R"({"event":"gap","group_id":"123","epoch":"5f0c2ab3d1e94477","from":42,"to":57})");
  EXPECT_EQ(GapEvent("123", {.new_epoch = true, .from = 42, .to = {kPosition.epoch, 3}}),
            R"({"event":"gap","group_id":"123","epoch":"5f0c2ab3d1e94477","from":null,"to":3})");
}

TEST(EventTest, AJoinWithSinceIsToldWhetherItRecovered) {
  EXPECT_EQ(
      PositionReply("6", "123", kPosition, true),
      R"({"event":"reply","id":6,"group_id":"123","epoch":"5f0c2ab3d1e94477","offset":41,"recovered":true})");
  EXPECT_EQ(
      PositionReply("6", "123", kPosition, false),
      R"({"event":"reply","id":6,"group_id":"123","epoch":"5f0c2ab3d1e94477","offset":41,"recovered":false})");
}

// So that it can be written where it goes.
TEST(EventTest, AMessageHasTheSizeThatItsWriterSays) {
  for (const char* data : {"", "plain", "\x01 \" \\ \n", "0123456789012345678901234567890\x02"}) {
    for (const Content::Kind kind : {Content::Kind::kText, Content::Kind::kJson}) {
      const Message message{.group_id = "a \"group\"",
                            .offset = 43,
                            .previous = 42,
                            .content = {.kind = kind, .data = data, .sent_at_ms = 9}};
      const MessageEventWriter writer(message);
      std::string written(writer.bytes() + 1, '#');
      writer.Write(written.data());
      EXPECT_EQ(written, MessageEvent(message) + "#");
      EXPECT_EQ(written.back(), '#');
      EXPECT_EQ(written[writer.bytes() - 1], '}');
    }
  }
}

TEST(EventTest, AnExcludedMessageKeepsItsPlace) {
  EXPECT_EQ(ExcludedEvent("123", 43, 42),
            R"({"event":"message","group_id":"123","offset":43,"previous":42,"excluded":true})");
}

class HistoryReplyTest : public testing::Test {
 protected:
  // Of what is in the reply: "recovered", and the offsets.
  std::string Reply(std::optional<Position> since, size_t bytes_max = 10'000) const {
    return Reply(since, {}, bytes_max);
  }
  std::string Reply(std::optional<Position> since, const Fingerprint& reader,
                    size_t bytes_max) const {
    return HistoryReplyHead("9") + HistoryReplyBody("g", since, history_, reader, bytes_max);
  }
  static bool Recovered(const std::string& reply) {
    return reply.find("\"recovered\":true") != std::string::npos;
  }

  History history_{.head = {kPosition.epoch, 43},
                   .floor = 40,
                   .messages = {{.offset = 42,
                                 .previous = 40,
                                 .kind = Content::Kind::kText,
                                 .data = "a",
                                 .sent_at_ms = 1},
                                {.offset = 43,
                                 .previous = 42,
                                 .kind = Content::Kind::kJson,
                                 .data = "[1]",
                                 .sent_at_ms = 2,
                                 .excluded_session = {1, 1}}}};
};

TEST_F(HistoryReplyTest, HasTheMessagesWithTheirPlaces) {
  EXPECT_EQ(Reply(std::nullopt),
            R"({"event":"reply","id":9,"group_id":"g","epoch":"5f0c2ab3d1e94477","offset":43,)"
            R"("messages":[{"message":"a","offset":42,"previous":40,"sent_at":1},)"
            R"({"message":[1],"offset":43,"previous":42,"sent_at":2}]})");
  EXPECT_EQ(Reply(Position{kPosition.epoch, 40}, {1, 1}, 10'000),
            R"({"event":"reply","id":9,"group_id":"g","epoch":"5f0c2ab3d1e94477","offset":43,)"
            R"("recovered":true,"messages":[{"message":"a","offset":42,"previous":40,"sent_at":1},)"
            R"({"offset":43,"previous":42,"excluded":true}]})");
}

TEST_F(HistoryReplyTest, IsRecoveredOnlyIfNothingIsMissingAfterSince) {
  EXPECT_TRUE(Recovered(Reply(Position{kPosition.epoch, 40})));
  EXPECT_FALSE(Recovered(Reply(Position{kPosition.epoch, 39})));
  EXPECT_FALSE(Recovered(Reply(Position{Epoch{1}, 40})));
  EXPECT_FALSE(Recovered(Reply(Position{kPosition.epoch, 44})));
  history_.messages.erase(history_.messages.begin());  // not carried, or over the limit
  EXPECT_FALSE(Recovered(Reply(Position{kPosition.epoch, 40})));
  EXPECT_TRUE(Recovered(Reply(Position{kPosition.epoch, 42})));
  history_.messages.clear();
  EXPECT_FALSE(Recovered(Reply(Position{kPosition.epoch, 42})));
  EXPECT_TRUE(Recovered(Reply(Position{kPosition.epoch, 43})));
}

TEST_F(HistoryReplyTest, LeavesOutTheOldestThatDoNotFit) {
  const std::string reply = Reply(Position{kPosition.epoch, 40}, /*bytes_max=*/60);
  EXPECT_EQ(reply.find("\"offset\":42"), std::string::npos);
  EXPECT_NE(reply.find("\"offset\":43,\"previous\":42"), std::string::npos);
  EXPECT_FALSE(Recovered(reply));
  // The bound counts what is written, and messages may grow in JSON.
  history_.messages[0].data = "\x01";
  const std::string grown = Reply(Position{kPosition.epoch, 40}, /*bytes_max=*/111);
  EXPECT_EQ(grown.find("\"offset\":42"), std::string::npos);
  EXPECT_NE(Reply(Position{kPosition.epoch, 40}, /*bytes_max=*/112).find("\"offset\":42"),
            std::string::npos);
  // One is always there.
  EXPECT_NE(Reply(std::nullopt, 0).find("\"message\":[1]"), std::string::npos);
}

TEST(EventTest, Closing) {
  EXPECT_EQ(ClosingEvent(CloseCode::kDraining, "draining", absl::Milliseconds(740)),
            R"({"event":"closing","code":4000,"reason":"draining","reconnect_after_ms":740})");
  EXPECT_EQ(ClosingEvent(static_cast<CloseCode>(4499), "later", absl::ZeroDuration()),
            R"({"event":"closing","code":4499,"reason":"later","reconnect_after_ms":0})");
  EXPECT_EQ(ClosingEvent(CloseCode::kNotAuthenticated, "no", absl::Milliseconds(740)),
            R"({"event":"closing","code":4500,"reason":"no"})");
  EXPECT_EQ(ClosingEvent(static_cast<CloseCode>(4900), "stay away", absl::Milliseconds(740)),
            R"({"event":"closing","code":4900,"reason":"stay away"})");
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

TEST(EventTest, Members) {
  MembersReplyWriter empty("1", "g", 0);
  empty.BeginMembers();
  EXPECT_EQ(empty.Finish(std::nullopt),
            R"({"event":"reply","id":1,"group_id":"g","count":0,"members":[]})");
  EXPECT_EQ(MembersReplyWriter("1", "g", 7).Finish(std::nullopt),
            R"({"event":"reply","id":1,"group_id":"g","count":7})");
  MembersReplyWriter page("\"x\"", "g\"", 3);
  page.BeginMembers();
  page.Add({.connection_id = 0xab, .since_ms = 1'000});
  page.Add({.connection_id = 0xac, .user = "al\"ice", .info = R"({"n":1})", .since_ms = 2'000});
  EXPECT_EQ(page.Finish(0xac),
            R"({"event":"reply","id":"x","group_id":"g\"","count":3,"members":[)"
            R"({"connection_id":"00000000000000ab","since":1000},)"
            R"({"connection_id":"00000000000000ac","user":"al\"ice","info":{"n":1},"since":2000}],)"
            R"("next":"00000000000000ac"})");
}

TEST(EventTest, JoinsAndLeaves) {
  const MemberFields member = {
      .connection_id = 0xab, .user = "alice", .info = R"({"n":1})", .since_ms = 1'000};
  EXPECT_EQ(
      MemberJoinedEvent("g", member),
      R"({"event":"member_joined","group_id":"g","connection_id":"00000000000000ab","user":"alice","info":{"n":1},"since":1000})");
  EXPECT_EQ(
      MemberLeftEvent("g", member),
      R"({"event":"member_left","group_id":"g","connection_id":"00000000000000ab","user":"alice"})");
  EXPECT_EQ(MemberLeftEvent("g", {.connection_id = 1}),
            R"({"event":"member_left","group_id":"g","connection_id":"0000000000000001"})");
}

}  // namespace
}  // namespace groupcast::service
