#ifndef GROUPCAST_SERVICES_COMMON_KEY_FILE_H_
#define GROUPCAST_SERVICES_COMMON_KEY_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// A file with a key. A larger one than kBytesMax is no key.
struct KeyFile {
  static constexpr size_t kBytesMax = 1 << 20;

  std::string content;
  // Whether users other than the file's owner and group may read or change it.
  bool others_may_access = false;
};

// Reads the file. kInvalidArgument: it cannot be read, is no regular file, or is empty or too
// large; the message names it.
absl::StatusOr<KeyFile> ReadKeyFile(const std::string& path);

// Reads a file with a secret, which is not for others. Also kInvalidArgument: others may access it.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

// The end of a sentence about a file with a secret that others may access.
inline constexpr absl::string_view kOthersMayAccess =
    "has a secret, and other users may access it; chmod 600 or 640 makes it right";

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_KEY_FILE_H_
