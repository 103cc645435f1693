#ifndef GROUPCAST_TOOLS_LOAD_WEBSOCKET_CLIENT_H_
#define GROUPCAST_TOOLS_LOAD_WEBSOCKET_CLIENT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/posix.h"

namespace groupcast::load {

// A masked text frame. The mask is zero, which costs neither side anything and is still a mask.
std::string ClientFrame(absl::string_view text);

// A bare connection at the lowest cost. It cuts the received bytes into frames and hands out their
// payloads. Calls block. Not thread-safe.
class WebSocketClient {
 public:
  // Connects to 127.0.0.1 and completes the handshake. `number` spreads many connections over
  // loopback's addresses.
  static absl::StatusOr<WebSocketClient> Connect(uint16_t port, int number);

  int fd() const { return fd_.get(); }

  absl::Status Write(absl::string_view bytes);
  // One recv(2) with these flags. kAborted: the server has closed.
  absl::Status Read(int flags);

  // Calls `payload` with the payload of each complete received frame.
  template <typename Payload>
  void TakeFrames(const Payload& payload) {
    size_t at = 0;
    for (;;) {
      const absl::string_view rest = absl::string_view(input_).substr(at);
      if (rest.size() < 2) break;
      uint64_t size = static_cast<uint8_t>(rest[1]);
      size_t header = 2;
      if (size >= 126) {
        header = size == 126 ? 4 : 10;
        if (rest.size() < header) break;
        size = 0;
        for (size_t i = 2; i < header; ++i) size = size << 8 | static_cast<uint8_t>(rest[i]);
      }
      if (rest.size() < header + size) break;
      payload(rest.substr(header, size));
      at += header + size;
    }
    input_.erase(0, at);
  }

 private:
  service::Fd fd_;
  std::string input_;
};

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_WEBSOCKET_CLIENT_H_
