#include "tests/faults/chaos_message.h"

#include <charconv>
#include <cstddef>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace groupcast::tests {
namespace {

size_t PaddingBytes(uint64_t number) { return number % 500 == 499 ? 16 * 1024 : number % 200; }

}  // namespace

std::string GroupId(int group) { return absl::StrCat("group-", group); }

std::string MessageText(int client, uint64_t number, absl::Time now) {
  std::string text = absl::StrCat(client, " ", number, " ", absl::ToUnixMicros(now), " ");
  text.append(PaddingBytes(number), 'x');
  return text;
}

bool ParseMessage(absl::string_view text, Stamp* stamp) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto take = [&](auto* value) {
    const auto [rest, error] = std::from_chars(at, end, *value);
    if (error != std::errc() || rest == end || *rest != ' ') return false;
    at = rest + 1;
    return true;
  };
  if (!take(&stamp->client) || !take(&stamp->number) || !take(&stamp->sent_us)) return false;
  return static_cast<size_t>(end - at) == PaddingBytes(stamp->number);
}

}  // namespace groupcast::tests
