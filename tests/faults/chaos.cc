#include "tests/faults/chaos.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "tests/faults/chaos_access.h"
#include "tests/faults/chaos_message.h"
#include "tests/faults/flaky_proxy.h"
#include "tests/faults/gateway_side.h"
#include "tests/faults/ledger.h"
#include "tests/faults/member_watcher.h"
#include "tests/faults/participant.h"
#include "tests/faults/presence_check.h"
#include "tests/faults/return_clock.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

constexpr absl::Duration kStopMax = absl::Seconds(5);
constexpr absl::Duration kAwayMax = absl::Seconds(2);
// A client reports what became of a send after 75 s at the latest.
constexpr absl::Duration kSettlePatience = absl::Seconds(90);
// Every so often a client leaves a group, to join it again a little later.
constexpr absl::Duration kRejoinInterval = absl::Milliseconds(250);
constexpr absl::Duration kLeftMax = absl::Seconds(3);
constexpr std::chrono::milliseconds kSendInterval{5};

// Publish, subscribe and control.
constexpr size_t kLinks = 3;

// The group whose members are watched.
constexpr int kWatchedGroup = 0;

// Two groups for most, so that sends and joins of several share a connection.
std::vector<int> GroupsOf(int client, int groups) {
  const int first = client % groups;
  const int second = (client / groups + first * 7 + 3) % groups;
  if (client % 2 == 0 || second == first) return {first};
  return {first, second};
}

bool BehindProxy(int client) { return client % 4 == 1; }

