#ifndef GROUPCAST_TESTS_SIEGE_ATTACKS_H_
#define GROUPCAST_TESTS_SIEGE_ATTACKS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "services/common/event_loop.h"

namespace groupcast::tests {

// The sizes of the attacks. 0 leaves one out.
struct AttackSizes {
  int readers = 1'000;      // loop group_history on a deep group
  int escape_readers = 20;  // the same, on a group of messages that grow in JSON
  int flooders = 1'500;     // send four messages of 60 KB at once, again and again
  int deaf_members = 500;   // never read, in a group with a stream of 60 KB messages
  int unfinished = 600;     // send half of a message of 512 KB, then a byte now and then
  int spreaders = 1;        // send 65 KB to 128 groups, 66 times in a row
  // Against the limits of connections; not among the attacks by default.
  int half_handshakes = 0;  // send a part of a handshake and nothing more
  int garbage = 0;          // send random bytes, half of them after a handshake, again and again
  int hellos = 0;           // send a ClientHello of TLS, half of them a part of it, and stop
};

// The results of the attackers so far. It is in memory that processes share.
struct AttackCounts {
  enum Kind : size_t {
    kReads,        // replies to group_history of the deep group
    kEscapeReads,  // and of the group whose messages grow
    kFloodSends,   // replies to the flooders' sends
    kFloodClosed,  // flooders that the service closed
    kDeafClosed,   // deaf members that the service closed
    kUnfinishedClosed,
    kSpreads,         // replies to sends to 128 groups
    kHalfClosed,      // half handshakes that the service dropped
    kGarbageClosed,   // and connections with garbage
    kHellosAnswered,  // the service continued the TLS handshake
    kHellosClosed,
    kHalfHellosClosed,
    kRefused,  // error events, of any attack
    kKinds,
  };
  std::array<std::atomic<int64_t>, kKinds> of_kind = {};

  int64_t operator[](Kind kind) const { return of_kind[kind].load(std::memory_order_relaxed); }
  void Add(Kind kind) { of_kind[kind].fetch_add(1, std::memory_order_relaxed); }
  // In words.
  std::string Text() const;
};

// The groups that FillDeepGroups fills and that readers read.
inline constexpr char kDeepGroup[] = "siege deep";
inline constexpr char kEscapeGroup[] = "siege escapes";

// Attackers that run on an event loop until they are destroyed.
class Attack {
 public:
  virtual ~Attack() = default;

  // All attacks at once, against the service on `port`. `tls`: it speaks TLS, and so do the
  // attackers. `loop` and `counts` must outlive them.
  static std::unique_ptr<Attack> StartAll(const AttackSizes& sizes, uint16_t port, bool tls,
                                          service::EventLoop* loop, AttackCounts* counts);
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SIEGE_ATTACKS_H_
