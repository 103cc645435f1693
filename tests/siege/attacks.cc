#include "tests/siege/attacks.h"

#include <random>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/siege/peer.h"
#include "tests/support/event.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

// Honest clients come from 127.0.0.1, and each attack from an address of its own.
enum Address : uint8_t {
  kReaders = 2,
  kFlooders,
  kDeaf,
  kUnfinished,
  kSpreaders,
  kHalfHandshakes,
  kGarbage,
  kHellos
};

// The service.
struct Target {
  uint16_t port;
  bool tls;
};

PeerOptions PeersOf(const Target& target, Address address) {
  return {.port = target.port, .address = address, .tls = target.tls};
}

constexpr absl::Duration kConnectInterval = absl::Milliseconds(100);
constexpr int kConnectsAtOnce = 200;
constexpr absl::Duration kReturnAfter = absl::Seconds(1);

// The peers of one attack. Ended ones come back after a second.
class Peers : public Attack, public Peer::Listener {
 public:
  Peers(int count, const PeerOptions& options, service::EventLoop* loop, AttackCounts* counts)
      : loop_(loop), counts_(counts) {
    for (int i = 0; i < count; ++i) {
      peers_.push_back(std::make_unique<Peer>(loop, options, this, static_cast<size_t>(i)));
    }
    ConnectSome(0);
  }

 protected:
  service::EventLoop* loop() { return loop_; }
  AttackCounts& counts() { return *counts_; }
  const std::vector<std::unique_ptr<Peer>>& peers() const { return peers_; }

  void OnText(Peer* peer, absl::string_view head) override {
    if (absl::StartsWith(head, R"({"event":"error")")) {
      counts().Add(AttackCounts::kRefused);
      OnAnswer(peer);
    } else if (absl::StartsWith(head, R"({"event":"reply")")) {
      OnReply();
      OnAnswer(peer);
    }
  }
  // A command has succeeded.
  virtual void OnReply() {}
  // A command has succeeded or was refused.
  virtual void OnAnswer(Peer* /*peer*/) {}

  void OnClosed(Peer* peer, int /*code*/) override { ReturnAfter(kReturnAfter, peer); }
  void ReturnAfter(absl::Duration pause, Peer* peer) {
    loop_->RunAfter(pause, [peer] { peer->Connect(); });
  }

 private:
  // Attackers on one machine with the service would otherwise fill its backlog at once.
  void ConnectSome(size_t from) {
    const size_t to = std::min(peers_.size(), from + kConnectsAtOnce);
    for (size_t i = from; i < to; ++i) peers_[i]->Connect();
    if (to < peers_.size()) loop_->RunAfter(kConnectInterval, [this, to] { ConnectSome(to); });
  }

  service::EventLoop* const loop_;
  AttackCounts* const counts_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

class Readers final : public Peers {
 public:
  Readers(int count, const char* group, AttackCounts::Kind kind, const Target& target,
          service::EventLoop* loop, AttackCounts* counts)
      : Peers(count, PeersOf(target, kReaders), loop, counts),
        kind_(kind),
        command_(absl::StrCat(R"({"cmd":"group_history","id":1,"group_id":")", group,
                              R"(","limit":100})")) {}

 private:
  void OnOpen(Peer* peer) override { peer->SendText(command_); }
  void OnReply() override { counts().Add(kind_); }
  void OnAnswer(Peer* peer) override { peer->SendText(command_); }

  const AttackCounts::Kind kind_;
  const std::string command_;
};

