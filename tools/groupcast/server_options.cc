#include "tools/groupcast/server_options.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "services/common/key_file.h"

namespace groupcast::cli {
namespace {

absl::StatusOr<std::string> FromFileOrEnvironment(const std::string& path, const char* name) {
  if (!path.empty()) {
    absl::StatusOr<std::string> content = service::ReadSecretFile(path);
    if (content.ok()) absl::StripAsciiWhitespace(&*content);
    return content;
  }
  const char* const value = std::getenv(name);
  return std::string(value == nullptr ? "" : value);
}

}  // namespace

absl::StatusOr<std::string> TokenOf(const ServerOptions& options) {
  return FromFileOrEnvironment(options.token_file, "GROUPCAST_TOKEN");
}

absl::StatusOr<std::string> KeyOf(const GatewayOptions& options) {
  return FromFileOrEnvironment(options.key_file, "GROUPCAST_API_KEY");
}

}  // namespace groupcast::cli
