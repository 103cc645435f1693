#ifndef GROUPCAST_SERVICES_GROUPS_MEMBER_ACCESS_H_
#define GROUPCAST_SERVICES_GROUPS_MEMBER_ACCESS_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/access/access_policy.h"
#include "services/common/token_bucket.h"
#include "services/groups/member.h"

namespace groupcast::service {

// A connection's tokens, and what Authenticator remembers of them. Times are of the worker's clock,
// not dates: the tokens' valid_until too.
struct MemberAccess {
  Identity identity;
  // The time at which something of it ends. InfiniteFuture: never.
  absl::Time due = absl::InfiniteFuture();
  // Without a token yet: the end of the time for one.
  absl::Time authenticate_until = absl::InfiniteFuture();
  bool told_of_expiry = false;
  bool grace_is_prolonged = false;  // of its token
  uint8_t refused_tokens = 0;
  TokenBucket checks;  // of tokens
  // As UserLimits counts. 0: it has no user.
  uint64_t user_key = 0;
  uint32_t counted_groups = 0;
  uint32_t groups_over = 0;  // of them, how many are over the user's limit and must be left
  // It is in its user's personal group because the service put it there, and the client has not
  // joined the group itself.
  bool joined_by_service = false;
};

// What the member has shown. Null: no token.
inline const Identity* IdentityOf(const Member& member) {
  return member.access == nullptr ? nullptr : &member.access->identity;
}

// The user of the member's token. Empty: none. Valid until its next token.
inline absl::string_view UserOf(const Member& member) {
  return member.access == nullptr ? absl::string_view() : member.access->identity.user();
}

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_MEMBER_ACCESS_H_
