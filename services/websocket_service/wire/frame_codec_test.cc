#include "services/websocket_service/wire/frame_codec.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using namespace std::string_literals;
using Event = FrameDecoder::Event;

constexpr size_t kMax = 1000;

// A client's frame. `first` is FIN, reserved bits and opcode.
std::string ClientFrame(int first, std::string payload,
                        const std::string& mask = "\x11\x22\x33\x44") {
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xffff) {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(payload.size() >> 8);
    frame += static_cast<char>(payload.size());
  } else {
    frame += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8)
      frame += static_cast<char>(payload.size() >> shift);
  }
  for (size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame + mask + payload;
}

std::string Name(Event event) {
  switch (event) {
    case Event::kNeedMore:
      return "more";
    case Event::kText:
      return "text";
    case Event::kPing:
      return "ping";
    case Event::kPong:
      return "pong";
    case Event::kClose:
      return "close";
    case Event::kError:
      return "error";
  }
  return "?";
}

// Feeds `bytes` in pieces of `step` and lists the events up to the first close or error.
std::vector<std::string> Decode(std::string bytes, size_t step = 1 << 20,
                                FrameDecoder* decoder = nullptr) {
  FrameDecoder fresh;
  if (decoder == nullptr) decoder = &fresh;
  std::vector<std::string> events;
  for (size_t at = 0; at < bytes.size(); at += step) {
    absl::Span<char> input(&bytes[at], std::min(step, bytes.size() - at));
    for (;;) {
      const Event event = decoder->Next(&input, kMax);
      if (event == Event::kNeedMore) break;
      const bool last = event == Event::kClose || event == Event::kError;
      events.push_back(last
                           ? absl::StrCat(Name(event), " ", static_cast<int>(decoder->close_code()))
                           : absl::StrCat(Name(event), " ", decoder->payload()));
      if (last) return events;
    }
    EXPECT_TRUE(input.empty());
  }
  return events;
}

using Events = std::vector<std::string>;

TEST(FrameDecoderTest, ReadsTheMaskedExampleOfTheRfc) {
  // Section 5.7.
  EXPECT_EQ(Decode("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), Events({"text Hello"}));
}

TEST(FrameDecoderTest, SeesTheSameEventsHoweverTheBytesAreCut) {
  const std::string conversation = ClientFrame(0x81, "whole") + ClientFrame(0x01, "be") +
                                   ClientFrame(0x89, "ping inside") + ClientFrame(0x00, "tw") +
                                   ClientFrame(0x00, "") + ClientFrame(0x8a, "") +
                                   ClientFrame(0x80, "een ü") + ClientFrame(0x81, "") +
                                   ClientFrame(0x81, std::string(300, 'x')) +
                                   ClientFrame(0x88,
                                               "\x03\xe8"
                                               "bye");
  const Events expected = {"text whole", "ping ping inside",
                           "pong ",      "text between ü",
                           "text ",      "text " + std::string(300, 'x'),
                           "close 1000"};
  for (size_t step = 1; step <= conversation.size(); ++step) {
    ASSERT_EQ(Decode(conversation, step), expected) << "step " << step;
  }
}

TEST(FrameDecoderTest, HoldsNothingBetweenMessages) {
  FrameDecoder decoder;
  Decode(ClientFrame(0x01, "first") + ClientFrame(0x80, "second"), 1, &decoder);
  std::string next = ClientFrame(0x81, "x");
  absl::Span<char> input(next.data(), next.size());
  EXPECT_EQ(decoder.Next(&input, kMax), Event::kText);
  EXPECT_EQ(decoder.buffered_bytes(), 0u);
}

TEST(FrameDecoderTest, TellsHowMuchIsMissingOfTheFrame) {
  FrameDecoder decoder;
  EXPECT_EQ(decoder.frame_bytes_left(), 0u);
  std::string bytes = ClientFrame(0x81, std::string(100, 'a'));
  absl::Span<char> input = absl::MakeSpan(bytes).subspan(0, 3);
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kNeedMore);
  EXPECT_EQ(decoder.frame_bytes_left(), 0u);
  input = absl::MakeSpan(bytes).subspan(3, 43);
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kNeedMore);
  EXPECT_EQ(decoder.frame_bytes_left(), 60u);
  input = absl::MakeSpan(bytes).subspan(46);
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kText);
  EXPECT_EQ(decoder.frame_bytes_left(), 0u);
}

