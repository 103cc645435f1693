#ifndef GROUPCAST_SERVICES_METRICS_METRIC_H_
#define GROUPCAST_SERVICES_METRICS_METRIC_H_

#include <cstdint>
#include <string>

namespace groupcast::service {

// The metric that one number of a service belongs to. Numbers with the same name are samples of one
// family: with different labels, or the parts of one histogram.
struct Metric {
  enum class Type : uint8_t {
    kCounter,  // it only grows; the name ends in _total
    kGauge,    // it is as it is now
    kBucket,   // of a histogram: the observations up to `bound`, without those of lower buckets
    kSum,      // of a histogram: the sum of all observations
  };

  std::string name;  // with the prefix groupcast_; empty: the number is no metric
  std::string help;  // one sentence
  Type type = Type::kCounter;
  std::string label = {};  // empty: no label of its own
  std::string value = {};  // of the label
  double bound = 0;        // kBucket: the upper bound, in the unit of the metric
  double scale = 1;        // the value in the unit of the metric is the number times this
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_METRICS_METRIC_H_
