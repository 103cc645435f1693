#include "services/configuration/json_check.h"

#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/nearest_name.h"
#include "services/configuration/proto/configuration.pb.h"

namespace groupcast::service {
namespace {

using ::boost::json::error_code;
using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;

// A known file has no deeper object. It is the bound of other files.
constexpr size_t kDepthMax = 16;

// Protobuf refuses a whole number that a double does not have exactly.
constexpr int64_t kExactMax = int64_t{1} << 53;

absl::string_view View(boost::json::string_view text) { return {text.data(), text.size()}; }

absl::string_view FormOf(const FieldDescriptor& field, bool in_list) {
  if (field.is_repeated() && !in_list) return "a list: [...]";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return "a whole number below 2^31";
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number below 2^63";
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number such as 0.5";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "a text in quotes";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "an object: {...}";
    default:
      return "of another type";  // the proto has no such field
  }
}

// Takes the events of Boost's parser. A function that returns false has set `status`.
class Handler {
 public:
  // NOLINTBEGIN(readability-identifier-naming): the names are Boost's.
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_array_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_key_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_string_size = std::numeric_limits<size_t>::max();
  // NOLINTEND(readability-identifier-naming)

  Handler(const Descriptor& type, std::map<std::string, int, std::less<>>* lines)
      : type_(type), lines_(*lines) {}

  void set_line(int line) { line_ = line; }
  const absl::Status& status() const { return status_; }
  absl::Status ErrorHere(absl::string_view words) const {
    return absl::InvalidArgumentError(absl::StrCat(line_, ": ", words));
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& error) {
    if (levels_.empty()) {
      levels_.push_back({.type = &type_});
      return true;
    }
    if (!TakeValue(FieldDescriptor::CPPTYPE_MESSAGE, error)) return false;
    levels_.push_back({.type = levels_.back().field->message_type()});
    lines_.emplace(Path(), line_);
    return true;
  }
  bool on_object_end(size_t, error_code&) {
    levels_.pop_back();
    return true;
  }

  bool on_array_begin(error_code& error) {
    if (levels_.empty() || levels_.back().in_list || !levels_.back().field->is_repeated()) {
      return WrongType(error);
    }
    levels_.back().in_list = true;
    levels_.back().list_size = 0;
    return true;
  }
  bool on_array_end(size_t, error_code&) {
    levels_.back().in_list = false;
    return true;
  }

