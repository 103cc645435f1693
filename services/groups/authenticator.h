#ifndef GROUPCAST_SERVICES_GROUPS_AUTHENTICATOR_H_
#define GROUPCAST_SERVICES_GROUPS_AUTHENTICATOR_H_

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/access/access_policy.h"
#include "services/common/clock.h"
#include "services/common/token_bucket.h"
#include "services/groups/member.h"

namespace groupcast::service {

struct AuthenticatorOptions {
  // Must not be null.
  std::shared_ptr<const AccessPolicy> policy = std::make_shared<const AccessPolicy>();
  // The time that a connection has to show a token, if it needs one.
  absl::Duration timeout = absl::Seconds(10);
  // The time that a connection has to show a fresh token, after its token has expired.
  absl::Duration grace = absl::Seconds(25);
  // The tokens for groups that one connection may have.
  size_t group_tokens_max = 128;
  // The tokens that one connection may show: one for each of its groups at once, and then some.
  TokenRate check_rate = {.per_second = 1, .burst = 140};
  const Clock* calendar = Calendar();  // for the validity of tokens
};

// The tokens of a worker's connections: takes them, and knows when they end. Without tokens it
// costs a connection nothing.
//
// Logic only. Not thread-safe.
class Authenticator {
 public:
  // More refused tokens than this end a connection, because each costs the check of a signature.
  static constexpr int kRefusedTokensMax = 5;

  // If the commands of a connection wait for the channel when the grace of its token ends, the
  // grace is longer by this time, once: the fresh token may wait behind them. A send waits no
  // longer than this for a channel that is away. The token for a group has no such time, because
  // the connection may join the group again.
  static constexpr absl::Duration kProlongation = absl::Seconds(30);

  // The clocks must outlive it.
  Authenticator(const AuthenticatorOptions& options, const Clock* clock);

  const AccessPolicy& policy() const { return *options_.policy; }

  // The connection is new. The time for its token begins, if it needs one.
  void Add(Member* member);
  // The connection is gone.
  void Remove(Member* member);

  // Takes a token for the connection, or a fresh one. Returns the end of its validity, as a date. A
  // later change of the date does not move that end.
  // kUnauthenticated, kDeadlineExceeded: as TokenVerifier says. kPermissionDenied: the token is of
  // another user. kAborted: the connection shows tokens too often. The member keeps what it had.
  absl::StatusOr<absl::Time> Authenticate(Member* member, absl::string_view token);
  // The same with a token for one group, which `group_id` must be.
  // Also kResourceExhausted: the connection has too many of them.
  absl::Status AddGroupToken(Member* member, absl::string_view token, absl::string_view group_id);
  // The member has left the group, and needs the token for it no more.
  void DropGroupToken(Member* member, absl::string_view group_id);

  // Whether a member whose token was refused has to go.
  bool MustGo(const Member& member) const;

  // Whether the member may do this with the group.
  bool Allows(const Member& member, absl::string_view group_id, Right right) const;
  // Whether the member needs a token before its first command.
  bool NeedsToken(const Member& member) const;

  // What has ended.
  struct Due {
    enum class Kind {
      kNotAuthenticated,  // the time for a token is over
      kExpired,           // the token has expired, and the grace begins
      kGraceOver,         // there was no fresh token
      kGroupGraceOver,    // the same for the token of a group; it is dropped
    };
    Member* member;
    Kind kind;
    std::string group_id;
  };
  std::vector<Due> TakeDue();

 private:
  absl::StatusOr<Token> Check(Member* member, absl::string_view text);
  // The time of `clock_` at which the date will be `date`.
  absl::Time FromDate(absl::Time date) const;
  // The end of the grace of the connection's token.
  absl::Time GraceEnd(const MemberAccess& access) const;
  void Schedule(Member* member);

  const AuthenticatorOptions options_;
  const Clock* const clock_;
  const Clock* const calendar_;
  std::set<std::pair<absl::Time, Member*>> due_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_AUTHENTICATOR_H_
