#ifndef SDK_CPP_GROUPCAST_CONNECTION_END_H_
#define SDK_CPP_GROUPCAST_CONNECTION_END_H_

#include <cstdint>

#include "absl/status/status.h"

namespace groupcast {

// RFC 6455's code for a connection that ended without a close frame.
inline constexpr uint16_t kNoCloseFrame = 1006;

// How a connection, or an attempt to connect, ended.
struct ConnectionEnd {
  absl::Status why;
  // False if the server forbids to come back, or if another attempt can have no other result.
  bool may_reconnect = true;
  // The server's; kNoCloseFrame if there was none, or if this side ended the connection.
  uint16_t close_code = kNoCloseFrame;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_CONNECTION_END_H_
