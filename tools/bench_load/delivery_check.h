#ifndef GROUPCAST_TOOLS_BENCH_LOAD_DELIVERY_CHECK_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_DELIVERY_CHECK_H_

#include <cstdint>
#include <vector>

#include "tools/bench_load/stamp.h"

namespace groupcast::bench {

// A range of streams; see Stamp.
struct Streams {
  uint32_t first = 0;
  uint32_t count = 0;
};

// Knows what was sent, sees what arrives, and so what is lost, doubled or out of order at each
// member. Order is that of each stream: one sender's messages to one group.
//
// Not thread-safe.
class DeliveryCheck {
 public:
  // What a message is to the member that got it.
  enum class Verdict {
    kNext,     // the one that was expected
    kAhead,    // others before it have not come
    kLate,     // it was overtaken
    kDoubled,  // the member has it already
    kStray,    // of a stream that is not the member's, or never sent
  };

  struct Counts {
    int64_t received = 0;      // all that came, of whatever kind
    int64_t lost = 0;          // never came
    int64_t doubled = 0;       // came again
    int64_t out_of_order = 0;  // came, but after a later one of the same stream
    int64_t stray = 0;         // came to a member that should not have it

    bool clean() const { return lost == 0 && doubled == 0 && out_of_order == 0 && stray == 0; }
    Counts& operator+=(const Counts& other);
    friend bool operator==(const Counts&, const Counts&) = default;
  };

  // How many missing messages of one stream one member remembers, to tell a late message from a
  // doubled one. Of more the oldest count as lost for good; should they come they are doubled.
  static constexpr size_t kMissingMax = 1'024;

  explicit DeliveryCheck(uint32_t streams) : sent_(streams, 0) {}

  // A member that is to get all that is sent on these streams from now on. Members are numbered
  // from 0 in the order in which they are added.
  void AddMember(Streams streams);

  // The sequence of the stream's next message, which is sent now.
  uint32_t Send(uint32_t stream) { return sent_[stream]++; }

  Verdict Receive(uint32_t member, const Stamp& stamp);

  // The member was told that it gets no more: what it has not got by now is not lost, unless
  // something later came. Returns how many messages that is, with those that are lost.
  int64_t Excuse(uint32_t member);

  // As if nothing more would come.
  Counts Finish() const;

 private:
  // One stream as one member sees it.
  struct View {
    uint32_t next = 0;              // the sequence that is expected
    std::vector<uint32_t> missing;  // below `next`, in ascending order
  };
  struct Member {
    Streams streams;
    size_t first_view = 0;  // in views_
    bool excused = false;
  };

  std::vector<uint32_t> sent_;  // by stream: how many
  std::vector<Member> members_;
  std::vector<View> views_;
  Counts counts_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_DELIVERY_CHECK_H_
