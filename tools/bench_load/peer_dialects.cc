#include "tools/bench_load/peer_dialects.h"

#include "absl/strings/str_cat.h"
#include "tools/bench_load/websocket_frames.h"

namespace groupcast::bench {
namespace {

using Kind = Received::Kind;

std::string NameOf(Group group) { return absl::StrCat("g", static_cast<uint32_t>(group)); }

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

class Nchan : public Dialect {
 public:
  std::string Handshake(Group first) const override {
    return HandshakeRequest("/g/" + NameOf(first), "");
  }
  void AppendJoin(Group, std::string*) const override {}
  void AppendSend(Group, std::string_view message, std::string* out) const override {
    AppendClientFrame(Opcode::kText, message, out);
  }
  Received Read(std::string_view head) const override { return MessageOrOther(head); }
};

class SocketIo : public Dialect {
 public:
  std::string Handshake(Group) const override {
    return HandshakeRequest("/socket.io/?EIO=4&transport=websocket", "");
  }
  bool ServerGreets() const override { return true; }
  void AppendJoin(Group group, std::string* out) const override {
    // 42 is an event; the 1 after it wants an acknowledgement with that number.
    AppendClientFrame(Opcode::kText, absl::StrCat(R"(421["join",")", NameOf(group), R"("])"), out);
  }
  bool CanLeave() const override { return true; }
  void AppendLeave(Group group, std::string* out) const override {
    AppendClientFrame(Opcode::kText, absl::StrCat(R"(42["leave",")", NameOf(group), R"("])"), out);
  }
  void AppendSend(Group group, std::string_view message, std::string* out) const override {
    AppendClientFrame(
        Opcode::kText,
        absl::StrCat(R"(42["send",")", NameOf(group), R"(",")", Absl(message), R"("])"), out);
  }
  Received Read(std::string_view head) const override {
    constexpr std::string_view kMessage = R"(42["message",")";
    if (head.starts_with(kMessage)) return MessageOrOther(head.substr(kMessage.size()));
    if (head.starts_with("0{")) return {.answer = "40"};  // Engine.IO is open, Socket.IO not yet
    if (head.starts_with("40{")) return {Kind::kReady};
    if (head.starts_with("431[")) return {Kind::kJoined};
    if (head.starts_with("44{")) return {Kind::kError};  // it does not let us in
    if (head == "2") return {.answer = "3"};             // a ping
    return {};
  }
};

class Ws : public Dialect {
 public:
  std::string Handshake(Group) const override { return HandshakeRequest("/", ""); }
  void AppendJoin(Group group, std::string* out) const override {
    AppendClientFrame(Opcode::kText, "j" + NameOf(group), out);
  }
  bool CanLeave() const override { return true; }
  void AppendLeave(Group group, std::string* out) const override {
    AppendClientFrame(Opcode::kText, "l" + NameOf(group), out);
  }
  void AppendSend(Group group, std::string_view message, std::string* out) const override {
    AppendClientFrame(Opcode::kText, absl::StrCat("s", NameOf(group), " ", Absl(message)), out);
  }
  Received Read(std::string_view head) const override {
    return head == "joined" ? Received{Kind::kJoined} : MessageOrOther(head);
  }
};

class Nats : public Dialect {
 public:
  std::string Handshake(Group) const override { return HandshakeRequest("/", ""); }
  bool ServerGreets() const override { return true; }
  bool IsNats() const override { return true; }
  void AppendJoin(Group group, std::string* out) const override {
    // A subscription is not answered, but the ping behind it is, and nothing else pings the server.
    AppendClientFrame(
        Opcode::kBinary,
        absl::StrCat("SUB ", NameOf(group), " ", SubscriptionOf(group), "\r\nPING\r\n"), out);
  }
  bool CanLeave() const override { return true; }
  void AppendLeave(Group group, std::string* out) const override {
    AppendClientFrame(Opcode::kBinary, absl::StrCat("UNSUB ", SubscriptionOf(group), "\r\n"), out);
  }
  void AppendSend(Group group, std::string_view message, std::string* out) const override {
    AppendClientFrame(
        Opcode::kBinary,
        absl::StrCat("PUB ", NameOf(group), " ", message.size(), "\r\n", Absl(message), "\r\n"),
        out);
  }
  Received Read(std::string_view head) const override {
    if (head.starts_with("MSG ")) return MessageOrOther(head.substr(head.find('\n') + 1));
    if (head.starts_with("INFO ")) {
      return {.kind = Kind::kReady,
              .answer =
                  "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"C++\","
                  "\"version\":\"1\",\"protocol\":1}\r\n"};
    }
    if (head == "PING\r\n") return {.answer = "PONG\r\n"};
    if (head == "PONG\r\n") return {Kind::kJoined};
    if (head.starts_with("-ERR")) return {Kind::kError};
    return {};
  }

 private:
  // One that a connection has but once.
  static uint32_t SubscriptionOf(Group group) { return static_cast<uint32_t>(group) + 1; }
};

}  // namespace

std::unique_ptr<Dialect> NewNchan() { return std::make_unique<Nchan>(); }
std::unique_ptr<Dialect> NewSocketIo() { return std::make_unique<SocketIo>(); }
std::unique_ptr<Dialect> NewWs() { return std::make_unique<Ws>(); }
std::unique_ptr<Dialect> NewNats() { return std::make_unique<Nats>(); }

}  // namespace groupcast::bench
