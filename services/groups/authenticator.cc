#include "services/groups/authenticator.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/groups/member_access.h"

namespace groupcast::service {
namespace {

MemberAccess* AccessOf(Member* member) {
  if (member->access == nullptr) member->access = std::make_unique<MemberAccess>();
  return member->access.get();
}

auto FindGroupToken(std::vector<Token>* tokens, absl::string_view group_id) {
  return std::find_if(tokens->begin(), tokens->end(),
                      [group_id](const Token& token) { return token.group == group_id; });
}

}  // namespace

Authenticator::Authenticator(const AuthenticatorOptions& options, const Clock* clock)
    : options_(options), clock_(clock), calendar_(options.calendar) {}

void Authenticator::Add(Member* member) {
  if (!NeedsToken(*member)) return;
  AccessOf(member)->authenticate_until = clock_->Now() + options_.timeout;
  Schedule(member);
}

void Authenticator::Remove(Member* member) {
  if (member->access != nullptr) due_.erase({member->access->due, member});
}

absl::StatusOr<Token> Authenticator::Check(Member* member, absl::string_view text) {
  if (policy().tokens() == nullptr) {
    return absl::UnauthenticatedError("the service has no keys for tokens (--token_keys)");
  }
  // Each check costs a signature, also of a token that is valid.
  MemberAccess* const access = AccessOf(member);
  const absl::Time now = clock_->Now();
  if (access->checks.Available(options_.check_rate, now) < 1) {
    return absl::AbortedError("the connection shows tokens too often");
  }
  access->checks.Take(1, options_.check_rate, now);
  absl::StatusOr<Token> token = policy().tokens()->Verify(text, calendar_->Now());
  if (!token.ok()) ++access->refused_tokens;
  return token;
}

absl::Time Authenticator::FromDate(absl::Time date) const {
  return clock_->Now() + (date - calendar_->Now());
}

absl::StatusOr<absl::Time> Authenticator::Authenticate(Member* member, absl::string_view token) {
  absl::StatusOr<Token> fresh = Check(member, token);
  if (!fresh.ok()) return fresh.status();
  MemberAccess* const access = AccessOf(member);
  Identity& identity = access->identity;
  if (!fresh->group.empty()) {
    ++access->refused_tokens;
    return absl::UnauthenticatedError("the token is for one group: add_group takes it");
  }
  if (identity.is_authenticated() && identity.user() != fresh->user) {
    ++access->refused_tokens;
    return absl::PermissionDeniedError("the token is of another user than the connection's");
  }
  if (!identity.is_authenticated() && !fresh->user.empty()) member->BindSession(fresh->user);
  const absl::Time end = fresh->valid_until;
  fresh->valid_until = FromDate(end);
  identity.token = *std::move(fresh);
  access->authenticate_until = absl::InfiniteFuture();
  access->told_of_expiry = false;
  access->grace_is_prolonged = false;
  Schedule(member);
  return end;
}

absl::Status Authenticator::AddGroupToken(Member* member, absl::string_view token,
                                          absl::string_view group_id) {
  absl::StatusOr<Token> fresh = Check(member, token);
  if (!fresh.ok()) return fresh.status();
  MemberAccess* const access = AccessOf(member);
  Identity& identity = access->identity;
  absl::Status refused;
  if (fresh->group != group_id) {
    refused = absl::PermissionDeniedError("the token is not for this group");
  } else if (fresh->user != identity.user()) {
    refused = absl::PermissionDeniedError("the token is of another user than the connection's");
  }
  if (!refused.ok()) {
    ++access->refused_tokens;
    return refused;
  }
  fresh->valid_until = FromDate(fresh->valid_until);
  const auto known = FindGroupToken(&identity.group_tokens, group_id);
  if (known != identity.group_tokens.end()) {
    *known = *std::move(fresh);
  } else if (identity.group_tokens.size() < options_.group_tokens_max) {
    identity.group_tokens.push_back(*std::move(fresh));
  } else {
    return absl::ResourceExhaustedError(
        absl::StrCat("a connection may have ", options_.group_tokens_max, " tokens for groups"));
  }
  Schedule(member);
  return absl::OkStatus();
}

void Authenticator::DropGroupToken(Member* member, absl::string_view group_id) {
  if (member->access == nullptr) return;
  std::vector<Token>& tokens = member->access->identity.group_tokens;
  const auto known = FindGroupToken(&tokens, group_id);
  if (known == tokens.end()) return;
  tokens.erase(known);
  Schedule(member);
}

bool Authenticator::MustGo(const Member& member) const {
  if (NeedsToken(member)) return true;
  return member.access != nullptr && member.access->refused_tokens > kRefusedTokensMax;
}

bool Authenticator::Allows(const Member& member, absl::string_view group_id, Right right) const {
  return policy().Allows(member.access == nullptr ? nullptr : &member.access->identity, group_id,
                         right);
}

bool Authenticator::NeedsToken(const Member& member) const {
  return policy().needs_token() &&
         (member.access == nullptr || !member.access->identity.is_known());
}

std::vector<Authenticator::Due> Authenticator::TakeDue() {
  const absl::Time now = clock_->Now();
  std::vector<Due> all;
  while (!due_.empty() && due_.begin()->first <= now) {
    Member* const member = due_.begin()->second;
    MemberAccess* const access = member->access.get();
    Identity& identity = access->identity;
    if (access->authenticate_until <= now) {
      access->authenticate_until = absl::InfiniteFuture();
      all.push_back({.member = member, .kind = Due::Kind::kNotAuthenticated});
    }
    if (identity.is_authenticated() && identity.token->valid_until <= now) {
      if (!std::exchange(access->told_of_expiry, true)) {
        all.push_back({.member = member, .kind = Due::Kind::kExpired});
      }
      const bool waits = member->waits_for_room || member->pending_answers > 0;
      access->grace_is_prolonged |= waits && GraceEnd(*access) <= now;
      if (GraceEnd(*access) <= now) {
        identity.token->valid_until = absl::InfiniteFuture();  // it is told once
        all.push_back({.member = member, .kind = Due::Kind::kGraceOver});
      }
    }
    for (auto token = identity.group_tokens.begin(); token != identity.group_tokens.end();) {
      if (token->valid_until + options_.grace > now) {
        ++token;
        continue;
      }
      all.push_back(
          {.member = member, .kind = Due::Kind::kGroupGraceOver, .group_id = token->group});
      token = identity.group_tokens.erase(token);
    }
    Schedule(member);
  }
  return all;
}

absl::Time Authenticator::GraceEnd(const MemberAccess& access) const {
  return access.identity.token->valid_until + options_.grace +
         (access.grace_is_prolonged ? kProlongation : absl::ZeroDuration());
}

void Authenticator::Schedule(Member* member) {
  MemberAccess* const access = member->access.get();
  due_.erase({access->due, member});
  access->due = access->authenticate_until;
  if (const std::optional<Token>& token = access->identity.token; token.has_value()) {
    access->due =
        std::min(access->due, access->told_of_expiry ? GraceEnd(*access) : token->valid_until);
  }
  for (const Token& token : access->identity.group_tokens) {
    access->due = std::min(access->due, token.valid_until + options_.grace);
  }
  if (access->due != absl::InfiniteFuture()) due_.emplace(access->due, member);
}

}  // namespace groupcast::service
