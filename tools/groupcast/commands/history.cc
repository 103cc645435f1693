#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/live_client.h"
#include "tools/groupcast/message_text.h"
#include "tools/groupcast/position_text.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(The server keeps the newest messages of a group for a while: 100 messages and 5 minutes, if its
group rules say nothing else. This command reads them without joining the group.

Examples:
  groupcast history news
  groupcast history --limit=1 news
  groupcast history --json news | jq -r .position | tail -1     where the group is now)";

struct Arguments {
  ServerOptions server;
  std::string group;
  std::string since;
  uint32_t limit = 100;
  bool json = false;
};

ExitCode Print(const GroupHistory& history, const Arguments& arguments, Console* console) {
  for (const Message& message : history.messages) {
    std::string line = arguments.json ? MessageJson(message) : MessageLine(message);
    if (console->out_is_terminal() && !arguments.json) line = Harmless(line);
    if (!console->Print(line)) return ExitCode::kDone;
  }
  if (history.messages.empty() && console->err_is_terminal()) {
    console->Note("There are no messages.");
  }
  if (!arguments.since.empty() && !history.recovered) {
    console->Note(console->ErrColour(
        Colour::kYellow,
        "Not all messages after --since are here: the server has them no more, or "
        "--limit leaves them out."));
  }
  return ExitCode::kDone;
}

ExitCode RunHistory(const Arguments& arguments, Console& console) {
  HistoryOptions options;
  options.limit = arguments.limit;
  if (!arguments.since.empty()) {
    const absl::StatusOr<Position> since = ParsePosition(arguments.since);
    if (!since.ok()) {
      console.Complain(since.status().message());
      return ExitCode::kWrongUsage;
    }
    options.since = *since;
  }
  Waker waker;
  LiveClient client(arguments.server, &console, &waker);
  if (absl::Status status = client.Connect(); !status.ok()) return client.Fail(status);
  const absl::StatusOr<GroupHistory> history =
      client.Ask<GroupHistory>([&](const HistoryCallback& on_history) {
        return client.client().History(arguments.group, options, on_history);
      });
  if (!history.ok()) return client.FailOfGroup(arguments.group, history.status());
  return Print(*history, arguments, &console);
}

}  // namespace

Run DefineHistory(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  Add(app, "GROUP", &arguments->group, "GROUP", "the group to read")->required();
  Add(app, "--limit", &arguments->limit, "N", "the newest N messages, at most 100")
      ->check(CLI::Range(1, 100).description(""))
      ->default_str("100");
  Add(app, "--since", &arguments->since, "EPOCH:OFFSET", "only messages after this position");
  app->add_flag("--json", arguments->json, "print one JSON object per line");
  AddServerOptions(app, &arguments->server);
  app->footer(kFooter);
  return [arguments](Console& console) { return RunHistory(*arguments, console); };
}

}  // namespace groupcast::cli
