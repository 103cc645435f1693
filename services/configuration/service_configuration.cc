#include "services/configuration/service_configuration.h"

#include <cstdint>
#include <cstdio>
#include <utility>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

ABSL_FLAG(std::string, config, "",
          "file with the configuration as JSON; flags override its values");
ABSL_FLAG(bool, check_config, false,
          "check the flags and the file of --config as a start does, say that they are ok or what "
          "is wrong, and end");
ABSL_FLAG(bool, print_config, false,
          "check the same, print the values of the defaults, the file and the flags together as a "
          "file for --config, and end");

namespace groupcast::service {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

const FieldDescriptor& SectionField(absl::string_view name) {
  return *configuration::v1::Configuration::descriptor()->FindFieldByName(std::string(name));
}

// The value of a field as a flag has it.
std::string TextOf(const Message& message, const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(message.GetReflection()->GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(message.GetReflection()->GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrFormat("%.17g", message.GetReflection()->GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return message.GetReflection()->GetBool(message, &field) ? "true" : "false";
    default:
      return message.GetReflection()->GetString(message, &field);
  }
}

// Sets the field to the value of a flag. False: the flag is of another type.
bool SetFromFlag(const absl::CommandLineFlag& flag, const FieldDescriptor& field,
                 Message* message) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  const std::string value = flag.CurrentValue();
  int32_t number32 = 0;
  int64_t number64 = 0;
  double number = 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      if (!flag.IsOfType<int32_t>() || !absl::SimpleAtoi(value, &number32)) return false;
      reflection.SetInt32(message, &field, number32);
      return true;
    case FieldDescriptor::CPPTYPE_INT64:
      if (!flag.IsOfType<int64_t>() || !absl::SimpleAtoi(value, &number64)) return false;
      reflection.SetInt64(message, &field, number64);
      return true;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (!flag.IsOfType<double>() || !absl::SimpleAtod(value, &number)) return false;
      reflection.SetDouble(message, &field, number);
      return true;
    case FieldDescriptor::CPPTYPE_BOOL:
      if (!flag.IsOfType<bool>()) return false;
      reflection.SetBool(message, &field, value == "true");
      return true;
    case FieldDescriptor::CPPTYPE_STRING:
      if (!flag.IsOfType<std::string>() && !flag.IsOfType<absl::Duration>()) return false;
      reflection.SetString(message, &field, value);
      return true;
    default:
      return false;
  }
}

}  // namespace

ServiceConfiguration::ServiceConfiguration(absl::string_view section)
    : section_(SectionField(section)) {}

absl::StatusOr<std::vector<FlagPreset>> ServiceConfiguration::ReadPresets() {
  ConfigurationFile file;
  if (const std::string path = absl::GetFlag(FLAGS_config); !path.empty()) {
    absl::StatusOr<ConfigurationFile> read = ConfigurationFile::Read(path);
    if (!read.ok()) return read.status();
    file = *std::move(read);
  }
  file_ = std::move(file);
  const Message& values = file_.values();
  const Message& section = values.GetReflection()->GetMessage(values, &section_);
  std::vector<const FieldDescriptor*> fields;
  section.GetReflection()->ListFields(section, &fields);
  std::vector<FlagPreset> presets;
  for (const FieldDescriptor* const field : fields) {
    presets.push_back({.flag = field->name(),
                       .value = TextOf(section, *field),
                       .place = file_.Place(absl::StrCat(section_.name(), ".", field->name()))});
  }
  return presets;
}

void ServiceConfiguration::RememberStart() {
  const Descriptor& type = *section_.message_type();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!field.options().GetExtension(configuration::v1::only_at_start)) continue;
    const absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(field.name());
    if (flag != nullptr) at_start_[field.name()] = flag->CurrentValue();
  }
}

std::vector<std::string> ServiceConfiguration::KeptFields() const {
  std::vector<std::string> kept;
  for (const auto& [name, value] : at_start_) {
    const std::string now = absl::FindCommandLineFlag(name)->CurrentValue();
    if (now != value) kept.push_back(absl::StrCat(name, " (", value, ", not ", now, ")"));
  }
  return kept;
}

absl::StatusOr<configuration::v1::Configuration> ServiceConfiguration::Effective() const {
  configuration::v1::Configuration effective = file_.values();
  Message& values = effective;
  Message* const section = values.GetReflection()->MutableMessage(&values, &section_);
  const Descriptor& type = *section_.message_type();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(field.name());
    if (flag == nullptr || !SetFromFlag(*flag, field, section)) {
      return absl::InternalError(
          absl::StrCat(section_.name(), ".", field.name(), " has no flag of its type"));
    }
  }
  return effective;
}

absl::StatusOr<std::string> ServiceConfiguration::Answer() const {
  if (absl::GetFlag(FLAGS_print_config)) {
    const absl::StatusOr<configuration::v1::Configuration> effective = Effective();
    if (!effective.ok()) return effective.status();
    return FormatConfiguration(*effective);
  }
  if (!absl::GetFlag(FLAGS_check_config)) return "";
  return absl::StrCat(file_.path().empty() ? "the flags" : file_.path(), ": ok\n");
}

absl::Status WriteAnswer(const std::string& answer) {
  const bool written = std::fputs(answer.c_str(), stdout) != EOF && std::fflush(stdout) == 0;
  return written ? absl::OkStatus() : absl::UnavailableError("the answer cannot be written");
}

}  // namespace groupcast::service
