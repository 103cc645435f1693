#include "groupcast/event.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace groupcast {
namespace {

template <typename T>
T Parse(absl::string_view frame) {
  absl::StatusOr<Event> event = ParseEvent(frame);
  EXPECT_TRUE(event.ok()) << event.status();
  if (!event.ok() || !std::holds_alternative<T>(*event)) {
    ADD_FAILURE() << "another event: " << frame;
    return T();
  }
  return std::get<T>(*std::move(event));
}

Message ParseMessageOf(absl::string_view json) {
  return Parse<MessageEvent>(absl::StrCat(R"({"event":"message","group_id":"g","message":)", json,
                                          R"(,"offset":42,"previous":41,"sent_at":1792742400123})"))
      .message;
}

TEST(EventTest, Message) {
  const Message message = ParseMessageOf(R"("h\u00e9llo\n")");
  EXPECT_EQ(message.group_id, "g");
  EXPECT_EQ(message.json, R"("h\u00e9llo\n")");
  EXPECT_EQ(message.text, "héllo\n");
  EXPECT_EQ(message.offset, 42u);
  EXPECT_EQ(message.previous, 41u);
  EXPECT_EQ(message.sent_at, absl::FromUnixMillis(1792742400123));
}

TEST(EventTest, TheSenderOfAMessageIsOptional) {
  const auto parse = [](absl::string_view from) {
    return Parse<MessageEvent>(
               absl::StrCat(
                   R"({"event":"message","group_id":"g","message":1,"offset":2,"previous":1,)",
                   from, R"("sent_at":5})"))
        .message.from;
  };
  EXPECT_EQ(parse(""), std::nullopt);
  EXPECT_EQ(parse(R"("from":{"user":"alice","connection_id":"c4"},)"), (Sender{"c4", "alice"}));
  EXPECT_EQ(parse(R"("from":{"connection_id":"c4"},)"), (Sender{"c4", ""}));
  EXPECT_EQ(parse(R"("from":{"user":"alice"},)"), std::nullopt);
}

TEST(EventTest, MembersKeepTheBytesOfTheirInfo) {
  const ReplyEvent reply = Parse<ReplyEvent>(
      R"({"event":"reply","id":13,"group_id":"g","count":9,"members":[)"
      R"({"connection_id":"c1","user":"alice","info":{"n":0.10},"since":1792742391000},)"
      R"({"connection_id":"c2","since":0}],"next":"c2"})");
  EXPECT_EQ(reply.count, 9u);
  EXPECT_EQ(reply.next, "c2");
  EXPECT_EQ(
      reply.members,
      (std::vector<Member>{{"c1", "alice", R"({"n":0.10})", absl::FromUnixMillis(1792742391000)},
                           {"c2", "", "", absl::UnixEpoch()}}));
  EXPECT_FALSE(Parse<ReplyEvent>(R"({"event":"reply","id":1,"count":9})").members.has_value());
  for (const char* members : {"{}", "[1]", R"([{"since":1}])"}) {
    EXPECT_EQ(ParseEvent(absl::StrCat(R"({"event":"reply","id":1,"members":)", members, "}"))
                  .status()
                  .code(),
              absl::StatusCode::kInternal)
        << members;
  }
}

TEST(EventTest, MembersComeAndGo) {
  const MemberEvent joined = Parse<MemberEvent>(
      R"({"event":"member_joined","group_id":"g","connection_id":"c1","info":[1.0],"since":1000})");
  EXPECT_TRUE(joined.joined);
  EXPECT_EQ(joined.group_id, "g");
  EXPECT_EQ(joined.member, (Member{"c1", "", "[1.0]", absl::FromUnixSeconds(1)}));
  const MemberEvent left = Parse<MemberEvent>(
      R"({"event":"member_left","group_id":"g","connection_id":"c1","user":"alice"})");
  EXPECT_FALSE(left.joined);
  EXPECT_EQ(left.member.user, "alice");
  for (const char* frame : {R"({"event":"member_left","group_id":"g"})",
                            R"({"event":"member_joined","connection_id":"c1","since":1})"}) {
    EXPECT_EQ(ParseEvent(frame).status().code(), absl::StatusCode::kInternal) << frame;
  }
}

TEST(EventTest, AnErrorNamesTheCommandThatItIsAbout) {
  const ErrorEvent expired = Parse<ErrorEvent>(
      R"({"event":"error","cmd":"authenticate","code":"token_expired","message":"m","retry":false})");
  EXPECT_EQ(expired.cmd, "authenticate");
  EXPECT_EQ(Parse<ErrorEvent>(R"({"event":"error","code":"unauthorized"})").cmd, "");
}

TEST(EventTest, OnlyAPongIsAPong) {
  EXPECT_TRUE(Parse<ReplyEvent>(R"({"event":"reply","id":5,"pong":true})").pong);
  EXPECT_FALSE(Parse<ReplyEvent>(R"({"event":"reply","id":5})").pong);
}

// What the application gets is what the sender wrote, not what a parser made of it.
TEST(EventTest, MessageJsonIsTheServersBytes) {
  for (const char* json : {"0.1", "-1e400", "12345678901234567890123", "null", "true", "[]", "{}",
                           R"("")", R"("a\"b\\")", R"([1,{"message":"]}"},"\\\"[",[[]]])",
                           R"({"message":{"message":2},"x":"}"})"}) {
    EXPECT_EQ(ParseMessageOf(json).json, json);
  }
  EXPECT_FALSE(ParseMessageOf("{}").text.has_value());
}

