#ifndef GROUPCAST_SERVICES_PROTOCOL_CLOSE_CODE_H_
#define GROUPCAST_SERVICES_PROTOCOL_CLOSE_CODE_H_

#include <cstdint>

namespace groupcast::service {

// The reason why the service ends a connection. RFC 6455 section 7.4.1 defines the codes below
// 4000. This protocol defines the others (docs/protocol.md).
enum class CloseCode : uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
  kNone = 1005,      // never on the wire: a close frame without a code
  kAbnormal = 1006,  // never on the wire: an end without a close frame
  kInvalidPayload = 1007,
  kTooBig = 1009,
  kDraining = 4000,
  kSlowConsumer = 4001,
  kNoPong = 4002,
  // From 4500 on, MayReconnect is false.
  kNotAuthenticated = 4500,
  kTokenExpired = 4501,
  kOverLimit = 4503,
};

// Whether a client whose connection has ended so may connect again in the same way.
constexpr bool MayReconnect(CloseCode code) { return static_cast<uint16_t>(code) < 4500; }

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROTOCOL_CLOSE_CODE_H_
