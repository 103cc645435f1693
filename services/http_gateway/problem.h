#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_PROBLEM_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_PROBLEM_H_

#include <string>

#include "absl/strings/string_view.h"
#include "services/protocol/close_code.h"
#include "services/protocol/error.h"

namespace groupcast::service {

// Why a request has no other answer.
struct Problem {
  int status = 0;      // of HTTP
  std::string code;    // a word for programs: of the protocol's errors, or of this API's own
  std::string detail;  // a sentence for people
  bool retry = false;  // whether the same request may work later
  std::string allow;   // the field Allow, with status 405; empty: none
  // The group that a stream has lost. Empty: none.
  std::string group_id;
  bool is_counted = false;  // GroupService has counted it, as the error of a command
};

// The codes that this API has beside the protocol's.
inline constexpr absl::string_view kBadRequest = "bad_request";
inline constexpr absl::string_view kNotFound = "not_found";
inline constexpr absl::string_view kMethodNotAllowed = "method_not_allowed";
inline constexpr absl::string_view kUnsupportedMediaType = "unsupported_media_type";
inline constexpr absl::string_view kRequestTimeout = "request_timeout";
inline constexpr absl::string_view kOwnCodes[] = {kBadRequest, kNotFound, kMethodNotAllowed,
                                                  kUnsupportedMediaType, kRequestTimeout};

Problem MakeProblem(int status, absl::string_view code, absl::string_view detail);
Problem ProblemOf(ErrorCode code, absl::string_view detail);

// Why a request has no answer whose connection is to end with this code: a stream that has not
// begun, for example.
Problem ProblemOfClose(CloseCode code, absl::string_view reason);

// The status of HTTP for an error word of the protocol.
int StatusOfErrorWord(absl::string_view word);

// The name of a status (RFC 9110 section 15).
absl::string_view ReasonPhrase(int status);

// The problem as application/problem+json (RFC 9457).
std::string ProblemJson(const Problem& problem);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_PROBLEM_H_
