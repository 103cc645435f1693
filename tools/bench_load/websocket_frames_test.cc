#include "tools/bench_load/websocket_frames.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using ::testing::ElementsAre;

struct Seen {
  Opcode opcode;
  std::string head;
  uint64_t bytes;

  friend bool operator==(const Seen&, const Seen&) = default;
};

std::string Frame(Opcode opcode, const std::string& payload) {
  std::string frame;
  AppendServerFrame(opcode, payload, &frame);
  return frame;
}

// What a reader makes of the bytes when they come in pieces of this size.
std::vector<Seen> ReadInPieces(std::string_view bytes, size_t piece_bytes) {
  FrameReader reader;
  std::vector<Seen> seen;
  for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
    // A copy of its own, so that a sanitizer sees what reads beyond it.
    const std::string piece(bytes.substr(at, piece_bytes));
    EXPECT_TRUE(reader.Take(piece, [&](const FrameReader::Payload& payload) {
      seen.push_back({payload.opcode, std::string(payload.head), payload.bytes});
    }));
  }
  return seen;
}

bool Accepts(std::string_view bytes) {
  FrameReader reader;
  return reader.Take(bytes, [](const FrameReader::Payload&) {});
}

TEST(FrameReader, FindsTheSameFramesHoweverTheBytesAreCut) {
  // Every form of the length, with empty payloads and such as are longer than what is handed out.
  std::string bytes;
  std::vector<Seen> sent;
  for (const size_t size :
       {0, 1, 125, 126, 127, static_cast<int>(FrameReader::kHeadBytes) - 1,
        static_cast<int>(FrameReader::kHeadBytes), static_cast<int>(FrameReader::kHeadBytes) + 1,
        1'000, 65'535, 65'536, 0, 3}) {
    std::string payload;
    for (size_t i = 0; i < size; ++i) payload.push_back(static_cast<char>('a' + (i + size) % 26));
    bytes += Frame(Opcode::kText, payload);
    sent.push_back({Opcode::kText, payload.substr(0, FrameReader::kHeadBytes), size});
  }
  for (size_t piece_bytes = 1; piece_bytes <= 300; ++piece_bytes) {
    ASSERT_EQ(ReadInPieces(bytes, piece_bytes), sent) << piece_bytes;
  }
  for (const size_t piece_bytes : {1'000u, 4'096u, 65'536u, 1'000'000u}) {
    ASSERT_EQ(ReadInPieces(bytes, piece_bytes), sent) << piece_bytes;
  }
}

TEST(FrameReader, HandsAFrameOutAtItsLastByteAndNotBefore) {
  const std::string frame = Frame(Opcode::kText, std::string(70'000, 'x'));
  FrameReader reader;
  int frames = 0;
  const auto count = [&](const FrameReader::Payload&) { ++frames; };
  EXPECT_TRUE(reader.Take(std::string_view(frame).substr(0, frame.size() - 1), count));
  EXPECT_EQ(frames, 0);
  EXPECT_TRUE(reader.Take(std::string_view(frame).substr(frame.size() - 1), count));
  EXPECT_EQ(frames, 1);
}

TEST(FrameReader, HandsOutEveryPartOfAPayloadBeforeItsHead) {
  const std::string first(70'000, 'x');
  const std::string bytes =
      Frame(Opcode::kBinary, first) + Frame(Opcode::kPing, "p") + Frame(Opcode::kBinary, "second");
  for (const size_t piece_bytes : {1u, 7u, 4'096u, 100'000u}) {
    FrameReader reader;
    std::string stream;
    std::vector<std::string> at_heads;
    for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
      const std::string piece(bytes.substr(at, piece_bytes));
      EXPECT_TRUE(reader.Take(
          piece, [&](const FrameReader::Payload&) { at_heads.push_back(stream); },
          [&](Opcode opcode, std::string_view part) {
            if (opcode == Opcode::kBinary) stream += part;
          }));
    }
    EXPECT_THAT(at_heads, ElementsAre(first, first, first + "second")) << piece_bytes;
  }
}

TEST(FrameReader, TellsControlFrames) {
  const std::string bytes =
      Frame(Opcode::kPing, "p") + Frame(Opcode::kClose, "") + Frame(Opcode::kBinary, "b");
  EXPECT_THAT(ReadInPieces(bytes, 100),
              ElementsAre(Seen{Opcode::kPing, "p", 1}, Seen{Opcode::kClose, "", 0},
                          Seen{Opcode::kBinary, "b", 1}));
}

TEST(FrameReader, RefusesWhatNoServerMaySend) {
  EXPECT_TRUE(Accepts("\x81\x01x"));
  std::string masked;
  AppendClientFrame(Opcode::kText, "x", &masked);
  EXPECT_FALSE(Accepts(masked));
  EXPECT_FALSE(Accepts("\x01\x01x"));                 // the first part of a message
  EXPECT_FALSE(Accepts(std::string("\x80\x00", 2)));  // the last part of one
  EXPECT_FALSE(Accepts("\xc1\x01x"));  // RSV1: compressed, which nobody has asked for
  EXPECT_FALSE(Accepts("\x83\x01x"));  // an opcode that is reserved
  EXPECT_FALSE(Accepts("\x8b\x01x"));
  EXPECT_FALSE(Accepts("HTTP/1.1 400 Bad Request"));
}

TEST(ClientFrame, IsMaskedAndHasTheLengthInItsShortestForm) {
  for (const auto& [size, header] :
       {std::pair<size_t, std::string>{5, "\x81\x85"},
        {125, "\x81\xfd"},
        {126, std::string("\x81\xfe\x00\x7e", 4)},
        {65'535, "\x81\xfe\xff\xff"},
        {65'536, std::string("\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00", 10)}}) {
    std::string payload(size, 'y');
    payload[0] = 'x';
    std::string frame = "before";
    AppendClientFrame(Opcode::kText, payload, &frame);
    ASSERT_EQ(frame.substr(0, 6), "before");
    ASSERT_EQ(frame.substr(6, header.size()), header) << size;
    const std::string mask = frame.substr(6 + header.size(), 4);
    std::string unmasked = frame.substr(6 + header.size() + 4);
    EXPECT_NE(unmasked, payload);
    for (size_t i = 0; i < unmasked.size(); ++i) unmasked[i] ^= mask[i % 4];
    EXPECT_EQ(unmasked, payload) << size;
  }
}

}  // namespace
}  // namespace groupcast::bench
