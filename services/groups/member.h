#ifndef GROUPCAST_SERVICES_GROUPS_MEMBER_H_
#define GROUPCAST_SERVICES_GROUPS_MEMBER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/channel/fingerprint.h"
#include "services/groups/traffic_class.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service {

struct Group;

// Distinct over all workers and their incarnations: random, so that it can be shown to clients.
enum class ConnectionId : uint64_t {};

// What the groups know of a connection. It must be removed from the table (LeaveAll) before it is
// destroyed.
class Member {
 public:
  explicit Member(ConnectionId id) : connection_id_(id) {}
  virtual ~Member() = default;
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Queues a frame; a connection that is closing drops it. Must not change the group table.
  virtual void Send(const SharedBytes& frame, TrafficClass traffic_class) = 0;

  // Whether a frame of `frame_bytes` that recovers may be sent now, so that neither it nor what
  // comes live will be too much. If not, GroupService::OnDrained is to be called when there is
  // room again.
  virtual bool HasRoomFor(size_t frame_bytes) const = 0;

  // What its commands waited for has come: they may go on.
  virtual void ResumeCommands() = 0;

  // Whether it gets messages in the v1 envelope, rather than bare.
  virtual bool v1() const = 0;

  ConnectionId connection_id() const { return connection_id_; }
  size_t group_count() const { return memberships_.size(); }

  // The session that the client named; a session of its own if it named none.
  const Fingerprint& session();
  void set_session(const Fingerprint& session) { session_ = session; }

  // Joins and looks into the history that the channel has not answered yet. Other commands wait for
  // them.
  int32_t pending_answers = 0;
  // Its memberships that are not live yet. While there are any, GroupService::OnDrained is to be
  // called when its outbox has drained.
  uint32_t recoveries = 0;
  // It is among those whose sends wait for room in the channel.
  bool waits_for_room = false;

 private:
  friend class GroupTable;
  struct Membership {
    Group* group;
    uint32_t place;  // in the group's members
  };
  const ConnectionId connection_id_;
  Fingerprint session_;  // empty: it named none, and nobody has asked
  std::vector<Membership> memberships_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_MEMBER_H_
