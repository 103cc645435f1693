#include "tools/groupcast/help_format.h"

#include <CLI/Option.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace groupcast::cli {
namespace {

constexpr size_t kWidth = 100;
constexpr size_t kFormWidthMax = 20;

struct Row {
  std::string form;
  std::string text;
};

// `words` in lines of at most `width`, the lines after the first with an indent.
std::string Wrapped(absl::string_view text, size_t indent) {
  std::string result;
  size_t column = indent;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (column > indent && column + 1 + word.size() > kWidth) {
      absl::StrAppend(&result, "\n", std::string(indent, ' '));
      column = indent;
    }
    if (column > indent) absl::StrAppend(&result, " ");
    column += word.size() + (column > indent ? 1 : 0);
    absl::StrAppend(&result, word);
  }
  return result;
}

std::string Table(const std::vector<Row>& rows) {
  size_t width = 0;
  for (const Row& row : rows) {
    if (row.form.size() <= kFormWidthMax) width = std::max(width, row.form.size());
  }
  const size_t indent = std::max<size_t>(width + 4, 6);
  std::string table;
  for (const Row& row : rows) {
    absl::StrAppend(&table, "  ", row.form);
    if (row.form.size() > width) {
      absl::StrAppend(&table, "\n", std::string(indent, ' '));
    } else {
      absl::StrAppend(&table, std::string(indent - 2 - row.form.size(), ' '));
    }
    absl::StrAppend(&table, Wrapped(row.text, indent), "\n");
  }
  return table;
}

std::string OptionForm(const CLI::Option& option) {
  std::string form;
  for (const std::string& name : option.get_snames()) absl::StrAppend(&form, "-", name, ", ");
  absl::StrAppend(&form, "--", OptionName(option));
  if (!option.get_option_text().empty()) absl::StrAppend(&form, "=", option.get_option_text());
  return form;
}

std::string OptionText(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_envname().empty()) {
    absl::StrAppend(&text, "; the environment variable ", option.get_envname(),
                    " has the same effect");
  }
  if (!option.get_default_str().empty()) {
    absl::StrAppend(&text, " (default: ", option.get_default_str(), ")");
  }
  return text;
}

}  // namespace

std::string OptionName(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}

std::string FullName(const CLI::App& app) {
  return app.get_parent() == nullptr
             ? app.get_name()
             : absl::StrCat(FullName(*app.get_parent()), " ", app.get_name());
}

std::string HelpText(const CLI::App& app) {
  const std::vector<const CLI::App*> commands =
      app.get_subcommands([](const CLI::App* command) { return !command->get_name().empty(); });
  std::vector<Row> operands;
  std::vector<Row> options;
  std::string usage = absl::StrCat("  ", FullName(app), commands.empty() ? "" : " COMMAND");
  std::string operand_forms;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) {
      options.push_back({OptionForm(*option), OptionText(*option)});
      continue;
    }
    const std::string& form = option->get_option_text();
    absl::StrAppend(&operand_forms, " ",
                    option->get_required() ? form : absl::StrCat("[", form, "]"));
    operands.push_back({form, option->get_description()});
  }
  // -h stands first in the parser, and last in the help.
  std::rotate(options.begin(), options.begin() + (options.empty() ? 0 : 1), options.end());
  absl::StrAppend(&usage, options.empty() ? "" : " [options]", operand_forms, "\n");

  std::string help = absl::StrCat(FullName(app), " - ", app.get_description(), "\n\n", usage);
  std::vector<Row> rows;
  for (const CLI::App* command : commands) {
    if (command->get_group().empty()) continue;
    rows.push_back({command->get_name(), command->get_description()});
  }
  if (!rows.empty()) absl::StrAppend(&help, "\n", Table(rows));
  if (!operands.empty()) absl::StrAppend(&help, "\n", Table(operands));
  if (!options.empty()) absl::StrAppend(&help, "\n", Table(options));
  if (!app.get_footer().empty()) absl::StrAppend(&help, "\n", app.get_footer(), "\n");
  return help;
}

}  // namespace groupcast::cli
