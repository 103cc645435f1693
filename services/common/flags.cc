#include "services/common/flags.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "services/common/logging.h"
#include "services/common/nearest_name.h"
#include "services/common/version.h"

namespace groupcast::service {
namespace {

// Files may name further files, but not each other in a circle.
constexpr int kFlagfileDepthMax = 8;

constexpr size_t kHelpColumns = 80;

constexpr absl::string_view kSeeHelp = "--help lists the flags";

// The form of a flag's values: a word for --help, and words for an error.
struct Form {
  absl::string_view word;
  absl::string_view text;
};

Form FormOf(const absl::CommandLineFlag& flag) {
  if (flag.IsOfType<bool>()) return {"", "true or false"};
  if (flag.IsOfType<int32_t>()) return {"NUMBER", "a whole number below 2^31"};
  if (flag.IsOfType<int64_t>()) return {"NUMBER", "a whole number below 2^63"};
  if (flag.IsOfType<uint32_t>()) return {"NUMBER", "a whole number from 0, below 2^32"};
  if (flag.IsOfType<uint64_t>()) return {"NUMBER", "a whole number from 0, below 2^64"};
  if (flag.IsOfType<double>()) return {"NUMBER", "a number such as 0.5"};
  if (flag.IsOfType<absl::Duration>()) {
    return {"DURATION", "a duration such as 5s (units: us, ms, s, m, h)"};
  }
  return {"TEXT", "another text"};
}

// The flags that every program has.
struct CommonFlag {
  absl::string_view name;
  absl::string_view shown;
  absl::string_view help;
};
constexpr CommonFlag kCommonFlags[] = {
    {"flagfile", "--flagfile=FILE", "file with further flags, one a line; # begins a comment"},
    {"help", "--help, -h", "this text"},
    {"version", "--version", "the version of Groupcast"},
};

std::map<std::string, absl::CommandLineFlag*> FlagsByName() {
  std::map<std::string, absl::CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) flags.emplace(name, flag);
  return flags;
}

std::optional<std::string> NearestFlag(absl::string_view name) {
  std::vector<std::string> names;
  for (const auto& [known, flag] : FlagsByName()) names.push_back(known);
  for (const CommonFlag& flag : kCommonFlags) names.emplace_back(flag.name);
  return NearestName(name, names);
}

// The flags that arguments and presets name, with the places of the presets. The place of an
// argument is empty.
std::map<std::string, std::string, std::less<>>& NamedFlags() {
  static auto* const named = new std::map<std::string, std::string, std::less<>>();
  return *named;
}

// Empty: the flag's value is not that of a preset.
std::string PresetPlace(absl::string_view flag) {
  const auto named = NamedFlags().find(flag);
  return named != NamedFlags().end() ? named->second : "";
}

// Reads arguments into assignments, and flag files in their place.
class Reader {
 public:
  absl::Status Read(const std::vector<std::string>& arguments) {
    for (size_t i = 0; i < arguments.size() && !ends_here(); ++i) {
      const std::string& argument = arguments[i];
      if (argument == "--") {
        line_.operands.insert(line_.operands.end(), arguments.begin() + i + 1, arguments.end());
        break;
      }
      if (argument.size() < 2 || argument[0] != '-') {
        line_.operands.push_back(argument);
        continue;
      }
      const std::string* const next = i + 1 < arguments.size() ? &arguments[i + 1] : nullptr;
      const absl::StatusOr<bool> took_next = ReadFlag(argument, next);
      if (!took_next.ok()) return took_next.status();
      if (*took_next) ++i;
    }
    return absl::OkStatus();
  }

  // Gives the flags the values that were read, then those of `presets`, and their defaults to the
  // others. After an error they have the values of before.
  absl::Status Apply(const FlagPresets& presets) const {
    std::map<absl::CommandLineFlag*, std::string> before;
    for (const auto& [name, flag] : FlagsByName()) before.emplace(flag, flag->CurrentValue());
    absl::Status status = SetAll({});
    if (status.ok() && presets != nullptr) {
      const absl::StatusOr<std::vector<FlagPreset>> values = presets();
      status = values.ok() ? SetAll(*values) : values.status();
    }
    if (!status.ok()) {
      for (const auto& [flag, value] : before) Set(flag, value);
    }
    return status;
  }

  // Help or version are wanted.
  bool ends_here() const { return line_.wants_help || line_.wants_version; }
  CommandLine& line() { return line_; }

 private:
  struct Assignment {
    absl::CommandLineFlag* flag;
    std::string value;
    std::string file;  // the beginning of an error message
  };

