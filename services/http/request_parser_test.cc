#include "services/http/request_parser.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

namespace http = boost::beast::http;
using Result = RequestParser::Result;
using testing::HasSubstr;

// Reads until a request is whole or refused, over kHead.
Result ReadAll(RequestParser* parser, absl::string_view input) {
  Result result = parser->Read(input);
  while (result == Result::kHead) result = parser->Read("");
  return result;
}

// The status of the refusal. 0: it is not refused.
int StatusOf(absl::string_view input, const RequestLimits& limits = {}) {
  RequestParser parser(limits);
  return ReadAll(&parser, input) == Result::kDefect ? parser.defect().status : 0;
}

TEST(RequestParserTest, ReadsARequestWithItsBody) {
  RequestParser parser({});
  ASSERT_EQ(ReadAll(&parser,
                    "POST /v1/x?a=b HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                    "Content-Length: 4\r\n\r\n\"hi\""),
            Result::kRequest);
  EXPECT_EQ(parser.method(), "POST");
  EXPECT_EQ(parser.target(), "/v1/x?a=b");
  EXPECT_EQ(parser.Field(http::field::content_type), "application/json");
  EXPECT_EQ(parser.Field("content-type"), "application/json");
  EXPECT_EQ(parser.Field("idempotency-key"), std::nullopt);
  EXPECT_EQ(parser.body(), "\"hi\"");
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_FALSE(parser.is_inside());
}

TEST(RequestParserTest, AnyCutGivesTheSameRequests) {
  const std::string bytes =
      "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
      "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nde\r\n1;x=y\r\nf\r\n0\r\nTrailer: t\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: h\r\n\r\n";
  for (size_t cut = 1; cut <= bytes.size(); ++cut) {
    RequestParser parser({});
    std::vector<std::string> seen;
    for (size_t at = 0; at < bytes.size(); at += cut) {
      Result result = ReadAll(&parser, absl::string_view(bytes).substr(at, cut));
      while (result == Result::kRequest) {
        seen.push_back(absl::StrCat(parser.method(), " ", parser.target(), " ", parser.body()));
        parser.Next();
        result = ReadAll(&parser, "");
      }
      ASSERT_EQ(result, Result::kNeedMore) << cut << " " << parser.defect().message;
    }
    EXPECT_THAT(seen, testing::ElementsAre("POST /a abc", "POST /b def", "GET /c ")) << cut;
  }
}

