#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SVG_WRITER_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SVG_WRITER_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace groupcast::bench {

// A point of a drawing, in pixels from its upper left corner.
struct Pixel {
  double x = 0;
  double y = 0;
};

// The style of a line.
struct Stroke {
  std::string_view color;
  double width = 1;
  bool dashed = false;
};

// The style of a text, and the part of it that is at its point.
struct TextStyle {
  enum class Anchor { kStart, kMiddle, kEnd };
  double size = 12;
  std::string_view color;
  Anchor anchor = Anchor::kStart;
  bool bold = false;
};

// Builds an SVG document with a white background, readable on any page. Colors are in SVG's
// notation. Texts may have any characters.
class SvgWriter {
 public:
  SvgWriter() = default;

  void Text(Pixel at, const TextStyle& style, std::string_view text);
  void Line(Pixel from, Pixel to, const Stroke& stroke);
  void Polyline(const std::vector<Pixel>& points, const Stroke& stroke);
  // Filled, without a border. `opacity` is from 0 to 1.
  void Polygon(const std::vector<Pixel>& points, std::string_view color, double opacity);
  void Rectangle(Pixel upper_left, double width, double height, std::string_view color);
  void Circle(Pixel center, double radius, std::string_view fill, const Stroke& stroke);

  // The whole document. `title` is for readers who cannot see it.
  std::string Document(double width, double height, std::string_view title) const;

 private:
  std::string body_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SVG_WRITER_H_