  static bool Set(absl::CommandLineFlag* flag, absl::string_view value) {
    std::string why;  // names neither the form nor the file
    return flag->ParseFrom(value, &why);
  }

  static absl::Status WrongValue(absl::string_view place, absl::string_view value,
                                 const absl::CommandLineFlag& flag) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, "=", value, ": the value must be ", FormOf(flag).text));
  }

  absl::Status SetAll(const std::vector<FlagPreset>& presets) const {
    std::map<std::string, std::string, std::less<>> named;
    for (const auto& [name, flag] : FlagsByName()) Set(flag, flag->DefaultValue());
    for (const FlagPreset& preset : presets) {
      absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(preset.flag);
      if (flag == nullptr) {
        return absl::InternalError(absl::StrCat(preset.place, ": there is no such flag"));
      }
      if (!Set(flag, preset.value)) return WrongValue(preset.place, preset.value, *flag);
      named[preset.flag] = preset.place;
    }
    for (const Assignment& assignment : assignments_) {
      absl::CommandLineFlag& flag = *assignment.flag;
      if (!Set(&flag, assignment.value)) {
        return WrongValue(absl::StrCat(assignment.file, "--", flag.Name()), assignment.value, flag);
      }
      named[std::string(flag.Name())] = "";
    }
    NamedFlags() = std::move(named);
    return absl::OkStatus();
  }

  absl::Status Wrong(absl::string_view argument, absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat(file_, argument, why));
  }

  // Returns whether the flag's value was the next argument.
  absl::StatusOr<bool> ReadFlag(absl::string_view argument, const std::string* next) {
    absl::string_view text = argument;
    text.remove_prefix(absl::StartsWith(text, "--") ? 2 : 1);
    const size_t equals = text.find('=');
    const absl::string_view name = text.substr(0, equals);
    std::optional<std::string> value;
    if (equals != absl::string_view::npos) value = std::string(text.substr(equals + 1));

    if (file_.empty() && !value.has_value()) {
      if (name == "help" || argument == "-h") line_.wants_help = true;
      if (name == "version") line_.wants_version = true;
      if (ends_here()) return false;
    }
    absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    if (flag == nullptr && !value.has_value() && absl::StartsWith(name, "no")) {
      flag = absl::FindCommandLineFlag(name.substr(2));
      if (flag != nullptr && !flag->IsOfType<bool>()) flag = nullptr;
      if (flag != nullptr) value = "false";
    }
    if (name == "help" || name == "version") {
      return Wrong(argument, ": this is for the command line alone, and takes no value");
    }
    if (flag == nullptr && name != "flagfile") return Unknown(argument, name);
    if (flag != nullptr && flag->IsOfType<bool>() && !value.has_value()) value = "true";

    const bool takes_next = !value.has_value();
    if (takes_next) {
      if (next == nullptr || absl::StartsWith(*next, "--")) {
        return Wrong(argument, absl::StrCat(" needs a value: ", argument, "=",
                                            flag == nullptr ? "FILE" : FormOf(*flag).word));
      }
      value = *next;
    }
    if (flag == nullptr) {
      if (absl::Status status = ReadFiles(*value); !status.ok()) return status;
    } else {
      assignments_.push_back({flag, *value, file_});
    }
    return takes_next;
  }

  absl::Status Unknown(absl::string_view argument, absl::string_view name) const {
    if (absl::StrContains(name, ' ')) {
      return Wrong("\"", absl::StrCat(argument, "\" is not a flag; the form is --name=VALUE"));
    }
    const std::optional<std::string> nearest = NearestFlag(name);
    return absl::InvalidArgumentError(
        absl::StrCat(file_, "there is no flag --", name,
                     nearest.has_value() ? absl::StrCat("; did you mean --", *nearest, "?") : "",
                     " (", kSeeHelp, ")"));
  }

  absl::Status ReadFiles(absl::string_view paths) {
    for (const absl::string_view path : absl::StrSplit(paths, ',')) {
      if (absl::Status status = ReadFile(std::string(path)); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadFile(const std::string& path) {
    if (depth_ == kFlagfileDepthMax) {
      return Wrong("--flagfile=", absl::StrCat(path, ": too many flag files name each other"));
    }
    std::ifstream file(path);
    if (!file) return Wrong("--flagfile=", absl::StrCat(path, ": there is no such file to read"));
    ++depth_;
    int number = 0;
    for (std::string line; std::getline(file, line);) {
      const std::string before = std::exchange(file_, absl::StrCat(path, ":", ++number, ": "));
      absl::Status status = ReadLine(std::string(absl::StripAsciiWhitespace(line)));
      file_ = before;
      if (!status.ok()) return status;
    }
    --depth_;
    // A directory opens, and then cannot be read.
    if (file.bad()) return Wrong("--flagfile=", absl::StrCat(path, ": it cannot be read"));
    return absl::OkStatus();
  }

  absl::Status ReadLine(const std::string& line) {
    if (line.empty() || line[0] == '#') return absl::OkStatus();
    if (line[0] != '-' || line == "-" || line == "--") {
      return Wrong("\"", absl::StrCat(line, "\" is not a flag; the form is --name=VALUE"));
    }
    return Read({line});
  }

  CommandLine line_;
  std::vector<Assignment> assignments_;
  std::string file_;  // "FILE:LINE: " inside a flag file
  int depth_ = 0;
};

// Appends the text, indented and with lines of at most kHelpColumns.
void AppendWrapped(absl::string_view text, std::string* out) {
  constexpr absl::string_view kIndent = "      ";
  size_t column = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (column == 0 || column + 1 + word.size() > kHelpColumns) {
      absl::StrAppend(out, column == 0 ? "" : "\n", kIndent, word);
      column = kIndent.size() + word.size();
    } else {
      absl::StrAppend(out, " ", word);
      column += 1 + word.size();
    }
  }
  out->push_back('\n');
}

absl::Status RefuseOperands(const std::vector<std::string>& operands, size_t operands_max) {
  if (operands.size() <= operands_max) return absl::OkStatus();
  const std::string& stray = operands[operands_max];
  if (absl::FindCommandLineFlag(stray.substr(0, stray.find('='))) != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", stray, "\" is not a flag; did you mean --", stray, "?"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", stray, "\" is not a flag, and there is no place for ",
                   operands_max == 0 ? "other" : "more", " arguments (", kSeeHelp, ")"));
}

}  // namespace