class Flooders final : public Peers {
 public:
  Flooders(int count, const Target& target, service::EventLoop* loop, AttackCounts* counts)
      : Peers(count, PeersOf(target, kFlooders), loop, counts),
        waiting_(static_cast<size_t>(count), 0),
        message_(Quoted(std::string(60'000, 'f'))) {}

 private:
  static constexpr int kSends = 4;
  static constexpr size_t kGroups = 4;

  void OnOpen(Peer* peer) override { SendAll(peer); }
  void OnReply() override { counts().Add(AttackCounts::kFloodSends); }
  void OnAnswer(Peer* peer) override {
    if (--waiting_[peer->number()] == 0) SendAll(peer);
  }
  void OnClosed(Peer* peer, int code) override {
    counts().Add(AttackCounts::kFloodClosed);
    Peers::OnClosed(peer, code);
  }

  void SendAll(Peer* peer) {
    waiting_[peer->number()] = kSends;
    const std::string group = Quoted(absl::StrCat("siege flood ", peer->number() % kGroups));
    for (int i = 0; i < kSends; ++i) peer->SendText(SendToGroup(group, message_, "1"));
  }

  std::vector<int> waiting_;  // by peer: sends without an answer
  const std::string message_;
};

// The first peer sends, the others do not read.
class Deaf final : public Peers {
 public:
  Deaf(int count, const Target& target, service::EventLoop* loop, AttackCounts* counts)
      : Peers(count + 1, PeersOf(target, kDeaf), loop, counts),
        message_(SendToGroup(kGroup, Quoted(std::string(60'000, 'd')))) {
    Send();
  }

 private:
  static constexpr char kGroup[] = R"("siege deaf")";
  static constexpr absl::Duration kSendInterval = absl::Milliseconds(50);

  void OnOpen(Peer* peer) override {
    if (peer->number() == 0) return;
    peer->SendText(AddGroup(kGroup));
    peer->SetReading(false);
  }
  void OnClosed(Peer* peer, int code) override {
    if (peer->number() != 0) counts().Add(AttackCounts::kDeafClosed);
    Peers::OnClosed(peer, code);
  }

  void Send() {
    peers().front()->SendText(message_);
    loop()->RunAfter(kSendInterval, [this] { Send(); });
  }

  const std::string message_;
};

// Each peer announces a message, sends most of it, and then a byte now and then.
class Unfinished final : public Peers {
 public:
  Unfinished(int count, const Target& target, service::EventLoop* loop, AttackCounts* counts)
      : Peers(count, PeersOf(target, kUnfinished), loop, counts),
        beginning_(TextFrame(std::string(512 * 1024, 'u')).substr(0, 256 * 1024)) {
    Trickle();
  }

 private:
  static constexpr absl::Duration kTrickleInterval = absl::Milliseconds(500);

  void OnOpen(Peer* peer) override { peer->SendBytes(beginning_); }
  void OnClosed(Peer* peer, int code) override {
    counts().Add(AttackCounts::kUnfinishedClosed);
    Peers::OnClosed(peer, code);
  }

  void Trickle() {
    for (const std::unique_ptr<Peer>& peer : peers()) peer->SendBytes("u");
    loop()->RunAfter(kTrickleInterval, [this] { Trickle(); });
  }

  const std::string beginning_;
};

class Spreaders final : public Peers {
 public:
  Spreaders(int count, const Target& target, service::EventLoop* loop, AttackCounts* counts)
      : Peers(count, PeersOf(target, kSpreaders), loop, counts),
        waiting_(static_cast<size_t>(count), 0) {
    std::vector<std::string> groups;
    for (int i = 0; i < 128; ++i) groups.push_back(Quoted(absl::StrCat("siege spread ", i)));
    command_ =
        absl::StrCat(R"({"cmd":"send_to_group","id":1,"group_ids":[)", absl::StrJoin(groups, ","),
                     R"(],"message":)", Quoted(std::string(65'000, 's')), "}");
  }

 private:
  static constexpr int kSends = 66;
  static constexpr absl::Duration kPause = absl::Seconds(2);

  void OnOpen(Peer* peer) override { SendAll(peer); }
  void OnReply() override { counts().Add(AttackCounts::kSpreads); }
  void OnAnswer(Peer* peer) override {
    if (--waiting_[peer->number()] == 0) {
      loop()->RunAfter(kPause, [this, peer] {
        if (peer->is_open()) SendAll(peer);
      });
    }
  }

  void SendAll(Peer* peer) {
    waiting_[peer->number()] = kSends;
    for (int i = 0; i < kSends; ++i) peer->SendText(command_);
  }

  std::vector<int> waiting_;  // by peer: sends without an answer
  std::string command_;
};

// Each peer sends the same bytes at once, and comes back when the service ends the connection.
class Openers final : public Peers {
 public:
  Openers(int count, const PeerOptions& options, std::string bytes, AttackCounts::Kind kind,
          absl::Duration pause, service::EventLoop* loop, AttackCounts* counts)
      : Peers(count, options, loop, counts), bytes_(std::move(bytes)), kind_(kind), pause_(pause) {}

 private:
  void OnOpen(Peer* peer) override { peer->SendBytes(bytes_); }
  void OnText(Peer* /*peer*/, absl::string_view head) override {
    // A record with the next part of a TLS handshake, and not HTTP or an alert.
    const bool is_next_part = kind_ == AttackCounts::kHellosClosed && head[0] == '\x16';
    if (is_next_part) counts().Add(AttackCounts::kHellosAnswered);
  }
  void OnClosed(Peer* peer, int /*code*/) override {
    counts().Add(kind_);
    ReturnAfter(pause_, peer);
  }

  const std::string bytes_;
  const AttackCounts::Kind kind_;
  const absl::Duration pause_;
};

// The same in every run. The first byte begins no HTTP request, and no frame.
std::string Garbage() {
  std::mt19937_64 random(7);
  std::string bytes(32 * 1024, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  bytes[0] = '\xff';
  return bytes;
}

class AllAttacks final : public Attack {
 public:
  std::vector<std::unique_ptr<Attack>> attacks;
};

}  // namespace

std::string AttackCounts::Text() const {
  const AttackCounts& of = *this;
  return absl::StrCat(of[kReads], " reads and ", of[kEscapeReads], " of escapes answered; ",
                      of[kFloodSends], " flood sends answered, ", of[kFloodClosed],
                      " flooders closed; ", of[kDeafClosed], " deaf members closed; ",
                      of[kUnfinishedClosed], " unfinished messages closed; ", of[kSpreads],
                      " sends to 128 groups; ", of[kHalfClosed], " half handshakes, ",
                      of[kGarbageClosed], " of garbage, ", of[kHellosClosed], " TLS hellos (",
                      of[kHellosAnswered], " were answered) and ", of[kHalfHellosClosed],
                      " half ones ended; ", of[kRefused], " refusals");
}

std::unique_ptr<Attack> Attack::StartAll(const AttackSizes& sizes, uint16_t port, bool tls,
                                         service::EventLoop* loop, AttackCounts* counts) {
  const Target target{port, tls};
  auto all = std::make_unique<AllAttacks>();
  const auto add = [&](std::unique_ptr<Attack> attack) {
    all->attacks.push_back(std::move(attack));
  };
  if (sizes.readers > 0)
    add(std::make_unique<Readers>(sizes.readers, kDeepGroup, AttackCounts::kReads, target, loop,
                                  counts));
  if (sizes.escape_readers > 0)
    add(std::make_unique<Readers>(sizes.escape_readers, kEscapeGroup, AttackCounts::kEscapeReads,
                                  target, loop, counts));
  if (sizes.flooders > 0) add(std::make_unique<Flooders>(sizes.flooders, target, loop, counts));
  if (sizes.deaf_members > 0) add(std::make_unique<Deaf>(sizes.deaf_members, target, loop, counts));
  if (sizes.unfinished > 0)
    add(std::make_unique<Unfinished>(sizes.unfinished, target, loop, counts));
  if (sizes.spreaders > 0) add(std::make_unique<Spreaders>(sizes.spreaders, target, loop, counts));
  constexpr absl::Duration kAtOnce = absl::Milliseconds(20);
  const auto open = [&](int count, PeerOptions options, std::string bytes, AttackCounts::Kind kind,
                        absl::Duration pause) {
    if (count == 0) return;
    add(std::make_unique<Openers>(count, options, std::move(bytes), kind, pause, loop, counts));
  };
  const auto raw = [port](Address address, bool with_tls) -> PeerOptions {
    return {.port = port, .address = address, .tls = with_tls, .is_raw = true};
  };
  open(sizes.half_handshakes, raw(kHalfHandshakes, tls), HandshakeRequest().substr(0, 60),
       AttackCounts::kHalfClosed, kReturnAfter);
  open(sizes.garbage / 2, raw(kGarbage, false), Garbage(), AttackCounts::kGarbageClosed, kAtOnce);
  open(sizes.garbage - sizes.garbage / 2, PeersOf(target, kGarbage), Garbage(),
       AttackCounts::kGarbageClosed, kAtOnce);
  const std::string hello = ClientHello();
  open(sizes.hellos / 2, raw(kHellos, false), hello.substr(0, hello.size() / 2),
       AttackCounts::kHalfHellosClosed, kReturnAfter);
  open(sizes.hellos - sizes.hellos / 2, raw(kHellos, false), hello, AttackCounts::kHellosClosed,
       kReturnAfter);
  return all;
}

}  // namespace groupcast::tests
