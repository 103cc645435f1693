#include "services/process/pool_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "gtest/gtest.h"
#include "services/process/listener.h"
#include "services/process/socket_loan.h"

namespace groupcast::service {
namespace {

class PoolLinkTest : public testing::Test {
 protected:
  PoolLinkTest() : own_(Open()), lent_(Open()) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, nullptr);
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    supervisor_ = Fd(ends[0]);
    loop_ = *EventLoop::Create();
    absl::StatusOr<std::unique_ptr<PoolLink>> link = PoolLink::Create(
        loop_.get(), std::move(own_.sockets[0]), Fd(ends[1]),
        {.on_accepted = [this](Fd) { ++accepted_; }, .on_drain = [this] { ++drains_; }});
    EXPECT_TRUE(link.ok()) << link.status();
    link_ = *std::move(link);
  }

  static Listeners Open() {
    absl::StatusOr<Listeners> listeners = OpenListeners("127.0.0.1", 0, 1);
    EXPECT_TRUE(listeners.ok()) << listeners.status();
    return *std::move(listeners);
  }

  static Fd Connect(uint16_t port) {
    Fd client(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return client;
  }

  // One turn with the messages of the supervisor, which are there when they are sent.
  void Turn() { loop_->RunOnce(absl::ZeroDuration()); }
  // Turns until `number` is `value`.
  void TurnUntil(const int& number, int value) {
    while (number < value) loop_->RunOnce(absl::Seconds(1));
  }

  Listeners own_;
  Listeners lent_;
  Fd supervisor_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<PoolLink> link_;
  int accepted_ = 0;
  int drains_ = 0;
};

TEST_F(PoolLinkTest, AcceptsOnItsOwnSocketAndOnOneThatIsLentUntilItIsTakenBack) {
  const Fd first = Connect(own_.port);
  TurnUntil(accepted_, 1);

  const Fd second = Connect(lent_.port);
  Turn();
  EXPECT_EQ(accepted_, 1);
  LendSocket(supervisor_.get(), 3, lent_.sockets[0].get());
  TurnUntil(accepted_, 2);

  TakeSocketBack(supervisor_.get(), 3);
  Turn();
  const Fd third = Connect(lent_.port);
  Turn();
  EXPECT_EQ(accepted_, 2);
}

TEST_F(PoolLinkTest, AfterItHasStoppedItTakesNoSockets) {
  link_->StopAccepting();
  LendSocket(supervisor_.get(), 3, lent_.sockets[0].get());
  Turn();
  const Fd client = Connect(lent_.port);
  Turn();
  EXPECT_EQ(accepted_, 0);
}

TEST_F(PoolLinkTest, TellsWhenToDrainAndOutlivesItsSupervisor) {
  supervisor_.Reset();
  Turn();
  kill(getpid(), SIGTERM);
  TurnUntil(drains_, 1);
}

}  // namespace
}  // namespace groupcast::service
