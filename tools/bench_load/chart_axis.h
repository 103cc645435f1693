#ifndef GROUPCAST_TOOLS_BENCH_LOAD_CHART_AXIS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_CHART_AXIS_H_

#include <string>
#include <vector>

namespace groupcast::bench {

// Maps values to a line of pixels, with ticks at round numbers.
class ChartAxis {
 public:
  struct Tick {
    double value;
    std::string label;
  };

  // From 0 to a round number that is not below `high`. Values below 0 are at 0.
  static ChartAxis Linear(double high, double from_pixel, double to_pixel);
  // From a round number that is not above `low` to one that is not below `high`. A value that is
  // not above 0 is at the beginning. Labels are at powers of ten, and between them where these are
  // few.
  static ChartAxis Logarithmic(double low, double high, double from_pixel, double to_pixel);

  // The same scale from `low` to `high`, both above 0, without ticks. If both are equal, that value
  // is in the middle.
  static ChartAxis Between(double low, double high, double from_pixel, double to_pixel);

  double At(double value) const;
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  ChartAxis(bool logarithmic, double low, double high, double from_pixel, double to_pixel)
      : logarithmic_(logarithmic),
        low_(low),
        high_(high),
        from_pixel_(from_pixel),
        to_pixel_(to_pixel) {}

  bool logarithmic_;
  double low_;
  double high_;
  double from_pixel_;
  double to_pixel_;
  std::vector<Tick> ticks_;
};

// For human readers: three significant digits, or all digits before the point, in groups of three:
// 0.00123, 4.56, 12,346.
std::string ReadableNumber(double value);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CHART_AXIS_H_
