// The command line of Groupcast. docs/command_line.md describes it.

#include <csignal>

#include "tools/groupcast/commands/commands.h"

int main(int argc, char** argv) {
  using namespace groupcast::cli;
  std::signal(SIGPIPE, SIG_IGN);  // Console notices that the reader has gone
  const std::vector<Command> commands = {
      {"sub", "print the messages of groups", DefineSub},
      {"pub", "send messages to a group", DefinePub},
      {"history", "print the messages that a group still has", DefineHistory},
      {"members", "print the members of a group", DefineMembers},
      {"tail", "print the messages of all groups with a prefix", DefineTail},
      {"top", "show the busiest groups, and rates", DefineTop},
      {"bench", "measure a server under load", DefineBench},
      {"token", "make and read tokens", nullptr},
      {"token make", "make a token", DefineTokenMake},
      {"token inspect", "show what a token says", DefineTokenInspect},
      {"status", "tell how the services are", DefineStatus},
      {"doctor", "look for what is wrong, and say what to do", DefineDoctor},
  };
  Console console;
  return static_cast<int>(RunCommand(commands, {argv + 1, argv + argc}, console));
}
