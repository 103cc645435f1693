// The examples of docs/protocol.md against the real services. Each command is sent as it stands
// there, and each event must come as it stands there. What differs from run to run, such as
// offsets, must be there with the same name and type. An example that no case here has asked for is
// an error.

#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "boost/json/parse.hpp"
#include "boost/json/serialize.hpp"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "services/protocol/event.h"
#include "tests/support/kernel_sockets.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

// A command of the document, and the event that stands below it; empty: none does.
struct Conversation {
  std::string command;
  std::string event;
};

// The blocks of JSON of the document, in their order. They are taken in this order too.
class Document {
 public:
  Document() {
    std::ifstream file("docs/protocol.md");
    std::string line;
    for (bool inside = false; std::getline(file, line);) {
      if (line == "```json") {
        inside = true;
      } else if (line == "```") {
        inside = false;
      } else if (inside) {
        examples_.push_back(line);
      }
    }
  }

  Conversation TakeConversation(absl::string_view cmd) {
    Conversation conversation{.command = Take(absl::StrCat("{\"cmd\":\"", cmd, "\""))};
    if (!at_end() && IsEvent("reply")) conversation.event = examples_[next_++];
    return conversation;
  }
  std::string TakeEvent(absl::string_view event) {
    return Take(absl::StrCat("{\"event\":\"", event, "\""));
  }
  bool at_end() const { return next_ == examples_.size(); }

 private:
  bool IsEvent(absl::string_view event) const {
    return absl::StartsWith(examples_[next_], absl::StrCat("{\"event\":\"", event, "\""));
  }
  std::string Take(absl::string_view begin) {
    if (at_end()) throw Failure(absl::StrCat("docs/protocol.md ends before ", begin));
    if (!absl::StartsWith(examples_[next_], begin)) {
      throw Failure(absl::StrCat("not ", begin, ", but: ", examples_[next_]));
    }
    return examples_[next_++];
  }

  std::vector<std::string> examples_;
  size_t next_ = 0;
};

// What differs from run to run. The value becomes its type.
void Generalise(json::value* value) {
  static const std::vector<std::string> kVaries = {
      "epoch", "offset", "previous", "sent_at", "expires_at", "connection_id", "reconnect_after_ms",
      "since", "next"};
  if (json::object* const object = value->if_object()) {
    for (auto& member : *object) {
      const bool varies =
          std::find(kVaries.begin(), kVaries.end(), std::string(member.key())) != kVaries.end();
      if (varies) {
        member.value() = absl::StrCat("some ", json::to_string(member.value().kind()).data());
      } else {
        Generalise(&member.value());
      }
    }
  } else if (json::array* const array = value->if_array()) {
    for (json::value& element : *array) Generalise(&element);
  }
}

std::string General(const std::string& text) {
  json::value value = json::parse(text);
  Generalise(&value);
  return json::serialize(value);
}

// What the member of a group is told after its worker has stood still, and the channel server has
// kept none of the messages that came meanwhile.
struct Loss {
  Event joined;
  Event gap;
  Event next;  // the first message after it
};

