#include "services/websocket_service/wire/frame.h"

#include <string>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using namespace std::string_literals;

std::string Bytes(const SharedBytes& frame) { return std::string(frame.bytes()); }

// RFC 6455 section 5.7, the unmasked examples.
TEST(FrameTest, MatchesTheExamplesOfTheRfc) {
  EXPECT_EQ(Bytes(MakeFrame(Opcode::kText, "Hello")), "\x81\x05Hello");
  EXPECT_EQ(Bytes(MakeFrame(Opcode::kPing, "Hello")), "\x89\x05Hello");
  EXPECT_EQ(Bytes(MakeFrame(Opcode::kBinary, std::string(256, 'x'))).substr(0, 4),
            "\x82\x7e\x01\x00"s);
  EXPECT_EQ(Bytes(MakeFrame(Opcode::kBinary, std::string(65536, 'x'))).substr(0, 10),
            "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s);
}

// Section 5.2: the minimal number of bytes must be used to encode the length.
TEST(FrameTest, UsesTheShortestLengthOnBothSidesOfEachBoundary) {
  EXPECT_EQ(MakeFrame(Opcode::kText, std::string(125, 'x')).size(), 2u + 125);
  EXPECT_EQ(MakeFrame(Opcode::kText, std::string(126, 'x')).size(), 4u + 126);
  EXPECT_EQ(MakeFrame(Opcode::kText, std::string(65535, 'x')).size(), 4u + 65535);
  EXPECT_EQ(MakeFrame(Opcode::kText, std::string(65536, 'x')).size(), 10u + 65536);
}

TEST(FrameTest, ACloseFrameHasItsCodeInNetworkOrder) {
  EXPECT_EQ(Bytes(MakeCloseFrame(CloseCode::kGoingAway, "bye")),
            "\x88\x05\x03\xe9"
            "bye");
  EXPECT_EQ(Bytes(MakeCloseFrame(CloseCode::kNone, "")), "\x88\x00"s);
}

TEST(FrameTest, CutsACloseReasonToWhatAControlFrameHolds) {
  EXPECT_EQ(MakeCloseFrame(CloseCode::kNormal, std::string(200, 'x')).size(), 2u + 125);
}

TEST(FrameTest, GivesBackItsPayload) {
  for (const size_t size : {0, 1, 125, 126, 65'535, 65'536}) {
    const std::string payload(size, 'p');
    EXPECT_EQ(FramePayload(MakeFrame(Opcode::kText, payload)), payload) << size;
  }
}

}  // namespace
}  // namespace groupcast::service
