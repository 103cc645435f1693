#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_ACCESS_FLAGS_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_ACCESS_FLAGS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/configuration/group_rules.h"
#include "services/groups/authenticator.h"

namespace groupcast::service {

// Reads who may do what, from the flags of tokens and the group rules. It reads the files with the
// keys. `bind_address` is where the service listens.
// kInvalidArgument: the message names the flag, or the field of the file, and what is allowed.
absl::StatusOr<AuthenticatorOptions> ReadAccess(const std::string& bind_address,
                                                const std::vector<GroupRule>& rules,
                                                size_t group_tokens_max);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_ACCESS_FLAGS_H_
