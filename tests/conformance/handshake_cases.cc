// Section 4: the opening handshake, from the server's side.

#include <algorithm>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/conformance/case.h"
#include "tests/support/live_server.h"
#include "tests/support/raw_client.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

// A request that is correct until something is done to it.
class Request {
 public:
  Request& Line(absl::string_view line) {
    line_ = std::string(line);
    return *this;
  }
  Request& Add(absl::string_view name, absl::string_view value) {
    headers_.emplace_back(name, value);
    return *this;
  }
  Request& Remove(absl::string_view name) {
    std::erase_if(headers_, [name](const auto& header) { return header.first == name; });
    return *this;
  }
  Request& Set(absl::string_view name, absl::string_view value) {
    return Remove(name).Add(name, value);
  }

  std::string Bytes(absl::string_view end_of_line = "\r\n", absl::string_view colon = ": ") const {
    std::string bytes = absl::StrCat(line_, end_of_line);
    for (const auto& [name, value] : headers_)
      absl::StrAppend(&bytes, name, colon, value, end_of_line);
    return absl::StrCat(bytes, end_of_line);
  }

 private:
  std::string line_ = "GET / HTTP/1.1";
  std::vector<std::pair<std::string, std::string>> headers_ = {
      {"Host", "127.0.0.1"},
      {"Upgrade", "websocket"},
      {"Connection", "Upgrade"},
      {"Sec-WebSocket-Version", "13"},
      {"Sec-WebSocket-Key", std::string(kSampleKey)}};
};

struct HandshakeCase {
  std::string name;
  std::vector<std::string> writes;
  int status = 0;
  // Headers of the response; an empty value: it must not be there.
  std::vector<std::pair<std::string, std::string>> headers;
  // Of an accepted handshake.
  std::string key = std::string(kSampleKey);
  std::vector<ExpectedFrame> frames;
};

std::ostream& operator<<(std::ostream& out, const HandshakeCase& c) { return out << c.name; }

class HandshakeTest : public ::testing::TestWithParam<HandshakeCase> {
 public:
  // What came in answer: the response, or Failure.
  static HttpResponse ReadResponse(RawClient* client) {
    for (;;) {
      if (std::optional<HttpResponse> response = TakeResponse(&client->received()))
        return *std::move(response);
      if (!client->ReadMore() || client->state() != RawClient::State::kOpen) {
        throw Failure(absl::StrCat("no response, but: \"", Printable(client->received()), "\""));
      }
    }
  }

  static Frame ReadFrame(RawClient* client) {
    for (;;) {
      if (std::optional<Frame> frame = TakeFrame(&client->received())) return *std::move(frame);
      if (!client->ReadMore()) throw Failure("no frame after the handshake");
    }
  }
};

TEST_P(HandshakeTest, Holds) {
  const HandshakeCase& c = GetParam();
  RawClient client(LiveServer::port());
  std::string sent;
  for (const std::string& bytes : c.writes) {
    sent += bytes;
    if (!client.Write(bytes)) break;
  }
  SCOPED_TRACE(absl::StrCat("sent:\n", Printable(sent)));
  const HttpResponse response = ReadResponse(&client);
  ASSERT_EQ(response.status, c.status) << "and: " << client.received();
  for (const auto& [name, value] : c.headers) EXPECT_EQ(response.Header(name), value) << name;
  if (c.status != 101) {
    client.ReadToEnd();
    EXPECT_EQ(client.state(), RawClient::State::kClosed);
    EXPECT_NE(client.received(), "") << "the body says what was wrong";
    return;
  }
  // Section 4.2.2.
  EXPECT_EQ(response.Header("sec-websocket-accept"), AcceptFor(c.key));
  EXPECT_TRUE(absl::EqualsIgnoreCase(response.Header("upgrade"), "websocket"));
  EXPECT_TRUE(absl::EqualsIgnoreCase(response.Header("connection"), "upgrade"));
  EXPECT_EQ(response.Header("sec-websocket-extensions"), "");
  EXPECT_EQ(response.Header("content-length"), "");
  client.Write(MakeFrame(kPing, "open"));
  for (const ExpectedFrame& expected : c.frames) {
    const Frame frame = ReadFrame(&client);
    EXPECT_EQ(frame.opcode, expected.opcode);
    EXPECT_TRUE(expected.is_part ? absl::StrContains(frame.payload, expected.payload)
                                 : frame.payload == expected.payload)
        << frame.payload;
  }
  EXPECT_EQ(ReadFrame(&client).payload, "open");
}

