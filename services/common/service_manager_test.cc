#include "services/common/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The socket of a service manager, which reads when the test says so.
class FakeManager {
 public:
  explicit FakeManager(const std::string& name) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    name.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), bytes), 0)
        << strerror(errno);
  }

  // All datagrams that have come.
  std::vector<std::string> Read() {
    std::vector<std::string> messages;
    char buffer[4096];
    for (ssize_t count; (count = recv(socket_.get(), buffer, sizeof(buffer), 0)) >= 0;) {
      messages.emplace_back(buffer, static_cast<size_t>(count));
    }
    return messages;
  }

 private:
  const Fd socket_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
};

class ServiceManagerTest : public testing::Test {
 protected:
  ServiceManagerTest() { setenv("NOTIFY_SOCKET", name_.c_str(), 1); }
  ~ServiceManagerTest() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }

  // Fills the manager's queue, and returns the number of messages in it. One sender alone may reach
  // the bound of its own buffer first.
  int Fill() const {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    name_.copy(address.sun_path + 1, name_.size() - 1, 1);
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    int count = 0;
    for (int before = -1; count > before;) {
      before = count;
      const Fd sender(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      while (sendto(sender.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&address), bytes) == 1) {
        ++count;
      }
    }
    return count;
  }

  const std::string name_ = absl::StrCat("@groupcast_service_manager_test_", getpid());
  FakeManager manager_{name_};
  FakeClock clock_;
};

TEST_F(ServiceManagerTest, EachStateIsOneDatagramWithItsStatus) {
  ServiceManager service = ServiceManager::FromEnvironment();
  service.Status("waiting for the channel server");
  service.Ready("ready");
  service.Reloading("replacing 4 workers", absl::FromUnixMicros(1'234'567));
  service.Stopping("draining");
  EXPECT_THAT(manager_.Read(),
              ElementsAre("STATUS=waiting for the channel server", "READY=1\nSTATUS=ready",
                          "RELOADING=1\nMONOTONIC_USEC=1234567\nSTATUS=replacing 4 workers",
                          "STOPPING=1\nSTATUS=draining"));
}

TEST_F(ServiceManagerTest, ASocketMayBeAFile) {
  // Not in the test's own directory, whose path may be too long for a socket.
  char directory[] = "/tmp/groupcast_service_manager_test_XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = absl::StrCat(directory, "/notify");
  FakeManager manager(path);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  ServiceManager::FromEnvironment().Ready("ready");
  EXPECT_THAT(manager.Read(), ElementsAre("READY=1\nSTATUS=ready"));
  unlink(path.c_str());
  rmdir(directory);
}

// A child that believed to be the service could keep a dead service alive.
TEST_F(ServiceManagerTest, ChildrenDoNotLearnOfTheManager) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  setenv("WATCHDOG_PID", absl::StrCat(getpid()).c_str(), 1);
  ServiceManager service = ServiceManager::FromEnvironment();
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
  service.Disown();
  service.Ready("ready");
  service.OnTurn(clock_.Now());
  EXPECT_THAT(manager_.Read(), IsEmpty());
}

TEST_F(ServiceManagerTest, WithoutAManagerNothingIsSent) {
  unsetenv("NOTIFY_SOCKET");
  setenv("WATCHDOG_USEC", "2000000", 1);
  ServiceManager service = ServiceManager::FromEnvironment();
  service.Ready("ready");
  service.OnTurn(clock_.Now());
  EXPECT_THAT(manager_.Read(), IsEmpty());
}

TEST_F(ServiceManagerTest, ANameThatIsNoSocketIsIgnored) {
  for (const std::string& name : {std::string("vsock:2:1234"), std::string("@"),
                                  "/" + std::string(sizeof(sockaddr_un::sun_path) - 1, 'x')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    ServiceManager::FromEnvironment().Ready("ready");
  }
  EXPECT_THAT(manager_.Read(), IsEmpty());
}

TEST_F(ServiceManagerTest, SignsOfLifeComeAtHalfOfTheWatchdogsTime) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  ServiceManager service = ServiceManager::FromEnvironment();
  service.OnTurn(clock_.Now());
  EXPECT_THAT(manager_.Read(), ElementsAre("WATCHDOG=1"));
  clock_.Advance(absl::Milliseconds(999));
  service.OnTurn(clock_.Now());
  EXPECT_THAT(manager_.Read(), IsEmpty());
  clock_.Advance(absl::Milliseconds(1));
  service.OnTurn(clock_.Now());
  EXPECT_THAT(manager_.Read(), ElementsAre("WATCHDOG=1"));
}

TEST_F(ServiceManagerTest, TheWatchdogOfAnotherProcessIsNotOurs) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  setenv("WATCHDOG_PID", absl::StrCat(getppid()).c_str(), 1);
  ServiceManager service = ServiceManager::FromEnvironment();
  service.OnTurn(clock_.Now());
  EXPECT_THAT(manager_.Read(), IsEmpty());
}

// The service must neither wait nor lose its state. Of several states the newest counts.
TEST_F(ServiceManagerTest, AManagerThatDoesNotReadGetsTheNewestStateLater) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  ServiceManager service = ServiceManager::FromEnvironment();
  const int filled = Fill();
  ASSERT_GT(filled, 0);
  service.Reloading("replacing 4 workers", clock_.Now());
  service.Ready("ready");
  service.Status("2 of 4 workers wait");
  service.OnTurn(clock_.Now());
  EXPECT_EQ(manager_.Read().size(), static_cast<size_t>(filled));
  service.OnTurn(clock_.Now() + ServiceManager::kRetryPeriod - absl::Milliseconds(1));
  EXPECT_THAT(manager_.Read(), IsEmpty());
  service.OnTurn(clock_.Now() + ServiceManager::kRetryPeriod);
  EXPECT_THAT(manager_.Read(), ElementsAre("READY=1\nSTATUS=2 of 4 workers wait", "WATCHDOG=1"));
}

TEST_F(ServiceManagerTest, AStatusIsOneLineOfLimitedLength) {
  ServiceManager service = ServiceManager::FromEnvironment();
  service.Status("a\nSTOPPING=1");
  service.Status(std::string(10'000, 'x'));
  EXPECT_THAT(manager_.Read(),
              ElementsAre("STATUS=a STOPPING=1",
                          "STATUS=" + std::string(ServiceManager::kStatusBytesMax, 'x')));
}

}  // namespace
}  // namespace groupcast::service
