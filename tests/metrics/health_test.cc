// /healthz and /readyz of the admin ports, and what bad peers of these ports can do.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/metrics/scrape.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

HttpReply Ready(uint16_t admin_port) { return HttpClient(admin_port).Get("/readyz"); }

void AwaitReady(uint16_t admin_port, int status) {
  WaitUntil(absl::StrCat("/readyz is ", status),
            [&] { return Ready(admin_port).status == status; });
}

TEST(HealthTest, AServiceThatDrainsIsAliveAndNotReady) {
  Groupcast groupcast(/*workers=*/1, {"--drain_time=20s"});
  const uint16_t admin = groupcast.service.admin_port();
  EXPECT_EQ(Ready(admin).status, 200);
  EXPECT_EQ(Ready(admin).body, "ready\n");
  // It does not answer the service's close frame, so the drain goes on.
  TestClient client(groupcast.service.port());
  groupcast.service.process().Signal(SIGTERM);
  AwaitReady(admin, 503);
  EXPECT_EQ(Ready(admin).body, "The service stops.\n");
  EXPECT_EQ(AdminStatus(admin, "/healthz"), 200);
  AwaitMetric(admin, "groupcast_workers state=\"draining\"", 1);
  client.raw().Close();
  EXPECT_EQ(groupcast.service.process().WaitForEnd(), 0);
  EXPECT_THROW(RawClient(admin, 0, "127.0.0.1", RawClient::Transport::kPlain), Failure);
}

TEST(HealthTest, AStoppedChannelServerShows) {
  Groupcast groupcast(/*workers=*/2);
  HttpGateway gateway(groupcast.channel);
  const std::vector<uint16_t> admins = {groupcast.service.admin_port(), gateway.admin_port()};
  for (const uint16_t admin : admins) EXPECT_EQ(Ready(admin).status, 200);
  groupcast.channel.process().Signal(SIGSTOP);
  for (const uint16_t admin : admins) {
    AwaitReady(admin, 503);
    EXPECT_THAT(Ready(admin).body, StartsWith("The workers do not reach the channel server at "));
    AwaitMetric(admin, "groupcast_channel_connected", 0);
    EXPECT_EQ(AdminStatus(admin, "/healthz"), 200);
  }
  groupcast.channel.process().Signal(SIGCONT);
  for (const uint16_t admin : admins) AwaitReady(admin, 200);
  AwaitMetric(groupcast.service.admin_port(), "groupcast_channel_connected", 2);
}

// The process of the admin port is older than the configuration.
TEST(HealthTest, NamesTheChannelServerOfTheLastReload) {
  ChannelServer first;
  ChannelServer second;
  const auto flag = [](const ChannelServer& server) {
    return absl::StrCat("--channel=127.0.0.1:", server.port());
  };
  const std::string flagfile = NewTempPath("flags");
  std::ofstream(flagfile) << flag(first) << std::endl;
  const std::string ready_file = NewTempPath("ready");
  Process service(kWebSocketServiceBinary,
                  {"--port=0", "--admin_port=0", "--workers=1", "--drain_time=1s",
                   "--ready_file=" + ready_file, "--flagfile=" + flagfile});
  const uint16_t admin = WaitForReadyPorts(&service, ready_file).admin_port;
  const pid_t admin_process = AwaitAdmin(service.pid());
  const pid_t old_worker = WorkersOf(service.pid()).at(0);
  std::ofstream(flagfile) << flag(second) << std::endl;
  service.Signal(SIGHUP);
  WaitUntil("the old worker is gone", [&] { return !IsAlive(old_worker); });
  EXPECT_EQ(Ready(admin).status, 200);
  second.Kill();
  AwaitReady(admin, 503);
  EXPECT_THAT(Ready(admin).body, StartsWith(absl::StrCat("The workers do not reach the channel "
                                                         "server at 127.0.0.1:",
                                                         second.port())));
  EXPECT_EQ(AwaitAdmin(service.pid()), admin_process);
}

