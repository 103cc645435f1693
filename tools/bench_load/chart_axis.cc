#include "tools/bench_load/chart_axis.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_format.h"

namespace groupcast::bench {
namespace {

// Between two round numbers lie these parts of a power of ten.
constexpr double kSteps[] = {1, 2, 5, 10};

// How many lines across a chart help to read it.
constexpr double kLinearTicks = 5;
constexpr double kSparseDecades = 2.5;  // over more of them there are labels at powers of ten only

// What arithmetic leaves of a number that is meant to be round.
constexpr double kSlack = 1e-9;

// The least of 1, 2 and 5 times a power of ten that is not below `value`, which is above 0.
double RoundUp(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : kSteps) {
    if (step * power >= value * (1 - kSlack)) return step * power;
  }
  return 10 * power;
}

// The greatest that is not above it.
double RoundDown(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {5., 2.}) {
    if (step * power <= value * (1 + kSlack)) return step * power;
  }
  return power;
}

}  // namespace

std::string ReadableNumber(double value) {
  const double size = std::abs(value);
  const int decimals =
      size == 0 ? 0 : std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 9);
  std::string text = absl::StrFormat("%.*f", decimals, value);
  const size_t point = text.find('.');
  if (point != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  const size_t digits_begin = value < 0 ? 1 : 0;
  for (size_t i = std::min(point, text.size()); i > digits_begin + 3;) {
    i -= 3;
    text.insert(i, 1, ',');
  }
  return text;
}

ChartAxis ChartAxis::Linear(double high, double from_pixel, double to_pixel) {
  if (!(high > 0)) high = 1;
  const double step = RoundUp(high / kLinearTicks);
  const double count = std::ceil(high / step * (1 - kSlack));
  ChartAxis axis(false, 0, count * step, from_pixel, to_pixel);
  for (double i = 0; i <= count; ++i) axis.ticks_.push_back({i * step, ReadableNumber(i * step)});
  return axis;
}

ChartAxis ChartAxis::Logarithmic(double low, double high, double from_pixel, double to_pixel) {
  if (!(low > 0)) low = 1;
  low = RoundDown(low);
  high = RoundUp(std::max(high, 2 * low));
  ChartAxis axis(true, low, high, from_pixel, to_pixel);
  const bool sparse = std::log10(high / low) > kSparseDecades;
  double power = std::pow(10, std::floor(std::log10(low * (1 + kSlack))));
  for (; power <= high * (1 + kSlack); power *= 10) {
    for (const double step : {1., 2., 5.}) {
      const double value = step * power;
      const bool within = value >= low * (1 - kSlack) && value <= high * (1 + kSlack);
      if (within && (step == 1 || !sparse)) axis.ticks_.push_back({value, ReadableNumber(value)});
    }
  }
  return axis;
}

ChartAxis ChartAxis::Between(double low, double high, double from_pixel, double to_pixel) {
  if (low >= high) return ChartAxis(true, low / 2, low * 2, from_pixel, to_pixel);
  return ChartAxis(true, low, high, from_pixel, to_pixel);
}

double ChartAxis::At(double value) const {
  value = std::max(value, low_);
  const double part = logarithmic_ ? std::log(value / low_) / std::log(high_ / low_)
                                   : (value - low_) / (high_ - low_);
  return from_pixel_ + part * (to_pixel_ - from_pixel_);
}

}  // namespace groupcast::bench
