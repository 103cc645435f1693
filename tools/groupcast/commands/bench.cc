#include <atomic>
#include <charconv>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tools/bench_load/latency_histogram.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/live_client.h"
#include "tools/groupcast/table.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(Members join groups with random names, and senders send to them as fast as their messages are
acknowledged. It prints rates, and how long the messages took until the acknowledgement and until
each member had them. Everything runs in this process with the C++ client, so on one machine it
takes as much CPU as the server. tools/bench of a clone measures the server alone, with less.
The exit code is 1 if a member missed a message.

Examples:
  groupcast bench
  groupcast bench --members=100 --senders=4 --groups=4 --seconds=10
  groupcast bench --in_flight=1                       latency without load)";

struct Arguments {
  ServerOptions server;
  int members = 10;
  int senders = 1;
  int groups = 1;
  int in_flight = 16;
  int bytes = 128;
  int seconds = 5;
};

// A message is the time of its send in nanoseconds, a blank, and padding.
std::string StampedMessage(int64_t now_ns, size_t bytes) {
  std::string message = absl::StrCat(now_ns, " ");
  if (message.size() < bytes) message.resize(bytes, '.');
  return message;
}

int64_t StampOf(absl::string_view message) {
  int64_t stamp = 0;
  std::from_chars(message.data(), message.data() + message.size(), stamp);
  return stamp;
}

// The clock of stamps does not jump when the date is set.
int64_t SteadyNanoseconds() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

struct Counts {
  bench::LatencyHistogram latency;
  uint64_t failed = 0;
};

// One client that sends, or that is a member.
struct Peer {
  Peer(const ServerOptions& server, Console* console, Waker* waker)
      : client(server, console, waker) {}

  std::string group;
  std::mutex mutex;
  Counts counts;
  LiveClient client;
};

class Bench {
 public:
  Bench(const Arguments& arguments, Console* console) : arguments_(arguments), console_(console) {
    absl::BitGen random;
    prefix_ = absl::StrFormat("bench:%016x:", absl::Uniform<uint64_t>(random));
  }

  ExitCode Run() {
    const ExitCode connected = Connect();
    if (connected != ExitCode::kDone) return connected;
    console_->Note(absl::StrFormat("%d members and %d senders in %d groups for %d s",
                                   arguments_.members, arguments_.senders, arguments_.groups,
                                   arguments_.seconds));
    const absl::Time begin = absl::Now();
    for (const auto& sender : senders_) {
      for (int i = 0; i < arguments_.in_flight; ++i) SendNext(sender.get());
    }
    const absl::Time end = begin + absl::Seconds(arguments_.seconds);
    while (absl::Now() < end) {
      if (waker_.Wait(end - absl::Now()) == Waker::Cause::kSignal) break;
    }
    ends_ = true;
    const absl::Duration took = absl::Now() - begin;
    AwaitRest();
    for (const auto* peers : {&senders_, &members_}) {
      for (const auto& peer : *peers) peer->client.Close();
    }
    return Report(took);
  }

 private:
  ExitCode Connect() {
    for (int i = 0; i < arguments_.members + arguments_.senders; ++i) {
      const bool sends = i < arguments_.senders;
      auto peer = std::make_unique<Peer>(arguments_.server, console_, &waker_);
      peer->group = absl::StrCat(prefix_, i % arguments_.groups);
      if (absl::Status status = peer->client.Connect(); !status.ok()) {
        return peer->client.Fail(status);
      }
      (sends ? senders_ : members_).push_back(std::move(peer));
    }
    for (const auto& member : members_) {
      const absl::Status status = member->client.client().Join(
          member->group,
          [this, peer = member.get()](const Message& message) { OnMessage(peer, message); },
          [this](const absl::StatusOr<Joined>& joined) { OnJoin(joined.status()); });
      if (!status.ok()) return member->client.Fail(status);
    }
    while (joined_ < arguments_.members) {
      if (waker_.Wait() == Waker::Cause::kSignal) return ExitCode::kDone;
      const std::lock_guard lock(mutex_);
      if (refusal_.ok()) continue;
      console_->Complain(absl::StrCat("a join was refused: ", refusal_.message()));
      return ExitCodeOf(refusal_);
    }
    return ExitCode::kDone;
  }

  void OnJoin(const absl::Status& status) {
    if (status.ok()) {
      ++joined_;
    } else if (!IsTransient(status)) {
      const std::lock_guard lock(mutex_);
      refusal_ = status;
    }
    waker_.Poke();
  }

  void OnMessage(Peer* member, const Message& message) {
    const int64_t took = SteadyNanoseconds() - StampOf(message.text.value_or(""));
    const std::lock_guard lock(member->mutex);
    member->counts.latency.Record(took);
  }

