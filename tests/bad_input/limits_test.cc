// Limits of connections and of workers, each at its bound and one over it. SIGUSR1's table counts
// by name which limit was met.

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

// The status of the answer to a handshake.
int StatusOf(uint16_t port, const std::string& from = "127.0.0.1") {
  RawClient client(port, /*receive_buffer_bytes=*/0, from);
  client.Write(HandshakeRequest());
  client.ReadMore();
  return TakeResponse(&client.received())->status;
}

void WaitForCount(WebSocketService* service, const std::string& limit, int64_t count) {
  WaitUntil(absl::StrCat(limit, " is counted"), [&] { return service->Limits()[limit] == count; });
}

TEST(AddressLimitTest, IsForTheConnectionsToAllWorkersTogether) {
  Groupcast groupcast(/*workers=*/2, {"--max_connections_per_address=6"});
  WebSocketService& service = groupcast.service;
  // The kernel spreads them over the workers.
  std::vector<TestClient> clients;
  for (int i = 0; i < 6; ++i) clients.emplace_back(service.port());
  RawClient one_more(service.port());
  one_more.Write(HandshakeRequest());
  one_more.ReadToEnd();
  EXPECT_TRUE(absl::StartsWith(one_more.received(), "HTTP/1.1 429 ")) << one_more.received();
  EXPECT_TRUE(absl::StrContains(one_more.received(), "\r\nRetry-After: 5\r\n"));
  WaitForCount(&service, "address", 1);
  EXPECT_EQ(StatusOf(service.port(), "127.0.0.2"), 101) << "another address has its own limit";

  clients.pop_back();
  WaitUntil("there is room again", [&] { return StatusOf(service.port()) == 101; });
  for (TestClient& client : clients) EXPECT_TRUE(client.IsQuiet());
}

TEST(AddressLimitTest, ConnectionsOfADeadWorkerDoNotCount) {
  Groupcast groupcast(/*workers=*/1, {"--max_connections_per_address=3"});
  WebSocketService& service = groupcast.service;
  std::vector<TestClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(service.port());
  const pid_t worker = service.WorkerPids().front();
  kill(worker, SIGKILL);
  WaitUntil("it has a successor", [&] {
    const std::vector<pid_t> workers = service.WorkerPids();
    return workers.size() == 1 && workers.front() != worker;
  });
  clients.clear();
  for (int i = 0; i < 3; ++i) clients.emplace_back(service.port());
  EXPECT_EQ(StatusOf(service.port()), 429);
}

TEST(AcceptRateTest, ConnectionsOverItWaitAndTheOthersDoNotNotice) {
  ChannelServer channel;
  WebSocketService service(channel, /*workers=*/1,
                           {"--accepts_per_second=0.001", "--accept_burst=4"});
  std::vector<TestClient> clients;
  for (int i = 0; i < 4; ++i) clients.emplace_back(service.port());
  for (TestClient& client : clients) EXPECT_TRUE(client.IsQuiet());
  EXPECT_EQ(service.Limits()["accepts"], 0);
  RawClient fifth(service.port());
  fifth.Write(HandshakeRequest());
  WaitForCount(&service, "accepts", 1);
  for (TestClient& client : clients) EXPECT_TRUE(client.IsQuiet());
  fifth.ReadAvailable();
  EXPECT_EQ(fifth.received(), "") << "it has no answer";
  EXPECT_EQ(fifth.state(), RawClient::State::kOpen) << "and is not closed";
}

TEST(AcceptRateTest, ConnectionsThatWaitedAreServedLater) {
  ChannelServer channel;
  WebSocketService service(channel, /*workers=*/1, {"--accepts_per_second=20", "--accept_burst=5"});
  std::vector<RawClient> waiting;
  for (int i = 0; i < 12; ++i) {
    waiting.emplace_back(service.port());
    waiting.back().Write(HandshakeRequest());
  }
  for (RawClient& client : waiting) TestClient(std::move(client), Mode::kBare);
  EXPECT_GE(service.Limits()["accepts"], 1);
}

class InputRateTest : public testing::Test {
 protected:
  static constexpr size_t kBurst = 65'536;

  // Ping commands of at least `bytes` bytes on the wire.
  static std::string Pings(size_t bytes) {
    std::string frames;
    while (frames.size() < bytes) frames += TextFrame(Ping("1"));
    return frames;
  }

  Groupcast groupcast_{
      /*workers=*/1,
      {"--input_bytes_per_second=16384", absl::StrCat("--input_burst_bytes=", kBurst),
       // Its pong deadline is suspended while it is not read.
       "--ping_interval=200ms", "--pong_timeout=200ms"}};
  WebSocketService& service_ = groupcast_.service;
};

