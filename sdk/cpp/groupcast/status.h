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

// What becomes of a send that was written, may have been done, and will not be written again. Not
// transient: a new send would have a new key, and so could be delivered besides the first.
absl::Status OutcomeUnknown();

// What becomes of a question whose connection broke before the answer.
absl::Status AnswerLost();

// Whether `error`, which may be tried again, says that the command was not done at all.
bool SaysNotDone(const ServerError& error);

// RFC 6455's code for a connection that ended without a close frame.
inline constexpr uint16_t kNoCloseFrame = 1006;

// Why a connection that the server closed with `code` has ended.
absl::Status CloseStatus(uint16_t code, absl::string_view reason);

// False for the codes with which the server forbids to come back: 4500 to 4999.
bool MayReconnect(uint16_t code);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_STATUS_H_
