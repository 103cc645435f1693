#include "services/channel_server/admin_thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/clock.h"
#include "services/common/listener.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class AdminThreadTest : public ::testing::Test {
 protected:
  AdminThreadTest() {
    absl::StatusOr<Listeners> listeners = OpenListeners("127.0.0.1", 0, 1);
    EXPECT_TRUE(listeners.ok()) << listeners.status();
    port_ = listeners->port;
    thread_ = *AdminThread::Start({.listener = std::move(listeners->sockets.front()),
                                   .port = port_,
                                   .hosts = *OriginPolicy::Create({.is_loopback = true})},
                                  &report_);
  }

  Fd Connect() const {
    Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return client;
  }
  // The whole answer.
  std::string Get(const std::string& path) const {
    const Fd client = Connect();
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(send(client.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    return ReadToEnd(client);
  }
  static std::string ReadToEnd(const Fd& client) {
    std::string answer;
    char bytes[4'096];
    for (ssize_t count; (count = recv(client.get(), bytes, sizeof(bytes), 0)) > 0;) {
      answer.append(bytes, static_cast<size_t>(count));
    }
    return answer;
  }

  ServerReport report_{MonotonicClock().Now() - absl::Hours(1)};
  uint16_t port_ = 0;
  std::unique_ptr<AdminThread> thread_;
};

TEST_F(AdminThreadTest, AnswersFromTheReport) {
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/metrics"), ContainsRegex("\ngroupcast_channel_loop_age_seconds 36..\\."));
  report_.OnTurn(MonotonicClock().Now(), [] {
    ServerNumbers numbers{};
    numbers.publications = 77;
    return numbers;
  });
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/metrics"), HasSubstr("\ngroupcast_channel_publications_total 77\n"));
  EXPECT_THAT(Get("/metrics"), Not(ContainsRegex("\ngroupcast_channel_loop_age_seconds 36..")));
  EXPECT_THAT(Get("/metrics"), HasSubstr("\ngroupcast_open_files "));
  report_.SetStopping();
  EXPECT_THAT(Get("/readyz"), HasSubstr("The channel server stops."));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
}

// With ThreadSanitizer it shows that both threads may do that.
TEST_F(AdminThreadTest, ReadsWhileTheLoopWrites) {
  std::atomic<bool> done{false};
  std::thread loop([&] {
    for (uint64_t i = 1; !done; ++i) {
      report_.OnTurn(absl::UnixEpoch() + i * ServerReport::kPeriod, [i] {
        ServerNumbers numbers{};
        numbers.publications = i;
        return numbers;
      });
    }
  });
  while (Get("/metrics").find("groupcast_channel_publications_total 0\n") != std::string::npos) {
  }
  Get("/readyz");
  done = true;
  loop.join();
}

TEST_F(AdminThreadTest, EndsAlsoWithAnOpenConnection) {
  const Fd client = Connect();
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));  // the first one is accepted by then
  thread_ = nullptr;
  EXPECT_EQ(ReadToEnd(client), "");
}

// A signal of the process must find its loop, and not end in this thread.
TEST_F(AdminThreadTest, TakesNoSignals) {
  sigset_t usr1;
  sigset_t before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, &before);
  kill(getpid(), SIGUSR1);  // its default action would end this process
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  siginfo_t info;
  EXPECT_EQ(sigwaitinfo(&usr1, &info), SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace groupcast::service
