#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_DESCRIPTOR_RESERVE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_DESCRIPTOR_RESERVE_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/common/logging.h"
#include "zmq.hpp"

namespace groupcast::service {

// Keeps the last file descriptors of the process free of connections. A connection that gets one of
// them is cut at once, and a log line says so. The connections before it go on, and new ones are
// taken as soon as descriptors are free.
//
// ZeroMQ must never be without descriptors. A TCP listener asks for the waiting connection again
// and again then, which costs most of a core. A Unix listener ends the process. And the log could
// not open its next segment. To unbind is no way out: it would end the connections of that listener
// too, and a bind without descriptors ends the process (libzmq 4.3.4).
//
// The kernel gives the lowest free number. So a connection's number tells how many descriptors are
// in use, and no count is necessary. If ZeroMQ has closed a number meanwhile and given it to
// another connection, that one has a descriptor of the reserve too.
//
// Not thread-safe: it runs in the thread of the watched sockets.
class DescriptorReserve {
 public:
  // The size of the reserve under a limit of open files: a quarter, at most 3,072. ZeroMQ's thread
  // waits while 1,001 accepted connections of a socket are unseen. So with three sockets and a
  // limit of 12,288 or more, no storm of connections gets through the reserve between two steps.
  static int64_t Size(int64_t limit) { return std::min<int64_t>(limit / 4, 3'072); }

  // Watches the connections that `sockets` accept from now on. Call it once, after their last bind:
  // a bind could wait for ZeroMQ's thread while that waits for a step. `context` must outlive this.
  // Errors: there is no descriptor for the watch itself.
  absl::Status Watch(zmq::context_t* context, absl::Span<zmq::socket_t* const> sockets);

  // Readable when Step has work. A descriptor costs a loop less than a ZeroMQ socket, at which
  // zmq_poll(3) looks with system calls of its own. It tells an event only once (ZMQ_FD in
  // zmq_getsockopt(3)), so call Step until it returns false.
  std::vector<int> descriptors();
  // Cuts accepted connections that have descriptors of the reserve. It never waits. True: there may
  // be more to do.
  bool Step(absl::Time now);

 private:
  bool StepOne(zmq::socket_t* monitor, int64_t limit, absl::Time now);
  void Cut(int descriptor, int64_t limit, absl::Time now);

  std::vector<zmq::socket_t> monitors_;
  LogLimit log_limit_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_DESCRIPTOR_RESERVE_H_
