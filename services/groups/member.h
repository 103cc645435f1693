#ifndef GROUPCAST_SERVICES_GROUPS_MEMBER_H_
#define GROUPCAST_SERVICES_GROUPS_MEMBER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/fingerprint.h"
#include "services/common/shared_bytes.h"
#include "services/groups/encoding.h"
#include "services/groups/traffic_class.h"

namespace groupcast::service {

struct Group;

// Ids are random, so they can be shown to clients. They are distinct over all workers and over all
// incarnations of a worker.
enum class ConnectionId : uint64_t {};

// A connection as the groups know it. It must leave the table (GroupTable::LeaveAll) before it is
// destroyed.
class Member {
 public:
  // `encoding` must outlive the member.
  Member(ConnectionId id, const Encoding* encoding) : encoding_(encoding), connection_id_(id) {}
  virtual ~Member() = default;
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Queues bytes that its encoding made. A connection that is closing drops them. Must not change
  // the group table.
  virtual void Send(const SharedBytes& bytes, TrafficClass traffic_class) = 0;

  // Whether a block of `bytes` from the history may be sent now, and still leaves room for live
  // messages. If not, the connection calls GroupService::OnDrained when it has room again.
  virtual bool HasRoomFor(size_t bytes) const = 0;

  // Sends a reply, an error or another event that concerns this member alone. `json` is an event as
  // event.h makes it.
  void Reply(absl::string_view json);

  // Its commands waited for something that has come. They may go on.
  virtual void ResumeCommands() = 0;

  // The form in which it gets messages, gaps, replies and errors.
  const Encoding& encoding() const { return *encoding_; }

  ConnectionId connection_id() const { return connection_id_; }
  size_t group_count() const { return memberships_.size(); }

  // The session that the client named. A client that named none has a session of its own.
  const Fingerprint& session();
  void set_session(const Fingerprint& session) { session_ = session; }

  // Joins and reads of history that the channel has not answered yet. Other commands wait for them.
  int32_t pending_answers = 0;
  // Its memberships that are not live yet. While there are any, the connection calls
  // GroupService::OnDrained each time when its outbox has drained.
  uint32_t recoveries = 0;
  // It is in the queue of members whose sends wait for room in the channel.
  bool waits_for_room = false;

 protected:
  // Only before it joins its first group. `encoding` must outlive the member.
  void set_encoding(const Encoding* encoding) { encoding_ = encoding; }

 private:
  friend class GroupTable;
  struct Membership {
    Group* group;
    uint32_t place;  // in the group's members
  };
  const Encoding* encoding_;
  const ConnectionId connection_id_;
  Fingerprint session_;  // empty: the client named none, and session() was not called yet
  std::vector<Membership> memberships_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_MEMBER_H_
