#ifndef GROUPCAST_TOOLS_GROUPCAST_COMPLETION_H_
#define GROUPCAST_TOOLS_GROUPCAST_COMPLETION_H_

#include <CLI/App.hpp>
#include <string>

namespace groupcast::cli {

// A script of bash that completes the commands and options of `app`, and files after an option's
// "=". It is for /usr/share/bash-completion/completions.
std::string BashCompletion(const CLI::App& app);

// The same for zsh, with a text for each word. It is the file of the autoloaded function
// _groupcast.
std::string ZshCompletion(const CLI::App& app);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_COMPLETION_H_
