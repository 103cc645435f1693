#include "tools/groupcast/service_rates.h"

#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace groupcast::cli {
namespace {

std::optional<double> SumOf(const std::vector<ServiceRow>& services, const std::string& metric) {
  std::optional<double> sum;
  for (const ServiceRow& service : services) {
    const std::optional<double> part = service.Sum(metric);
    if (part.has_value()) sum = sum.value_or(0) + *part;
  }
  return sum;
}

// The records of a histogram at or below each bound, in seconds.
std::map<double, double> BucketsOf(const std::vector<ServiceRow>& services,
                                   const std::string& histogram) {
  std::map<double, double> buckets;
  for (const ServiceRow& service : services) {
    const auto samples = service.metrics.find(absl::StrCat(histogram, "_bucket"));
    if (samples == service.metrics.end()) continue;
    for (const MetricSample& sample : samples->second) {
      const auto bound = sample.labels.find("le");
      double seconds = 0;
      if (bound == sample.labels.end()) continue;
      if (bound->second == "+Inf") {
        seconds = HUGE_VAL;
      } else if (!absl::SimpleAtod(bound->second, &seconds)) {
        continue;
      }
      buckets[seconds] += sample.value;
    }
  }
  return buckets;
}

}  // namespace

void ServiceRates::Add(absl::Duration clock, std::vector<ServiceRow> services) {
  std::erase_if(services, [](const ServiceRow& service) { return service.metrics.empty(); });
  before_ = std::move(now_);
  now_ = {clock, std::move(services)};
}

std::optional<double> ServiceRates::PerSecond(const std::string& counter) const {
  const double seconds = absl::ToDoubleSeconds(now_.clock - before_.clock);
  const std::optional<double> before = SumOf(before_.services, counter);
  const std::optional<double> now = SumOf(now_.services, counter);
  if (!before.has_value() || !now.has_value() || seconds <= 0) return std::nullopt;
  // A service that began anew, came or went moves the sum by something else than events.
  if (*now < *before || before_.services.size() != now_.services.size()) return std::nullopt;
  return (*now - *before) / seconds;
}

std::optional<absl::Duration> ServiceRates::Quantile(const std::string& histogram,
                                                     double part) const {
  std::map<double, double> before = BucketsOf(before_.services, histogram);
  const std::map<double, double> now = BucketsOf(now_.services, histogram);
  if (before.empty() || now.empty()) return std::nullopt;
  const double records = now.rbegin()->second - before.rbegin()->second;
  if (records <= 0) return std::nullopt;
  for (const auto& [bound, count] : now) {
    if (count - before[bound] >= part * records) return absl::Seconds(bound);
  }
  return absl::InfiniteDuration();
}

std::optional<double> ServiceRates::Sum(const std::string& gauge) const {
  return SumOf(now_.services, gauge);
}

}  // namespace groupcast::cli
