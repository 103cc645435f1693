#ifndef GROUPCAST_TESTS_METRICS_PROMETHEUS_H_
#define GROUPCAST_TESTS_METRICS_PROMETHEUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "boost/json/value.hpp"
#include "tests/support/process.h"

namespace groupcast::tests {

// The ports of the services that Prometheus scrapes.
struct ScrapedPorts {
  uint16_t channel_server = 0;
  uint16_t websocket_service = 0;
  uint16_t http_gateway = 0;
};

// Debian's Prometheus on a free port, with the configuration and the rules of deploy/prometheus.
// Only the targets differ, and it scrapes once a second. Its data is in the test's own directory.
class Prometheus {
 public:
  explicit Prometheus(const ScrapedPorts& ports);

  // One sample of an answer.
  struct Sample {
    boost::json::object labels;
    double value = 0;  // may be NaN
  };

  // The result of a query now. Throws Failure if Prometheus refuses it.
  std::vector<Sample> Query(absl::string_view expression) const;
  // Waits until the query has one sample with this value.
  void Await(absl::string_view expression, double value) const;

  // The data of an answer of its HTTP API: /api/v1/PATH.
  boost::json::value Get(absl::string_view path) const;

 private:
  std::string directory_;
  uint16_t port_ = 0;
  Process process_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_METRICS_PROMETHEUS_H_
