#ifndef GROUPCAST_SERVICES_SETTINGS_SEND_RULES_SETTINGS_H_
#define GROUPCAST_SERVICES_SETTINGS_SEND_RULES_SETTINGS_H_

#include <cstddef>
#include <vector>

#include "services/configuration/group_rules.h"
#include "services/groups/send_rules.h"

namespace groupcast::service {

// What the rules of the file say about sends. `message_bytes_max` is for the groups whose rule has
// no limit of its own.
SendRulesOptions SendRulesOf(const std::vector<GroupRule>& rules, size_t message_bytes_max);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_SETTINGS_SEND_RULES_SETTINGS_H_
