#ifndef SDK_CPP_GROUPCAST_STATUS_H_
#define SDK_CPP_GROUPCAST_STATUS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace groupcast {

// An error as the server reports it.
struct ServerError {
  std::string word;
  std::string message;
  // Whether the same command may work later.
  bool retry = false;
};

// The application's view of `error`. For the result, ErrorWord() is `error.word` and IsTransient()
// is `error.retry`.
absl::Status ToStatus(const ServerError& error);

// The result of a send that was written, may have been delivered, and is not written again. It is
// not transient: a new send has a new key, so the message could be delivered twice.
absl::Status OutcomeUnknown();

// The errors of this client itself. Their words are listed at ErrorWord().
absl::Status QueueFull(absl::string_view message);
absl::Status GroupLeft();
absl::Status ClientClosed();
absl::Status TooManyMembers();
absl::Status NoToken(absl::string_view why);

// The result of a request that lost its connection before the answer.
absl::Status AnswerLost();

// Whether `error`, which allows another try, says that the command was not done at all.
bool SaysNotDone(const ServerError& error);

// The reason of the end of a connection that the server closed with `code`. If the client may not
// come back, ErrorWord() is "refused".
absl::Status CloseStatus(uint16_t code, absl::string_view reason);

// The reason of a handshake that the `peer`, "server" or "proxy", refused with this status of HTTP.
// `text` is its explanation, and may be empty. Unless MayRetryHttp(), ErrorWord() is "refused".
absl::Status HttpRefusal(absl::string_view peer, int http_status, absl::string_view text);

// False for the statuses of HTTP that do not change when the same is asked again: 400, 401, 403 and
// 407.
bool MayRetryHttp(int http_status);

// False for the codes 4500 to 4999, with which the server forbids a client to come back.
bool MayReconnect(uint16_t code);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_STATUS_H_
