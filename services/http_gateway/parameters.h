#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_PARAMETERS_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_PARAMETERS_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "services/http_gateway/problem.h"
#include "services/http_gateway/route.h"

namespace groupcast::service {

// Reads a parameter that is a number from 1. A number above `most` counts as `most`. Without the
// parameter, `count` stays as it is. False: it is no such number, and `problem` says so.
bool ReadCountParameter(const Route& route, absl::string_view name, uint32_t most, uint32_t* count,
                        Problem* problem);

// The id of a connection, as events have it. nullopt: the text is none.
std::optional<uint64_t> ReadConnectionId(absl::string_view text);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_PARAMETERS_H_
