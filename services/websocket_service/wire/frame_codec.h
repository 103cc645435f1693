#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_CODEC_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/protocol/utf8.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service {

// Reads the frames of a client (RFC 6455 section 5), from the server's side: they must be masked,
// no extension is negotiated, and messages must be text. It takes bytes as they come, in pieces of
// any size, and unmasks them in place. A message that lies whole in one piece is handed out where
// it lies; only what is spread over pieces is copied together. Between messages it holds no memory
// but itself.
//
// Errors are reported as soon as they are certain: an oversized frame at its header, text that is
// not UTF-8 at its first wrong byte.
class FrameDecoder {
 public:
  enum class Event {
    kNeedMore,  // all of the input is used up
    kText,      // a whole message: payload()
    kPing,      // payload() is to come back in a pong
    kPong,
    kClose,  // close_code(), and payload() is the reason; whatever follows is to be discarded
             // (section 5.5.1)
    kError,  // close the connection with close_code(); payload() says why. The decoder must not be
             // used again
  };

  // Reads on in `*input` up to the next event, and removes from it what was used. The bytes must
  // stay where they are, and unchanged, until the next call.
  Event Next(absl::Span<char>* input, size_t message_bytes_max);

  // Of the last event; valid until the next call.
  absl::string_view payload() const { return payload_; }
  CloseCode close_code() const { return close_code_; }

  // What is held of an unfinished message.
  size_t buffered_bytes() const { return buffer_.size(); }

 private:
  bool ReadHeader(absl::Span<char>* input, size_t bytes);
  Event CheckStart();
  Event CheckLength(size_t message_bytes_max);
  Event ReadPayload(absl::Span<char>* input);
  Event FinishControl();
  Event Fail(CloseCode code, absl::string_view why);

  bool is_control() const { return (header_[0] & 0x08) != 0; }
  bool is_final() const { return (header_[0] & 0x80) != 0; }

  std::array<uint8_t, 14> header_;  // of the present frame: its first header_bytes_ bytes
  uint8_t header_bytes_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;        // a data frame without FIN has come, its end has not
  bool drop_buffer_tail_ = false;  // the last event's payload is the buffer from message_bytes_ on
  uint8_t mask_phase_ = 0;         // which byte of the mask is next
  Utf8Checker utf8_;
  CloseCode close_code_ = CloseCode::kNone;
  uint64_t payload_left_ = 0;  // bytes of the present frame that have not come
  size_t message_bytes_ = 0;   // of the unfinished message, at the beginning of the buffer
  // The unfinished message, and behind it the unfinished control frame that came in between.
  std::string buffer_;
  absl::string_view payload_;
};

// Unmasks (and masks) in place, as section 5.3 says; `phase` is the place of the first byte in the
// mask.
void Unmask(absl::Span<char> bytes, const uint8_t mask[4], uint8_t phase);

// Whether a client may send it (section 7.4, and the registry that section 7.4.2 names).
bool IsCloseCodeOnWire(uint16_t code);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_CODEC_H_
