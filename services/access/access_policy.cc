#include "services/access/access_policy.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/channel/group_id.h"

namespace groupcast::service {

std::optional<Whom> ReadWhom(absl::string_view word) {
  if (word == "anyone") return Whom::kAnyone;
  if (word == "authenticated") return Whom::kAuthenticated;
  if (word == "granted") return Whom::kGranted;
  if (word == "nobody") return Whom::kNobody;
  return std::nullopt;
}

absl::Status CheckNotReserved(absl::string_view group_id) {
  if (!IsReservedGroup(group_id)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "group ids that begin with ", kReservedGroupPrefix, " are reserved for the services"));
}

bool AccessPolicy::IsPersonal(const Identity& identity, absl::string_view group_id) const {
  return options_.personal_groups && !identity.user().empty() &&
         group_id == PersonalGroup(identity.user());
}

bool AccessPolicy::Allows(const Identity* identity, absl::string_view group_id, Right right) const {
  if (IsReservedGroup(group_id)) return false;
  if (identity != nullptr && identity->program != nullptr) {
    return identity->program->Of(group_id).Has(right);
  }
  if (right == Right::kManage) return false;
  const bool is_authenticated = identity != nullptr && identity->is_authenticated();
  if (needs_token() && !is_authenticated) return false;
  if ((right == Right::kJoin || right == Right::kRead) && identity != nullptr &&
      IsPersonal(*identity, group_id)) {
    return true;
  }
  const GroupAccess* const rule = options_.rules.Find(group_id);
  const std::optional<Whom> ruled =
      rule == nullptr ? std::nullopt : rule->whom[static_cast<size_t>(right)];
  switch (ruled.value_or(options_.tokens == nullptr ? Whom::kAnyone : Whom::kGranted)) {
    case Whom::kAnyone:
      return true;
    case Whom::kAuthenticated:
      return is_authenticated;
    case Whom::kGranted:
      if (identity == nullptr) return false;
      for (const Token& token : identity->group_tokens) {
        if (token.group == group_id && token.group_rights.Has(right)) return true;
      }
      return is_authenticated && identity->token->grants.Of(group_id).Has(right);
    case Whom::kNobody:
      return false;
  }
  return false;
}

absl::Status AccessPolicy::Check(const Identity* identity, absl::string_view group_id,
                                 Right right) const {
  if (Allows(identity, group_id, right)) return absl::OkStatus();
  if (absl::Status status = CheckNotReserved(group_id); !status.ok()) return status;
  return absl::PermissionDeniedError(
      absl::StrCat("the connection does not have the right to ", RightName(right),
                   right == Right::kRead   ? " the history of this group"
                   : right == Right::kSend ? " to this group"
                                           : " this group"));
}

bool AccessPolicy::NamesSender(absl::string_view group_id) const {
  const GroupAccess* const rule = options_.rules.Find(group_id);
  return rule != nullptr && rule->names_sender;
}

}  // namespace groupcast::service