  void SendNext(Peer* sender) {
    if (ends_) return;
    const int64_t stamp = SteadyNanoseconds();
    ++waiting_;
    const absl::Status status = sender->client.client().Send(
        sender->group, StampedMessage(stamp, static_cast<size_t>(arguments_.bytes)),
        [this, sender, stamp](const absl::StatusOr<Position>& position) {
          {
            const std::lock_guard lock(sender->mutex);
            if (position.ok()) {
              sender->counts.latency.Record(SteadyNanoseconds() - stamp);
            } else {
              ++sender->counts.failed;
              const std::lock_guard refusal_lock(mutex_);
              refusal_ = position.status();
            }
          }
          // A refused sender stops, or it would only be refused again.
          if (position.ok()) SendNext(sender);
          --waiting_;
          waker_.Poke();
        });
    if (!status.ok()) --waiting_;
  }

  static Counts Sum(const std::vector<std::unique_ptr<Peer>>& peers) {
    Counts sum;
    for (const auto& peer : peers) {
      const std::lock_guard lock(peer->mutex);
      sum.latency.Add(peer->counts.latency);
      sum.failed += peer->counts.failed;
    }
    return sum;
  }

  // The messages that all members of the acknowledged ones must have.
  int64_t Expected() const {
    int64_t expected = 0;
    for (const auto& sender : senders_) {
      int64_t members = 0;
      for (const auto& member : members_) members += member->group == sender->group;
      const std::lock_guard lock(sender->mutex);
      expected += sender->counts.latency.count() * members;
    }
    return expected;
  }

  // The last messages are still on their way when the time is over.
  void AwaitRest() {
    const absl::Time until = absl::Now() + absl::Seconds(10);
    while (absl::Now() < until && (waiting_ > 0 || Sum(members_).latency.count() < Expected())) {
      if (waker_.Wait(absl::Milliseconds(20)) == Waker::Cause::kSignal) return;
    }
  }

  ExitCode Report(absl::Duration took) {
    const Counts sent = Sum(senders_);
    const Counts received = Sum(members_);
    Table table({{""},
                 {"COUNT", true},
                 {"PER SECOND", true},
                 {"P50", true},
                 {"P90", true},
                 {"P99", true},
                 {"MAX", true}});
    const auto row = [&](const char* name, const bench::LatencyHistogram& latency) {
      const auto ms = [&](double percent) {
        return absl::StrFormat("%.2f ms", absl::ToDoubleMilliseconds(latency.Percentile(percent)));
      };
      table.AddRow({std::string(name), absl::StrCat(latency.count()),
                    absl::StrFormat(
                        "%.0f", static_cast<double>(latency.count()) / absl::ToDoubleSeconds(took)),
                    ms(50), ms(90), ms(99), ms(100)});
    };
    row("acknowledged", sent.latency);
    row("delivered", received.latency);
    console_->Print(table.Text(*console_));
    const int64_t missing = Expected() - received.latency.count();
    if (sent.failed > 0) {
      console_->Complain(absl::StrCat(
          sent.failed, " messages were not acknowledged: ", Harmless(refusal_.message())));
    }
    if (missing > 0) console_->Complain(absl::StrCat(missing, " deliveries are missing."));
    return sent.failed > 0 || missing > 0 ? ExitCode::kFailed : ExitCode::kDone;
  }

  const Arguments arguments_;
  Console* const console_;
  std::string prefix_;
  Waker waker_;
  std::atomic<bool> ends_ = false;
  std::atomic<int> joined_ = 0;
  std::atomic<int> waiting_ = 0;  // sends without a result
  std::mutex mutex_;
  absl::Status refusal_;
  std::vector<std::unique_ptr<Peer>> members_;
  std::vector<std::unique_ptr<Peer>> senders_;
};

}  // namespace

Run DefineBench(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  const auto number = [app](const char* name, int* value, int most, const char* text) {
    Add(app, name, value, "N", text)
        ->check(CLI::Range(1, most).description(""))
        ->default_str(absl::StrCat(*value));
  };
  number("--members", &arguments->members, 500,
         "members of all groups together, each with a thread");
  number("--senders", &arguments->senders, 100, "senders, each with a thread");
  number("--groups", &arguments->groups, 500, "groups");
  number("--in_flight", &arguments->in_flight, 1000, "messages of each sender without an answer");
  number("--bytes", &arguments->bytes, 65536, "bytes of a message; at least the time in it");
  number("--seconds", &arguments->seconds, 3600, "how long it sends");
  AddServerOptions(app, &arguments->server);
  app->footer(kFooter);
  return [arguments](Console& console) { return Bench(*arguments, &console).Run(); };
}

}  // namespace groupcast::cli
