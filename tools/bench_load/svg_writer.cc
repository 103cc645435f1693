#include "tools/bench_load/svg_writer.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace groupcast::bench {
namespace {

// For text and for attributes.
std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        // XML has no way to say the other control characters.
        escaped += static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' ? ' ' : c;
    }
  }
  return escaped;
}

// A tenth of a pixel is more than anybody sees.
std::string Number(double value) {
  const double tenths = std::round(value * 10);
  return absl::StrCat(tenths == 0 ? 0 : tenths / 10);  // and no -0
}

std::string Points(const std::vector<Pixel>& points) {
  std::string text;
  for (const Pixel& point : points) {
    absl::StrAppend(&text, text.empty() ? "" : " ", Number(point.x), ",", Number(point.y));
  }
  return text;
}

std::string Attributes(const Stroke& stroke) {
  return absl::StrCat("stroke=\"", Escape(stroke.color), "\" stroke-width=\"", Number(stroke.width),
                      "\"", stroke.dashed ? " stroke-dasharray=\"5 4\"" : "");
}

}  // namespace

void SvgWriter::Text(Pixel at, const TextStyle& style, std::string_view text) {
  const char* anchor = style.anchor == TextStyle::Anchor::kStart    ? ""
                       : style.anchor == TextStyle::Anchor::kMiddle ? " text-anchor=\"middle\""
                                                                    : " text-anchor=\"end\"";
  absl::StrAppend(&body_, "<text x=\"", Number(at.x), "\" y=\"", Number(at.y), "\" font-size=\"",
                  Number(style.size), "\" fill=\"", Escape(style.color), "\"", anchor,
                  style.bold ? " font-weight=\"600\"" : "", ">", Escape(text), "</text>\n");
}

void SvgWriter::Line(Pixel from, Pixel to, const Stroke& stroke) {
  absl::StrAppend(&body_, "<line x1=\"", Number(from.x), "\" y1=\"", Number(from.y), "\" x2=\"",
                  Number(to.x), "\" y2=\"", Number(to.y), "\" ", Attributes(stroke), "/>\n");
}

void SvgWriter::Polyline(const std::vector<Pixel>& points, const Stroke& stroke) {
  absl::StrAppend(&body_, "<polyline points=\"", Points(points), "\" fill=\"none\" ",
                  Attributes(stroke), " stroke-linejoin=\"round\"/>\n");
}

void SvgWriter::Polygon(const std::vector<Pixel>& points, std::string_view color, double opacity) {
  absl::StrAppend(&body_, "<polygon points=\"", Points(points), "\" fill=\"", Escape(color),
                  "\" fill-opacity=\"", opacity, "\"/>\n");
}

void SvgWriter::Rectangle(Pixel upper_left, double width, double height, std::string_view color) {
  absl::StrAppend(&body_, "<rect x=\"", Number(upper_left.x), "\" y=\"", Number(upper_left.y),
                  "\" width=\"", Number(width), "\" height=\"", Number(height), "\" fill=\"",
                  Escape(color), "\"/>\n");
}

void SvgWriter::Circle(Pixel center, double radius, std::string_view fill, const Stroke& stroke) {
  absl::StrAppend(&body_, "<circle cx=\"", Number(center.x), "\" cy=\"", Number(center.y),
                  "\" r=\"", Number(radius), "\" fill=\"", Escape(fill), "\" ", Attributes(stroke),
                  "/>\n");
}

std::string SvgWriter::Document(double width, double height, std::string_view title) const {
  const std::string size = absl::StrCat("width=\"", Number(width), "\" height=\"", Number(height));
  return absl::StrCat("<svg xmlns=\"http://www.w3.org/2000/svg\" ", size, "\" viewBox=\"0 0 ",
                      Number(width), " ", Number(height),
                      "\" role=\"img\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, "
                      "'Helvetica Neue', Arial, sans-serif\">\n<title>",
                      Escape(title), "</title>\n<rect ", size, "\" fill=\"#ffffff\"/>\n", body_,
                      "</svg>\n");
}

}  // namespace groupcast::bench
