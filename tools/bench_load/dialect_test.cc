#include "tools/bench_load/dialect.h"

#include <string>

#include "gtest/gtest.h"
#include "tools/bench_load/dialect_testing.h"

namespace groupcast::bench {
namespace {

using Kind = Received::Kind;

TEST(GroupcastBare, SpeaksAsTheSmallestClient) {
  const auto dialect = NewGroupcastBare();
  EXPECT_EQ(dialect->Handshake(Group{3}).find("Sec-WebSocket-Protocol"), std::string::npos);
  std::string join;
  dialect->AppendJoin(Group{3}, &join);
  EXPECT_EQ(Unmasked(join), R"({"cmd":"add_group","id":1,"group_id":"g3"})");
  std::string send;
  dialect->AppendSend(Group{3}, "hello", &send);
  EXPECT_EQ(Unmasked(send), R"({"cmd":"send_to_group","group_id":"g3","message":"hello"})");
}

TEST(GroupcastBare, TellsMessagesFromAnswers) {
  const auto dialect = NewGroupcastBare();
  const Received message = dialect->Read(Message());
  EXPECT_EQ(message.kind, Kind::kMessage);
  EXPECT_EQ(message.stamp, kStamp);
  EXPECT_EQ(
      dialect->Read(R"({"event":"reply","id":1,"group_id":"g3","epoch":"5","offset":4})").kind,
      Kind::kJoined);
  EXPECT_EQ(
      dialect->Read(R"({"event":"error","id":1,"cmd":"add_group","code":"unavailable"})").kind,
      Kind::kError);
  EXPECT_EQ(dialect->Read("hello").kind, Kind::kOther);
  EXPECT_EQ(dialect->Read("").kind, Kind::kOther);
}

TEST(GroupcastV1, AsksForItsSubprotocol) {
  EXPECT_NE(NewGroupcastV1()->Handshake(Group{3}).find(
                "\r\nSec-WebSocket-Protocol: groupcast.v1.json\r\n"),
            std::string::npos);
}

TEST(GroupcastV1, AsksForTheMembers) {
  EXPECT_FALSE(NewGroupcastBare()->CanWatch());
  ASSERT_TRUE(NewGroupcastV1()->CanWatch());
  std::string watch;
  NewGroupcastV1()->AppendWatch(Group{3}, &watch);
  EXPECT_EQ(Unmasked(watch), R"({"cmd":"add_group","id":1,"presence":true,"group_id":"g3"})");
  EXPECT_EQ(NewGroupcastV1()->Read(R"({"event":"member_joined","group_id":"g3"})").kind,
            Kind::kOther);
}

TEST(GroupcastV1, FindsTheStampInTheEnvelope) {
  const auto dialect = NewGroupcastV1();
  const std::string begin = R"({"event":"message","group_id":"g999999","message":")";
  const Received message =
      dialect->Read(begin + Message() + R"(","offset":42,"previous":41,"sent_at":1})");
  EXPECT_EQ(message.kind, Kind::kMessage);
  EXPECT_EQ(message.stamp, kStamp);
  EXPECT_EQ(dialect->Read(begin).kind, Kind::kOther);
  EXPECT_EQ(dialect->Read(R"({"event":"message","group_id":"g9","offset":1})").kind, Kind::kOther);
  EXPECT_EQ(dialect->Read(R"({"event":"welcome","connection_id":"c"})").kind, Kind::kOther);
  EXPECT_EQ(dialect->Read(R"({"event":"reply","id":1,"group_id":"g3"})").kind, Kind::kJoined);
  EXPECT_EQ(dialect->Read(R"({"event":"gap","group_id":"g3","epoch":"5","from":1,"to":2})").kind,
            Kind::kError);
}

TEST(Raw, HandsOverAFrameThatIsReadyMade) {
  const auto dialect = NewRaw();
  EXPECT_EQ(dialect->Handshake(Group{3}), "");
  std::string send;
  dialect->AppendSend(Group{3}, Message(), &send);
  ASSERT_GT(send.size(), Message().size() + 2);
  EXPECT_EQ(send.substr(send.size() - Message().size()), Message());
  EXPECT_EQ(dialect->Read(Message()).stamp, kStamp);
  EXPECT_EQ(dialect->Read("joined").kind, Kind::kJoined);
}

}  // namespace
}  // namespace groupcast::bench
