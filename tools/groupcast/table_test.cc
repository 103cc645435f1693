#include "tools/groupcast/table.h"

#include "gtest/gtest.h"

namespace groupcast::cli {
namespace {

TEST(TableTest, ColumnsHaveTheWidthOfTheirWidestCell) {
  Table table({{"GROUP"}, {"N", true}, {"STATUS"}});
  table.AddRow({{"a"}, {"10"}, {"ready", Colour::kGreen}});
  table.AddRow({{"\xd9\x87\xd8\xb0\xd9\x87"}, {"9"}, {""}});
  const Console plain(Console::Streams{});
  EXPECT_EQ(table.Text(plain),
            "GROUP   N  STATUS\n"
            "a      10  ready\n"
            "\xd9\x87\xd8\xb0\xd9\x87     9\n");
  const Console colours({.out_is_terminal = true, .colours = true});
  EXPECT_NE(table.Text(colours).find("10  \x1b[32mready\x1b[0m\n"), std::string::npos);
}

}  // namespace
}  // namespace groupcast::cli
