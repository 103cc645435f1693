#ifndef GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tools/bench_load/stamp.h"

namespace groupcast::bench {

// A group, by a number that each dialect makes its own kind of name of.
enum class Group : uint32_t {};

// What a received payload is.
struct Received {
  enum class Kind {
    kMessage,  // of a group; `stamp` is in it
    kReady,    // of a server that greets: joins may come now
    kJoined,   // the answer to a join
    kError,    // the server refuses something: the run is of no use
    kOther,    // nothing that matters
  };
  Kind kind = Kind::kOther;
  Stamp stamp;
  // What the client must say at once, in a frame of the same kind; empty: nothing. It lives for
  // ever.
  std::string_view answer;
};

// How one kind of server is spoken to: how to join, how to send, and what a message looks like that
// comes. All else about a client is the same for all servers. Without state, so one serves all
// connections.
//
// To measure another server, implement this, and name it in contestants.cc. A server whose frames
// do not hold one message each needs a reader of its own beside FrameReader, as NATS has one.
class Dialect {
 public:
  virtual ~Dialect() = default;

  // The HTTP request that opens a connection, which is answered with 101; empty: there is none, and
  // frames go both ways at once. `first` is the first group that the connection will join.
  virtual std::string Handshake(Group first) const = 0;

  // The server speaks first: nothing but answers may be sent before kReady.
  virtual bool ServerGreets() const { return false; }

  // Payloads are parts of a stream of NATS's protocol (NatsReader).
  virtual bool IsNats() const { return false; }

  // Appends all bytes that join the group. The server answers (kJoined). Nothing: the handshake has
  // joined it.
  virtual void AppendJoin(Group group, std::string* out) const = 0;

  // Appends all bytes that leave the group, which the server need not answer. Only if CanLeave.
  virtual bool CanLeave() const { return false; }
  virtual void AppendLeave(Group /*group*/, std::string* /*out*/) const {}

  // Appends all bytes that send `message`, letters and digits that begin with a stamp, to the
  // group.
  virtual void AppendSend(Group group, std::string_view message, std::string* out) const = 0;

  // `head` is the beginning of a payload, as FrameReader gives it, or of an operation, as
  // NatsReader does.
  virtual Received Read(std::string_view head) const = 0;
};

// Groupcast without a subprotocol: a message is its text alone.
std::unique_ptr<Dialect> NewGroupcastBare();

// Groupcast with the subprotocol groupcast.v1.json: a message is an event.
std::unique_ptr<Dialect> NewGroupcastV1();

// The raw probe (raw_probe.cc). It gets the frame that it is to write, ready-made.
std::unique_ptr<Dialect> NewRaw();

// For dialects: the request that opens a WebSocket. Each of more_headers ends with a line end.
std::string HandshakeRequest(std::string_view path, std::string_view more_headers);

// For dialects: a text that is a message, or something else.
Received MessageOrOther(std::string_view text);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_H_
