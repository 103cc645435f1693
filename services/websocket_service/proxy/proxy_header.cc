#include "services/websocket_service/proxy/proxy_header.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr uint8_t kVersion2 = 0x20;
constexpr uint8_t kLocal = 0;
constexpr uint8_t kProxy = 1;
constexpr uint8_t kInet = 1;   // address family: IPv4
constexpr uint8_t kInet6 = 2;  // IPv6
constexpr uint8_t kUnix = 3;

// Source and destination address, and two ports.
constexpr size_t kInetBytes = 12;
constexpr size_t kInet6Bytes = 36;

ProxyHeader Invalid(absl::string_view error) {
  return {.result = ProxyHeader::Result::kInvalid, .error = std::string(error)};
}

}  // namespace

ProxyHeader ProxyHeader::Read(absl::string_view bytes) {
  if (!absl::StartsWith(bytes, kSignature.substr(0, std::min(bytes.size(), kSignature.size())))) {
    return Invalid("it does not begin with the signature of version 2");
  }
  if (bytes.size() < kFixedBytes) return {.result = Result::kNeedMore, .bytes = kFixedBytes};
  const auto byte = [&](size_t index) { return static_cast<uint8_t>(bytes[index]); };
  const uint8_t command = byte(12) & 0x0f;
  if ((byte(12) & 0xf0) != kVersion2) return Invalid("its version is not 2");
  if (command != kLocal && command != kProxy) return Invalid("its command is not known");
  const size_t rest = static_cast<size_t>(byte(14)) << 8 | byte(15);
  const size_t size = kFixedBytes + rest;
  if (size > kBytesMax) return Invalid(absl::StrCat("it is larger than ", kBytesMax, " bytes"));
  const uint8_t family = byte(13) >> 4;
  if (command == kProxy) {
    if (family > kUnix) return Invalid("its address family is not known");
    if ((family == kInet && rest < kInetBytes) || (family == kInet6 && rest < kInet6Bytes)) {
      return Invalid("it is too short for its addresses");
    }
  }
  if (bytes.size() < size) return {.result = Result::kNeedMore, .bytes = size};
  ProxyHeader header{.result = Result::kDone, .bytes = size};
  // The address of LOCAL, a health check for example, must be ignored.
  if (command == kLocal) return header;
  if (family == kInet) {
    IpAddress client{.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    std::memcpy(client.bytes.data() + 12, bytes.data() + kFixedBytes, 4);
    header.client = client;
  } else if (family == kInet6) {
    IpAddress client;
    std::memcpy(client.bytes.data(), bytes.data() + kFixedBytes, client.bytes.size());
    header.client = client;
  }
  return header;
}

}  // namespace groupcast::service
