#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_READ_GATE_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_READ_GATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "boost/intrusive/list.hpp"
#include "services/groups/input_share.h"

namespace groupcast::service {

// An element of at most one ReadGate. It must leave the gate (ReadGate::Leave) before it is
// destroyed.
class ReadNode : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::safe_link>> {
 public:
  // Whether it waits at the gate, or for its turn.
  bool waits_to_be_read() const { return is_linked(); }

 private:
  friend class ReadGate;
  // While it waits. No message has 2 GiB.
  uint32_t unfinished_bytes_ = 0;
  uint32_t unseen_bytes_ : 31 = 0;
  uint32_t is_finisher_ : 1 = 0;  // ReadGate::finishers_ has it
};

// Decides whether a worker reads from its connections, so that backpressure ends in the kernel and
// closes no client. Commands that must wait, and the input behind them, are held in memory. The
// channel decides when they go on. While they take `bytes_max`, the gate is closed: the worker
// reads from no connection.
//
// Connections that would be read wait at the gate, in the order of their arrival. Some have an
// unfinished message, which then waits with them. These go first, because only their end frees the
// memory. They also count for the others: those go on when held commands and waiting messages are
// together below the bound.
//
// A message that goes on takes more memory before it frees any. So at the bound only kFinishersMax
// of them go on at once, each until its end. One whose peer sends nothing for a while loses that
// right to the next. So the messages that wait stay below the bound, but for those that go on.
//
// A closed gate would also stop those that cause no backpressure: pings, joins, and small messages.
// So small messages pass a closed gate. If they must be held, they have a bound of their own, a
// quarter of `bytes_max`, and do not keep the gate closed for others.
//
// Connections with much input wait in a list of their own, also while the gate is open. The worker
// reads from them in turns, between the others. So a client does not wait for those that send much.
// Their unfinished messages count as those at the gate do. In each list, those beyond their share
// (input_share.h) let the others go first.
//
// Connections over their own rate of input wait in a further list until the caller takes all of it,
// some times a second. Their unfinished messages do not wait with them.
//
// One read may exceed the bound. Each connection waits at most once, so the number of connections
// bounds the queue. No IO. Not thread-safe.
class ReadGate {
 public:
  static constexpr size_t kFinishersMax = 32;
  static constexpr int kIdleLooksMax = 4;

  explicit ReadGate(size_t bytes_max) : bytes_max_(bytes_max) {}
  ReadGate(const ReadGate&) = delete;
  ReadGate& operator=(const ReadGate&) = delete;

  // The bytes of held commands, and of the input behind them, have changed by `change`.
  void CountHeld(int64_t change) { held_bytes_ += static_cast<size_t>(change); }
  // The same for small messages that have passed a closed gate.
  void CountSmallHeld(int64_t change) { small_held_bytes_ += static_cast<size_t>(change); }

  // Whether `node` may be read now. If not, it waits with its `unfinished_bytes`, and TakeNext
  // returns it later. `unseen_bytes` of these are encrypted. `beyond_share`: it lets others go
  // first. `node` must not wait.
  bool Admit(ReadNode* node, size_t unfinished_bytes, bool beyond_share, size_t unseen_bytes = 0);

  // Whether Admit lets every node pass, because the gate is open and none waits.
  bool is_free() const { return IsOpenForOthers() && unfinished_.empty() && others_.empty(); }
  // Whether a small message may pass a closed gate.
  bool MayPassSmall() const { return small_held_bytes_ < bytes_max_ / 4; }
  // The same for a message whose size shows only when a part of it has been read, because it is
  // encrypted. If it is large, that part waits with its node, as its `unseen_bytes`.
  bool MayPassUnseen() const { return small_held_bytes_ + unseen_bytes_ < bytes_max_ / 4; }

  // Takes the node that is to be read next. Null: none waits, or the gate is closed.
  ReadNode* TakeNext();
  // Whether TakeNext would return a node.
  bool has_next() const { return has_next_unfinished() || has_next_other(); }

  // `node` is to be read in its turn, and waits with its `unfinished_bytes`. It must not wait.
  void WaitForTurn(ReadNode* node, size_t unfinished_bytes, bool beyond_share);
  // Takes the node whose turn it is. It has still to ask for admission. Null: none waits.
  ReadNode* TakeTurn() { return turns_.empty() ? nullptr : Take(&turns_); }
  bool has_turn() const { return !turns_.empty(); }

  // `node` is over its own rate. It must not wait.
  void WaitForRate(ReadNode* node) { Add(node, /*unfinished_bytes=*/0, &over_rate_); }
  // The nodes that wait now are due for TakeDue. Later ones wait for the next call.
  void RateIsDue() { due_.splice(due_.end(), over_rate_); }
  // Takes the next of them. It has still to ask for admission. Null: there is none.
  ReadNode* TakeDue();
  bool has_over_rate() const { return !over_rate_.empty() || !due_.empty(); }

  // `node` waits no longer, and its message has ended. It need not have waited.
  void Leave(ReadNode* node);

  // The caller calls it some times a second. A message that goes on, and has had no input for
  // kIdleLooksMax of these calls, lets another one go on.
  void LookAtFinishers();

  size_t held_bytes() const { return held_bytes_; }
  // Of the unfinished messages of the nodes that wait.
  size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  using List = boost::intrusive::list<ReadNode, boost::intrusive::constant_time_size<false>>;
  using Order = ShareOrder<List>;

  void Add(ReadNode* node, size_t unfinished_bytes, List* list);
  ReadNode* Take(Order* order);
  void Unlink(ReadNode* node);
  void BeginFinishing(ReadNode* node, size_t unfinished_bytes);
  // Returns the bytes that its message had. nullopt: it was none of them.
  std::optional<size_t> EndFinishing(ReadNode* node);
  bool IsOpenForUnfinished() const {
    return held_bytes_ < bytes_max_ && (IsOpenForOthers() || finishers_.size() < kFinishersMax);
  }
  bool IsOpenForOthers() const { return held_bytes_ + waiting_bytes_ < bytes_max_; }
  bool has_next_unfinished() const { return !unfinished_.empty() && IsOpenForUnfinished(); }
  bool has_next_other() const { return !others_.empty() && IsOpenForOthers(); }

  const size_t bytes_max_;
  size_t held_bytes_ = 0;
  size_t small_held_bytes_ = 0;
  size_t waiting_bytes_ = 0;
  size_t unseen_bytes_ = 0;  // a part of waiting_bytes_
  // A message that goes on at the bound.
  struct Finisher {
    ReadNode* node;
    size_t bytes;    // when it was last read
    int idle_looks;  // in a row
  };
  std::vector<Finisher> finishers_;
  Order unfinished_;
  Order others_;
  Order turns_;
  List over_rate_;
  List due_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_READ_GATE_H_
