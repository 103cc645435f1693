#include "services/websocket_service/wire/deflate.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr size_t kMax = 1'000;

std::string Inflated(Inflater* inflater, absl::string_view payload, size_t bytes_max = kMax) {
  const absl::StatusOr<absl::string_view> text = inflater->Inflate(payload, bytes_max);
  EXPECT_TRUE(text.ok()) << text.status();
  return std::string(*text);
}

absl::StatusCode Error(absl::string_view payload, size_t bytes_max = kMax) {
  return Inflater().Inflate(payload, bytes_max).status().code();
}

// Section 7.2.3.1 to 7.2.3.6.
TEST(InflaterTest, ReadsTheExamplesOfTheRfc) {
  Inflater inflater;
  for (const absl::string_view payload :
       {absl::string_view("\xf2\x48\xcd\xc9\xc9\x07\x00", 7),
        absl::string_view("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11),
        absl::string_view("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8),
        absl::string_view("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13)}) {
    EXPECT_EQ(Inflated(&inflater, payload), "Hello");
  }
  EXPECT_EQ(Inflated(&inflater, absl::string_view("\x00", 1)), "") << "an empty message";
}

// The second example of section 7.2.3.2 refers to the message before it.
TEST(InflaterTest, KeepsNothingFromMessageToMessage) {
  Inflater inflater;
  EXPECT_EQ(Inflated(&inflater, absl::string_view("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)), "Hello");
  EXPECT_EQ(inflater.Inflate(absl::string_view("\xf2\x00\x11\x00\x00", 5), kMax).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Inflated(&inflater, absl::string_view("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)), "Hello")
      << "an error does not stay";
}

TEST(InflaterTest, TheBoundIsWithinItAndOneByteMoreIsNot) {
  Deflater deflater;
  for (const size_t bytes : {size_t{1}, size_t{1'000}, size_t{70'000}, size_t{1} << 20}) {
    const std::string payload(deflater.Deflate(std::string(bytes, 'x')));
    Inflater inflater;
    EXPECT_EQ(Inflated(&inflater, payload, bytes), std::string(bytes, 'x'));
    EXPECT_EQ(Error(payload, bytes - 1), absl::StatusCode::kResourceExhausted) << bytes;
  }
}

// Each cut of a payload is refused, or is a payload by chance; never does it hang or go over.
TEST(InflaterTest, RefusesWhatIsNotWhole) {
  Deflater deflater;
  std::string text;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&text, i * i, " ");
  const std::string payload(deflater.Deflate(text));
  int refused = 0;
  for (size_t bytes = 1; bytes < payload.size(); ++bytes) {
    if (Error(payload.substr(0, bytes)) == absl::StatusCode::kInvalidArgument) ++refused;
  }
  EXPECT_GE(refused, static_cast<int>(payload.size()) - 3);
  EXPECT_EQ(Error("\xff\xff\xff"), absl::StatusCode::kInvalidArgument);
}

TEST(DeflaterTest, WhatItMakesCanBeReadAndDependsOnTheTextAlone) {
  Deflater deflater;
  Inflater inflater;
  std::mt19937 random(1);
  for (const size_t bytes : {0, 1, 125, 126, 65'535, 65'536, 300'000}) {
    std::string text(bytes, '\0');
    for (char& c : text) c = "abcd \"{}"[random() % 8];
    const std::string payload(deflater.Deflate(text));
    EXPECT_EQ(Inflated(&inflater, payload, bytes), text);
    EXPECT_EQ(deflater.Deflate(text), payload) << "again";
    const size_t cut = bytes / 3;
    EXPECT_EQ(Inflated(&inflater,
                       deflater.Deflate(absl::string_view(text).substr(0, cut),
                                        absl::string_view(text).substr(cut)),
                       bytes),
              text);
  }
}

TEST(DeflaterTest, RandomBytesFitToo) {
  Deflater deflater;
  Inflater inflater;
  std::mt19937 random(2);
  std::string text(100'000, '\0');
  for (char& c : text) c = static_cast<char>(random());
  EXPECT_EQ(Inflated(&inflater, deflater.Deflate(text), text.size()), text);
}

}  // namespace
}  // namespace groupcast::service
