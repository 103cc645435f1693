#ifndef SDK_CPP_GROUPCAST_CLIENT_IMPL_H_
#define SDK_CPP_GROUPCAST_CLIENT_IMPL_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/backoff.h"
#include "groupcast/client.h"
#include "groupcast/connection.h"
#include "groupcast/session.h"
#include "groupcast/url.h"

namespace groupcast {

// Two sides meet in session_: the application's calls, on any thread, and the client's own thread,
// which runs io_ and owns everything else. The former change session_ and wake the latter.
class Client::Impl final : private ConnectionHandler {
 public:
  Impl(ClientOptions options, Url url);
  ~Impl();

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
  bool on_own_thread() { return io_.get_executor().running_in_this_thread(); }

  // Makes the own thread write what session_ has. Requires mutex_.
  void Wake();

  // The rest runs on the own thread.
  void OnFrame(absl::string_view frame) override;
  void OnWritten() override { Write(); }
  void OnClosed(uint16_t code, const absl::Status& why) override;

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
  template <typename Handler>
  void Arm(boost::asio::steady_timer* timer, absl::Duration after, Handler handler);

  const ClientOptions options_;
  const ConnectionOptions connection_options_;

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::shared_ptr<Connection> connection_;
  Backoff reconnect_backoff_;
  Backoff join_backoff_;
  boost::asio::steady_timer reconnect_timer_{io_};
  boost::asio::steady_timer stable_timer_{io_};
  boost::asio::steady_timer join_timer_{io_};
  boost::asio::steady_timer session_timer_{io_};
  absl::Time session_timer_at_ = absl::InfiniteFuture();
  bool join_timer_armed_ = false;
  bool joins_unsettled_ = false;  // A join was refused for the moment.
  bool closing_ = false;          // Close() was called.
  bool forbidden_ = false;        // The server forbade to come back.

  std::mutex mutex_;
  Session session_;     // Guarded by mutex_.
  bool woken_ = false;  // Guarded by mutex_.

  std::thread thread_;
  std::mutex join_mutex_;  // Held while waiting for thread_.
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CLIENT_IMPL_H_
