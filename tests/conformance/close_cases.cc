// Sections 5.5.1 and 7: the closing handshake, its codes and reasons, and the end of the TCP
// connection.

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/conformance/case.h"
#include "tests/support/live_server.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

std::vector<Case> CodeCases(std::initializer_list<int> codes, bool valid) {
  std::vector<Case> cases;
  for (const int code : codes) {
    cases.push_back(
        {absl::StrCat("Code", code), {CloseFrame(code, "bye")}, Closes(valid ? code : 1002)});
  }
  return cases;
}

CONFORMANCE_CASES(Section7_4_CodesThatAreEchoed,
                  ::testing::ValuesIn(CodeCases({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                                 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4001,
                                                 4999},
                                                /*valid=*/true)));

CONFORMANCE_CASES(Section7_4_CodesThatAreReserved,
                  ::testing::ValuesIn(CodeCases({0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100,
                                                 2000, 2999, 5000, 65535},
                                                /*valid=*/false)));

CONFORMANCE_CASES(
    Section5_5_1_Close,
    ::testing::Values(
        Case{"Empty", {MakeFrame(kClose, "")}, Closes(kNoCloseCode)},
        Case{"HalfACode", {MakeFrame(kClose, "\x03")}, Closes(1002)},
        Case{"CodeWithoutReason", {CloseFrame(1000)}, Closes(1000)},
        Case{"ReasonOf123Bytes", {CloseFrame(1000, std::string(123, 'r'))}, Closes(1000)},
        Case{"ReasonOf124Bytes", {CloseFrame(1000, std::string(124, 'r'))}, Closes(1002)},
        Case{"ReasonInArabic", {CloseFrame(1000, "إلى اللقاء")}, Closes(1000)},
        Case{"ReasonWithAnInvalidByte", {CloseFrame(1000, "\xff")}, Closes(1007)},
        Case{"ReasonWithASurrogate", {CloseFrame(1000, "\xed\xa0\x80")}, Closes(1007)},
        Case{"ReasonThatEndsInsideOfACharacter", {CloseFrame(1000, "\xe2\x82")}, Closes(1007)},
        Case{"InWritesOfOneByte", OneByOne(CloseFrame(1000, "bye")), Closes(1000)},
        Case{"AfterCommandsInOneWrite",
             {TextFrame(Echo("x")) + MakeFrame(kPing, "1") + CloseFrame(1000)},
             Closes(1000, {Echoed("x"), PongFrame("1")})},
        Case{"TextAfterItIsIgnored", {CloseFrame(1000) + TextFrame(Echo("x"))}, Closes(1000)},
        Case{"PingAfterItIsIgnored", {CloseFrame(1000) + MakeFrame(kPing, "1")}, Closes(1000)},
        Case{"SecondCloseIsIgnored", {CloseFrame(1000) + CloseFrame(1001)}, Closes(1000)},
        Case{"GarbageAfterItIsIgnored",
             {CloseFrame(1000) + std::string(100'000, '\xff')},
             Closes(1000)}));

CONFORMANCE_CASES(
    Section7_1_7_FailTheConnection,
    ::testing::Values(
        Case{"NothingIsReadAfterTheError",
             {MakeFrame(0x3, "") + TextFrame(Echo("x"))},
             Closes(1002)},
        Case{
            "TheErrorThatComesFirstCounts", {TextFrame("\xff") + MakeFrame(0x3, "")}, Closes(1007)},
        Case{"GarbageInsteadOfFrames", {std::string(100'000, '\xff')}, Closes(1002)},
        Case{"HttpInsteadOfFrames", {"GET / HTTP/1.1\r\nHost: a\r\n\r\n"}, Closes(1002)},
        Case{"AnswersThatAreDueComeBeforeIt",
             {TextFrame(Echo("x")) + MakeFrame(kPing, "1") + TextFrame("\xff")},
             Closes(1007, {Echoed("x"), PongFrame("1")})}));

// The client answers the server's close frame, late; until then the server's side of TCP is closed
// and it only listens.
TEST(Section7_1_ClosingHandshake, BegunByTheServerEndsWithTheClientsAnswer) {
  TestClient client(LiveServer::port());
  client.Send("\xff");
  EXPECT_EQ(client.NextFrame().close_code(), 1007);
  client.Send(Echo("ignored"));
  EXPECT_TRUE(client.raw().Write(CloseFrame(1007)));
  client.raw().CloseWriting();
  client.raw().ReadToEnd();
  EXPECT_EQ(client.raw().state(), RawClient::State::kClosed);
  EXPECT_EQ(client.raw().received(), "");
}

TEST(Section7_1_ClosingHandshake, BothSidesAtOnce) {
  TestClient client(LiveServer::port());
  client.raw().Write(TextFrame("\xff") + CloseFrame(1000));
  EXPECT_EQ(client.NextFrame().close_code(), 1007);
  client.raw().CloseWriting();
  client.raw().ReadToEnd();
  EXPECT_EQ(client.raw().state(), RawClient::State::kClosed);
  EXPECT_EQ(client.raw().received(), "");
}

// Section 7.1.4: closed, though not cleanly. What was on its way to the server is carried out.
TEST(Section7_1_ClosingHandshake, TcpClosedByTheClientWithoutACloseFrame) {
  TestClient member(LiveServer::port());
  member.Join("half-closed");
  {
    TestClient client(LiveServer::port());
    client.Send(SendToGroup("\"half-closed\"", "\"last words\""));
    client.raw().CloseWriting();
    client.raw().ReadToEnd();
    EXPECT_EQ(client.raw().received(), "");
  }
  EXPECT_EQ(member.NextText(), "last words");
}

TEST(Section7_1_ClosingHandshake, TcpClosedInsideOfAFrame) {
  TestClient client(LiveServer::port());
  client.raw().Write(TextFrame(Echo("never whole")).substr(0, 12));
  client.raw().CloseWriting();
  client.raw().ReadToEnd();
  EXPECT_EQ(client.raw().received(), "");
}

TEST(Section7_1_ClosingHandshake, TcpClosedInsideOfTheHandshake) {
  RawClient client(LiveServer::port());
  client.Write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  client.CloseWriting();
  client.ReadToEnd();
  EXPECT_EQ(client.received(), "");
}

}  // namespace
}  // namespace groupcast::tests
