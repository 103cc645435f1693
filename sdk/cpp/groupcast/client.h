#ifndef SDK_CPP_GROUPCAST_CLIENT_H_
#define SDK_CPP_GROUPCAST_CLIENT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "groupcast/types.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace groupcast {

// Each duration must be above zero and at most one day.
struct ClientOptions {
  // ws://HOST[:PORT][/PATH], for example "ws://127.0.0.1:1234", or the same with wss:// for TLS.
  // Only this option is required.
  std::string url;

  // For wss://: the PEM file of the CAs that servers' certificates must come from. It is read once,
  // by Create. If it is empty, the CAs of the system count. The certificate must also be for the
  // host of the URL, a name or an IP address. A certificate that is not accepted is a failed
  // attempt like any other, and is tried again, because servers renew certificates. on_state gets
  // kFailedPrecondition with the reason.
  std::string ca_file;

  // http://[USER:PASSWORD@]HOST:PORT of a proxy that all connections go through (HTTP CONNECT). A
  // "@" or ":" in USER or PASSWORD is written as %40 or %3A. The proxy resolves the server's name.
  // If it is empty, there is none; environment variables do not count. The password is sent to the
  // proxy unencrypted.
  std::string proxy;

  // The loop that runs the client, see Threads below. It must outlive the client. If it is null,
  // the client has a thread of its own.
  boost::asio::io_context* io_context = nullptr;

  // The time limit of one attempt to connect, from resolving the host to the server's welcome.
  absl::Duration connect_timeout = absl::Seconds(10);

  // 1 to 64 characters of A-Z, a-z, 0-9, _ and -. It names this client to the server over all its
  // connections. If it is empty, it is the `session` of the url, or a random one. Set it to keep
  // SendOptions::exclude_self over a restart of the program, or to let several clients count as
  // one. The session is a secret: everyone who knows it can act as this client's session.
  std::string session_id;

  // If the server gives no sign of life for this time, the client gives the connection up. 10 s
  // before, or after half of the time if that is later, it asks the server for one with a ping. The
  // value should be 10 s above the server's own ping interval (25 s) at least. Otherwise the client
  // pings more than it needs to. No clock that people set has a part in it.
  absl::Duration dead_peer_timeout = absl::Seconds(45);

  // The time for which Close() may wait for the server's part of the closing handshake.
  absl::Duration close_timeout = absl::Seconds(1);

  // The delay before the n-th attempt to reconnect in a row (from 0) is random, below
  // min(backoff_cap, backoff_base * 2^n). So clients that lose one server come back spread out. A
  // server that is about to close may name another delay. The client then uses that one, up to a
  // minute.
  absl::Duration backoff_base = absl::Milliseconds(250);
  // No delay of backoff is longer.
  absl::Duration backoff_cap = absl::Seconds(30);
  // A connection that lasts at least this long resets the backoff to backoff_base.
  absl::Duration backoff_reset_after = absl::Seconds(5);

  // The bound of the sends that the server has not acknowledged, written or not. It counts the
  // bytes of their frames: the message, the group id and about 100 bytes. What History and
  // Members ask for counts too. These calls fail if they would exceed the bound. Raise it to send
  // much at once, or to bridge long outages.
  size_t queue_bytes_max = size_t{1} << 20;

  // The largest message that Send accepts: bytes of the text, or of the JSON. Keep it at the
  // server's limit, because the server refuses larger messages.
  size_t message_bytes_max = size_t{64} << 10;

  // The largest frame that the client accepts from the server. A larger one ends the connection.
  size_t frame_bytes_max = size_t{1} << 20;

  // The number of groups that the client may be in at the same time. The server's own limit is 128
  // by default.
  size_t groups_max = 128;

  // The token that the client shows with each connection. Empty: none. When it has expired, the
  // server ends the client (kClosed). Use token_source to go on then.
  std::string token;

  // Gets a token for each connection, and a fresh one when the token of a connection expires, while
  // it goes on. Not together with `token`. It runs as callbacks do. A source that gives no token
  // within 10 s, or an error, has failed: the client waits and tries again (kWaiting, with the
  // error word "no_token"). If the server refuses a connection because of its token (close codes
  // 4500 and 4501), the client tries once with a fresh one.
  TokenSource token_source;

