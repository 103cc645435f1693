#ifndef GROUPCAST_SERVICES_GROUPS_MEMBER_H_
#define GROUPCAST_SERVICES_GROUPS_MEMBER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/fingerprint.h"
#include "services/common/shared_bytes.h"
#include "services/common/token_bucket.h"
#include "services/groups/encoding.h"
#include "services/groups/input_share.h"
#include "services/groups/send_rates.h"
#include "services/groups/traffic_class.h"
#include "services/protocol/close_code.h"

namespace groupcast::service {

struct Group;
struct MemberAccess;

// Ids are random, so clients may see them. They differ between all workers, and between a worker
// and its successor.
enum class ConnectionId : uint64_t {};

// The session that a user's clients have who name `session`. It is of no use to another user.
Fingerprint SessionOfUser(absl::string_view user, const Fingerprint& session);

// A connection from the view of the groups. It must leave the table (GroupTable::LeaveAll) before
// it is destroyed.
class Member {
 public:
  // `encoding` must outlive the member.
  Member(ConnectionId id, const Encoding* encoding);
  virtual ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Queues bytes from its encoding. A connection that is closing drops them. Must not change the
  // group table.
  virtual void Send(const SharedBytes& bytes, TrafficClass traffic_class) = 0;

  // Whether the connection may send a block of `bytes` from the history now, and still has room for
  // live messages. If not, the connection calls GroupService::OnDrained when it has room again.
  virtual bool HasRoomFor(size_t bytes) const = 0;

  // Sends a reply, an error or another event for this member only. `json` is an event from event.h.
  void Reply(absl::string_view json) { Reply(json, {}, TrafficClass::kInteractive); }
  // The same, with the event in two parts.
  void Reply(absl::string_view head, absl::string_view rest, TrafficClass traffic_class);

  // Ends the connection, for this reason. The member gets nothing after this call. Must not change
  // the group table.
  virtual void Disconnect(CloseCode code, absl::string_view reason) = 0;

  // It is a connection that stays, and not a single request.
  virtual bool is_lasting() const { return true; }

  // Its commands waited, and may continue now.
  virtual void ResumeCommands() = 0;

  // The encoding of its messages, gaps, replies and errors.
  const Encoding& encoding() const { return *encoding_; }

  ConnectionId connection_id() const { return connection_id_; }
  size_t group_count() const { return memberships_.size(); }

  // The session that the client named. A client without a name for its session has its own session.
  // The session of a user is of no use to another.
  const Fingerprint& session();
  void set_session(const Fingerprint& session) {
    session_ = session;
    has_named_session_ = !session.empty();
  }
  // The session, if the client named it. Empty: it did not.
  Fingerprint named_session() const { return has_named_session_ ? session_ : Fingerprint(); }
  // The session is this user's from now on. It must not be a user's yet.
  void BindSession(absl::string_view user);

  // The number of joins and reads of history that the channel has not answered yet. Other commands
  // wait for them.
  int32_t pending_answers = 0;
  // The number of its sends that have no answer yet.
  uint32_t pending_sends = 0;
  // The number of its memberships that are not live yet. While it is not 0, the connection calls
  // GroupService::OnDrained each time its outbox has drained.
  uint32_t recoveries = 0;
  // Its next read of history begins here at the earliest, on the scale of HistoryReads.
  uint64_t read_bytes = 0;
  // What it has shown of its rights. Null: nothing. Authenticator owns what is in it.
  std::unique_ptr<MemberAccess> access;
  // What its commands may still cost. GroupService counts.
  TokenBucket command_tokens;
  // What it may still send to groups with a rate. Null: it has sent to none. GroupService counts.
  std::unique_ptr<SendRates> send_rates;
  // What it has sent of late. The connection counts.
  InputShare input_share;
  // The number of its groups for which it gets the events of joins and leaves.
  uint32_t presence_interests = 0;
  // It is in the queue of members with sends that wait for room in the channel.
  bool waits_for_room = false;

 protected:
  // Must come before it joins its first group. `encoding` must outlive the member.
  void set_encoding(const Encoding* encoding) { encoding_ = encoding; }

 private:
  friend class GroupTable;
  struct Membership {
    Group* group;
    uint32_t place;  // in the group's members
  };
  const Encoding* encoding_;
  const ConnectionId connection_id_;
  bool has_named_session_ = false;
  Fingerprint session_;  // empty: the client named none, and session() has not run yet
  std::vector<Membership> memberships_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_MEMBER_H_
