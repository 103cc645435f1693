#ifndef GROUPCAST_TOOLS_BENCH_LOAD_STAMP_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_STAMP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace groupcast::bench {

// The beginning of every message. From it a member sees whether the message is the next one, and
// how long it was under way.
struct Stamp {
  uint32_t stream = 0;    // one sender's messages to one group: names both the sender and the group
  uint32_t sequence = 0;  // counts along the stream, from 0
  int64_t sent_ns = 0;    // the time at which it was due, by CLOCK_MONOTONIC

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// As text: hexadecimal with the letters A to P. No JSON writer escapes them, and no server's answer
// begins with them by chance.
inline constexpr size_t kStampBytes = 32;

void WriteStamp(const Stamp& stamp, char* out);
// Reads the stamp at the beginning of a text; nothing: there is none. It takes a few nanoseconds,
// because it runs for every delivery.
std::optional<Stamp> ReadStamp(std::string_view text);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_STAMP_H_