TEST_F(InputRateTest, AFloodIsSlowedDownAndNotClosed) {
  TestClient flooder(service_.port());
  flooder.raw().Write(Pings(kBurst + 16'384));
  flooder.Send(R"({"cmd":"group_history","group_id":"g","limit":1,"id":"last"})");
  while (!absl::StrContains(flooder.NextText(), "last")) {
  }
  EXPECT_GE(service_.Limits()["input"], 2) << "it has waited more than once";
  EXPECT_EQ(service_.Limits()["pong"], 0);
}

TEST(InputBurstTest, WithinItNothingWaits) {
  Groupcast groupcast(/*workers=*/1,
                      {"--input_bytes_per_second=16384", "--input_burst_bytes=65536"});
  TestClient client(groupcast.service.port());
  const std::string frame = TextFrame(Ping("1"));
  size_t bytes = HandshakeRequest().size();
  for (; bytes + frame.size() <= 65'536; bytes += frame.size()) client.raw().Write(frame);
  while (bytes > HandshakeRequest().size()) {
    client.NextText();
    bytes -= frame.size();
  }
  // The numbers are refreshed four times a second.
  WaitUntil("the table has this client",
            [&] { return groupcast.service.Table().front().connections == 1; });
  EXPECT_EQ(groupcast.service.Limits()["input"], 0);
}

class OutboxTotalTest : public testing::Test {
 protected:
  // A member of a group of its own that never reads.
  TestClient Deaf(int number) {
    TestClient client(service_.port(), Mode::kBare, /*receive_buffer_bytes=*/4'096);
    client.Join(absl::StrCat("group ", number));
    return client;
  }
  // Sends about two MiB to the group.
  void Fill(int number) {
    const std::string filling = Quoted(std::string(60'000, 'f'));
    for (int i = 0; i < 35; ++i) {
      sender_.Send(SendToGroup(Quoted(absl::StrCat("group ", number)), filling, "1"));
      ASSERT_EQ(sender_.NextEvent().name(), "reply");
    }
  }

  Groupcast groupcast_{
      /*workers=*/1,
      {"--outbox_total_bytes=9000000", "--outbox_bytes=4194304", "--unsent_bytes=1"}};
  WebSocketService& service_ = groupcast_.service;
  TestClient sender_{service_.port()};
};

TEST_F(OutboxTotalTest, TheLargestThatTakesNothingIsClosedFirst) {
  TestClient reader(service_.port());
  reader.Join("group 1");
  std::vector<TestClient> deaf;
  for (int i = 1; i <= 4; ++i) deaf.push_back(Deaf(i));
  Fill(1);
  Fill(2);
  Fill(3);
  WaitUntil("the table has all of it",
            [&] { return service_.Table().front().deliveries == 4 * 35; });
  EXPECT_EQ(service_.Limits()["outboxes"], 0) << "together they are within the bound";
  Fill(4);
  Fill(4);
  WaitUntil("it is counted", [&] { return service_.Limits()["outboxes"] >= 1; });
  const TestClient::End end = deaf[3].WaitForEnd();
  EXPECT_EQ(end.close_code, 4001);
  EXPECT_EQ(end.reason, "too slow: the outboxes of all are full");
  EXPECT_EQ(service_.Table().front().slow, 0) << "no outbox was over its own bound";
  // Who reads is not hurt, and neither is who shares a group with a deaf member.
  for (int i = 0; i < 35; ++i) EXPECT_EQ(reader.NextText().size(), 60'000u);
  EXPECT_TRUE(reader.IsQuiet());
  EXPECT_TRUE(sender_.IsQuiet());
}

TEST(LimitCountsTest, EachIsCountedByItsName) {
  Groupcast groupcast(/*workers=*/1,
                      {"--handshake_timeout=1s", "--ping_interval=300ms", "--pong_timeout=300ms",
                       "--max_frame_bytes=70000", "--max_message_bytes=1000",
                       "--max_groups_per_connection=2", "--max_connections_per_worker=3"});
  WebSocketService& service = groupcast.service;
  EXPECT_EQ(service.Limits().size(), 20u);
  for (const auto& [name, count] : service.Limits()) EXPECT_EQ(count, 0) << name;

  RawClient silent(service.port());
  WaitForCount(&service, "handshake", 1);

  RawClient long_head(service.port());
  long_head.Write(absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(9'000, 'x')));
  long_head.ReadToEnd();
  EXPECT_TRUE(absl::StartsWith(long_head.received(), "HTTP/1.1 431 "));
  WaitForCount(&service, "head", 1);

  {
    TestClient client(service.port());
    client.raw().Write(TextFrame(std::string(70'000, ' ')));
    EXPECT_EQ(Event(client.NextText()).Text("code"), "bad_json") << "as large as a frame may be";
    client.raw().Write(TextFrame(std::string(70'001, ' ')));
    EXPECT_EQ(client.WaitForEnd().close_code, 1009);
  }
  WaitForCount(&service, "frame", 1);

  {
    TestClient client(service.port());
    for (const char* group : {"a", "b"}) client.Join(group);
    client.Send(AddGroup(Quoted("c"), "1"));
    EXPECT_EQ(client.NextEvent().Text("code"), "too_many_groups");
    client.Send(SendToGroup(Quoted("x"), Quoted(std::string(1'000, 'm')), "1"));
    EXPECT_EQ(client.NextEvent().name(), "reply");
    client.Send(SendToGroup(Quoted("x"), Quoted(std::string(1'001, 'm')), "1"));
    EXPECT_EQ(client.NextEvent().Text("code"), "message_too_large");
    // The command itself is one level of 64.
    for (const int levels : {63, 64}) {
      client.Send(absl::StrCat(R"({"cmd":"ping","id":2,"x":)", std::string(levels, '['),
                               std::string(levels, ']'), "}"));
      EXPECT_EQ(client.NextEvent().name(), levels == 63 ? "reply" : "error");
    }
    WaitForCount(&service, "depth", 1);
    WaitForCount(&service, "groups", 1);
    WaitForCount(&service, "message", 1);
    client.raw().ReadToEnd();  // it answers no ping
  }
  WaitForCount(&service, "pong", 1);

  std::vector<TestClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(service.port());
  EXPECT_EQ(StatusOf(service.port()), 503);
  WaitForCount(&service, "worker", 1);
}

}  // namespace
}  // namespace groupcast::tests
