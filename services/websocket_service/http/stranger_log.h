#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_STRANGER_LOG_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_STRANGER_LOG_H_

#include <array>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/logging.h"
#include "services/websocket_service/http/http.h"

namespace groupcast::service {

// Tells the operator of clients and proxies that were set up for another protocol. It is one line a
// minute for each protocol, whatever clients do.
class StrangerLog {
 public:
  // Returns the line that is due for this client, if any. Clients that speak nothing known get no
  // line: a port that the internet reaches sees them all the time.
  std::optional<std::string> Note(Stranger stranger, absl::string_view peer, absl::Time now);

 private:
  static constexpr absl::Duration kPeriod = absl::Minutes(1);

  std::array<LogLimit, 3> limits_ = {LogLimit(kPeriod), LogLimit(kPeriod), LogLimit(kPeriod)};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_STRANGER_LOG_H_
