// A supervisor with real children. Each runs in a process of its own, because it forks and takes
// its process's signals; what its workers do comes back through a pipe.

#include "services/process/supervisor.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/listener.h"
#include "services/process/shared_slot.h"
#include "services/process/socket_loan.h"

namespace groupcast::service {
namespace {

using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

Listeners Open(int count) {
  absl::StatusOr<Listeners> listeners = OpenListeners("127.0.0.1", 0, count);
  EXPECT_TRUE(listeners.ok()) << listeners.status();
  return *std::move(listeners);
}

// What a worker says is one write of one line, which a pipe keeps whole.
void Say(int pipe, const std::string& what) {
  const std::string line = what + "\n";
  if (write(pipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(1);
}

// A worker that is ready at once and serves nobody, until SIGTERM.
int ServeNobody(int pipe, const std::string& name, const WorkerKind::Parts& parts) {
  const std::string self = absl::StrCat(name, " ", parts.number);
  parts.slot->counters[0] = static_cast<uint64_t>(parts.number);
  parts.slot->state = SharedSlot::State::kReady;
  Say(pipe, absl::StrCat("started ", self, " ", getpid()));
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  const timespec turn{.tv_nsec = 10'000'000};
  while (sigtimedwait(&term, nullptr, &turn) != SIGTERM) {
    parts.slot->heartbeat_ms = absl::ToUnixMillis(MonotonicClock().Now());
  }
  parts.slot->state = SharedSlot::State::kDraining;
  Say(pipe, absl::StrCat("drained ", self));
  return 0;
}

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    output_.reset(fdopen(ends[0], "r"));
    pipe_ = Fd(ends[1]);
  }
  ~SupervisorTest() override {
    if (supervisor_ > 0) kill(supervisor_, SIGKILL);  // its workers die with it
  }

  WorkerKind Kind(const std::string& name, int workers) {
    return {.name = name,
            .listeners = Open(workers),
            .main = [name, pipe = pipe_.get()](
                        const WorkerKind::Parts& parts) { return ServeNobody(pipe, name, parts); },
            .counters = {{"number", 8}}};
  }

  void Start(std::vector<WorkerKind> kinds, Supervisor::Reload reload = {}) {
    supervisor_ = fork();
    ASSERT_GE(supervisor_, 0);
    if (supervisor_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      SupervisorOptions options{
          .service = "test", .waits_for = waits_for_, .drain_time = drain_time_};
      options.when_ready = [pipe = pipe_.get(), said = false](absl::Time) mutable {
        if (!std::exchange(said, true)) Say(pipe, "ready");
      };
      absl::StatusOr<std::unique_ptr<Supervisor>> supervisor =
          Supervisor::Create(std::move(options), std::move(kinds), std::move(reload));
      const absl::Status status = supervisor.ok() ? (*supervisor)->Run() : supervisor.status();
      _exit(status.ok() ? 0 : absl::IsFailedPrecondition(status) ? 2 : 1);
    }
    pipe_.Reset();
  }

  // Waits for the next line. Empty: the pipe has ended.
  std::string ReadLine() {
    char line[128];
    if (fgets(line, sizeof(line), output_.get()) == nullptr) return "";
    return std::string(line, strlen(line) - 1);
  }

  // Waits for `count` lines and returns what follows `word` in each; a line that does not begin
  // with it fails the test. Fewer: the pipe has ended.
  std::vector<std::string> Await(size_t count, const std::string& word) {
    std::vector<std::string> rests;
    while (rests.size() < count) {
      const std::string line = ReadLine();
      if (line.empty()) break;
      const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
      EXPECT_EQ(parts[0], word) << line;
      rests.push_back(parts.size() > 1 ? parts[1] : "");
    }
    return rests;
  }

  // The pids of workers that have started, by their names.
  std::map<std::string, pid_t> AwaitStarts(size_t count) {
    std::map<std::string, pid_t> pids;
    for (const std::string& start : Await(count, "started")) {
      const std::vector<std::string> parts = absl::StrSplit(start, ' ');
      pids[absl::StrCat(parts[0], " ", parts[1])] = std::stoi(parts[2]);
    }
    return pids;
  }

  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(supervisor_, &status, 0), supervisor_);
    supervisor_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  struct Close {
    void operator()(FILE* file) const { fclose(file); }
  };
  std::unique_ptr<FILE, Close> output_;
  Fd pipe_;
  pid_t supervisor_ = 0;
  std::function<std::string()> waits_for_ = [] { return "nothing"; };
  std::function<absl::Duration()> drain_time_ = [] { return absl::Seconds(5); };
};

std::vector<std::string> Names(const std::map<std::string, pid_t>& pids) {
  std::vector<std::string> names;
  for (const auto& [name, pid] : pids) names.push_back(name);
  return names;
}

TEST_F(SupervisorTest, WorkersOfTwoKindsStartAreReplacedByTheirOwnKindAndDrain) {
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 2));
  kinds.push_back(Kind("http", 1));
  Start(std::move(kinds));
  std::map<std::string, pid_t> pids = AwaitStarts(3);
  EXPECT_THAT(Names(pids), UnorderedElementsAre("websocket 1", "websocket 2", "http 1"));
  EXPECT_EQ(Await(1, "ready").size(), 1u);

  for (const std::string name : {"websocket 2", "http 1"}) {
    const pid_t killed = pids[name];
    ASSERT_GT(killed, 0);
    kill(killed, SIGKILL);
    const std::map<std::string, pid_t> successor = AwaitStarts(1);
    EXPECT_THAT(Names(successor), UnorderedElementsAre(name));
    EXPECT_NE(successor.begin()->second, killed);
  }

  kill(supervisor_, SIGTERM);
  EXPECT_THAT(Await(3, "drained"), UnorderedElementsAre("websocket 1", "websocket 2", "http 1"));
  EXPECT_THAT(Await(1, "nothing more"), IsEmpty());  // no process is left that holds the pipe
  EXPECT_EQ(ExitCode(), 0);
}

