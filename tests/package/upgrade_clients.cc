// Clients that stay connected while the services are upgraded, and a judge of what they got. It is
// for tools/package/trial.
//
//   upgrade_clients --url=ws://127.0.0.1:1234
//
// It prints "ready" when every client has joined its group. Then every client sends until standard
// input ends. It waits until everything has come, prints the result in one line, and exits with 0
// if nothing was lost, doubled or reordered, and every client lost its connection at least
// `--reconnects` times.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "groupcast/client.h"
#include "services/common/flags.h"
#include "tests/faults/ledger.h"
#include "tests/support/wait.h"

ABSL_FLAG(std::string, url, "ws://127.0.0.1:1234", "the WebSocket service");
ABSL_FLAG(int, clients, 40, "clients, each in one group");
ABSL_FLAG(int, groups, 8, "groups");
ABSL_FLAG(absl::Duration, send_interval, absl::Milliseconds(50),
          "how often each client sends a message");
ABSL_FLAG(int, reconnects, 1, "each client must have lost its connection this often, at least");

namespace groupcast::tests {
namespace {

// The SDK itself sends again for 75 s; after that every send has its answer.
constexpr absl::Duration kSettlePatience = absl::Seconds(90);

std::string TextOf(int client, uint64_t number) { return absl::StrCat(client, " ", number); }

// The number of the message, or -1 as the client's number if it is none of ours.
std::pair<int, uint64_t> ParseText(const std::string& text) {
  int client = -1;
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [middle, error] = std::from_chars(text.data(), end, client);
  if (error != std::errc() || middle == end || *middle != ' ') return {-1, 0};
  const auto [rest, number_error] = std::from_chars(middle + 1, end, number);
  if (number_error != std::errc() || rest != end) return {-1, 0};
  return {client, number};
}

// A client in its group, which tells the ledger what happens.
class Member {
 public:
  Member(Place place, Ledger* ledger) : place_(place), ledger_(ledger) {
    ClientOptions options;
    options.url = absl::GetFlag(FLAGS_url);
    options.backoff_base = absl::Milliseconds(100);
    options.backoff_cap = absl::Seconds(1);
    options.on_state = [this](ConnectionState state, const absl::Status& /*reason*/) {
      if (state == ConnectionState::kConnected) ++connections_;
    };
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
    if (!client.ok()) throw Failure(client.status().ToString());
    client_ = *std::move(client);
    const uint64_t membership = ledger_->Join(place_);
    const absl::Status joins = client_->Join(
        Group(), JoinOptions(),
        [this, membership](const Message& message) {
          const auto [sender, number] = ParseText(message.text.value_or(""));
          ledger_->Delivered(place_, membership, sender, number, message.offset);
        },
        [this, membership](const absl::StatusOr<Joined>& joined) {
          if (joined.ok()) ledger_->Joined(place_, membership, joined->position.offset);
        },
        [this, membership](const Gap& gap) { ledger_->GapTold(place_, membership, gap.to); });
    if (!joins.ok()) throw Failure(joins.ToString());
  }

  void Send() {
    const uint64_t number = ledger_->Send(place_);
    const absl::Status sends =
        client_->Send(Group(), TextOf(place_.client, number),
                      [this, number](const absl::StatusOr<Position>& result) {
                        ledger_->Answered(place_, number, ToAnswer(result));
                      });
    if (!sends.ok()) ledger_->Answered(place_, number, {Answer::Kind::kNotDone});
  }

  int connections() const { return connections_; }
  void Close() { client_->Close(); }

 private:
  static Answer ToAnswer(const absl::StatusOr<Position>& result) {
    if (result.ok()) return {Answer::Kind::kAcknowledged, result->offset};
    if (absl::IsUnknown(result.status())) return {Answer::Kind::kUnknown};
    return {Answer::Kind::kNotDone};
  }
  std::string Group() const { return absl::StrCat("upgrade-", place_.group); }

  const Place place_;
  Ledger* const ledger_;
  std::atomic<int> connections_ = 0;
  std::unique_ptr<Client> client_;  // the last: its callbacks use the others
};

// Whether standard input has ended. Waits up to `patience` for that.
bool InputEnds(absl::Duration patience) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN};
  if (poll(&input, 1, static_cast<int>(absl::ToInt64Milliseconds(patience))) <= 0) return false;
  char byte;
  return read(STDIN_FILENO, &byte, 1) <= 0;
}

int Main() {
  const int groups = std::max(1, absl::GetFlag(FLAGS_groups));
  const int clients = std::max(1, absl::GetFlag(FLAGS_clients));
  Ledger ledger(groups, clients);
  std::vector<std::unique_ptr<Member>> members;
  for (int client = 0; client < clients; ++client)
    members.push_back(std::make_unique<Member>(Place{client % groups, client}, &ledger));
  WaitUntil("all have joined", [&] { return ledger.AllJoined(); });
  std::printf("ready\n");
  std::fflush(stdout);

  const absl::Duration step = absl::GetFlag(FLAGS_send_interval) / clients;
  for (size_t next = 0; !InputEnds(step); next = (next + 1) % members.size()) members[next]->Send();

  WaitUntil(
      "everything has come", [&] { return ledger.Settled(); }, kSettlePatience);
  int reconnects = INT32_MAX;  // of the client that has the fewest
  for (const std::unique_ptr<Member>& member : members) {
    reconnects = std::min(reconnects, member->connections() - 1);
    member->Close();
  }
  const Ledger::Counts counts = ledger.Judge();
  for (const std::string& finding : ledger.Findings()) std::printf("%s\n", finding.c_str());
  // An upgrade costs nobody a message: no send may be in doubt, and no member told of a gap.
  const bool passed = counts.Clean() && counts.sent == counts.acknowledged && counts.gaps == 0 &&
                      counts.sent > 0 && reconnects >= absl::GetFlag(FLAGS_reconnects);
  std::printf(
      "%s: %d clients, each with %d reconnects or more, sent %ld, acknowledged %ld, deliveries "
      "%ld, "
      "lost %ld, doubled %ld, reordered %ld, gaps %ld\n",
      passed ? "passed" : "FAILED", clients, reconnects, counts.sent, counts.acknowledged,
      counts.deliveries, counts.lost, counts.doubled, counts.reordered, counts.gaps);
  return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace groupcast::tests

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  groupcast::service::ParseCommandLine(
      argc, argv, "Clients that stay connected during an upgrade. See tools/package/trial.");
  try {
    return groupcast::tests::Main();
  } catch (const groupcast::tests::Failure& failure) {
    std::fprintf(stderr, "upgrade_clients: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