TEST(RequestParserTest, TellsOfAHeadBeforeItsBody) {
  RequestParser parser({});
  ASSERT_EQ(parser.Read("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                        "Content-Length: 2\r\n\r\n"),
            Result::kHead);
  EXPECT_TRUE(parser.expects_continue());
  EXPECT_TRUE(parser.is_inside());
  EXPECT_EQ(parser.Read(""), Result::kNeedMore);
  EXPECT_EQ(parser.Read("ok"), Result::kRequest);
}

TEST(RequestParserTest, RefusesWhatTwoReadersCouldCutDifferently) {
  const auto with = [](absl::string_view fields) {
    return absl::StrCat("POST / HTTP/1.1\r\nHost: h\r\n", fields, "\r\n0\r\n\r\n");
  };
  EXPECT_EQ(StatusOf(with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Content-Length: 5\r\nContent-Length: 5\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Content-Length: 5\r\nContent-Length: 6\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Content-Length: 5, 5\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Content-Length: +5\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Content-Length: -1\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Content-Length : 5\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Transfer-Encoding: gzip\r\n")), 501);
  EXPECT_EQ(StatusOf(with("Transfer-Encoding: gzip, chunked\r\n")), 501);
  EXPECT_EQ(StatusOf(with("Transfer-Encoding: identity\r\n")), 501);
  EXPECT_EQ(StatusOf(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(StatusOf(with("Transfer-Encoding: xchunked\r\n")), 501);
  EXPECT_EQ(StatusOf(with("Transfer-Encoding: chunked\r\n")), 0);
  EXPECT_EQ(StatusOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
}

TEST(RequestParserTest, RefusesBadRequests) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\n\r\n"), 400) << "no host";
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("\x16\x03\x01 garbage\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n"), 417);
}

TEST(RequestParserTest, HasBounds) {
  const RequestLimits limits{.head_bytes_max = 200, .body_bytes_max = 10};
  const std::string line = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  EXPECT_EQ(StatusOf(absl::StrCat(line, std::string(100, 'x'), "\r\n\r\n"), limits), 0);
  EXPECT_EQ(StatusOf(absl::StrCat(line, std::string(200, 'x'), "\r\n\r\n"), limits), 431);
  EXPECT_EQ(StatusOf(std::string(300, 'x'), limits), 431) << "without an end";
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(StatusOf(absl::StrCat(post, "Content-Length: 10\r\n\r\n0123456789"), limits), 0);
  EXPECT_EQ(StatusOf(absl::StrCat(post, "Content-Length: 11\r\n\r\n"), limits), 413);
  const std::string chunked = absl::StrCat(post, "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(StatusOf(absl::StrCat(chunked, "a\r\n0123456789\r\n0\r\n\r\n"), limits), 0);
  EXPECT_EQ(StatusOf(absl::StrCat(chunked, "a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n"), limits), 413);
  EXPECT_EQ(StatusOf(absl::StrCat(chunked, "fffffffffffffffff\r\n"), limits), 400);
  EXPECT_EQ(StatusOf(absl::StrCat(chunked, "1;", std::string(300, 'x')), limits), 400)
      << "an extension without an end";
}

TEST(RequestParserTest, TheNumberOfFieldsIsBounded) {
  std::string fields;
  for (int i = 0; i < 100; ++i) fields += "a: \r\n";
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\n" + fields + "\r\n"), 0);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\n" + fields + "b: \r\n\r\n"), 431);
}

// The bounds of the lines between chunks are the same for one piece and for many.
TEST(RequestParserTest, ChunksComeInLargePieces) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string chunks;
  for (int i = 0; i < 20'000; ++i) chunks += "2;x=yz\r\nab\r\n";
  RequestParser parser({});
  ASSERT_EQ(ReadAll(&parser, head + chunks + "0\r\n\r\n"), Result::kRequest);
  EXPECT_EQ(parser.body().size(), 40'000u);
  EXPECT_EQ(StatusOf(head + "1;x=" + std::string(20'000, 'y') + "\r\na\r\n0\r\n\r\n"), 400);
}

TEST(RequestParserTest, DropForgetsAll) {
  RequestParser parser({});
  const std::string request =
      absl::StrCat("GET / HTTP/1.1\r\nHost: ", std::string(1'000, 'h'), "\r\n\r\n");
  ASSERT_EQ(ReadAll(&parser, request + request), Result::kRequest);
  EXPECT_GT(parser.buffered_bytes(), 2'000u) << "the head counts too";
  parser.Drop();
  EXPECT_EQ(parser.buffered_bytes(), 0u);
  EXPECT_FALSE(parser.is_inside());
}

TEST(RequestParserTest, KnowsWhetherTheConnectionGoesOn) {
  RequestParser closing({});
  ASSERT_EQ(ReadAll(&closing, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            Result::kRequest);
  EXPECT_FALSE(closing.keep_alive());
  RequestParser old({});
  ASSERT_EQ(ReadAll(&old, "GET / HTTP/1.0\r\n\r\n"), Result::kRequest);
  EXPECT_FALSE(old.keep_alive());
}

TEST(RequestParserTest, StaysRefused) {
  RequestParser parser({});
  ASSERT_EQ(parser.Read("x\r\n\r\n"), Result::kDefect);
  EXPECT_THAT(parser.defect().message, HasSubstr("HTTP/1.1"));
  EXPECT_EQ(parser.Read("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), Result::kDefect);
  EXPECT_EQ(parser.buffered_bytes(), 0u);
}

}  // namespace
}  // namespace groupcast::service
