#ifndef GROUPCAST_TESTS_FAULTS_STREAM_MEMBER_H_
#define GROUPCAST_TESTS_FAULTS_STREAM_MEMBER_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/faults/ledger.h"
#include "tests/faults/return_clock.h"
#include "tests/support/event.h"
#include "tests/support/http_client.h"

namespace groupcast::tests {

// A member of groups over one stream of Server-Sent Events, in a thread of its own. It comes back
// with Last-Event-ID, and tells the ledger what happens. It also checks what only the stream itself
// shows: each message names the one before it, and each id is the position of all groups.
class StreamMember {
 public:
  struct Options {
    int client = 0;  // the member's number for the ledger
    uint16_t port = 0;
    std::vector<int> groups;
    std::string token;
  };
  struct Counts {
    int64_t streams = 0;     // that have begun
    int64_t recovered = 0;   // of these, those that went on from an id
    int64_t deliveries = 0;  // of messages
    int64_t gaps = 0;

    Counts& operator+=(const Counts& other);
  };

  // `ledger` and `return_clock` must outlive it.
  StreamMember(Options options, Ledger* ledger, ReturnClock* return_clock);

  const std::vector<int>& groups() const { return options_.groups; }
  Counts counts() const;
  std::vector<std::string> findings() const;

 private:
  struct Membership {
    uint64_t number = 0;  // for the ledger
    std::string epoch;
    int64_t offset = 0;
  };

  void Run(const std::stop_token& stop);
  // Follows one stream. Returns or throws Failure when it has ended.
  void Follow(const std::stop_token& stop);
  // False: the stream is over.
  bool Take(const StreamEvent& event);
  // All of the groups, at the begin of a stream.
  void TakeJoins();
  void TakeMessage(const JsonObject& message);
  void TakeGap(const JsonObject& gap);
  // The place of the event's group in the request; nullopt is a finding.
  std::optional<size_t> GroupOf(const JsonObject& event);
  // The id of a stream at these positions.
  std::string ExpectedId() const;
  void Find(absl::string_view what, absl::string_view text);
  void Count(int64_t Counts::*what);

  const Options options_;
  Ledger* const ledger_;
  ReturnClock* const return_clock_;
  // Of the thread alone.
  std::vector<Membership> memberships_;  // in the order of the groups
  std::vector<JsonObject> joins_;        // of a stream that begins
  std::string id_;                       // empty: it has never joined
  mutable std::mutex mutex_;
  Counts counts_;
  std::vector<std::string> findings_;
  std::jthread thread_;  // the last: it uses the others
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_STREAM_MEMBER_H_
