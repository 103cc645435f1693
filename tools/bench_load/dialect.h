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
    kJoined,   // the answer to a join
    kError,    // the server refuses something: the run is of no use
    kOther,    // nothing that matters
  };
  Kind kind = Kind::kOther;
  Stamp stamp;
};

// How one kind of server is spoken to: how to join, how to send, and what a message looks like that
// comes. All else about a client is the same for all servers. Without state, so one serves all
// connections.
//
// To measure another server, implement this (what must be answered before a join, as Socket.IO's
// greeting, may need one more kind of Received), and name it in contestants.cc. A server whose
// frames do not hold one message each needs a reader of its own beside FrameReader.
class Dialect {
 public:
  virtual ~Dialect() = default;

  // The HTTP request that opens a connection, which is answered with 101; empty: there is none, and
  // frames go both ways at once.
  virtual std::string Handshake() const = 0;

  // Appends all bytes that join the group. The server answers (kJoined).
  virtual void AppendJoin(Group group, std::string* out) const = 0;

  // Appends all bytes that send `message`, letters and digits that begin with a stamp, to the
  // group.
  virtual void AppendSend(Group group, std::string_view message, std::string* out) const = 0;

  // `head` is the beginning of a payload, as FrameReader gives it.
  virtual Received Read(std::string_view head) const = 0;
};

// Groupcast without a subprotocol: a message is its text alone.
std::unique_ptr<Dialect> NewGroupcastBare();

// Groupcast with the subprotocol groupcast.v1.json: a message is an event.
std::unique_ptr<Dialect> NewGroupcastV1();

// The raw probe (raw_probe.cc). It gets the frame that it is to write, ready-made.
std::unique_ptr<Dialect> NewRaw();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_DIALECT_H_
