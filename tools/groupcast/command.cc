#include "tools/groupcast/command.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/nearest_name.h"
#include "services/common/version.h"
#include "tools/groupcast/completion.h"
#include "tools/groupcast/help_format.h"

namespace groupcast::cli {
namespace {

constexpr char kSummary[] = "the command line of Groupcast";
constexpr char kFooter[] = R"(groupcast COMMAND --help has the options and examples of a command.

Environment:
  GROUPCAST_URL        the WebSocket service, instead of ws://127.0.0.1:1234
  GROUPCAST_TOKEN      the token to get in with
  GROUPCAST_GATEWAY    the HTTP gateway, instead of http://127.0.0.1:8080
  GROUPCAST_API_KEY    the API key for the gateway
  NO_COLOR             if it is set, no colours

Exit codes:
  0  done
  1  refused or failed
  2  wrong usage
  3  not reachable
  4  outcome unknown: a message may be delivered, or not

Examples:
  groupcast sub news                     print what is said in the group "news"
  groupcast pub news "hello"             say something there
  tail -f log | groupcast pub logs       send each line)";

constexpr char kCompletionFooter[] = R"(The Debian package has these files already.

Examples:
  groupcast completion bash > ~/.local/share/bash-completion/completions/groupcast
  groupcast completion zsh > ~/.zfunc/_groupcast          ~/.zfunc is in $fpath)";

// --api-key is as good as --api_key.
void NormalizeOptionNames(std::vector<std::string>* arguments) {
  for (std::string& argument : *arguments) {
    if (argument == "--") return;
    if (!absl::StartsWith(argument, "--")) continue;
    const size_t end = std::min(argument.find('='), argument.size());
    std::replace(argument.begin() + 2, argument.begin() + static_cast<ptrdiff_t>(end), '-', '_');
  }
}

void UseHelp(CLI::App* app) { app->set_help_flag("-h,--help", "this text"); }

// The command `completion` is here because it shows the parser itself.
void AddCompletion(CLI::App* app, std::map<const CLI::App*, Run>* runs) {
  CLI::App* const completion =
      app->add_subcommand("completion", "print the completion for bash or zsh");
  completion->footer(kCompletionFooter);
  UseHelp(completion);
  const auto shell = std::make_shared<std::string>();
  Add(completion, "SHELL", shell.get(), "bash|zsh", "the shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}).description(""));
  (*runs)[completion] = [app, shell](Console& console) {
    console.Print(*shell == "bash" ? BashCompletion(*app) : ZshCompletion(*app));
    return ExitCode::kDone;
  };
}

// The command of the arguments that were read: the innermost one.
CLI::App* Innermost(CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return app;
}

std::vector<std::string> NamesOfCommands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> NamesOfOptions(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) names.push_back(absl::StrCat("--", OptionName(*option)));
  }
  return names;
}

ExitCode Usage(Console& console, const CLI::App& app, absl::string_view why) {
  console.Complain(why);
  console.Note(absl::StrCat(FullName(app), " --help tells what there is."));
  return ExitCode::kWrongUsage;
}

// What is wrong with arguments that no command takes.
std::string WhyUnknown(const CLI::App& app, const std::string& argument) {
  const bool is_option = absl::StartsWith(argument, "-") && argument != "-";
  const std::string name = argument.substr(0, argument.find('='));
  const auto nearest =
      service::NearestName(name, is_option ? NamesOfOptions(app) : NamesOfCommands(app));
  const bool takes_command = !NamesOfCommands(app).empty();
  std::string why = is_option       ? absl::StrCat("there is no option ", name)
                    : takes_command ? absl::StrCat("there is no command ", name)
                                    : absl::StrCat("there is one argument too many: ", argument);
  absl::StrAppend(&why, ".");
  if (nearest.has_value()) absl::StrAppend(&why, " Did you mean ", *nearest, "?");
  return why;
}

}  // namespace

