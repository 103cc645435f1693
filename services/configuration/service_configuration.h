#ifndef GROUPCAST_SERVICES_CONFIGURATION_SERVICE_CONFIGURATION_H_
#define GROUPCAST_SERVICES_CONFIGURATION_SERVICE_CONFIGURATION_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "services/common/flags.h"
#include "services/configuration/configuration_file.h"

namespace groupcast::service {

// The flags --config, --check_config and --print_config of one service.
//
// The service's section of the file gives values to the flags with the names of its fields. So a
// service reads its flags alone. A flag on the command line or in a --flagfile overrides the file,
// and the file overrides the default.
//
// Flags belong to the process: there is one of these. Not thread-safe.
class ServiceConfiguration {
 public:
  // `section` is a field of configuration.proto that has a message, such as websocket_service.
  explicit ServiceConfiguration(absl::string_view section);
  ServiceConfiguration(const ServiceConfiguration&) = delete;
  ServiceConfiguration& operator=(const ServiceConfiguration&) = delete;

  // For ParseFlags: reads the file of --config anew, if there is one, and returns the section's
  // values. Returns the errors of ConfigurationFile::Read.
  absl::StatusOr<std::vector<FlagPreset>> ReadPresets();

  // The file of the last ReadPresets without an error.
  const ConfigurationFile& file() const { return file_; }

  // Takes the values that a running service keeps. Call it once, when the flags are read.
  void RememberStart();
  // The fields that a running service keeps, and whose flags have other values now than at
  // RememberStart. Each has the form "port (1234, not 1235)".
  std::vector<std::string> KeptFields() const;

  // The section with the values of all flags, and the file's other sections.
  // kInternal: a field has no flag, or a flag of another type.
  absl::StatusOr<configuration::v1::Configuration> Effective() const;

  // For --check_config and --print_config, when all is checked: the text for stdout. Empty: neither
  // of them is there, and the service starts. Returns the errors of Effective.
  absl::StatusOr<std::string> Answer() const;

 private:
  const google::protobuf::FieldDescriptor& section_;
  ConfigurationFile file_;
  std::map<std::string, std::string> at_start_;  // by the names of fields
};

// Writes the answer to stdout. kUnavailable: stdout did not take all of it.
absl::Status WriteAnswer(const std::string& answer);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONFIGURATION_SERVICE_CONFIGURATION_H_
