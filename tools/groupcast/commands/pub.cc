#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/delivery_tally.h"
#include "tools/groupcast/line_splitter.h"
#include "tools/groupcast/live_client.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(Without a message, or with "-", each line of standard input is a message. It reads no faster than
the server acknowledges, so the input may be larger than the memory. The exit code is 0 if all
messages are acknowledged. Otherwise stderr says how many are not, and which lines:
  1  the server refused a message
  3  a message was not delivered, because the server was not reachable
  4  a message may be delivered, or not: its connection broke before the answer

Examples:
  groupcast pub news "hello"
  groupcast pub --json orders '{"id":7,"state":"paid"}'
  tail -f access.log | groupcast pub logs
  groupcast pub --json orders < orders.jsonl)";

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kMessageBytesMax = 64 << 10;  // the server's default
constexpr absl::Duration kLostTimeout = absl::Minutes(1);
constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

struct Arguments {
  ServerOptions server;
  std::string group;
  std::optional<std::string> message;
  bool json = false;
};

// Whether the server will refuse all other messages to the group too.
bool ConcernsTheGroup(const absl::Status& refusal) {
  const std::string word = ErrorWord(refusal);
  return word == "forbidden" || word == "unauthorized" || word == "token_expired" ||
         word == "group_id_invalid";
}

// One run: it sends the messages, and knows what became of each.
class Publication {
 public:
  Publication(const Arguments& arguments, Console* console)
      : arguments_(arguments), console_(console), client_(arguments.server, console, &waker_) {}

  ExitCode Run() {
    if (absl::Status status = client_.Connect(); !status.ok()) return client_.Fail(status);
    if (arguments_.message.has_value() && *arguments_.message != "-") {
      Send({0, *arguments_.message, false});
    } else {
      SendInput();
    }
    AwaitResults();
    client_.Close();
    return Report();
  }

 private:
  void SendInput() {
    reads_input_ = true;
    if (isatty(STDIN_FILENO) == 1) {
      console_->Note("Each line is a message. Ctrl-D ends the input.");
    }
    LineSplitter lines(kMessageBytesMax, [this](const InputLine& line) {
      // JSON Lines may have empty lines.
      if (!stops_reading() && !(arguments_.json && line.text.empty() && !line.too_long)) Send(line);
    });
    std::vector<char> buffer(kReadBytes);
    while (!stops_reading()) {
      if (Wait(STDIN_FILENO) != Waker::Cause::kReadable) continue;
      const ssize_t bytes = read(STDIN_FILENO, buffer.data(), buffer.size());
      if (bytes > 0) {
        lines.Add({buffer.data(), static_cast<size_t>(bytes)});
        continue;
      }
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes < 0) {
        return console_->Complain(absl::StrCat("the input cannot be read: ", std::strerror(errno)));
      }
      lines.Finish();
      input_is_at_end_ = !stops_reading();
      return;
    }
  }

  // Hands one message to the client, and waits while the client's queue is full.
  void Send(const InputLine& line) {
    if (line.too_long) {
      const std::lock_guard lock(mutex_);
      tally_.Refuse(line.number, absl::InvalidArgumentError(absl::StrCat(
                                     "it has more than ", kMessageBytesMax, " bytes")));
      return;
    }
    const auto on_sent = [this, number = line.number](const absl::StatusOr<Position>& position) {
      OnSent(number, position.status());
    };
    for (;;) {
      {
        const std::lock_guard lock(mutex_);  // so that the result comes after Begin
        const absl::Status status =
            arguments_.json ? client_.client().SendJson(arguments_.group, line.text, on_sent)
                            : client_.client().Send(arguments_.group, line.text, on_sent);
        if (status.ok()) return tally_.Begin();
        if (status.code() != absl::StatusCode::kResourceExhausted) {
          return tally_.Refuse(line.number, status);
        }
      }
      Wait(-1);  // a result makes room
      if (stops_reading()) return;
    }
  }

  void OnSent(uint64_t line, const absl::Status& result) {
    {
      const std::lock_guard lock(mutex_);
      tally_.End(line, result);
      if (ConcernsTheGroup(result)) group_is_refused_ = true;
    }
    waker_.Poke();
  }

  // Waits for the next event, and notices if the run should end early.
  Waker::Cause Wait(int fd) {
    const Waker::Cause cause = waker_.Wait(client_.UntilCheck(), fd);
    if (cause == Waker::Cause::kSignal) gives_up_ = true;
    if (absl::Status status = client_.Check(kLostTimeout); !status.ok() && !gives_up_) {
      client_.Complain(status);
      gives_up_ = true;
    }
    ShowProgress();
    return cause;
  }

  bool stops_reading() {
    const std::lock_guard lock(mutex_);
    return gives_up_ || group_is_refused_;
  }

  void AwaitResults() {
    while (!gives_up_) {
      {
        const std::lock_guard lock(mutex_);
        if (tally_.waiting() == 0) return;
      }
      Wait(-1);
    }
  }

  void ShowProgress() {
    if (!console_->err_is_terminal() || arguments_.message.has_value()) return;
    const absl::Time now = absl::Now();
    if (now - shown_at_ < kProgressInterval) return;
    shown_at_ = now;
    const std::lock_guard lock(mutex_);
    console_->ShowProgress(
        absl::StrCat(tally_.total(), " read, ", tally_.acknowledged(), " acknowledged",
                     tally_.failed() > 0 ? ", " : "",
                     tally_.failed() > 0 ? absl::StrCat(tally_.failed(), " failed") : ""));
  }

  ExitCode Report() {
    console_->ShowProgress("");
    const ExitCode code = tally_.exit_code();
    if (code != ExitCode::kDone) {
      for (const std::string& line : tally_.Report()) console_->Complain(Harmless(line));
    } else if (console_->err_is_terminal()) {
      console_->Note(console_->ErrColour(Colour::kGreen, tally_.Report().back()));
    }
    if (reads_input_ && !input_is_at_end_) {
      console_->Complain("the rest of the input was not sent.");
      return code == ExitCode::kDone ? ExitCode::kFailed : code;
    }
    return code;
  }

  const Arguments arguments_;
  Console* const console_;

  // Of the main thread.
  bool reads_input_ = false;
  bool input_is_at_end_ = false;
  bool gives_up_ = false;  // a signal, or no connection
  absl::Time shown_at_;

  std::mutex mutex_;  // of what follows
  DeliveryTally tally_;
  bool group_is_refused_ = false;

  Waker waker_;
  LiveClient client_;  // the last: its callbacks use what is above
};

}  // namespace

Run DefinePub(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  Add(app, "GROUP", &arguments->group, "GROUP", "the group to send to")->required();
  app->add_option("MESSAGE", arguments->message, "the message; -: lines of standard input")
      ->option_text("MESSAGE|-");
  app->add_flag("--json", arguments->json, "each message is a JSON value, instead of a text");
  AddServerOptions(app, &arguments->server);
  app->footer(kFooter);
  return [arguments](Console& console) { return Publication(*arguments, &console).Run(); };
}

}  // namespace groupcast::cli