Flags With(Flags flags, const Flags& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

// Workers that ended in another way than by being killed, by what the supervisor says of them.
std::vector<std::string> CrashesIn(const std::string& supervisor_log) {
  std::vector<std::string> crashes;
  for (const absl::string_view line : absl::StrSplit(supervisor_log, '\n')) {
    const bool ended =
        absl::StrContains(line, ") was ended by ") || absl::StrContains(line, ") exited with ");
    if (ended && !absl::StrContains(line, ") was ended by Killed"))
      crashes.push_back(absl::StrCat("crashed: ", line));
  }
  return crashes;
}

class Chaos {
 public:
  explicit Chaos(const ChaosOptions& options)
      : options_(options),
        random_(options.seed),
        ledger_(options.groups,
                options.clients + options.gateway.publishers + options.gateway.streams),
        server_(With({absl::StrCat("--data_dir=", NewTempPath("data"))}, options.server_flags)),
        links_({server_.port(), static_cast<uint16_t>(server_.port() + 1),
                static_cast<uint16_t>(server_.port() + 2)}),
        service_(server_, options.workers,
                 With({absl::StrCat("--channel=127.0.0.1:", links_.port(0)),
                       absl::StrCat("--channel_subscribe_port=", links_.port(1)),
                       absl::StrCat("--channel_control_port=", links_.port(2))},
                      With(AccessFlags(), options.service_flags))),
        client_links_({service_.port()}),
        gateway_(server_, options.gateway, options.groups, options.clients, options.seed + 2,
                 &ledger_, &return_clock_) {
    for (int client = 0; client < options.clients; ++client) {
      participants_.push_back(std::make_unique<Participant>(
          client, BehindProxy(client) ? client_links_.port(0) : service_.port(),
          GroupsOf(client, options.groups), &ledger_, &return_clock_));
    }
    for (int watcher = 0; watcher < options.watchers; ++watcher) {
      const std::string name = WatcherName(watcher);
      watchers_.push_back(std::make_unique<MemberWatcher>(
          MemberWatcher::Options{.port = watcher % 2 == 1 ? client_links_.port(0) : service_.port(),
                                 .group = GroupId(kWatchedGroup),
                                 .session = name,
                                 .token = TokenOf(name)}));
    }
    WaitUntil("all have joined", [this] { return ledger_.AllJoined(); });
  }

  ~Chaos() {
    for (const std::unique_ptr<Participant>& participant : participants_) participant->Close();
  }

  ChaosReport Run() {
    begin_ = absl::Now();
    gateway_.Start();
    {
      // Stops at the end of the block, also if that is an exception.
      const std::jthread sender([this](const std::stop_token& stop) { SendUntilStopped(stop); });
      CauseFaults();
    }
    ChaosReport report;
    report.settled = Settle();
    CheckServer();
    CheckGateway();
    if (report.settled) {
      AwaitReloadsEnd();
      presence_findings_ = PresenceCheck(GroupId(kWatchedGroup), service_.port(), &server_)
                               .Run(watchers_, UsersInWatchedGroup());
    }
    for (const std::string& output : {service_.process().Output(), gateway_.Output()}) {
      for (std::string& crash : CrashesIn(output)) crashes_.push_back(std::move(crash));
    }
    report.seed = options_.seed;
    report.duration = options_.duration;
    report.counts = ledger_.Judge();
    report.faults = mix_.counts();
    report.crashes = static_cast<int64_t>(crashes_.size());
    report.rejoins = rejoins_;
    for (const std::unique_ptr<MemberWatcher>& watcher : watchers_) {
      const MemberWatcher::Counts counts = watcher->counts();
      report.presence.connections += counts.connections;
      report.presence.pages += counts.pages;
      report.presence.joins += counts.joins;
      report.presence.leaves += counts.leaves;
      for (std::string& finding : watcher->findings()) presence_findings_.push_back(finding);
    }
    report.presence_findings = static_cast<int64_t>(presence_findings_.size());
    report.publishers = gateway_.publisher_counts();
    report.streams = gateway_.stream_counts();
    const std::vector<std::string> gateway_findings = gateway_.findings();
    report.gateway_findings = static_cast<int64_t>(gateway_findings.size());
    report.returns = return_clock_.Times();
    report.findings = ledger_.Findings();
    report.findings.insert(report.findings.end(), crashes_.begin(), crashes_.end());
    report.findings.insert(report.findings.end(), presence_findings_.begin(),
                           presence_findings_.end());
    report.findings.insert(report.findings.end(), gateway_findings.begin(), gateway_findings.end());
    if (!report.settled)
      report.findings.push_back("not all had come when the time for it was over");
    return report;
  }

 private:
  // At the rate that was asked for: what is due by the clock, then a wait for the end of it all.
  void SendUntilStopped(const std::stop_token& stop) {
    std::mt19937_64 random(options_.seed + 1);
    int64_t done = 0;
    std::mutex mutex;
    std::unique_lock<std::mutex> lock(mutex);
    std::condition_variable_any stopped;
    do {
      const auto due =
          static_cast<int64_t>(absl::ToDoubleSeconds(absl::Now() - begin_) * options_.rate);
      for (; done < due; ++done) {
        Participant& participant = *participants_[random() % participants_.size()];
        const std::vector<int>& groups = participant.groups();
        participant.Send(groups[random() % groups.size()]);
      }
      stopped.wait_for(lock, stop, kSendInterval, [] { return false; });
    } while (!stop.stop_requested());
  }

  // Faults, what follows them, rejoins and progress, each when its time has come.
  void CauseFaults() {
    const absl::Time end = begin_ + options_.duration;
    absl::Time next_fault = begin_;
    absl::Time next_rejoin = begin_;
    absl::Time next_progress = begin_ + options_.progress_interval;
    while (absl::Now() < end) {
      const absl::Time now = absl::Now();
      RunDue(now);
      if (now >= next_fault) {
        CauseOne(now);
        next_fault = now + options_.fault_interval * std::exponential_distribution<>()(random_);
      }
      if (now >= next_rejoin) {
        RejoinOne(now);
        next_rejoin = now + kRejoinInterval;
      }
      if (now >= next_progress) {
        Progress();
        next_progress += options_.progress_interval;
      }
      absl::Time next = std::min({next_fault, next_rejoin, next_progress, end});
      if (!due_.empty()) next = std::min(next, due_.begin()->first);
      absl::SleepFor(next - absl::Now());  // the schedule itself: nothing is waited for
    }
    RunDue(absl::InfiniteFuture());
    links_.EndStalls();
    gateway_.links().EndStalls();
  }

  void RunDue(absl::Time now) {
    while (!due_.empty() && due_.begin()->first <= now) {
      const std::function<void()> action = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      action();
    }
  }

  absl::Duration UpTo(absl::Duration most) {
    return most * std::uniform_real_distribution<>(0, 1)(random_);
  }

  void CauseOne(absl::Time now) {
    const size_t kind = mix_.Next();
    mix_.Done(kind, Cause(kFaults[kind].fault, now));
  }

  // False if there is nothing that it could be done to now.
  bool Cause(Fault fault, absl::Time now) {
    const uint64_t pick = random_();
    const size_t link = random_() % kLinks;
    switch (fault) {
      case Fault::kKillWorker:
        return KillOne(service_.WorkerPids(), pick);
      case Fault::kStopWorker:
        return StopOne([this] { return service_.WorkerPids(); }, pick, now);
      case Fault::kKillServer:
        if (!TakeServer()) return false;
        server_.Kill();
        due_.emplace(now + UpTo(kAwayMax), [this] {
          return_clock_.Start();
          server_.StartAgain();
          server_is_busy_ = false;
        });
        return true;
      case Fault::kStopServer:
        if (!TakeServer()) return false;
        server_.process().Signal(SIGSTOP);
        due_.emplace(now + UpTo(kStopMax), [this] {
          server_.process().Signal(SIGCONT);
          server_is_busy_ = false;
        });
        return true;
      case Fault::kCutLink:
        return links_.Cut(link, pick);
      case Fault::kResetLink:
        return links_.Reset(link, pick);
      case Fault::kStallLink:
        return links_.Stall(link, pick, UpTo(kStopMax));
      case Fault::kCutClient:
        return pick % 2 == 0 ? client_links_.Cut(0, pick / 2) : client_links_.Reset(0, pick / 2);
      case Fault::kReload:
        return Reload(&service_);
      case Fault::kKillGatewayWorker:
        return KillOne(gateway_.gateway().WorkerPids(), pick);
      case Fault::kStopGatewayWorker:
        return StopOne([this] { return gateway_.gateway().WorkerPids(); }, pick, now);
      case Fault::kKillGateway:
        if (gateway_is_away_) return false;
        CheckGateway();
        gateway_is_away_ = true;
        gateway_.Kill();
        due_.emplace(now + UpTo(kAwayMax), [this] {
          gateway_.StartAgain();
          gateway_is_away_ = false;
        });
        return true;
      case Fault::kCutGatewayLink:
        return gateway_.links().Cut(link, pick);
      case Fault::kResetGatewayLink:
        return gateway_.links().Reset(link, pick);
      case Fault::kStallGatewayLink:
        return gateway_.links().Stall(link, pick, UpTo(kStopMax));
      case Fault::kCutGatewayClient:
        return pick % 2 == 0 ? gateway_.client_links().Cut(0, pick / 2)
                             : gateway_.client_links().Reset(0, pick / 2);
      case Fault::kReloadGateway:
        // Before it is ready, the signal would end it.
        return gateway_.gateway().IsReady() && Reload(&gateway_.gateway());
    }
    return false;
  }

  template <typename Service>
  bool Reload(Service* service) {
    const std::vector<pid_t> workers = service->WorkerPids();
    if (workers.empty()) return false;
    reloaded_.insert(workers.begin(), workers.end());
    service->process().Signal(SIGHUP);
    return true;
  }

  static bool KillOne(const std::vector<pid_t>& workers, uint64_t pick) {
    return !workers.empty() && kill(workers[pick % workers.size()], SIGKILL) == 0;
  }

  bool StopOne(const std::function<std::vector<pid_t>()>& workers, uint64_t pick, absl::Time now) {
    const std::vector<pid_t> pids = workers();
    if (pids.empty()) return false;
    const pid_t worker = pids[pick % pids.size()];
    due_.emplace(now + UpTo(kStopMax), [workers, worker] {
      // If it was killed meanwhile, the number may be somebody else's.
      const std::vector<pid_t> alive = workers();
      if (std::find(alive.begin(), alive.end(), worker) != alive.end()) kill(worker, SIGCONT);
    });
    return kill(worker, SIGSTOP) == 0;
  }

  // One thing at a time happens to the channel server, and how long its return takes is measured to
  // the end before the next.
  bool TakeServer() {
    if (server_is_busy_ || return_clock_.running()) return false;
    CheckServer();
    server_is_busy_ = true;
    return true;
  }

  // Whether the channel server, to which nothing is being done now, still runs.
  void CheckServer() {
    const std::optional<int> end = server_.process().Poll();
    if (!end.has_value()) return;
    crashes_.push_back(absl::StrCat("crashed: the channel server, with ", *end));
    server_.StartAgain();
  }

  void CheckGateway() {
    const std::optional<int> end = gateway_.gateway().process().Poll();
    if (!end.has_value()) return;
    crashes_.push_back(absl::StrCat("crashed: the gateway, with ", *end));
    gateway_.StartAgain();
  }

  void RejoinOne(absl::Time now) {
    // One in ten clients does that.
    const size_t client = 10 * (random_() % (participants_.size() / 10 + 1)) + 5;
    if (client >= participants_.size() || participants_[client]->left()) return;
    participants_[client]->LeaveLast();
    due_.emplace(now + UpTo(kLeftMax), [this, client] {
      participants_[client]->JoinLast(random_());
      ++rejoins_;
    });
  }

  // False if not everything has come in time.
  bool Settle() {
    Progress();
    gateway_.Finish();
    if (!AwaitAll()) return false;
    // Every client can still send and receive, and what comes doubled comes before this.
    for (const std::unique_ptr<Participant>& participant : participants_) {
      for (const int group : participant->groups()) participant->Send(group);
    }
    return AwaitAll();
  }

  // A reload replaces one worker after the other, and moves their clients.
  void AwaitReloadsEnd() {
    WaitUntil(
        "the reloads end",
        [this] { return std::none_of(reloaded_.begin(), reloaded_.end(), IsAlive); },
        kSettlePatience);
  }

  bool AwaitAll() {
    absl::Time next_progress = absl::Now() + options_.progress_interval;
    try {
      WaitUntil(
          "everything has come",
          [&] {
            if (absl::Now() >= next_progress) {
              Progress();
              next_progress += options_.progress_interval;
            }
            return ledger_.AllJoined() && ledger_.Settled();
          },
          kSettlePatience);
      return true;
    } catch (const Failure&) {
      return false;
    }
  }

  // The users in the watched group, as it is when nobody leaves and all are back.
  std::multiset<std::string> UsersInWatchedGroup() const {
    std::multiset<std::string> users;
    for (int client = 0; client < options_.clients; ++client) {
      const std::vector<int>& groups = participants_[static_cast<size_t>(client)]->groups();
      if (std::find(groups.begin(), groups.end(), kWatchedGroup) != groups.end()) {
        users.insert(UserOf(client));
      }
    }
    for (int watcher = 0; watcher < options_.watchers; ++watcher) {
      users.insert(WatcherName(watcher));
    }
    for (std::string& user : gateway_.UsersIn(kWatchedGroup)) users.insert(std::move(user));
    return users;
  }

  void Progress() {
    if (!options_.progress) return;
    const Ledger::Counts now = ledger_.Now();
    options_.progress(absl::StrFormat(
        "%4d s: %d sent, %d acknowledged, %d deliveries, %d faults; %d lost, %d doubled, %d "
        "reordered",
        absl::ToInt64Seconds(absl::Now() - begin_), now.sent, now.acknowledged, now.deliveries,
        mix_.FaultsInAll(), now.lost, now.doubled, now.reordered));
  }

  const ChaosOptions options_;
  std::mt19937_64 random_;
  FaultMix mix_{&random_};
  Ledger ledger_;
  ReturnClock return_clock_;
  ChannelServer server_;
  FlakyProxy links_;
  WebSocketService service_;
  FlakyProxy client_links_;
  GatewaySide gateway_;
  std::vector<std::unique_ptr<Participant>> participants_;
  std::vector<std::unique_ptr<MemberWatcher>> watchers_;
  std::vector<std::string> presence_findings_;
  std::multimap<absl::Time, std::function<void()>> due_;
  std::vector<std::string> crashes_;
  int64_t rejoins_ = 0;
  std::set<pid_t> reloaded_;  // workers that a reload replaces
  bool server_is_busy_ = false;
  bool gateway_is_away_ = false;
  absl::Time begin_;
};

}  // namespace

ChaosReport RunChaos(const ChaosOptions& options) {
  // A client has its connection and what its event loop needs, and some have two more in the proxy.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  return Chaos(options).Run();
}

}  // namespace groupcast::tests
