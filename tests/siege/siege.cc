#include "tests/siege/siege.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <new>
#include <sstream>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/siege/peer.h"
#include "tests/support/event.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tools/bench_load/process_tree.h"

namespace groupcast::tests {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(250);  // at the memory
constexpr absl::Duration kSettlePatience = absl::Seconds(30);

// Memory is back at this much above the time before the attacks. The channel server keeps the
// history of the attacked groups: at most 100 messages of each.
constexpr int64_t kProcessesMoreMax = 96 << 20;
constexpr int64_t kTcpMoreMax = 16 << 20;

// The channel server may keep every message for this long. Otherwise that alone would keep memory
// for the time in which memory must be back.
Flags WithShortRetention(Flags flags) {
  flags.insert(flags.begin(), "--repair_retention=20s");
  return flags;
}

std::string Milliseconds(absl::Duration duration) {
  return absl::StrFormat("%.2f ms", absl::ToDoubleMilliseconds(duration));
}

int64_t TcpBytes() {
  std::ifstream file("/proc/net/sockstat");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word != "TCP:") continue;
    int64_t number = 0;
    while (words >> word >> number) {
      if (word == "mem") return number * sysconf(_SC_PAGESIZE);
    }
  }
  throw Failure("/proc/net/sockstat has no figure for TCP");
}

std::unique_ptr<service::EventLoop> NewLoop() {
  absl::StatusOr<std::unique_ptr<service::EventLoop>> loop = service::EventLoop::Create();
  if (!loop.ok()) throw Failure(loop.status().ToString());
  return *std::move(loop);
}

// The attackers' process.
class Attackers {
 public:
  Attackers(const AttackSizes& sizes, uint16_t port, bool tls) {
    void* const shared = mmap(nullptr, sizeof(AttackCounts), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw Failure("mmap");
    counts_ = new (shared) AttackCounts();
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) throw Failure("cannot fork");
    if (pid_ == 0) Run(sizes, port, tls, parent);
  }
  ~Attackers() {
    End();
    munmap(counts_, sizeof(AttackCounts));
  }
  Attackers(const Attackers&) = delete;
  Attackers& operator=(const Attackers&) = delete;

  const AttackCounts& counts() const { return *counts_; }
  // False: it has failed, and its output says why.
  bool IsRunning() { return waitpid(pid_, nullptr, WNOHANG) == 0; }
  // All connections end.
  void End() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  [[noreturn]] void Run(const AttackSizes& sizes, uint16_t port, bool tls, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    close_range(STDERR_FILENO + 1, ~0U, 0);  // the honest clients' connections
    // They have machines of their own in reality. So they run while a core has nothing else to do.
    const sched_param none{};
    sched_setscheduler(0, SCHED_IDLE, &none);
    try {
      const std::unique_ptr<service::EventLoop> loop = NewLoop();
      const std::unique_ptr<Attack> attack =
          Attack::StartAll(sizes, port, tls, loop.get(), counts_);
      loop->Run();
    } catch (const Failure& failure) {
      std::fprintf(stderr, "an attacker: %s\n", failure.what());
    }
    _exit(1);
  }

  AttackCounts* counts_ = nullptr;
  pid_t pid_ = 0;
};

class Siege {
 public:
  explicit Siege(const SiegeOptions& options)
      : options_(options),
        server_(WithShortRetention(options.server_flags)),
        service_(server_, options.workers, ServiceFlags()),
        workers_(service_.WorkerPids()),
        loop_(NewLoop()),
        crowd_(options.honest_clients, HonestPeers(), loop_.get()),
        returner_(HonestPeers(), loop_.get()) {
    FillDeepGroups();
    RunUntil("all honest clients have joined", [this] { return crowd_.ready(); });
  }

