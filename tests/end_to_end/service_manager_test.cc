// What a service manager hears of each service (sd_notify(3)): that it can be used, reloads, stops
// and lives.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// What systemd gives to a service with a watchdog: the service shows a sign of life twice as often.
constexpr char kWatchdogMicroseconds[] = "100000";

// A service manager's socket. What it gets carries the sender's pid, which the kernel vouches for.
class FakeManager {
 public:
  struct Message {
    pid_t from = 0;
    std::string text;
  };

  explicit FakeManager(bool is_abstract) {
    if (is_abstract) {
      name_ = absl::StrCat("@groupcast_service_manager_", getpid());
    } else {
      // Not in the test's own directory, whose path may be too long for a socket.
      char directory[] = "/tmp/groupcast_service_manager_XXXXXX";
      if (mkdtemp(directory) == nullptr) throw Failure("no directory for the socket");
      directory_ = directory;
      name_ = absl::StrCat(directory_, "/notify");
    }
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    name_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (is_abstract) address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), bytes) != 0) {
      throw Failure(strerror(errno));
    }
    setenv("NOTIFY_SOCKET", name_.c_str(), 1);
    setenv("WATCHDOG_USEC", kWatchdogMicroseconds, 1);
  }
  ~FakeManager() {
    StopManaging();
    close(socket_);
    if (directory_.empty()) return;
    unlink(name_.c_str());
    rmdir(directory_.c_str());
  }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;

  // Processes that start from now on have no manager.
  static void StopManaging() {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
  }

  // What has come since the last call.
  std::vector<Message> Read() {
    std::vector<Message> messages;
    char text[4096];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
    for (;;) {
      iovec part{.iov_base = text, .iov_len = sizeof(text)};
      msghdr head{.msg_iov = &part,
                  .msg_iovlen = 1,
                  .msg_control = control,
                  .msg_controllen = sizeof(control)};
      const ssize_t count = recvmsg(socket_, &head, 0);
      if (count < 0) return messages;
      ucred sender{};
      if (const cmsghdr* const credentials = CMSG_FIRSTHDR(&head)) {
        std::memcpy(&sender, CMSG_DATA(credentials), sizeof(sender));
      }
      messages.push_back({sender.pid, std::string(text, static_cast<size_t>(count))});
    }
  }

 private:
  std::string directory_;
  std::string name_;
  const int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
};

int64_t MonotonicMicroseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::ToUnixMicros(absl::TimeFromTimespec(now));
}

// The state of a process, as in /proc: R, S, T, …
char StateOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  const size_t name_end = stat.rfind(')');
  return name_end == std::string::npos ? '-' : stat[name_end + 2];
}

// The inodes of a process's Unix datagram sockets.
std::set<std::string> DatagramSocketsOf(pid_t pid) {
  std::set<std::string> open;
  for (int fd = 0; fd < 256; ++fd) {
    char target[64];
    const ssize_t count =
        readlink(absl::StrCat("/proc/", pid, "/fd/", fd).c_str(), target, sizeof(target));
    absl::string_view inode(target, static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (absl::ConsumePrefix(&inode, "socket:[") && absl::ConsumeSuffix(&inode, "]")) {
      open.emplace(inode);
    }
  }
  std::set<std::string> found;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    // Num RefCount Protocol Flags Type St Inode Path
    const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    if (fields.size() >= 7 && fields[4] == "0002" && open.count(fields[6]) > 0) {
      found.insert(fields[6]);
    }
  }
  return found;
}

class ServiceManagerTest : public ::testing::TestWithParam<std::tuple<const char*, bool>> {
 protected:
  using Message = FakeManager::Message;

  static bool IsPool() { return std::get<0>(GetParam()) != absl::string_view("channel_server"); }
  static bool IsGateway() { return std::get<0>(GetParam()) == absl::string_view("http_gateway"); }

  // Starts the service under the manager. The front ends use `channel_`.
  void Start() {
    Flags flags = {"--port=0", "--ready_file=" + ready_file_, "--flagfile=" + flagfile_};
    std::string binary = kChannelServerBinary;
    if (IsPool()) {
      binary = IsGateway() ? kHttpGatewayBinary : kWebSocketServiceBinary;
      flags.push_back("--workers=2");
      flags.push_back(absl::StrCat("--channel=127.0.0.1:", channel_->port()));
    } else {
      flags.push_back("--data_dir=" + NewTempPath("data"));
    }
    service_ = std::make_unique<Process>(binary, flags);
  }

  // Waits for a message of the service that begins with `text`, and takes all up to it. Nothing of
  // the service may begin with `not_before` before it.
  std::string Await(const std::string& text, const std::string& not_before = "-") {
    std::string found;
    WaitUntil(absl::StrCat("the message ", text), [&] {
      for (Message& message : manager_.Read()) messages_.push_back(std::move(message));
      while (found.empty() && !messages_.empty()) {
        const Message message = messages_.front();
        messages_.erase(messages_.begin());
        // Not a worker: the manager would not believe it.
        EXPECT_EQ(message.from, service_->pid()) << message.text;
        EXPECT_THAT(message.text, ::testing::Not(StartsWith(not_before)));
        if (absl::StartsWith(message.text, text)) found = message.text;
      }
      return !found.empty();
    });
    return found;
  }