absl::StatusOr<CommandLine> ParseFlags(const std::vector<std::string>& arguments,
                                       const FlagPresets& presets) {
  Reader reader;
  if (absl::Status status = reader.Read(arguments); !status.ok()) return status;
  if (!reader.ends_here()) {
    if (absl::Status status = reader.Apply(presets); !status.ok()) return status;
  }
  return std::move(reader.line());
}

std::string FlagPlace(absl::string_view flag) {
  const std::string place = PresetPlace(flag);
  return place.empty() ? absl::StrCat("--", flag) : place;
}

bool IsFlagNamed(absl::string_view flag) { return NamedFlags().find(flag) != NamedFlags().end(); }

absl::Status AtPresetPlace(absl::string_view flag, const absl::Status& status) {
  const std::string place = PresetPlace(flag);
  if (status.ok() || place.empty()) return status;
  return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
}

std::string FormatHelp(absl::string_view usage) {
  std::string help = absl::StrCat(usage, "\n\nFlags:\n");
  for (const auto& [name, flag] : FlagsByName()) {
    const absl::string_view form = FormOf(*flag).word;
    const std::string value = flag->DefaultValue();
    absl::StrAppend(&help, "  --", name, form.empty() ? "" : "=", form);
    if (!value.empty() && value != "false") absl::StrAppend(&help, "  (default: ", value, ")");
    help.push_back('\n');
    AppendWrapped(flag->Help(), &help);
  }
  for (const CommonFlag& flag : kCommonFlags) {
    absl::StrAppend(&help, "  ", flag.shown, "\n");
    AppendWrapped(flag.help, &help);
  }
  return help;
}

std::vector<std::string> ParseCommandLine(int argc, char** argv, absl::string_view usage,
                                          size_t operands_max, const FlagPresets& presets) {
  std::string program = argc > 0 ? argv[0] : "groupcast";
  program.erase(0, program.rfind('/') + 1);
  absl::StatusOr<CommandLine> line =
      ParseFlags(std::vector<std::string>(argv + std::min(argc, 1), argv + argc), presets);
  absl::Status status = line.status();
  if (status.ok() && line->wants_help) {
    std::fputs(FormatHelp(usage).c_str(), stdout);
    std::exit(0);
  }
  if (status.ok() && line->wants_version) {
    std::printf("%s (Groupcast) %s\n", program.c_str(), kVersion);
    std::exit(0);
  }
  if (status.ok()) status = RefuseOperands(line->operands, operands_max);
  if (!status.ok()) {
    PrintLines(absl::StrCat(program, ": ", status.message(), "\n"));
    std::exit(1);
  }
  return std::move(line->operands);
}

}  // namespace groupcast::service
