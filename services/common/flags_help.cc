#include "services/common/flags_help.h"

#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"

namespace groupcast::service {

void SetHelp(absl::string_view usage) {
  absl::SetProgramUsageMessage(usage);
  absl::FlagsUsageConfig config;
  const auto in_main = [](absl::string_view file) { return absl::EndsWith(file, "main.cc"); };
  config.contains_help_flags = in_main;
  config.contains_helpshort_flags = in_main;
  absl::SetFlagsUsageConfig(config);
}

}  // namespace groupcast::service