  // Gets the errors that no other callback tells: a fresh token that the source did not give or the
  // server refused, and errors of the server that answer no command.
  ErrorListener on_error;

  // Called on every change of the connection's state, first with kConnecting. The first call may
  // come before Create returns.
  StateListener on_state;
};

// A client of Groupcast. It keeps one connection and replaces it when it breaks. Then it joins its
// groups again from their last positions, and sends again the messages without an acknowledgement.
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
// What a member gets. A member gets every message of the group after the position at which its
// membership began. They come in the order of their offsets, which is the same for all members, and
// none comes twice. Messages that were sent while there was no connection come after the reconnect,
// late, but in their place.
//
// If messages are lost, the client calls the group's GapCallback before the first message after
// them. The callback names the positions between which messages are lost. So a member misses
// nothing in silence. After a gap without a beginning (Gap::from) the group has another history. A
// message from before the gap may then come again.
//
// A message that this client sends after Join reaches this client too, unless it was sent with
// exclude_self. The client need not wait for any answer.
//
// A program can continue after its own restart. It keeps the position() of the last message that it
// has processed, or of a later Gap or Joined. It passes that position to Join as `since`.
//
// The result of a send. A send waits for a connection without a time limit. The client writes it
// again after each reconnect, and after each answer that the server cannot do it now, until the
// server acknowledges it. The server counts it once. If Send returned OK, its callback is called
// exactly once, at the latest 75 seconds after the first write. The callback gets
//   a Position                the message has its place in the group's order, and only one;
//   absl::UnknownError        the outcome is unknown: the 75 seconds passed, or the client ended,
//                             before the acknowledgement. Or the server refused a later write, and
//                             an earlier one has no certain answer. The message may have been
//                             delivered, or may still be, but once at most. To call Send again may
//                             deliver it twice;
//   absl::UnavailableError    the server could not do it for 75 seconds. The message was not
//                             delivered. IsTransient() is true: send it again;
//   absl::CancelledError      the client was closed first. The message was not delivered;
//   another error             the server refused it, and will again. It was not delivered.
//                             ErrorWord() has the server's word.
// If a server forbids to come back (kClosed), its error takes the place of kCancelled. Sends take
// their places in a group in the order of the calls. One exception is a send that the server could
// not do at first: it may come after later ones.
//
// Threads. All methods are thread-safe. They do not block, except Close and the destructor. A
// Client has one thread of its own and runs all callbacks on it, one at a time, without a lock that
// its methods need. A callback may call any method of the client, and may destroy the client. A
// slow callback delays all later ones. A callback that takes longer than the time-outs makes the
// server close the connection. Callbacks must not throw. Do not fork() while a client exists.
//
// With ClientOptions::io_context, the callbacks run on the threads that run that loop instead, also
// one at a time. Any number of threads may run the loop, and any number of clients may share it. A
// loop that is stopped stops the client: it reads, sends and reconnects nothing until the loop runs
// again. Close() returns at once, and the callbacks of the end follow on the loop. The destructor
// waits for a callback that runs at the moment. It runs the callbacks that are still due itself. So
// it needs no running loop: a client may be destroyed after the loop was stopped, but not after it
// was destroyed. If the loop still runs, it then says goodbye to the server, for up to
// close_timeout.
class Client {
 public:
  // Returns at once and connects in the background. kInvalidArgument: the options are not
  // valid. The message says why.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  // As Close(), and no callback runs after it. In a callback of this client, and with
  // ClientOptions::io_context, it does not wait for the closing handshake. Otherwise it returns
  // when the last callback has returned: do not hold a lock that callbacks need. If callbacks reach
  // the client through a smart pointer, call Close() before you reset the pointer: callbacks may
  // run in between.
  ~Client();

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Makes this client a member of the group, over reconnects, until Leave. GroupCallbacks says when
  // each callback runs.
  //
  // kInvalidArgument: `group_id` is not 1 to 128 bytes of UTF-8 without control characters, or
  // `on_message` is empty. kAlreadyExists: this client is in the group. kResourceExhausted: over
  // groups_max; or of twice that number of earlier memberships, on_end has not run, or the server
  // has not carried out the leaves. After the end (Close, or kClosed): the reason of the end. On
  // any error no callback runs.
  absl::Status Join(absl::string_view group_id, MessageCallback on_message,
                    JoinCallback on_join = nullptr, GapCallback on_gap = nullptr);

