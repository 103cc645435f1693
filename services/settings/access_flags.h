#ifndef GROUPCAST_SERVICES_SETTINGS_ACCESS_FLAGS_H_
#define GROUPCAST_SERVICES_SETTINGS_ACCESS_FLAGS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/configuration/group_rules.h"
#include "services/groups/authenticator.h"

namespace groupcast::service {

struct AccessSettings {
  std::string bind_address;  // where the service listens
  std::vector<GroupRule> rules;
  size_t group_tokens_max = 0;
  // The service knows others than those with tokens, such as programs with keys.
  bool has_other_keys = false;
  std::string other_keys_hint;  // for an error: how to give it such keys; may be empty
};

// Reads who may do what, from the flags of tokens and the group rules. It reads the files with the
// keys. A service for others than this machine must say who they are.
// kInvalidArgument: the message names the flag, or the field of the file, and what is allowed.
absl::StatusOr<AuthenticatorOptions> ReadAccess(const AccessSettings& settings);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_SETTINGS_ACCESS_FLAGS_H_
