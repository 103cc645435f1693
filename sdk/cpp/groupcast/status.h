#ifndef SDK_CPP_GROUPCAST_STATUS_H_
#define SDK_CPP_GROUPCAST_STATUS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace groupcast {

// An error as the server words it.
struct ServerError {
  std::string word;
  std::string message;
  // Whether the same command may work later.
  bool retry = false;
};

// How the application sees `error`. ErrorWord() of the result is
// `error.word`, IsTransient() is `error.retry`.
absl::Status ToStatus(const ServerError& error);

// What becomes of a send that was written when its connection broke before the acknowledgement.
absl::Status OutcomeUnknown();

// RFC 6455's code for a connection that ended without a close frame.
inline constexpr uint16_t kNoCloseFrame = 1006;

// Why a connection that the server closed with `code` has ended.
absl::Status CloseStatus(uint16_t code, absl::string_view reason);

// False for the codes with which the server forbids to come back: 4500 to 4999.
bool MayReconnect(uint16_t code);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_STATUS_H_
