#ifndef SDK_CPP_GROUPCAST_TESTING_FAKE_SERVER_H_
#define SDK_CPP_GROUPCAST_TESTING_FAKE_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "groupcast/types.h"

namespace groupcast {

// A Groupcast server in the memory of a test, for programs that use groupcast::Client. It listens
// on a free port of 127.0.0.1, on a thread of its own, and behaves by itself as a real server does:
// members get each message with its offset, sends are acknowledged and counted once, a client that
// reconnects gets what it missed. The test may then make it fail.
//
//   auto server = groupcast::FakeServer::Start().value();
//   Greeter greeter(server->url());                     // The program under test.
//   ASSERT_OK(server->AwaitMembers("lobby", 1));
//   server->Publish("lobby", "hello");                  // As another client would.
//   ASSERT_OK(server->AwaitMessages("lobby", 2));       // That message, and its answer.
//   EXPECT_EQ(server->Messages("lobby")[1].text, "welcome!");
//
//   server->DropConnections();                          // And now the network fails.
//
// What it leaves out. It takes every token, and has no rights, no personal groups and no limits but
// these: a group keeps its newest 1,000 messages, and there may be 10,000 groups (over it,
// too_many_groups, or unavailable for a send). Each connection is a member of its own, also within
// a session, and leaves at once when it ends. A connection that leaves 16 MiB unread is cut. Only
// clients with the subprotocol groupcast.v1.json can connect, without TLS.
//
// Thread-safe. No method waits for a client, except the two that begin with Await.
class FakeServer {
 public:
  // kUnavailable: the system has no free port.
  static absl::StatusOr<std::unique_ptr<FakeServer>> Start();

  // Cuts all connections.
  ~FakeServer();

  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  // For ClientOptions::url: ws://127.0.0.1:PORT
  const std::string& url() const;

  // Sends a message to the members, as another client would. Requires a valid group id and, with
  // PublishJson, valid JSON.
  Position Publish(absl::string_view group_id, absl::string_view text);
  Position PublishJson(absl::string_view group_id, absl::string_view json);

  // The messages that the group has had, oldest first: the newest 1,000.
  std::vector<Message> Messages(absl::string_view group_id) const;

  // Waits until the group has exactly `count` members, or at least `count` messages.
  // kDeadlineExceeded: not within a minute, so the test or the program is broken. The message says
  // how many there are.
  absl::Status AwaitMembers(absl::string_view group_id, size_t count);
  absl::Status AwaitMessages(absl::string_view group_id, size_t count);

  // Refuses the next command of this name, from whichever client: it has no effect, and is answered
  // with this error. Several calls wait in their order. The names and the error words are those of
  // docs/protocol.md, for example FailNext("send_to_group", "rate_limited", /*retry=*/true).
  void FailNext(absl::string_view cmd, absl::string_view word, bool retry);

  // From now on, sends reach the members but are not acknowledged, until the other call. What a
  // connection has not been told when it ends, it is never told. Over 10,000 held acknowledgements,
  // sends are refused with unavailable.
  void HoldAcknowledgements();
  void ReleaseAcknowledgements();

  // Ends all connections without a word, as a network does that fails.
  void DropConnections();
  // Ends them with a close frame. With a code from 4500 to 4999 the clients do not come back.
  void CloseConnections(uint16_t code, absl::string_view reason);
  // From now on nobody can connect, until the other call, which takes the same port.
  // kUnavailable: another process has the port now.
  void StopListening();
  absl::Status Listen();

  // Loses all messages, as a server without a data directory that restarts. Members get a gap, and
  // a client that reconnects is told that nothing could be recovered.
  void ForgetMessages();

 private:
  class Impl;
  explicit FakeServer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TESTING_FAKE_SERVER_H_
