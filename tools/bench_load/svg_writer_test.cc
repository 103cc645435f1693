#include "tools/bench_load/svg_writer.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(SvgWriter, MakesADocumentThatIsWhiteAndHasATitle) {
  const std::string svg = SvgWriter().Document(300, 200.25, "what it shows");
  EXPECT_THAT(svg, StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"300\" "
                              "height=\"200.3\" viewBox=\"0 0 300 200.3\""));
  EXPECT_THAT(svg, HasSubstr("<title>what it shows</title>\n<rect width=\"300\" "
                             "height=\"200.3\" fill=\"#ffffff\"/>"));
  EXPECT_THAT(svg, EndsWith("</svg>\n"));
}

TEST(SvgWriter, EscapesWhatXmlWouldTakeForItsOwn) {
  SvgWriter svg;
  svg.Text({1, 2}, {.color = "red"}, "a<b> & \"c\"\x01");
  const std::string document = svg.Document(1, 1, "</title><script>");
  EXPECT_THAT(document, HasSubstr(">a&lt;b&gt; &amp; &quot;c&quot; </text>"));
  EXPECT_THAT(document, HasSubstr("<title>&lt;/title&gt;&lt;script&gt;</title>"));
  EXPECT_THAT(document, Not(HasSubstr("<script>")));
}

TEST(SvgWriter, DrawsEachKindOfThing) {
  SvgWriter svg;
  svg.Text({1, 2}, {.size = 13, .color = "red", .anchor = TextStyle::Anchor::kEnd, .bold = true},
           "µs");
  svg.Line({0, 0}, {10, 0.04}, {.color = "blue", .width = 2, .dashed = true});
  svg.Polyline({{0, 1}, {2.26, -3}}, {.color = "blue"});
  svg.Polygon({{0, 0}, {1, 0}, {0, 1}}, "green", 0.5);
  svg.Rectangle({1, 2}, 3, 4, "grey");
  svg.Circle({5, 6}, 7, "white", {.color = "black"});
  const std::string document = svg.Document(1, 1, "");
  EXPECT_THAT(document, HasSubstr("<text x=\"1\" y=\"2\" font-size=\"13\" fill=\"red\" "
                                  "text-anchor=\"end\" font-weight=\"600\">µs</text>"));
  EXPECT_THAT(document, HasSubstr("<line x1=\"0\" y1=\"0\" x2=\"10\" y2=\"0\" stroke=\"blue\" "
                                  "stroke-width=\"2\" stroke-dasharray=\"5 4\"/>"));
  EXPECT_THAT(document, HasSubstr("<polyline points=\"0,1 2.3,-3\" fill=\"none\" stroke=\"blue\""));
  EXPECT_THAT(document, HasSubstr("<polygon points=\"0,0 1,0 0,1\" fill=\"green\" "
                                  "fill-opacity=\"0.5\"/>"));
  EXPECT_THAT(document,
              HasSubstr("<rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" fill=\"grey\"/>"));
  EXPECT_THAT(document, HasSubstr("<circle cx=\"5\" cy=\"6\" r=\"7\" fill=\"white\" "
                                  "stroke=\"black\" stroke-width=\"1\"/>"));
}

}  // namespace
}  // namespace groupcast::bench
