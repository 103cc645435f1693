// Clients that are wrong, slow or silent: each has a documented answer or its bound, and its
// neighbours are served meanwhile.

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/kernel_sockets.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;

std::string CodeOf(const HttpReply& reply) {
  EXPECT_EQ(reply.Field("content-type"), "application/problem+json") << reply.body;
  const json::object problem = json::parse(reply.body).as_object();
  EXPECT_EQ(problem.at("status").as_int64(), reply.status);
  return std::string(problem.at("code").as_string());
}

std::string Quoted(const std::string& text) { return absl::StrCat("\"", text, "\""); }

// A client that takes little before it reads.
RawClient Narrow(uint16_t port) {
  return RawClient(port, /*receive_buffer_bytes=*/4'096, "127.0.0.1", RawClient::Transport::kPlain);
}

// A connection that the service has ended may stay with the kernel for a while.
size_t Established(uint16_t port) {
  size_t count = 0;
  for (const KernelSocket& socket : SocketsOfServer(port)) count += socket.established ? 1 : 0;
  return count;
}

constexpr char kStream[] = "GET /v1/groups/g/events HTTP/1.1\r\nHost: localhost\r\n\r\n";

class BadInputTest : public testing::Test {
 protected:
  explicit BadInputTest(const Flags& flags = {})
      : gateway_(channel_, /*workers=*/1, flags),
        port_(gateway_.port()),
        neighbour_(port_),
        workers_(gateway_.WorkerPids()) {}

  void ExpectTheNeighbourIsServed() {
    EXPECT_EQ(neighbour_.Post("/v1/groups/neighbours/messages", "1").status, 200);
    EXPECT_EQ(gateway_.WorkerPids(), workers_);
  }

  ChannelServer channel_;
  HttpGateway gateway_;
  const uint16_t port_;
  HttpClient neighbour_;
  const std::vector<pid_t> workers_;
};

// A proxy and this service must not find different ends of a request. What stands behind such a
// request is never answered.
TEST_F(BadInputTest, RequestsWithTwoPossibleEndsAreRefusedAndEndTheConnection) {
  const std::string post = "POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\n";
  for (const std::string& request :
       {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n1",
        post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n1",
        post + "Content-Length: 1, 1\r\n\r\n1", post + "Content-Length: +1\r\n\r\n1",
        post + "Content-Length: 0x1\r\n\r\n1", post + "Content-Length : 1\r\n\r\n1",
        post + "Content-Length: 99999999999999999999\r\n\r\n1",
        post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        post + "Transfer-Encoding: chunked\r\n\r\n1 1\r\na\r\n0\r\n\r\n",
        post + "Host: other\r\nContent-Length: 1\r\n\r\n1",
        std::string("POST /v1/groups/g/messages HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")}) {
    HttpClient client(port_);
    client.Write(absl::StrCat(request, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    const HttpReply reply = client.Read();
    EXPECT_TRUE(reply.status == 400 || reply.status == 413 || reply.status == 501) << request;
    EXPECT_NE(CodeOf(reply), "");
    EXPECT_EQ(reply.Field("connection"), "close") << request;
    client.raw().ReadToEnd();
    EXPECT_EQ(client.raw().received(), "") << request;
  }
  ExpectTheNeighbourIsServed();
}

TEST_F(BadInputTest, GarbageHasOneAnswer) {
  const auto seed = std::random_device()();
  std::mt19937 random(seed);
  std::vector<std::string> inputs = {
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(600, '\0'),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n\r\n",
      "GET  HTTP/1.1\r\n\r\n",
      std::string(100'000, 'a'),
      "GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"};
  for (int i = 0; i < 200; ++i) {
    std::string bytes(1 + random() % 500, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    inputs.push_back(bytes + "\r\n\r\n\r\n\r\n");
  }
  for (const std::string& input : inputs) {
    HttpClient client(port_);
    client.Write(input);
    const HttpReply reply = client.Read();
    EXPECT_GE(reply.status, 400) << "seed " << seed << ": " << input;
    EXPECT_EQ(reply.Field("connection"), "close");
  }
  ExpectTheNeighbourIsServed();
}

TEST_F(BadInputTest, WrongCallsHaveTheirCodes) {
  HttpClient client(port_);
  EXPECT_EQ(CodeOf(client.Get("/")), "not_found");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups//messages")), "not_found");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/a/b/messages")), "not_found");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/%ff/messages")), "bad_request");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/%4/messages")), "bad_request");
  EXPECT_EQ(CodeOf(client.Get("/v1/messages")), "method_not_allowed");
  EXPECT_EQ(CodeOf(client.Send("PATCH", "/v1/events")), "method_not_allowed");
  EXPECT_EQ(CodeOf(client.Get("/v1/events")), "bad_request");
  EXPECT_EQ(CodeOf(client.Get("/v1/events?group=a&group=a")), "bad_request");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/g/events?last_event_id=7")), "bad_request");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/g/messages?epoch=00")), "bad_request");
  EXPECT_EQ(CodeOf(client.Get("/v1/groups/g/members?limit=0")), "bad_request");
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/g/messages", "")), "message_missing");
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/g/messages", "\"\xff\"")), "bad_json");
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/g/messages", "1 2")), "bad_json");
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/g/messages", "1", {"Idempotency-Key: "})),
            "bad_request");
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/g/messages", Quoted(std::string(70'000, 'x')))),
            "message_too_large");
  EXPECT_EQ(CodeOf(client.Post("/v1/groups/g/messages", "1", {"Content-Type: text/xml"})),
            "unsupported_media_type");
  EXPECT_EQ(CodeOf(client.Post("/v1/messages", "[1]")), "bad_json");
  EXPECT_EQ(CodeOf(client.Post("/v1/messages", R"({"messages": 1})")), "bad_json");
  EXPECT_EQ(client.Get("/healthz").status, 200) << "none of them has ended the connection";
  ExpectTheNeighbourIsServed();
}

