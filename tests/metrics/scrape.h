#ifndef GROUPCAST_TESTS_METRICS_SCRAPE_H_
#define GROUPCAST_TESTS_METRICS_SCRAPE_H_

#include <cstdint>
#include <map>
#include <string>

namespace groupcast::tests {

// The answer of a service's /metrics.
struct Scrape {
  std::string text;
  std::map<std::string, double> samples;     // by name with labels: x_total{code="a"}
  std::map<std::string, std::string> types;  // of families, by name

  // The sum of all samples of the name, whatever their labels. Throws Failure if there is none.
  double Sum(const std::string& name) const;
};

// Asks the admin port. Throws Failure if the answer is not a page of metrics.
Scrape ScrapeMetrics(uint16_t admin_port);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_METRICS_SCRAPE_H_
