#ifndef GROUPCAST_TOOLS_GROUPCAST_SERVICE_RATES_H_
#define GROUPCAST_TOOLS_GROUPCAST_SERVICE_RATES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tools/groupcast/gateway.h"

namespace groupcast::cli {

// What happened between the last two readings of the services' metrics.
class ServiceRates {
 public:
  // A reading, by a clock that only moves forward. Services that did not answer are left out.
  void Add(absl::Duration clock, std::vector<ServiceRow> services);

  // The increase of a counter per second, over all services. nullopt: there are no two readings of
  // the same services, or the counter is not known, or a service has begun anew.
  std::optional<double> PerSecond(const std::string& counter) const;

  // The duration that this part (0 to 1) of a histogram's new records do not exceed: the upper
  // bound of a bucket. nullopt: there is no new record. Infinite: above the last bound.
  std::optional<absl::Duration> Quantile(const std::string& histogram, double part) const;

  // The newest sum of a gauge. nullopt: it is not known.
  std::optional<double> Sum(const std::string& gauge) const;

 private:
  struct Reading {
    absl::Duration clock;
    std::vector<ServiceRow> services;
  };

  Reading before_;
  Reading now_;
};

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_SERVICE_RATES_H_