TEST(FrameDecoderTest, APayloadThatIsTakenIsHeldNoLonger) {
  for (const size_t first_piece : {size_t{3}, size_t{1'000}}) {
    FrameDecoder decoder;
    std::string bytes = ClientFrame(0x81, std::string(100, 'a'));
    absl::Span<char> input(bytes.data(), std::min(first_piece + 6, bytes.size()));
    const size_t used = input.size();
    if (decoder.Next(&input, kMax) == Event::kNeedMore) {
      input = absl::MakeSpan(bytes).subspan(used);
      ASSERT_EQ(decoder.Next(&input, kMax), Event::kText);
      EXPECT_EQ(decoder.buffered_bytes(), 100u);
    }
    EXPECT_EQ(decoder.TakePayload(), std::string(100, 'a'));
    EXPECT_EQ(decoder.buffered_bytes(), 0u);
    EXPECT_EQ(decoder.payload(), "");
    std::string next = ClientFrame(0x81, "next");
    input = absl::MakeSpan(next);
    ASSERT_EQ(decoder.Next(&input, kMax), Event::kText);
    EXPECT_EQ(decoder.payload(), "next");
  }
}

TEST(FrameDecoderTest, ATakenControlPayloadLeavesTheMessageAroundIt) {
  FrameDecoder decoder;
  std::string bytes = ClientFrame(0x01, "first, ") + ClientFrame(0x89, "ping");
  absl::Span<char> input = absl::MakeSpan(bytes);
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kPing);
  EXPECT_EQ(decoder.TakePayload(), "ping");
  std::string last = ClientFrame(0x80, "last");
  input = absl::MakeSpan(last);
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kText);
  EXPECT_EQ(decoder.TakePayload(), "first, last");
}

TEST(FrameDecoderTest, HandsOutAWholeMessageWhereItLies) {
  FrameDecoder decoder;
  std::string bytes = ClientFrame(0x81, "hello");
  absl::Span<char> input(bytes.data(), bytes.size());
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kText);
  EXPECT_EQ(decoder.payload().data(), bytes.data() + 6);
}

TEST(FrameDecoderTest, RefusesWhatTheHeaderShowsToBeWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\x81\x05Hello", "unmasked"},
      {ClientFrame(0xc1, "x"), "RSV1"},
      {ClientFrame(0xa1, "x"), "RSV2"},
      {ClientFrame(0x91, "x"), "RSV3"},
      {ClientFrame(0x83, "x"), "reserved opcode 3"},
      {ClientFrame(0x8b, "x"), "reserved opcode 11"},
      {ClientFrame(0x80, "x"), "continuation of nothing"},
      {ClientFrame(0x01, "x") + ClientFrame(0x81, "y"), "text inside a message"},
      {ClientFrame(0x09, "x"), "fragmented ping"},
      {ClientFrame(0x89, std::string(126, 'x')), "ping over 125 bytes"},
      {"\x81\xfe\x00\x7d"s + "mask", "16 bits for 125"},
      {"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff"s + "mask", "64 bits for 65535"},
      {"\x81\xff\x80\x00\x00\x00\x00\x01\x00\x00"s + "mask", "top bit of the length"},
      {ClientFrame(0x88, "\x03"), "half a close code"},
      {ClientFrame(0x88, "\x03\xed"), "1005 on the wire"},
  };
  for (const auto& [bytes, name] : cases) EXPECT_EQ(Decode(bytes).back(), "error 1002") << name;
}

// Two bytes show it; the client may never send more.
TEST(FrameDecoderTest, RefusesAtTheSecondByte) {
  EXPECT_EQ(Decode("\x83\x80"s), Events({"error 1002"}));
  EXPECT_EQ(Decode("\x82\x80"s), Events({"error 1003"}));
}