TEST(EventTest, FieldsMayComeInAnyOrderWithBlanks) {
  const Message message =
      Parse<MessageEvent>(
          " { \"message\" : [ 1 ] , \"sent_at\":0,\t\"previous\":0 ,\"offset\" : 1,\n"
          "\"group_id\":\"g\", \"event\":\"message\" , \"from\": { \"message\" : 3 } } ")
          .message;
  EXPECT_EQ(message.json, "[ 1 ]");
}

TEST(EventTest, MessageUnderAnEscapedNameIsStillFound) {
  const Message message =
      Parse<MessageEvent>(
          R"({"event":"message","group_id":"g","m\u0065ssage":{"n":1},"offset":1,"previous":0,"sent_at":0})")
          .message;
  EXPECT_EQ(message.json, R"({"n":1})");
}

TEST(EventTest, ExcludedMessageHasOnlyItsPlace) {
  const auto event = Parse<MessageEvent>(
      R"({"event":"message","group_id":"g","offset":42,"previous":41,"excluded":true})");
  EXPECT_TRUE(event.excluded);
  EXPECT_EQ(event.message.group_id, "g");
  EXPECT_EQ(event.message.offset, 42u);
  EXPECT_EQ(event.message.previous, 41u);
}

TEST(EventTest, ReplySaysWhetherItRecovered) {
  EXPECT_EQ(Parse<ReplyEvent>(R"({"event":"reply","id":1})").recovered, std::nullopt);
  EXPECT_EQ(Parse<ReplyEvent>(R"({"event":"reply","id":1,"recovered":true})").recovered, true);
  EXPECT_EQ(Parse<ReplyEvent>(R"({"event":"reply","id":1,"recovered":false})").recovered, false);
}

TEST(EventTest, HistoryReplyHasTheServersBytes) {
  const auto reply = Parse<ReplyEvent>(
      R"({"event":"reply","id":9,"group_id":"g","epoch":"e","offset":44,"messages": [ )"
      R"({"message":0.10,"offset":41,"previous":40,"sent_at":7},)"
      R"({"offset":42,"previous":41,"excluded":true} , )"
      R"({"message":{"x":["]",1e400]},"offset":44,"previous":42,"sent_at":8} ]})");
  EXPECT_EQ(reply.position, (Position{"e", 44}));
  ASSERT_TRUE(reply.messages.has_value());
  ASSERT_EQ(reply.messages->size(), 3u);
  EXPECT_EQ((*reply.messages)[0].message.json, "0.10");
  EXPECT_EQ((*reply.messages)[0].message.sent_at, absl::FromUnixMillis(7));
  EXPECT_TRUE((*reply.messages)[1].excluded);
  EXPECT_EQ((*reply.messages)[2].message.json, R"({"x":["]",1e400]})");
  EXPECT_EQ((*reply.messages)[2].message.previous, 42u);

  const auto empty = Parse<ReplyEvent>(R"({"event":"reply","id":9,"messages":[]})");
  ASSERT_TRUE(empty.messages.has_value());
  EXPECT_TRUE(empty.messages->empty());
}

