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

// A WebSocket client that does only what its test says. It answers pings while it waits. Every call
// that waits throws Failure when the expected event does not come in time.
class TestClient {
 public:
  // How a connection ended.
  struct End {
    int close_code = 0;  // of the server's close frame; 0: none came
    std::string reason;
    std::vector<std::string> texts;  // the text frames before it
    RawClient::State state{};        // of the TCP connection after that
  };

  // Connects and completes the handshake. It takes a v1 connection's welcome and keeps it.
  explicit TestClient(uint16_t port, Mode mode = Mode::kBare, int receive_buffer_bytes = 0);
  // `raw` has sent its HandshakeRequest. This waits for the answer.
  TestClient(RawClient raw, Mode mode);

  RawClient& raw() { return raw_; }
  // Only of a v1 connection.
  const Event& welcome() const { return *welcome_; }

  void Send(absl::string_view text);

  // The next frame of any kind.
  Frame NextFrame(absl::Duration patience = kPatience);
  // The next text frame. No other frame may come before it, except pings.
  std::string NextText(absl::Duration patience = kPatience);
  // The same, if it comes within `patience`.
  std::optional<std::string> NextTextWithin(absl::Duration patience);
  Event NextEvent(absl::Duration patience = kPatience) { return Event(NextText(patience)); }
  // Reads until the server closes.
  End WaitForEnd(absl::Duration patience = kPatience);

  // Sends add_group and takes the reply, which must be the next text.
  Event Join(absl::string_view group);
  // The same, to get the messages after a position.
  Event JoinSince(absl::string_view group, absl::string_view epoch, int64_t offset);
  // Sends a ping command. Returns whether its answer is the next text, so that nothing else was on
  // its way.
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
