#include "tools/bench_load/channel_growth.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/bench_load/statistics.h"
#include "tools/bench_load/svg_chart.h"
#include "tools/bench_load/text_table.h"

namespace groupcast::bench {
namespace {

using load::SaturationResult;

constexpr char kAbout[] = "1 group, messages of 200 bytes, 1 subscriber";

// Where "as much as their windows take" lies on the chart's axis: beyond all rates.
constexpr double kUnboundedAt = 2'000'000;

// What several runs say.
struct ChannelSummary {
  Spread accepted_per_second;
  Spread delivered_per_second;
  Spread server_cores;
  Spread full_percent;
  Spread p50_ms;
  Spread p99_ms;
  // Of all runs together.
  int64_t accepted = 0;
  int64_t refused = 0;
  int64_t lost = 0;
  int64_t gaps = 0;
  int64_t broken = 0;
  int64_t repairs = 0;
};

ChannelSummary SummaryOf(const ChannelPoint& point) {
  const auto spread_of = [&](const auto& number) {
    std::vector<double> values;
    for (const SaturationResult& run : point.runs) values.push_back(number(run));
    return SpreadOf(std::move(values));
  };
  ChannelSummary summary;
  summary.accepted_per_second =
      spread_of([](const SaturationResult& run) { return run.accepted_per_second; });
  summary.delivered_per_second =
      spread_of([](const SaturationResult& run) { return run.delivered_per_second; });
  summary.server_cores = spread_of([](const SaturationResult& run) { return run.server_cores; });
  summary.full_percent =
      spread_of([](const SaturationResult& run) { return 100 * run.window_full; });
  summary.p50_ms = spread_of(
      [](const SaturationResult& run) { return absl::ToDoubleMilliseconds(run.answered_p50); });
  summary.p99_ms = spread_of(
      [](const SaturationResult& run) { return absl::ToDoubleMilliseconds(run.answered_p99); });
  for (const SaturationResult& run : point.runs) {
    summary.accepted += run.accepted;
    summary.refused += run.refused;
    summary.lost += run.lost;
    summary.gaps += run.gaps;
    summary.broken += run.broken;
    summary.repairs += run.repairs;
  }
  return summary;
}

double AxisValue(const ChannelPoint& point) {
  return point.per_second > 0 ? point.per_second : kUnboundedAt;
}

std::string OfferText(double per_second) {
  return per_second > 0 ? absl::StrCat(static_cast<int64_t>(per_second)) : "no limit";
}

std::string LineName(int publishers) {
  return absl::StrCat(publishers, publishers == 1 ? " publisher" : " publishers");
}

boost::json::object ToJson(const Spread& spread) {
  return {{"median", spread.median}, {"low", spread.low}, {"high", spread.high}};
}

}  // namespace

std::vector<ChannelPoint> ChannelPoints() {
  std::vector<ChannelPoint> points;
  for (const int publishers : {1, 2, 4}) {
    for (const double per_second : {250e3, 500e3, 1e6, 0.}) {
      points.push_back({publishers, per_second, {}});
    }
  }
  return points;
}

std::string ChannelText(const std::vector<ChannelPoint>& points) {
  TextTable table = {{"publishers", "offered/s", "accepted/s", "delivered/s", "server cores",
                      "window full %", "answer p50 ms", "p99 ms", "lost", "refused", "gaps",
                      "broken", "repairs"}};
  for (const ChannelPoint& point : points) {
    const ChannelSummary summary = SummaryOf(point);
    table.push_back(
        {absl::StrCat(point.publishers), OfferText(point.per_second),
         Decimal(summary.accepted_per_second.median, 0), WithRange(summary.delivered_per_second, 0),
         Decimal(summary.server_cores.median, 2), Decimal(summary.full_percent.median, 0),
         Decimal(summary.p50_ms.median, 1), Decimal(summary.p99_ms.median, 1),
         absl::StrCat(summary.lost), absl::StrCat(summary.refused), absl::StrCat(summary.gaps),
         absl::StrCat(summary.broken), absl::StrCat(summary.repairs)});
  }
  return absl::StrCat(kChannelFamily, ": ", kAbout, "\n", LayOut(table));
}

boost::json::object ChannelJson(const std::vector<ChannelPoint>& points) {
  boost::json::array array;
  for (const ChannelPoint& point : points) {
    const ChannelSummary summary = SummaryOf(point);
    array.push_back(
        boost::json::object{{"publishers", point.publishers},
                            {"offered_per_second", point.per_second},  // 0: no limit
                            {"accepted_per_second", ToJson(summary.accepted_per_second)},
                            {"delivered_per_second", ToJson(summary.delivered_per_second)},
                            {"server_cores", ToJson(summary.server_cores)},
                            {"window_full_percent", ToJson(summary.full_percent)},
                            {"answered_p50_ms", ToJson(summary.p50_ms)},
                            {"answered_p99_ms", ToJson(summary.p99_ms)},
                            {"accepted", summary.accepted},
                            {"lost", summary.lost},
                            {"refused", summary.refused},
                            {"gaps", summary.gaps},
                            {"broken", summary.broken},
                            {"repairs", summary.repairs}});
  }
  return {{"family", kChannelFamily}, {"about", kAbout}, {"points", std::move(array)}};
}

Chart ChannelChart(const std::vector<ChannelPoint>& points) {
  LineChart::Panel carried = {.label = "delivered, thousands per second", .logarithmic = true};
  LineChart::Panel cores = {.label = "channel server, cores"};
  LineChart::Panel full = {.label = "publishers' windows full, % of the time"};
  LineChart::Line offered = {.name = "all that is offered", .dashed = true, .points = {}};
  LineChart chart = {.title = "What one channel server carries",
                     .subtitle = kAbout,
                     .x_label = "offered by all publishers, per second"};
  int publishers = 0;
  int64_t lost = 0;
  for (const ChannelPoint& point : points) {
    const double x = AxisValue(point);
    if (point.publishers != publishers) {
      publishers = point.publishers;
      for (LineChart::Panel* panel : {&carried, &cores, &full}) {
        panel->lines.push_back({.name = LineName(publishers)});
      }
    }
    if (carried.lines.size() == 1) {
      const std::string label = point.per_second >= 1e6 ? absl::StrCat(point.per_second / 1e6, "M")
                                                        : absl::StrCat(point.per_second / 1e3, "k");
      chart.x_ticks.push_back({x, point.per_second > 0 ? label : "no limit"});
      const double thousands = point.per_second / 1e3;
      if (thousands > 0) offered.points.push_back({x, {thousands, thousands, thousands}});
    }
    const ChannelSummary summary = SummaryOf(point);
    lost += summary.lost;
    const Spread& delivered = summary.delivered_per_second;
    carried.lines.back().points.push_back(
        {x, {delivered.median / 1e3, delivered.low / 1e3, delivered.high / 1e3}});
    cores.lines.back().points.push_back({x, summary.server_cores});
    full.lines.back().points.push_back({x, summary.full_percent});
  }
  if (lost > 0) absl::StrAppend(&chart.subtitle, "; lost ", lost);
  carried.lines.push_back(std::move(offered));
  chart.panels = {std::move(carried), std::move(cores), std::move(full)};
  return {absl::StrCat("growth_", kChannelFamily), DrawLines(chart)};
}

}  // namespace groupcast::bench
