#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/gateway.h"
#include "tools/groupcast/live_client.h"
#include "tools/groupcast/message_text.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(It asks the gateway again and again which groups begin with the prefix, and joins those that are
new. Groups are there while they have members, and this command is a member too. What was said in a
group before it was found is printed only with --history. It follows at most 128 groups, and tells
if there are more.

It needs
  - the gateway. It lists groups for callers of its own machine, or for an API key with the scope
    "observe" for all groups with the prefix;
  - the WebSocket service, with a token that grants "join" if it has token keys.

Examples:
  groupcast tail room:
  groupcast tail --json orders. | jq -c '[.group_id, .message]'
  groupcast tail ''                                 all groups)";

constexpr size_t kGroupsMax = 128;  // the server's default

struct Arguments {
  ServerOptions server;
  GatewayOptions gateway;
  std::string prefix;
  absl::Duration interval = absl::Seconds(2);
  uint32_t history = 0;
  bool json = false;
};

class Tail {
 public:
  Tail(const Arguments& arguments, const Gateway& gateway, Console* console)
      : arguments_(arguments),
        gateway_(gateway),
        console_(console),
        client_(arguments.server, console, &waker_) {}

  ExitCode Run() {
    if (absl::Status status = Look(); !status.ok()) return Refused(status);
    if (absl::Status status = client_.Connect(); !status.ok()) return client_.Fail(status);
    if (found_.empty()) console_->Note("There are no such groups yet.");
    for (;;) {
      for (const std::string& group : found_) Join(group);
      found_.clear();
      if (!AwaitNextLook()) break;
      if (code_ != ExitCode::kDone) break;
      const absl::Status status = Look();
      if (status.ok()) continue;
      // What is away comes back. A refusal at this point is a change of rights.
      if (ExitCodeOf(status) != ExitCode::kNotReachable && !absl::IsResourceExhausted(status)) {
        code_ = Refused(status);
        break;
      }
      console_->Note(console_->ErrColour(
          Colour::kYellow,
          absl::StrCat(GatewayError(arguments_.gateway, status), "; trying again")));
    }
    client_.Close();
    return code_;
  }

 private:
  ExitCode Refused(const absl::Status& status) {
    console_->Complain(GatewayError(arguments_.gateway, status));
    if (absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status)) {
      console_->Note("groupcast tail --help says what is needed to list groups.");
    }
    return ExitCodeOf(status);
  }

  // Finds the groups that are new.
  absl::Status Look() {
    const absl::StatusOr<GroupList> list = gateway_.Groups(arguments_.prefix, kGroupsMax + 1);
    if (!list.ok()) return list.status();
    for (const GroupRow& row : list->groups) {
      if (followed_.contains(row.group_id)) continue;
      if (followed_.size() == kGroupsMax) {
        TellTooMany();
        break;
      }
      followed_.insert(row.group_id);
      found_.push_back(row.group_id);
    }
    return absl::OkStatus();
  }

  void TellTooMany() {
    if (has_told_too_many_) return;
    has_told_too_many_ = true;
    console_->Note(console_->ErrColour(Colour::kYellow,
                                       absl::StrCat("There are more than ", kGroupsMax,
                                                    " such groups. The others are not followed.")));
  }

  void Join(const std::string& group) {
    GroupCallbacks callbacks;
    callbacks.on_message = [this](const Message& message) { OnMessage(message); };
    callbacks.on_gap = [this](const Gap& gap) {
      console_->Note(console_->ErrColour(
          Colour::kYellow,
          absl::StrCat(Harmless(gap.group_id), ": messages up to offset ", gap.to, " are lost")));
    };
    callbacks.on_join = [this, group](const absl::StatusOr<Joined>& joined) {
      if (joined.ok() || IsTransient(joined.status())) return;
      console_->Complain(absl::StrCat(Harmless(group), ": ", Harmless(joined.status().message())));
    };
    JoinOptions options;
    options.history = arguments_.history;
    const absl::Status status = client_.client().Join(group, options, std::move(callbacks));
    if (!status.ok()) {
      console_->Complain(absl::StrCat(Harmless(group), ": ", status.message()));
    }
  }

  void OnMessage(const Message& message) {
    std::string text = MessageJson(message);
    if (!arguments_.json) {
      text = MessageLine(message);
      std::string group = absl::StrCat("[", message.group_id, "]");
      if (console_->out_is_terminal()) {
        text = Harmless(text);
        group = console_->OutColour(Colour::kDim, Harmless(group));
      }
      text = absl::StrCat(group, " ", text);
    }
    if (console_->Print(text)) return;
    {
      const std::lock_guard lock(mutex_);
      reader_has_gone_ = true;
    }
    waker_.Poke();
  }

  // False: the command should end, with code_.
  bool AwaitNextLook() {
    const absl::Time until = absl::Now() + arguments_.interval;
    while (absl::Now() < until) {
      const absl::Duration rest = std::min(until - absl::Now(), client_.UntilCheck());
      if (waker_.Wait(rest) == Waker::Cause::kSignal) return false;
      {
        const std::lock_guard lock(mutex_);
        if (reader_has_gone_) return false;
      }
      if (absl::Status status = client_.Check(); !status.ok()) {
        code_ = client_.Fail(status);
        return false;
      }
    }
    return true;
  }

  const Arguments arguments_;
  const Gateway gateway_;
  Console* const console_;
  std::set<std::string> followed_;
  std::vector<std::string> found_;  // by the last look
  bool has_told_too_many_ = false;
  ExitCode code_ = ExitCode::kDone;

  std::mutex mutex_;
  bool reader_has_gone_ = false;

  Waker waker_;
  LiveClient client_;  // the last: its callbacks use what is above
};

}  // namespace

Run DefineTail(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  Add(app, "PREFIX", &arguments->prefix, "PREFIX", "the beginning of group ids")->required();
  Add(app, "--history", &arguments->history, "N",
      "begin each group with its newest N messages, at most 100")
      ->check(CLI::Range(0, 100).description(""));
  AddDuration(app, "--interval", &arguments->interval, "the time between two looks for new groups")
      ->default_str("2s");
  app->add_flag("--json", arguments->json, "print JSON objects");
  AddServerOptions(app, &arguments->server);
  AddGatewayOptions(app, &arguments->gateway);
  app->footer(kFooter);
  return [arguments](Console& console) {
    const absl::StatusOr<Gateway> gateway = Gateway::Create(arguments->gateway);
    if (!gateway.ok()) {
      console.Complain(gateway.status().message());
      return ExitCode::kWrongUsage;
    }
    return Tail(*arguments, *gateway, &console).Run();
  };
}

}  // namespace groupcast::cli
