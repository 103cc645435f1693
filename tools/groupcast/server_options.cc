#include "tools/groupcast/server_options.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace groupcast::cli {
namespace {

constexpr size_t kSecretBytesMax = 64 << 10;

absl::StatusOr<std::string> FromFileOrEnvironment(const std::string& path, const char* name) {
  if (!path.empty()) return ReadSecretFile(path);
  const char* const value = std::getenv(name);
  return std::string(value == nullptr ? "" : value);
}

}  // namespace

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content(kSecretBytesMax + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (file.bad() || !file.is_open() || (file.gcount() == 0 && errno != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " cannot be read: ", std::strerror(errno != 0 ? errno : EIO)));
  }
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.size() > kSecretBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has more than ", kSecretBytesMax, " bytes"));
  }
  absl::StripAsciiWhitespace(&content);
  if (content.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  return content;
}

absl::StatusOr<std::string> TokenOf(const ServerOptions& options) {
  return FromFileOrEnvironment(options.token_file, "GROUPCAST_TOKEN");
}

absl::StatusOr<std::string> KeyOf(const GatewayOptions& options) {
  return FromFileOrEnvironment(options.key_file, "GROUPCAST_API_KEY");
}

}  // namespace groupcast::cli
