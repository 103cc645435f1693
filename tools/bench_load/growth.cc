#include "tools/bench_load/growth.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/bench_load/svg_chart.h"
#include "tools/bench_load/text_table.h"

namespace groupcast::bench {
namespace {

using Pace = Scenario::Pace;

// So that what grows is alone: the same number of deliveries, whatever their sizes and ways.
constexpr double kDeliveriesPerSecond = 100'000;
constexpr double kMessagesPerSecond = 20'000;

// Over it the small numbers of a linear axis cannot be read.
constexpr double kWideRange = 10;

// Descriptors of the one client: a process has 20,000 on many machines.
constexpr uint32_t kConnectionsMax = 18'000;

GrowthFamily Members() {
  GrowthFamily family = {.name = "members",
                         .title = "Members per group",
                         .about = "1 sender, 1 group, 100,000 deliveries per second",
                         .x_label = "members of the group"};
  for (const uint32_t members : {10u, 100u, 1'000u, 10'000u, kConnectionsMax}) {
    Scenario scenario = {
        .pace = Pace::kRate, .connections = members, .per_second = kDeliveriesPerSecond / members};
    family.points.push_back({.x = static_cast<double>(members), .scenario = std::move(scenario)});
  }
  return family;
}

GrowthFamily MembersInFlight() {
  GrowthFamily family = {.name = "members_16",
                         .title = "Members per group, without pause",
                         .about = "1 sender, 1 group, 16 messages in flight",
                         .x_label = "members of the group"};
  for (const uint32_t members : {10u, 100u, 1'000u, 10'000u, kConnectionsMax}) {
    Scenario scenario = {.connections = members, .in_flight = 16, .floor = "raw_8"};
    family.points.push_back({.x = static_cast<double>(members), .scenario = std::move(scenario)});
  }
  return family;
}

GrowthFamily Groups() {
  constexpr uint32_t kMembers = 2;
  constexpr uint32_t kConnections = 10'000;
  GrowthFamily family = {
      .name = "groups",
      .title = "Groups",
      .about =
          "2 members in each, 20,000 messages per second to all in turn, at most 10,000 "
          "connections",
      .x_label = "groups"};
  for (const uint32_t groups : {1u, 100u, 1'000u, 10'000u, 100'000u, 1'000'000u}) {
    const uint32_t connections = std::min(kConnections, groups * kMembers);
    const uint32_t groups_per_connection = groups * kMembers / connections;
    family.points.push_back({.x = static_cast<double>(groups),
                             .scenario = {.pace = Pace::kRate,
                                          .connections = connections,
                                          .groups_per_connection = groups_per_connection,
                                          .groups = groups,
                                          .per_second = kMessagesPerSecond},
                             .max_groups_per_connection = 256});
  }
  return family;
}

GrowthFamily Payload() {
  GrowthFamily family = {.name = "payload",
                         .title = "Size of messages",
                         .about = "1 sender, 100 members, 2 messages in flight",
                         .x_label = "message, bytes"};
  // Two of the largest fit into a member's outbox, which holds 1 MiB.
  for (const size_t bytes : {32u, 128u, 1u << 10, 8u << 10, 64u << 10, 256u << 10}) {
    family.points.push_back(
        {.x = static_cast<double>(bytes),
         .label = bytes < 1'024 ? absl::StrCat(bytes) : absl::StrCat(bytes / 1'024, " Ki"),
         .scenario = {.connections = 100, .in_flight = 2, .message_bytes = bytes},
         .max_message_bytes = 256 << 10});
  }
  return family;
}

GrowthFamily Workers() {
  GrowthFamily family = {.name = "workers",
                         .title = "Workers",
                         .about = "1 sender, 1,000 members, 16 messages in flight",
                         .x_label = "workers of the WebSocket service"};
  for (const int workers : {1, 2, 3, 4}) {
    family.points.push_back({.x = static_cast<double>(workers),
                             .scenario = {.connections = 1'000, .in_flight = 16, .floor = "raw_8"},
                             .workers = workers});
  }
  return family;
}

// Short enough to stand side by side.
std::string ShortLabel(double x) {
  const auto whole = static_cast<int64_t>(x);
  if (whole >= 1'000'000 && whole % 1'000'000 == 0) return absl::StrCat(whole / 1'000'000, "M");
  if (whole >= 1'000 && whole % 1'000 == 0) return absl::StrCat(whole / 1'000, "k");
  return absl::StrCat(whole);
}

const GrowthPoint& PointOf(const GrowthResult& result, const Series& series) {
  return *std::find_if(
      result.family->points.begin(), result.family->points.end(),
      [&](const GrowthPoint& point) { return &point.scenario == series.scenario; });
}

bool IsFloor(const Series& series) { return series.contestant == series.scenario->floor; }

}  // namespace

Installation GrowthPoint::Apply(Installation installation) const {
  if (workers > 0) installation.workers = workers;
  if (max_message_bytes > 0) installation.max_message_bytes = max_message_bytes;
  if (max_groups_per_connection > 0) {
    installation.max_groups_per_connection = max_groups_per_connection;
  }
  return installation;
}

const std::vector<GrowthFamily>& GrowthFamilies() {
  static const auto& families = *[] {
    auto* all =
        new std::vector<GrowthFamily>{Members(), MembersInFlight(), Groups(), Payload(), Workers()};
    for (GrowthFamily& family : *all) {
      for (GrowthPoint& point : family.points) {
        if (point.label.empty()) point.label = ShortLabel(point.x);
        point.scenario.name = absl::StrCat(family.name, "=", point.label);
        point.scenario.about = family.about;
      }
    }
    return all;
  }();
  return families;
}

std::string GrowthText(const GrowthResult& result) {
  TextTable table = {{result.family->x_label, "server", "server µs/delivery", "× floor",
                      "deliveries/s", "p50 ms", "p99 ms", "MiB", "lost", "doubled", "out of order",
                      "stray"}};
  for (const Series& series : result.series) {
    const Summary summary = Summarize(series, FloorOf(series, result.series));
    const double mib = summary.pss_per_connection.median * series.scenario->connections / (1 << 20);
    table.push_back(
        {PointOf(result, series).label, series.contestant, WithRange(summary.server_us, 2),
         summary.floor_ratio.median == 0 ? "" : Decimal(summary.floor_ratio.median, 2),
         Decimal(summary.deliveries_per_second.median, 0), Decimal(summary.p50_ms.median, 3),
         Decimal(summary.p99_ms.median, 3), Decimal(mib, 0), absl::StrCat(summary.counts.lost),
         absl::StrCat(summary.counts.doubled), absl::StrCat(summary.counts.out_of_order),
         absl::StrCat(summary.counts.stray)});
  }
  return absl::StrCat(result.family->name, ": ", result.family->about, "\n", LayOut(table));
}

boost::json::object GrowthJson(const GrowthResult& result) {
  boost::json::array points;
  for (const Series& series : result.series) {
    boost::json::object point = SeriesJson(series, FloorOf(series, result.series));
    point["x"] = PointOf(result, series).x;
    points.push_back(std::move(point));
  }
  return {{"family", result.family->name},
          {"about", result.family->about},
          {"x_label", result.family->x_label},
          {"points", std::move(points)}};
}

Chart GrowthChart(const GrowthResult& result) {
  const GrowthFamily& family = *result.family;
  LineChart chart = {.title = family.title, .subtitle = family.about, .x_label = family.x_label};
  for (const GrowthPoint& point : family.points) chart.x_ticks.push_back({point.x, point.label});

  LineChart::Panel cost = {.label = "server CPU per delivery, µs"};
  LineChart::Panel latency = {.label = "from the send to each copy, ms", .logarithmic = true};
  const auto add = [](const std::string& name, bool dashed, LineChart::Point point,
                      LineChart::Panel* panel) {
    auto line = std::find_if(panel->lines.begin(), panel->lines.end(),
                             [&](const LineChart::Line& other) { return other.name == name; });
    if (line == panel->lines.end()) {
      line = panel->lines.insert(line, {.name = name, .dashed = dashed});
    }
    line->points.push_back(point);
  };
  double least = 0;
  double most = 0;
  std::map<std::string, int64_t> lost;  // by contestant, where there is something
  for (const Series& series : result.series) {
    if (series.runs.empty()) continue;
    const Summary summary = Summarize(series, {});
    const double x = PointOf(result, series).x;
    add(series.contestant, IsFloor(series), {x, summary.server_us}, &cost);
    if (summary.counts.lost > 0) lost[series.contestant] += summary.counts.lost;
    const double us = summary.server_us.median;
    if (us > 0) least = least == 0 ? us : std::min(least, us);
    most = std::max(most, us);
    if (IsFloor(series)) continue;
    add(absl::StrCat(series.contestant, " p50"), false, {x, summary.p50_ms}, &latency);
    add(absl::StrCat(series.contestant, " p99"), false, {x, summary.p99_ms}, &latency);
  }
  cost.logarithmic = most > kWideRange * least;
  for (const auto& [contestant, count] : lost) {
    absl::StrAppend(&chart.subtitle, "; ", contestant, " lost ", count);
  }
  chart.panels = {std::move(cost), std::move(latency)};
  return {absl::StrCat("growth_", family.name), DrawLines(chart)};
}

}  // namespace groupcast::bench
