#ifndef SDK_CPP_GROUPCAST_CLIENT_H_
#define SDK_CPP_GROUPCAST_CLIENT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sdk/cpp/groupcast/types.h"

namespace groupcast {

// All durations must be above zero and at most a day.
struct ClientOptions {
  // ws://HOST[:PORT][/PATH], as "ws://127.0.0.1:1234". The only option that must be set.
  std::string url;

  // How long an attempt to connect may take, from resolving the host to the server's welcome.
  // A host resolver that hangs can hold up Close() for longer.
  absl::Duration connect_timeout = absl::Seconds(10);

  // 1 to 64 of A-Z, a-z, 0-9, _ and -. Names this client to the server over all its connections;
  // made at random if empty. Set it for SendOptions::exclude_self to hold over a restart of the
  // program, or for several clients that are to count as one. It is a secret: who knows it can pass
  // for this client's session.
  std::string session_id;

  // If nothing at all comes from the server for this long, not even the answer to the ping that is
  // sent after half of it, the connection is given up. Should be above the server's own ping
  // interval (25 s), or this client pings more than it needs to.
  absl::Duration dead_peer_timeout = absl::Seconds(40);

  // How long Close() may wait for the server's part of the closing handshake.
  absl::Duration close_timeout = absl::Seconds(1);

  // The n-th attempt to reconnect in a row (from 0) is made after a random time below
  // min(backoff_cap, backoff_base * 2^n), so that clients who lose one server come back spread out.
  // A server that is about to close may name another time, which is then taken, up to a minute.
  absl::Duration backoff_base = absl::Milliseconds(250);
  absl::Duration backoff_cap = absl::Seconds(30);
  // A connection that has lasted for this long makes the backoff begin at backoff_base again.
  absl::Duration backoff_reset_after = absl::Seconds(5);

  // Sends that the server has not acknowledged, whether written or still waiting for a connection:
  // the bytes of their frames, which have some 100 bytes and the group id besides the message. The
  // questions of History count too. Send and History refuse what would go over it. Raise it to send
  // much at once or to bridge long outages.
  size_t queue_bytes_max = size_t{1} << 20;

  // The largest message that Send accepts: bytes of the text, or of the JSON. Keep it at the
  // server's limit, which refuses what is larger.
  size_t message_bytes_max = size_t{64} << 10;

  // The largest frame accepted from the server. A larger one ends the connection.
  size_t frame_bytes_max = size_t{1} << 20;

  // How many groups may be joined at once. The server's own limit is 128 unless configured.
  size_t groups_max = 128;

  // Told of every change of the connection's state, first of kConnecting; this may be before Create
  // returns.
  StateListener on_state;
};

// A client of Groupcast. It keeps one connection, makes it anew whenever it breaks, joins its
// groups again from where it was, and sends again what was not acknowledged.
//
//   groupcast::ClientOptions options;
//   options.url = "ws://127.0.0.1:1234";
//   absl::StatusOr<std::unique_ptr<groupcast::Client>> client =
//       groupcast::Client::Create(std::move(options));
//   if (!client.ok()) return client.status();
//
//   absl::Status joined = (*client)->Join("news", [](const groupcast::Message& message) {
//     std::cout << message.text.value_or(message.json) << "\n";
//   });
//   absl::Status sent = (*client)->Send(
//       "news", "hello", [](const absl::StatusOr<groupcast::Position>& result) {
//         if (!result.ok()) std::cerr << result.status() << "\n";
//       });
//
// What a member gets. Every message of the group after the position at which its membership began,
// in the order of their offsets, which is the same for all members, and none twice. What comes
// while there is no connection is fetched after the reconnect and comes late, but in its place. If
// the server has it no more, or loses it in another way, the group's GapCallback is told between
// which positions messages are lost, before the first message after them: a member misses nothing
// without being told. After a gap without a beginning (Gap::from) the group has another history,
// and a message that came before it may come again. A message sent after Join reaches this client
// too, without waiting for any answer, unless it was sent with exclude_self.
//
// A program that wants to go on after its own restart keeps the position() of the last message that
// it has dealt with, or of a Gap or Joined after it, and gives it to Join as `since`.
//
// What becomes of a send. It waits for a connection for as long as that takes. Once written, it is
// written again after each reconnect, and after each answer that it could not be done now, until it
// is acknowledged; the server counts it once. Its callback is called exactly once if Send returned
// OK, and at the latest 75 seconds after it was first written, with
//   a Position                the message has its place in the group's order, and only one;
//   absl::UnknownError        the outcome is unknown: 75 seconds, or the end of the client, came
//                             before the acknowledgement. It may or may not have been delivered, or
//                             yet be, but once at most. To call Send again may deliver it twice;
//   absl::UnavailableError    for 75 seconds the server could not do it; nothing was done, and
//                             IsTransient() is true: send it again;
//   absl::CancelledError      the client was closed before it was done; nothing was done;
//   another error             the server refused it, and will again. ErrorWord() has its word. If
//                             the connection broke meanwhile, it may have been done before that.
// A server that forbids to come back (kClosed) gives its error in the place of kCancelled. Sends
// take their places in a group in the order of the calls, but one that had to be written again
// because the server could not do it may come after later ones.
//
// Threads. All methods are thread-safe and do not block, but for Close and the destructor. A Client
// has one thread of its own and calls all callbacks on it, one at a time, holding no lock: a
// callback may call any method of the client, but must not destroy it. A callback that takes long
// delays all that follow, and one that takes longer than the time-outs makes the server close the
// connection. Callbacks must not throw. Do not fork() with a client alive.
class Client {
 public:
  // Returns at once; the connection is made in the background.
  // kInvalidArgument, kUnimplemented: the options make no sense, with a sentence that says why.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  // As Close(). Aborts the process if called from a callback of this client. If callbacks reach the
  // client through a smart pointer, call Close() before resetting that: they may run meanwhile.
  ~Client();

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Becomes and stays a member of the group, over reconnects, until Leave.
  //
  // `on_message` gets the group's messages. `on_join`, if given, is called before them with the
  // position at which delivery begins, and once more for each reconnect. It may get an error: if
  // IsTransient() the client tries again by itself, with the backoff of reconnects, and still from
  // where it was; if not, it is not a member, or no longer. `on_gap`, if given, hears of all that
  // was lost, also of what on_join was told with recovered = false.
  //
  // kInvalidArgument: `group_id` is not 1 to 128 bytes of UTF-8 without control characters, or
  // `on_message` is empty. kAlreadyExists: joined already. kResourceExhausted: over groups_max.
  // After the end (Close, or kClosed): why it ended. On any error nothing is called.
  absl::Status Join(absl::string_view group_id, MessageCallback on_message,
                    JoinCallback on_join = nullptr, GapCallback on_gap = nullptr);

