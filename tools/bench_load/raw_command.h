#ifndef GROUPCAST_TOOLS_BENCH_LOAD_RAW_COMMAND_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_RAW_COMMAND_H_

#include <cstdint>

namespace groupcast::bench {

// The commands that the raw probe reads from its clients, in the machine's own byte order.
struct RawCommand {
  enum class Kind : uint32_t {
    kJoin,  // the probe answers with a frame that has kRawJoined
    kSend,  // followed by frame_bytes bytes, which it writes unchanged to each member
  };
  Kind kind;
  uint32_t group;
  uint32_t frame_bytes;
};

inline constexpr char kRawJoined[] = "joined";

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_RAW_COMMAND_H_