TEST(EventTest, HistoryReplyUnderTwoNamesIsRead) {
  const auto reply = Parse<ReplyEvent>(
      R"({"event":"reply","id":9,"messages":[{"message":1,"offset":2,"previous":1,"sent_at":0}],)"
      R"("m\u0065ssages":7})");
  ASSERT_TRUE(reply.messages.has_value());
  EXPECT_EQ(reply.messages->size(), 1u);
}

TEST(EventTest, Reply) {
  const auto reply =
      Parse<ReplyEvent>(R"({"event":"reply","id":1,"group_id":"123","epoch":"5f","offset":41})");
  EXPECT_EQ(reply.id, CommandId{1});
  EXPECT_EQ(reply.position, (Position{"5f", 41}));
  const auto pong = Parse<ReplyEvent>(R"({"event":"reply","id":"mine","pong":true})");
  EXPECT_FALSE(pong.id.has_value());
  EXPECT_FALSE(pong.position.has_value());
}

TEST(EventTest, Error) {
  const auto event = Parse<ErrorEvent>(
      R"({"event":"error","id":3,"cmd":"send_to_group","code":"unavailable","message":"later","retry":true})");
  EXPECT_EQ(event.id, CommandId{3});
  EXPECT_EQ(event.error.word, "unavailable");
  EXPECT_EQ(event.error.message, "later");
  EXPECT_TRUE(event.error.retry);
}

TEST(EventTest, AnErrorThatAnswersNothingMayNameAGroupThatIsLost) {
  EXPECT_EQ(
      Parse<ErrorEvent>(
          R"({"event":"error","cmd":"add_group","group_id":"g","code":"forbidden","message":"m","retry":false})")
          .lost_group,
      "g");
  EXPECT_EQ(
      Parse<ErrorEvent>(
          R"({"event":"error","id":3,"cmd":"add_group","group_id":"g","code":"forbidden","message":"m","retry":false})")
          .lost_group,
      std::nullopt);
  EXPECT_EQ(
      Parse<ErrorEvent>(
          R"({"event":"error","cmd":"send_to_group","group_id":"g","code":"forbidden","message":"m","retry":false})")
          .lost_group,
      std::nullopt);
}

TEST(EventTest, Gap) {
  const auto event =
      Parse<GapEvent>(R"({"event":"gap","group_id":"g","epoch":"e","from":42,"to":57})");
  EXPECT_EQ(event.gap.from, 42u);
  EXPECT_EQ(event.gap.to, 57u);
  const auto new_epoch =
      Parse<GapEvent>(R"({"event":"gap","group_id":"g","epoch":"e","from":null,"to":57})");
  EXPECT_FALSE(new_epoch.gap.from.has_value());
}

TEST(EventTest, Closing) {
  EXPECT_EQ(Parse<ClosingEvent>(R"({"event":"closing","code":4000,"reconnect_after_ms":740})")
                .reconnect_after,
            absl::Milliseconds(740));
  EXPECT_EQ(Parse<ClosingEvent>(R"({"event":"closing"})").reconnect_after, std::nullopt);
}

TEST(EventTest, EventsOfNewerServersAreKnownAsUnknown) {
  Parse<UnknownEvent>(R"({"event":"member_moved","group_id":"g"})");
}

TEST(EventTest, WhatIsNoEventIsInternal) {
  for (
      const std::string& frame :
      {std::string(), std::string("hello"), std::string("[1]"), std::string("{}"),
       std::string(R"({"event":1})"), std::string(R"({"event":"message"})"),
       std::string(
           R"({"event":"message","group_id":"g","message":1,"offset":-1,"previous":0,"sent_at":0})"),
       std::string(R"({"event":"message","group_id":"g","offset":1,"previous":0,"sent_at":0})"),
       std::string(R"({"event":"gap","group_id":"g","epoch":"e"})"),
       std::string(R"({"event":"message","group_id":"g","offset":1,"excluded":true})"),
       std::string(R"({"event":"reply","id":9,"messages":7})"),
       std::string(R"({"event":"reply","id":9,"messages":[7]})"),
       std::string(R"({"event":"reply","id":9,"messages":[{"offset":1,"previous":0}]})"),
       std::string(R"({"event":"error"})"), std::string(100000, '[')}) {
    EXPECT_EQ(ParseEvent(frame).status().code(), absl::StatusCode::kInternal)
        << frame.substr(0, 80);
  }
}

}  // namespace
}  // namespace groupcast
