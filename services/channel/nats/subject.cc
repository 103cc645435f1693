#include "services/channel/nats/subject.h"

#include <cstdint>

#include "absl/strings/ascii.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kDigits = "0123456789ABCDEF";

bool IsPlain(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) || byte == '-' || byte == '_';
}

}  // namespace

std::string SubjectToken(absl::string_view group_id) {
  std::string token;
  token.reserve(group_id.size());
  for (const char byte : group_id) {
    if (IsPlain(byte)) {
      token += byte;
      continue;
    }
    const auto value = static_cast<uint8_t>(byte);
    token += '=';
    token += kDigits[value >> 4];
    token += kDigits[value & 15];
  }
  return token;
}

std::optional<std::string> GroupIdOfToken(absl::string_view token) {
  if (token.empty()) return std::nullopt;
  std::string id;
  for (size_t i = 0; i < token.size(); ++i) {
    if (IsPlain(token[i])) {
      id += token[i];
      continue;
    }
    if (token[i] != '=' || i + 2 >= token.size()) return std::nullopt;
    const size_t high = kDigits.find(token[i + 1]);
    const size_t low = kDigits.find(token[i + 2]);
    if (high == absl::string_view::npos || low == absl::string_view::npos) return std::nullopt;
    const auto byte = static_cast<char>(high * 16 + low);
    if (IsPlain(byte)) return std::nullopt;
    id += byte;
    i += 2;
  }
  return id;
}

}  // namespace groupcast::service
