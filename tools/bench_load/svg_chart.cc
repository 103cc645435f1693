#include "tools/bench_load/svg_chart.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "tools/bench_load/chart_axis.h"
#include "tools/bench_load/svg_writer.h"

namespace groupcast::bench {
namespace {

using Anchor = TextStyle::Anchor;

// What can be told apart with every kind of sight, and on white.
constexpr std::string_view kInk = "#1c2733";
constexpr std::string_view kFaintInk = "#5b6875";
constexpr std::string_view kGrid = "#e3e8ed";
constexpr std::string_view kBase = "#9aa6b2";
constexpr std::string_view kOurs = "#1565c0";
constexpr std::string_view kOthers = "#a9b7c6";
constexpr std::string_view kFloorColor = "#c2570c";
constexpr std::string_view kWarning = "#b3261e";
constexpr std::array<std::string_view, 4> kLineColors = {"#1565c0", "#00897b", "#8e44ad",
                                                         "#d81b60"};

constexpr double kWidth = 960;
constexpr double kMargin = 24;
constexpr double kTitleBaseline = 38;
constexpr double kSubtitleBaseline = 60;
constexpr double kTextSize = 12;
constexpr double kSmallTextSize = 11;

// How wide a text is at most in the fonts that it may be shown in: nobody can ask them here.
double TextWidth(std::string_view text, double size) {
  const auto characters =
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  return static_cast<double>(characters) * size * 0.63;
}

void DrawHeading(const std::string& title, const std::string& subtitle, SvgWriter* svg) {
  svg->Text({kMargin, kTitleBaseline}, {.size = 19, .color = kInk, .bold = true}, title);
  svg->Text({kMargin, kSubtitleBaseline}, {.size = 13, .color = kFaintInk}, subtitle);
}

// Extremes of numbers, as far as they are above 0.
struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;

  void Add(double value) {
    if (value > 0) low = std::min(low, value);
    high = std::max(high, value);
  }
  void Add(const Spread& spread) {
    Add(spread.low);
    Add(spread.median);
    Add(spread.high);
  }
  // Where a logarithmic axis is to begin.
  double positive_low() const { return std::min(low, high); }
};

constexpr double kRowHeight = 32;
constexpr double kRowsTop = 112;
constexpr double kBarHeight = 16;

// Where the parts of a row chart lie.
struct RowLayout {
  double bars_begin, bars_end, dots_begin, dots_end, bottom;

