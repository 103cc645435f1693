// What observes the services can neither end them nor hold them up: a log that nobody reads, whose
// reader is gone, or whose disk is full.

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;

enum class Fault { kClosedReader, kFullPipe, kFullDisk, kFileAtItsLimit };

// A log with a fault from the start, but a file reaches its limit in Apply.
class FaultyLog {
 public:
  explicit FaultyLog(Fault fault) : fault_(fault) {
    switch (fault) {
      case Fault::kClosedReader:
        MakePipe();
        close(std::exchange(reader_, -1));
        break;
      case Fault::kFullPipe:
        MakePipe();
        Fill();
        break;
      case Fault::kFullDisk:
        writer_ = open("/dev/full", O_WRONLY | O_CLOEXEC);
        break;
      case Fault::kFileAtItsLimit:
        writer_ = open(NewTempPath("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        break;
    }
    EXPECT_GE(writer_, 0);
  }
  ~FaultyLog() {
    close(writer_);
    if (reader_ >= 0) close(reader_);
  }
  FaultyLog(const FaultyLog&) = delete;
  FaultyLog& operator=(const FaultyLog&) = delete;

  int output() const { return writer_; }

  // For a process that writes to it, and its children.
  void Apply(const Process& process) const {
    if (fault_ != Fault::kFileAtItsLimit) return;
    std::vector<pid_t> pids = ChildrenOf(process.pid());
    pids.push_back(process.pid());
    const rlimit limit{.rlim_cur = 0, .rlim_max = 0};
    for (const pid_t pid : pids) EXPECT_EQ(prlimit(pid, RLIMIT_FSIZE, &limit, nullptr), 0);
  }

  // The bytes that are in the pipe, which is empty then.
  std::string Read() {
    std::string text;
    char buffer[4096];
    for (pollfd item{.fd = reader_, .events = POLLIN}; poll(&item, 1, 0) == 1;) {
      const ssize_t count = read(reader_, buffer, sizeof(buffer));
      if (count <= 0) break;
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }

 private:
  void MakePipe() {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader_ = ends[0];
    writer_ = ends[1];
  }

  void Fill() {
    fcntl(writer_, F_SETFL, O_NONBLOCK);
    while (write(writer_, "\n", 1) == 1) {
    }
    fcntl(writer_, F_SETFL, 0);
  }

  const Fault fault_;
  int reader_ = -1;
  int writer_ = -1;
};

// Waits until there are `count` workers, and none of `before`.
void WaitForSuccessors(const WebSocketService& service, const std::vector<pid_t>& before,
                       size_t count) {
  WaitUntil("the successors", [&] {
    const std::vector<pid_t> now = service.WorkerPids();
    return now.size() == count && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
             return std::find(before.begin(), before.end(), pid) != before.end();
           });
  });
}

// A message goes from one client to another, over new connections.
void ExpectService(const WebSocketService& service) {
  TestClient member(service.port(), Mode::kV1);
  member.Join("room");
  TestClient sender(service.port());
  sender.Send(R"({"cmd":"send_to_group","group_id":"room","message":"hello"})");
  EXPECT_EQ(member.NextEvent().Text("message"), "hello");
}

void ExpectDrain(TestClient* bare, TestClient* v1) {
  EXPECT_EQ(bare->WaitForEnd().close_code, 1001);
  const TestClient::End end = v1->WaitForEnd();
  EXPECT_EQ(end.close_code, 4000);
  ASSERT_EQ(end.texts.size(), 1u);
  EXPECT_THAT(end.texts[0], HasSubstr(R"("event":"closing")"));
}

class ObserversTest : public ::testing::TestWithParam<Fault> {
 protected:
  ObserversTest() {
    log_.Apply(channel_.process());
    log_.Apply(service_.process());
  }