Loss LoseMessages() {
  const ChannelServer channel({"--retained_bytes=4096"});
  WebSocketService standing(channel, 1, {"--stall_timeout=1h"});
  WebSocketService sending(channel, 1);
  TestClient member(standing.port(), Mode::kV1);
  TestClient sender(sending.port(), Mode::kV1);
  const Event joined = member.Join("123");

  const std::vector<pid_t> worker = standing.WorkerPids();
  kill(worker[0], SIGSTOP);
  // Its own queue and the kernel would still bring it what is sent before this.
  for (const int link : {1, 2}) {
    WaitUntil("the server gives the connections of the worker up", [&] {
      const std::vector<KernelSocket> sockets = SocketsOfServer(channel.port() + link);
      return std::ranges::count_if(sockets, &KernelSocket::established) == 1;
    });
  }
  const std::string text = absl::StrCat("\"", std::string(1'000, 'm'), "\"");
  for (int i = 0; i < 10; ++i) {
    sender.Send(SendToGroup("\"123\"", text, "1"));
    EXPECT_EQ(sender.NextEvent().name(), "reply");
  }
  kill(worker[0], SIGCONT);
  const Event gap = member.NextEvent();
  return {.joined = joined, .gap = gap, .next = member.NextEvent()};
}

class ProtocolDocumentTest : public ::testing::Test {
 protected:
  static Flags ServiceFlags() {
    const std::string key = NewTempPath("key");
    std::ofstream(key) << kSecret;
    chmod(key.c_str(), 0600);
    const std::string configuration = NewTempPath("configuration");
    constexpr absl::string_view kOpen =
        R"("join":"anyone","send":"anyone","read":"anyone","observe":"anyone")";
    std::ofstream(configuration) << absl::StrCat(
        R"({"group_rules":[{"prefix":"",)", kOpen, R"(},{"prefix":"room"},)",
        R"({"prefix":"chat:","names_sender":true,)", kOpen, "}]}");
    return {"--token_keys=" + key, "--config=" + configuration, "--allow_anonymous"};
  }

  std::string Token(absl::string_view claims) { return service::HmacToken(claims, kSecret); }

  // The example with the real position of group 123, and a real token.
  std::string Real(const std::string& example, absl::string_view token = "") {
    std::string text = example;
    const json::value value = json::parse(text);
    if (const json::value* since = value.as_object().if_contains("since")) {
      text = absl::StrReplaceAll(
          text, {{json::serialize(*since).c_str(),
                  absl::StrCat(R"({"epoch":")", epoch_, R"(","offset":)", offset_, "}")}});
    }
    if (const json::value* old = value.as_object().if_contains("token")) {
      text = absl::StrReplaceAll(text, {{old->as_string().c_str(), token}});
    }
    return text;
  }

  static void ExpectSame(const std::string& example, const Event& event) {
    EXPECT_EQ(General(event.text()), General(example));
  }
  // Sends the next command of the document, and expects the event below it.
  Event Converse(TestClient* client, absl::string_view cmd, absl::string_view token = "") {
    const Conversation conversation = document_.TakeConversation(cmd);
    client->Send(Real(conversation.command, token));
    const Event answer = client->NextEvent();
    if (conversation.event.empty()) {
      EXPECT_EQ(answer.name(), "reply") << conversation.command;
    } else {
      ExpectSame(conversation.event, answer);
    }
    return answer;
  }

  // A member's own send with exclude_self. Returns the message's place, which may come before or
  // after the reply.
  Event SendExcluded() {
    excluding_.emplace(groupcast_.service.port(), Mode::kV1);
    excluding_->Join("123");
    const Conversation conversation = document_.TakeConversation("send_to_group");
    excluding_->Send(conversation.command);
    const Event first = excluding_->NextEvent();
    const Event second = excluding_->NextEvent();
    EXPECT_TRUE(first.name() == "reply" || second.name() == "reply");
    return first.name() == "message" ? first : second;
  }

  Groupcast groupcast_{1, ServiceFlags()};
  std::optional<TestClient> excluding_;
  Document document_;
  std::string epoch_;
  int64_t offset_ = 0;
};

TEST_F(ProtocolDocumentTest, EachExampleIsTrue) {
  const uint16_t port = groupcast_.service.port();
  TestClient member(port, Mode::kV1);
  TestClient visitor(port, Mode::kV1);

  const Event joined = Converse(&member, "add_group");
  epoch_ = joined.Text("epoch");
  offset_ = joined.Number("offset");
  Converse(&visitor, "add_group");  // since
  TestClient replayed(port, Mode::kV1);
  Converse(&replayed, "add_group");  // history
  TestClient watcher(port, Mode::kV1);
  Converse(&watcher, "add_group");  // presence
  Converse(&visitor, "add_group", Token(R"({"group":"room"})"));
  Converse(&visitor, "leave_group");

  TestClient sender(port, Mode::kV1);
  Converse(&sender, "send_to_group");
  const Event hello = member.NextEvent();
  const Event excluded = SendExcluded();
  Converse(&sender, "send_to_group");  // group_ids
  Converse(&*excluding_, "group_history");
  TestClient alice(port, Mode::kV1);
  Converse(&alice, "authenticate",
           Token(absl::StrCat(R"({"sub":"alice","exp":)",
                              absl::ToUnixSeconds(absl::Now() + absl::Hours(1)), "}")));
  std::vector<TestClient> painters;
  for (int i = 0; i < 3; ++i) {
    painters.emplace_back(port, Mode::kV1);
    painters.back().Send(absl::StrCat(R"({"cmd":"authenticate","id":1,"token":")",
                                      Token(R"({"sub":"alice","info":{"color":"red"}})"), "\"}"));
    painters.back().NextEvent();
  }
  for (int i = 0; i < 2; ++i) painters[i].Join("456");
  WaitUntil("two members", [&] {
    sender.Send(R"({"cmd":"group_members","group_id":"456","count_only":true,"id":1})");
    return sender.NextEvent().Number("count") == 2;
  });
  Converse(&sender, "group_members");
  Converse(&sender, "group_members");  // after
  Converse(&sender, "group_members");  // count_only
  Converse(&sender, "ping");

  ExpectSame(document_.TakeEvent("welcome"), member.welcome());
  ExpectSame(document_.TakeEvent("message"), hello);
  TestClient reader(port, Mode::kV1);
  reader.Join("chat:7");
  alice.Send(SendToGroup("\"chat:7\"", "\"hello\""));
  ExpectSame(document_.TakeEvent("message"), reader.NextEvent());
  ExpectSame(document_.TakeEvent("message"), excluded);
  const std::string gap = document_.TakeEvent("gap");
  EXPECT_EQ(gap,
            service::GapEvent("123", {.from = 42, .to = {service::Epoch{0x5f0c2ab3d1e94477}, 57}}));
  const Loss loss = LoseMessages();
  EXPECT_EQ(loss.gap.text(),
            absl::StrReplaceAll(gap, {{"5f0c2ab3d1e94477", loss.joined.Text("epoch")},
                                      {"42", absl::StrCat(loss.joined.Number("offset"))},
                                      {"57", absl::StrCat(loss.next.Number("previous"))}}));
  EXPECT_EQ(loss.next.name(), "message");
  // Once the view is there, joins and leaves are told.
  watcher.Send(R"({"cmd":"group_members","group_id":"123","count_only":true,"id":1})");
  const auto next = [&watcher](const std::string& name) {
    for (;;) {
      Event event = watcher.NextEvent();
      if (event.name() == name && (name == "reply" || event.Has("user"))) return event;
    }
  };
  next("reply");
  painters[2].Join("123");
  ExpectSame(document_.TakeEvent("member_joined"), next("member_joined"));
  painters[2].Send(LeaveGroup("\"123\""));
  ExpectSame(document_.TakeEvent("member_left"), next("member_left"));
  const std::string closing = document_.TakeEvent("closing");
  sender.Send(R"({"cmd":"send_to_group","group_id":"123","id":3})");
  ExpectSame(document_.TakeEvent("error"), sender.NextEvent());
  EXPECT_TRUE(document_.at_end());

  groupcast_.service.process().Signal(SIGTERM);
  ExpectSame(closing, reader.NextEvent());
  EXPECT_EQ(reader.WaitForEnd().close_code, 4000);
}

}  // namespace
}  // namespace groupcast::tests
