#ifndef GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_TESTING_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_TESTING_H_

#include <string>

#include "gtest/gtest.h"
#include "tools/bench_load/stamp.h"

namespace groupcast::bench {

inline constexpr Stamp kStamp = {7, 8, 9};

// A message with that stamp.
inline std::string Message() {
  std::string text(kStampBytes, '?');
  WriteStamp(kStamp, text.data());
  return text + "xxxx";
}

// The payload of a client's frame, which is short enough for the shortest form of the length.
inline std::string Unmasked(std::string frame) {
  EXPECT_LT(frame.size(), 126u + 6u);
  EXPECT_EQ(frame.size(), 6u + (frame[1] & 0x7f)) << "not one frame";
  for (size_t i = 6; i < frame.size(); ++i) frame[i] ^= frame[2 + (i - 6) % 4];
  return frame.substr(6);
}

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_TESTING_H_
