#include "services/http_gateway/problem.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

struct StatusOfCode {
  ErrorCode code;
  int status;
};

constexpr StatusOfCode kStatuses[] = {
    {ErrorCode::kBadJson, 400},
    {ErrorCode::kUnknownCommand, 400},
    {ErrorCode::kGroupIdInvalid, 400},
    {ErrorCode::kMessageMissing, 400},
    {ErrorCode::kMessageTooLarge, 413},
    {ErrorCode::kTooManyGroups, 403},
    {ErrorCode::kTooManyMembers, 403},
    {ErrorCode::kTooManyConnections, 429},
    {ErrorCode::kRateLimited, 429},
    {ErrorCode::kUnauthorized, 401},
    {ErrorCode::kTokenExpired, 401},
    {ErrorCode::kForbidden, 403},
    {ErrorCode::kUnavailable, 503},
    // The channel has not answered in time.
    {ErrorCode::kOutcomeUnknown, 504},
    {ErrorCode::kInternal, 500},
};

}  // namespace

int StatusOfErrorWord(absl::string_view word) {
  for (const auto& [code, status] : kStatuses) {
    if (ErrorWord(code) == word) return status;
  }
  return 500;
}

Problem MakeProblem(int status, absl::string_view code, absl::string_view detail) {
  return {.status = status,
          .code = std::string(code),
          .detail = std::string(detail),
          .retry = status == 408 || status == 429 || status == 503};
}

Problem ProblemOf(ErrorCode code, absl::string_view detail) {
  Problem problem = MakeProblem(StatusOfErrorWord(ErrorWord(code)), ErrorWord(code), detail);
  problem.retry = MayWorkLater(code);
  return problem;
}

Problem ProblemOfClose(CloseCode code, absl::string_view reason) {
  switch (code) {
    case CloseCode::kNotAuthenticated:
      return ProblemOf(ErrorCode::kUnauthorized, reason);
    case CloseCode::kTokenExpired:
      return ProblemOf(ErrorCode::kTokenExpired, reason);
    case CloseCode::kOverLimit:
      return ProblemOf(ErrorCode::kTooManyConnections, reason);
    default:
      return ProblemOf(MayReconnect(code) ? ErrorCode::kUnavailable : ErrorCode::kForbidden,
                       reason);
  }
}

absl::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

std::string ProblemJson(const Problem& problem) {
  // The type about:blank, which is the default, says that the title is the status (section 4.2.1).
  std::string json = absl::StrCat("{\"status\":", problem.status, ",\"title\":\"",
                                  ReasonPhrase(problem.status), "\",\"detail\":");
  AppendJsonString(problem.detail, &json);
  absl::StrAppend(&json, ",\"code\":\"", problem.code,
                  "\",\"retry\":", problem.retry ? "true" : "false");
  if (!problem.group_id.empty()) {
    json += ",\"group_id\":";
    AppendJsonString(problem.group_id, &json);
  }
  return json + "}";
}

}  // namespace groupcast::service
