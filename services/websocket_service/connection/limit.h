#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_LIMIT_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_LIMIT_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace groupcast::service {

// The limits of a worker that its connections can meet, besides those of commands (GroupService).
// The worker counts by name how often each was met.
enum class Limit : uint8_t {
  kConnections,  // of the worker: 503, or dropped without an answer
  kAddress,      // connections of one address: 429, or dropped without an answer
  kAccepts,      // new connections per second: they waited in the kernel
  kHandshake,    // its time: dropped
  kHead,         // of the request: 431
  kFrame,        // or message: closed with 1009
  kInflated,     // a compressed message: closed with 1009
  kUnfinished,   // messages of the worker: closed with 1009
  kHeld,         // input of the worker: the connection waited to be read
  kInput,        // bytes per second of one connection: it waited to be read
  kOutboxes,     // of the worker: closed with 4001
  kPong,         // its time: closed with 4002
};
inline constexpr size_t kLimits = static_cast<size_t>(Limit::kPong) + 1;

class LimitCounts {
 public:
  void Add(Limit limit) { ++counts_[static_cast<size_t>(limit)]; }
  uint64_t Of(Limit limit) const { return counts_[static_cast<size_t>(limit)]; }

 private:
  std::array<uint64_t, kLimits> counts_ = {};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_LIMIT_H_
