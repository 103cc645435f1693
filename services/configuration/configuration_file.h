#ifndef GROUPCAST_SERVICES_CONFIGURATION_CONFIGURATION_FILE_H_
#define GROUPCAST_SERVICES_CONFIGURATION_CONFIGURATION_FILE_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "services/configuration/proto/configuration.pb.h"

namespace groupcast::service {

// A configuration as a file has it: JSON with the fields of configuration.proto, and comments. A
// comment is a whole line that begins with //, after spaces or tabs. JSON itself has none.
//
// The file is read strictly. Each field stands there once at most, with the name and the type of
// the proto: a number is not in quotes, and null is no value. Whether a value can be used is the
// concern of the service.
class ConfigurationFile {
 public:
  // A larger file is an error.
  static constexpr size_t kBytesMax = 1 << 20;

  // kInvalidArgument: the message names file, line and field, and says what is allowed.
  // `path` is for the messages alone.
  static absl::StatusOr<ConfigurationFile> Parse(absl::string_view path, absl::string_view text);

  // Reads the file. Also kInvalidArgument: it cannot be read.
  static absl::StatusOr<ConfigurationFile> Read(const std::string& path);

  // No file: it has no values.
  ConfigurationFile() = default;

  const std::string& path() const { return path_; }
  const configuration::v1::Configuration& values() const { return values_; }

  // The name of a field's value in errors: "FILE:LINE: FIELD". `field` is its path in the file,
  // such as websocket_service.port. A field that is not there has no line.
  std::string Place(absl::string_view field) const;

 private:
  std::string path_;
  configuration::v1::Configuration values_;
  std::map<std::string, int, std::less<>> lines_;  // by the fields' paths
};

// Returns the values that are set, as a file that Parse reads. It has "(hidden)" in place of
// secrets, which Parse refuses.
std::string FormatConfiguration(const google::protobuf::Message& values);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONFIGURATION_CONFIGURATION_FILE_H_