  double Middle(size_t row) const {
    return kRowsTop + kRowHeight * (static_cast<double>(row) + 0.5);
  }
};

RowLayout LayOut(const RowChart& chart) {
  double names = 0;
  for (const RowChart::Row& row : chart.rows) {
    names = std::max({names, TextWidth(row.name, 13), TextWidth(row.remark, kSmallTextSize)});
  }
  RowLayout layout;
  layout.bars_begin = kMargin + std::clamp(names, 80., 260.) + 14;
  // Numbers stand behind the bars, and beside the dots.
  const double each = (kWidth - kMargin - layout.bars_begin - 24) / 2;
  layout.bars_end = layout.bars_begin + each;
  layout.dots_begin = layout.bars_end + 24;
  layout.dots_end = layout.dots_begin + each;
  layout.bottom = kRowsTop + kRowHeight * static_cast<double>(chart.rows.size());
  return layout;
}

// Lines upwards from the bottom, and their numbers below it.
void DrawTicks(const ChartAxis& axis, double bottom, SvgWriter* svg) {
  for (const ChartAxis::Tick& tick : axis.ticks()) {
    const double x = axis.At(tick.value);
    svg->Line({x, kRowsTop}, {x, bottom}, {.color = kGrid});
    svg->Text({x, bottom + 18},
              {.size = kSmallTextSize, .color = kFaintInk, .anchor = Anchor::kMiddle}, tick.label);
  }
}

void DrawBars(const RowChart& chart, const RowLayout& layout, SvgWriter* svg) {
  Extent extent;
  for (const RowChart::Row& row : chart.rows) extent.Add(row.bar);
  if (chart.floor.has_value()) extent.Add(chart.floor->value);
  const ChartAxis axis = ChartAxis::Linear(extent.high, layout.bars_begin, layout.bars_end - 44);
  svg->Text({layout.bars_begin, kRowsTop - 26}, {.size = kTextSize, .color = kInk, .bold = true},
            chart.bar_label);
  DrawTicks(axis, layout.bottom, svg);
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const RowChart::Row& row = chart.rows[i];
    if (row.bar.high <= 0) continue;  // nothing was measured
    const double y = layout.Middle(i);
    svg->Rectangle({layout.bars_begin, y - kBarHeight / 2},
                   axis.At(row.bar.median) - layout.bars_begin, kBarHeight,
                   row.ours ? kOurs : kOthers);
    const double low = axis.At(row.bar.low);
    const double high = axis.At(row.bar.high);
    const Stroke whisker = {.color = kInk, .width = 1.2};
    svg->Line({low, y}, {high, y}, whisker);
    for (const double end : {low, high}) svg->Line({end, y - 4}, {end, y + 4}, whisker);
  }
  svg->Line({layout.bars_begin, kRowsTop}, {layout.bars_begin, layout.bottom}, {.color = kBase});
  if (chart.floor.has_value()) {
    const double x = axis.At(chart.floor->value);
    svg->Line({x, kRowsTop - 6}, {x, layout.bottom},
              {.color = kFloorColor, .width = 1.5, .dashed = true});
    svg->Text({x + 4, kRowsTop - 4}, {.size = kSmallTextSize, .color = kFloorColor},
              absl::StrCat(chart.floor->name, " ", ReadableNumber(chart.floor->value)));
  }
  // Above all lines.
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const Spread& bar = chart.rows[i].bar;
    if (bar.high <= 0) continue;
    const double x = axis.At(std::max(bar.high, bar.median)) + 7;
    const std::string text = ReadableNumber(bar.median);
    const double y = layout.Middle(i);
    svg->Rectangle({x - 2, y - 7}, TextWidth(text, kTextSize) + 2, 14, "#ffffff");
    svg->Text({x, y + 4}, {.size = kTextSize, .color = kInk, .bold = chart.rows[i].ours}, text);
  }
}

void DrawDots(const RowChart& chart, const RowLayout& layout, SvgWriter* svg) {
  Extent extent;
  for (const RowChart::Row& row : chart.rows) {
    extent.Add(row.first_dot);
    extent.Add(row.second_dot);
  }
  const ChartAxis axis = ChartAxis::Logarithmic(extent.positive_low(), extent.high,
                                                layout.dots_begin + 44, layout.dots_end - 44);
  svg->Text({layout.dots_begin, kRowsTop - 26}, {.size = kTextSize, .color = kInk, .bold = true},
            chart.dot_label);
  DrawTicks(axis, layout.bottom, svg);
  const auto draw_dot = [svg](Pixel at, bool second, std::string_view color) {
    svg->Circle(at, 4.5, second ? "#ffffff" : color, {.color = color, .width = 2});
  };
  const double legend_y = kRowsTop - 8;
  double legend_x = layout.dots_begin + 6;
  for (const bool second : {false, true}) {
    const std::string& name = second ? chart.second_dot_name : chart.first_dot_name;
    draw_dot({legend_x, legend_y}, second, kFaintInk);
    svg->Text({legend_x + 10, legend_y + 4}, {.size = kSmallTextSize, .color = kFaintInk}, name);
    legend_x += 30 + TextWidth(name, kSmallTextSize);
  }
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const RowChart::Row& row = chart.rows[i];
    if (row.second_dot <= 0) continue;  // nothing was measured
    const std::string_view color = row.ours ? kOurs : kBase;
    const double y = layout.Middle(i);
    const double first = axis.At(row.first_dot);
    const double second = axis.At(row.second_dot);
    svg->Line({first, y}, {second, y}, {.color = color, .width = 2});
    draw_dot({first, y}, false, color);
    draw_dot({second, y}, true, color);
    const TextStyle number = {.size = kSmallTextSize, .color = kInk, .bold = row.ours};
    TextStyle left = number;
    left.anchor = Anchor::kEnd;
    svg->Text({first - 9, y + 4}, left, ReadableNumber(row.first_dot));
    svg->Text({second + 9, y + 4}, number, ReadableNumber(row.second_dot));
  }
}

