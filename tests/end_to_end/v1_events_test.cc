// The protocol of docs/protocol.md over the whole way: events, their order, and what is forwarded
// byte for byte.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

using ::testing::ElementsAre;

class V1EventsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { running = new Groupcast(/*workers=*/2); }
  static void TearDownTestSuite() { delete running; }
  static uint16_t port() { return running->service.port(); }

  static Groupcast* running;
};

Groupcast* V1EventsTest::running = nullptr;

TEST_F(V1EventsTest, WelcomeComesFirstEvenIfCommandsComeWithTheHandshake) {
  RawClient raw(port());
  raw.Write(HandshakeRequest(kV1) + TextFrame(Ping("1")) + TextFrame(AddGroup("\"w\"", "2")));
  TestClient client(std::move(raw), Mode::kV1);
  const std::string connection_id = client.welcome().Text("connection_id");
  EXPECT_EQ(connection_id.size(), 16u);
  EXPECT_EQ(
      client.welcome().text(),
      absl::StrCat(
          R"({"event":"welcome","connection_id":")", connection_id,
          R"(","ping_interval_ms":25000,"limits":{"message_bytes":65536,"groups":128,"frame_bytes":1048576,"key_bytes":64,"key_window_ms":120000}})"));
  EXPECT_EQ(client.NextEvent().Number("id"), 1);
  EXPECT_EQ(client.NextEvent().Number("id"), 2);
}

TEST_F(V1EventsTest, EventsAreAsDocumentedToTheByte) {
  TestClient client(port(), Mode::kV1);
  client.Send(AddGroup("\"bytes\"", "1"));
  const Event joined = client.NextEvent();
  const std::string epoch = joined.Text("epoch");
  EXPECT_EQ(epoch.size(), 16u);
  EXPECT_EQ(joined.text(), absl::StrCat(R"({"event":"reply","id":1,"group_id":"bytes","epoch":")",
                                        epoch, R"(","offset":)", joined.Number("offset"), "}"));

  const int64_t before_ms = absl::ToUnixMillis(absl::Now());
  client.Send(SendToGroup("\"bytes\"", "\"hello\""));
  const Event message = client.NextEvent();
  const int64_t sent_at = message.Number("sent_at");
  EXPECT_GE(sent_at, before_ms);
  EXPECT_LE(sent_at, absl::ToUnixMillis(absl::Now()));
  EXPECT_EQ(message.text(),
            absl::StrCat(R"({"event":"message","group_id":"bytes","message":"hello","offset":)",
                         message.Number("offset"), R"(,"previous":)", joined.Number("offset"),
                         R"(,"sent_at":)", sent_at, "}"));

  client.Send(SendToGroup("\"nobody\"", "1", "3"));
  const Event sent = client.NextEvent();
  EXPECT_EQ(sent.text(), absl::StrCat(R"({"event":"reply","id":3,"group_id":"nobody","epoch":")",
                                      epoch, R"(","offset":)", sent.Number("offset"), "}"));
  client.Send(LeaveGroup("\"bytes\"", "2"));
  EXPECT_EQ(client.NextText(), R"({"event":"reply","id":2,"group_id":"bytes"})");
  client.Send(Ping("5"));
  EXPECT_EQ(client.NextText(), R"({"event":"reply","id":5,"pong":true})");
  client.Send(R"({"cmd":"send_to_group","group_id":"123","id":3})");
  EXPECT_EQ(client.NextText(),
            R"({"event":"error","id":3,"cmd":"send_to_group","code":"message_missing",)"
            R"("message":"send_to_group needs a field \"message\"","retry":false})");
}

TEST_F(V1EventsTest, AJoinIsAPointInABusyGroup) {
  TestClient sender(port());
  for (int i = 0; i < 50; ++i) {
    for (int j = 0; j < 20; ++j) sender.Send(SendToGroup("\"busy\"", absl::StrCat(20 * i + j)));
    TestClient client(port(), Mode::kV1);
    const int64_t joined_at = client.Join("busy").Number("offset");
    client.Send(SendToGroup("\"busy\"", "\"the end\""));
    int64_t previous = joined_at;
    for (std::string text; text != "\"the end\"";) {
      const Event event = client.NextEvent();
      ASSERT_EQ(event.name(), "message");
      ASSERT_EQ(event.Number("previous"), previous);
      previous = event.Number("offset");
      text = event.fields().at("message").is_string() ? "\"the end\"" : "";
    }
  }
}