  FaultyLog log_{GetParam()};
  ChannelServer channel_{{}, log_.output()};
  WebSocketService service_{channel_, 2, {"--stall_timeout=1s", "--drain_time=2s"}, log_.output()};
};

TEST_P(ObserversTest, WorkersThatDieOrStallAreReplaced) {
  const std::vector<pid_t> killed = service_.WorkerPids();
  for (const pid_t worker : killed) kill(worker, SIGKILL);
  WaitForSuccessors(service_, killed, 2);
  ExpectService(service_);
  const std::vector<pid_t> stalled = service_.WorkerPids();
  for (const pid_t worker : stalled) kill(worker, SIGSTOP);
  WaitForSuccessors(service_, stalled, 2);
  ExpectService(service_);
}

TEST_P(ObserversTest, TheChannelServerComesBack) {
  const std::vector<pid_t> workers = service_.WorkerPids();
  TestClient member(service_.port(), Mode::kV1);
  member.Join("room");
  channel_.Kill();
  channel_.StartAgain();
  log_.Apply(channel_.process());
  EXPECT_EQ(member.NextEvent().name(), "gap");  // it has forgotten everything
  ExpectService(service_);
  EXPECT_EQ(service_.WorkerPids(), workers);
}

TEST_P(ObserversTest, TheTableAndReloadsHoldNothingUp) {
  const std::vector<pid_t> before = service_.WorkerPids();
  service_.process().Signal(SIGUSR1);
  service_.process().Signal(SIGHUP);
  WaitForSuccessors(service_, before, 2);
  ExpectService(service_);
}

TEST_P(ObserversTest, ASignalStopsBothServicesInOrder) {
  TestClient bare(service_.port());
  TestClient v1(service_.port(), Mode::kV1);
  service_.process().Signal(SIGTERM);
  ExpectDrain(&bare, &v1);
  EXPECT_EQ(service_.process().WaitForEnd(), 0);
  channel_.process().Signal(SIGTERM);
  EXPECT_EQ(channel_.process().WaitForEnd(), 0);
}

INSTANTIATE_TEST_SUITE_P(ByFault, ObserversTest,
                         ::testing::Values(Fault::kClosedReader, Fault::kFullPipe, Fault::kFullDisk,
                                           Fault::kFileAtItsLimit),
                         [](const auto& info) {
                           switch (info.param) {
                             case Fault::kClosedReader:
                               return "ClosedReader";
                             case Fault::kFullPipe:
                               return "FullPipe";
                             case Fault::kFullDisk:
                               return "FullDisk";
                             case Fault::kFileAtItsLimit:
                               return "FileAtItsLimit";
                           }
                           return "";
                         });

TEST(FullPipeTest, AReloadWithoutReadableFlagsChangesNothing) {
  FaultyLog log(Fault::kFullPipe);
  const std::string flagfile = NewTempPath("flags");
  std::ofstream(flagfile) << "--ping_interval=5s\n";
  ChannelServer channel;
  WebSocketService service(channel, 1, {absl::StrCat("--flagfile=", flagfile)}, log.output());
  std::ofstream(flagfile) << "--no_such_flag=1\n";
  const std::vector<pid_t> workers = service.WorkerPids();
  service.process().Signal(SIGHUP);  // its line finds no room
  std::string text;
  WaitUntil("the reason is in the log", [&] {
    service.process().Signal(SIGHUP);
    text += log.Read();
    return absl::StrContains(text, "no_such_flag");
  });
  EXPECT_EQ(service.WorkerPids(), workers);
  ExpectService(service);
}

TEST(FullPipeTest, ALaterLineSaysHowManyAreMissing) {
  FaultyLog log(Fault::kFullPipe);
  ChannelServer channel({}, log.output());
  WebSocketService service(channel, 1, {}, log.output());
  channel.Kill();
  channel.StartAgain();
  ExpectService(service);  // its worker has had two lines to write
  log.Read();
  service.process().Signal(SIGUSR1);
  std::string text;
  const auto await = [&](const std::string& line) {
    WaitUntil(absl::StrCat("a line with ", line), [&] {
      text += log.Read();
      return absl::StrContains(text, line);
    });
  };
  await("numbers: kill -USR1");
  EXPECT_THAT(
      text, testing::ContainsRegex("W \\[websocket_service\\] [1-9][0-9]* lines are missing here"));
  // The others' next lines: the end of each.
  service.process().Signal(SIGTERM);
  await("[websocket_service worker 1] draining");
  EXPECT_THAT(text, testing::ContainsRegex(
                        "W \\[websocket_service worker 1\\] [1-9][0-9]* lines are missing here"));
  EXPECT_EQ(service.process().WaitForEnd(), 0);
  channel.process().Signal(SIGTERM);
  EXPECT_EQ(channel.process().WaitForEnd(), 0);
  await("[channel_server] Terminated:");
  EXPECT_THAT(text,
              testing::ContainsRegex("W \\[channel_server\\] [1-9][0-9]* lines are missing here"));
}

// SERVICE 2>&1 | tee LOG, as a group of its own. Its exit code is the service's.
std::unique_ptr<Process> StartWithTee(const std::string& binary, const Flags& flags) {
  Flags words = {"-c",
                 R"(trap : INT
                    setpriv --pdeathsig KILL "$@" 2>&1 | tee "$0" > /dev/null
                    exit ${PIPESTATUS[0]})",
                 NewTempPath("tee.log"), binary};
  words.insert(words.end(), flags.begin(), flags.end());
  return std::make_unique<Process>("/bin/bash", words);
}

// A terminal sends SIGINT to the whole group. It ends tee at once, so nobody reads the last lines.
TEST(CtrlCTest, EndsAPipelineInOrder) {
  const std::string ready_file = NewTempPath("ready");
  const std::string channel_ready_file = NewTempPath("ready");
  const std::unique_ptr<Process> channel = StartWithTee(
      kChannelServerBinary, {"--port=0", absl::StrCat("--ready_file=", channel_ready_file)});
  const uint16_t channel_port = WaitForReady(channel.get(), channel_ready_file);
  const std::unique_ptr<Process> service =
      StartWithTee(kWebSocketServiceBinary, {"--port=0", "--workers=2", "--drain_time=2s",
                                             absl::StrCat("--ready_file=", ready_file),
                                             absl::StrCat("--channel=127.0.0.1:", channel_port)});
  const uint16_t port = WaitForReady(service.get(), ready_file);
  TestClient bare(port);
  TestClient v1(port, Mode::kV1);

  service->SignalGroup(SIGINT);
  ExpectDrain(&bare, &v1);
  EXPECT_EQ(service->WaitForEnd(), 0);
  channel->SignalGroup(SIGINT);
  EXPECT_EQ(channel->WaitForEnd(), 0);
}

}  // namespace
}  // namespace groupcast::tests