#define HANDSHAKE_CASES(section, ...)      \
  INSTANTIATE_TEST_SUITE_P(                \
      section, HandshakeTest, __VA_ARGS__, \
      [](const ::testing::TestParamInfo<HandshakeCase>& info) { return info.param.name; })

HandshakeCase Accepted(const std::string& name, const Request& request) {
  return {.name = name, .writes = {request.Bytes()}, .status = 101};
}

HandshakeCase WithKey(const std::string& name, const std::string& key) {
  HandshakeCase c = Accepted(name, Request().Set("Sec-WebSocket-Key", key));
  c.key = key;
  return c;
}

HandshakeCase Refused(const std::string& name, int status, const Request& request) {
  return {.name = name, .writes = {request.Bytes()}, .status = status};
}

HandshakeCase Subprotocol(const std::string& name, const Request& request,
                          const std::string& chosen) {
  HandshakeCase c = Accepted(name, request);
  c.headers = {{"sec-websocket-protocol", chosen}};
  if (!chosen.empty())
    c.frames = {{.opcode = kText, .payload = "{\"event\":\"welcome\"", .is_part = true}};
  return c;
}

HandshakeCase Written(const std::string& name, std::vector<std::string> writes,
                      std::vector<ExpectedFrame> frames = {}) {
  return {.name = name, .writes = std::move(writes), .status = 101, .frames = std::move(frames)};
}

// A request of exactly so many bytes.
std::string OfSize(size_t bytes) {
  const size_t without = Request().Add("X-Fill", "").Bytes().size();
  return Request().Add("X-Fill", std::string(bytes - without, 'f')).Bytes();
}

HANDSHAKE_CASES(
    Section4_2_1_Accepted,
    ::testing::Values(
        Accepted("AsInTheRfc", Request()), WithKey("AnotherKey", "AAAAAAAAAAAAAAAAAAAAAA=="),
        WithKey("KeyOfAllBase64Signs", "+/+/+/abcXYZ012345678Q=="),
        Accepted("AnyPath", Request().Line("GET /chat/room?x=1&y=%20 HTTP/1.1")),
        Accepted("HostWithPort", Request().Set("Host", "localhost:1234")),
        Accepted("EmptyHost", Request().Set("Host", "")),
        Accepted("WithOrigin", Request().Add("Origin", "http://127.0.0.1:1234")),
        Accepted("WithNullOrigin", Request().Add("Origin", "null")),
        Accepted("WithOriginInOddCase", Request().Add("oRIGIN", "HTTP://LocalHost:1234")),
        Accepted("WithCookies", Request().Add("Cookie", "a=b").Add("Cookie", "c=d")),
        Accepted("UnknownHeaders", Request().Add("X-Something", "else").Add("Pragma", "no-cache")),
        Accepted("UpgradeInOddCase", Request().Set("Upgrade", "WebSocket")),
        Accepted("UpgradeOfSeveral", Request().Set("Upgrade", "h2c, websocket")),
        Accepted("ConnectionInOddCase", Request().Set("Connection", "uPGRADE")),
        Accepted("ConnectionOfSeveral", Request().Set("Connection", "keep-alive, Upgrade")),
        Accepted("ConnectionTwice",
                 Request().Set("Connection", "keep-alive").Add("Connection", "Upgrade")),
        Accepted("HeaderNamesInOddCase", Request()
                                             .Remove("Sec-WebSocket-Key")
                                             .Add("sEC-wEBSOCKET-kEY", kSampleKey)
                                             .Remove("Host")
                                             .Add("HOST", "localhost")),
        Accepted("ContentLengthOfZero", Request().Add("Content-Length", "0")),
        HandshakeCase{"NoSpaceAfterTheColon", {Request().Bytes("\r\n", ":")}, 101},
        HandshakeCase{"MuchSpaceAroundValues",
                      {Request().Add("X-A", "  b  ").Bytes("\r\n", ":  \t ")},
                      101}));

