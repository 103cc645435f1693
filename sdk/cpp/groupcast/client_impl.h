#ifndef SDK_CPP_GROUPCAST_CLIENT_IMPL_H_
#define SDK_CPP_GROUPCAST_CLIENT_IMPL_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/client.h"
#include "groupcast/client_logic.h"
#include "groupcast/connection.h"
#include "groupcast/host_lookup.h"
#include "groupcast/url.h"

namespace groupcast {

// Two sides meet in logic_, which decides: the application's calls, on any thread, and the client's
// strand, which does what logic_ says, and owns everything else. The former change logic_ and wake
// the latter.
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
  absl::Status Members(absl::string_view group_id, const MembersOptions& options,
                       MembersCallback on_members);
  void Reconnect();
  void Close();

  const ClientOptions& options() const { return options_; }

 private:
  using IoContext = boost::asio::io_context;

  // Where callbacks of tokens find the client, as long as it is there.
  struct TokenDesk {
    std::mutex mutex;
    Impl* client;  // Guarded by mutex.
  };

  // Makes the strand do what logic_ says. Requires mutex_.
  void Wake();
  // A function for the strand, or for a timer, that runs `run` unless the client is gone.
  template <typename Run>
  auto OnStrand(Run run);

  // The rest runs on the strand.
  void OnHeard() override;
  void OnFrame(absl::string_view frame) override;
  void OnViolation(uint16_t close_code, const absl::Status& why) override;
  void OnWritten() override;
  void OnWriteFailed(const absl::Status& why) override;
  void OnClosed(const ConnectionEnd& end) override;

  // Calls `change` with logic_ and the time, and does what follows, unless the client is gone.
  template <typename Change>
  void Update(Change change);
  void Pump();
  void Do(ClientLogic::ConnectAction& action);
  void Do(ClientLogic::CloseAction& action);
  void Do(ClientLogic::AbandonAction& action);
  void Do(ClientLogic::TokenAction& action);
  void RunCallbacks();
  void Write();
  void ArmTimer(absl::Time deadline);

  const ClientOptions options_;
  const ConnectionOptions connection_options_;

  // Null if the application runs the loop. Shared with thread_, which may outlive this.
  const std::shared_ptr<IoContext> own_io_;
  const boost::asio::strand<IoContext::executor_type> strand_;
  std::optional<boost::asio::executor_work_guard<IoContext::executor_type>> work_;  // Of own_io_.

  std::recursive_mutex run_mutex_;  // Recursive: a callback may destroy the client.
  const std::shared_ptr<HostLookup> lookup_;
  std::shared_ptr<Connection> connection_;
  boost::asio::steady_timer timer_{strand_};
  absl::Time timer_at_ = absl::InfiniteFuture();
  bool ended_ = false;  // The Client is gone. Nothing may run any more.
  const std::shared_ptr<TokenDesk> token_desk_ = std::make_shared<TokenDesk>();

  std::mutex mutex_;
  ClientLogic logic_;   // Guarded by mutex_.
  bool woken_ = false;  // Guarded by mutex_.

  std::thread thread_;     // Runs own_io_.
  std::mutex join_mutex_;  // Held while waiting for thread_.
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CLIENT_IMPL_H_