// Takes a port of 127.0.0.1, unless it is in use already. Several of these can have it at the same
// time, so this test may run beside itself. No connection comes to it, because it does not listen.
class TakenPort {
 public:
  explicit TakenPort(uint16_t port) {
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      EXPECT_EQ(errno, EADDRINUSE);
    }
  }
  ~TakenPort() { close(fd_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

// What observes a service does not stop it.
TEST(HealthTest, AServiceGoesOnWithoutADefaultAdminPortThatIsInUse) {
  ChannelServer channel;
  const std::string channel_flag = absl::StrCat("--channel=127.0.0.1:", channel.port());
  struct Case {
    std::string binary;
    uint16_t admin_port;
    int ports;
    Flags flags;
  };
  for (const Case& test : {Case{kChannelServerBinary, 9206, 3, {}},
                           Case{kWebSocketServiceBinary, 9234, 1, {"--workers=1", channel_flag}},
                           Case{kHttpGatewayBinary, 9280, 1, {channel_flag}}}) {
    SCOPED_TRACE(test.binary);
    const TakenPort taken(test.admin_port);
    const std::string ready_file = NewTempPath("ready");
    std::unique_ptr<Process> process;
    ReadyPorts ports;
    const uint16_t port =
        StartOnFreePorts(test.ports, /*may_say_otherwise=*/false, [&](uint16_t free) {
          Flags flags = {absl::StrCat("--port=", free), "--ready_file=" + ready_file};
          flags.insert(flags.end(), test.flags.begin(), test.flags.end());
          process = std::make_unique<Process>(test.binary, flags);
          ports = WaitForReadyPorts(process.get(), ready_file);
        });
    EXPECT_EQ(ports.port, port);
    EXPECT_EQ(ports.admin_port, 0) << "there is none";
    EXPECT_THAT(process->Output(),
                HasSubstr(absl::StrCat("NO METRICS: cannot listen on 127.0.0.1:", test.admin_port,
                                       ": Address already in use")));
    process->Signal(SIGTERM);
    EXPECT_EQ(process->WaitForEnd(), 0);
    // The same port, but named.
    Process named(test.binary, {"--port=0", absl::StrCat("--admin_port=", test.admin_port)});
    named.WaitForOutput("--admin_port: cannot listen on ");
    EXPECT_EQ(named.WaitForEnd(), 1);
  }
}

TEST(HealthTest, PeersThatDoNotReadOrWriteDoNoHarm) {
  Groupcast groupcast(/*workers=*/1);
  const uint16_t admin = groupcast.service.admin_port();
  const std::vector<pid_t> workers = groupcast.service.WorkerPids();
  const pid_t process = AwaitAdmin(groupcast.service.process().pid());
  std::vector<std::unique_ptr<RawClient>> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(std::make_unique<RawClient>(admin, /*receive_buffer_bytes=*/1, "127.0.0.1",
                                                RawClient::Transport::kPlain));
    if (i % 2 == 0) peers.back()->Write("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    EXPECT_EQ(AdminStatus(admin, "/healthz"), 200);
  }
  EXPECT_EQ(ScrapeMetrics(admin).Sum("groupcast_connections"), 0);
  TestClient member(groupcast.service.port());
  EXPECT_EQ(member.Join("g").name(), "reply");
  EXPECT_EQ(groupcast.service.WorkerPids(), workers);
  EXPECT_EQ(AwaitAdmin(groupcast.service.process().pid()), process);
}

TEST(HealthTest, GarbageIsRefused) {
  Groupcast groupcast(/*workers=*/1);
  const uint16_t admin = groupcast.service.admin_port();
  const pid_t process = AwaitAdmin(groupcast.service.process().pid());
  const std::string long_head =
      absl::StrCat("GET /metrics HTTP/1.1\r\nX: ", std::string(9'000, 'x'), "\r\n\r\n");
  for (const auto& [request, status] :
       {std::pair<std::string, std::string>{"\x16\x03\x01\x02\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
        {"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"},
        {"DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"},
        {long_head, "431"}}) {
    RawClient client(admin, 0, "127.0.0.1", RawClient::Transport::kPlain);
    client.Write(request);
    client.ReadToEnd();
    EXPECT_THAT(client.received(), StartsWith(absl::StrCat("HTTP/1.1 ", status, " ")));
    EXPECT_THAT(client.received(), EndsWith("\n"));
  }
  EXPECT_EQ(AdminStatus(admin, "/healthz"), 200);
  EXPECT_EQ(AwaitAdmin(groupcast.service.process().pid()), process);
}

}  // namespace
}  // namespace groupcast::tests
