#include "tools/bench_load/dialect.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/bench_load/raw_command.h"
#include "tools/bench_load/websocket_frames.h"

namespace groupcast::bench {
namespace {

// What is the same in both modes of Groupcast. Sends have no id, so that they are not answered, as
// those of the smallest client.
class Groupcast : public Dialect {
 public:
  void AppendJoin(Group group, std::string* out) const override {
    const std::string command = absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":"g)",
                                             static_cast<uint32_t>(group), R"("})");
    AppendClientFrame(Opcode::kText, command, out);
  }

  bool CanLeave() const override { return true; }
  void AppendLeave(Group group, std::string* out) const override {
    const std::string command = absl::StrCat(R"({"cmd":"leave_group","group_id":"g)",
                                             static_cast<uint32_t>(group), R"("})");
    AppendClientFrame(Opcode::kText, command, out);
  }

  void AppendSend(Group group, std::string_view message, std::string* out) const override {
    const std::string command = absl::StrCat(
        R"({"cmd":"send_to_group","group_id":"g)", static_cast<uint32_t>(group), R"(","message":")",
        absl::string_view(message.data(), message.size()), R"("})");
    AppendClientFrame(Opcode::kText, command, out);
  }

 protected:
  // Of an event that is no message.
  static Received ReadEvent(std::string_view head) {
    if (head.starts_with(R"({"event":"reply","id":1,)")) return {Received::Kind::kJoined, {}};
    if (head.starts_with(R"({"event":"error")") || head.starts_with(R"({"event":"gap")")) {
      return {Received::Kind::kError, {}};
    }
    return {Received::Kind::kOther, {}};
  }
};

class GroupcastBare : public Groupcast {
 public:
  std::string Handshake(Group) const override { return HandshakeRequest("/", ""); }
  Received Read(std::string_view head) const override {
    return head.starts_with('{') ? ReadEvent(head) : MessageOrOther(head);
  }
};

class GroupcastV1 : public Groupcast {
 public:
  std::string Handshake(Group) const override {
    return HandshakeRequest("/", "Sec-WebSocket-Protocol: groupcast.v1.json\r\n");
  }
  bool CanWatch() const override { return true; }
  void AppendWatch(Group group, std::string* out) const override {
    const std::string command =
        absl::StrCat(R"({"cmd":"add_group","id":1,"presence":true,"group_id":"g)",
                     static_cast<uint32_t>(group), R"("})");
    AppendClientFrame(Opcode::kText, command, out);
  }
  Received Read(std::string_view head) const override {
    constexpr std::string_view kBegin = R"({"event":"message","group_id":")";
    constexpr std::string_view kBetween = R"(","message":")";
    if (!head.starts_with(kBegin)) return ReadEvent(head);
    // Our group ids have no quotation mark.
    const size_t end = head.find('"', kBegin.size());
    if (end == std::string_view::npos || !head.substr(end).starts_with(kBetween)) return {};
    return MessageOrOther(head.substr(end + kBetween.size()));
  }
};

class Raw : public Dialect {
 public:
  std::string Handshake(Group) const override { return ""; }

  void AppendJoin(Group group, std::string* out) const override {
    AppendCommand({RawCommand::Kind::kJoin, static_cast<uint32_t>(group), 0}, out);
  }

  void AppendSend(Group group, std::string_view message, std::string* out) const override {
    std::string frame;
    AppendServerFrame(Opcode::kText, message, &frame);
    AppendCommand({RawCommand::Kind::kSend, static_cast<uint32_t>(group),
                   static_cast<uint32_t>(frame.size())},
                  out);
    out->append(frame);
  }

  Received Read(std::string_view head) const override {
    return head == kRawJoined ? Received{Received::Kind::kJoined, {}} : MessageOrOther(head);
  }

 private:
  static void AppendCommand(const RawCommand& command, std::string* out) {
    out->append(reinterpret_cast<const char*>(&command), sizeof(command));
  }
};

// Another dialect, and a layer below it.
class Layered : public Dialect {
 public:
  explicit Layered(std::unique_ptr<Dialect> inner) : inner_(std::move(inner)) {}

  std::string Handshake(Group first) const override { return inner_->Handshake(first); }
  bool ServerGreets() const override { return inner_->ServerGreets(); }
  bool IsTls() const override { return inner_->IsTls(); }
  bool IsNats() const override { return inner_->IsNats(); }
  bool Deflates() const override { return inner_->Deflates(); }
  void AppendJoin(Group group, std::string* out) const override { inner_->AppendJoin(group, out); }
  bool CanLeave() const override { return inner_->CanLeave(); }
  void AppendLeave(Group group, std::string* out) const override {
    inner_->AppendLeave(group, out);
  }
  bool CanWatch() const override { return inner_->CanWatch(); }
  void AppendWatch(Group group, std::string* out) const override {
    inner_->AppendWatch(group, out);
  }
  void AppendSend(Group group, std::string_view message, std::string* out) const override {
    inner_->AppendSend(group, message, out);
  }
  Received Read(std::string_view head) const override { return inner_->Read(head); }

 private:
  const std::unique_ptr<Dialect> inner_;
};

class Tls final : public Layered {
 public:
  using Layered::Layered;
  bool IsTls() const override { return true; }
};

class Deflate final : public Layered {
 public:
  using Layered::Layered;
  bool Deflates() const override { return true; }
  std::string Handshake(Group first) const override {
    std::string request = Layered::Handshake(first);
    request.insert(request.size() - 2,  // before the empty line
                   "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                   "client_no_context_takeover\r\n");
    return request;
  }
};

}  // namespace

std::unique_ptr<Dialect> WithTls(std::unique_ptr<Dialect> dialect) {
  return std::make_unique<Tls>(std::move(dialect));
}
std::unique_ptr<Dialect> WithDeflate(std::unique_ptr<Dialect> dialect) {
  return std::make_unique<Deflate>(std::move(dialect));
}

std::unique_ptr<Dialect> NewGroupcastBare() { return std::make_unique<GroupcastBare>(); }
std::unique_ptr<Dialect> NewGroupcastV1() { return std::make_unique<GroupcastV1>(); }
std::unique_ptr<Dialect> NewRaw() { return std::make_unique<Raw>(); }

std::string HandshakeRequest(std::string_view path, std::string_view more_headers) {
  std::string request = "GET ";
  request.append(path);
  request.append(
      " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n");
  request.append(more_headers);
  request.append("\r\n");
  return request;
}

Received MessageOrOther(std::string_view text) {
  const std::optional<Stamp> stamp = ReadStamp(text);
  if (!stamp.has_value()) return {Received::Kind::kOther};
  return {Received::Kind::kMessage, *stamp};
}

}  // namespace groupcast::bench
