#include "tools/bench_load/nats_reader.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using ::testing::ElementsAre;

// What a reader hands out when the bytes come in pieces of this size.
std::vector<std::string> ReadInPieces(std::string_view bytes, size_t piece_bytes) {
  NatsReader reader;
  std::vector<std::string> heads;
  for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
    // A copy of its own, so that a sanitizer sees what reads beyond it.
    const std::string piece(bytes.substr(at, piece_bytes));
    EXPECT_TRUE(reader.Take(piece, [&](std::string_view head) { heads.emplace_back(head); }));
  }
  return heads;
}

bool Accepts(std::string_view bytes) {
  NatsReader reader;
  return reader.Take(bytes, [](std::string_view) {});
}

TEST(NatsReader, FindsTheSameOperationsHoweverTheBytesAreCut) {
  // As a server sends them, with payloads that look like operations or are long, and a long line.
  const std::vector<std::string> sent = {
      "INFO {\"server_id\":\"NA2F\",\"connect_urls\":[\"" + std::string(600, 'u') + "\"]} \r\n",
      "PONG\r\n",
      "MSG g3 4 5\r\nhello\r\n",
      "MSG g3 4 0\r\n\r\n",
      "MSG g3 4 14\r\nPING\r\nMSG x\r\n\n\r\n",
      "MSG g4 5 70000\r\n" + std::string(70'000, 'x') + "\r\n",
      "PING\r\n",
      "+OK\r\n",
      "-ERR 'Unknown Protocol Operation'\r\n"};
  std::string bytes;
  std::vector<std::string> heads;
  for (const std::string& operation : sent) {
    bytes += operation;
    heads.push_back(operation.substr(0, NatsReader::kHeadBytes));
  }
  for (size_t piece_bytes = 1; piece_bytes <= 900; ++piece_bytes) {
    ASSERT_EQ(ReadInPieces(bytes, piece_bytes), heads) << piece_bytes;
  }
  ASSERT_EQ(ReadInPieces(bytes, bytes.size()), heads);
}

TEST(NatsReader, HandsAnOperationOutAtItsLastByteAndNotBefore) {
  const std::string message = "MSG g3 4 5\r\nhello\r\n";
  EXPECT_THAT(ReadInPieces(message.substr(0, message.size() - 1), 100), ElementsAre());
  EXPECT_THAT(ReadInPieces(message, 100), ElementsAre(message));
}

TEST(NatsReader, RefusesAMessageWithoutALength) {
  EXPECT_TRUE(Accepts("MSG g3 4 5\r\n"));
  EXPECT_FALSE(Accepts("MSG g3 4 x\r\n"));
  EXPECT_FALSE(Accepts("MSG g3 4 5x\r\n"));
  EXPECT_FALSE(Accepts("MSG g3 4 \r\n"));
  EXPECT_FALSE(Accepts("MSG g3 4 5\n"));
  EXPECT_FALSE(Accepts("MSG g3 4 99999999999\r\n"));
}

}  // namespace
}  // namespace groupcast::bench
