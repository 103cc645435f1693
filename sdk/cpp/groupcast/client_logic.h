#ifndef SDK_CPP_GROUPCAST_CLIENT_LOGIC_H_
#define SDK_CPP_GROUPCAST_CLIENT_LOGIC_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "groupcast/backoff.h"
#include "groupcast/client.h"
#include "groupcast/connection_end.h"
#include "groupcast/event.h"
#include "groupcast/liveness.h"
#include "groupcast/session.h"

namespace groupcast {

// The time for a token of ClientOptions::token_source. Over it, the attempt to connect has failed.
inline constexpr absl::Duration kTokenTimeout = absl::Seconds(10);

// What a client decides: when to connect, to give up, to wait and to come back, with which token,
// and when the line is dead. Session has the state of the protocol, over all connections. Like
// Session, it has no IO, no clock and no threads, and the same calls always have the same effects.
//
// The owner has at most one connection. It puts in the application's calls and what it hears of the
// connection. After each of these it takes out, in this order: what to do with the connection
// (NextAction), the callbacks to run (NextCallback), and the frames to write (NextFrame). At
// next_deadline() it calls OnTimer(). It runs callbacks outside of any lock that guards this
// object.
//
// `now` comes from a clock of the owner that does not go back, and always from the same one.
class ClientLogic {
 public:
  // Connect, with this token if it is not empty. There is no connection.
  struct ConnectAction {
    std::string token;
  };
  // Begin the closing handshake, with this code. OnClosed() follows, or an AbandonAction.
  struct CloseAction {
    uint16_t code;
  };
  // End the connection at once. Nothing is heard of it any more.
  struct AbandonAction {};
  // Ask ClientOptions::token_source. OnToken() follows, or nothing.
  struct TokenAction {
    uint64_t request;
  };
  using Action = std::variant<ConnectAction, CloseAction, AbandonAction, TokenAction>;

  // Of `options`, it uses what is not about IO, without checks. `random` draws from [0, 1).
  ClientLogic(const ClientOptions& options, SessionIdentity identity,
              const std::function<double()>& random);

  // The application's calls.

  void Start(absl::Time now);
  // For Join, Leave, Send and what else concerns the protocol alone.
  Session& session() { return session_; }
  void Reconnect(absl::Time now);
  void Close(absl::Time now);

  // What is heard of the connection.

  // A sign of life that is no whole event.
  void OnHeard(absl::Time now);
  // A frame, as ParseEvent() has it.
  void OnEvent(absl::StatusOr<Event> event, absl::Time now);
  // The server does not keep to WebSocket as this client uses it.
  void OnViolation(uint16_t close_code, const absl::Status& why, absl::Time now);
  // A frame could not be written. The end of the connection follows, with its reason, unless the
  // line is dead.
  void OnWriteFailed(const absl::Status& why, absl::Time now);
  void OnClosed(ConnectionEnd end, absl::Time now);
  void OnToken(uint64_t request, absl::StatusOr<std::string> token, absl::Time now);

  void OnTimer(absl::Time now);
  absl::Time next_deadline() const;

  // What is to be done.

  std::optional<Action> NextAction();
  std::optional<std::string> NextFrame(absl::Time now);
  std::function<void()> NextCallback() { return session_.NextCallback(); }
  // After Close(), when the connection has ended. Only callbacks are left then.
  bool finished() const { return finished_; }

 private:
  enum class Phase {
    kToken,       // An attempt to connect waits for its token.
    kConnecting,  // Until the server's welcome.
    kOpen,
    kEnding,   // This side closes the connection, for end_why_.
    kWaiting,  // For the next attempt.
    kClosed,
  };

  void BeginAttempt(absl::Time now);
  void Connect(std::string token, absl::Time now);
  void AskForToken();
  void OnWelcome(absl::Time now);
  // An event that is no answer to a command of the session. Returns whether it was one.
  bool OnOwnEvent(const Event& event, absl::Time now);
  void OnOwnError(const ErrorEvent& event);
  void NoteJoins(absl::Time now);
  // Begins the closing handshake.
  void BeginEnd(uint16_t code, const absl::Status& why, absl::Time now);
  // Ends the connection, or the attempt, at once.
  void Abandon(const absl::Status& why, absl::Time now);
  // Before opened_at_ is forgotten.
  void NoteHowLongItLasted(absl::Time now);
  void OnEnd(const ConnectionEnd& end, absl::Time now);
  void OnEnd(const absl::Status& why, absl::Time now) { OnEnd(ConnectionEnd{why}, now); }
  void Refused(const absl::Status& why);
  void Finish();
  void Notify(ConnectionState state, const absl::Status& why);
  void TellError(const absl::Status& why);

  const ClientOptions options_;
  Session session_;
  Backoff reconnect_backoff_;
  Backoff join_backoff_;

  Phase phase_ = Phase::kWaiting;
  // Of the phase. For kOpen, see end_why_.
  absl::Time deadline_ = absl::InfiniteFuture();
  // For kEnding, and for kOpen with a deadline: why the connection ends.
  absl::Status end_why_;
  bool closing_ = false;   // Close() was called.
  bool finished_ = false;  // And nothing is left.

  std::optional<absl::Time> opened_at_;  // Of this connection, or of the last one.
  std::optional<Liveness> liveness_;
  uint64_t token_request_ = 0;      // The newest.
  bool awaits_token_ = false;       // It has no answer.
  bool fresh_token_tried_ = false;  // Since a connection lasted.
  absl::Time retry_joins_at_ = absl::InfiniteFuture();
  bool joins_unsettled_ = false;  // A join was refused for the moment.

  std::optional<std::string> ping_;          // To write.
  std::optional<std::string> authenticate_;  // To write.
  std::optional<CommandId> authenticate_id_;
  // Bounded: the owner takes all of them after each call, and a call adds at most three.
  std::deque<Action> actions_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CLIENT_LOGIC_H_