class SmallBodiesTest : public BadInputTest {
 protected:
  SmallBodiesTest() : BadInputTest({"--max_body_bytes=400000", "--request_timeout=2s"}) {}
};

TEST_F(SmallBodiesTest, ABodyOverTheLimitIsRefusedBeforeItComes) {
  HttpClient client(port_);
  client.Write(
      "POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
      "Content-Length: 400001\r\n\r\n");
  const HttpReply reply = client.Read();
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(CodeOf(reply), "message_too_large");
}

TEST_F(SmallBodiesTest, ABodyInChunksForEverIsRefusedAtTheLimit) {
  HttpClient client(port_);
  client.Write(
      "POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = absl::StrCat("10000\r\n", std::string(65'536, ' '), "\r\n");
  for (int i = 0; i < 7; ++i) client.Write(chunk);
  EXPECT_EQ(CodeOf(client.Read()), "message_too_large");
  ExpectTheNeighbourIsServed();
}

TEST_F(SmallBodiesTest, ARequestThatDoesNotComeToItsEndIsToldSo) {
  const std::string head =
      "POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
  for (const std::string& part : {head.substr(0, 20), head, head + "1234"}) {
    HttpClient client(port_);
    client.Write(part);
    const HttpReply reply = client.Read();
    EXPECT_EQ(reply.status, 408);
    EXPECT_EQ(CodeOf(reply), "request_timeout");
    client.raw().ReadToEnd();
  }
}

// The answer is many times larger than what the kernel takes for a client that does not read.
TEST_F(SmallBodiesTest, AnAnswerThatNobodyTakesEndsItsConnection) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(neighbour_.Post("/v1/groups/g/messages", Quoted(std::string(60'000, 'x'))).status,
              200);
  }
  std::vector<RawClient> deaf;
  for (int i = 0; i < 5; ++i) {
    deaf.push_back(Narrow(port_));
    deaf.back().Write("GET /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  WaitUntil("only the neighbour is left", [&] {
    ExpectTheNeighbourIsServed();
    return Established(port_) == 1;
  });
}

class SlowStreamTest : public BadInputTest {
 protected:
  SlowStreamTest() : BadInputTest({"--outbox_bytes=65536", "--burst_bytes=1"}) {}

  // Publishes until the streams of those who are slow have ended. The other stream gets everything.
  // `before_each` runs before each message.
  int FloodUntilOneStreamIsLeft(const std::function<void()>& before_each) {
    EventStream stream(port_, "/v1/groups/g/events");
    EXPECT_EQ(stream.Next().name, "joined");
    const std::string filling(50'000, 'f');
    int sent = 0;
    // The neighbour and the stream.
    for (; sent < 2'000 && Established(port_) > 2; ++sent) {
      before_each();
      EXPECT_EQ(neighbour_.Post("/v1/groups/g/messages", Quoted(filling)).status, 200);
      const json::object message = json::parse(stream.Next().data).as_object();
      EXPECT_EQ(message.at("message").as_string().size(), filling.size());
    }
    EXPECT_LT(sent, 2'000) << "the slow ones are still there";
    return sent;
  }
};

TEST_F(SlowStreamTest, AStreamThatNobodyReadsEnds) {
  RawClient deaf = Narrow(port_);
  deaf.Write(kStream);
  FloodUntilOneStreamIsLeft([] {});
  EXPECT_EQ(gateway_.WorkerPids(), workers_);
}

TEST_F(SlowStreamTest, AClientThatReadsTooSlowlyGetsABeginningWithoutAHole) {
  RawClient slow = Narrow(port_);
  slow.Write(kStream);
  int messages = 0;
  FloodUntilOneStreamIsLeft([&] {
    if (++messages % 20 == 0) slow.ReadMore(absl::ZeroDuration());
  });
  slow.ReadToEnd();
  uint64_t last = 0;
  for (size_t at = 0; (at = slow.received().find("\"offset\":", at)) != std::string::npos; ++at) {
    uint64_t offset = 0;
    const size_t end = slow.received().find_first_of(",}", at);
    if (end == std::string::npos) break;
    ASSERT_TRUE(absl::SimpleAtoi(slow.received().substr(at + 9, end - at - 9), &offset));
    const std::string previous = absl::StrCat("\"previous\":", last);
    if (last > 0) {
      EXPECT_TRUE(absl::StartsWith(absl::string_view(slow.received()).substr(end + 1), previous));
    }
    last = offset;
  }
}

class HeldRequestsTest : public BadInputTest {
 protected:
  HeldRequestsTest() : BadInputTest({"--unfinished_bytes=1000000"}) {}
};

// While the channel is away, requests wait, and the bytes of each count.
TEST_F(HeldRequestsTest, TooManyRequestsThatWaitAreRefused) {
  channel_.Kill();
  gateway_.process().WaitForOutput("the channel is away");
  const std::string body(30'000, '1');
  const std::string request =
      absl::StrCat("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\n",
                   "Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n",
                   body, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::vector<HttpClient> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(port_);
    clients.back().Write(request);
  }
  // 33 of them fit into the bound.
  WaitUntil("all others are refused", [&] {
    int refused = 0;
    for (HttpClient& client : clients) {
      client.raw().ReadAvailable();
      refused += absl::StrContains(client.raw().received(), " 503 ") ? 1 : 0;
    }
    return refused >= 66;
  });
  EXPECT_EQ(neighbour_.Get("/healthz").status, 200);
}

int64_t AnonymousKilobytes(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return std::stoll(line.substr(8));
  }
  throw Failure("no RssAnon");
}

// With GROUPCAST_TEST_STREAMS in the environment, it takes that number of streams.
TEST_F(BadInputTest, AnIdleStreamTakesLittleMemory) {
  int64_t count = 2'000;
  if (const char* const given = std::getenv("GROUPCAST_TEST_STREAMS")) {
    ASSERT_TRUE(absl::SimpleAtoi(given, &count));
  }
  const int64_t before = AnonymousKilobytes(workers_[0]);
  std::vector<EventStream> streams;
  for (int64_t i = 0; i < count; ++i) streams.emplace_back(port_, "/v1/groups/g/events");
  const int64_t grown = AnonymousKilobytes(workers_[0]) - before;
  std::cerr << count << " streams take " << grown << " KB, each " << grown * 1024 / count
            << " bytes\n";
  EXPECT_LT(grown, count * 6) << "KB";
  ExpectTheNeighbourIsServed();
  EXPECT_EQ(neighbour_.Post("/v1/groups/g/messages", "1").status, 200);
  for (EventStream& stream : streams) {
    EXPECT_EQ(stream.Next().name, "joined");
    EXPECT_EQ(stream.Next().name, "message");
  }
}

}  // namespace
}  // namespace groupcast::tests
