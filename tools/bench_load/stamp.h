#ifndef GROUPCAST_TOOLS_BENCH_LOAD_STAMP_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_STAMP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace groupcast::bench {

// What every message begins with, so that whoever gets it can tell whether it is the next one, and
// how long it was under way.
struct Stamp {
  uint32_t stream = 0;    // one sender's messages to one group: the sender and the group in one
  uint32_t sequence = 0;  // counts along the stream, from 0
  int64_t sent_ns = 0;    // when it was due to be sent, by CLOCK_MONOTONIC

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// As text: hexadecimal with the letters A to P, which no JSON writer escapes, and which no answer
// of any server begins with by chance.
inline constexpr size_t kStampBytes = 32;

void WriteStamp(const Stamp& stamp, char* out);
// Of a text that begins with one; nothing: this does not. It costs a few nanoseconds, as it is done
// for every delivery.
std::optional<Stamp> ReadStamp(std::string_view text);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_STAMP_H_
