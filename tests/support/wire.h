#ifndef GROUPCAST_TESTS_SUPPORT_WIRE_H_
#define GROUPCAST_TESTS_SUPPORT_WIRE_H_

// RFC 6455 from the client's side, for tests. It builds frames of any kind, also wrong ones, and
// reads a server's frames strictly.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

inline constexpr uint8_t kContinuation = 0x0;
inline constexpr uint8_t kText = 0x1;
inline constexpr uint8_t kBinary = 0x2;
inline constexpr uint8_t kClose = 0x8;
inline constexpr uint8_t kPing = 0x9;
inline constexpr uint8_t kPong = 0xa;

// Section 7.4.1: never on the wire. Here it means a close frame without a code.
inline constexpr int kNoCloseCode = 1005;

// The variations that a client can give a frame. The defaults give a correct one.
struct FrameShape {
  bool fin = true;
  uint8_t reserved_bits = 0;  // 4 is RSV1, 2 is RSV2, 1 is RSV3
  bool masked = true;
  std::array<uint8_t, 4> mask = {0x37, 0xfa, 0x21, 0x3d};
  int length_bytes = 0;            // 2 or 8 force that form of the length; 0 takes the shortest
  std::optional<uint64_t> length;  // another length than the payload's
};

std::string MakeFrame(uint8_t opcode, absl::string_view payload, const FrameShape& shape = {});
std::string TextFrame(absl::string_view text);
std::string CloseFrame(int code, absl::string_view reason = "");

// A frame of the server.
struct Frame {
  uint8_t opcode = 0;
  std::string payload;
  bool is_deflated = false;  // the payload is one of permessage-deflate

  // For a close frame. kNoCloseCode if it has no code.
  int close_code() const;
  friend bool operator==(const Frame&, const Frame&) = default;
};

// Takes the first frame off `*bytes`; nullopt: it is not complete yet. Throws Failure if a server
// may not send that frame without extensions. Such frames are masked or fragmented, have reserved
// bits or opcodes, or have a length not in its shortest form. `may_deflate`: permessage-deflate was
// negotiated, so text may be compressed.
std::optional<Frame> TakeFrame(std::string* bytes, bool may_deflate = false);

struct HttpResponse {
  int status = 0;
  std::multimap<std::string, std::string> headers;  // names in lower case

  // The value of a header that occurs once; empty if it is missing.
  std::string Header(absl::string_view name) const;
};

// Takes the head of a response off `*bytes`; nullopt: it is not complete yet.
std::optional<HttpResponse> TakeResponse(std::string* bytes);

inline constexpr absl::string_view kV1 = "groupcast.v1.json";
inline constexpr absl::string_view kSampleKey = "dGhlIHNhbXBsZSBub25jZQ==";

// A handshake of section 4.1. An empty subprotocol offers none.
std::string HandshakeRequest(absl::string_view subprotocol = "",
                             absl::string_view key = kSampleKey);

// The server's required answer to a key (section 4.2.2).
std::string AcceptFor(absl::string_view key);

// Bytes for human readers: printable ones unchanged, others as \xNN, long ones cut in the middle.
std::string Printable(absl::string_view bytes);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_WIRE_H_
