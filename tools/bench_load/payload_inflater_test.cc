#include "tools/bench_load/payload_inflater.h"

#include <zlib.h>

#include <optional>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

// A payload of permessage-deflate.
std::string Deflated(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string payload(deflateBound(&stream, text.size()) + 16, '\0');
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(payload.data());
  stream.avail_out = static_cast<uInt>(payload.size());
  EXPECT_EQ(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
  payload.resize(payload.size() - stream.avail_out - 4);  // without the tail
  deflateEnd(&stream);
  return payload;
}

TEST(PayloadInflaterTest, InflatesWholePayloadsOfAnySize) {
  PayloadInflater inflater;
  for (const size_t size : {1u, 100u, 4'096u, 100'000u}) {
    std::string text;
    while (text.size() < size) text += std::to_string(text.size() * 7);
    text.resize(size);
    const std::string payload = Deflated(text);
    EXPECT_EQ(inflater.Inflate(payload), std::optional<std::string_view>(text)) << size;
    EXPECT_EQ(inflater.Inflate(payload), std::optional<std::string_view>(text)) << "again";
  }
}

TEST(PayloadInflaterTest, SaysThatAPayloadIsMalformed) {
  PayloadInflater inflater;
  const std::string good = Deflated("a text");
  EXPECT_EQ(inflater.Inflate("\xff\xff\xff"), std::nullopt);
  EXPECT_EQ(inflater.Inflate("\xff\xff\xff"), std::nullopt) << "also if it comes again";
  EXPECT_EQ(inflater.Inflate(good), std::optional<std::string_view>("a text"));
}

}  // namespace
}  // namespace groupcast::bench
