// Sections 5.1 to 5.3: masking, reserved bits, opcodes, lengths.

#include "absl/strings/str_cat.h"
#include "tests/conformance/case.h"

namespace groupcast::tests {
namespace {

constexpr size_t kMessageBytesMax = 1 << 20;  // docs/protocol.md, "Limits"

std::vector<Case> ReservedBitCases() {
  std::vector<Case> cases;
  for (const int bits : {1, 2, 3, 4, 5, 6, 7}) {
    cases.push_back({absl::StrCat("ReservedBits", bits, "OnText"),
                     {MakeFrame(kText, Echo("x"), {.reserved_bits = static_cast<uint8_t>(bits)})},
                     Closes(1002)});
  }
  for (const int bits : {1, 2, 4}) {
    const auto reserved_bits = static_cast<uint8_t>(bits);
    cases.push_back({absl::StrCat("ReservedBits", bits, "OnPing"),
                     {MakeFrame(kPing, "x", {.reserved_bits = reserved_bits})},
                     Closes(1002)});
    cases.push_back({absl::StrCat("ReservedBits", bits, "OnContinuation"),
                     {MakeFrame(kText, "{", {.fin = false}),
                      MakeFrame(kContinuation, "}", {.reserved_bits = reserved_bits})},
                     Closes(1002)});
  }
  return cases;
}

std::vector<Case> ReservedOpcodeCases() {
  std::vector<Case> cases;
  for (const int opcode : {0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf}) {
    const auto reserved = static_cast<uint8_t>(opcode);
    cases.push_back({absl::StrCat("Opcode", opcode), {MakeFrame(reserved, "x")}, Closes(1002)});
    cases.push_back(
        {absl::StrCat("Opcode", opcode, "Empty"), {MakeFrame(reserved, "")}, Closes(1002)});
  }
  cases.push_back({"Opcode3InsideOfAMessage",
                   {MakeFrame(kText, "{", {.fin = false}), MakeFrame(0x3, "x")},
                   Closes(1002)});
  cases.push_back({"Opcode3AfterAWholeMessage",
                   {TextFrame(Echo("x")) + MakeFrame(0x3, "x")},
                   Closes(1002, {Echoed("x")})});
  return cases;
}

// A frame whose length has this form, though a shorter one would hold it.
Case NotShortest(const std::string& name, uint8_t opcode, size_t bytes, int length_bytes) {
  const std::string payload = opcode == kText ? EchoOfSize("x", bytes) : std::string(bytes, 'p');
  return {name, {MakeFrame(opcode, payload, {.length_bytes = length_bytes})}, Closes(1002)};
}

Case Sized(size_t bytes) {
  return {absl::StrCat("Text", bytes, "Bytes"),
          {TextFrame(EchoOfSize("x", bytes))},
          Answers({Echoed("x")})};
}

// The header alone: what follows would be read for nothing.
Case HeaderOnly(const std::string& name, uint64_t length, int code) {
  return {name, {MakeFrame(kText, "", {.length = length})}, Closes(code)};
}

// The length itself comes in pieces.
Case SlowHeader(size_t bytes) {
  const std::string frame = TextFrame(EchoOfSize("x", bytes));
  std::vector<std::string> writes = OneByOne(frame.substr(0, 20));
  writes.push_back(frame.substr(20));
  return {absl::StrCat("HeaderOf", bytes, "BytesInWritesOfOneByte"), writes,
          Answers({Echoed("x")})};
}

CONFORMANCE_CASES(
    Section5_1_Masking,
    ::testing::Values(
        Case{"UnmaskedText", {MakeFrame(kText, Echo("x"), {.masked = false})}, Closes(1002)},
        Case{"UnmaskedEmptyText", {MakeFrame(kText, "", {.masked = false})}, Closes(1002)},
        Case{"UnmaskedPing", {MakeFrame(kPing, "x", {.masked = false})}, Closes(1002)},
        Case{"UnmaskedPong", {MakeFrame(kPong, "x", {.masked = false})}, Closes(1002)},
        Case{"UnmaskedClose", {MakeFrame(kClose, "\x03\xe8", {.masked = false})}, Closes(1002)},
        Case{"UnmaskedBinary", {MakeFrame(kBinary, "x", {.masked = false})}, Closes(1002)},
        Case{"UnmaskedContinuation",
             {MakeFrame(kText, "{", {.fin = false}),
              MakeFrame(kContinuation, "}", {.masked = false})},
             Closes(1002)},
        Case{"UnmaskedAfterMasked",
             {TextFrame(Echo("x")) + MakeFrame(kText, Echo("y"), {.masked = false})},
             Closes(1002, {Echoed("x")})}));

CONFORMANCE_CASES(
    Section5_3_Mask,
    ::testing::Values(
        Case{"MaskOfZeros",
             {MakeFrame(kText, Echo("x"), {.mask = {0, 0, 0, 0}})},
             Answers({Echoed("x")})},
        Case{"MaskOfOnes",
             {MakeFrame(kText, Echo("x"), {.mask = {0xff, 0xff, 0xff, 0xff}})},
             Answers({Echoed("x")})},
        Case{"EachFrameHasItsOwn",
             {MakeFrame(kText, Echo("x"), {.mask = {1, 2, 3, 4}}) +
              MakeFrame(kText, Echo("y"), {.mask = {9, 8, 7, 6}})},
             Answers({Echoed("x"), Echoed("y")})},
        Case{"EachFragmentBeginsItsOwn",
             {MakeFrame(kText, Echo("abc").substr(0, 7), {.fin = false, .mask = {1, 2, 3, 4}}) +
              MakeFrame(kContinuation, Echo("abc").substr(7), {.mask = {9, 8, 7, 6}})},
             Answers({Echoed("abc")})},
        // The place in the mask must go on where the last read ended.
        Case{"PayloadInWritesOfOneByte", OneByOne(TextFrame(Echo("phase"))),
             Answers({Echoed("phase")})},
        Case{"PingPayload",
             {MakeFrame(kPing, "abcde", {.mask = {0x80, 0x81, 0x82, 0x83}})},
             Answers({PongFrame("abcde")})}));

CONFORMANCE_CASES(Section5_2_ReservedBits, ::testing::ValuesIn(ReservedBitCases()));

CONFORMANCE_CASES(Section5_2_ReservedOpcodes, ::testing::ValuesIn(ReservedOpcodeCases()));

CONFORMANCE_CASES(
    Section5_2_Length,
    ::testing::Values(
        Case{"Text0Bytes", {TextFrame("")}, Answers({ErrorFrame("bad_json")})},
        Case{"Text1Byte", {TextFrame("7")}, Answers({ErrorFrame("bad_json")})}, Sized(125),
        Sized(126), Sized(127), Sized(65'535), Sized(65'536), Sized(kMessageBytesMax - 1),
        Sized(kMessageBytesMax),
        Case{"TextOverTheLimit", {TextFrame(EchoOfSize("x", kMessageBytesMax + 1))}, Closes(1009)},
        HeaderOnly("OverTheLimitAtTheHeader", kMessageBytesMax + 1, 1009),
        HeaderOnly("FarOverTheLimitAtTheHeader", uint64_t{1} << 62, 1009),
        HeaderOnly("LargestLength", (uint64_t{1} << 63) - 1, 1009),
        HeaderOnly("TopBitSet", uint64_t{1} << 63, 1002),
        HeaderOnly("AllBitsSet", ~uint64_t{0}, 1002),
        Case{"OverTheLimitAfterAWholeMessage",
             {TextFrame(Echo("x")) + MakeFrame(kText, "", {.length = kMessageBytesMax + 1})},
             Closes(1009, {Echoed("x")})},
        SlowHeader(126), SlowHeader(65'536)));

CONFORMANCE_CASES(Section5_2_ShortestLength,
                  ::testing::Values(NotShortest("SixteenBitsFor60", kText, 60, 2),
                                    NotShortest("SixteenBitsFor125", kText, 125, 2),
                                    NotShortest("SixtyFourBitsFor60", kText, 60, 8),
                                    NotShortest("SixtyFourBitsFor126", kText, 126, 8),
                                    NotShortest("SixtyFourBitsFor65535", kText, 65'535, 8),
                                    NotShortest("SixteenBitsForAPing", kPing, 5, 2),
                                    NotShortest("SixtyFourBitsForAPing", kPing, 5, 8),
                                    Case{"SixteenBitsForNothing",
                                         {MakeFrame(kText, "", {.length_bytes = 2})},
                                         Closes(1002)}));

}  // namespace
}  // namespace groupcast::tests
