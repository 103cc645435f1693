// What a server sends, in parts of changing sizes. The events must not depend on the parts.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/channel/nats/nats_reader.h"

namespace groupcast::service {
namespace {

std::string Read(absl::string_view input, size_t part) {
  NatsReader reader(4'096);
  std::string events;
  while (!input.empty()) {
    const absl::Span<char> room = reader.Room();
    const size_t bytes = std::min({input.size(), part, room.size()});
    std::memcpy(room.data(), input.data(), bytes);
    input.remove_prefix(bytes);
    reader.Took(bytes);
    for (auto event = reader.Next(); event != NatsReader::Event::kNeedMore; event = reader.Next()) {
      absl::StrAppend(&events, static_cast<int>(event), ";");
      if (event == NatsReader::Event::kMessage) {
        const NatsMessage& message = reader.message();
        absl::StrAppend(&events, message.subject, ";", message.subscription, ";", message.reply,
                        ";", NatsHeader(message.headers, "Nats-Sequence").value_or("-"), ";",
                        NatsStatus(message.headers), ";", message.data, ";");
      } else if (event != NatsReader::Event::kPing && event != NatsReader::Event::kPong) {
        absl::StrAppend(&events, reader.text(), ";");
      }
    }
  }
  return events;
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using groupcast::service::Read;
  if (size == 0) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (Read(input, 1'000'000) != Read(input, 1 + data[0] % 32)) std::abort();
  return 0;
}