CLI::Option* AddDuration(CLI::App* app, const std::string& name, absl::Duration* value,
                         const std::string& text, absl::Duration most) {
  return app
      ->add_option_function<std::string>(
          name,
          [value, name, most](const std::string& given) {
            if (!absl::ParseDuration(given, value) || *value < absl::ZeroDuration() ||
                *value > most) {
              throw CLI::ValidationError(
                  name, absl::StrCat("\"", given, "\" is no duration up to ",
                                     absl::FormatDuration(most), ", such as 500ms, 5s or 1m30s"));
            }
          },
          text)
      ->option_text("TIME");
}

namespace {

// One option for both addresses, also for a command that uses both.
void AddCaFile(CLI::App* app, std::string* value) {
  constexpr char kName[] = "--ca_file";
  if (CLI::Option* const there = app->get_option_no_throw(kName); there != nullptr) {
    there->each([value](const std::string& given) { *value = given; });
    return;
  }
  Add(app, kName, value, "FILE",
      "for wss:// and https://: the CAs that certificates must come from, in PEM. Without it, "
      "those "
      "of the system count");
}

}  // namespace

void AddServerOptions(CLI::App* app, ServerOptions* options) {
  Add(app, "--url", &options->url, "URL", "the address of the WebSocket service")
      ->envname("GROUPCAST_URL")
      ->default_str(options->url);
  AddCaFile(app, &options->ca_file);
  Add(app, "--token_file", &options->token_file, "FILE",
      "the file with the token to get in with. It is read again for each connection, and when the "
      "token expires. Without it, GROUPCAST_TOKEN counts. There is no option for the token itself, "
      "because other users can see command lines");
  AddDuration(app, "--timeout", &options->timeout,
              "how long to try if there is no connection. Without it, the first attempt must "
              "succeed, and a connection that is lost later is tried again");
}

void AddGatewayOptions(CLI::App* app, GatewayOptions* options) {
  Add(app, "--gateway", &options->url, "URL", "the address of the HTTP gateway")
      ->envname("GROUPCAST_GATEWAY")
      ->default_str(options->url);
  AddCaFile(app, &options->ca_file);
  Add(app, "--key_file", &options->key_file, "FILE",
      "the file with the API key for the gateway. Without it, GROUPCAST_API_KEY counts");
}

ExitCode RunCommand(const std::vector<Command>& commands, std::vector<std::string> arguments,
                    Console& console) {
  CLI::App app(kSummary, "groupcast");
  app.footer(kFooter);
  UseHelp(&app);
  bool wants_version = false;
  app.add_flag("--version", wants_version, "the version");
  std::map<const CLI::App*, Run> runs;
  for (const Command& command : commands) {
    const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
    CLI::App* parent = &app;
    for (size_t i = 0; i + 1 < words.size(); ++i) parent = parent->get_subcommand(words[i]);
    CLI::App* const added = parent->add_subcommand(words.back(), command.summary);
    UseHelp(added);
    if (command.define != nullptr) runs[added] = command.define(added);
  }
  AddCompletion(&app, &runs);

  NormalizeOptionNames(&arguments);
  std::reverse(arguments.begin(), arguments.end());  // as the parser takes them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    console.Print(HelpText(*Innermost(&app)));
    return ExitCode::kDone;
  } catch (const CLI::ExtrasError&) {
    const CLI::App& innermost = *Innermost(&app);
    const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
    return Usage(console, innermost, WhyUnknown(innermost, extras.empty() ? "" : extras.front()));
  } catch (const CLI::ParseError& error) {
    return Usage(console, *Innermost(&app), error.what());
  }
  if (wants_version) {
    console.Print(absl::StrCat("groupcast ", service::kVersion, "\n"));
    return ExitCode::kDone;
  }
  const CLI::App& chosen = *Innermost(&app);
  const auto run = runs.find(&chosen);
  if (run == runs.end()) {
    if (&chosen != &app) return Usage(console, chosen, "the command is incomplete.");
    console.Print(HelpText(app));
    return ExitCode::kWrongUsage;
  }
  const ExitCode code = run->second(console);
  if (const std::string error = console.WriteError(); !error.empty()) {
    console.Complain(absl::StrCat("the output could not be written: ", error));
    return ExitCode::kFailed;
  }
  return code;
}

}  // namespace groupcast::cli