TEST(FrameDecoderTest, RefusesBinaryMessages) {
  EXPECT_EQ(Decode(ClientFrame(0x82, "x")), Events({"error 1003"}));
}

TEST(FrameDecoderTest, RefusesAMessageOverTheLimitBeforeItsPayloadComes) {
  EXPECT_EQ(Decode(ClientFrame(0x81, std::string(kMax, 'x'))),
            Events({"text " + std::string(kMax, 'x')}));
  EXPECT_EQ(Decode(ClientFrame(0x81, std::string(kMax + 1, 'x')).substr(0, 8)),
            Events({"error 1009"}));
  EXPECT_EQ(Decode(ClientFrame(0x01, std::string(600, 'x')) +
                   ClientFrame(0x00, std::string(401, 'x')).substr(0, 8)),
            Events({"error 1009"}));
}

TEST(FrameDecoderTest, RefusesTextThatIsNotUtf8AsSoonAsItIsCertain) {
  // The frame says that 100 bytes follow; the second is wrong already.
  const std::string frame = ClientFrame(0x81, "a\xff" + std::string(98, 'x'));
  EXPECT_EQ(Decode(frame.substr(0, 8)), Events({"error 1007"}));
  EXPECT_EQ(Decode(ClientFrame(0x81, "\xc3")), Events({"error 1007"}));
  EXPECT_EQ(Decode(ClientFrame(0x01, "\xc3") + ClientFrame(0x80, "\xbc")), Events({"text ü"}));
}

TEST(FrameDecoderTest, ReadsCloseFrames) {
  EXPECT_EQ(Decode(ClientFrame(0x88, "")), Events({"close 1005"}));
  EXPECT_EQ(Decode(ClientFrame(0x88, "\x0f\xa1")), Events({"close 4001"}));
  EXPECT_EQ(Decode(ClientFrame(0x88, "\x03\xe8\xff")), Events({"error 1007"}));
}

TEST(FrameDecoderTest, KnowsWhichCloseCodesMayBeOnTheWire) {
  for (int code = 0; code <= 65535; ++code) {
    const bool allowed =
        (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
        (code >= 3000 && code <= 4999);
    ASSERT_EQ(IsCloseCodeOnWire(static_cast<uint16_t>(code)), allowed) << code;
  }
}

TEST(UnmaskTest, IsItsOwnInverseAtEveryPhaseAndLength) {
  const uint8_t mask[4] = {1, 2, 3, 4};
  for (uint8_t phase = 0; phase < 4; ++phase) {
    for (size_t size = 0; size < 20; ++size) {
      std::string bytes(size, 'x');
      Unmask(absl::MakeSpan(bytes), mask, phase);
      for (size_t i = 0; i < size; ++i)
        ASSERT_EQ(bytes[i], static_cast<char>('x' ^ mask[(phase + i) % 4]));
      Unmask(absl::MakeSpan(bytes), mask, phase);
      ASSERT_EQ(bytes, std::string(size, 'x'));
    }
  }
}

// A caller can see what a message will cost before it reads it.
TEST(FrameDecoderTest, TellsTheSizeOfTheMessageAhead) {
  for (const size_t payload :
       {size_t{0}, size_t{125}, size_t{126}, size_t{65'535}, size_t{65'536}}) {
    const std::string frame = ClientFrame(0x81, std::string(payload, 'x'));
    for (size_t known = 0; known <= 15 && known <= frame.size(); ++known) {
      FrameDecoder decoder;
      const uint64_t ahead = decoder.MessageBytesAhead(absl::string_view(frame).substr(0, known));
      const size_t header = frame.size() - payload;
      EXPECT_EQ(ahead, known < header ? 0 : frame.size()) << payload << " " << known;
    }
    // The header has come in part, or the payload has begun.
    for (size_t taken = 1; taken < frame.size() && taken <= 20; ++taken) {
      std::string bytes = frame;
      FrameDecoder decoder;
      absl::Span<char> input(bytes.data(), taken);
      ASSERT_EQ(decoder.Next(&input, 1 << 20), Event::kNeedMore);
      EXPECT_EQ(decoder.MessageBytesAhead(absl::string_view(bytes).substr(taken, 14)),
                frame.size() - taken);
    }
  }
  // Of a message of several frames, only a frame could be told.
  std::string first = ClientFrame(0x01, "ab");
  FrameDecoder decoder;
  EXPECT_EQ(decoder.MessageBytesAhead(first), 0u);
  absl::Span<char> input(first.data(), first.size() - 1);
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kNeedMore);
  EXPECT_EQ(decoder.MessageBytesAhead("x"), 0u);
  input = absl::Span<char>(first.data() + first.size() - 1, 1);
  ASSERT_EQ(decoder.Next(&input, kMax), Event::kNeedMore);
  EXPECT_EQ(decoder.MessageBytesAhead(ClientFrame(0x80, "c")), 0u);
  const std::string monstrous = "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"s;
  EXPECT_EQ(FrameDecoder().MessageBytesAhead(monstrous), ~uint64_t{0});
}

