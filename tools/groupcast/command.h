#ifndef GROUPCAST_TOOLS_GROUPCAST_COMMAND_H_
#define GROUPCAST_TOOLS_GROUPCAST_COMMAND_H_

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tools/groupcast/console.h"
#include "tools/groupcast/exit_code.h"
#include "tools/groupcast/server_options.h"

namespace groupcast::cli {

// The work of a command, after its arguments were read.
using Run = std::function<ExitCode(Console& console)>;

// Adds a command's arguments to the parser. The result holds their values, and may run after the
// parser has read them.
using Define = Run (*)(CLI::App* app);

struct Command {
  const char* name;     // two words for a command of a command
  const char* summary;  // what it does, for the list of commands
  Define define;
};

// An option or operand with its form in the help, such as "N" or "GROUP...".
template <typename Value>
CLI::Option* Add(CLI::App* app, const std::string& name, Value* value, const char* form,
                 const std::string& text) {
  return app->add_option(name, *value, text)->option_text(form);
}

// A duration such as 500ms, 5s or 1m30s, up to `most`.
CLI::Option* AddDuration(CLI::App* app, const std::string& name, absl::Duration* value,
                         const std::string& text, absl::Duration most = absl::Hours(24));

// The options of all commands that use the WebSocket service, or the gateway.
void AddServerOptions(CLI::App* app, ServerOptions* options);
void AddGatewayOptions(CLI::App* app, GatewayOptions* options);

// Reads the arguments of the process, without the program's name, and runs the command that they
// name. It prints the help, or the reason why the arguments are wrong.
ExitCode RunCommand(const std::vector<Command>& commands, std::vector<std::string> arguments,
                    Console& console);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_COMMAND_H_
