#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PRESENCE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PRESENCE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"
#include "services/channel_server/broker/broker_sink.h"
#include "services/channel_server/broker/present_group.h"

namespace groupcast::service {

struct PresenceOptions {
  PresentGroupOptions groups;
  // After a restart, no table counts as complete before this time: workers are on their way back.
  absl::Duration settle = absl::Seconds(5);
  // The time between two frames that find out whether a worker is still there.
  absl::Duration probe_period = absl::Milliseconds(250);

  // Bounds. Over them, the server refuses the watch, and its worker is told.
  size_t members_per_group_max = 100'000;
  size_t bytes_max = 256u << 20;  // of all tables
  size_t groups_max = 100'000;
  size_t groups_per_watcher_max = 10'000;

  // The workers that take part. Over it, the server does not answer new ones.
  size_t workers_max = 10'000;

  // The size of a frame, which one more member may exceed, the frames of one worker without
  // confirmation, and the bytes of one turn, which one more frame may exceed.
  size_t frame_bytes = 64u << 10;
  uint64_t frames_under_way_max = 4;
  size_t turn_bytes = 1u << 20;
};

// The server's part in presence. Workers watch groups. While a group is watched, all workers report
// its members, and the server keeps a table of them, and sends it with its changes to the watchers.
// Nothing is kept of other groups, and nothing is in the log: after a restart the workers tell all
// of it again.
//
// Each worker has a stream of numbered frames in both directions, which begins anew with each of
// its connections. A worker that has many frames without confirmation gets no more, so that
// acknowledgements and digests find room on its control link.
//
// A worker that cannot be reached is away. Its members stay until its lease ends.
//
// The caller gives the time. Not thread-safe.
class PresenceTables {
 public:
  explicit PresenceTables(const PresenceOptions& options) : options_(options) {}

  // Workers may be on their way back to this server, because it knew publishers when it began.
  void ExpectWorkers(absl::Time now);

  void OnFrame(PublisherId from, const channel::v1::PresenceFrame& frame, absl::Time now);

  // Ends what is due, and sends confirmations, probes, and a turn's part of the tables.
  void Send(absl::Time now, BrokerSink* sink);

  // There is more to send at once.
  bool has_more() const { return !ready_.empty(); }

  size_t group_count() const { return groups_.size(); }
  size_t bytes() const { return bytes_; }
  // The watches of all workers, and the members in all tables, also those that are not visible.
  size_t watch_count() const { return watch_count_; }
  size_t member_count() const { return member_count_; }
  // The table of a watched group. Null: it is not watched.
  const PresentGroup* Find(absl::string_view group_id) const;

 private:
  using Wire = channel::v1::PresenceGroup;

  // A watcher's place in a table.
  enum class Phase { kWaiting, kTable, kChanges };
  struct Group;

  // One worker and one group.
  struct Place {
    Wire::Switch untold = Wire::UNCHANGED;  // the switch that the worker was not told yet
    bool listing = false;                   // its list has begun since it was told
    bool declared = false;                  // its list was complete
    bool watches = false;
    Wire::Refusal refusal = Wire::NONE;  // that the worker was not told yet
    Phase phase = Phase::kWaiting;
    bool begun = false;        // of kTable: the first page was sent
    uint64_t next_id = 0;      // of kTable
    uint64_t next_change = 0;  // of kChanges, and after kTable
    std::set<uint64_t> kept;   // the worker's connections whose member's id it was not told
    bool queued = false;       // in the worker's queue
  };

  struct Group {
    Group(absl::string_view group_id, const PresentGroupOptions* options)
        : id(group_id), table(options) {}
    std::string id;
    PresentGroup table;
    size_t own_bytes = 0;        // besides the table's
    size_t counted_members = 0;  // of the table, in member_count_
    bool complete = false;
    // Of a group that is not watched, workers are told that nobody watches it, and then it goes.
    bool watched() const { return watchers > 0 || kept; }
    size_t watchers = 0;
    bool kept = false;  // its watchers may come back
    absl::Time kept_until;
    absl::Time deadline = absl::InfiniteFuture();
    std::map<PublisherId, Place> places;
  };

