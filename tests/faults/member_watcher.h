#ifndef GROUPCAST_TESTS_FAULTS_MEMBER_WATCHER_H_
#define GROUPCAST_TESTS_FAULTS_MEMBER_WATCHER_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/support/event.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {

// A member that watches the members of its group, in a thread of its own. It joins with presence,
// keeps a view by the events, and reads the members again and again. It reconnects by itself, and
// then begins its view anew. Everything that contradicts its view is a finding.
class MemberWatcher {
 public:
  struct Options {
    uint16_t port = 0;
    std::string group;  // with at most 500 members
    std::string session;
    std::string token;
  };
  using View = std::map<std::string, std::string>;  // connection id and user
  struct Counts {
    int64_t connections = 0;
    int64_t pages = 0;
    int64_t joins = 0;
    int64_t leaves = 0;
  };

  explicit MemberWatcher(Options options);
  ~MemberWatcher();
  MemberWatcher(const MemberWatcher&) = delete;
  MemberWatcher& operator=(const MemberWatcher&) = delete;

  // nullopt: the view is not complete.
  std::optional<View> view() const;
  Counts counts() const;
  std::vector<std::string> findings() const;
  // From now on a change by anybody but this user is a finding.
  void ExpectNoChangeBut(const std::string& user);

 private:
  void Run(const std::stop_token& stop);
  // Watches over one connection. Returns or throws Failure when it has ended.
  void Watch(const std::stop_token& stop);
  void Take(const Event& event, TestClient* client);
  void TakePage(const Event& page);
  void TakeChange(const Event& event, bool joined);
  void Find(absl::string_view what, const Event& event);

  const Options options_;
  mutable std::mutex mutex_;
  // Of the thread, and of others under the lock.
  View view_;
  bool complete_ = false;
  Counts counts_;
  std::vector<std::string> findings_;
  std::optional<std::string> may_change_;  // the only user that may; nullopt: all
  // Of the thread alone.
  bool may_read_ = false;  // it has joined, and no read is under way
  std::jthread thread_;    // the last: it uses the others
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_MEMBER_WATCHER_H_
