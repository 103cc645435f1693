#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_PRESENCE_CLIENT_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_PRESENCE_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/presence.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/zmq/channel_client_options.h"
#include "services/channel/zmq/channel_links.h"
#include "services/common/clock.h"

namespace groupcast::service {

// A worker's part in presence (docs/channel_wire.md). It reports this worker's members of the
// groups that anybody watches, and keeps the views of the groups that this worker watches.
//
// News of both directions go in a stream of numbered frames. The stream begins anew with each
// connection: then the server gets all watches and lists again, and sends all views again. Until a
// view is complete again, it is not given out, and its difference to the old one becomes events.
//
// Frames leave in Flush, once in a turn, and those with reports not in each turn. So changes share
// frames. While many
// frames have no confirmation, changes wait here. A group with more waiting changes than members
// lists its members anew.
//
// Logic only. Not thread-safe.
class PresenceClient final : public Presence {
 public:
  // All pointers must outlive it.
  PresenceClient(const PresenceClientOptions& options, const Clock* clock, ChannelLinks* links)
      : options_(options), clock_(clock), links_(links) {}
  PresenceClient(const PresenceClient&) = delete;
  PresenceClient& operator=(const PresenceClient&) = delete;

  // A connection has its first answer to hello. `server_takes_part`: the server knows presence.
  void OnConnected(bool server_takes_part);
  void OnDisconnected();
  void OnFrame(const channel::v1::PresenceFrame& frame);

  // Sends what is due. Returns whether it has sent or told anything. The owner calls it in each
  // turn, after the calls of the other methods, and outside of them.
  bool Flush();

  // Flush has something to send.
  bool is_due() const {
    return !refused_.empty() ||
           (connected_ && (says_watches() || (!queue_.empty() && may_report())));
  }

  // The worker ends, and has no connections any more: its members leave now.
  void End();

  // Presence.
  void SetListener(PresenceListener* listener) override { listener_ = listener; }
  void Watch(absl::string_view group_id) override;
  void Unwatch(absl::string_view group_id) override;
  bool HasRoomToWatch() const override { return watched_.size() < options_.watches_max; }
  const PresenceView* View(absl::string_view group_id) const override;
  void OnJoin(absl::string_view group_id, uint64_t connection_id) override;
  void OnLeave(absl::string_view group_id, uint64_t connection_id, bool connection_lost) override;
  std::vector<uint64_t> ConnectionsOf(uint64_t member_id,
                                      absl::string_view group_id) const override;
  size_t kept_ids() const override { return kept_ids_; }

  size_t view_bytes() const { return view_bytes_; }
  // For tests: the groups that have a report to send, and those with a switch that the server does
  // not know.
  size_t report_count() const { return reports_.size(); }
  size_t untold_count() const { return untold_.size() + untold_ends_.size(); }

 private:
  bool says_watches() const { return !untold_.empty() || !untold_ends_.empty(); }
  bool may_report() const { return clock_->Now() >= next_report_; }

  enum class News : uint8_t { kJoined, kLeft, kLost };
  struct Change {
    uint64_t connection_id;
    News news;
  };
  // What this worker still has to report of a group that somebody watches.
  struct Report {
    std::vector<Change> changes;  // not sent yet
    bool list_begins = false;     // the list was not begun yet
    size_t list_left = 0;         // of the changes, those that are the list; then it ends
    bool list_ends = false;       // its end was not sent yet
    bool queued = false;
  };
  // The member that stands for a connection, if it has another id.
  struct Kept {
    uint64_t member_id;
    int64_t since_ms;
  };
  struct Watched {
    PresenceView view;
    size_t bytes = 0;            // of the view
    size_t ranked_bytes = 0;     // the same, as by_bytes_ has it
    bool told = false;           // the server knows the watch
    bool complete = false;       // the view may be given out
    bool was_complete = false;   // the listener knows it
    bool building = false;       // the server sends the whole table
    std::set<uint64_t> unnamed;  // while building: the old members without news
  };

  void Open();
  // Forgets what the server knows, and what it has asked for.
  void ForgetServer();
  // The member as the server gets it.
  void Describe(const std::string& group_id, const PresentMember& member,
                channel::v1::PresentMember* wire) const;
  void BeginList(const std::string& group_id, Report* report);
  void AddChange(absl::string_view group_id, Change change);
  void Queue(const std::string& group_id, Report* report);
  void OnKept(const std::string& group_id, const channel::v1::KeptMember& kept);
  void OnGroup(const channel::v1::PresenceGroup& news);
  void OnTable(const std::string& group_id, const channel::v1::PresenceGroup& news);
  void OnJoined(const std::string& group_id, const channel::v1::PresentMember& wire);
  void OnLeft(const std::string& group_id, uint64_t connection_id);
  // Ranks the group by its bytes, and ends watches while there are too many bytes.
  void CountBytes(const std::string& group_id);
  void Refuse(const std::string& group_id, const absl::Status& why);
  bool SendFrame();
  bool SendUnsent();
  bool AddReport(const std::string& group_id, Report* report, channel::v1::PresenceFrame* frame,
                 size_t* bytes);

  const PresenceClientOptions options_;
  const Clock* const clock_;
  ChannelLinks* const links_;
  PresenceListener* listener_ = nullptr;

  bool connected_ = false;  // to a server that takes part
  uint64_t stream_ = 0;
  bool opened_ = false;     // the stream's first frame was sent
  bool answered_ = false;   // the server has confirmed it
  bool came_back_ = false;  // an earlier stream was answered
  absl::Time open_again_at_;
  uint64_t sent_ = 0;
  uint64_t confirmed_ = 0;
  uint64_t received_ = 0;
  bool confirmation_due_ = false;
  std::string unsent_;  // a frame for which the link had no room

  absl::node_hash_map<std::string, Watched> watched_;
  // The watched groups with members, by the bytes of their views.
  std::set<std::pair<size_t, std::string>> by_bytes_;
  // Groups with a watch that the server does not know, and whether it knows an earlier one. A watch
  // that has ended before the server knew it needs no word.
  std::map<std::string, bool> untold_;
  // Groups with a watch that has ended, and that the server still knows. Ends go first: they make
  // room for watches.
  std::set<std::string> untold_ends_;
  // Watches that were over this worker's bound. Flush tells the listener.
  std::deque<std::string> refused_;
  // The groups that somebody watches. Most of them have no members here, so they are only ids. The
  // server bounds their number.
  absl::flat_hash_set<std::string> asked_;
  absl::node_hash_map<std::string, Report> reports_;
  std::deque<std::string> queue_;  // groups with reports to send
  absl::Time next_report_ = absl::InfinitePast();
  // By group and connection. Streams and servers may end; a connection keeps its member until it
  // leaves the group, or until the server says that nobody watches the group.
  using KeptOfGroup = absl::flat_hash_map<uint64_t, Kept>;
  absl::node_hash_map<std::string, KeptOfGroup> kept_;
  size_t kept_ids_ = 0;  // of all groups
  size_t view_bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_PRESENCE_CLIENT_H_