constexpr double kPanelLabelBaseline = 92;
constexpr double kLegendTop = 112;  // the middle of its first line
constexpr double kLegendLine = 17;
constexpr double kPanelHeight = 250;
constexpr double kPanelGap = 26;

// Where the parts of one panel lie.
struct PanelLayout {
  double begin, end, top, bottom;
};

std::string_view ColorOf(const LineChart::Panel& panel, size_t line) {
  if (panel.lines[line].dashed) return kFloorColor;
  const auto before =
      std::count_if(panel.lines.begin(), panel.lines.begin() + static_cast<std::ptrdiff_t>(line),
                    [](const LineChart::Line& other) { return !other.dashed; });
  return kLineColors[static_cast<size_t>(before) % kLineColors.size()];
}

// Where the name of each line stands, in as many lines of text as they need.
std::vector<Pixel> LayOutLegend(const LineChart::Panel& panel, double width) {
  std::vector<Pixel> places;
  Pixel next = {0, kLegendTop};
  for (const LineChart::Line& line : panel.lines) {
    const double needed = 25 + TextWidth(line.name, kSmallTextSize);
    if (next.x > 0 && next.x + needed > width) next = {0, next.y + kLegendLine};
    places.push_back(next);
    next.x += needed + 12;
  }
  return places;
}

void DrawLegend(const LineChart::Panel& panel, const PanelLayout& layout, SvgWriter* svg) {
  const std::vector<Pixel> places = LayOutLegend(panel, layout.end - layout.begin);
  for (size_t i = 0; i < panel.lines.size(); ++i) {
    const double x = layout.begin + places[i].x;
    const double y = places[i].y;
    svg->Line({x, y}, {x + 20, y},
              {.color = ColorOf(panel, i), .width = 2, .dashed = panel.lines[i].dashed});
    svg->Text({x + 25, y + 4}, {.size = kSmallTextSize, .color = kFaintInk}, panel.lines[i].name);
  }
}

void DrawLine(const LineChart::Line& line, std::string_view color, const ChartAxis& x_axis,
              const ChartAxis& y_axis, SvgWriter* svg) {
  std::vector<Pixel> medians;
  std::vector<Pixel> band;
  for (const LineChart::Point& point : line.points) {
    medians.push_back({x_axis.At(point.x), y_axis.At(point.y.median)});
    band.push_back({x_axis.At(point.x), y_axis.At(point.y.high)});
  }
  for (auto point = line.points.rbegin(); point != line.points.rend(); ++point) {
    band.push_back({x_axis.At(point->x), y_axis.At(point->y.low)});
  }
  svg->Polygon(band, color, 0.13);
  svg->Polyline(medians, {.color = color, .width = 2, .dashed = line.dashed});
  for (const Pixel& median : medians) svg->Circle(median, 3, color, {.color = "#ffffff"});
}

