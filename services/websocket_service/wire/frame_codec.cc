#include "services/websocket_service/wire/frame_codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace groupcast::service {
namespace {

constexpr uint8_t kReservedBits = 0x70;
constexpr uint8_t kRsv1 = 0x40;  // the message is compressed (RFC 7692 section 6)
constexpr uint8_t kMaskBit = 0x80;
constexpr size_t kControlBytesMax = 125;  // section 5.5

// How long a header is that begins with these two bytes.
size_t HeaderBytes(const uint8_t* header) {
  const uint8_t length = header[1] & 0x7f;
  const size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  return 2 + extended + ((header[1] & kMaskBit) != 0 ? 4 : 0);
}

uint64_t BigEndian(const uint8_t* from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | from[i];
  return value;
}

bool IsFinal(const uint8_t* header) { return (header[0] & 0x80) != 0; }

// Of a whole header. The top bit of a length of 8 bytes stays, and is an error (section 5.2).
uint64_t PayloadBytes(const uint8_t* header) {
  const uint8_t length = header[1] & 0x7f;
  if (length == 126) return BigEndian(header + 2, 2);
  if (length == 127) return BigEndian(header + 2, 8);
  return length;
}

}  // namespace

void Unmask(absl::Span<char> bytes, const uint8_t mask[4], uint8_t phase) {
  uint8_t turned[4];
  for (int i = 0; i < 4; ++i) turned[i] = mask[(phase + i) & 3];
  uint32_t word;
  std::memcpy(&word, turned, sizeof(word));
  const uint64_t wide = static_cast<uint64_t>(word) << 32 | word;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t eight;
    std::memcpy(&eight, bytes.data() + i, sizeof(eight));
    eight ^= wide;
    std::memcpy(bytes.data() + i, &eight, sizeof(eight));
  }
  for (; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ turned[i & 3]);
}

