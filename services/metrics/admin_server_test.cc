#include "services/metrics/admin_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/listener.h"
#include "services/metrics/process_usage.h"

namespace groupcast::service {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kPatienceMs = 20'000;

// A connection whose reads wait for what they read.
class Client {
 public:
  explicit Client(uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  void Write(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (written < 0) return;  // the server has closed
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }

  // All bytes up to the end of the connection.
  std::string ReadAll() {
    std::string all;
    for (;;) {
      pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (poll(&readable, 1, kPatienceMs) != 1) {
        ADD_FAILURE() << "the server does not end the connection, after: " << all;
        return all;
      }
      char bytes[4'096];
      const ssize_t count = recv(socket_.get(), bytes, sizeof(bytes), 0);
      if (count <= 0) return all;
      all.append(bytes, static_cast<size_t>(count));
    }
  }

 private:
  Fd socket_;
};

class AdminServerTest : public ::testing::Test {
 protected:
  void Start(const AdminServerOptions& options = {}) {
    absl::StatusOr<Listeners> listeners = OpenListeners("127.0.0.1", 0, 1);
    ASSERT_TRUE(listeners.ok());
    port_ = listeners->port;
    auto server = AdminServer::Create(std::move(listeners->sockets.front()),
                                      *OriginPolicy::Create({.is_loopback = true}),
                                      {.metrics = [this] { return metrics_; },
                                       .why_not_ready = [this] { return *why_not_ready_.load(); },
                                       .on_tick = [this] { ++ticks_; }},
                                      options);
    ASSERT_TRUE(server.ok());
    server_ = *std::move(server);
    thread_ = std::thread([this] { server_->Run(); });
  }

  void TearDown() override {
    server_->Stop();
    thread_.join();
  }

  std::string Ask(absl::string_view request) const {
    Client client(port_);
    client.Write(request);
    return client.ReadAll();
  }
  std::string Get(absl::string_view target) const {
    return Ask(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  }

  std::string metrics_ = "a 1\n";
  const std::string ready_;
  const std::string draining_ = "The service stops.";
  std::atomic<const std::string*> why_not_ready_{&ready_};
  std::atomic<int> ticks_{0};
  uint16_t port_ = 0;

 private:
  std::unique_ptr<AdminServer> server_;
  std::thread thread_;
};

TEST_F(AdminServerTest, ServesMetricsAndHealth) {
  Start();
  const std::string metrics = Get("/metrics");
  EXPECT_THAT(metrics, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(metrics, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(metrics, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(metrics, EndsWith("\r\n\r\na 1\n"));
  EXPECT_THAT(Get("/metrics?name[]=a"), EndsWith("\r\n\r\na 1\n"));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 "));
  why_not_ready_ = &draining_;
  const std::string draining = Get("/readyz");
  EXPECT_THAT(draining, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(draining, EndsWith("\r\n\r\nThe service stops.\n"));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, HeadHasTheLengthAndNoBody) {
  Start();
  const std::string answer = Ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 4\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(AdminServerTest, RefusesOtherPathsAndMethods) {
  Start();
  EXPECT_THAT(Get("/"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get("/metrics/"), StartsWith("HTTP/1.1 404 "));
  const std::string post =
      Ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_THAT(post, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(post, HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST_F(AdminServerTest, RefusesNamesOfOtherHostsAndPagesOfOtherSites) {
  Start();
  const auto with = [](absl::string_view fields) {
    return absl::StrCat("GET /metrics HTTP/1.1\r\n", fields, "\r\n\r\n");
  };
  EXPECT_THAT(Ask(with("Host: evil.example")), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask(with("Host: a b")), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask(with("Host: localhost\r\nHost: evil.example")), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask(with("Host: localhost\r\nOrigin: https://evil.example")),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(Ask(with("Host: 127.0.0.1:9234")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, AnswersGarbageWith400AndGoesOn) {
  Start();
  EXPECT_THAT(Ask("\x16\x03\x01 no http\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("GET / HTTP/3.0\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, RefusesAHeadThatIsTooLong) {
  Start();
  const std::string answer =
      Ask(absl::StrCat("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",
                       std::string(AdminServerOptions().head_bytes_max, 'x'), "\r\n\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
}

TEST_F(AdminServerTest, EndsAConnectionWithoutARequest) {
  Start({.request_timeout = absl::Milliseconds(50)});
  EXPECT_EQ(Client(port_).ReadAll(), "");
}

TEST_F(AdminServerTest, EndsAConnectionWhosePeerDoesNotRead) {
  metrics_ = std::string(64u << 20, 'x');  // more than the kernel's buffers take
  Start({.request_timeout = absl::Milliseconds(500)});
  const uint64_t files = ReadProcessUsage(getpid())->open_files;
  Client client(port_);
  client.Write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 ")) << "others are served meanwhile";
  // The client's end alone is left.
  while (ReadProcessUsage(getpid())->open_files != files + 1) std::this_thread::yield();
  EXPECT_LT(client.ReadAll().size(), metrics_.size());
}

TEST_F(AdminServerTest, AFurtherConnectionEndsTheOldest) {
  Start({.connections_max = 2, .request_timeout = absl::Hours(1)});
  Client oldest(port_);
  oldest.Write("GET /heal");
  Client second(port_);
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(oldest.ReadAll(), "");
  second.Write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(second.ReadAll(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, AnswersOneRequestOfAConnection) {
  Start();
  const std::string request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string answers = Ask(request + request);
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answers.substr(1), Not(HasSubstr("HTTP/1.1")));
}

}  // namespace
}  // namespace groupcast::service
