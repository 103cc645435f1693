#include "services/channel_server/descriptor_reserve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

constexpr size_t kRoom = 5;        // the connections that find room
constexpr size_t kStrangers = 60;  // more than the room and the reserve

// The number that the next descriptor gets.
int LowestFree() { return Fd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)).get(); }

struct Client {
  Fd fd;
  size_t received = 0;
  bool is_cut = false;

  void Read() {
    char buffer[256];
    ssize_t count;
    while ((count = recv(fd.get(), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) received += count;
    is_cut = is_cut || count == 0 || (errno != EAGAIN && errno != EINTR);
  }
};

// The value says whether the clients come over a Unix socket or TCP. Their sockets exist before the
// limit, because they are in the same process.
class DescriptorReserveTest : public ::testing::TestWithParam<bool> {
 protected:
  DescriptorReserveTest() {
    getrlimit(RLIMIT_NOFILE, &old_limit_);
    if (GetParam()) {
      std::string directory = absl::StrCat(::testing::TempDir(), "/reserve.XXXXXX");
      directory = mkdtemp(directory.data());
      auto* address = reinterpret_cast<sockaddr_un*>(&address_);
      address->sun_family = AF_UNIX;
      // Without the directory, the path could be longer than a Unix socket's may be.
      if (chdir(directory.c_str()) != 0) throw std::runtime_error("chdir");
      strcpy(address->sun_path, "socket");
      address_bytes_ = sizeof(sockaddr_un);
      router_.bind("ipc://socket");
    } else {
      router_.bind("tcp://127.0.0.1:*");
      const std::string endpoint = router_.get(zmq::sockopt::last_endpoint);
      auto* address = reinterpret_cast<sockaddr_in*>(&address_);
      address->sin_family = AF_INET;
      address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address->sin_port =
          htons(static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
      address_bytes_ = sizeof(sockaddr_in);
    }
    zmq::socket_t* const sockets[] = {&router_};
    EXPECT_TRUE(reserve_.Watch(&context_, sockets).ok());
    for (Client& client : strangers_) client.fd = NewSocket();
    late_.fd = NewSocket();
    // The numbers below `first_reserved_` are in use, but for the room.
    first_reserved_ = LowestFree() + static_cast<int>(kRoom);
    int limit = first_reserved_;
    while (limit - DescriptorReserve::Size(limit) < first_reserved_) ++limit;
    SetLimit(limit);
  }
  ~DescriptorReserveTest() override { setrlimit(RLIMIT_NOFILE, &old_limit_); }

  Fd NewSocket() {
    return Fd(socket(GetParam() ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  void SetLimit(int limit) {
    limit_ = limit;
    const rlimit new_limit{static_cast<rlim_t>(limit), old_limit_.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &new_limit), 0);
  }
  void Connect(const Client& client) {
    ASSERT_EQ(connect(client.fd.get(), reinterpret_cast<sockaddr*>(&address_), address_bytes_), 0);
  }
  size_t CutStrangers() {
    for (Client& client : strangers_) client.Read();
    return static_cast<size_t>(std::count_if(strangers_.begin(), strangers_.end(),
                                             [](const Client& client) { return client.is_cut; }));
  }
  void StepUntil(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!condition()) {
      if (absl::Now() > deadline) throw std::runtime_error("the condition does not come");
      pollfd watch{.fd = reserve_.descriptors().front(), .events = POLLIN, .revents = 0};
      if (has_more_ || poll(&watch, 1, 5) > 0) has_more_ = reserve_.Step(absl::Now());
    }
  }
  // One after another, so that the reserve is always large enough.
  void ConnectStrangers() {
    for (Client& client : strangers_) {
      Connect(client);
      StepUntil([this, &client] {
        client.Read();
        const bool is_accepted = client.is_cut || client.received > 0;  // ZeroMQ's greeting
        return is_accepted && LowestFree() <= limit_ - DescriptorReserve::Size(limit_);
      });
    }
  }
  // No number below the reserve is free, and none of the reserve is in use.
  bool IsFull() const { return LowestFree() == first_reserved_; }

  rlimit old_limit_{};
  int limit_ = 0;
  int first_reserved_ = 0;
  sockaddr_storage address_{};
  socklen_t address_bytes_ = 0;
  zmq::context_t context_;
  zmq::socket_t router_{context_, zmq::socket_type::router};
  DescriptorReserve reserve_;
  bool has_more_ = true;
  std::vector<Client> strangers_{kStrangers};
  Client late_;
};

TEST_P(DescriptorReserveTest, CutsConnectionsThatGetTheLastDescriptors) {
  ConnectStrangers();
  StepUntil([&] { return CutStrangers() == kStrangers - kRoom && IsFull(); });
  for (size_t i = 0; i < kStrangers; ++i) EXPECT_EQ(strangers_[i].is_cut, i >= kRoom) << i;
}

TEST_P(DescriptorReserveTest, TakesConnectionsAgainWhenDescriptorsAreFree) {
  ConnectStrangers();
  StepUntil([&] { return CutStrangers() == kStrangers - kRoom && IsFull(); });
  // The client's own number stays in use.
  shutdown(strangers_.front().fd.get(), SHUT_RDWR);
  StepUntil([&] { return LowestFree() < first_reserved_; });
  Connect(late_);
  StepUntil([&] {
    late_.Read();
    return late_.received > 0 && IsFull();
  });
  EXPECT_FALSE(late_.is_cut);
}

TEST_P(DescriptorReserveTest, FollowsALimitThatChanges) {
  SetLimit(limit_ + 2 * static_cast<int>(kStrangers));
  ConnectStrangers();
  EXPECT_EQ(CutStrangers(), 0u);
}

TEST(DescriptorReserveSizeTest, IsAQuarterOfASmallLimit) {
  EXPECT_EQ(DescriptorReserve::Size(1'024), 256);
  EXPECT_EQ(DescriptorReserve::Size(1 << 20), 3'072);
}

INSTANTIATE_TEST_SUITE_P(Links, DescriptorReserveTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Unix" : "Tcp"; });

}  // namespace
}  // namespace groupcast::service
