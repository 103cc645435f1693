#ifndef GROUPCAST_TESTS_SUPPORT_TEST_CLIENT_H_
#define GROUPCAST_TESTS_SUPPORT_TEST_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/event.h"
#include "tests/support/raw_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {

enum class Mode { kBare, kV1 };

// A WebSocket client that does what its test says and nothing else, except that it answers pings
// while it waits. Everything that waits throws Failure when what it waits for does not come in
// time.
class TestClient {
 public:
  // How a connection ended.
  struct End {
    int close_code = 0;  // of the server's close frame; 0: there was none
    std::string reason;
    std::vector<std::string> texts;  // the text frames before it
    RawClient::State state{};        // of the TCP connection after that
  };

  // Connects and shakes hands. A v1 connection's welcome is taken, and kept.
  explicit TestClient(uint16_t port, Mode mode = Mode::kBare, int receive_buffer_bytes = 0);
  // `raw` has sent its HandshakeRequest; this waits for the answer.
  TestClient(RawClient raw, Mode mode);

  RawClient& raw() { return raw_; }
  // Of a v1 connection.
  const Event& welcome() const { return *welcome_; }

  void Send(absl::string_view text);

  // The next frame, whatever it is.
  Frame NextFrame(absl::Duration patience = kPatience);
  // The next text frame, which must be the next frame but for pings.
  std::string NextText(absl::Duration patience = kPatience);
  // The same, if it has come or comes within `patience`.
  std::optional<std::string> NextTextWithin(absl::Duration patience);
  Event NextEvent(absl::Duration patience = kPatience) { return Event(NextText(patience)); }
  // Reads until the server closes.
  End WaitForEnd(absl::Duration patience = kPatience);

  // Sends add_group and takes the reply, which must be the next text.
  Event Join(absl::string_view group);
  // The same, to get what has been missed since a position.
  Event JoinSince(absl::string_view group, absl::string_view epoch, int64_t offset);
  // Whether the next text is the answer to a ping command sent now: nothing else was on its way
  // before it.
  bool IsQuiet();

 private:
  void FinishHandshake(Mode mode);
  Event TakeJoinReply(absl::string_view group);
  std::optional<Frame> NextFrameWithin(absl::Duration patience);

  RawClient raw_;
  std::optional<Event> welcome_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_TEST_CLIENT_H_