  SiegeReport Run() {
    SiegeReport report;
    report.p99_ratio_max = options_.p99_ratio_max;
    report.memory_more_max_bytes = options_.memory_more_max_bytes;

    Say(absl::StrCat("quiet: ", options_.honest_clients, " honest clients alone"));
    crowd_.Start();
    RunFor(kWarmUp);
    crowd_.TakeLatencies();
    RunFor(options_.quiet);
    const bench::LatencyHistogram quiet = crowd_.TakeLatencies();
    report.quiet_p50 = quiet.Percentile(50);
    report.quiet_p99 = quiet.Percentile(99);
    report.before = Memory();

    Attackers attackers(options_.attacks, service_.port(), options_.tls);
    crowd_.TakeLatencies();
    const absl::Time end = absl::Now() + options_.duration;
    while (absl::Now() < end) {
      RunFor(kLook);
      if (!attackers.IsRunning()) throw Failure("the attackers have ended");
      report.peak.tcp_bytes = std::max(report.peak.tcp_bytes, TcpBytes());
      SayNow(attackers.counts());
    }
    const bench::LatencyHistogram siege = crowd_.TakeLatencies();
    report.siege_p50 = siege.Percentile(50);
    report.siege_p99 = siege.Percentile(99);
    report.attacks = attackers.counts().Text();
    report.refusals = attackers.counts()[AttackCounts::kRefused];
    report.each_attack_happened = EachHappened(attackers.counts());
    // Not PssOf meanwhile: that walks over the services' pages, and would stop them for this time.
    report.peak.processes_bytes = bench::PeakMemoryOf(Processes());
    attackers.End();

    Say(absl::StrCat("the attackers have left; p99 ", Milliseconds(report.quiet_p99), " quiet, ",
                     Milliseconds(report.siege_p99), " under attack"));
    const absl::Time left = absl::Now();
    report.memory_back_after = absl::InfiniteDuration();
    while (absl::Now() < left + options_.memory_patience) {
      RunFor(kLook);
      report.after = Memory();
      if (report.after.processes_bytes > report.before.processes_bytes + kProcessesMoreMax ||
          report.after.tcp_bytes > report.before.tcp_bytes + kTcpMoreMax) {
        continue;
      }
      report.memory_back_after = absl::Now() - left;
      break;
    }
    crowd_.Stop();
    returner_.Stop();
    const absl::Time stopped = absl::Now();
    while (!crowd_.settled() && absl::Now() < stopped + kSettlePatience) RunFor(kLook);
    report.settled = crowd_.settled();
    report.honest = crowd_.counts();
    report.returns = returner_.returns();
    report.return_losses = returner_.losses();
    const std::vector<pid_t> workers = service_.WorkerPids();
    for (const pid_t worker : workers_) {
      if (std::find(workers.begin(), workers.end(), worker) == workers.end())
        ++report.workers_replaced;
    }
    return report;
  }

 private:
  static constexpr absl::Duration kWarmUp = absl::Seconds(1);
  static constexpr absl::Duration kSayEvery = absl::Seconds(5);

  Flags ServiceFlags() {
    Flags flags = options_.service_flags;
    if (!options_.tls) return flags;
    certificate_ = std::make_unique<service::CertificateFiles>();
    for (std::string& flag : TlsFlags(*certificate_)) flags.push_back(std::move(flag));
    return flags;
  }
  PeerOptions HonestPeers() const { return {.port = service_.port(), .tls = options_.tls}; }

  TestClient NewClient() const {
    RawClient raw(service_.port(), /*receive_buffer_bytes=*/0, "127.0.0.1",
                  options_.tls ? RawClient::Transport::kTls : RawClient::Transport::kPlain);
    raw.Write(HandshakeRequest(kV1));
    return TestClient(std::move(raw), Mode::kV1);
  }

