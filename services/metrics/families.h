#ifndef GROUPCAST_SERVICES_METRICS_FAMILIES_H_
#define GROUPCAST_SERVICES_METRICS_FAMILIES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "prometheus/metric_family.h"

namespace groupcast::service {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// The samples of one scrape, as families, and their text in the format of Prometheus:
//   Families families;
//   families.AddGauge("groupcast_groups", "Groups with members.", {{"worker", "1"}}, 12);
//   return families.Text();
//
// The first sample of a name decides the help and the type of its family. Families are in the order
// of their first samples. Not thread-safe.
class Families {
 public:
  void AddCounter(absl::string_view name, absl::string_view help, const MetricLabels& labels,
                  double value);
  void AddGauge(absl::string_view name, absl::string_view help, const MetricLabels& labels,
                double value);
  // `bounds` are the upper bounds of the buckets, in ascending order. `counts` has one number for
  // each bound, and one for the observations above all bounds. They are not cumulative.
  void AddHistogram(absl::string_view name, absl::string_view help, const MetricLabels& labels,
                    absl::Span<const double> bounds, absl::Span<const uint64_t> counts, double sum);

  // Version 0.0.4 of the text format.
  std::string Text() const;

 private:
  prometheus::ClientMetric& Add(absl::string_view name, absl::string_view help,
                                prometheus::MetricType type, const MetricLabels& labels);

  std::vector<prometheus::MetricFamily> families_;
  std::map<std::string, size_t, std::less<>> places_;  // in families_
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_METRICS_FAMILIES_H_
