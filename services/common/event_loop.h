#ifndef GROUPCAST_SERVICES_COMMON_EVENT_LOOP_H_
#define GROUPCAST_SERVICES_COMMON_EVENT_LOOP_H_

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/clock.h"
#include "services/common/posix.h"

namespace groupcast::service {

// Handles the events of a file descriptor. `events` are epoll(7) bits.
class EventHandler {
 public:
  virtual void OnEvents(uint32_t events) = 0;

 protected:
  ~EventHandler() = default;
};

// A level-triggered epoll loop that works in turns. A turn handles the descriptors that are ready,
// and with them the posted work. Then it runs the timers that are due, then the turn hooks in the
// order in which they were added. A hook does once what a turn has collected: it takes batches from
// the channel, or flushes outboxes.
//
// Not thread-safe, except Post. The loop belongs to the thread that runs it. It must be made after
// fork(2), because an epoll set must not be shared with a parent.
class EventLoop {
 public:
  // Returns the time at which the hook wants the next turn at the latest: InfinitePast if the hook
  // left work behind, InfiniteFuture if it has none.
  using TurnHook = std::function<absl::Time()>;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();

  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The caller keeps `fd`. `handler` must live until Remove. An fd must be removed before it is
  // closed.
  absl::Status Add(int fd, uint32_t events, EventHandler* handler);
  void Modify(int fd, uint32_t events, EventHandler* handler);
  // After this call `handler` gets no more events, not even one of the present turn.
  void Remove(int fd, EventHandler* handler);

  // Timers cannot be cancelled. Timers that are left when the loop is destroyed never run.
  void RunAfter(absl::Duration delay, std::function<void()> work);
  void RunEvery(absl::Duration period, std::function<void()> work);

  void AddTurnHook(TurnHook hook);

  // Makes the next turn begin at once. A caller needs it when work appears after the hook that
  // handles such work has run.
  void WantTurn() { next_turn_ = absl::InfinitePast(); }

  // Runs `work` in the loop's thread, in a later turn. Any thread may call this method, also the
  // loop's own and also from inside posted work. It is the only method that other threads may call.
  //
  // Order: the work of one thread runs in the order of its calls. Work that is posted while posted
  // work runs waits for the next turn.
  //
  // Lifetime: work that is left when the loop is destroyed never runs; the loop destroys it. A
  // thread must not call Post while the loop is being destroyed, or later: stop that thread first.
  //
  // Memory: the queue has no bound and Post never blocks. A caller must bound the work that it has
  // in the queue, for example by posting one piece of work for all that it has collected.
  void Post(std::function<void()> work);

  // Runs turns until Stop.
  void Run();
  // Runs one turn. It waits for something to do for `wait` at most. For tests, and Run.
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

  // What other threads have posted. Its eventfd is readable while there is some.
  class PostedWork final : public EventHandler {
   public:
    explicit PostedWork(Fd wakeup) : wakeup_(std::move(wakeup)) {}
    int fd() const { return wakeup_.get(); }
    void Add(std::function<void()> work);
    void OnEvents(uint32_t events) override;

   private:
    const Fd wakeup_;
    std::mutex mutex_;
    std::vector<std::function<void()>> queue_;  // guarded by mutex_
  };

  EventLoop(Fd epoll, Fd wakeup);
  void RunTimers();
  // Fills ready_. Returns what epoll_wait(2) returns.
  int WaitForEvents(absl::Duration wait);

  Fd epoll_;
  PostedWork posted_;
  MonotonicClock clock_;
  absl::Time now_;
  bool stopped_ = false;
  absl::Time next_turn_ = absl::InfiniteFuture();  // the earliest that a hook wants
  bool can_wait_exactly_ = true;                   // the kernel has epoll_pwait2(2)
  uint64_t timer_sequence_ = 0;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers_;
  std::vector<TurnHook> turn_hooks_;
  // The events of the present turn. Remove erases its handler from those that are not handled yet.
  std::array<epoll_event, 256> ready_;
  int ready_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_EVENT_LOOP_H_
