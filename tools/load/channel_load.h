#ifndef GROUPCAST_TOOLS_LOAD_CHANNEL_LOAD_H_
#define GROUPCAST_TOOLS_LOAD_CHANNEL_LOAD_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::load {

struct ChannelLoadOptions {
  uint16_t port = 2206;  // the channel server's publish port
  pid_t server = 0;      // its process
  int64_t messages = 2'000'000;
  size_t message_bytes = 200;
  int groups = 1;  // of the messages; received messages are measured with one group only
};

struct ChannelLoadResult {
  absl::Duration wall;  // from the first publication to the last message received
  absl::Duration server_cpu;
  int64_t received = 0;
  int64_t lost = 0;  // according to the offsets
  int64_t out_of_order = 0;
};

// Measures one publisher, in a process of its own, and one subscriber, in this one, through the
// channel server.
absl::StatusOr<ChannelLoadResult> MeasureThroughput(const ChannelLoadOptions& options);

// Publishes all messages from this process, and waits until they are acknowledged.
absl::Status Publish(const ChannelLoadOptions& options);

struct JoinResult {
  absl::Duration p50;
  absl::Duration p99;
};

// Measures the time from Subscribe on a new group to its announcement, `count` times in turn.
absl::StatusOr<JoinResult> MeasureJoins(const ChannelLoadOptions& options, int count);

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_CHANNEL_LOAD_H_
