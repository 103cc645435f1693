#ifndef GROUPCAST_TOOLS_BENCH_LOAD_DELIVERY_CHECK_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_DELIVERY_CHECK_H_

#include <cstdint>
#include <vector>

#include "tools/bench_load/stamp.h"

namespace groupcast::bench {

// A range of streams, see Stamp.
struct Streams {
  uint32_t first = 0;
  uint32_t count = 0;
};

// Knows the sent messages and sees the received ones. So it finds the lost, the doubled and the
// out-of-order messages of each member. The order is that of each stream: one sender's messages to
// one group.
//
// Not thread-safe.
class DeliveryCheck {
 public:
  // The verdict on a message at the member that received it.
  enum class Verdict {
    kNext,     // the expected one
    kAhead,    // others before it are missing
    kLate,     // a later one came before it
    kDoubled,  // the member has it already
    kStray,    // of a stream that is not the member's, or never sent
  };

  struct Counts {
    int64_t received = 0;      // all messages of every kind
    int64_t lost = 0;          // did not come
    int64_t doubled = 0;       // came again
    int64_t out_of_order = 0;  // came after a later one of the same stream
    int64_t stray = 0;         // came to a member that should not get it

    bool clean() const { return lost == 0 && doubled == 0 && out_of_order == 0 && stray == 0; }
    Counts& operator+=(const Counts& other);
    friend bool operator==(const Counts&, const Counts&) = default;
  };

  // The number of missing messages of one stream that one member remembers, to tell a late message
  // from a doubled one. Over it, the oldest count as lost for good. If they come later, they count
  // as doubled.
  static constexpr size_t kMissingMax = 1'024;

  explicit DeliveryCheck(uint32_t streams) : sent_(streams, 0) {}

  // Adds a member that should get all messages of these streams from now on. Members are numbered
  // from 0 in the order of these calls.
  void AddMember(Streams streams);

  // Returns the sequence of the stream's next message, which is sent now.
  uint32_t Send(uint32_t stream) { return sent_[stream]++; }

  Verdict Receive(uint32_t member, const Stamp& stamp);

  // The server announced to this member that it gets no more. Messages that it lacks by now are not
  // lost, unless a later one came. Returns the number of these messages and of the lost ones.
  int64_t Excuse(uint32_t member);

  // Counts as if nothing more would arrive.
  Counts Finish() const;

 private:
  // One member's view of one stream.
  struct View {
    uint32_t next = 0;              // the expected sequence
    std::vector<uint32_t> missing;  // below `next`, in ascending order
  };
  struct Member {
    Streams streams;
    size_t first_view = 0;  // in views_
    bool excused = false;
  };

  std::vector<uint32_t> sent_;  // by stream: the number of sent messages
  std::vector<Member> members_;
  std::vector<View> views_;
  Counts counts_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_DELIVERY_CHECK_H_