void DrawPanel(const LineChart& chart, const LineChart::Panel& panel, const PanelLayout& layout,
               SvgWriter* svg) {
  const auto [begin, end, top, bottom] = layout;
  Extent y_extent;
  double widest = 0;
  for (const LineChart::Line& line : panel.lines) {
    for (const LineChart::Point& point : line.points) y_extent.Add(point.y);
  }
  const ChartAxis y_axis = panel.logarithmic ? ChartAxis::Logarithmic(y_extent.positive_low(),
                                                                      y_extent.high, bottom, top)
                                             : ChartAxis::Linear(y_extent.high, bottom, top);
  for (const ChartAxis::Tick& tick : y_axis.ticks()) {
    widest = std::max(widest, TextWidth(tick.label, kSmallTextSize));
  }
  const double left = begin + widest + 8;
  const ChartAxis x_axis =
      ChartAxis::Between(chart.x_ticks.front().x, chart.x_ticks.back().x, left + 14, end - 14);

  svg->Text({begin, kPanelLabelBaseline}, {.size = kTextSize, .color = kInk, .bold = true},
            panel.label);
  DrawLegend(panel, layout, svg);
  for (const ChartAxis::Tick& tick : y_axis.ticks()) {
    const double y = y_axis.At(tick.value);
    svg->Line({left, y}, {end, y}, {.color = kGrid});
    svg->Text({left - 6, y + 4},
              {.size = kSmallTextSize, .color = kFaintInk, .anchor = Anchor::kEnd}, tick.label);
  }
  svg->Line({left, bottom}, {end, bottom}, {.color = kBase});
  for (const LineChart::Tick& tick : chart.x_ticks) {
    const double x = x_axis.At(tick.x);
    svg->Line({x, bottom}, {x, bottom + 4}, {.color = kBase});
    svg->Text({x, bottom + 18},
              {.size = kSmallTextSize, .color = kFaintInk, .anchor = Anchor::kMiddle}, tick.label);
  }
  svg->Text({(left + end) / 2, bottom + 38},
            {.size = kTextSize, .color = kInk, .anchor = Anchor::kMiddle}, chart.x_label);
  for (size_t i = 0; i < panel.lines.size(); ++i) {
    if (panel.lines[i].points.empty()) continue;
    DrawLine(panel.lines[i], ColorOf(panel, i), x_axis, y_axis, svg);
  }
}

}  // namespace

std::string DrawRows(const RowChart& chart) {
  SvgWriter svg;
  const RowLayout layout = LayOut(chart);
  DrawHeading(chart.title, chart.subtitle, &svg);
  DrawBars(chart, layout, &svg);
  DrawDots(chart, layout, &svg);
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const RowChart::Row& row = chart.rows[i];
    const double y = layout.Middle(i);
    svg.Text({layout.bars_begin - 10, y + (row.remark.empty() ? 4.5 : -1)},
             {.size = 13, .color = kInk, .anchor = Anchor::kEnd, .bold = row.ours}, row.name);
    if (row.remark.empty()) continue;
    svg.Text({layout.bars_begin - 10, y + 12},
             {.size = kSmallTextSize, .color = kWarning, .anchor = Anchor::kEnd}, row.remark);
  }
  return svg.Document(kWidth, layout.bottom + 40, chart.title);
}

std::string DrawLines(const LineChart& chart) {
  SvgWriter svg;
  DrawHeading(chart.title, chart.subtitle, &svg);
  const auto count = static_cast<double>(chart.panels.size());
  const double each = (kWidth - 2 * kMargin - kPanelGap * (count - 1)) / count;
  double top = kLegendTop;
  for (const LineChart::Panel& panel : chart.panels) {
    for (const Pixel& place : LayOutLegend(panel, each)) top = std::max(top, place.y);
  }
  top += kLegendLine;
  PanelLayout layout = {kMargin, kMargin + each, top, top + kPanelHeight};
  for (const LineChart::Panel& panel : chart.panels) {
    DrawPanel(chart, panel, layout, &svg);
    layout.begin += each + kPanelGap;
    layout.end += each + kPanelGap;
  }
  return svg.Document(kWidth, layout.bottom + 58, chart.title);
}

}  // namespace groupcast::bench
