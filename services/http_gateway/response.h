#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_RESPONSE_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_RESPONSE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/shared_bytes.h"
#include "services/http/pages.h"
#include "services/http_gateway/problem.h"

namespace groupcast::service {

// The parts of a response that do not depend on its content.
struct ResponseFrame {
  absl::string_view date;   // HttpDate
  std::string origin;       // the page that may read it (CORS); empty: no page asked
  bool keep_alive = true;   // the connection goes on
  bool is_http_1_1 = true;  // of the request
  bool is_head = false;     // the request has the method HEAD: there is no body
};

// A date of HTTP (RFC 9110 section 5.6.7).
std::string HttpDate(absl::Time time);

SharedBytes JsonResponse(const ResponseFrame& frame, absl::string_view json);
// Also the fields that its status asks for.
SharedBytes ProblemResponse(const ResponseFrame& frame, const Problem& problem);
// A file of the dashboard, for a page that runs nothing but the files beside it. `known`: the field
// If-None-Match of the request; a browser that has this file already gets its tag alone.
SharedBytes FileResponse(const ResponseFrame& frame, const Pages::Page& file,
                         absl::string_view known);
// Sends a browser to another path of this service, which is relative to that of the request.
SharedBytes RedirectResponse(const ResponseFrame& frame, absl::string_view to);
// To a page that asks whether it may send a request (OPTIONS).
SharedBytes PreflightResponse(const ResponseFrame& frame, absl::string_view methods);
// The head of a stream of events, which ends with the connection.
SharedBytes StreamHead(const ResponseFrame& frame);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_RESPONSE_H_