  // The same, beginning with what `options` asks for: what came after a position that was kept, or
  // the newest messages. They come as all others do, and only once: reconnects go on from there.
  // kInvalidArgument also: both are asked for, or `since` is not a position that a server gave.
  absl::Status Join(absl::string_view group_id, const JoinOptions& options,
                    MessageCallback on_message, JoinCallback on_join = nullptr,
                    GapCallback on_gap = nullptr);

  // Leaves the group. When it returns, at most one callback of the group may still be running, and
  // none if called from a callback; no other follows. Leaving a group one is not in does nothing.
  void Leave(absl::string_view group_id);

  // Sends `text` to the group as a JSON string. This client need not be a member.
  //
  // kInvalidArgument: not a valid group id, not UTF-8, or over message_bytes_max.
  // kResourceExhausted: over queue_bytes_max; try again when callbacks of earlier sends have come.
  // After the end: why it ended. On any error nothing was queued, and `on_sent` is not called.
  absl::Status Send(absl::string_view group_id, absl::string_view text,
                    SendCallback on_sent = nullptr);
  absl::Status Send(absl::string_view group_id, absl::string_view text, const SendOptions& options,
                    SendCallback on_sent = nullptr);

  // As Send, with any JSON value (RFC 8259), brackets up to 63 deep. The members get these bytes,
  // without insignificant blanks. kInvalidArgument also: not JSON.
  absl::Status SendJson(absl::string_view group_id, absl::string_view json,
                        SendCallback on_sent = nullptr);
  absl::Status SendJson(absl::string_view group_id, absl::string_view json,
                        const SendOptions& options, SendCallback on_sent = nullptr);

  // Reads the newest messages of a group's history, which this client need not be a member of. The
  // question waits for a connection, and is written when the sends before it are. If that
  // connection breaks before the answer, `on_history` gets kUnavailable: ask again. It is called
  // exactly once if History returned OK. Ask for no more than fits into one frame of
  // frame_bytes_max.
  //
  // kInvalidArgument: not a valid group id or `since`, or `on_history` is empty. Otherwise as Send.
  absl::Status History(absl::string_view group_id, HistoryCallback on_history);
  absl::Status History(absl::string_view group_id, const HistoryOptions& options,
                       HistoryCallback on_history);

  // ClientOptions::session_id, or what was made in its place.
  const std::string& session_id() const;

  // Ends the connection and all that waits for it, for good. Returns when the last callback has
  // returned, within close_timeout if the server does not answer; called from a callback it returns
  // at once. May be called any number of times.
  void Close();

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CLIENT_H_
