#ifndef GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/bench_load/stamp.h"

namespace groupcast::bench {

// A group as a number. Each dialect turns it into its own kind of name.
enum class Group : uint32_t {};

// The meaning of a received payload.
struct Received {
  enum class Kind {
    kMessage,  // a group's message; it has `stamp`
    kReady,    // the greeting of a server; joins may follow now
    kJoined,   // the answer to a join
    kError,    // the server refuses something; the run is invalid
    kOther,    // irrelevant
  };
  Kind kind = Kind::kOther;
  Stamp stamp;
  // The client's immediate answer, in a frame of the same kind; empty: none. The bytes live
  // forever.
  std::string_view answer;
};

// The protocol of one kind of server: how to join, how to send, and how a received message looks.
// Everything else about a client is the same for all servers. It has no state, so one object serves
// all connections.
//
// To measure another server, implement this class, and name it in contestants.cc. If its frames do
// not hold one message each, it needs a reader of its own beside FrameReader, like NATS.
class Dialect {
 public:
  virtual ~Dialect() = default;

  // The HTTP request that opens a connection. The server answers it with 101. Empty: there is none,
  // and frames go both ways at once. `first` is the first group that the connection will join.
  virtual std::string Handshake(Group first) const = 0;

  // Whether the server speaks first. Then the client may send only answers before kReady.
  virtual bool ServerGreets() const { return false; }

  // Whether clients connect through TLS.
  virtual bool IsTls() const { return false; }

  // Whether payloads are parts of a stream of NATS's protocol (NatsReader).
  virtual bool IsNats() const { return false; }

  // Whether the handshake offers permessage-deflate. Then payloads may be compressed.
  virtual bool Deflates() const { return false; }

  // Appends all bytes that join the group. The server answers (kJoined). No bytes: the handshake
  // has joined it.
  virtual void AppendJoin(Group group, std::string* out) const = 0;

  // Appends all bytes that leave the group. The server need not answer. Only if CanLeave.
  virtual bool CanLeave() const { return false; }
  virtual void AppendLeave(Group /*group*/, std::string* /*out*/) const {}

  // Appends all bytes that join the group and ask for the joins and leaves of others. The server
  // answers (kJoined). Only if CanWatch.
  virtual bool CanWatch() const { return false; }
  virtual void AppendWatch(Group /*group*/, std::string* /*out*/) const {}

  // Appends all bytes that send `message` to the group. It consists of letters and digits and
  // begins with a stamp.
  virtual void AppendSend(Group group, std::string_view message, std::string* out) const = 0;

  // `head` is the beginning of a payload, from FrameReader, or of an operation, from NatsReader.
  virtual Received Read(std::string_view head) const = 0;
};

// Groupcast without a subprotocol: a message is its text alone.
std::unique_ptr<Dialect> NewGroupcastBare();

// Groupcast with the subprotocol groupcast.v1.json: a message is an event.
std::unique_ptr<Dialect> NewGroupcastV1();

// The raw probe (raw_probe.cc). It gets the ready-made frame to write.
std::unique_ptr<Dialect> NewRaw();

// The same dialect through TLS.
std::unique_ptr<Dialect> WithTls(std::unique_ptr<Dialect> dialect);

// The same dialect with permessage-deflate, of which no side keeps a context between messages.
std::unique_ptr<Dialect> WithDeflate(std::unique_ptr<Dialect> dialect);

// For dialects: the request that opens a WebSocket. Each of more_headers ends with a line break.
std::string HandshakeRequest(std::string_view path, std::string_view more_headers);

// For dialects: reads a text that is a message or something else.
Received MessageOrOther(std::string_view text);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_H_
