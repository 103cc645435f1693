#ifndef GROUPCAST_SERVICES_COMMON_EVENT_LOOP_H_
#define GROUPCAST_SERVICES_COMMON_EVENT_LOOP_H_

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/clock.h"
#include "services/common/posix.h"

namespace groupcast::service {

// What a file descriptor's owner does when it is ready. `events` are epoll(7) bits.
class EventHandler {
 public:
  virtual void OnEvents(uint32_t events) = 0;

 protected:
  ~EventHandler() = default;
};

// A level-triggered epoll loop that works in turns: handle what is ready, then timers that are due,
// then the turn hooks in the order they were added. The hooks are where work that a turn has
// collected is done once: batches taken from the channel, outboxes flushed.
//
// Not thread-safe, and made after fork(2): an epoll set must not be shared with a parent.
class EventLoop {
 public:
  // Returns when it wants the next turn, at the latest: InfinitePast if it left work behind,
  // InfiniteFuture if it has none.
  using TurnHook = std::function<absl::Time()>;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();

  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // `fd` stays the caller's, and `handler` must be there until Remove. An fd is removed before it
  // is closed.
  absl::Status Add(int fd, uint32_t events, EventHandler* handler);
  void Modify(int fd, uint32_t events, EventHandler* handler);
  // After this, `handler` gets no event any more, not even one of the present turn.
  void Remove(int fd, EventHandler* handler);

  // Timers cannot be cancelled; those left when the loop is destroyed never run.
  void RunAfter(absl::Duration delay, std::function<void()> work);
  void RunEvery(absl::Duration period, std::function<void()> work);

  void AddTurnHook(TurnHook hook);

  // The next turn begins at once. For work that appears after a hook has run which would have done
  // it.
  void WantTurn() { next_turn_ = absl::InfinitePast(); }

  // Runs turns until Stop.
  void Run();
  // One turn; waits for something to do for `wait` at most. For tests, and Run.
  void RunOnce(absl::Duration wait);
  void Stop() { stopped_ = true; }

  // The time at which this turn began.
  absl::Time now() const { return now_; }

 private:
  struct Timer {
    absl::Time at;
    uint64_t sequence;
    std::function<void()> work;
    bool operator>(const Timer& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };

  explicit EventLoop(Fd epoll);
  void RunTimers();
  // Fills ready_; returns what epoll_wait(2) does.
  int WaitForEvents(absl::Duration wait);

  Fd epoll_;
  MonotonicClock clock_;
  absl::Time now_;
  bool stopped_ = false;
  absl::Time next_turn_ = absl::InfiniteFuture();  // as the hooks want it
  bool can_wait_exactly_ = true;                   // epoll_pwait2(2) is there
  uint64_t timer_sequence_ = 0;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers_;
  std::vector<TurnHook> turn_hooks_;
  // The events of the present turn: Remove erases its handler from those not handled yet.
  std::array<epoll_event, 256> ready_;
  int ready_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_EVENT_LOOP_H_