// RFC 7692 section 6: RSV1 is for the first frame of a message, and each message says for itself.
TEST(DeflatedFrameTest, TheFirstFrameOfAMessageMaySayThatItIsCompressed) {
  const std::string bytes = ClientFrame(0xc1, "\xff\x00"s) + ClientFrame(0x81, "plain") +
                            ClientFrame(0x41, "\xfe") + ClientFrame(0x89, "p") +
                            ClientFrame(0x80, "\xfd");
  for (size_t step = 1; step <= bytes.size(); ++step) {
    FrameDecoder decoder;
    decoder.AllowDeflated();
    std::string input = bytes;
    std::vector<std::string> seen;
    for (size_t at = 0; at < input.size(); at += step) {
      absl::Span<char> piece(&input[at], std::min(step, input.size() - at));
      for (Event event; (event = decoder.Next(&piece, kMax)) != Event::kNeedMore;) {
        seen.push_back(absl::StrCat(Name(event), decoder.is_deflated() ? " deflated " : " ",
                                    decoder.payload()));
        if (event == Event::kError) break;
      }
    }
    ASSERT_EQ(seen.size(), 4u) << step;
    EXPECT_EQ(seen[0], "text deflated \xff\x00"s);
    EXPECT_EQ(seen[1], "text plain");
    EXPECT_TRUE(seen[2].starts_with("ping ")) << seen[2];
    EXPECT_EQ(seen[3], "text deflated \xfe\xfd");
  }
}

TEST(DeflatedFrameTest, RefusesReservedBitsElsewhere) {
  const std::pair<std::string, CloseCode> cases[] = {
      {ClientFrame(0x01, "a") + ClientFrame(0xc0, "b"), CloseCode::kProtocolError},
      {ClientFrame(0xc9, "p"), CloseCode::kProtocolError},
      {ClientFrame(0xc8, ""), CloseCode::kProtocolError},
      {ClientFrame(0xe1, "a"), CloseCode::kProtocolError},
      {ClientFrame(0xd1, "a"), CloseCode::kProtocolError},
      {ClientFrame(0xa1, "a"), CloseCode::kProtocolError},
      {ClientFrame(0xc2, "a"), CloseCode::kUnsupportedData},
      // What is not compressed is checked as ever.
      {ClientFrame(0xc1, "\xff") + ClientFrame(0x81, "\xff"), CloseCode::kInvalidPayload},
  };
  for (const auto& [bytes, code] : cases) {
    FrameDecoder decoder;
    decoder.AllowDeflated();
    std::string input = bytes;
    absl::Span<char> rest(input.data(), input.size());
    Event event = Event::kText;
    while (event == Event::kText) event = decoder.Next(&rest, kMax);
    EXPECT_EQ(event, Event::kError) << absl::CHexEscape(bytes);
    EXPECT_EQ(decoder.close_code(), code) << absl::CHexEscape(bytes);
  }
  FrameDecoder strict;
  std::string input = ClientFrame(0xc1, "a");
  absl::Span<char> rest(input.data(), input.size());
  EXPECT_EQ(strict.Next(&rest, kMax), Event::kError) << "without the extension";
}

}  // namespace
}  // namespace groupcast::service
