#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_PRESENCE_WATCHER_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_PRESENCE_WATCHER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "services/channel/testing/event_queue.h"
#include "services/channel/testing/simulated_client.h"
#include "services/channel/testing/truth.h"

namespace groupcast::service::testing {

// A client that joins a group with presence, and keeps a view of its members: by the pages of
// group_members and the events after them. It reconnects by itself, and then begins its view anew.
class PresenceWatcher {
 public:
  struct Options {
    std::string group;
    std::string session;
    uint32_t limit = 1;               // members in a page
    bool sessions_count_once = true;  // else each connection is a member
  };
  // `find_host` returns a worker to connect to, or null. `stays` returns whether the connection
  // with this id is in the group, and its worker could be reached all the time: then it must not
  // leave the view.
  PresenceWatcher(const Options& options, EventQueue* events, Random* random, Truth* truth,
                  std::function<SimulatedHost*()> find_host, std::function<bool(uint64_t)> stays);
  ~PresenceWatcher();

  // Breaks the connection.
  void Cut();

  // Empty, or the reason why the view is not the truth. `members`: the connections in the group.
  std::string WhyNotAtRest(const std::set<uint64_t>& members) const;

  // From now on nobody may join or leave.
  void ExpectNoChange() { may_change_ = false; }

  // The visible ids, and since when they are there.
  const std::map<uint64_t, int64_t>& view() const { return view_; }
  uint64_t joins() const { return joins_; }
  uint64_t leaves() const { return leaves_; }
  uint64_t pages() const { return pages_; }

 private:
  void Connect();
  void OnText(const std::string& text);
  void OnCut();
  void Join();
  void AskPage();
  void Later(absl::Duration after, void (PresenceWatcher::*work)());

  const Options options_;
  EventQueue* const events_;
  Random* const random_;
  Truth* const truth_;
  const std::function<SimulatedHost*()> find_host_;
  const std::function<bool(uint64_t)> stays_;
  SimulatedHost* host_ = nullptr;
  std::shared_ptr<SimulatedConnection> connection_;
  uint64_t attempt_ = 0;  // of connecting
  std::map<uint64_t, int64_t> view_;
  std::string next_;  // the place of the next page; empty: the beginning
  bool complete_ = false;
  bool may_change_ = true;
  uint64_t joins_ = 0;
  uint64_t leaves_ = 0;
  uint64_t pages_ = 0;
  std::shared_ptr<PresenceWatcher*> self_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_PRESENCE_WATCHER_H_
