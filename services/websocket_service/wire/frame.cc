#include "services/websocket_service/wire/frame.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace groupcast::service {
namespace {

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kRsv1 = 0x40;  // the payload is compressed (RFC 7692 section 7.2.1)

// `first` is the first byte of the frame.
SharedBytes Make(uint8_t first, size_t size, absl::FunctionRef<void(char*)> write) {
  // RFC 6455 section 5.2: the shortest form of the length that holds it.
  char header[10];
  size_t header_bytes = 2;
  header[0] = static_cast<char>(first);
  if (size < 126) {
    header[1] = static_cast<char>(size);
  } else {
    const int length_bytes = size <= 0xffff ? 2 : 8;
    header[1] = static_cast<char>(length_bytes == 2 ? 126 : 127);
    for (int i = 0; i < length_bytes; ++i) {
      header[2 + i] =
          static_cast<char>(static_cast<uint64_t>(size) >> (8 * (length_bytes - 1 - i)));
    }
    header_bytes += length_bytes;
  }
  return SharedBytes::Make(header_bytes + size,
                           [&](char* to) { write(std::copy(header, header + header_bytes, to)); });
}

}  // namespace

SharedBytes MakeFrame(Opcode opcode, absl::string_view payload, absl::string_view rest) {
  return MakeFrame(opcode, payload.size() + rest.size(), [&](char* to) {
    to = std::copy(payload.begin(), payload.end(), to);
    std::copy(rest.begin(), rest.end(), to);
  });
}

SharedBytes MakeFrame(Opcode opcode, size_t payload_bytes, absl::FunctionRef<void(char*)> write) {
  return Make(kFin | static_cast<uint8_t>(opcode), payload_bytes, write);
}

SharedBytes MakeDeflatedFrame(absl::string_view payload) {
  return Make(kFin | kRsv1 | static_cast<uint8_t>(Opcode::kText), payload.size(),
              [&](char* to) { std::copy(payload.begin(), payload.end(), to); });
}

absl::string_view FramePayload(const SharedBytes& frame) {
  const absl::string_view bytes = frame.bytes();
  const int length = bytes[1];
  return bytes.substr(length < 126 ? 2 : length == 126 ? 4 : 10);
}

SharedBytes MakeCloseFrame(CloseCode code, absl::string_view reason) {
  if (code == CloseCode::kNone) return MakeFrame(Opcode::kClose, "");
  const auto number = static_cast<uint16_t>(code);
  std::string payload = {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
  reason = reason.substr(0, 123);
  payload.append(reason.data(), reason.size());
  return MakeFrame(Opcode::kClose, payload);
}

}  // namespace groupcast::service
