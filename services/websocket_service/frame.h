#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_FRAME_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// The opcodes of RFC 6455 section 5.2.
enum class Opcode : uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xa,
};

// Close codes: RFC 6455 section 7.4.1, and this protocol's own (docs/protocol.md).
enum class CloseCode : uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
  kNone = 1005,  // never on the wire: a close frame without a code
  kInvalidPayload = 1007,
  kTooBig = 1009,
  kDraining = 4000,
  kSlowConsumer = 4001,
  kNoPong = 4002,
};

// Immutable bytes that are ready to be written to a connection, shared by all connections they go
// to. The count of references is not atomic: a frame belongs to one worker's thread.
class FramePtr {
 public:
  FramePtr() = default;
  FramePtr(const FramePtr& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->references;
  }
  FramePtr(FramePtr&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  FramePtr& operator=(FramePtr other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~FramePtr() {
    if (block_ != nullptr && --block_->references == 0) Free(block_);
  }

  explicit operator bool() const { return block_ != nullptr; }
  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(block_ + 1), block_->size};
  }
  size_t size() const { return block_->size; }

 private:
  friend FramePtr MakeFrame(Opcode opcode, absl::string_view payload);
  friend FramePtr MakeRaw(absl::string_view bytes);

  struct Block {
    uint32_t references;
    uint32_t size;
  };
  static FramePtr New(size_t size);
  static void Free(Block* block);
  char* data() { return reinterpret_cast<char*>(block_ + 1); }

  Block* block_ = nullptr;
};

// An unmasked, unfragmented frame, as servers send them (RFC 6455 section 5.1). `payload` is below
// 4 GiB.
FramePtr MakeFrame(Opcode opcode, absl::string_view payload);

// The payload of a frame that MakeFrame made; it is valid as long as the frame.
absl::string_view FramePayload(const FramePtr& frame);

// A close frame; the reason is at most 123 bytes of UTF-8 (section 5.5). kNone makes one without a
// body.
FramePtr MakeCloseFrame(CloseCode code, absl::string_view reason);

// Bytes that are no WebSocket frame: an HTTP response.
FramePtr MakeRaw(absl::string_view bytes);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_FRAME_H_
