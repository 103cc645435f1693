#ifndef GROUPCAST_SERVICES_GROUPS_CONNECTION_ACCESS_H_
#define GROUPCAST_SERVICES_GROUPS_CONNECTION_ACCESS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/access/access_policy.h"
#include "services/common/clock.h"
#include "services/groups/authenticator.h"
#include "services/groups/group_presence.h"
#include "services/groups/group_table.h"
#include "services/groups/member.h"
#include "services/groups/memberships.h"
#include "services/groups/refusals.h"
#include "services/groups/user_limits.h"
#include "services/protocol/command.h"

namespace groupcast::service {

// The access of a worker's connections: takes their tokens, answers commands without the right for
// them, takes members out of groups that they may not be in any more, and ends connections without
// a valid token. Authenticator decides about tokens, and AccessPolicy about rights.
//
// Not thread-safe.
class ConnectionAccess {
 public:
  // What the end of a right touches. All must outlive it.
  struct Parts {
    const Clock* clock;
    GroupTable* table;
    Memberships* memberships;
    GroupPresence* presence;
    UserLimits* users;
    Refusals* refusals;
    std::function<Member*(ConnectionId)> find;  // a connection of this worker; null: it is gone
  };
  ConnectionAccess(const AuthenticatorOptions& options, Parts parts)
      : parts_(std::move(parts)), authenticator_(options, parts_.clock) {}

  // The connection is new. The time for its token begins, if it needs one.
  void Add(Member* member) { authenticator_.Add(member); }
  // The connection is gone.
  void Remove(Member* member) { authenticator_.Remove(member); }

  // As GroupService::Identify and Admit.
  absl::Status Identify(Member* member, absl::string_view token);
  void Admit(Member* member, const absl::Status& identified);

  // Carries out an authenticate.
  void Authenticate(Member* member, const Command& command);

  // Whether the member may give the command, as far as its connection goes: some need a token
  // before.
  bool HasShownToken(const Member& member, const Command& command) const;

  // Whether the member may do what its command asks for. If not, it has the answer. MayJoin takes
  // the token of the join, if there is one.
  bool MayJoin(Member* member, const Command& command);
  bool MayRead(Member* member, const Command& command);
  bool MayObserve(Member* member, const Command& command);
  // Also of a group that it is not in.
  bool MayLeave(Member* member, const Command& command);

  // The member leaves the group, and needs the token for it no more.
  void DropGroupToken(Member* member, absl::string_view group_id) {
    authenticator_.DropGroupToken(member, group_id);
  }

  // An operator takes these members out of their group, and they are told. They may join again if
  // they have the right.
  void ExpelAll(Group* group, const std::vector<Member*>& members, absl::string_view reason);

  // Acts on the tokens that have ended. The worker calls it on each tick.
  void CheckDeadlines();

  // Connections that were closed, because their users had too many.
  uint64_t over_user_connections() const { return over_user_connections_; }

 private:
  // Whether the member has the right. If not, it has the answer.
  bool Has(Right right, Member* member, const Command& command);
  // Whether the check of a right has passed. If not, the member gets the answer.
  bool Passes(const absl::Status& status, Member* member, const Command& command);
  // Counts the connection for its user. kResourceExhausted: the user has too many.
  absl::Status CountUser(Member* member);
  // Tells that the user has too many connections, and ends this one. `id` and `command`: of the
  // command that is answered; empty: of none.
  void RefuseConnection(Member* member, const absl::Status& why, const std::string& id,
                        absl::string_view command);
  // Tells why a token was refused, and ends the connection if it has to go.
  void RefuseToken(Member* member, const absl::Status& why, const CommandError& error);
  // Takes the member out of the groups that it may not be in any more.
  void LeaveForbidden(Member* member, absl::string_view reason);
  void EndForbiddenInterest(const Group& group, Member* member);
  // The token for the group has ended. Returns whether the member has left the group.
  bool EndGroupToken(Member* member, absl::string_view group_id);
  // It may have joined more groups than its user may be in, before it had the user.
  void LeaveOverLimit(Member* member);
  // Commands of these connections may have waited for a join that is no more. They resume.
  void Resume(const std::vector<ConnectionId>& connections);
  // Takes the member out of the group, and tells it.
  void Expel(Group* group, Member* member, ErrorCode code, absl::string_view reason);

  const Parts parts_;
  Authenticator authenticator_;
  uint64_t over_user_connections_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_CONNECTION_ACCESS_H_
