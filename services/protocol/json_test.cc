#include "services/protocol/json.h"

#include <boost/json.hpp>
#include <random>
#include <string>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

bool Accepts(absl::string_view text) {
  JsonReader reader(text);
  absl::string_view raw;
  return reader.ReadValue(&raw) && reader.ExpectEnd();
}

std::string Compact(absl::string_view text) {
  std::string compact;
  AppendCompactJson(text, &compact);
  return compact;
}

std::string Text(absl::string_view raw) {
  std::string text;
  AppendJsonText(raw, &text);
  return text;
}

std::string Quoted(absl::string_view text) {
  std::string json;
  AppendJsonString(text, &json);
  return json;
}

TEST(JsonReaderTest, AcceptsWhatRfc8259Allows) {
  for (const char* text : {"0", "-0", "10", "1.5", "1e5", "1E+5", "-1.25e-3", "true", "false",
                           "null", "\"\"", "[]", "{}", " [ 1 , {\"a\" : \"b\"} ] ",
                           "\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\ud83d\\ude00\""}) {
    EXPECT_TRUE(Accepts(text)) << text;
  }
}

TEST(JsonReaderTest, RefusesWhatItDoesNot) {
  for (const char* text : {"",
                           " ",
                           "01",
                           "-",
                           "+1",
                           ".5",
                           "1.",
                           "1e",
                           "1e+",
                           "tru",
                           "nul",
                           "True",
                           "\"",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\n\"",
                           "[",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "{",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:2}",
                           "1 2",
                           "[] []",
                           "NaN",
                           "'a'",
                           "/**/1",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\ud800x\""}) {
    EXPECT_FALSE(Accepts(text)) << text;
  }
}

TEST(JsonReaderTest, SaysWhatIsWrongAndWhere) {
  JsonReader reader("[1, x]");
  absl::string_view raw;
  ASSERT_FALSE(reader.ReadValue(&raw));
  EXPECT_EQ(reader.error().message(), "expected a value at byte 4");
}

TEST(JsonReaderTest, BoundsTheDepth) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(
      Accepts(nested(kJsonDepthMax - 1)));  // with the command's own brackets, kJsonDepthMax
  EXPECT_FALSE(Accepts(nested(kJsonDepthMax)));
  EXPECT_FALSE(Accepts(std::string(100'000, '[')));
}

TEST(JsonReaderTest, HandsOutTheBytesOfAValue) {
  JsonReader reader(" [1, 2] ,\"x\"");
  absl::string_view raw;
  ASSERT_TRUE(reader.ReadValue(&raw));
  EXPECT_EQ(raw, "[1, 2]");
  ASSERT_TRUE(reader.Accept(','));
  ASSERT_TRUE(reader.ReadString(&raw));
  EXPECT_EQ(raw, "\"x\"");
  EXPECT_TRUE(reader.ExpectEnd());
}

TEST(JsonTextTest, DecodesEveryEscape) {
  EXPECT_EQ(Text(R"("a\"\\\/\b\f\n\r\tz")"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(Text(R"("\u0041\u00fc\u20AC\ud83d\ude00")"), "Aü€😀");
  EXPECT_EQ(Text(R"("\u0000")"), std::string(1, '\0'));
}

TEST(CompactJsonTest, RemovesWhitespaceOutsideOfStringsOnly) {
  EXPECT_EQ(Compact("{ \"a b\" :\t[ 0.10 ,\n1e2 , \" \\\" \" ] }"),
            "{\"a b\":[0.10,1e2,\" \\\" \"]}");
}

TEST(JsonStringTest, EscapesWhatMustBeAndNothingElse) {
  EXPECT_EQ(Quoted("a\"b\\c\n\r\t\x01 ü/"), R"("a\"b\\c\n\r\t\u0001 ü/")");
  EXPECT_EQ(Quoted(""), "\"\"");
}

// Runs without an escape are copied eight bytes at a time.
TEST(JsonStringTest, EscapesEachByteAtEachPlace) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<char>(byte);
    std::string escaped(1, c);
    if (byte < 0x20) escaped = absl::StrFormat("\\u%04x", byte);
    if (c == '"' || c == '\\') escaped = std::string("\\") + c;
    if (c == '\n') escaped = "\\n";
    if (c == '\r') escaped = "\\r";
    if (c == '\t') escaped = "\\t";
    for (size_t before = 0; before < 18; ++before) {
      for (size_t after = 0; after < 18; after += 3) {
        const std::string head(before, '\x7f');
        const std::string tail(after, ' ');
        ASSERT_EQ(Quoted(head + c + tail), "\"" + head + escaped + tail + "\"")
            << byte << " after " << before << " and before " << after << " bytes";
        ASSERT_EQ(Quoted(head + c + c + tail), "\"" + head + escaped + escaped + tail + "\"");
      }
    }
  }
}

// The library is the judge: on random input made of JSON's own characters, both give the same
// verdict, and what was accepted means the same after it was compacted.
TEST(JsonReaderTest, AgreesWithALibraryOnRandomInput) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {
      "{", "}", "[", "]", ":",    ",",    "\"", "\\", "\\u00e9", "\\ud83d", "\\ude00", "0",
      "1", "-", ".", "e", "true", "null", " ",  "\n", "a",       "\"k\":",  "\"v\""};
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    const int length = 1 + static_cast<int>(random() % 8);
    for (int j = 0; j < length; ++j) text += pieces[random() % pieces.size()];
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(text, error);
    ASSERT_EQ(Accepts(text), !error) << text << ": " << error.message();
    if (error) continue;
    ++accepted;
    // As texts: the library reads 0e1100 as no number, which is not equal to itself.
    ASSERT_EQ(boost::json::serialize(boost::json::parse(Compact(text))),
              boost::json::serialize(value))
        << text;
    if (value.is_string()) {
      JsonReader reader(text);
      absl::string_view raw;
      ASSERT_TRUE(reader.ReadString(&raw));
      ASSERT_EQ(Text(raw), value.as_string().c_str()) << text;
    }
  }
  EXPECT_GT(accepted, 1'000);
}

}  // namespace
}  // namespace groupcast::service
