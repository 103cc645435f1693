#ifndef GROUPCAST_TESTS_METRICS_SCRAPE_H_
#define GROUPCAST_TESTS_METRICS_SCRAPE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::tests {

// The answer of a service's /metrics.
struct Scrape {
  std::string text;
  std::map<std::string, double> samples;     // by name with labels: x_total{code="a"}
  std::map<std::string, std::string> types;  // of families, by name

  // The sum of all samples of the name, whatever their other labels. `series` is the name, and
  // labels after it: x_total code="1000" worker="1". Throws Failure if there is none.
  double Sum(absl::string_view series) const;
};

// Asks the admin port. Throws Failure if the answer is not a page of metrics.
Scrape ScrapeMetrics(uint16_t admin_port);

// Waits until the port says so. Workers report four times a second.
void AwaitMetric(uint16_t admin_port, absl::string_view series, double value);

// The status of the answer to a GET of the path.
int AdminStatus(uint16_t admin_port, absl::string_view path);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_METRICS_SCRAPE_H_