// One id for each kind; what comes back is what was sent, with its escapes.
TEST_F(V1EventsTest, IdsComeBackByteForByte) {
  TestClient client(port(), Mode::kV1);
  for (const std::string& id :
       {std::string("0"), std::string("-0"), std::string("-12"), std::string("9007199254740993"),
        std::string(64, '9'), std::string("\"\""), std::string("\"\\u0061\\/\\n\""),
        std::string("\"رسالة\""), Quoted(std::string(64, 'i')),
        std::string("\"\\ud83d\\ude00\"")}) {
    client.Send(Ping(id));
    EXPECT_EQ(client.NextText(),
              absl::StrCat("{\"event\":\"reply\",\"id\":", id, ",\"pong\":true}"));
    client.Send(absl::StrCat(
        "{\"cmd\":\"send_to_group\",\"group_id\":\"\",\"message\":1,\"id\":", id, "}"));
    EXPECT_EQ(client.NextText().find(
                  absl::StrCat("{\"event\":\"error\",\"id\":", id, ",\"cmd\":\"send_to_group\"")),
              0u);
  }
}

struct Forwarded {
  const char* sent;
  const char* v1;    // what stands in the event
  const char* bare;  // what a bare member gets
};

TEST_F(V1EventsTest, MessagesAreForwardedAsTheSendersOwnBytes) {
  TestClient v1(port(), Mode::kV1);
  TestClient bare(port());
  v1.Join("forwarded");
  bare.Join("forwarded");
  for (const Forwarded& value : {
           Forwarded{"0.1", "0.1", "0.1"},
           Forwarded{"12345678901234567890123", "12345678901234567890123",
                     "12345678901234567890123"},
           Forwarded{"-0", "-0", "-0"},
           Forwarded{"1.50E+2", "1.50E+2", "1.50E+2"},
           Forwarded{"null", "null", "null"},
           Forwarded{" true ", "true", "true"},
           Forwarded{"[ 1 ,\t2 ,\n[ ] ]", "[1,2,[]]", "[1,2,[]]"},
           Forwarded{R"({ "a b" : " c " , "a b" : "\" , " })", R"({"a b":" c ","a b":"\" , "})",
                     R"({"a b":" c ","a b":"\" , "})"},
           Forwarded{R"(["\u0041\/"])", R"(["\u0041\/"])", R"(["\u0041\/"])"},
           Forwarded{R"("")", R"("")", ""},
           Forwarded{R"("  ")", R"("  ")", "  "},
           Forwarded{R"("\u0041\/\"\\\n\u0001")", R"("A/\"\\\n\u0001")", "A/\"\\\n\x01"},
           Forwarded{R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80"},
           Forwarded{R"("هذه هي الرسالة")", R"("هذه هي الرسالة")", "هذه هي الرسالة"},
       }) {
    bare.Send(SendToGroup("\"forwarded\"", value.sent));
    EXPECT_EQ(bare.NextText(), value.bare);
    const std::string event = v1.NextText();
    EXPECT_EQ(event.find(absl::StrCat(R"({"event":"message","group_id":"forwarded","message":)",
                                      value.v1, R"(,"offset":)")),
              0u)
        << event;
  }
  bare.Send(SendToGroup("\"forwarded\"", R"("a\u0000b")"));
  EXPECT_EQ(bare.NextText(), std::string("a\0b", 3));
  EXPECT_NE(v1.NextText().find(R"("message":"a\u0000b")"), std::string::npos);
}

