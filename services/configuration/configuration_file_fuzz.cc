// Files of any bytes: nothing may crash, what is taken reads the same after it is printed, and
// protobuf's parser takes all that the check takes.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "services/configuration/configuration_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using groupcast::service::ConfigurationFile;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<ConfigurationFile> file = ConfigurationFile::Parse("f", text);
  if (!file.ok()) {
    // The check names a line. Protobuf's parser names none.
    const absl::string_view message = file.status().message();
    if (absl::StartsWith(message, "f:") && message[2] >= '1' && message[2] <= '9') return 0;
    std::fprintf(stderr, "%s\n", file.status().ToString().c_str());
    std::abort();
  }
  const std::string printed = groupcast::service::FormatConfiguration(file->values());
  const absl::StatusOr<ConfigurationFile> again = ConfigurationFile::Parse("g", printed);
  if (!again.ok() || groupcast::service::FormatConfiguration(again->values()) != printed) {
    std::fprintf(stderr, "%s\n%s\n", again.status().ToString().c_str(), printed.c_str());
    std::abort();
  }
  return 0;
}