// Tells when it sees that a worker was replaced, and that its counter is still there.
int Observe(int pipe, const WorkerKind::Parts& parts) {
  parts.slot->state = SharedSlot::State::kReady;
  Say(pipe, "started observer 1 0");
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  const timespec turn{.tv_nsec = 10'000'000};
  bool seen = false;
  while (sigtimedwait(&term, nullptr, &turn) != SIGTERM) {
    parts.slot->heartbeat_ms = absl::ToUnixMillis(MonotonicClock().Now());
    const PoolMemory::Place place = parts.pool->memory->Read().places[0];
    if (seen || place.restarts != 1 || place.ended[0] != 1 || place.processes.empty()) continue;
    if (place.processes[0].counters[0] == 0) continue;  // the successor does not count yet
    seen = true;
    Say(pipe, absl::StrCat("observed ", place.processes[0].counters[0]));
  }
  Say(pipe, absl::StrCat("drained observer ", parts.pool->memory->Read().stopping));
  return 0;
}

TEST_F(SupervisorTest, AnObserverSeesTheWorkersAndStaysUntilTheyHaveDrained) {
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds.push_back({.name = "admin",
                   .listeners = Open(1),
                   .main = [pipe = pipe_.get()](
                               const WorkerKind::Parts& parts) { return Observe(pipe, parts); },
                   .observes = true});
  Start(std::move(kinds), {.take_up = [] { return absl::OkStatus(); }, .roll_back = [] {}});
  std::map<std::string, pid_t> pids = AwaitStarts(2);
  Await(1, "ready");
  kill(pids["websocket 1"], SIGKILL);
  const std::vector<std::string> lines = {ReadLine(), ReadLine()};
  EXPECT_THAT(lines, UnorderedElementsAre(StartsWith("started websocket 1 "), "observed 1"));

  // A reload replaces the workers that serve.
  kill(supervisor_, SIGHUP);
  EXPECT_THAT(Names(AwaitStarts(1)), UnorderedElementsAre("websocket 1"));
  EXPECT_EQ(ReadLine(), "drained websocket 1");

  kill(supervisor_, SIGTERM);
  EXPECT_EQ(ReadLine(), "drained websocket 1");
  EXPECT_EQ(ReadLine(), "drained observer 1");
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(SupervisorTest, AnObserverThatFailsStopsNothing) {
  std::vector<WorkerKind> kinds;
  kinds.push_back({.name = "admin",
                   .listeners = Open(1),
                   .main =
                       [](const WorkerKind::Parts& parts) {
                         parts.slot->SetFailure("cannot work");
                         return kExitMisconfigured;
                       },
                   .observes = true});
  kinds.push_back(Kind("websocket", 1));
  Start(std::move(kinds));
  AwaitStarts(1);
  EXPECT_EQ(Await(1, "ready").size(), 1u);
  kill(supervisor_, SIGTERM);
  EXPECT_THAT(Await(1, "drained"), UnorderedElementsAre("websocket 1"));
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(SupervisorTest, SighupReplacesTheWorkersOfAllKinds) {
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds.push_back(Kind("http", 1));
  Start(std::move(kinds), {.take_up = [] { return absl::OkStatus(); }, .roll_back = [] {}});
  AwaitStarts(2);
  Await(1, "ready");
  kill(supervisor_, SIGHUP);
  // The successor is there before the old one drains.
  std::set<std::string> started;
  std::set<std::string> drained;
  for (int i = 0; i < 4; ++i) {
    const std::vector<std::string> parts = absl::StrSplit(ReadLine(), ' ');
    ASSERT_GE(parts.size(), 3u);
    const std::string name = absl::StrCat(parts[1], " ", parts[2]);
    if (parts[0] == "started") {
      started.insert(name);
    } else {
      EXPECT_TRUE(started.contains(name)) << name;
      drained.insert(name);
    }
  }
  EXPECT_THAT(started, UnorderedElementsAre("websocket 1", "http 1"));
  EXPECT_EQ(drained, started);
  kill(supervisor_, SIGTERM);
  EXPECT_EQ(Await(2, "drained").size(), 2u);
  EXPECT_EQ(ExitCode(), 0);
}

// What a worker had in shared memory goes with it, before its successor can have the slot.
TEST_F(SupervisorTest, TellsWhichSlotAnEndedWorkerHad) {
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds[0].main = [pipe = pipe_.get()](const WorkerKind::Parts& parts) {
    Say(pipe, absl::StrCat("slot ", parts.slot_number));
    return ServeNobody(pipe, "websocket", parts);
  };
  kinds[0].on_end = [pipe = pipe_.get()](int slot) { Say(pipe, absl::StrCat("ended ", slot)); };
  Start(std::move(kinds));
  const std::vector<std::string> first = Await(1, "slot");
  const pid_t pid = AwaitStarts(1)["websocket 1"];
  Await(1, "ready");
  kill(pid, SIGKILL);
  EXPECT_EQ(Await(1, "ended"), first);
  const std::vector<std::string> second = Await(1, "slot");
  ASSERT_EQ(second.size(), 1u);
  EXPECT_LT(std::stoi(second[0]), Supervisor::SlotCount(1));
  AwaitStarts(1);
  kill(supervisor_, SIGTERM);
  Await(1, "drained");
  EXPECT_EQ(Await(1, "ended"), second);
  EXPECT_EQ(ExitCode(), 0);
}

// Otherwise its CPU time would be nowhere for a moment, and its counter would fall.
TEST_F(SupervisorTest, AnEndedWorkerIsReapedAfterItsPlaceHasItsNumbers) {
  int seen[2];
  ASSERT_EQ(pipe(seen), 0);
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds[0].on_end = [reader = seen[0], pipe = pipe_.get()](int) {
    char byte;
    EXPECT_EQ(read(reader, &byte, 1), 1);  // the observer sees that the memory has the end
    siginfo_t zombie{};
    waitid(P_ALL, 0, &zombie, WEXITED | WNOHANG | WNOWAIT);
    Say(pipe, absl::StrCat("zombie ", zombie.si_pid));
  };
  kinds.push_back({.name = "admin",
                   .listeners = Open(1),
                   .main =
                       [writer = seen[1], pipe = pipe_.get()](const WorkerKind::Parts& parts) {
                         Say(pipe, "started observer 1 0");
                         while (!parts.pool->memory->Read().places[0].processes.empty()) {
                         }
                         return write(writer, "x", 1) == 1 && pause() == 0 ? 0 : 1;
                       },
                   .observes = true});
  Start(std::move(kinds));
  // Two that start, and the table that is ready, in any order.
  pid_t worker = 0;
  for (int i = 0; i < 3; ++i) {
    const std::vector<std::string> words = absl::StrSplit(ReadLine(), ' ');
    if (words.size() == 4 && words[1] == "websocket") worker = std::stoi(words[3]);
  }
  ASSERT_GT(worker, 0);
  kill(worker, SIGKILL);
  EXPECT_EQ(ReadLine(), absl::StrCat("zombie ", worker));
  close(seen[0]);
  close(seen[1]);
}

// For observers, which are older than the configuration.
TEST_F(SupervisorTest, TheMemoryHasWhatWorkersWaitForWithTheConfigurationOfNow) {
  std::string word = "first";  // the supervisor's, after the fork
  waits_for_ = [&word] { return word; };
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds[0].main = [&word, pipe = pipe_.get()](const WorkerKind::Parts& parts) {
    Say(pipe, absl::StrCat("memory: ", parts.pool->memory->Read().waits_for));
    return word == "wrong" ? kExitMisconfigured : ServeNobody(pipe, "websocket", parts);
  };
  Start(std::move(kinds), {.take_up =
                               [&word] {
                                 word = "wrong";
                                 return absl::OkStatus();
                               },
                           .roll_back =
                               [&word, pipe = pipe_.get()] {
                                 word = "first";
                                 Say(pipe, "rolled back");
                               }});
  EXPECT_EQ(ReadLine(), "memory: first");
  const pid_t first = AwaitStarts(1)["websocket 1"];
  Await(1, "ready");
  kill(supervisor_, SIGHUP);
  EXPECT_EQ(ReadLine(), "memory: wrong");
  EXPECT_EQ(ReadLine(), "rolled back");
  kill(first, SIGKILL);
  EXPECT_EQ(ReadLine(), "memory: first");
}

TEST_F(SupervisorTest, AMisconfiguredWorkerOfAnyKindStopsTheService) {
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds.push_back(Kind("http", 1));
  kinds[1].main = [](const WorkerKind::Parts& parts) {
    parts.slot->SetFailure("no such key");
    return kExitMisconfigured;
  };
  Start(std::move(kinds));
  AwaitStarts(1);
  EXPECT_EQ(Await(1, "drained").size(), 1u);
  EXPECT_EQ(ExitCode(), 2);
}

// Only the start and a reload can find a wrong configuration: it was right before.
TEST_F(SupervisorTest, ASuccessorThatIsMisconfiguredIsReplacedLikeAnyOther) {
  auto* const starts =
      static_cast<std::atomic<int>*>(mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(static_cast<void*>(starts), MAP_FAILED);
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds[0].main = [pipe = pipe_.get(), starts](const WorkerKind::Parts& parts) {
    const int start = ++*starts;
    Say(pipe, absl::StrCat(parts.configuration_is_new ? "new" : "known", " ", start));
    if (start != 2) return ServeNobody(pipe, "websocket", parts);
    parts.slot->SetFailure("no such key");
    return kExitMisconfigured;
  };
  Start(std::move(kinds));
  EXPECT_EQ(ReadLine(), "new 1");
  const pid_t first = AwaitStarts(1)["websocket 1"];
  Await(1, "ready");
  kill(first, SIGKILL);
  EXPECT_EQ(ReadLine(), "known 2");
  EXPECT_EQ(ReadLine(), "known 3");
  AwaitStarts(1);
  kill(supervisor_, SIGTERM);
  EXPECT_EQ(Await(1, "drained").size(), 1u);
  EXPECT_EQ(ExitCode(), 0);
  munmap(starts, sizeof(*starts));
}

// The configurations of the tests below are words, and SIGHUP takes up one after the other. A
// worker says the word that it has:
//   good...    it serves
//   stubborn   it serves, and does not end
//   waits      it is never ready
//   wrong...   it is misconfigured
//   late       it is misconfigured after SIGUSR2
class SupervisorReloadTest : public SupervisorTest {
 protected:
  void StartWith(std::vector<std::string> words) {
    std::vector<WorkerKind> kinds;
    kinds.push_back(Kind("websocket", 1));
    kinds[0].main = [this](const WorkerKind::Parts& parts) { return Work(parts); };
    word_ = kept_ = words[0];
    Start(std::move(kinds), {.take_up =
                                 [this, words = std::move(words), next = size_t{1}]() mutable {
                                   word_ = words.at(next++);
                                   return absl::OkStatus();
                                 },
                             .keep =
                                 [this] {
                                   kept_ = word_;
                                   Say(pipe_.get(), "kept " + kept_);
                                 },
                             .roll_back =
                                 [this] {
                                   word_ = kept_;
                                   Say(pipe_.get(), "back to " + kept_);
                                 }});
  }

  int Work(const WorkerKind::Parts& parts) const {
    Say(pipe_.get(), absl::StrCat(word_, " ", getpid()));
    if (absl::StartsWith(word_, "wrong")) return kExitMisconfigured;
    if (word_ == "waits") pause();
    if (word_ == "late") {
      Wait(SIGUSR2, parts);
      return kExitMisconfigured;
    }
    parts.slot->state = SharedSlot::State::kReady;
    Wait(word_ == "stubborn" ? SIGUSR2 : SIGTERM, parts);
    return 0;
  }

  // Waits for a worker with this word and returns its pid. Another line ends the test.
  pid_t AwaitWorker(const std::string& word) {
    const std::string line = ReadLine();
    pid_t pid = 0;
    if (!absl::StartsWith(line, word + " ") || !absl::SimpleAtoi(line.substr(word.size()), &pid)) {
      throw std::runtime_error(absl::StrCat("not a worker with ", word, ": ", line));
    }
    return pid;
  }

  static void Wait(int signal, const WorkerKind::Parts& parts) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int blocked : {SIGTERM, SIGUSR2}) sigaddset(&signals, blocked);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    const timespec turn{.tv_nsec = 10'000'000};
    while (sigtimedwait(&signals, nullptr, &turn) != signal) {
      parts.slot->heartbeat_ms = absl::ToUnixMillis(MonotonicClock().Now());
    }
  }

  std::string word_;  // these two are the supervisor's, after the fork
  std::string kept_;
};

TEST_F(SupervisorReloadTest, ARejectedConfigurationGoesBackToTheLastThatWorked) {
  StartWith({"good-1", "good-2", "wrong-3"});
  AwaitWorker("good-1");
  Await(1, "ready");
  kill(supervisor_, SIGHUP);
  AwaitWorker("good-2");
  EXPECT_EQ(ReadLine(), "kept good-2");
  kill(supervisor_, SIGHUP);
  AwaitWorker("wrong-3");
  EXPECT_EQ(ReadLine(), "back to good-2");
}

// What the second SIGHUP replaces has not worked yet, and may never do.
TEST_F(SupervisorReloadTest, ASecondSighupInTheMiddleOfTheFirstGoesBackToWhatWorked) {
  StartWith({"good-1", "waits", "wrong-3"});
  const pid_t first = AwaitWorker("good-1");
  Await(1, "ready");
  kill(supervisor_, SIGHUP);
  AwaitWorker("waits");
  kill(supervisor_, SIGHUP);
  AwaitWorker("wrong-3");
  EXPECT_EQ(ReadLine(), "back to good-1");
  kill(first, SIGKILL);
  AwaitWorker("good-1");
}

TEST_F(SupervisorReloadTest, ASecondSighupDoesNotWaitForTheFirst) {
  StartWith({"good-1", "waits", "good-3"});
  AwaitWorker("good-1");
  Await(1, "ready");
  kill(supervisor_, SIGHUP);
  AwaitWorker("waits");
  kill(supervisor_, SIGHUP);
  AwaitWorker("good-3");
  EXPECT_EQ(ReadLine(), "kept good-3");
}

// The failure of a worker says nothing about a configuration that came later.
TEST_F(SupervisorReloadTest, AnOldConfigurationThatFailsLateIsNoReasonToGoBack) {
  StartWith({"good-1", "late", "waits"});
  const pid_t first = AwaitWorker("good-1");
  Await(1, "ready");
  kill(supervisor_, SIGHUP);
  const pid_t late = AwaitWorker("late");
  kill(first, SIGKILL);
  AwaitWorker("late");  // the first "late" is the one that has to be replaced now
  kill(supervisor_, SIGHUP);
  AwaitWorker("waits");
  kill(late, SIGUSR2);
  AwaitWorker("waits");
}

TEST_F(SupervisorReloadTest, AWorkerKeepsTheDrainTimeOfItsStart) {
  drain_time_ = [this] {
    return word_ == "stubborn" ? absl::ZeroDuration() : absl::InfiniteDuration();
  };
  StartWith({"stubborn", "good-2"});
  const pid_t first = AwaitWorker("stubborn");
  Await(1, "ready");
  kill(supervisor_, SIGHUP);
  AwaitWorker("good-2");
  EXPECT_EQ(ReadLine(), "kept good-2");
  // With the drain time of now, it would live for ever.
  const Fd end(static_cast<int>(syscall(SYS_pidfd_open, first, 0)));
  if (!end.valid()) {
    EXPECT_EQ(errno, ESRCH);  // it has ended
    return;
  }
  pollfd watched{.fd = end.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&watched, 1, /*timeout=*/-1), 1);
}