bool IsCloseCodeOnWire(uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

FrameDecoder::Event FrameDecoder::Next(absl::Span<char>* input, size_t message_bytes_max) {
  if (drop_buffer_tail_) {
    drop_buffer_tail_ = false;
    buffer_.resize(message_bytes_);
    if (buffer_.empty()) buffer_ = std::string();
  }
  for (;;) {
    if (!in_payload_) {
      if (!ReadHeader(input, 2)) return Event::kNeedMore;
      if (CheckStart() == Event::kError) return Event::kError;
      if (!ReadHeader(input, HeaderBytes(header_.data()))) return Event::kNeedMore;
      if (CheckLength(message_bytes_max) == Event::kError) return Event::kError;
      in_payload_ = true;
    }
    if (const Event event = ReadPayload(input); event != Event::kNeedMore || in_payload_)
      return event;
    // The end of a fragment that is not the last: on with the next frame.
  }
}

uint64_t FrameDecoder::MessageBytesAhead(absl::string_view ahead) const {
  if (in_message_) return 0;
  if (in_payload_) return is_final() ? payload_left_ : 0;
  std::array<uint8_t, sizeof(header_)> header = {};
  std::memcpy(header.data(), header_.data(), header_bytes_);
  const size_t more = std::min(ahead.size(), header.size() - header_bytes_);
  if (more != 0) std::memcpy(header.data() + header_bytes_, ahead.data(), more);
  const size_t have = header_bytes_ + more;
  if (have < 2 || have < HeaderBytes(header.data()) || !IsFinal(header.data())) return 0;
  const uint64_t header_left = HeaderBytes(header.data()) - header_bytes_;
  return header_left + std::min(PayloadBytes(header.data()), ~uint64_t{0} - header_left);
}

bool FrameDecoder::MessageAheadIsDeflated(absl::string_view ahead) const {
  if (!allows_deflated_) return false;
  if (in_message_) return is_deflated_;
  const bool has_first = in_payload_ || header_bytes_ > 0;
  const auto first = static_cast<uint8_t>(has_first       ? header_[0]
                                          : ahead.empty() ? 0
                                                          : ahead.front());
  return (first & 0x40) != 0;  // RSV1 (RFC 7692 section 6)
}

std::string FrameDecoder::TakePayload() {
  const bool owned = !buffer_.empty() && payload_.data() == buffer_.data() && message_bytes_ == 0;
  std::string taken = owned ? std::move(buffer_) : std::string(payload_);
  if (owned) buffer_ = std::string();
  payload_ = {};
  return taken;
}

bool FrameDecoder::is_final() const { return IsFinal(header_.data()); }

// Whether the first `bytes` of the header are there.
bool FrameDecoder::ReadHeader(absl::Span<char>* input, size_t bytes) {
  if (header_bytes_ >= bytes) return true;
  const size_t taken = std::min(bytes - header_bytes_, input->size());
  if (taken != 0) std::memcpy(header_.data() + header_bytes_, input->data(), taken);
  header_bytes_ += static_cast<uint8_t>(taken);
  input->remove_prefix(taken);
  return header_bytes_ == bytes;
}

// All that the first two bytes show to be wrong.
FrameDecoder::Event FrameDecoder::CheckStart() {
  const auto opcode = static_cast<Opcode>(header_[0] & 0x0f);
  const uint8_t length = header_[1] & 0x7f;
  // The first frame of a message may have RSV1 (RFC 7692 section 6.1).
  const bool begins_text = opcode == Opcode::kText || opcode == Opcode::kBinary;
  const uint8_t allowed = allows_deflated_ && begins_text ? kRsv1 : 0;
  if ((header_[0] & kReservedBits & ~allowed) != 0) {
    return Fail(CloseCode::kProtocolError, "reserved bits without an extension");
  }
  switch (opcode) {
    case Opcode::kContinuation:
      if (!in_message_) return Fail(CloseCode::kProtocolError, "continuation of nothing");
      break;
    case Opcode::kText:
    case Opcode::kBinary:
      if (in_message_) return Fail(CloseCode::kProtocolError, "new message inside of a message");
      break;
    case Opcode::kClose:
    case Opcode::kPing:
    case Opcode::kPong:
      if (!is_final()) return Fail(CloseCode::kProtocolError, "fragmented control frame");
      if (length > kControlBytesMax)
        return Fail(CloseCode::kProtocolError, "control frame over 125 bytes");
      break;
    default:
      return Fail(CloseCode::kProtocolError, "reserved opcode");
  }
  if ((header_[1] & kMaskBit) == 0) return Fail(CloseCode::kProtocolError, "unmasked frame");
  if (opcode == Opcode::kBinary) {
    return Fail(CloseCode::kUnsupportedData, "commands are text frames");
  }
  return Event::kNeedMore;
}

FrameDecoder::Event FrameDecoder::CheckLength(size_t message_bytes_max) {
  const uint8_t length = header_[1] & 0x7f;
  payload_left_ = PayloadBytes(header_.data());
  if ((length == 126 && payload_left_ < 126) || (length == 127 && payload_left_ <= 0xffff)) {
    return Fail(CloseCode::kProtocolError, "length not in its shortest form");
  }
  if (payload_left_ >> 63 != 0)
    return Fail(CloseCode::kProtocolError, "length with the top bit set");
  if (!is_control() &&
      payload_left_ > message_bytes_max - std::min(message_bytes_, message_bytes_max)) {
    return Fail(CloseCode::kTooBig, "message over the limit");
  }
  mask_phase_ = 0;
  if (!is_control() && !in_message_) is_deflated_ = (header_[0] & kRsv1) != 0;
  return Event::kNeedMore;
}

FrameDecoder::Event FrameDecoder::ReadPayload(absl::Span<char>* input) {
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(payload_left_, input->size()));
  const absl::Span<char> piece = input->subspan(0, taken);
  input->remove_prefix(taken);
  Unmask(piece, header_.data() + header_bytes_ - 4, mask_phase_);
  mask_phase_ = (mask_phase_ + taken) & 3;
  payload_left_ -= taken;
  const absl::string_view text(piece.data(), piece.size());
  if (!is_control() && !is_deflated_ && !utf8_.Check(text)) {
    return Fail(CloseCode::kInvalidPayload, "text that is not UTF-8");
  }

  const bool whole_frame = payload_left_ == 0;
  const bool ends_event = whole_frame && (is_control() || is_final());
  const size_t held = is_control() ? buffer_.size() - message_bytes_ : buffer_.size();
  if (ends_event && held == 0) {
    payload_ = text;  // all of it lies in the input
  } else {
    buffer_.append(text.data(), text.size());
    if (!is_control()) message_bytes_ = buffer_.size();
    if (!whole_frame) return Event::kNeedMore;
  }
  in_payload_ = false;
  header_bytes_ = 0;
  if (is_control()) {
    if (held != 0) {
      payload_ = absl::string_view(buffer_).substr(message_bytes_);
      drop_buffer_tail_ = true;
    }
    return FinishControl();
  }
  in_message_ = !is_final();
  if (in_message_) return Event::kNeedMore;
  if (held != 0) {
    payload_ = buffer_;
    message_bytes_ = 0;
    drop_buffer_tail_ = true;
  }
  if (!is_deflated_ && !utf8_.complete())
    return Fail(CloseCode::kInvalidPayload, "text that ends inside of a character");
  return Event::kText;
}

FrameDecoder::Event FrameDecoder::FinishControl() {
  switch (static_cast<Opcode>(header_[0] & 0x0f)) {
    case Opcode::kPing:
      return Event::kPing;
    case Opcode::kPong:
      return Event::kPong;
    default:
      break;
  }
  close_code_ = CloseCode::kNone;
  if (payload_.empty()) return Event::kClose;
  if (payload_.size() == 1) return Fail(CloseCode::kProtocolError, "half a close code");
  const uint16_t code = static_cast<uint8_t>(payload_[0]) << 8 | static_cast<uint8_t>(payload_[1]);
  if (!IsCloseCodeOnWire(code)) return Fail(CloseCode::kProtocolError, "reserved close code");
  payload_.remove_prefix(2);
  Utf8Checker reason;
  if (!reason.Check(payload_) || !reason.complete()) {
    return Fail(CloseCode::kInvalidPayload, "close reason that is not UTF-8");
  }
  close_code_ = static_cast<CloseCode>(code);
  return Event::kClose;
}

FrameDecoder::Event FrameDecoder::Fail(CloseCode code, absl::string_view why) {
  close_code_ = code;
  payload_ = why;
  return Event::kError;
}

}  // namespace groupcast::service
