#ifndef GROUPCAST_SERVICES_CONFIGURATION_GROUP_RULES_H_
#define GROUPCAST_SERVICES_CONFIGURATION_GROUP_RULES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/configuration/configuration_file.h"

namespace groupcast::service {

// The rule of all groups whose ids begin with `prefix`. If several rules fit a group, the one with
// the longest prefix counts, and it alone. What it leaves out is as for the whole service.
struct GroupRule {
  static constexpr size_t kRulesMax = 1'000;
  // The channel server looks at each message once for each age.
  static constexpr size_t kAgesMax = 16;

  std::string prefix;
  std::optional<size_t> history_count;
  std::optional<absl::Duration> history_age;
  std::optional<size_t> message_bytes;
  // Words, as in the file: anyone, authenticated, granted or nobody.
  std::optional<std::string> join;
  std::optional<std::string> send;
  std::optional<std::string> read;
  std::optional<std::string> observe;
  bool names_sender = false;
  std::optional<double> send_rate;   // messages per second from one connection
  std::optional<double> send_burst;  // not without send_rate
};

// Returns the file's group_rules, in their order.
// kInvalidArgument: the message names the place of the wrong value and says what is allowed.
// `message_bytes_max` is the bound of message_bytes, if the service has one.
absl::StatusOr<std::vector<GroupRule>> ReadGroupRules(
    const ConfigurationFile& file, std::optional<size_t> message_bytes_max = std::nullopt);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONFIGURATION_GROUP_RULES_H_