// Only a worker of the same kind can serve the connections of one that is held back.
TEST_F(SupervisorTest, ASocketIsLentWithinItsKind) {
  std::vector<WorkerKind> kinds;
  kinds.push_back(Kind("websocket", 1));
  kinds.push_back(Kind("http", 2));
  const auto borrow = [](int pipe, const std::string& name) {
    return [pipe, name](const WorkerKind::Parts& parts) {
      parts.slot->state = SharedSlot::State::kReady;
      Say(pipe, absl::StrCat("started ", name, " ", parts.number, " ", getpid()));
      char bytes[2];
      recv(parts.control.get(), bytes, sizeof(bytes), MSG_PEEK);
      const SocketMessage message = ReceiveSocketMessage(parts.control.get());
      Say(pipe, absl::StrCat("borrowed ", name, " ", parts.number, " ", message.index));
      pause();
      return 0;
    };
  };
  for (WorkerKind& kind : kinds) kind.main = borrow(pipe_.get(), kind.name);
  Start(std::move(kinds));
  std::map<std::string, pid_t> pids = AwaitStarts(3);
  Await(1, "ready");
  // The second early end in a row is the first that holds the successor back.
  kill(pids["http 1"], SIGKILL);
  pids = AwaitStarts(1);
  kill(pids["http 1"], SIGKILL);
  std::string line;
  do {
    line = ReadLine();  // the successor may be there again before the socket is taken
  } while (!line.empty() && !absl::StartsWith(line, "borrowed"));
  EXPECT_EQ(line, "borrowed http 2 0");
}

TEST(SupervisorCreateTest, RefusesAPoolThatCannotWork) {
  const SupervisorOptions options;
  const auto create = [&](const std::function<void(WorkerKind*)>& change) {
    std::vector<WorkerKind> kinds;
    kinds.push_back({.name = "websocket",
                     .listeners = Open(1),
                     .main = [](const WorkerKind::Parts&) { return 0; }});
    change(&kinds[0]);
    return Supervisor::Create(options, std::move(kinds), {}).status();
  };
  EXPECT_TRUE(create([](WorkerKind*) {}).ok());
  for (const std::function<void(WorkerKind*)>& change :
       std::vector<std::function<void(WorkerKind*)>>{
           [](WorkerKind* kind) { kind->name.clear(); },
           [](WorkerKind* kind) { kind->listeners.sockets.clear(); },
           [](WorkerKind* kind) { kind->main = nullptr; },
           [](WorkerKind* kind) { kind->observes = true; },
           [](WorkerKind* kind) { kind->counters.resize(SharedSlot::kCountersMax + 1); }}) {
    EXPECT_TRUE(absl::IsInvalidArgument(create(change)));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(Supervisor::Create(options, {}, {}).status()));
}

}  // namespace
}  // namespace groupcast::service
