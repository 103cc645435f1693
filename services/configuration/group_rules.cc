#include "services/configuration/group_rules.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// A group id has no longer prefix.
constexpr size_t kPrefixBytesMax = 128;

constexpr std::array<absl::string_view, 4> kWhom = {"anyone", "authenticated", "granted", "nobody"};

constexpr absl::Duration kAgeMax = absl::Hours(24 * 365);

}  // namespace

absl::StatusOr<std::vector<GroupRule>> ReadGroupRules(const ConfigurationFile& file,
                                                      std::optional<size_t> message_bytes_max) {
  const auto& given = file.values().group_rules();
  std::vector<GroupRule> rules;
  std::map<std::string, int> numbers;  // of the rules, by their prefixes
  std::set<absl::Duration> ages;
  const auto wrong = [&](int number, absl::string_view field, absl::string_view words) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.Place(absl::StrCat("group_rules[", number, "]", field)), words));
  };
  for (int i = 0; i < given.size(); ++i) {
    const configuration::v1::GroupRule& values = given[i];
    if (rules.size() == GroupRule::kRulesMax) {
      return wrong(i, "", absl::StrCat(": there may be ", GroupRule::kRulesMax, " rules"));
    }
    if (!values.has_prefix()) return wrong(i, "", " needs a prefix; \"\" is for all groups");
    GroupRule rule{.prefix = values.prefix()};
    if (rule.prefix.size() > kPrefixBytesMax) {
      return wrong(i, ".prefix", absl::StrCat(" must have at most ", kPrefixBytesMax, " bytes"));
    }
    if (const auto [at, is_new] = numbers.emplace(rule.prefix, i); !is_new) {
      return wrong(i, ".prefix", absl::StrCat(" is that of group_rules[", at->second, "] too"));
    }
    if (values.has_history_count()) {
      if (values.history_count() < 1) {
        return wrong(i, ".history_count",
                     absl::StrCat("=", values.history_count(), " must be above 0"));
      }
      rule.history_count = static_cast<size_t>(values.history_count());
    }
    if (values.has_history_age()) {
      absl::Duration age;
      if (!absl::ParseDuration(values.history_age(), &age)) {
        return wrong(i, ".history_age",
                     absl::StrCat("=", values.history_age(),
                                  ": the value must be a duration such as 5s (units: us, ms, s, "
                                  "m, h)"));
      }
      if (age < absl::ZeroDuration() || age > kAgeMax) {
        return wrong(i, ".history_age",
                     absl::StrCat(" must not be below 0 or above ", absl::FormatDuration(kAgeMax)));
      }
      ages.insert(age);
      if (ages.size() > GroupRule::kAgesMax) {
        return wrong(
            i, ".history_age",
            absl::StrCat(": the rules may have ", GroupRule::kAgesMax, " different values of it"));
      }
      rule.history_age = age;
    }
    if (values.has_message_bytes()) {
      const int64_t max = message_bytes_max.has_value() ? static_cast<int64_t>(*message_bytes_max)
                                                        : std::numeric_limits<int64_t>::max();
      if (values.message_bytes() < 1 || values.message_bytes() > max) {
        return wrong(i, ".message_bytes",
                     absl::StrCat("=", values.message_bytes(), " is not between 1 and ",
                                  message_bytes_max.has_value()
                                      ? absl::StrCat(max, ", which is max_message_bytes")
                                      : "2^63"));
      }
      rule.message_bytes = static_cast<size_t>(values.message_bytes());
    }
    for (const auto& [field, has, value, to] :
         {std::tuple(".join", values.has_join(), values.join(), &rule.join),
          std::tuple(".send", values.has_send(), values.send(), &rule.send),
          std::tuple(".read", values.has_read(), values.read(), &rule.read),
          std::tuple(".observe", values.has_observe(), values.observe(), &rule.observe)}) {
      if (!has) continue;
      if (std::find(kWhom.begin(), kWhom.end(), value) == kWhom.end()) {
        return wrong(i, field,
                     absl::StrCat("=", value, " must be anyone, authenticated, granted or nobody"));
      }
      *to = value;
    }
    rule.names_sender = values.names_sender();
    // Written so that NaN fails too.
    if (values.has_send_rate()) {
      if (!(values.send_rate() >= 0.001 && values.send_rate() <= 1e6)) {
        return wrong(i, ".send_rate",
                     absl::StrCat("=", values.send_rate(), " is not between 0.001 and 1000000"));
      }
      rule.send_rate = values.send_rate();
    }
    if (values.has_send_burst()) {
      if (!rule.send_rate.has_value()) return wrong(i, ".send_burst", " needs a send_rate");
      if (!(values.send_burst() >= 1 && values.send_burst() <= 1e6)) {
        return wrong(i, ".send_burst",
                     absl::StrCat("=", values.send_burst(), " is not between 1 and 1000000"));
      }
      rule.send_burst = values.send_burst();
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace groupcast::service