  bool on_key_part(boost::json::string_view part, size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(boost::json::string_view part, size_t, error_code& error) {
    const std::string name = absl::StrCat(std::exchange(text_, ""), View(part));
    Level& level = levels_.back();
    level.field = nullptr;
    const std::string path = absl::StrCat(Path(), levels_.size() > 1 ? "." : "", name);
    const FieldDescriptor* const field = level.type->FindFieldByName(name);
    if (field == nullptr) return Fail(absl::StrCat(path, ": ", NoSuchField(name)), error);
    if (!level.seen.insert(field).second) {
      return Fail(absl::StrCat(path, ": this field is there twice"), error);
    }
    level.field = field;
    lines_[path] = line_;
    return true;
  }

  bool on_string_part(boost::json::string_view part, size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(boost::json::string_view part, size_t, error_code& error) {
    const std::string value = absl::StrCat(std::exchange(text_, ""), View(part));
    if (!TakeValue(FieldDescriptor::CPPTYPE_STRING, error)) return false;
    if (value == kHiddenValue &&
        levels_.back().field->options().GetExtension(configuration::v1::secret)) {
      return Fail(absl::StrCat(Path(), " is hidden: the file needs the secret itself"), error);
    }
    return true;
  }

  bool on_number_part(boost::json::string_view, error_code&) { return true; }
  bool on_int64(int64_t value, boost::json::string_view, error_code& error) {
    const FieldDescriptor::CppType type =
        levels_.empty() ? FieldDescriptor::CPPTYPE_INT64 : levels_.back().field->cpp_type();
    if (type == FieldDescriptor::CPPTYPE_INT32) {
      return TakeNumber(type, std::in_range<int32_t>(value), error);
    }
    if (type == FieldDescriptor::CPPTYPE_DOUBLE) {
      return TakeNumber(type, value >= -kExactMax && value <= kExactMax, error);
    }
    return TakeValue(FieldDescriptor::CPPTYPE_INT64, error);
  }
  bool on_uint64(uint64_t, boost::json::string_view, error_code& error) {
    return WrongType(error);  // it is over 2^63
  }
  bool on_double(double value, boost::json::string_view, error_code& error) {
    return TakeNumber(FieldDescriptor::CPPTYPE_DOUBLE, std::isfinite(value), error);
  }
  bool on_bool(bool, error_code& error) { return TakeValue(FieldDescriptor::CPPTYPE_BOOL, error); }
  bool on_null(error_code& error) { return WrongType(error); }

  bool on_comment_part(boost::json::string_view, error_code&) { return true; }
  bool on_comment(boost::json::string_view, error_code&) { return true; }

 private:
  // An object that has begun.
  struct Level {
    const Descriptor* type = nullptr;
    std::set<const FieldDescriptor*> seen;
    const FieldDescriptor* field = nullptr;  // the last one
    bool in_list = false;                    // of that field
    size_t list_size = 0;
  };

  bool Fail(absl::string_view words, error_code& error) {
    status_ = ErrorHere(words);
    error = boost::json::error::syntax;
    return false;
  }

  bool WrongType(error_code& error) {
    if (levels_.empty()) return Fail("the file must have one object: {...}", error);
    const Level& level = levels_.back();
    return Fail(absl::StrCat(Path(), " must be ", FormOf(*level.field, level.in_list)), error);
  }

  bool TakeValue(FieldDescriptor::CppType type, error_code& error) {
    if (levels_.empty()) return WrongType(error);
    Level& level = levels_.back();
    if (level.in_list != level.field->is_repeated() || level.field->cpp_type() != type) {
      return WrongType(error);
    }
    if (level.in_list) ++level.list_size;
    return true;
  }

  bool TakeNumber(FieldDescriptor::CppType type, bool fits, error_code& error) {
    return fits ? TakeValue(type, error) : WrongType(error);
  }

  // The path of the innermost field.
  std::string Path() const {
    std::string path;
    for (const Level& level : levels_) {
      if (level.field == nullptr) break;
      absl::StrAppend(&path, path.empty() ? "" : ".", level.field->name());
      if (!level.in_list) continue;
      // While an element has an object, that object is in the list's size.
      absl::StrAppend(&path, "[", level.list_size - (&level == &levels_.back() ? 0 : 1), "]");
    }
    return path;
  }

  std::string NoSuchField(absl::string_view name) const {
    std::vector<std::string> known;
    const Descriptor& type = *levels_.back().type;
    for (int i = 0; i < type.field_count(); ++i) known.push_back(type.field(i)->name());
    const std::optional<std::string> nearest = NearestName(name, known);
    return nearest.has_value()
               ? absl::StrCat("there is no such field; did you mean ", *nearest, "?")
               : absl::StrCat("there is no such field; there are ", absl::StrJoin(known, ", "));
  }

  const Descriptor& type_;
  std::map<std::string, int, std::less<>>& lines_;
  int line_ = 0;
  std::vector<Level> levels_;
  std::string text_;  // the parts of a name or a text so far
  absl::Status status_;
};

}  // namespace

absl::Status CheckJson(absl::string_view text, const Descriptor& type,
                       std::map<std::string, int, std::less<>>* lines) {
  boost::json::parse_options options;
  options.max_depth = kDepthMax;
  boost::json::basic_parser<Handler> parser(options, type, lines);
  error_code error;
  // One line at a time: the parser does not say where it is.
  for (int line = 1;; ++line) {
    parser.handler().set_line(line);
    const size_t end = text.find('\n');
    const bool more = end != absl::string_view::npos;
    const absl::string_view bytes = text.substr(0, more ? end + 1 : text.size());
    const size_t taken = parser.write_some(more, bytes.data(), bytes.size(), error);
    if (!parser.handler().status().ok()) return parser.handler().status();
    // After the document it takes no more, and calls that no error.
    if (!error && taken < bytes.size()) error = boost::json::error::extra_data;
    if (error) {
      return parser.handler().ErrorHere(absl::StrCat("this is not JSON: ", error.message()));
    }
    if (!more) return absl::OkStatus();
    text.remove_prefix(end + 1);
  }
}

}  // namespace groupcast::service
