// What servers say here is what they have said: Nchan 1.3.6, Socket.IO 4.8.4, nats-server 2.9.10.

#include "tools/bench_load/peer_dialects.h"

#include <string>

#include "gtest/gtest.h"
#include "tools/bench_load/dialect_testing.h"

namespace groupcast::bench {
namespace {

using Kind = Received::Kind;

// The opcode, and what a client's frame says.
std::string OpcodeAndText(const std::string& frame) {
  return (frame[0] == '\x81' ? "text:" : frame[0] == '\x82' ? "binary:" : "?:") + Unmasked(frame);
}

std::string Join(const Dialect& dialect) {
  std::string join;
  dialect.AppendJoin(Group{3}, &join);
  return join.empty() ? "" : OpcodeAndText(join);
}

std::string Leave(const Dialect& dialect) {
  EXPECT_TRUE(dialect.CanLeave());
  std::string leave;
  dialect.AppendLeave(Group{3}, &leave);
  return OpcodeAndText(leave);
}

std::string Send(const Dialect& dialect) {
  std::string send;
  dialect.AppendSend(Group{3}, "hello", &send);
  return OpcodeAndText(send);
}

void ExpectMessage(const Received& received) {
  EXPECT_EQ(received.kind, Kind::kMessage);
  EXPECT_EQ(received.stamp, kStamp);
  EXPECT_EQ(received.answer, "");
}

void ExpectAnswer(const Received& received, Kind kind, const std::string& answer) {
  EXPECT_EQ(received.kind, kind);
  EXPECT_EQ(received.answer, answer);
}

TEST(Nchan, JoinsWithTheAddress) {
  const auto dialect = NewNchan();
  EXPECT_TRUE(dialect->Handshake(Group{3}).starts_with("GET /g/g3 HTTP/1.1\r\n"));
  EXPECT_FALSE(dialect->ServerGreets());
  EXPECT_EQ(Join(*dialect), "");
  EXPECT_FALSE(dialect->CanLeave());
  EXPECT_EQ(Send(*dialect), "text:hello");
  ExpectMessage(dialect->Read(Message()));
  EXPECT_EQ(dialect->Read("queued messages: 1\r\n").kind, Kind::kOther);
}

TEST(SocketIo, IsReadyWhenItsNamespaceIs) {
  const auto dialect = NewSocketIo();
  EXPECT_TRUE(
      dialect->Handshake(Group{3}).starts_with("GET /socket.io/?EIO=4&transport=websocket HTTP"));
  EXPECT_TRUE(dialect->ServerGreets());
  ExpectAnswer(dialect->Read(R"(0{"sid":"StVWlmdqbgxXcal4AAAA","upgrades":[],"pingInterval":25000,)"
                             R"("pingTimeout":20000,"maxPayload":1000000})"),
               Kind::kOther, "40");
  ExpectAnswer(dialect->Read(R"(40{"sid":"wf--KmTZX9hTTcvwAAAA"})"), Kind::kReady, "");
  EXPECT_EQ(dialect->Read(R"(44{"message":"Invalid namespace"})").kind, Kind::kError);
}

TEST(SocketIo, JoinsAndSendsWithEvents) {
  const auto dialect = NewSocketIo();
  EXPECT_EQ(Join(*dialect), R"(text:421["join","g3"])");
  ExpectAnswer(dialect->Read("431[]"), Kind::kJoined, "");
  EXPECT_EQ(Leave(*dialect), R"(text:42["leave","g3"])");
  EXPECT_EQ(Send(*dialect), R"(text:42["send","g3","hello"])");
  ExpectMessage(dialect->Read(R"(42["message",")" + Message() + R"("])"));
  EXPECT_EQ(dialect->Read(R"(42["other","x"])").kind, Kind::kOther);
}

TEST(SocketIo, AnswersPings) { ExpectAnswer(NewSocketIo()->Read("2"), Kind::kOther, "3"); }

TEST(Ws, SpeaksAsItsServer) {
  const auto dialect = NewWs();
  EXPECT_EQ(Join(*dialect), "text:jg3");
  EXPECT_EQ(dialect->Read("joined").kind, Kind::kJoined);
  EXPECT_EQ(Leave(*dialect), "text:lg3");
  EXPECT_EQ(Send(*dialect), "text:sg3 hello");
  ExpectMessage(dialect->Read(Message()));
}

TEST(Nats, ConnectsWhenItIsGreeted) {
  const auto dialect = NewNats();
  EXPECT_TRUE(dialect->ServerGreets());
  EXPECT_TRUE(dialect->IsNats());
  const Received greeting = dialect->Read(
      R"(INFO {"server_id":"NA2F7Y5KWMA7KJICQ5DPBPOPZUDZQBCPCY2DNBZKONRJIUZ6W7MPAMPR","server_na)");
  EXPECT_EQ(greeting.kind, Kind::kReady);
  EXPECT_TRUE(greeting.answer.starts_with("CONNECT {\"verbose\":false,"));
  EXPECT_TRUE(greeting.answer.ends_with("}\r\n"));
  EXPECT_EQ(dialect->Read("-ERR 'Unknown Protocol Operation'\r\n").kind, Kind::kError);
}

TEST(Nats, JoinsAndSendsWithOperations) {
  const auto dialect = NewNats();
  EXPECT_EQ(Join(*dialect), "binary:SUB g3 4\r\nPING\r\n");
  EXPECT_EQ(dialect->Read("PONG\r\n").kind, Kind::kJoined);
  EXPECT_EQ(Leave(*dialect), "binary:UNSUB 4\r\n");
  EXPECT_EQ(Send(*dialect), "binary:PUB g3 5\r\nhello\r\n");
  ExpectMessage(dialect->Read("MSG g3 4 36\r\n" + Message() + "\r\n"));
  EXPECT_EQ(dialect->Read("MSG g3 4 5\r\nhello\r\n").kind, Kind::kOther);
  EXPECT_EQ(dialect->Read("+OK\r\n").kind, Kind::kOther);
}

TEST(Nats, AnswersPings) { ExpectAnswer(NewNats()->Read("PING\r\n"), Kind::kOther, "PONG\r\n"); }

}  // namespace
}  // namespace groupcast::bench
