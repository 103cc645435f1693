#include "services/groups/connection_access.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/groups/member_access.h"
#include "services/protocol/event.h"

namespace groupcast::service {
namespace {

CloseCode CloseCodeOf(const absl::Status& refused) {
  return absl::IsDeadlineExceeded(refused) ? CloseCode::kTokenExpired
                                           : CloseCode::kNotAuthenticated;
}

}  // namespace

absl::Status ConnectionAccess::Identify(Member* member, absl::string_view token) {
  // Without keys, the token is meant for somebody else, such as a proxy.
  if (token.empty() || authenticator_.policy().tokens() == nullptr) return absl::OkStatus();
  const absl::Status status = authenticator_.Authenticate(member, token).status();
  return status.ok() ? CountUser(member) : status;
}

void ConnectionAccess::Admit(Member* member, const absl::Status& identified) {
  if (absl::IsResourceExhausted(identified)) return RefuseConnection(member, identified, "", "");
  if (!identified.ok()) {
    parts_.refusals->CountAccess();
    parts_.refusals->Tell(
        member, {.code = ErrorCodeOf(identified), .message = std::string(identified.message())});
    return member->Disconnect(CloseCodeOf(identified), identified.message());
  }
  parts_.memberships->JoinPersonalGroup(member);
}

bool ConnectionAccess::HasShownToken(const Member& member, const Command& command) const {
  return command.kind == Command::Kind::kAuthenticate || command.kind == Command::Kind::kPing ||
         !authenticator_.NeedsToken(member);
}

void ConnectionAccess::Authenticate(Member* member, const Command& command) {
  const absl::StatusOr<absl::Time> end = authenticator_.Authenticate(member, command.token);
  if (!end.ok()) {
    return RefuseToken(member, end.status(),
                       CommandErrorOf(end.status(), command.id, command.kind));
  }
  if (absl::Status status = CountUser(member); !status.ok()) {
    return RefuseConnection(member, status, command.id, CommandName(command.kind));
  }
  if (!command.id.empty()) {
    member->Reply(AuthenticateReply(command.id, UserOf(*member), *end));
  }
  LeaveForbidden(member, "the fresh token does not allow it");
  LeaveOverLimit(member);
  // Members may be told other things of it now.
  for (const Group* group : parts_.table->GroupsOf(*member)) {
    if (group->subscribed) parts_.presence->OnJoin(*group, *member);
  }
  parts_.memberships->JoinPersonalGroup(member);
}

absl::Status ConnectionAccess::CountUser(Member* member) {
  const absl::string_view user = UserOf(*member);
  if (user.empty() || member->access->user_key != 0 ||
      parts_.users->Add(member, user, parts_.memberships->CountedGroups(*member))) {
    return absl::OkStatus();
  }
  ++over_user_connections_;
  return absl::ResourceExhaustedError(
      absl::StrCat("the user has ", parts_.users->options().connections_max, " connections"));
}

void ConnectionAccess::RefuseToken(Member* member, const absl::Status& why,
                                   const CommandError& error) {
  parts_.refusals->CountAccess();
  parts_.refusals->Tell(member, error);
  if (absl::IsAborted(why) || !authenticator_.MustGo(*member)) return;
  member->Disconnect(CloseCodeOf(why), why.message());
}

void ConnectionAccess::RefuseConnection(Member* member, const absl::Status& why,
                                        const std::string& id, absl::string_view command) {
  parts_.refusals->Tell(member, {.code = ErrorCode::kTooManyConnections,
                                 .message = std::string(why.message()),
                                 .id = id,
                                 .cmd = std::string(command)});
  member->Disconnect(CloseCode::kOverLimit, why.message());
}

bool ConnectionAccess::Has(Right right, Member* member, const Command& command) {
  return Passes(
      authenticator_.policy().Check(IdentityOf(*member), command.group_ids.front().id, right),
      member, command);
}

bool ConnectionAccess::Passes(const absl::Status& status, Member* member, const Command& command) {
  if (status.ok()) return true;
  parts_.refusals->CountAccess();
  parts_.refusals->Tell(member, CommandErrorOf(status, command.id, command.kind));
  return false;
}

bool ConnectionAccess::MayJoin(Member* member, const Command& command) {
  const std::string& id = command.group_ids.front().id;
  if (!command.token.empty()) {
    const absl::Status status = authenticator_.AddGroupToken(member, command.token, id);
    if (!status.ok()) {
      CommandError error = CommandErrorOf(status, command.id, command.kind);
      if (absl::IsResourceExhausted(status)) error.code = ErrorCode::kTooManyGroups;
      RefuseToken(member, status, error);
      return false;
    }
  }
  if (!Has(Right::kJoin, member, command) ||
      (command.history > 0 && !Has(Right::kRead, member, command))) {
    // A token for a join that is refused counts for nothing else. It may have replaced one that
    // did.
    if (!command.token.empty()) {
      authenticator_.DropGroupToken(member, id);
      LeaveForbidden(member, "the token for it does not allow it");
    }
    return false;
  }
  return !command.presence || MayObserve(member, command);
}

bool ConnectionAccess::MayLeave(Member* member, const Command& command) {
  return Passes(CheckNotReserved(command.group_ids.front().id), member, command);
}

bool ConnectionAccess::MayRead(Member* member, const Command& command) {
  return Has(Right::kRead, member, command);
}

bool ConnectionAccess::MayObserve(Member* member, const Command& command) {
  if (!Has(Right::kObserve, member, command)) return false;
  const absl::Status status = parts_.presence->Check();
  if (status.ok()) return true;
  parts_.refusals->Tell(member, CommandErrorOf(status, command.id, command.kind));
  return false;
}

void ConnectionAccess::LeaveForbidden(Member* member, absl::string_view reason) {
  for (Group* group : parts_.table->GroupsOf(*member)) {
    if (authenticator_.Allows(*member, group->id, Right::kJoin)) {
      EndForbiddenInterest(*group, member);
    } else {
      parts_.refusals->CountAccess();
      Expel(group, member, ErrorCode::kForbidden, reason);
    }
  }
}

void ConnectionAccess::LeaveOverLimit(Member* member) {
  if (member->access->groups_over == 0) return;
  std::vector<Group*> groups = parts_.table->GroupsOf(*member);
  std::reverse(groups.begin(), groups.end());  // the newest first
  for (Group* group : groups) {
    if (member->access->groups_over == 0) return;
    if (authenticator_.policy().IsPersonal(member->access->identity, group->id)) continue;
    parts_.refusals->CountAccess();
    Expel(group, member, ErrorCode::kTooManyGroups,
          absl::StrCat("the connections of its user may be in ", parts_.users->options().groups_max,
                       " groups"));
  }
}

void ConnectionAccess::Expel(Group* group, Member* member, ErrorCode code,
                             absl::string_view reason) {
  parts_.refusals->Tell(member,
                        {.code = code,
                         .message = absl::StrCat("the connection has left the group: ", reason),
                         .cmd = std::string(CommandName(Command::Kind::kAddGroup)),
                         .group_id = group->id});
  parts_.memberships->Leave(group, member);
}

void ConnectionAccess::EndForbiddenInterest(const Group& group, Member* member) {
  if (member->presence_interests == 0) return;
  if (authenticator_.Allows(*member, group.id, Right::kObserve)) return;
  parts_.presence->EndInterest(
      group, member,
      absl::PermissionDeniedError(absl::StrCat("there are no more events of joins and leaves in "
                                               "group \"",
                                               group.id, "\": the right to observe it is gone")));
}

void ConnectionAccess::CheckDeadlines() {
  std::vector<ConnectionId> expelled;
  for (const Authenticator::Due& due : authenticator_.TakeDue()) {
    switch (due.kind) {
      case Authenticator::Due::Kind::kNotAuthenticated:
        parts_.refusals->CountAccess();
        due.member->Disconnect(CloseCode::kNotAuthenticated, "no token came in time");
        break;
      case Authenticator::Due::Kind::kExpired:
        parts_.refusals->Tell(
            due.member, {.code = ErrorCode::kTokenExpired,
                         .message = "the token has expired: send a fresh one, with authenticate",
                         .cmd = std::string(CommandName(Command::Kind::kAuthenticate))});
        break;
      case Authenticator::Due::Kind::kGraceOver:
        parts_.refusals->CountAccess();
        due.member->Disconnect(CloseCode::kTokenExpired, "the token has expired");
        break;
      case Authenticator::Due::Kind::kGroupGraceOver:
        if (EndGroupToken(due.member, due.group_id)) {
          expelled.push_back(due.member->connection_id());
        }
        break;
    }
  }
  Resume(expelled);
}

// Last, because resumed commands may change the table.
void ConnectionAccess::Resume(const std::vector<ConnectionId>& connections) {
  for (const ConnectionId id : connections) {
    Member* const member = parts_.find(id);
    if (member != nullptr && member->pending_answers == 0) member->ResumeCommands();
  }
}

void ConnectionAccess::ExpelAll(Group* group, const std::vector<Member*>& members,
                                absl::string_view reason) {
  std::vector<ConnectionId> expelled;
  const std::string group_id = group->id;  // the group goes with its last member
  for (Member* const member : members) {
    expelled.push_back(member->connection_id());
    authenticator_.DropGroupToken(member, group_id);
    Expel(group, member, ErrorCode::kForbidden, reason);
  }
  Resume(expelled);
}

bool ConnectionAccess::EndGroupToken(Member* member, absl::string_view group_id) {
  Group* const group = parts_.table->Find(group_id);
  if (group == nullptr || !parts_.table->IsMember(*group, *member)) return false;
  if (authenticator_.Allows(*member, group_id, Right::kJoin)) {
    EndForbiddenInterest(*group, member);
    return false;
  }
  parts_.refusals->CountAccess();
  Expel(group, member, ErrorCode::kTokenExpired, "the token for it has expired");
  return true;
}

}  // namespace groupcast::service
