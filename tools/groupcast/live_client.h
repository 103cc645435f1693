#ifndef GROUPCAST_TOOLS_GROUPCAST_LIVE_CLIENT_H_
#define GROUPCAST_TOOLS_GROUPCAST_LIVE_CLIENT_H_

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
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

  // How long to wait at most until the next Check.
  absl::Duration UntilCheck() const { return absl::Milliseconds(200); }

  // The end of the client. When it returns, no callback runs any more.
  void Close();

  // Prints an error of Connect or Check, with a hint.
  void Complain(const absl::Status& why) const;
  // The same, and the exit code of a command that ends with it.
  ExitCode Fail(const absl::Status& why) const;

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

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_LIVE_CLIENT_H_
