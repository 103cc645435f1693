#ifndef GROUPCAST_TOOLS_GROUPCAST_HELP_FORMAT_H_
#define GROUPCAST_TOOLS_GROUPCAST_HELP_FORMAT_H_

#include <CLI/App.hpp>
#include <string>

namespace groupcast::cli {

// The --help of a command, in the form of the other tools of Groupcast: operands and options with
// their texts, and the command's footer. tools/package/man_page reads this form.
std::string HelpText(const CLI::App& app);

// The full name of a command, such as "groupcast token make".
std::string FullName(const CLI::App& app);

// The name of an option as it is typed: the longest of its names, without dashes before it.
std::string OptionName(const CLI::Option& option);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_HELP_FORMAT_H_
