#include "services/channel/testing/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <utility>

#include "gtest/gtest.h"

namespace groupcast::service::testing {
namespace {

// What a stalled connection swallows is to be little and known, whatever the system's defaults are.
constexpr int kSocketBufferBytes = 32 * 1024;
constexpr size_t kPipeBytesMax = 16 * 1024;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

Fd MakeSocket(int flags) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  EXPECT_TRUE(fd.valid()) << ErrnoStatus("socket");
  for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
    setsockopt(fd.get(), SOL_SOCKET, option, &kSocketBufferBytes, sizeof(kSocketBufferBytes));
  }
  return fd;
}

void CloseWithReset(Fd* fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd->get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  fd->Reset();
}

}  // namespace

Relay::Relay(uint16_t target_port)
    : target_port_(target_port),
      listener_(MakeSocket(SOCK_NONBLOCK)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_.get(), SOMAXCONN), 0);
  EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

Relay::~Relay() {
  Do([this] { ends_ = true; });
  thread_.join();
}

void Relay::SetAccepting(bool accepting) {
  Do([=, this] { accepting_ = accepting; });
}

void Relay::SetPassing(bool to_target, bool from_target) {
  Do([=, this] {
    to_target_ = to_target;
    from_target_ = from_target;
  });
}

void Relay::Reset() {
  Do([this] {
    for (Connection& connection : connections_) {
      CloseWithReset(&connection.client);
      CloseWithReset(&connection.target);
    }
    connections_.clear();
  });
}

void Relay::Do(std::function<void()> work) {
  std::packaged_task<void()> task(std::move(work));
  std::future<void> done = task.get_future();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_.push_back(std::move(task));
  }
  eventfd_write(wake_.get(), 1);
  done.wait();
}

void Relay::Run() {
  while (!ends_) {
    std::vector<pollfd> polled = {
        {.fd = wake_.get(), .events = POLLIN, .revents = 0},
        {.fd = listener_.get(), .events = static_cast<short>(accepting_ ? POLLIN : 0)}};
    for (const Connection& connection : connections_) {
      pollfd client{.fd = connection.client.get()};
      pollfd target{.fd = connection.target.get()};
      const auto watch = [](bool passing, const Pipe& pipe, pollfd* from, pollfd* to) {
        if (passing) (pipe.empty() ? from : to)->events |= pipe.empty() ? POLLIN : POLLOUT;
      };
      watch(to_target_, connection.to_target, &client, &target);
      watch(from_target_, connection.from_target, &target, &client);
      for (pollfd& side : {std::ref(client), std::ref(target)}) {
        // Otherwise poll would report an ended side again and again.
        if (side.events == 0) side.fd = -1;
        polled.push_back(side);
      }
    }
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) {
      ADD_FAILURE() << ErrnoStatus("poll");
      return;
    }
    std::erase_if(connections_, [this](Connection& connection) {
      const int client = connection.client.get();
      const int target = connection.target.get();
      return !Pump(client, target, to_target_, &connection.to_target) ||
             !Pump(target, client, from_target_, &connection.from_target);
    });
    if (accepting_) Accept();

    eventfd_t ignored = 0;
    eventfd_read(wake_.get(), &ignored);
    std::vector<std::packaged_task<void()>> work;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      work.swap(work_);
    }
    for (std::packaged_task<void()>& task : work) task();
  }
}

void Relay::Accept() {
  for (;;) {
    Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) return;
    Connection connection{.client = std::move(client), .target = MakeSocket(0)};
    const sockaddr_in address = Loopback(target_port_);
    // On this machine it is answered at once; if nobody listens, the client is refused too.
    if (connect(connection.target.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == 0) {
      connections_.push_back(std::move(connection));
    }
  }
}

bool Relay::Pump(int from, int to, bool passing, Pipe* pipe) {
  if (!passing) return true;
  for (;;) {
    while (!pipe->empty()) {
      const ssize_t sent = send(to, pipe->data(), pipe->size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      pipe->erase(pipe->begin(), pipe->begin() + sent);
    }
    pipe->resize(kPipeBytesMax);
    const ssize_t received = recv(from, pipe->data(), pipe->size(), MSG_DONTWAIT);
    pipe->resize(received > 0 ? static_cast<size_t>(received) : 0);
    if (received == 0) return false;
    if (received < 0) return errno == EAGAIN;
  }
}

}  // namespace groupcast::service::testing
