#include "services/process/pool_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/listener.h"
#include "services/common/log_capture.h"
#include "services/process/socket_loan.h"

namespace groupcast::service {
namespace {

class OpenFilesLimit {
 public:
  explicit OpenFilesLimit(rlim_t limit) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lowered = {limit, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  }
  ~OpenFilesLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

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
    control_ = Fd(ends[1]);
    loop_ = *EventLoop::Create();
    CreateLink({});
  }

  void CreateLink(const TokenRate& accept_rate) {
    absl::StatusOr<std::unique_ptr<PoolLink>> link =
        PoolLink::Create(loop_.get(), Fd(dup(own_.sockets[0].get())), Fd(dup(control_.get())),
                         {.on_accepted =
                              [this](Fd socket) {
                                ++accepted_;
                                if (keeps_) kept_.push_back(std::move(socket));
                              },
                          .on_drain = [this] { ++drains_; }},
                         accept_rate);
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
  Fd control_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<PoolLink> link_;
  int accepted_ = 0;
  bool keeps_ = false;
  std::vector<Fd> kept_;
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

// Otherwise a worker that is full could not reach its channel again.
TEST_F(PoolLinkTest, LeavesTheLastDescriptorsFree) {
  keeps_ = true;
  std::vector<Fd> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(Connect(own_.port));
  const Fd lowest(dup(clients[0].get()));
  ASSERT_TRUE(lowest.valid());
  // The numbers from `lowest` + 1 on are free, and two of them are not in the reserve.
  int limit = lowest.get();
  while (limit - PoolLink::Reserve(limit) < lowest.get() + 3) ++limit;
  const OpenFilesLimit lowered(static_cast<rlim_t>(limit));
  TurnUntil(accepted_, 2);
  for (int i = 0; i < 5; ++i) Turn();
  link_->RetryAccepts();
  EXPECT_EQ(accepted_, 2);
  EXPECT_TRUE(Fd(dup(lowest.get())).valid());

  kept_.pop_back();
  link_->RetryAccepts();
  EXPECT_EQ(accepted_, 3);
  for (int i = 0; i < 5; ++i) Turn();
  EXPECT_EQ(accepted_, 3);
}

// A full worker pauses at each connection that comes when another one ends.
TEST_F(PoolLinkTest, ManyPausesWriteOneLine) {
  keeps_ = true;
  const LogCapture log;
  std::vector<Fd> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(Connect(own_.port));
  const Fd lowest(dup(clients[0].get()));
  ASSERT_TRUE(lowest.valid());
  int limit = lowest.get();
  while (limit - PoolLink::Reserve(limit) < lowest.get() + 3) ++limit;
  {
    const OpenFilesLimit lowered(static_cast<rlim_t>(limit));
    TurnUntil(accepted_, 2);
    for (int accepted = 3; accepted <= 8; ++accepted) {
      kept_.pop_back();
      link_->RetryAccepts();
      EXPECT_EQ(accepted_, accepted);
    }
  }
  EXPECT_EQ(log.Count(""), 1);
}

TEST_F(PoolLinkTest, ConnectionsOverTheRateWaitInTheKernel) {
  // So few a second that none comes back while the test runs.
  CreateLink({.per_second = 0.001, .burst = 3});
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(Connect(own_.port));
  TurnUntil(accepted_, 3);
  Turn();
  EXPECT_EQ(link_->accept_pauses(), 0u) << "as many as the rate allows";

  LendSocket(supervisor_.get(), 3, lent_.sockets[0].get());
  for (const uint16_t port : {own_.port, lent_.port}) clients.push_back(Connect(port));
  while (link_->accept_pauses() < 2) loop_->RunOnce(absl::Seconds(1));
  link_->RetryAccepts();
  for (int i = 0; i < 5; ++i) Turn();
  EXPECT_EQ(accepted_, 3) << "the rate is for all sockets together";
  EXPECT_EQ(link_->accept_pauses(), 2u) << "it does not look at them in between";
}

TEST_F(PoolLinkTest, ConnectionsThatWaitedForTheRateAreAcceptedLater) {
  CreateLink({.per_second = 100, .burst = 1});
  std::vector<Fd> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Connect(own_.port));
  while (accepted_ < 4) {
    loop_->RunOnce(absl::Milliseconds(5));
    link_->RetryAccepts();
  }
  EXPECT_GE(link_->accept_pauses(), 1u);
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
