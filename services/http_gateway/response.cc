#include "services/http_gateway/response.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// When a client should try again what may work later.
constexpr absl::string_view kRetryAfterSeconds = "1";

// What a page of the dashboard may do: use the files beside it, and call this service. Nothing of
// other sites, no script in the page, and no frame around it.
constexpr absl::string_view kPageRules =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n";

// The status line, and the fields that all responses have.
std::string Head(const ResponseFrame& frame, int status) {
  std::string head = absl::StrCat("HTTP/1.1 ", status, " ", ReasonPhrase(status),
                                  "\r\nServer: groupcast\r\nDate: ", frame.date, "\r\n");
  if (!frame.keep_alive) {
    head += "Connection: close\r\n";
  } else if (!frame.is_http_1_1) {
    head += "Connection: keep-alive\r\n";
  }
  if (!frame.origin.empty()) {
    absl::StrAppend(&head, "Access-Control-Allow-Origin: ", frame.origin, "\r\nVary: Origin\r\n");
  }
  return head;
}

SharedBytes WithBody(const ResponseFrame& frame, std::string head, absl::string_view type,
                     absl::string_view body) {
  absl::StrAppend(&head, "Content-Type: ", type, "\r\nContent-Length: ", body.size(),
                  "\r\nCache-Control: no-store\r\n\r\n");
  return SharedBytes::Join({head, frame.is_head ? absl::string_view() : body});
}

}  // namespace

std::string HttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

SharedBytes JsonResponse(const ResponseFrame& frame, absl::string_view json) {
  return WithBody(frame, Head(frame, 200), "application/json", json);
}

SharedBytes ProblemResponse(const ResponseFrame& frame, const Problem& problem) {
  std::string head = Head(frame, problem.status);
  if (!problem.allow.empty()) absl::StrAppend(&head, "Allow: ", problem.allow, "\r\n");
  // RFC 9110 section 11.6.1.
  if (problem.status == 401) head += "WWW-Authenticate: Bearer\r\n";
  if (problem.status == 429 || problem.status == 503) {
    absl::StrAppend(&head, "Retry-After: ", kRetryAfterSeconds, "\r\n");
  }
  return WithBody(frame, std::move(head), "application/problem+json", ProblemJson(problem));
}

SharedBytes FileResponse(const ResponseFrame& frame, const Pages::Page& file,
                         absl::string_view known) {
  const std::string tag = absl::StrCat("\"", file.tag, "\"");
  const bool is_known = known == tag;
  std::string head = Head(frame, is_known ? 304 : 200);
  // A new version of the service has new files: browsers ask each time, and keep what is the same.
  absl::StrAppend(&head, "ETag: ", tag, "\r\nCache-Control: no-cache\r\n", kPageRules);
  if (is_known) return SharedBytes::Join({head, "\r\n"});
  absl::StrAppend(&head, "Content-Type: ", file.content_type,
                  "\r\nContent-Length: ", file.body.size(), "\r\n\r\n");
  return SharedBytes::Join({head, frame.is_head ? absl::string_view() : file.body.bytes()});
}

SharedBytes RedirectResponse(const ResponseFrame& frame, absl::string_view to) {
  return SharedBytes::Join({Head(frame, 308), "Location: ", to, "\r\nContent-Length: 0\r\n\r\n"});
}

SharedBytes PreflightResponse(const ResponseFrame& frame, absl::string_view methods) {
  return SharedBytes::Join(
      {Head(frame, 204), "Allow: ", methods, "\r\nAccess-Control-Allow-Methods: ", methods,
       "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, "
       "Last-Event-ID\r\nAccess-Control-Max-Age: 600\r\n\r\n"});
}

SharedBytes StreamHead(const ResponseFrame& frame) {
  // A proxy that collects bytes would hold events back. nginx asks for the last field.
  return SharedBytes::Join({Head(frame, 200),
                            "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                            "X-Accel-Buffering: no\r\n\r\n"});
}

}  // namespace groupcast::service
