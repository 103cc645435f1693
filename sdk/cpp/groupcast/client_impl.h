#ifndef SDK_CPP_GROUPCAST_CLIENT_IMPL_H_
#define SDK_CPP_GROUPCAST_CLIENT_IMPL_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/backoff.h"
#include "groupcast/client.h"
#include "groupcast/connection.h"
#include "groupcast/host_lookup.h"
#include "groupcast/session.h"
#include "groupcast/url.h"

namespace groupcast {

// Two sides meet in session_: the application's calls, on any thread, and the client's strand,
// which owns everything else. The former change session_ and wake the latter.
//
// The strand's functions hold run_mutex_ while they run. So the end of a Client on another thread
// can wait for a callback, and can run what is left by itself: nobody may run the strand any more.
// The strand's functions and the connection hold weak references, so the client releases the
// callbacks of the application when it is destroyed, whatever the loop still has.
class Client::Impl final : public ConnectionHandler, public std::enable_shared_from_this<Impl> {
 public:
  Impl(ClientOptions options, ConnectionOptions connection_options);
  ~Impl();

  // Begins to connect. Call it once, before everything else.
  void Start();
  // The client is being destroyed: returns when no callback runs, and none follows.
  void End();

  absl::Status Join(absl::string_view group_id, const JoinOptions& options,
                    GroupCallbacks callbacks);
  void Leave(absl::string_view group_id);
  absl::Status Send(absl::string_view group_id, absl::string_view json, const SendOptions& options,
                    SendCallback on_sent);
  absl::Status History(absl::string_view group_id, const HistoryOptions& options,
                       HistoryCallback on_history);
  void Close();

  const ClientOptions& options() const { return options_; }

 private:
  using IoContext = boost::asio::io_context;

  // Makes the strand write what session_ has. Requires mutex_.
  void Wake();
  // A function for the strand, or for a timer, that runs `run` unless the client is gone.
  template <typename Run>
  auto OnStrand(Run run);

  // The rest runs on the strand.
  void OnFrame(absl::string_view frame) override;
  void OnWritten() override;
  void OnClosed(bool may_reconnect, const absl::Status& why) override;

  void Connect();
  void OnWelcome();
  void Write();
  void RunCallbacks();
  void RetryJoinsLater();
  void OnSessionTimer();
  void ArmSessionTimer(absl::Time deadline);
  void BeginClose();
  void Finish();
  void EndSession(const absl::Status& why);
  void Notify(ConnectionState state, const absl::Status& why);
  template <typename Run>
  void Arm(boost::asio::steady_timer* timer, absl::Duration after, Run run);

  const ClientOptions options_;
  const ConnectionOptions connection_options_;

  // Null if the application runs the loop. Shared with thread_, which may outlive this.
  const std::shared_ptr<IoContext> own_io_;
  const boost::asio::strand<IoContext::executor_type> strand_;
  std::optional<boost::asio::executor_work_guard<IoContext::executor_type>> work_;  // Of own_io_.

  std::recursive_mutex run_mutex_;  // Recursive: a callback may destroy the client.
  const std::shared_ptr<HostLookup> lookup_;
  std::shared_ptr<Connection> connection_;
  Backoff reconnect_backoff_;
  Backoff join_backoff_;
  boost::asio::steady_timer reconnect_timer_{strand_};
  boost::asio::steady_timer stable_timer_{strand_};
  boost::asio::steady_timer join_timer_{strand_};
  boost::asio::steady_timer session_timer_{strand_};
  absl::Time session_timer_at_ = absl::InfiniteFuture();
  bool join_timer_armed_ = false;
  bool joins_unsettled_ = false;  // A join was refused for the moment.
  bool closing_ = false;          // Close() was called.
  bool told_closed_ = false;      // The application knows of the end.
  bool ended_ = false;            // The Client is gone. Nothing may run any more.

  std::mutex mutex_;
  Session session_;     // Guarded by mutex_.
  bool woken_ = false;  // Guarded by mutex_.

  std::thread thread_;     // Runs own_io_.
  std::mutex join_mutex_;  // Held while waiting for thread_.
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CLIENT_IMPL_H_
