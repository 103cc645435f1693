// The program foreign_server, as ServerProcess starts it. The port is the test's own; what it runs
// is a shell that makes processes: one of its own, and one that has lost its parent and its
// session.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/posix.h"
#include "tools/bench_load/server_process.h"

namespace groupcast::bench {
namespace {

std::string ForeignServer() {
  return std::string(std::getenv("TEST_SRCDIR")) + "/" + std::getenv("TEST_WORKSPACE") +
         "/tools/bench_load/foreign_server";
}

// A port on which this process listens.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_.get(), generic, size), 0);
    EXPECT_EQ(listen(fd_.get(), 10), 0);
    EXPECT_EQ(getsockname(fd_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  uint16_t port() const { return port_; }

 private:
  service::Fd fd_;
  uint16_t port_ = 0;
};

class ForeignServerTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::string(std::getenv("TEST_TMPDIR")) + "/" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(directory_);
    EXPECT_EQ(mkfifo((directory_ + "/pids").c_str(), 0600), 0);
    // What loses its parent comes to us, so that its end can be waited for.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }

  auto Start(const std::string& script) {
    return ServerProcess::StartForeign(ForeignServer(), listener_.port(), directory_, "foreign",
                                       {"/bin/bash", "-c", script, directory_});
  }

  // The three process ids that the script writes into a pipe, waited for. To be called once.
  std::vector<pid_t> Pids() const {
    std::ifstream pipe(directory_ + "/pids");
    std::vector<pid_t> pids;
    for (pid_t pid; pipe >> pid;) pids.push_back(pid);
    EXPECT_EQ(pids.size(), 3u);
    pids.resize(3, -1);
    return pids;
  }

  static constexpr char kMakesProcesses[] = R"(
    sleep 1000 &
    pids="$! $(setsid sleep 1000 >&- 2>&- & echo $!) $$"
    echo "$pids" >"$0/pids"
    exec sleep 1000)";

  Listener listener_;
  std::string directory_;
};

TEST_F(ForeignServerTest, IsNoPartOfTheServerThatItStarts) {
  const auto server = Start(kMakesProcesses);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->port(), listener_.port());
  EXPECT_EQ((*server)->pid(), Pids()[2]);
}

TEST_F(ForeignServerTest, LeavesNoProcessBehind) {
  std::vector<pid_t> pids;
  {
    const auto server = Start(kMakesProcesses);
    ASSERT_TRUE(server.ok()) << server.status();
    pids = Pids();
  }
  for (const pid_t pid : pids) EXPECT_NE(kill(pid, 0), 0) << pid;
}

TEST_F(ForeignServerTest, EndsWithAllProcessesWhenItsParentIsKilled) {
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto server = Start(kMakesProcesses);
    if (!server.ok()) _exit(1);
    for (;;) pause();
  }
  const std::vector<pid_t> pids = Pids();
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  // Its processes, and foreign_server itself. This waits for ever if one of them goes on.
  while (waitpid(-1, nullptr, 0) > 0) {
  }
  EXPECT_EQ(errno, ECHILD);
  for (const pid_t pid : pids) EXPECT_NE(kill(pid, 0), 0) << pid;
}

TEST_F(ForeignServerTest, SaysWhyTheServerEnded) {
  const auto server = ServerProcess::StartForeign(ForeignServer(), 1, directory_, "foreign",
                                                  {"/bin/bash", "-c", "echo 'no luck'; exit 3"});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(std::string(server.status().message()).find("no luck"), std::string::npos)
      << server.status();
}

TEST_F(ForeignServerTest, SaysThatAProgramIsNotThere) {
  const auto server =
      ServerProcess::StartForeign(ForeignServer(), 1, directory_, "foreign", {"/no/such/program"});
  ASSERT_FALSE(server.ok());
  EXPECT_NE(std::string(server.status().message()).find("/no/such/program: No such file"),
            std::string::npos)
      << server.status();
}

}  // namespace
}  // namespace groupcast::bench
