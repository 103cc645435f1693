#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_CODEC_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/common/utf8.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service {

// Reads the frames of a client (RFC 6455 section 5), from the server's side. Frames must be masked,
// and messages must be text. The only extension is permessage-deflate (RFC 7692), if it was
// negotiated: the decoder says which messages are compressed, and its caller inflates them.
//
// It takes bytes in pieces of any size, and unmasks them in place. It does not copy a message that
// lies in one piece. It copies only messages that are spread over pieces. Between messages it uses
// no memory besides itself.
//
// It reports errors as early as possible: an oversized frame at its header, and invalid UTF-8 at
// the first wrong byte.
class FrameDecoder {
 public:
  enum class Event {
    kNeedMore,  // all input is consumed
    kText,      // a whole message: payload()
    kPing,      // the answer is a pong with payload()
    kPong,
    kClose,  // close_code(), and payload() is the reason. All bytes that follow are to be discarded
             // (section 5.5.1)
    kError,  // the connection is to be closed with close_code(); payload() is the reason. The
             // decoder must not be used again
  };

  // The connection has negotiated permessage-deflate.
  void AllowDeflated() { allows_deflated_ = true; }

  // Reads `*input` up to the next event, and removes the bytes that it has read. The bytes must
  // stay in place, and unchanged, until the next call.
  Event Next(absl::Span<char>* input, size_t message_bytes_max);

  // Of the last event; valid until the next call.
  absl::string_view payload() const { return payload_; }
  CloseCode close_code() const { return close_code_; }
  // Of the last kText: its payload is compressed. Whether its text is UTF-8 was not checked.
  bool is_deflated() const { return is_deflated_; }
  // The payload of the last event, for a caller that keeps it. payload() is empty after this call.
  std::string TakePayload();

  // The bytes that are missing until the end of the present frame. Zero between frames, and inside
  // of a header.
  uint64_t frame_bytes_left() const { return in_payload_ ? payload_left_ : 0; }

  // The bytes from the beginning of `ahead` to the end of the message that continues or begins
  // there, if it has only one frame. `ahead` is input that Next has not got yet; only a header is
  // looked at. Zero: the header is not whole, or the message has several frames. A caller can see
  // the size of a message before it reads the message.
  uint64_t MessageBytesAhead(absl::string_view ahead) const;

  // Whether the message that continues or begins there is compressed.
  bool MessageAheadIsDeflated(absl::string_view ahead) const;

  // The bytes of an unfinished message that it holds.
  size_t buffered_bytes() const { return buffer_.size(); }

 private:
  bool ReadHeader(absl::Span<char>* input, size_t bytes);
  Event CheckStart();
  Event CheckLength(size_t message_bytes_max);
  Event ReadPayload(absl::Span<char>* input);
  Event FinishControl();
  Event Fail(CloseCode code, absl::string_view why);

  bool is_control() const { return (header_[0] & 0x08) != 0; }
  bool is_final() const;

  std::array<uint8_t, 14> header_;  // of the present frame: its first header_bytes_ bytes
  uint8_t header_bytes_ = 0;
  bool in_payload_ = false;
  bool allows_deflated_ = false;
  bool is_deflated_ = false;       // the present message, or the last one
  bool in_message_ = false;        // a data frame without FIN has come, the last one has not
  bool drop_buffer_tail_ = false;  // the last event's payload is the buffer from message_bytes_ on
  uint8_t mask_phase_ = 0;         // the next byte of the mask
  Utf8Checker utf8_;
  CloseCode close_code_ = CloseCode::kNone;
  uint64_t payload_left_ = 0;  // bytes of the present frame that have not come
  size_t message_bytes_ = 0;   // of the unfinished message, at the beginning of the buffer
  // The unfinished message, and after it an unfinished control frame that came between its frames.
  std::string buffer_;
  absl::string_view payload_;
};

// Masks or unmasks in place (section 5.3). `phase` is the place of the first byte in the mask.
void Unmask(absl::Span<char> bytes, const uint8_t mask[4], uint8_t phase);

// Returns whether a client may send the code (section 7.4, and the registry of section 7.4.2).
bool IsCloseCodeOnWire(uint16_t code);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_FRAME_CODEC_H_
