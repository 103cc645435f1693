#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_ACCESS_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_ACCESS_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "services/access/access_policy.h"

namespace groupcast::service::testing {

// The policy of a world in which clients show tokens, and messages name their senders.
std::shared_ptr<const AccessPolicy> SimulatedAccess();

// The token of a client in such a world. The client's session is its user too.
std::string SimulatedToken(absl::string_view session);

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_ACCESS_H_