TEST_F(V1EventsTest, TheLargestMessageIsForwardedAndOneByteMoreIsNot) {
  TestClient client(port());
  client.Join("large");
  const std::string largest(65'536, 'm');
  client.Send(SendToGroup("\"large\"", Quoted(largest)));
  EXPECT_EQ(client.NextText(), largest);
  client.Send(SendToGroup("\"large\"", Quoted(largest + "m")));
  EXPECT_EQ(client.NextEvent().Text("code"), "message_too_large");
  // What counts is what is forwarded: neither white space nor escapes.
  client.Send(SendToGroup("\"large\"", absl::StrCat("[", std::string(100'000, ' '), "1]")));
  EXPECT_EQ(client.NextText(), "[1]");
  std::string escaped = "\"";
  for (int i = 0; i < 65'536; ++i) escaped += "\\u006d";
  client.Send(SendToGroup("\"large\"", escaped + "\""));
  EXPECT_EQ(client.NextText(), largest);
}

TEST_F(V1EventsTest, SendToManyGroupsListsWhatBecameOfEach) {
  TestClient client(port(), Mode::kV1);
  client.Join("many a");
  client.Join("7");
  client.Send(
      R"({"cmd":"send_to_group","group_ids":["many a","b\u0000",7,true,"many a"],"message":{"n":1},"id":4})");
  std::vector<std::string> received;
  Event reply("{\"event\":\"none\"}");
  for (int i = 0; i < 4; ++i) {
    Event event = client.NextEvent();
    if (event.name() == "message") {
      received.push_back(event.Text("group_id"));
    } else {
      reply = std::move(event);
    }
  }
  EXPECT_THAT(received, ElementsAre("many a", "7", "many a"));
  EXPECT_EQ(reply.Number("id"), 4);
  std::vector<std::string> results;
  for (const boost::json::value& result : reply.fields().at("results").as_array()) {
    const boost::json::object& fields = result.as_object();
    results.emplace_back(fields.contains("code") ? fields.at("code").as_string()
                                                 : fields.at("group_id").as_string());
    EXPECT_NE(fields.contains("code"), fields.contains("offset"));
  }
  EXPECT_THAT(results,
              ElementsAre("many a", "group_id_invalid", "7", "group_id_invalid", "many a"));

  // Without an id, each that failed is an error of its own.
  client.Send(R"({"cmd":"send_to_group","group_ids":["","nobody",true],"message":1})");
  for (int i = 0; i < 2; ++i) {
    const Event error = client.NextEvent();
    EXPECT_EQ(error.name(), "error");
    EXPECT_EQ(error.Text("code"), "group_id_invalid");
    EXPECT_FALSE(error.Has("id"));
  }
  EXPECT_TRUE(client.IsQuiet());
}

// docs/protocol.md, send_to_group, second example.
TEST_F(V1EventsTest, ResultsAreAsDocumentedToTheByte) {
  TestClient client(port(), Mode::kV1);
  client.Send(R"({"cmd":"send_to_group","group_ids":["a","b\u0000"],"message":{"n":1},"id":4})");
  const Event reply = client.NextEvent();
  const boost::json::object& first = reply.fields().at("results").as_array().at(0).as_object();
  EXPECT_EQ(
      reply.text(),
      absl::StrCat(
          R"({"event":"reply","id":4,"results":[{"group_id":"a","epoch":")",
          first.at("epoch").as_string().c_str(), R"(","offset":)", first.at("offset").as_int64(),
          R"(},{"group_id":"b\u0000","code":"group_id_invalid","message":"group_id has a control character","retry":false}]})"));
}

TEST_F(V1EventsTest, CommandsHappenInTurn) {
  TestClient witness(port());
  witness.Join("turn");
  TestClient client(port(), Mode::kV1);
  // All in one segment: joins side by side, everything else after what came before it.
  client.raw().Write(TextFrame(AddGroup("\"turn\"", "1")) + TextFrame(AddGroup("\"turn 2\"", "2")) +
                     TextFrame(SendToGroup("\"turn\"", "\"first\"")) + TextFrame(Ping("3")) +
                     TextFrame(LeaveGroup("\"turn\"", "4")) +
                     TextFrame(SendToGroup("\"turn\"", "\"second\"")) +
                     TextFrame(SendToGroup("\"turn 2\"", "\"third\"")) + TextFrame(Ping("5")));
  EXPECT_EQ(witness.NextText(), "first");
  EXPECT_EQ(witness.NextText(), "second");
  std::vector<int64_t> replies;
  std::vector<std::string> messages;
  bool left = false;
  while (replies.size() < 5 || messages.empty() || messages.back() != "third") {
    const Event event = client.NextEvent();
    if (event.name() == "reply") {
      replies.push_back(event.Number("id"));
      left = left || replies.back() == 4;
    } else {
      messages.push_back(event.Text("message"));
      // It was a member when it sent the first, but may have left before that came back.
      EXPECT_TRUE(!left || event.Text("group_id") == "turn 2") << event.text();
    }
  }
  EXPECT_EQ(std::set<int64_t>(replies.begin(), replies.begin() + 2), (std::set<int64_t>{1, 2}));
  EXPECT_THAT(std::vector<int64_t>(replies.begin() + 2, replies.end()), ElementsAre(3, 4, 5));
  EXPECT_EQ(messages.back(), "third");
}

TEST_F(V1EventsTest, LeavingEndsDeliveryAtOnceAndJoiningAgainBeginsItAnew) {
  TestClient sender(port());
  TestClient client(port(), Mode::kV1);
  for (int i = 0; i < 20; ++i) {
    const int64_t position = client.Join("in and out").Number("offset");
    sender.Send(SendToGroup("\"in and out\"", "\"in\""));
    const Event message = client.NextEvent();
    ASSERT_EQ(message.Text("message"), "in");
    ASSERT_EQ(message.Number("previous"), position);
    client.Send(LeaveGroup("\"in and out\"", "1"));
    ASSERT_EQ(client.NextEvent().name(), "reply");
    sender.Send(SendToGroup("\"in and out\"", "\"out\"", "2"));
    ASSERT_EQ(sender.NextEvent().Number("id"), 2);
    ASSERT_TRUE(client.IsQuiet());
  }
  client.Send(LeaveGroup("\"never joined\"", "3"));
  EXPECT_EQ(client.NextEvent().name(), "reply");
}

TEST_F(V1EventsTest, JoiningTwiceChangesNothing) {
  TestClient client(port(), Mode::kV1);
  client.raw().Write(TextFrame(AddGroup("\"twice\"", "1")) + TextFrame(AddGroup("\"twice\"", "2")));
  const Event first = client.NextEvent();
  const Event second = client.NextEvent();
  EXPECT_EQ(first.Number("offset"), second.Number("offset"));
  client.Send(SendToGroup("\"twice\"", "\"once\""));
  const Event message = client.NextEvent();
  EXPECT_EQ(message.Text("message"), "once");
  EXPECT_TRUE(client.IsQuiet());
  EXPECT_EQ(client.Join("twice").Number("offset"), message.Number("offset"));
  // Once in, once out.
  client.Send(LeaveGroup("\"twice\"", "3"));
  EXPECT_EQ(client.NextEvent().Number("id"), 3);
  client.Send(SendToGroup("\"twice\"", "\"gone\"", "4"));
  EXPECT_EQ(client.NextEvent().Number("id"), 4);
  EXPECT_TRUE(client.IsQuiet());
}

TEST_F(V1EventsTest, AConnectionMayBeIn128Groups) {
  TestClient client(port(), Mode::kV1);
  std::string joins;
  for (int i = 0; i < 128; ++i)
    joins += TextFrame(AddGroup(absl::StrCat("\"full ", i, "\""), absl::StrCat(i)));
  client.raw().Write(joins + TextFrame(AddGroup("\"one more\"", "\"129th\"")));
  std::set<int64_t> joined;
  for (int i = 0; i < 129; ++i) {
    const Event event = client.NextEvent();
    if (event.name() == "reply") {
      joined.insert(event.Number("id"));
    } else {
      EXPECT_EQ(event.text(),
                R"({"event":"error","id":"129th","cmd":"add_group","code":"too_many_groups",)"
                R"("message":"a connection may be in 128 groups","retry":false})");
    }
  }
  EXPECT_EQ(joined.size(), 128u);
  client.Join("full 5");
  client.Send(LeaveGroup("\"full 5\"", "1"));
  EXPECT_EQ(client.NextEvent().name(), "reply");
  client.Join("one more");
}

TEST_F(V1EventsTest, WithoutAnIdASuccessIsNotAnswered) {
  for (const Mode mode : {Mode::kBare, Mode::kV1}) {
    TestClient client(port(), mode);
    client.Send(AddGroup("\"silent\""));
    client.Send(R"({"cmd":"ping"})");
    client.Send(LeaveGroup("\"silent\""));
    client.Send(SendToGroup("\"silent\"", "1"));
    EXPECT_TRUE(client.IsQuiet());
  }
}

TEST_F(V1EventsTest, UnknownFieldsAreIgnoredAndTheLastOfTwoCounts) {
  TestClient client(port());
  client.Send(R"({"x":[{}],"cmd":"nothing","id":1,"cmd":"ping","id":2,"group_id":null,"y":1e9})");
  EXPECT_EQ(client.NextText(), R"({"event":"reply","id":2,"pong":true})");
  client.Send(" \t\r\n{ \"\\u0063md\" : \"pin\\u0067\" , \"id\" : 3 } \n");
  EXPECT_EQ(client.NextText(), R"({"event":"reply","id":3,"pong":true})");
}

}  // namespace
}  // namespace groupcast::tests