  // The same, with a beginning that `options` chooses: the messages after a stored position, or the
  // newest messages. They arrive like all others, and only once; reconnects continue from there.
  // Also kInvalidArgument: `options` has both, or `since` is not a position that a server gave.
  absl::Status Join(absl::string_view group_id, const JoinOptions& options,
                    MessageCallback on_message, JoinCallback on_join = nullptr,
                    GapCallback on_gap = nullptr);
  absl::Status Join(absl::string_view group_id, const JoinOptions& options,
                    GroupCallbacks callbacks);

  // Leaves the group. When it returns, at most one callback of the group still runs, and none if
  // the call came from a callback. Only on_end follows. To leave a group that this client is not in
  // has no effect.
  void Leave(absl::string_view group_id);

  // Sends `text` to the group as a JSON string. This client need not be a member.
  //
  // kInvalidArgument: not a valid group id, not UTF-8, or over message_bytes_max.
  // kResourceExhausted: over queue_bytes_max. Try again when callbacks of earlier sends have run.
  // After the end: the reason of the end. On any error nothing is queued, and `on_sent` is not
  // called.
  absl::Status Send(absl::string_view group_id, absl::string_view text,
                    SendCallback on_sent = nullptr);
  absl::Status Send(absl::string_view group_id, absl::string_view text, const SendOptions& options,
                    SendCallback on_sent = nullptr);

  // As Send, with any JSON value (RFC 8259), with brackets up to 63 deep. The members get these
  // bytes without insignificant blanks. Also kInvalidArgument: not JSON.
  absl::Status SendJson(absl::string_view group_id, absl::string_view json,
                        SendCallback on_sent = nullptr);
  absl::Status SendJson(absl::string_view group_id, absl::string_view json,
                        const SendOptions& options, SendCallback on_sent = nullptr);

  // Reads the newest messages of a group's history. This client need not be a member. The request
  // waits for a connection, and for the sends before it. If the connection breaks before the
  // answer, `on_history` gets kUnavailable: ask again. If History returned OK, `on_history` is
  // called exactly once. Ask for no more messages than fit into one frame of frame_bytes_max.
  //
  // kInvalidArgument: not a valid group id or `since`, or `on_history` is empty. Otherwise as Send.
  absl::Status History(absl::string_view group_id, HistoryCallback on_history);
  absl::Status History(absl::string_view group_id, const HistoryOptions& options,
                       HistoryCallback on_history);

  // Reads who is in a group, page by page: pass GroupMembers::next as MembersOptions::after. For
  // the rest as History. GroupCallbacks::on_members follows the members of a group all the time.
  //
  // Also kInvalidArgument: `limit` is 0, or `after` is not UTF-8.
  absl::Status Members(absl::string_view group_id, MembersCallback on_members);
  absl::Status Members(absl::string_view group_id, const MembersOptions& options,
                       MembersCallback on_members);

  // ClientOptions::session_id, or what replaces an empty one.
  const std::string& session_id() const;

  // Replaces the connection at once, or connects at once while the client waits. Nothing is lost.
  // For a program that knows better than the client that the line is dead, for example because the
  // network has changed.
  void Reconnect();

  // Ends the connection and everything that waits for it, for good. It returns when the last
  // callback has returned, within close_timeout if the server does not answer. A call from a
  // callback, or with ClientOptions::io_context, returns at once; the last callback is then that of
  // kClosed. Further calls have no effect.
  void Close();

 private:
  class Impl;
  explicit Client(std::shared_ptr<Impl> impl);

  const std::shared_ptr<Impl> impl_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CLIENT_H_
