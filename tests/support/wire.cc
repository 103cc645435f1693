#include "tests/support/wire.h"

#include <openssl/sha.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace groupcast::tests {
namespace {

void AppendBigEndian(uint64_t value, int bytes, std::string* to) {
  for (int i = bytes - 1; i >= 0; --i) to->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t BigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

[[noreturn]] void Refuse(absl::string_view why, absl::string_view bytes) {
  throw Failure(absl::StrCat("the server sent ", why, ": ", Printable(bytes)));
}

}  // namespace

std::string MakeFrame(uint8_t opcode, absl::string_view payload, const FrameShape& shape) {
  const uint64_t length = shape.length.value_or(payload.size());
  const int length_bytes = shape.length_bytes != 0 ? shape.length_bytes
                           : length < 126          ? 0
                           : length <= 0xffff      ? 2
                                                   : 8;
  const uint64_t short_length = length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127;
  std::string frame;
  frame.push_back(static_cast<char>((shape.fin ? 0x80 : 0) | shape.reserved_bits << 4 | opcode));
  frame.push_back(static_cast<char>((shape.masked ? 0x80 : 0) | short_length));
  AppendBigEndian(length, length_bytes, &frame);
  if (!shape.masked) return absl::StrCat(frame, payload);
  for (const uint8_t byte : shape.mask) frame.push_back(static_cast<char>(byte));
  for (size_t i = 0; i < payload.size(); ++i)
    frame.push_back(static_cast<char>(payload[i] ^ shape.mask[i % 4]));
  return frame;
}

std::string TextFrame(absl::string_view text) { return MakeFrame(kText, text); }

std::string CloseFrame(int code, absl::string_view reason) {
  std::string payload;
  AppendBigEndian(static_cast<uint64_t>(code), 2, &payload);
  return MakeFrame(kClose, absl::StrCat(payload, reason));
}

int Frame::close_code() const {
  return payload.size() < 2 ? kNoCloseCode
                            : static_cast<int>(BigEndian(absl::string_view(payload).substr(0, 2)));
}

std::optional<Frame> TakeFrame(std::string* bytes, bool may_deflate) {
  const absl::string_view all = *bytes;
  if (all.size() < 2) return std::nullopt;
  const auto first = static_cast<uint8_t>(all[0]);
  const auto second = static_cast<uint8_t>(all[1]);
  Frame frame{.opcode = static_cast<uint8_t>(first & 0x0f), .payload = ""};
  frame.is_deflated = may_deflate && frame.opcode == kText && (first & 0x40) != 0;
  if ((first & 0xf0) != (frame.is_deflated ? 0xc0 : 0x80))
    Refuse("a fragment or reserved bits", all);
  if ((second & 0x80) != 0) Refuse("a masked frame", all);
  const bool control = frame.opcode >= kClose;
  if (frame.opcode == kContinuation || frame.opcode > kPong ||
      (frame.opcode > kBinary && !control)) {
    Refuse("an opcode that is reserved, or continues nothing", all);
  }
  uint64_t length = second;
  size_t header_bytes = 2;
  if (length >= 126) {
    const size_t length_bytes = length == 126 ? 2 : 8;
    header_bytes += length_bytes;
    if (all.size() < header_bytes) return std::nullopt;
    length = BigEndian(all.substr(2, length_bytes));
    if (control || length < (length_bytes == 2 ? 126u : 0x10000u))
      Refuse("a length not in its shortest form", all);
  }
  if (all.size() - header_bytes < length) return std::nullopt;
  frame.payload = std::string(all.substr(header_bytes, length));
  bytes->erase(0, header_bytes + length);
  return frame;
}

std::string HttpResponse::Header(absl::string_view name) const {
  const auto [from, to] = headers.equal_range(std::string(name));
  if (from == to) return "";
  if (std::next(from) != to)
    throw Failure(absl::StrCat("the header ", name, " is there more than once"));
  return from->second;
}

std::optional<HttpResponse> TakeResponse(std::string* bytes) {
  const size_t end = bytes->find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  const std::string head = bytes->substr(0, end);
  HttpResponse response;
  bool is_status_line = true;
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    if (is_status_line) {
      is_status_line = false;
      const bool ok = absl::StartsWith(line, "HTTP/1.1 ") &&
                      absl::SimpleAtoi(line.substr(9, 3), &response.status);
      if (!ok) throw Failure(absl::StrCat("no HTTP response: ", Printable(*bytes)));
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> header =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    response.headers.emplace(absl::AsciiStrToLower(header.first),
                             absl::StripAsciiWhitespace(header.second));
  }
  bytes->erase(0, end + 4);
  return response;
}

std::string HandshakeRequest(absl::string_view subprotocol, absl::string_view key) {
  return absl::StrCat(
      "GET / HTTP/1.1\r\n"
      "Host: 127.0.0.1\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: ",
      key, "\r\n", subprotocol.empty() ? "" : "Sec-WebSocket-Protocol: ", subprotocol,
      subprotocol.empty() ? "" : "\r\n", "\r\n");
}

std::string AcceptFor(absl::string_view key) {
  const std::string text = absl::StrCat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::Base64Escape({reinterpret_cast<const char*>(digest), sizeof(digest)});
}

std::string Printable(absl::string_view bytes) {
  constexpr size_t kBytesMax = 400;
  if (bytes.size() <= kBytesMax) return absl::CHexEscape(bytes);
  return absl::StrCat(absl::CHexEscape(bytes.substr(0, kBytesMax / 2)), " ...",
                      bytes.size() - kBytesMax, " bytes more... ",
                      absl::CHexEscape(bytes.substr(bytes.size() - kBytesMax / 2)));
}

}  // namespace groupcast::tests
