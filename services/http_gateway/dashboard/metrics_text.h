#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_METRICS_TEXT_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_METRICS_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// Returns Groupcast's metrics of a text in the exposition format of Prometheus (version 0.0.4) as a
// JSON object: the samples of each name, in their order. Other metrics, comments and time stamps
// are left out.
//
//   {"groupcast_connections":[{"labels":{"worker":"0"},"value":12}]}
//
// A value that JSON does not have (NaN, infinity) is null.
//
// kInvalidArgument: a line is no sample, or the text is not UTF-8. The message names the line.
absl::StatusOr<std::string> MetricsJson(absl::string_view text);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_DASHBOARD_METRICS_TEXT_H_
