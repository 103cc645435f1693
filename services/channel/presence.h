#ifndef GROUPCAST_SERVICES_CHANNEL_PRESENCE_H_
#define GROUPCAST_SERVICES_CHANNEL_PRESENCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/fingerprint.h"

namespace groupcast::service {

// A member of a group, on any worker.
struct PresentMember {
  // The id of the connection with which the member came. A member that comes back in time keeps it.
  uint64_t connection_id = 0;
  std::string user;  // empty: none
  std::string info;  // JSON; empty: none
  // Stands for the user, or else for the session. Of two connections with the same one, the second
  // may be the successor of the first. Empty: the connection has neither. Views do not have it.
  Fingerprint identity;
  // All connections of one session are one member. Empty: the client named none. Views do not have
  // it.
  Fingerprint session;
  int64_t since_ms = 0;  // since 1970 UTC
};

// The members of a group, by connection id.
using PresenceView = std::map<uint64_t, PresentMember>;

// A process with members, which it reports, and with users of views. The engine calls it from its
// loop, and never from inside a call to Presence. The listener may call Presence from inside each
// of these methods.
class PresenceListener {
 public:
  // Somebody watches the group, so the engine reports this process's members. Returns their
  // connection ids. From now on the owner tells the engine each join and leave.
  virtual std::vector<uint64_t> MembersOf(absl::string_view group_id) = 0;
  // nullopt: the connection is not in the group now.
  virtual std::optional<PresentMember> FindMember(absl::string_view group_id,
                                                  uint64_t connection_id) = 0;

  // The view of a watched group is complete: for the first time, or again after a lost connection.
  virtual void OnViewComplete(absl::string_view group_id) = 0;
  // The view has changed. The engine calls these methods only after the first OnViewComplete. A
  // join of a connection id that the view has already brings new data of that member.
  virtual void OnMemberJoined(absl::string_view group_id, const PresentMember& member) = 0;
  virtual void OnMemberLeft(absl::string_view group_id, const PresentMember& member) = 0;
  // The watch has ended, because it would exceed a bound. kResourceExhausted: the group has too
  // many members. kUnavailable: too many groups are watched, or their members use too much memory.
  virtual void OnWatchRefused(absl::string_view group_id, const absl::Status& why) = 0;

 protected:
  ~PresenceListener() = default;
};

// The members of groups over all workers. An engine may lack it (Channel::presence). It costs
// nothing for groups that nobody watches.
//
// A view is the truth at rest. It follows the truth with some delay:
//   - A member of a worker that dies leaves within 15 s.
//   - A client with an identity that loses its connection and comes back within the grace time does
//     not leave. Its member keeps its connection id.
//   - A second connection of an identity, with another session or without one, appears after up to
//     a second. Until then it may be the first one's successor.
//   - A restart of the server changes no view, if all workers come back within some seconds.
// Views have no order with the messages of the group.
//
// Not thread-safe; see Channel.
class Presence {
 public:
  virtual ~Presence() = default;

  // Must be called before all other methods, and `listener` must outlive the engine.
  virtual void SetListener(PresenceListener* listener) = 0;

  // Begins to watch the group, if it is not watched yet.
  virtual void Watch(absl::string_view group_id) = 0;
  // After this call the listener gets nothing of the group's view.
  virtual void Unwatch(absl::string_view group_id) = 0;
  // A watch of one more group would not be refused by this process. If it would, Unwatch of another
  // one makes room at once.
  virtual bool HasRoomToWatch() const = 0;
  // Null: the group is not watched, or the view is not complete now. The pointer is valid until the
  // next call of the listener or of a method of Presence.
  virtual const PresenceView* View(absl::string_view group_id) const = 0;

  // A connection of this process has joined or left the group. `connection_lost`: it ended, and its
  // client may come back.
  virtual void OnJoin(absl::string_view group_id, uint64_t connection_id) = 0;
  virtual void OnLeave(absl::string_view group_id, uint64_t connection_id,
                       bool connection_lost) = 0;

  // The connections of this process whose members have this id in the group, or in any group if
  // `group_id` is empty: those that have kept the id of an earlier connection, or of another one of
  // their session. A connection with this id itself need not be among them.
  virtual std::vector<uint64_t> ConnectionsOf(uint64_t member_id,
                                              absl::string_view group_id) const = 0;
  // The ids that it looks at for this, if `group_id` is empty.
  virtual size_t kept_ids() const = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_PRESENCE_H_
