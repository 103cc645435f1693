#ifndef GROUPCAST_TOOLS_GROUPCAST_LIVE_CLIENT_H_
#define GROUPCAST_TOOLS_GROUPCAST_LIVE_CLIENT_H_

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/client.h"
#include "tools/groupcast/console.h"
#include "tools/groupcast/exit_code.h"
#include "tools/groupcast/server_options.h"
#include "tools/groupcast/waker.h"

namespace groupcast::cli {

// A client of the SDK for one run of a command. It tells on stderr when the connection is lost and
// when it is back, and it knows when a command should give up.
//
// Its methods are for the main thread. It pokes the waker at each change of the connection.
class LiveClient {
 public:
  // `console` and `waker` must outlive it.
  LiveClient(const ServerOptions& options, Console* console, Waker* waker)
      : options_(options), console_(console), waker_(waker) {}
  ~LiveClient();
  LiveClient(const LiveClient&) = delete;
  LiveClient& operator=(const LiveClient&) = delete;

  // Connects, and waits for the connection. kCancelled: a signal came. Otherwise the error that
  // Complain prints and ExitCodeOf takes.
  absl::Status Connect();

  Client& client() { return *client_; }

  // Why the command should end: the server forbids to come back, or there has been no connection
  // for the time-out. A lost connection has `lost_timeout` if the options have no time-out.
  // OK: it should go on.
  absl::Status Check(absl::Duration lost_timeout = absl::InfiniteDuration());

  // Makes a request and waits for its answer. `request` calls a method of the client with the given
  // callback, and returns its status. Also returns that status, the errors of Check, and kCancelled
  // after a signal.
  template <typename Answer>
  absl::StatusOr<Answer> Ask(
      absl::FunctionRef<absl::Status(std::function<void(const absl::StatusOr<Answer>&)>)> request);

  // How long to wait at most until the next Check.
  absl::Duration UntilCheck() const { return absl::Milliseconds(200); }

  // The end of the client. When it returns, no callback runs any more.
  void Close();

  // Prints an error of Connect or Check, with a hint.
  void Complain(const absl::Status& why) const;
  // The same, and the exit code of a command that ends with it.
  ExitCode Fail(const absl::Status& why) const;
  // The same for an error of Ask about a group.
  ExitCode FailOfGroup(absl::string_view group_id, const absl::Status& why) const;

 private:
  void OnState(ConnectionState state, const absl::Status& why);

  const ServerOptions options_;
  Console* const console_;
  Waker* const waker_;
  std::unique_ptr<Client> client_;

  std::mutex mutex_;  // of what follows
  bool connected_ = false;
  bool was_connected_ = false;
  bool closed_ = false;
  bool closing_ = false;  // by this side
  absl::Status why_;      // why there is no connection
  absl::Time lost_at_;    // since when there is none
};

template <typename Answer>
absl::StatusOr<Answer> LiveClient::Ask(
    absl::FunctionRef<absl::Status(std::function<void(const absl::StatusOr<Answer>&)>)> request) {
  struct Result {
    std::mutex mutex;
    std::optional<absl::StatusOr<Answer>> answer;
  };
  // The callback may run after this function gave up.
  const auto result = std::make_shared<Result>();
  const absl::Status asked =
      request([result, waker = waker_](const absl::StatusOr<Answer>& answer) {
        {
          const std::lock_guard lock(result->mutex);
          result->answer = answer;
        }
        waker->Poke();
      });
  if (!asked.ok()) return asked;
  for (;;) {
    {
      const std::lock_guard lock(result->mutex);
      if (result->answer.has_value()) return *std::move(result->answer);
    }
    if (waker_->Wait(UntilCheck()) == Waker::Cause::kSignal) {
      return absl::CancelledError("interrupted");
    }
    if (absl::Status status = Check(); !status.ok()) return status;
  }
}

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_LIVE_CLIENT_H_
