#include "services/metrics/families.h"

#include "prometheus/text_serializer.h"

namespace groupcast::service {

using prometheus::ClientMetric;
using prometheus::MetricType;

ClientMetric& Families::Add(absl::string_view name, absl::string_view help, MetricType type,
                            const MetricLabels& labels) {
  const auto [place, is_new] = places_.try_emplace(std::string(name), families_.size());
  if (is_new) {
    families_.push_back(
        {.name = std::string(name), .help = std::string(help), .type = type, .metric = {}});
  }
  ClientMetric& metric = families_[place->second].metric.emplace_back();
  for (const auto& [label, value] : labels) metric.label.push_back({label, value});
  return metric;
}

void Families::AddCounter(absl::string_view name, absl::string_view help,
                          const MetricLabels& labels, double value) {
  Add(name, help, MetricType::Counter, labels).counter.value = value;
}

void Families::AddGauge(absl::string_view name, absl::string_view help, const MetricLabels& labels,
                        double value) {
  Add(name, help, MetricType::Gauge, labels).gauge.value = value;
}

void Families::AddHistogram(absl::string_view name, absl::string_view help,
                            const MetricLabels& labels, absl::Span<const double> bounds,
                            absl::Span<const uint64_t> counts, double sum) {
  ClientMetric::Histogram& histogram = Add(name, help, MetricType::Histogram, labels).histogram;
  uint64_t count = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    count += counts[i];
    if (i < bounds.size()) histogram.bucket.push_back({count, bounds[i]});
  }
  histogram.sample_count = count;
  histogram.sample_sum = sum;
}

std::string Families::Text() const { return prometheus::TextSerializer().Serialize(families_); }

}  // namespace groupcast::service
