#ifndef GROUPCAST_SERVICES_HTTP_REQUEST_TARGET_H_
#define GROUPCAST_SERVICES_HTTP_REQUEST_TARGET_H_

#include "absl/strings/string_view.h"

namespace groupcast::service {

// The parts of a request's target. They are views into it, with their percent-encoding.
struct RequestTarget {
  absl::string_view host;   // with its port; empty: the target names none
  absl::string_view path;   // without the query
  absl::string_view query;  // behind the first "?"; empty: there is none
};

// Reads the origin form, "/path?query", and the absolute form, "http://host/path?query". A server
// must take both (RFC 9112 section 3.2.2). The host of the absolute form counts, and the field Host
// does not.
RequestTarget ReadRequestTarget(absl::string_view target);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_REQUEST_TARGET_H_
