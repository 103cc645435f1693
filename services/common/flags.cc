#include "services/common/flags.h"

#include <string>

#include "absl/flags/reflection.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"

namespace groupcast::service {

namespace {

bool InMain(absl::string_view file) { return absl::EndsWith(file, "main.cc"); }

}  // namespace

void SetHelp(absl::string_view usage) {
  absl::SetProgramUsageMessage(usage);
  absl::FlagsUsageConfig config;
  config.contains_help_flags = InMain;
  config.contains_helpshort_flags = InMain;
  absl::SetFlagsUsageConfig(config);
}

void ResetFlags() {
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    std::string error;
    if (InMain(flag->Filename())) flag->ParseFrom(flag->DefaultValue(), &error);
  }
}

}  // namespace groupcast::service
