#ifndef GROUPCAST_TESTS_SUPPORT_RAW_CLIENT_H_
#define GROUPCAST_TESTS_SUPPORT_RAW_CLIENT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

// A TCP connection to 127.0.0.1 that carries bytes and knows nothing of what they mean. Calls
// block, but never for longer than `patience`.
class RawClient {
 public:
  enum class State {
    kOpen,
    kClosed,  // the peer has sent its FIN, after all that is in received()
    kReset,   // the connection is broken
  };

  // Failure if nobody listens. `receive_buffer_bytes` bounds the kernel's buffer for what is not
  // read; 0 leaves it to the kernel.
  explicit RawClient(uint16_t port, int receive_buffer_bytes = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&& other) noexcept;

  // One write(2) as far as the kernel takes it in one. False: the peer does not take any more,
  // because it has closed.
  bool Write(absl::string_view bytes, absl::Duration patience = kPatience);
  // The FIN of this side; reading goes on.
  void CloseWriting();
  // Closes at once, both ways.
  void Close();

  // Waits until there is more in received() or the state has changed. False: neither, in time.
  bool ReadMore(absl::Duration patience = kPatience);
  // What is there already, without waiting.
  void ReadAvailable();
  // Reads until the peer has closed. Failure if it does not in time.
  void ReadToEnd(absl::Duration patience = kPatience);

  // What came and was not taken yet. Users take from its front.
  std::string& received() { return received_; }
  State state() const { return state_; }

 private:
  // One read(2). False: there was nothing.
  bool ReadOnce();

  int fd_ = -1;
  State state_ = State::kOpen;
  std::string received_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_RAW_CLIENT_H_
