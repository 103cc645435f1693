#include "services/configuration/configuration_file.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/json_util.h"
#include "services/configuration/json_check.h"

namespace groupcast::service {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

// Comments become empty lines, so that each other line keeps its number.
std::string WithoutComments(absl::string_view text) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  for (absl::string_view& line : lines) {
    const size_t first = line.find_first_not_of(" \t");
    if (first != absl::string_view::npos && absl::StartsWith(line.substr(first), "//")) line = "";
  }
  return absl::StrJoin(lines, "\n");
}

std::string Quoted(const std::string& text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

// The shortest text that reads as the same number.
std::string Shortest(double number) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof(text), number);
  return std::string(text, end.ptr);
}

void AppendMessage(const Message& message, const std::string& indent, std::string* out);

// `index` is -1 for a field that is no list.
void AppendValue(const Message& message, const FieldDescriptor& field, int index,
                 const std::string& indent, std::string* out) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      absl::StrAppend(out, index < 0 ? reflection.GetInt32(message, &field)
                                     : reflection.GetRepeatedInt32(message, &field, index));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      absl::StrAppend(out, index < 0 ? reflection.GetInt64(message, &field)
                                     : reflection.GetRepeatedInt64(message, &field, index));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      absl::StrAppend(out,
                      Shortest(index < 0 ? reflection.GetDouble(message, &field)
                                         : reflection.GetRepeatedDouble(message, &field, index)));
      break;
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool value = index < 0 ? reflection.GetBool(message, &field)
                                   : reflection.GetRepeatedBool(message, &field, index);
      absl::StrAppend(out, value ? "true" : "false");
      break;
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string value = index < 0 ? reflection.GetString(message, &field)
                                    : reflection.GetRepeatedString(message, &field, index);
      // That there is no secret is none.
      if (!value.empty() && field.options().GetExtension(configuration::v1::secret)) {
        value = std::string(kHiddenValue);
      }
      absl::StrAppend(out, Quoted(value));
      break;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      AppendMessage(index < 0 ? reflection.GetMessage(message, &field)
                              : reflection.GetRepeatedMessage(message, &field, index),
                    indent, out);
      break;
    default:  // CheckJson refuses it
      absl::StrAppend(out, "null");
  }
}

void AppendList(const Message& message, const FieldDescriptor& field, const std::string& indent,
                std::string* out) {
  const int size = message.GetReflection()->FieldSize(message, &field);
  absl::string_view separator = "[\n";
  for (int i = 0; i < size; ++i) {
    absl::StrAppend(out, std::exchange(separator, ",\n"), indent, "  ");
    AppendValue(message, field, i, indent + "  ", out);
  }
  absl::StrAppend(out, "\n", indent, "]");
}

void AppendMessage(const Message& message, const std::string& indent, std::string* out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  // In the order of the proto, not of the numbers.
  std::sort(fields.begin(), fields.end(),
            [](const auto* a, const auto* b) { return a->index() < b->index(); });
  absl::string_view separator = "{\n";
  for (const FieldDescriptor* const field : fields) {
    absl::StrAppend(out, std::exchange(separator, ",\n"), indent, "  ", Quoted(field->name()),
                    ": ");
    if (field->is_repeated()) {
      AppendList(message, *field, indent + "  ", out);
    } else {
      AppendValue(message, *field, -1, indent + "  ", out);
    }
  }
  absl::StrAppend(out, fields.empty() ? "{}" : absl::StrCat("\n", indent, "}"));
}

}  // namespace

absl::StatusOr<ConfigurationFile> ConfigurationFile::Parse(absl::string_view path,
                                                           absl::string_view text) {
  ConfigurationFile file;
  file.path_ = std::string(path);
  const std::string json = WithoutComments(text);
  const absl::Status status =
      CheckJson(json, *configuration::v1::Configuration::descriptor(), &file.lines_);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", status.message()));
  }
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &file.values_);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", absl::string_view(parsed.message().data(), parsed.message().size())));
  }
  return file;
}

absl::StatusOr<ConfigurationFile> ConfigurationFile::Read(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return absl::InvalidArgumentError(
        absl::StrCat("--config=", path, ": there is no such file to read"));
  }
  std::string text(kBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A directory opens, and then cannot be read.
  if (stream.bad()) {
    return absl::InvalidArgumentError(absl::StrCat("--config=", path, ": it cannot be read"));
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("--config=", path, ": it must have at most ", kBytesMax, " bytes"));
  }
  return Parse(path, text);
}

std::string ConfigurationFile::Place(absl::string_view field) const {
  const auto line = lines_.find(field);
  return line == lines_.end() ? absl::StrCat(path_, ": ", field)
                              : absl::StrCat(path_, ":", line->second, ": ", field);
}

std::string FormatConfiguration(const Message& values) {
  std::string out;
  AppendMessage(values, "", &out);
  out.push_back('\n');
  return out;
}

}  // namespace groupcast::service