  struct Worker {
    uint64_t stream = 0;
    bool known = false;  // it has opened a stream
    bool away = false;
    absl::Time away_until;
    uint64_t received = 0;
    uint64_t sent = 0;
    uint64_t confirmed = 0;
    bool confirmation_due = false;
    bool stranger = false;  // it shall begin another stream
    absl::Time probe_at;
    size_t watches = 0;
    std::deque<Group*> queue;
    std::string unsent;  // a frame that found no room
    bool ready = false;  // in ready_
  };

  // The worker shall begin another stream.
  void BecomeStranger(Worker* worker);
  void Open(PublisherId id, Worker* worker, const channel::v1::PresenceFrame& frame,
            absl::Time now);
  void OnGroup(PublisherId from, const Wire& news, absl::Time now);
  void Watch(PublisherId from, Worker* worker, const std::string& group_id);
  void EndWatch(PublisherId from, Group* group);
  // Ends the watch and tells its worker why.
  void RefuseWatch(PublisherId from, Group* group, Wire::Refusal refusal);
  // Refuses the watches of all workers.
  void RefuseAll(Group* group, Wire::Refusal refusal);
  // While there are too many bytes, refuses the group with the largest table, and at last this one.
  void KeepBytesBounded(const std::string& group_id);
  void EndIfUnwatched(Group* group);
  void OnAway(PublisherId id, absl::Time now);
  void OnEnded(PublisherId id, absl::Time now);
  void DropPlaces(PublisherId id, absl::Time now, absl::Time keep_until);
  void CompleteIfAllDeclared(Group* group);
  void CompleteWhatIs();
  void OnTableChanged(Group* group, size_t bytes_before);
  void Reschedule(Group* group);
  void QueueWatchers(Group* group);
  void Queue(PublisherId id, Group* group);
  void MakeReady(PublisherId id, Worker* worker);
  bool MaySend(const Worker& worker) const;
  void EraseIfTold(Group* group);

  // Returns the frame's size; 0: it was not sent.
  size_t SendNext(PublisherId id, Worker* worker, BrokerSink* sink, absl::Time now);
  // Adds the group's news for the worker to the frame. False: there is more of it.
  bool AddNews(PublisherId id, Group* group, channel::v1::PresenceFrame* frame, size_t* bytes);
  // Adds ids of members to the news, for connections that the worker has.
  void AddKept(PublisherId id, Group* group, Wire* news, size_t* bytes);
  void AddTable(Group* group, Place* place, Wire* news, size_t* bytes);
  void AddChanges(Group* group, Place* place, Wire* news, size_t* bytes);
  BrokerSink::Sent SendFrame(PublisherId id, Worker* worker, absl::string_view frame,
                             BrokerSink* sink, absl::Time now);
  std::string EmptyFrame(Worker* worker) const;

  const PresenceOptions options_;
  bool has_begun_ = false;
  absl::Time began_;
  absl::Time settled_at_ = absl::InfinitePast();
  bool settling_ = false;
  std::map<std::string, std::unique_ptr<Group>, std::less<>> groups_;
  std::map<PublisherId, Worker> workers_;
  // Groups with something in their tables, by its bytes.
  std::set<std::pair<size_t, absl::string_view>> by_bytes_;
  std::set<std::pair<absl::Time, std::string>> deadlines_;  // of groups
  std::set<std::pair<absl::Time, std::string>> kept_;       // groups, until their kept_until
  std::deque<PublisherId> ready_;                           // workers that can be sent something
  absl::Time next_probe_ = absl::InfinitePast();
  bool must_probe_ = false;        // also without groups: too many workers are known
  bool has_away_ = false;          // some workers are away
  bool has_small_frames_ = false;  // confirmations or frames that found no room
  size_t bytes_ = 0;
  size_t watch_count_ = 0;
  size_t member_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_PRESENCE_H_
