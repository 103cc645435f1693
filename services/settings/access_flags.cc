#include "services/settings/access_flags.h"

#include <memory>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/access/access_policy.h"
#include "services/access/token_keys.h"
#include "services/common/address.h"
#include "services/common/flags.h"
#include "services/common/prefix_map.h"

ABSL_FLAG(std::string, token_keys, "",
          "files with the keys of JSON Web Tokens, with commas between them: a public key (PEM), a "
          "JWK set, or a secret of 32 bytes at least; see docs/security.md. Empty: there is no "
          "authentication");
ABSL_FLAG(std::string, token_issuer, "", "what the claim iss of tokens must be; empty: anything");
ABSL_FLAG(std::string, token_audience, "",
          "what the claim aud of tokens must name; empty: tokens must have no audience");
ABSL_FLAG(absl::Duration, token_leeway, absl::Seconds(30),
          "by how much the clocks of the issuer of tokens and of this machine may differ");
ABSL_FLAG(absl::Duration, token_grace, absl::Seconds(25),
          "how long a connection may stay after its token has expired, to send a fresh one; over "
          "it: close 4501");
ABSL_FLAG(
    bool, allow_anonymous, false,
    "whether clients without a token may connect although there are --token_keys, or although "
    "the service listens on another address than loopback");
ABSL_FLAG(bool, personal_groups, true,
          "whether the connections of a user join the user's personal group, user:SUB");

namespace groupcast::service {
namespace {

// `rule` of the file, for the workers.
GroupAccess AccessOf(const GroupRule& rule) {
  GroupAccess access{.names_sender = rule.names_sender};
  for (const auto& [right, word] :
       {std::pair(Right::kJoin, &rule.join), std::pair(Right::kSend, &rule.send),
        std::pair(Right::kRead, &rule.read), std::pair(Right::kObserve, &rule.observe)}) {
    if (word->has_value()) access.whom[static_cast<size_t>(right)] = ReadWhom(**word);
  }
  return access;
}

}  // namespace

absl::StatusOr<AuthenticatorOptions> ReadAccess(const AccessSettings& settings) {
  for (const auto& [flag, value] : {std::pair<absl::string_view, absl::Duration>{
                                        "token_leeway", absl::GetFlag(FLAGS_token_leeway)},
                                    {"token_grace", absl::GetFlag(FLAGS_token_grace)}}) {
    if (value < absl::ZeroDuration() || value > absl::Hours(24)) {
      return absl::InvalidArgumentError(
          absl::StrCat(FlagPlace(flag), " must not be below 0 or above 24h"));
    }
  }
  AccessPolicy::Options policy{.allow_anonymous = absl::GetFlag(FLAGS_allow_anonymous),
                               .personal_groups = absl::GetFlag(FLAGS_personal_groups)};
  const std::string files = absl::GetFlag(FLAGS_token_keys);
  if (!files.empty()) {
    absl::StatusOr<TokenKeys> keys = TokenKeys::Load(absl::StrSplit(files, ','));
    if (!keys.ok()) {
      return absl::Status(keys.status().code(),
                          absl::StrCat(FlagPlace("token_keys"), ": ", keys.status().message()));
    }
    policy.tokens = std::make_shared<const TokenVerifier>(
        *std::move(keys), TokenOptions{.issuer = absl::GetFlag(FLAGS_token_issuer),
                                       .audience = absl::GetFlag(FLAGS_token_audience),
                                       .leeway = absl::GetFlag(FLAGS_token_leeway)});
  } else if (!IsLoopback(settings.bind_address) && !policy.allow_anonymous &&
             !settings.has_other_keys) {
    return absl::InvalidArgumentError(absl::StrCat(
        FlagPlace("bind_address"), "=", settings.bind_address,
        " is not a loopback address, so others may connect. Say who may: --token_keys=FILE lets "
        "in those that have a token, ",
        settings.other_keys_hint, "and --allow_anonymous lets in anyone"));
  }
  std::vector<std::pair<std::string, GroupAccess>> by_prefix;
  for (const GroupRule& rule : settings.rules) by_prefix.emplace_back(rule.prefix, AccessOf(rule));
  policy.rules = PrefixMap<GroupAccess>(std::move(by_prefix));
  return AuthenticatorOptions{.policy = std::make_shared<const AccessPolicy>(std::move(policy)),
                              .grace = absl::GetFlag(FLAGS_token_grace),
                              .group_tokens_max = settings.group_tokens_max};
}

}  // namespace groupcast::service
