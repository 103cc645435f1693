#include "services/common/log_line.h"

#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr size_t kBytesMax = 4'096;

const absl::Time kTime = absl::FromUnixMillis(1'700'000'000'012);

std::string Format(absl::string_view message, size_t bytes_max = kBytesMax) {
  return FormatJsonLogLine(kTime, "warning", {.service = "channel_server", .pid = 42}, message,
                           bytes_max);
}

// The message as another reader of JSON sees it. The line must be one line, with nothing raw that a
// terminal would obey.
std::string MessageOf(const std::string& line) {
  EXPECT_TRUE(absl::EndsWith(line, "}\n"));
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    EXPECT_GE(static_cast<unsigned char>(line[i]), 0x20) << i;
    EXPECT_NE(line[i], 0x7f) << i;
  }
  const boost::json::value value = boost::json::parse(line);
  return boost::json::value_to<std::string>(value.at("message"));
}

TEST(LogLineTest, HasItsFieldsInTheirOrder) {
  EXPECT_EQ(Format("the channel is away"),
            "{\"time\":\"2023-11-14T22:13:20.012Z\",\"level\":\"warning\","
            "\"service\":\"channel_server\",\"pid\":42,\"message\":\"the channel is away\"}\n");
}

TEST(LogLineTest, AWorkerHasItsNumber) {
  EXPECT_EQ(
      FormatJsonLogLine(kTime, "info", {.service = "websocket_service", .worker = 3, .pid = 42},
                        "x", kBytesMax),
      "{\"time\":\"2023-11-14T22:13:20.012Z\",\"level\":\"info\","
      "\"service\":\"websocket_service\",\"worker\":3,\"pid\":42,\"message\":\"x\"}\n");
}

TEST(LogLineTest, ControlCharactersAreEscaped) {
  const std::string text =
      absl::StrCat("a\"b\\c\nd\te\x01\x1b[31m\x7f\xc2\x9b", "31m", absl::string_view("\0z", 2));
  const std::string line = Format(text);
  EXPECT_EQ(MessageOf(line), text);
  // The one-byte form of a terminal's escape is a character of Unicode, too.
  EXPECT_FALSE(absl::StrContains(line, "\xc2\x9b"));
  EXPECT_TRUE(absl::StrContains(line, "\\u009b"));
}

TEST(LogLineTest, TextOfOtherScriptsStaysReadable) {
  EXPECT_TRUE(absl::StrContains(Format("هذه \U0001f600"), "هذه \U0001f600"));
}

TEST(LogLineTest, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(MessageOf(Format("a\xff"
                             "b\xd8")),
            "a\ufffdb\ufffd");
  EXPECT_EQ(MessageOf(Format("\xc0\xaf\xed\xa0\x80")), "\ufffd\ufffd\ufffd\ufffd\ufffd");
}

TEST(LogLineTest, ALongMessageIsCutAndTheLineStaysWhole) {
  for (const std::string unit : {"x", "\x01", "\xff", "\"", "ه", "\U0001f600"}) {
    std::string text;
    while (text.size() < 2 * kBytesMax) text += unit;
    const std::string line = Format(text);
    EXPECT_LE(line.size(), kBytesMax);
    EXPECT_GT(line.size(), kBytesMax - 8);
    EXPECT_TRUE(absl::EndsWith(MessageOf(line), "... (cut)"));
  }
}

TEST(LogLineTest, AMessageThatJustFitsIsNotCut) {
  const size_t frame = Format("").size();
  const std::string fits(kBytesMax - frame, 'x');
  EXPECT_EQ(MessageOf(Format(fits)), fits);
  EXPECT_EQ(Format(fits + "x").size(), kBytesMax);
  EXPECT_TRUE(absl::EndsWith(MessageOf(Format(fits + "x")), "x... (cut)"));
}

TEST(LogLineTest, AnyBytesMakeALineOfJson) {
  std::mt19937 random(1);
  for (int i = 0; i < 2'000; ++i) {
    std::string text(random() % 300, ' ');
    for (char& byte : text) byte = static_cast<char>(random());
    const std::string line = Format(text, /*bytes_max=*/400);
    EXPECT_LE(line.size(), 400u);
    MessageOf(line);
  }
}

}  // namespace
}  // namespace groupcast::service
