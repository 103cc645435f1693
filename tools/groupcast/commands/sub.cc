#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/live_client.h"
#include "tools/groupcast/message_text.h"
#include "tools/groupcast/position_text.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(A message takes one line, or more if its text has line ends. With --json each message is one JSON
object on one line. Lost messages and changes of the connection are told on stderr. Ctrl-C ends it.

Examples:
  groupcast sub news                               what is said from now on
  groupcast sub --history=10 news                  the last ten messages first
  groupcast sub --json orders | jq .message        for programs
  groupcast sub --since=5f0c2ab3d1e94477:42 news   what came after that message
  groupcast sub --count=1 --timeout=30s ready      wait for one message)";

struct Arguments {
  ServerOptions server;
  std::vector<std::string> groups;
  std::string since;
  uint32_t history = 0;
  uint64_t count = 0;  // 0: no end
  bool json = false;
};

// The members of all groups of one run.
class Subscription {
 public:
  Subscription(const Arguments& arguments, Console* console)
      : arguments_(arguments), console_(console), client_(arguments.server, console, &waker_) {}

  ExitCode Run() {
    JoinOptions options;
    options.history = arguments_.history;
    if (!arguments_.since.empty()) {
      const absl::StatusOr<Position> since = ParsePosition(arguments_.since);
      if (!since.ok()) return WrongUsage(since.status().message());
      options.since = *since;
    }
    if (absl::Status status = client_.Connect(); !status.ok()) return client_.Fail(status);
    for (const std::string& group : arguments_.groups) {
      if (absl::Status status = Join(group, options); !status.ok()) {
        return WrongUsage(status.message());
      }
    }
    const ExitCode code = AwaitEnd();
    client_.Close();
    TellPositions();
    return code;
  }

 private:
  ExitCode WrongUsage(absl::string_view why) {
    console_->Complain(why);
    return ExitCode::kWrongUsage;
  }

  absl::Status Join(const std::string& group, const JoinOptions& options) {
    return client_.client().Join(
        group, options, [this](const Message& message) { OnMessage(message); },
        [this, group](const absl::StatusOr<Joined>& joined) { OnJoin(group, joined); },
        [this](const Gap& gap) { OnGap(gap); });
  }

  void OnMessage(const Message& message) {
    if (ended_) return;
    positions_[message.group_id] = message.position();
    if (!console_->Print(Formatted(message)) || ++received_ == arguments_.count) {
      ended_ = true;
      End(ExitCode::kDone);
    }
  }

  std::string Formatted(const Message& message) const {
    if (arguments_.json) return MessageJson(message);
    std::string line = MessageLine(message);
    if (console_->out_is_terminal()) line = Harmless(line);
    if (arguments_.groups.size() == 1) return line;
    return absl::StrCat(console_->OutColour(Colour::kDim, absl::StrCat("[", message.group_id, "]")),
                        " ", line);
  }

  void OnJoin(const std::string& group, const absl::StatusOr<Joined>& joined) {
    if (joined.ok()) {
      positions_[group] = joined->position;
      return;
    }
    const std::string why = absl::StrCat(group, ": ", Harmless(joined.status().message()));
    if (IsTransient(joined.status())) {
      console_->Note(console_->ErrColour(Colour::kYellow, absl::StrCat(why, "; trying again")));
      return;
    }
    console_->Complain(why);
    End(ExitCodeOf(joined.status()));
  }

  void OnGap(const Gap& gap) {
    positions_[gap.group_id] = gap.position();
    const std::string what =
        gap.from.has_value()
            ? absl::StrCat("messages after offset ", *gap.from, " up to ", gap.to, " are lost")
            : absl::StrCat("messages before offset ", gap.to,
                           " are perhaps lost: the group has another history");
    console_->Note(console_->ErrColour(Colour::kYellow, absl::StrCat(gap.group_id, ": ", what)));
  }

  void End(ExitCode code) {
    {
      const std::lock_guard lock(mutex_);
      if (!end_.has_value()) end_ = code;
    }
    waker_.Poke();
  }

  ExitCode AwaitEnd() {
    for (;;) {
      const Waker::Cause cause = waker_.Wait(client_.UntilCheck());
      if (cause == Waker::Cause::kSignal) return ExitCode::kDone;
      {
        const std::lock_guard lock(mutex_);
        if (end_.has_value()) return *end_;
      }
      if (absl::Status status = client_.Check(); !status.ok()) return client_.Fail(status);
    }
  }

  // Only for people who have ended it: a program has the positions in --json.
  void TellPositions() {
    if (!console_->err_is_terminal()) return;
    for (const auto& [group, position] : positions_) {
      console_->Note(console_->ErrColour(
          Colour::kDim, absl::StrCat(group, ": go on with --since=", PositionText(position))));
    }
  }

  const Arguments arguments_;
  Console* const console_;

  // Of the client's callbacks, and of the main thread after Close.
  std::map<std::string, Position> positions_;
  uint64_t received_ = 0;
  bool ended_ = false;

  std::mutex mutex_;
  std::optional<ExitCode> end_;

  Waker waker_;
  LiveClient client_;  // the last: its callbacks use what is above
};

}  // namespace

Run DefineSub(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  Add(app, "GROUP", &arguments->groups, "GROUP...", "the groups to join, at most 128")->required();
  CLI::Option* const since =
      Add(app, "--since", &arguments->since, "EPOCH:OFFSET",
          "begin with the messages after this position, such as the \"position\" of --json. For "
          "one group");
  Add(app, "--history", &arguments->history, "N", "begin with the newest N messages, at most 100")
      ->check(CLI::Range(0, 100).description(""))
      ->excludes(since);
  Add(app, "--count", &arguments->count, "N", "end after N messages")
      ->check(CLI::PositiveNumber.description(""));
  app->add_flag("--json", arguments->json, "print JSON objects");
  AddServerOptions(app, &arguments->server);
  app->footer(kFooter);
  return [arguments](Console& console) {
    if (!arguments->since.empty() && arguments->groups.size() > 1) {
      console.Complain("--since is for one group: each group has its own positions.");
      return ExitCode::kWrongUsage;
    }
    return Subscription(*arguments, &console).Run();
  };
}

}  // namespace groupcast::cli
