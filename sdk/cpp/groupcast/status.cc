#include "groupcast/status.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "groupcast/types.h"

namespace groupcast {
namespace {

constexpr absl::string_view kWordPayload = "groupcast/error_word";
constexpr absl::string_view kTransientPayload = "groupcast/transient";

constexpr struct {
  absl::string_view word;
  absl::StatusCode code;
} kWords[] = {
    {"bad_json", absl::StatusCode::kInvalidArgument},
    {"unknown_command", absl::StatusCode::kUnimplemented},
    {"group_id_invalid", absl::StatusCode::kInvalidArgument},
    {"message_missing", absl::StatusCode::kInvalidArgument},
    {"message_too_large", absl::StatusCode::kInvalidArgument},
    {"too_many_groups", absl::StatusCode::kResourceExhausted},
    {"too_many_members", absl::StatusCode::kResourceExhausted},
    {"too_many_connections", absl::StatusCode::kResourceExhausted},
    {"rate_limited", absl::StatusCode::kResourceExhausted},
    {"unauthorized", absl::StatusCode::kUnauthenticated},
    {"token_expired", absl::StatusCode::kUnauthenticated},
    {"forbidden", absl::StatusCode::kPermissionDenied},
    {"unavailable", absl::StatusCode::kUnavailable},
    {"outcome_unknown", absl::StatusCode::kUnknown},
    {"internal", absl::StatusCode::kInternal},
};

absl::Status WithWord(absl::Status status, absl::string_view word) {
  status.SetPayload(kWordPayload, absl::Cord(word));
  return status;
}

absl::StatusCode CodeOf(const ServerError& error) {
  for (const auto& known : kWords) {
    if (known.word == error.word) return known.code;
  }
  // A newer server's word: `retry` still says what to do about it.
  return error.retry ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition;
}

absl::StatusCode CodeOf(uint16_t close_code) {
  switch (close_code) {
    case 1002:
    case 1003:
    case 1007:
    case 1009:
      return absl::StatusCode::kInternal;
    case 4500:
    case 4501:
      return absl::StatusCode::kUnauthenticated;
    case 4502:
      return absl::StatusCode::kPermissionDenied;
    case 4503:
      return absl::StatusCode::kResourceExhausted;
    default:
      return MayReconnect(close_code) ? absl::StatusCode::kUnavailable
                                      : absl::StatusCode::kFailedPrecondition;
  }
}

absl::StatusCode CodeOfHttp(int http_status) {
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
    case 407:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

absl::Status ToStatus(const ServerError& error) {
  absl::Status status =
      WithWord({CodeOf(error), absl::StrCat(error.word, ": ", error.message)}, error.word);
  if (error.retry) status.SetPayload(kTransientPayload, absl::Cord());
  return status;
}

std::string ErrorWord(const absl::Status& status) {
  return std::string(status.GetPayload(kWordPayload).value_or(absl::Cord()));
}

bool IsTransient(const absl::Status& status) {
  return status.GetPayload(kTransientPayload).has_value();
}

absl::Status OutcomeUnknown() {
  return ToStatus({"outcome_unknown", "it was sent, but never acknowledged", false});
}

absl::Status QueueFull(absl::string_view message) {
  absl::Status status = WithWord(absl::ResourceExhaustedError(message), "queue_full");
  status.SetPayload(kTransientPayload, absl::Cord());
  return status;
}

absl::Status GroupLeft() { return WithWord(absl::CancelledError("the group was left"), "left"); }

absl::Status ClientClosed() {
  return WithWord(absl::CancelledError("the client was closed"), "closed");
}

absl::Status TooManyMembers() {
  return ToStatus({"too_many_members", "the group has more members than a view may have", false});
}

absl::Status NoToken(absl::string_view why) {
  absl::Status status =
      WithWord(absl::UnauthenticatedError(absl::StrCat("there is no token: ", why)), "no_token");
  status.SetPayload(kTransientPayload, absl::Cord());
  return status;
}

absl::Status AnswerLost() {
  return ToStatus({"unavailable", "the connection broke before the answer", true});
}

bool SaysNotDone(const ServerError& error) {
  // Anything else that may be tried again, as a defect of the server, leaves a doubt.
  return error.word == "unavailable" || error.word == "rate_limited";
}

absl::Status CloseStatus(uint16_t code, absl::string_view reason) {
  absl::Status status(CodeOf(code), absl::StrCat("the server closed the connection with ", code,
                                                 reason.empty() ? "" : ": ", reason));
  return MayReconnect(code) ? status : WithWord(std::move(status), "refused");
}

absl::Status HttpRefusal(absl::string_view peer, int http_status, absl::string_view text) {
  absl::Status status(CodeOfHttp(http_status),
                      absl::StrCat("the ", peer, " refused the connection with HTTP ", http_status,
                                   text.empty() ? "" : ": ", text));
  return MayRetryHttp(http_status) ? status : WithWord(std::move(status), "refused");
}

bool MayRetryHttp(int http_status) {
  return CodeOfHttp(http_status) == absl::StatusCode::kUnavailable;
}

bool MayReconnect(uint16_t code) { return code < 4500 || code > 4999; }

}  // namespace groupcast