  // The groups that readers read: 100 messages of 2 KB, and 4 of 65 KB that grow sixfold in JSON.
  void FillDeepGroups() {
    TestClient client = NewClient();
    const auto fill = [&](const char* group, const std::string& message, int count) {
      for (int i = 0; i < count; ++i) {
        client.Send(SendToGroup(Quoted(group), Quoted(message), "1"));
        const Event answer = client.NextEvent();
        if (answer.name() != "reply") throw Failure(answer.text());
      }
    };
    fill(kDeepGroup, std::string(2'000, 'r'), 100);
    std::string escapes;
    for (int i = 0; i < 65'000; ++i) escapes += "\\u0001";
    fill(kEscapeGroup, escapes, 4);
  }

  bool EachHappened(const AttackCounts& counts) const {
    const AttackSizes& sizes = options_.attacks;
    return (sizes.readers == 0 || counts[AttackCounts::kReads] > 0) &&
           (sizes.escape_readers == 0 || counts[AttackCounts::kEscapeReads] > 0) &&
           (sizes.flooders == 0 || counts[AttackCounts::kFloodSends] > 0) &&
           (sizes.deaf_members == 0 || counts[AttackCounts::kDeafClosed] > 0) &&
           (sizes.unfinished == 0 || counts[AttackCounts::kUnfinishedClosed] > 0) &&
           (sizes.spreaders == 0 || counts[AttackCounts::kSpreads] > 0) &&
           (sizes.half_handshakes == 0 || counts[AttackCounts::kHalfClosed] > 0) &&
           (sizes.garbage == 0 || counts[AttackCounts::kGarbageClosed] > 0) &&
           (sizes.hellos == 0 || counts[AttackCounts::kHellosClosed] > 0) &&
           (sizes.hellos < 2 || counts[AttackCounts::kHalfHellosClosed] > 0) &&
           // A plain service answers with a sentence instead.
           (sizes.hellos == 0 || (counts[AttackCounts::kHellosAnswered] > 0) == options_.tls);
  }

  SiegeMemory Memory() {
    return {.processes_bytes = bench::PssOf(Processes()), .tcp_bytes = TcpBytes()};
  }
  std::vector<pid_t> Processes() { return {server_.process().pid(), service_.process().pid()}; }

  void RunFor(absl::Duration duration) {
    const absl::Time end = absl::Now() + duration;
    for (absl::Time now = absl::Now(); now < end; now = absl::Now()) loop_->RunOnce(end - now);
  }
  void RunUntil(const char* what, const std::function<bool()>& done) {
    const absl::Time end = absl::Now() + kPatience;
    while (!done()) {
      if (absl::Now() > end) throw Failure(absl::StrCat("waited until ", what));
      loop_->RunOnce(kLook);
    }
  }

  void Say(const std::string& line) {
    if (options_.progress) options_.progress(line);
  }
  void SayNow(const AttackCounts& counts) {
    if (absl::Now() < next_say_) return;
    next_say_ = absl::Now() + kSayEvery;
    Say(absl::StrCat("honest: ", crowd_.counts().Text(), "\n  attacks: ", counts.Text()));
  }

  const SiegeOptions options_;
  std::unique_ptr<service::CertificateFiles> certificate_;  // null: the service is plain
  ChannelServer server_;
  WebSocketService service_;
  const std::vector<pid_t> workers_;
  const std::unique_ptr<service::EventLoop> loop_;
  HonestCrowd crowd_;
  Returner returner_;
  absl::Time next_say_ = absl::InfinitePast();
};

std::string Mebibytes(const SiegeMemory& memory) {
  return absl::StrCat(memory.processes_bytes >> 20, " MiB in processes, ", memory.tcp_bytes >> 20,
                      " MiB in TCP");
}

}  // namespace

std::vector<std::string> SiegeReport::Findings() const {
  std::vector<std::string> findings;
  const auto check = [&](bool ok, const std::string& finding) {
    if (!ok) findings.push_back(finding);
  };
  check(honest.Clean(), absl::StrCat("honest clients were hurt: ", honest.Text()));
  check(settled, "an honest message was not answered, or did not arrive");
  check(returns > 0 && return_losses == 0,
        absl::StrCat(return_losses, " of the returns to a quiet group lost its history"));
  check(p99_ratio_max == 0 || p99_ratio() <= p99_ratio_max,
        absl::StrFormat("the p99 grew %.1f times, and may grow %g times", p99_ratio(),
                        p99_ratio_max));
  check(memory_back_after < absl::InfiniteDuration(),
        absl::StrCat("memory is not back: ", Mebibytes(after)));
  const int64_t more = peak.processes_bytes - before.processes_bytes;
  check(memory_more_max_bytes == 0 || more <= memory_more_max_bytes,
        absl::StrCat("the memory grew by ", more >> 20, " MiB, and may grow by ",
                     memory_more_max_bytes >> 20, " MiB"));
  check(workers_replaced == 0, absl::StrCat(workers_replaced, " workers were replaced"));
  check(each_attack_happened, "an attack did not happen");
  return findings;
}

std::string SiegeReport::Text() const {
  return absl::StrCat("  honest   ", honest.Text(), "; ", returns, " returns to a quiet group\n",
                      "  latency  p50 ", Milliseconds(quiet_p50), " quiet, ",
                      Milliseconds(siege_p50), " under attack; p99 ", Milliseconds(quiet_p99),
                      " quiet, ", Milliseconds(siege_p99), " under attack\n", "  attacks  ",
                      attacks, "\n", "  memory   before: ", Mebibytes(before),
                      "; peak: ", Mebibytes(peak), "; after: ", Mebibytes(after));
}

std::string SiegeReport::Line() const {
  return absl::StrCat(Passed() ? "passed" : "FAILED", ": ", honest.closed,
                      " honest clients closed, ", honest.sent - honest.acknowledged,
                      " honest sends not acknowledged, ", honest.lost, " lost, ", honest.repeated,
                      " repeated; p99 ", absl::StrFormat("%.1f", p99_ratio()),
                      " times of quiet; memory back ",
                      memory_back_after < absl::InfiniteDuration()
                          ? absl::StrCat("after ", absl::FormatDuration(absl::Trunc(
                                                       memory_back_after, absl::Milliseconds(100))))
                          : "NOT in time");
}

SiegeReport RunSiege(const SiegeOptions& options) {
  service::RaiseOpenFilesLimit();
  return Siege(options).Run();
}

}  // namespace groupcast::tests
