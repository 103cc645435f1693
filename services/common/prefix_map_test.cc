#include "services/common/prefix_map.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

// The value, or -1.
int Find(const PrefixMap<int>& map, absl::string_view text) {
  const int* const value = map.Find(text);
  return value == nullptr ? -1 : *value;
}

TEST(PrefixMapTest, TheLongestPrefixCounts) {
  const PrefixMap<int> map({{"news.", 1}, {"news.sport.", 2}, {"a", 3}, {"news", 4}});
  EXPECT_EQ(Find(map, "news.sport.1"), 2);
  EXPECT_EQ(Find(map, "news.sport."), 2);
  EXPECT_EQ(Find(map, "news.sport"), 1);
  EXPECT_EQ(Find(map, "news.z"), 1);
  EXPECT_EQ(Find(map, "news-"), 4);
  EXPECT_EQ(Find(map, "new"), -1);
  EXPECT_EQ(Find(map, "abc"), 3);
  EXPECT_EQ(Find(map, "zebra"), -1);
  EXPECT_EQ(Find(map, ""), -1);
}

TEST(PrefixMapTest, TheEmptyPrefixIsForAll) {
  const PrefixMap<int> map({{"news.", 1}, {"", 0}});
  EXPECT_EQ(Find(map, "news.1"), 1);
  EXPECT_EQ(Find(map, "x"), 0);
  EXPECT_EQ(Find(map, ""), 0);
  EXPECT_EQ(Find(map, "\xff"), 0);
  EXPECT_TRUE(PrefixMap<int>().empty());
  EXPECT_EQ(Find(PrefixMap<int>(), "x"), -1);
}

// Against a search that tries every prefix. Two letters make many prefixes of each other.
TEST(PrefixMapTest, FindsWhatAPlainSearchFinds) {
  std::mt19937 random(1);
  const auto word = [&] {
    std::string text(random() % 7, 'a');
    for (char& c : text) c = "a\xffz"[random() % 3];
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<std::string, int>> values;
    for (size_t i = random() % 12; i > 0; --i) {
      const std::string prefix = word();
      const bool is_new = std::none_of(values.begin(), values.end(),
                                       [&](const auto& value) { return value.first == prefix; });
      if (is_new) values.emplace_back(prefix, static_cast<int>(values.size()));
    }
    const PrefixMap<int> map(values);
    for (int i = 0; i < 50; ++i) {
      const std::string text = word();
      int expected = -1;
      size_t longest = 0;
      for (const auto& [prefix, value] : values) {
        if (text.rfind(prefix, 0) != 0 || (expected >= 0 && prefix.size() < longest)) continue;
        expected = value;
        longest = prefix.size();
      }
      ASSERT_EQ(Find(map, text), expected) << text;
    }
  }
}

}  // namespace
}  // namespace groupcast::service
