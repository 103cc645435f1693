#ifndef GROUPCAST_TOOLS_GROUPCAST_COMMANDS_COMMANDS_H_
#define GROUPCAST_TOOLS_GROUPCAST_COMMANDS_COMMANDS_H_

#include "tools/groupcast/command.h"

namespace groupcast::cli {

// Each is a Define: it adds the arguments of its command, and returns the run.
Run DefineSub(CLI::App* app);
Run DefinePub(CLI::App* app);
Run DefineHistory(CLI::App* app);
Run DefineMembers(CLI::App* app);
Run DefineStatus(CLI::App* app);
Run DefineTail(CLI::App* app);
Run DefineTop(CLI::App* app);
Run DefineBench(CLI::App* app);
Run DefineTokenMake(CLI::App* app);
Run DefineTokenInspect(CLI::App* app);
Run DefineDoctor(CLI::App* app);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_COMMANDS_COMMANDS_H_
