#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_REFUSAL_LOG_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_REFUSAL_LOG_H_

#include <array>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/logging.h"
#include "services/websocket_service/http/http.h"

namespace groupcast::service {

// Tells the operator of refusals that a setting may explain: of a client, of a proxy, or of this
// service. It is one line a minute for each kind of refusal, whatever clients do.
class RefusalLog {
 public:
  // Returns the line that is due for this refusal, if any. `refused` is HttpAnswer::refused.
  // Clients that speak nothing known get no line: a port that the internet reaches sees them all
  // the time. Nor do requests over limits that SIGUSR1's table counts, and that are of no address.
  std::optional<std::string> Note(Refusal refusal, absl::string_view refused,
                                  absl::string_view peer, absl::Time now);

 private:
  static constexpr absl::Duration kPeriod = absl::Minutes(1);

  std::array<LogLimit, 9> limits_ = {LogLimit(kPeriod), LogLimit(kPeriod), LogLimit(kPeriod),
                                     LogLimit(kPeriod), LogLimit(kPeriod), LogLimit(kPeriod),
                                     LogLimit(kPeriod), LogLimit(kPeriod), LogLimit(kPeriod)};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_REFUSAL_LOG_H_
