#include "services/settings/send_rules_settings.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/common/prefix_map.h"
#include "services/common/token_bucket.h"

namespace groupcast::service {

SendRulesOptions SendRulesOf(const std::vector<GroupRule>& rules, size_t message_bytes_max) {
  std::vector<std::pair<std::string, size_t>> message_bytes;
  std::vector<std::pair<std::string, TokenRate>> send_rates;
  for (const GroupRule& rule : rules) {
    message_bytes.emplace_back(rule.prefix, rule.message_bytes.value_or(message_bytes_max));
    const double rate = rule.send_rate.value_or(0);
    send_rates.emplace_back(
        rule.prefix,
        TokenRate{.per_second = rate, .burst = rule.send_burst.value_or(std::max(1.0, rate))});
  }
  return {.message_bytes_by_prefix = PrefixMap<size_t>(std::move(message_bytes)),
          .send_rate_by_prefix = PrefixMap<TokenRate>(std::move(send_rates))};
}

}  // namespace groupcast::service