HANDSHAKE_CASES(
    Section4_2_1_Refused,
    ::testing::Values(
        Refused("NoKey", 400, Request().Remove("Sec-WebSocket-Key")),
        Refused("EmptyKey", 400, Request().Set("Sec-WebSocket-Key", "")),
        Refused("KeyOf15Bytes", 400, Request().Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA")),
        Refused("KeyOf17Bytes", 400,
                Request().Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA=")),
        Refused("KeyNotBase64", 400,
                Request().Set("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==")),
        Refused("KeyWithoutPadding", 400,
                Request().Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA")),
        Refused("KeyTwice", 400, Request().Add("Sec-WebSocket-Key", kSampleKey)),
        Refused("NoHost", 400, Request().Remove("Host")),
        Refused("HostTwice", 400, Request().Add("Host", "b")),
        Refused("HostWithUserInformation", 400, Request().Set("Host", "localhost@a")),
        Refused("HostWithPortOutOfRange", 400, Request().Set("Host", "localhost:65536")),
        Refused("OriginTwice", 400,
                Request().Add("Origin", "http://localhost").Add("Origin", "http://localhost")),
        Refused("OriginEmpty", 400, Request().Add("Origin", "")),
        Refused("OriginWithPath", 400, Request().Add("Origin", "http://localhost/")),
        Refused("OriginWithUserInformation", 400, Request().Add("Origin", "http://localhost@a")),
        Refused("NoUpgrade", 400, Request().Remove("Upgrade")),
        Refused("UpgradeToSomethingElse", 400, Request().Set("Upgrade", "h2c")),
        Refused("UpgradeThatOnlyBeginsRight", 400, Request().Set("Upgrade", "websockets")),
        Refused("NoConnection", 400, Request().Remove("Connection")),
        Refused("ConnectionWithoutUpgrade", 400, Request().Set("Connection", "keep-alive")),
        Refused("Post", 400, Request().Line("POST / HTTP/1.1")),
        Refused("Head", 400, Request().Line("HEAD / HTTP/1.1")),
        Refused("MethodInLowerCase", 400, Request().Line("get / HTTP/1.1")),
        Refused("Http10", 400, Request().Line("GET / HTTP/1.0")),
        Refused("Http12", 400, Request().Line("GET / HTTP/1.2")),
        Refused("Http20", 400, Request().Line("GET / HTTP/2.0")),
        Refused("NoHttpVersion", 400, Request().Line("GET /")),
        Refused("NotHttp", 400, Request().Line("hello")),
        Refused("ChunkedBody", 400, Request().Add("Transfer-Encoding", "chunked")),
        Refused("HeaderNameWithSpace", 400, Request().Add("X Y", "z")),
        Refused("NulInAValue", 400, Request().Add("X-Y", absl::string_view("a\0b", 3))),
        HandshakeCase{"Body", {Request().Add("Content-Length", "4").Bytes() + "body"}, 400},
        HandshakeCase{
            "ContentLengthThatIsNoNumber", {Request().Add("Content-Length", "x").Bytes()}, 400},
        // RFC 9112 lets a server take a bare LF for the end of a line; this one does not.
        HandshakeCase{"LinesThatEndInLfOnly", {Request().Bytes("\n") + "\r\n\r\n"}, 400},
        HandshakeCase{"LinesThatEndInCrOnly", {Request().Bytes("\r") + "\r\n\r\n"}, 400}));

HANDSHAKE_CASES(
    Section4_2_2_Forbidden,
    ::testing::Values(
        Refused("OriginOfAnotherSite", 403, Request().Add("Origin", "http://evil.example")),
        Refused("OriginThatBeginsLikeALoopbackAddress", 403,
                Request().Add("Origin", "http://127.0.0.1.evil.example")),
        Refused("HostOfAnotherSite", 403, Request().Set("Host", "evil.example")),
        Refused("OwnOriginOfAnotherSite", 403,
                Request().Set("Host", "evil.example").Add("Origin", "http://evil.example"))));

HANDSHAKE_CASES(
    Section4_4_Version,
    ::testing::Values(HandshakeCase{"Version8",
                                    {Request().Set("Sec-WebSocket-Version", "8").Bytes()},
                                    426,
                                    {{"sec-websocket-version", "13"}}},
                      HandshakeCase{"Version14",
                                    {Request().Set("Sec-WebSocket-Version", "14").Bytes()},
                                    426,
                                    {{"sec-websocket-version", "13"}}},
                      HandshakeCase{"VersionMissing",
                                    {Request().Remove("Sec-WebSocket-Version").Bytes()},
                                    426,
                                    {{"sec-websocket-version", "13"}}},
                      HandshakeCase{"VersionEmpty",
                                    {Request().Set("Sec-WebSocket-Version", "").Bytes()},
                                    426,
                                    {{"sec-websocket-version", "13"}}},
                      HandshakeCase{"VersionWithLeadingZero",
                                    {Request().Set("Sec-WebSocket-Version", "013").Bytes()},
                                    426,
                                    {{"sec-websocket-version", "13"}}},
                      HandshakeCase{"VersionTwice",
                                    {Request().Add("Sec-WebSocket-Version", "8").Bytes()},
                                    426,
                                    {{"sec-websocket-version", "13"}}}));

HANDSHAKE_CASES(
    Section4_1_PlainHttp,
    ::testing::Values(
        HandshakeCase{"GetWithoutUpgrade",
                      {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
                      426,
                      {{"upgrade", "websocket"}, {"sec-websocket-version", "13"}}},
        HandshakeCase{"PostWithoutUpgrade",
                      {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"},
                      405},
        HandshakeCase{"Healthz", {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"}, 200}));

HANDSHAKE_CASES(
    Section1_9_Subprotocol,
    ::testing::Values(
        Subprotocol("None", Request(), ""),
        Subprotocol("Known", Request().Add("Sec-WebSocket-Protocol", kV1), "groupcast.v1.json"),
        Subprotocol("KnownAfterUnknown",
                    Request().Add("Sec-WebSocket-Protocol", "chat, groupcast.v1.json"),
                    "groupcast.v1.json"),
        Subprotocol(
            "KnownInASecondHeader",
            Request().Add("Sec-WebSocket-Protocol", "chat").Add("Sec-WebSocket-Protocol", kV1),
            "groupcast.v1.json"),
        Subprotocol("Unknown", Request().Add("Sec-WebSocket-Protocol", "chat, superchat"), ""),
        // Section 4.2.2: what is chosen must be one of the client's values, and those differ in
        // case.
        Subprotocol("InOddCase", Request().Add("Sec-WebSocket-Protocol", "Groupcast.V1.JSON"), ""),
        Subprotocol("OnlyBeginsLikeAKnownOne",
                    Request().Add("Sec-WebSocket-Protocol", "groupcast.v1.json2"), "")));

HANDSHAKE_CASES(
    Section9_1_ExtensionsAreDeclined,
    ::testing::Values(
        Accepted("PermessageDeflate", Request().Add("Sec-WebSocket-Extensions",
                                                    "permessage-deflate; client_max_window_bits")),
        Accepted("Several", Request().Add("Sec-WebSocket-Extensions",
                                          "x-webkit-deflate-frame, permessage-deflate")),
        Accepted("Malformed", Request().Add("Sec-WebSocket-Extensions", ";;;,,=\""))));

HANDSHAKE_CASES(
    Section4_2_BytesOnTheWire,
    ::testing::Values(
        Written("InWritesOfOneByte", OneByOne(Request().Bytes())),
        Written("CutInsideOfTheLastEmptyLine",
                {Request().Bytes().substr(0, Request().Bytes().size() - 1), "\n"}),
        Written("WithTheFirstFrame", {Request().Bytes() + TextFrame(Echo("early"))},
                {Echoed("early")}),
        Written("WithSeveralFrames",
                {Request().Bytes() + TextFrame(Echo("1")) + MakeFrame(kPing, "2") +
                 TextFrame(Echo("3"))},
                {Echoed("1"), PongFrame("2"), Echoed("3")}),
        Written("WithTheBeginningOfAFrame",
                {Request().Bytes() + TextFrame(Echo("cut")).substr(0, 9),
                 TextFrame(Echo("cut")).substr(9)},
                {Echoed("cut")}),
        Written("InWritesOfOneByteWithAFrame",
                OneByOne(Request().Bytes() + TextFrame(Echo("slow"))), {Echoed("slow")}),
        Written("HeaderOf8192Bytes", {OfSize(8'192)}),
        HandshakeCase{"HeaderOf8193Bytes", {OfSize(8'193)}, 431},
        HandshakeCase{"HeaderOf64KiB", {OfSize(65'536)}, 431},
        HandshakeCase{
            "HeaderWithoutEnd", {"GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x')}, 431},
        HandshakeCase{
            "LongRequestLine",
            {Request().Line(absl::StrCat("GET /", std::string(10'000, 'a'), " HTTP/1.1")).Bytes()},
            431},
        HandshakeCase{"GarbageWithoutEnd", {std::string(20'000, '\xff')}, 400}));

// RFC 9112 section 2.2: a server ignores at least one empty line before the request line.
HANDSHAKE_CASES(
    Rfc9112_Section2_2_EmptyLines,
    ::testing::Values(Written("One", {"\r\n" + Request().Bytes()}),
                      Written("OneOfBareLf", {"\n" + Request().Bytes()}),
                      Written("Several", {"\r\n\r\n\n" + Request().Bytes()}),
                      Written("InWritesOfOneByte", OneByOne("\r\n\r\n" + Request().Bytes())),
                      Written("WithTheFirstFrame",
                              {"\r\n" + Request().Bytes() + TextFrame(Echo("early"))},
                              {Echoed("early")}),
                      HandshakeCase{"BeforePlainHttp",
                                    {"\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"},
                                    200},
                      HandshakeCase{"WithoutEnd", {std::string(20'000, '\n')}, 431}));

// A client that does not speak HTTP/1 gets its answer at once, and not at the end of a head that it
// never sends.
HANDSHAKE_CASES(
    Strangers,
    ::testing::Values(
        HandshakeCase{"TlsClientHello", {"\x16\x03\x01"}, 400},
        HandshakeCase{"Http2Preface", {"PRI * HTTP/2.0\r\n"}, 505},
        HandshakeCase{"ProxyProtocol", {"PROXY TCP4 10.0.0.1 10.0.0.2 4000 1234\r\n"}, 400},
        HandshakeCase{"ProxyProtocolVersion2", {std::string("\r\n\r\n\0\r\nQUIT\n", 12)}, 400},
        HandshakeCase{"FrameWithoutHandshake", {TextFrame("hello")}, 400},
        HandshakeCase{"LineThatIsNoRequest", {"EHLO example.org\r\n"}, 400},
        HandshakeCase{"HeadOfBareLf", {Request().Bytes("\n")}, 400}));

// An extension that was offered and declined gives its bit no meaning.
TEST(Section9_1_DeclinedExtension, LeavesItsBitReserved) {
  RawClient client(LiveServer::port());
  client.Write(Request().Add("Sec-WebSocket-Extensions", "permessage-deflate").Bytes());
  EXPECT_EQ(HandshakeTest::ReadResponse(&client).status, 101);
  client.Write(MakeFrame(kText, "\xca\x48\xcd\xc9\xc9\x07\x00", {.reserved_bits = 4}));
  EXPECT_EQ(HandshakeTest::ReadFrame(&client).close_code(), 1002);
}

// Section 1.3's own example, to the letter.
TEST(Section1_3_Accept, IsAsInTheRfc) {
  EXPECT_EQ(AcceptFor(kSampleKey), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace groupcast::tests
