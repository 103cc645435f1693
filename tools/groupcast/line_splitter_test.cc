#include "tools/groupcast/line_splitter.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::cli {
namespace {

using Lines = std::vector<std::string>;

// The lines of the input, which comes in parts of `part` bytes. A line that is too long is "!".
Lines Split(absl::string_view input, size_t part, size_t line_bytes_max = 5) {
  Lines lines;
  LineSplitter splitter(line_bytes_max, [&lines](const InputLine& line) {
    lines.push_back(absl::StrCat(line.number, line.too_long ? "!" : "=", line.text));
  });
  for (size_t i = 0; i < input.size(); i += part) splitter.Add(input.substr(i, part));
  splitter.Finish();
  return lines;
}

TEST(LineSplitterTest, LinesAreTheSameHoweverTheInputIsCut) {
  const std::string input = "one\n\ntwo\r\n12345\n12345\r\n123456\nlast";
  for (size_t part = 1; part <= input.size(); ++part) {
    EXPECT_EQ(Split(input, part),
              (Lines{"1=one", "2=", "3=two", "4=12345", "5=12345", "6!", "7=last"}))
        << part;
  }
}

TEST(LineSplitterTest, ALastLineWithoutAnEndCounts) {
  EXPECT_EQ(Split("a\n", 1), Lines{"1=a"});
  EXPECT_EQ(Split("a", 1), Lines{"1=a"});
  EXPECT_EQ(Split("", 1), Lines{});
  EXPECT_EQ(Split("1234567", 1), Lines{"1!"});
}

TEST(LineSplitterTest, AfterATooLongLineTheNextOneIsWhole) {
  EXPECT_EQ(Split(std::string(1000, 'x') + "\nok\n", 7), (Lines{"1!", "2=ok"}));
}

}  // namespace
}  // namespace groupcast::cli
