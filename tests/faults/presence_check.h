#ifndef GROUPCAST_TESTS_FAULTS_PRESENCE_CHECK_H_
#define GROUPCAST_TESTS_FAULTS_PRESENCE_CHECK_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/faults/member_watcher.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {

// Whether views of the members of a group are the truth, when everybody is back and nobody leaves.
// Blocks while it checks.
class PresenceCheck {
 public:
  // The watchers' group, and a port of the WebSocket service. `server` must outlive it.
  PresenceCheck(std::string group_id, uint16_t port, ChannelServer* server)
      : group_id_(std::move(group_id)), port_(port), server_(server) {}

  // Every view becomes `users`, and a death of the channel server changes none. Returns what is
  // wrong, in words.
  std::vector<std::string> Run(const std::vector<std::unique_ptr<MemberWatcher>>& watchers,
                               std::multiset<std::string> users);

 private:
  // A further member, when the channel is back.
  TestClient JoinMark();

  const std::string group_id_;
  const uint16_t port_;
  ChannelServer* const server_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_PRESENCE_CHECK_H_
