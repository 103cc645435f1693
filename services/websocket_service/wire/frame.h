#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "services/common/shared_bytes.h"
#include "services/protocol/close_code.h"

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

// Returns an unmasked, unfragmented frame, as servers send them (RFC 6455 section 5.1). Its payload
// is `payload` and then `rest`, together below 4 GiB.
SharedBytes MakeFrame(Opcode opcode, absl::string_view payload, absl::string_view rest = {});

// The same for a payload of `payload_bytes` bytes, which `write` writes.
SharedBytes MakeFrame(Opcode opcode, size_t payload_bytes, absl::FunctionRef<void(char*)> write);

// Returns the text frame of a payload of permessage-deflate (RFC 7692 section 6).
SharedBytes MakeDeflatedFrame(absl::string_view payload);

// Returns the payload of a frame from MakeFrame. The view is valid until the frame is freed.
absl::string_view FramePayload(const SharedBytes& frame);

// Returns a close frame. Section 5.5 allows a reason of at most 123 bytes. A longer reason is cut
// off. The frame of kNone has no body.
SharedBytes MakeCloseFrame(CloseCode code, absl::string_view reason);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_H_
