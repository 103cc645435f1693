#include "services/websocket_service/http/request_reader.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kHandshake[] =
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

std::string Bytes(absl::string_view text) { return std::string(text); }

// What became of bytes that came in pieces of one size.
struct Outcome {
  std::optional<HttpAnswer> answer;
  size_t taken = 0;       // bytes that had come by then
  std::string remaining;  // the bytes of the last piece after the head
};

Outcome Read(std::string bytes, size_t piece) {
  RequestReader reader;
  Outcome outcome;
  while (outcome.taken < bytes.size()) {
    const size_t size = std::min(piece, bytes.size() - outcome.taken);
    absl::Span<char> input(bytes.data() + outcome.taken, size);
    outcome.taken += size;
    outcome.answer = reader.Read(&input, {});
    if (!outcome.answer.has_value()) continue;
    outcome.remaining = std::string(input.data(), input.size());
    break;
  }
  return outcome;
}

// The number of bytes after which the answer came. 0: none came.
size_t AnsweredAfter(const std::string& bytes) {
  const Outcome outcome = Read(bytes, 1);
  return outcome.answer.has_value() ? outcome.taken : 0;
}

TEST(RequestReaderTest, FindsTheEndOfTheHeadHoweverItComes) {
  const std::string bytes = absl::StrCat(kHandshake, "frame");
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Outcome outcome = Read(bytes, piece);
    ASSERT_TRUE(outcome.answer.has_value()) << piece;
    EXPECT_TRUE(outcome.answer->upgraded) << outcome.answer->bytes;
    EXPECT_EQ(outcome.taken - outcome.remaining.size(), sizeof(kHandshake) - 1) << piece;
  }
}

TEST(RequestReaderTest, SkipsEmptyLinesBeforeTheRequestLine) {
  for (const char* lines : {"\r\n", "\n", "\r\n\r\n", "\n\n\n", "\r\n\n\r\n"}) {
    const std::string bytes = absl::StrCat(lines, kHandshake, "frame");
    for (size_t piece = 1; piece <= bytes.size(); ++piece) {
      const Outcome outcome = Read(bytes, piece);
      ASSERT_TRUE(outcome.answer.has_value()) << piece;
      EXPECT_TRUE(outcome.answer->upgraded) << piece << ": " << outcome.answer->bytes;
      EXPECT_EQ(outcome.taken - outcome.remaining.size(), bytes.size() - 5) << piece;
    }
  }
}

TEST(RequestReaderTest, EmptyLinesCountInTheBound) {
  const std::string fits(kRequestBytesMax - (sizeof(kHandshake) - 1), '\n');
  EXPECT_TRUE(Read(fits + kHandshake, 64 * 1024).answer->upgraded);
  EXPECT_THAT(Read(fits + "\n" + kHandshake, 64 * 1024).answer->bytes, StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(AnsweredAfter(std::string(2 * kRequestBytesMax, '\n')), kRequestBytesMax);
}

TEST(RequestReaderTest, TlsIsRefusedAtItsSecondByte) {
  const std::string hello = Bytes({"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", 11});
  EXPECT_EQ(AnsweredAfter(hello), 2u);
  const HttpAnswer answer = *Read(hello, hello.size()).answer;
  EXPECT_EQ(answer.refusal, Refusal::kTls);
  EXPECT_THAT(answer.bytes, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer.bytes, HasSubstr("TLS"));
  EXPECT_EQ(Read("\x16\x02", 2).answer->refusal, Refusal::kUnknownProtocol);
}

TEST(RequestReaderTest, Http2IsRefusedAtItsFirstLine) {
  const HttpAnswer answer = *Read("PRI * HTTP/2.0\r\n", 1).answer;
  EXPECT_EQ(answer.refusal, Refusal::kHttp2);
  EXPECT_THAT(answer.bytes, StartsWith("HTTP/1.1 505 "));
}

TEST(RequestReaderTest, TheProxyProtocolIsRefusedInBothVersions) {
  const std::string text = "PROXY TCP4 10.0.0.1 10.0.0.2 4000 1234\r\n";
  EXPECT_EQ(AnsweredAfter(text + kHandshake), text.size());
  EXPECT_EQ(Read(text, 1).answer->refusal, Refusal::kProxyProtocol);
  const std::string binary = Bytes({"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c", 16});
  EXPECT_EQ(AnsweredAfter(binary), 12u);
  EXPECT_EQ(Read(binary, 1).answer->refusal, Refusal::kProxyProtocol);
}

TEST(RequestReaderTest, WhatNoMethodBeginsWithIsRefusedAtItsFirstByte) {
  // A frame without a handshake, SOCKS, ZeroMQ, MQTT.
  for (const char first : {'\x81', '\x05', '\xff', '\x10', ' ', '{', '\x7f'}) {
    EXPECT_EQ(AnsweredAfter(std::string(100, first)), 1u);
    EXPECT_EQ(Read(std::string(100, first), 1).answer->refusal, Refusal::kUnknownProtocol);
  }
  EXPECT_EQ(AnsweredAfter(Bytes({"\0x", 2})), 2u);
  EXPECT_EQ(AnsweredAfter("\rGET"), 2u);
}

TEST(RequestReaderTest, ALineThatIsNoRequestIsRefusedAtItsEnd) {
  for (const std::string line :
       {"SSH-2.0-OpenSSH_9.2\r\n", "EHLO example.org\r\n", "*1\r\n", "GET /\r\n", "hello\n"}) {
    EXPECT_EQ(AnsweredAfter(line + kHandshake), line.size()) << line;
    EXPECT_EQ(Read(line, 1).answer->refusal, Refusal::kUnknownProtocol) << line;
  }
}

TEST(RequestReaderTest, AHeadOfBareLfIsRefusedAtItsEnd) {
  const std::string head = "GET / HTTP/1.1\nHost: a\n\n";
  EXPECT_EQ(AnsweredAfter(head + "more"), head.size());
  EXPECT_THAT(Read(head, 1).answer->bytes, StartsWith("HTTP/1.1 400 "));
}

TEST(RequestReaderTest, AnythingElseWaitsForMore) {
  for (const char* part :
       {"", "\r", "\r\n", "\r\n\r", "\x16", "G", "GET / HTTP/1.1", "PROXY TCP4 1",
        "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r"}) {
    EXPECT_EQ(AnsweredAfter(part), 0u) << part;
  }
}

}  // namespace
}  // namespace groupcast::service
