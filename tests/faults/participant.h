#ifndef GROUPCAST_TESTS_FAULTS_PARTICIPANT_H_
#define GROUPCAST_TESTS_FAULTS_PARTICIPANT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "groupcast/client.h"
#include "tests/faults/ledger.h"
#include "tests/faults/return_clock.h"

namespace groupcast::tests {

// A WebSocket client of the SDK in its groups, which tells the ledger what happens. Of one thread.
class Participant {
 public:
  // `ledger` and `return_clock` must outlive it. Throws Failure if there can be no such client.
  Participant(int number, uint16_t port, std::vector<int> groups, Ledger* ledger,
              ReturnClock* return_clock);

  const std::vector<int>& groups() const { return groups_; }

  // Thread-safe. Does nothing while the client has too many unanswered sends.
  void Send(int group);

  // Leaves the last of its groups, and joins it again in one of the ways there are to do that.
  void LeaveLast();
  void JoinLast(uint64_t how);
  bool left() const { return left_; }

  void Close() { client_->Close(); }

 private:
  void JoinAs(int group, uint64_t membership, const JoinOptions& options);

  const int number_;
  const std::vector<int> groups_;
  Ledger* const ledger_;
  ReturnClock* const return_clock_;
  std::atomic<int> unanswered_ = 0;
  bool left_ = false;
  uint64_t left_at_ = 0;
  std::mutex mutex_;
  std::string epoch_;
  std::unique_ptr<Client> client_;  // the last: its callbacks use the others
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_PARTICIPANT_H_
