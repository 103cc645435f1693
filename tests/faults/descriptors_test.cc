// A channel server without free file descriptors serves the workers that it has, costs nothing, and
// takes new ones as soon as it can.

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

// The limit of open files, the part of it that connections may use, and more strangers than that.
constexpr int kLimit = 200;
constexpr int kForConnections = kLimit - kLimit / 4;
constexpr int kStrangers = 240;

int OpenDescriptors(pid_t pid) {
  const std::filesystem::directory_iterator all(absl::StrCat("/proc/", pid, "/fd"));
  return static_cast<int>(std::distance(begin(all), end(all)));
}

// The time that all threads of the process have taken of the processor.
absl::Duration CpuTime(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << file.rdbuf();
  // After the name, which is in parentheses, utime and stime are the fields 12 and 13 (proc(5)).
  std::istringstream fields(text.str().substr(text.str().rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  int64_t user = 0;
  int64_t system = 0;
  fields >> user >> system;
  return absl::Seconds(1) * static_cast<double>(user + system) /
         static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Connects to a Unix socket, and waits until the server has closed the connection.
void ConnectUnix(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  WaitUntil("the connection is cut", [fd] {
    char buffer[256];
    const ssize_t count = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    return count == 0 || (count < 0 && errno != EAGAIN);
  });
  close(fd);
}

void ExpectDelivered(TestClient* member, absl::string_view text) {
  member->Send(SendToGroup("\"room\"", Quoted(text)));
  EXPECT_EQ(member->NextEvent().Text("message"), text);
}

TEST(DescriptorsTest, AChannelServerWithoutDescriptorsServesOnAndDoesNotSpin) {
  const std::string data_dir = NewTempPath("data");
  std::string socket_dir = "/tmp/groupcast.XXXXXX";  // short, as the path of a Unix socket must be
  ASSERT_NE(mkdtemp(socket_dir.data()), nullptr);
  ChannelServer channel(
      {absl::StrCat("--data_dir=", data_dir), absl::StrCat("--socket_dir=", socket_dir)});
  const pid_t pid = channel.process().pid();
  WebSocketService service(channel, 1);
  TestClient member(service.port(), Mode::kV1);
  member.Join("room");

  const rlimit open_files{kLimit, kLimit};
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &open_files, nullptr), 0);
  std::vector<RawClient> strangers;
  for (int i = 0; i < kStrangers; ++i) {
    strangers.emplace_back(static_cast<uint16_t>(channel.port() + i % 3));
  }
  WaitUntil("the channel server has no descriptor for connections",
            [&] { return OpenDescriptors(pid) >= kForConnections; });

  const absl::Duration before = CpuTime(pid);
  EXPECT_EQ(member.NextTextWithin(absl::Seconds(1)), std::nullopt);
  const absl::Duration taken = CpuTime(pid) - before;
  RecordProperty("cpu_ms_in_a_second", static_cast<int>(absl::ToInt64Milliseconds(taken)));
  EXPECT_LT(taken, absl::Milliseconds(200));
  channel.process().WaitForOutput("out of file descriptors");
  WaitUntil("strangers over the limit are cut", [&] {
    return kStrangers - kForConnections <=
           std::count_if(strangers.begin(), strangers.end(), [](auto& peer) {
             peer.ReadAvailable();
             return peer.state() != RawClient::State::kOpen;
           });
  });
  ConnectUnix(socket_dir + "/publish");
  ExpectDelivered(&member, "while the server is full");

  // The log needs descriptors too.
  std::filesystem::remove_all(data_dir);
  std::filesystem::create_directory(data_dir);
  channel.process().WaitForOutput("the log begins anew there");
  ExpectDelivered(&member, "after the log began anew");

  strangers.clear();
  WebSocketService later(channel, 1);
  TestClient other(later.port(), Mode::kV1);
  other.Join("room");
  ExpectDelivered(&member, "when the strangers have left");
  EXPECT_EQ(other.NextEvent().Text("message"), "when the strangers have left");
  std::filesystem::remove_all(socket_dir);
}

}  // namespace
}  // namespace groupcast::tests