  // One use of the service, by a new client.
  void Use() {
    const uint16_t port = WaitForReady(service_.get(), ready_file_);
    if (IsGateway()) {
      EXPECT_EQ(HttpClient(port).Get("/v1/groups/room/messages").status, 200);
    } else if (IsPool()) {
      TestClient client(port);
      client.Join("room");
      client.Send(SendToGroup("\"room\"", "\"hello\""));
      EXPECT_EQ(client.NextText(), "hello");
    } else {
      for (const int link : {0, 1, 2}) RawClient(static_cast<uint16_t>(port + link));
    }
  }

  void WriteFlags(const std::string& text) { std::ofstream(flagfile_) << text << std::endl; }

  const std::unique_ptr<ChannelServer> channel_ =
      IsPool() ? std::make_unique<ChannelServer>() : nullptr;
  const std::string ready_file_ = NewTempPath("ready");
  const std::string flagfile_ = [] {
    std::string path = NewTempPath("flags");
    std::ofstream(path) << "--log_level=info" << std::endl;
    return path;
  }();
  FakeManager manager_{std::get<1>(GetParam())};
  std::unique_ptr<Process> service_;
  std::vector<Message> messages_;
};

TEST_P(ServiceManagerTest, ReadyComesWhenTheServiceCanBeUsed) {
  if (IsPool()) channel_->Kill();
  Start();
  if (IsPool()) {
    EXPECT_THAT(Await("STATUS=waiting", /*not_before=*/"READY=1"),
                HasSubstr("the channel server at"));
    FakeManager::StopManaging();
    channel_->StartAgain();
  } else {
    Await("STATUS=reading the data directory", /*not_before=*/"READY=1");
  }
  EXPECT_EQ(Await("READY=1"), "READY=1\nSTATUS=ready");
  Use();
}

TEST_P(ServiceManagerTest, AReloadHasABeginAndAnEnd) {
  Start();
  Await("READY=1");
  const std::vector<pid_t> before = WorkersOf(service_->pid());
  const int64_t earliest = MonotonicMicroseconds();
  service_->Signal(SIGHUP);
  const std::string begin = Await("RELOADING=1\nMONOTONIC_USEC=", /*not_before=*/"READY=1");
  const std::vector<std::string> lines = absl::StrSplit(begin, '\n');
  int64_t microseconds = 0;
  ASSERT_TRUE(absl::SimpleAtoi(absl::StripPrefix(lines[1], "MONOTONIC_USEC="), &microseconds));
  EXPECT_GE(microseconds, earliest);
  EXPECT_LE(microseconds, MonotonicMicroseconds());
  EXPECT_THAT(Await("READY=1"), HasSubstr("the configuration of the last reload"));
  if (IsPool()) {
    // The new workers are there, and the old ones may still drain.
    const std::vector<pid_t> now = WorkersOf(service_->pid());
    EXPECT_EQ(std::count_if(now.begin(), now.end(),
                            [&](pid_t pid) {
                              return std::find(before.begin(), before.end(), pid) == before.end();
                            }),
              static_cast<int64_t>(before.size()));
  }
  Use();
}

TEST_P(ServiceManagerTest, AReloadThatFailsEndsWithItsReason) {
  Start();
  Await("READY=1");
  WriteFlags("--log_level=loud");
  service_->Signal(SIGHUP);
  Await("RELOADING=1\nMONOTONIC_USEC=", /*not_before=*/"READY=1");
  EXPECT_THAT(Await("READY=1"), HasSubstr("log level \"loud\" is not trace"));
  Use();
}

TEST_P(ServiceManagerTest, TheEndIsTold) {
  Start();
  Await("READY=1");
  service_->Signal(SIGTERM);
  Await("STOPPING=1\nSTATUS=");
  EXPECT_EQ(service_->WaitForEnd(), 0);
}

TEST_P(ServiceManagerTest, SignsOfLifeComeFromALoopThatTurns) {
  Start();
  Await("READY=1");
  for (int i = 0; i < 3; ++i) Await("WATCHDOG=1");
  // Another service shows how much time has passed.
  ChannelServer neighbour;
  service_->Signal(SIGSTOP);
  WaitUntil("the service stands still", [&] { return StateOf(service_->pid()) == 'T'; });
  manager_.Read();
  int of_neighbour = 0;
  WaitUntil("5 signs of life of the neighbour", [&] {
    for (const Message& message : manager_.Read()) {
      EXPECT_NE(message.from, service_->pid()) << message.text;
      if (message.from == neighbour.process().pid()) ++of_neighbour;
    }
    return of_neighbour >= 5;
  });
  service_->Signal(SIGCONT);
  WaitUntil("the service lives again", [&] {
    const std::vector<Message> now = manager_.Read();
    return std::any_of(now.begin(), now.end(), [&](const Message& message) {
      return message.from == service_->pid() && message.text == "WATCHDOG=1";
    });
  });
}

TEST_P(ServiceManagerTest, WorkersCannotReachTheManager) {
  if (!IsPool()) GTEST_SKIP() << "the channel server is one process";
  Start();
  Await("READY=1");
  EXPECT_FALSE(DatagramSocketsOf(service_->pid()).empty());
  const std::vector<pid_t> workers = ChildrenOf(service_->pid());
  EXPECT_GE(workers.size(), 2u);
  for (const pid_t worker : workers) EXPECT_TRUE(DatagramSocketsOf(worker).empty()) << worker;
}

INSTANTIATE_TEST_SUITE_P(Services, ServiceManagerTest,
                         ::testing::Combine(::testing::Values("channel_server", "websocket_service",
                                                              "http_gateway"),
                                            ::testing::Bool()),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param),
                                               std::get<1>(info.param) ? "_abstract" : "_path");
                         });

}  // namespace
}  // namespace groupcast::tests
