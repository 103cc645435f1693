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

// A level-triggered epoll loop that works in turns. A turn handles the ready descriptors, and with
// them the posted work. Then it runs the timers that are due, then the turn hooks in the order of
// AddTurnHook. A hook processes once per turn all that the turn has collected: it takes batches
// from the channel, or flushes outboxes.
//
// Not thread-safe, except Post. The loop belongs to the thread that runs it. Create it after
// fork(2), because a process must not share an epoll set with its parent.
class EventLoop {
 public:
  // Returns the time at which the hook wants the next turn at the latest: InfinitePast if the hook
  // left work behind, InfiniteFuture if it has none.
  using TurnHook = std::function<absl::Time()>;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();

  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The caller keeps `fd`. `handler` must live until Remove. The caller must remove an fd before it
  // closes the fd.
  absl::Status Add(int fd, uint32_t events, EventHandler* handler);
  void Modify(int fd, uint32_t events, EventHandler* handler);
  // After this call `handler` gets no more events. This includes the events of the present turn.
  void Remove(int fd, EventHandler* handler);

  // Timers cannot be cancelled. Timers that are left at the loop's destruction never run.
  void RunAfter(absl::Duration delay, std::function<void()> work);
  void RunEvery(absl::Duration period, std::function<void()> work);

  void AddTurnHook(TurnHook hook);

  // Calls `watcher` at the end of each turn with the time that the turn has worked, without the
  // time that it has waited. There is one watcher; null: none.
  void WatchTurns(std::function<void(absl::Duration)> watcher) {
    turn_watcher_ = std::move(watcher);
  }

  // Makes the next turn begin at once. A caller needs it when work appears after the hook for such
  // work has run.
  void WantTurn() { next_turn_ = absl::InfinitePast(); }

  // Runs `work` in the loop's thread, in a later turn. Any thread may call this method, also the
  // loop's own and also from inside posted work. Other threads may call only this method.
  //
  // Order: the work of one thread runs in the order of its calls. Work that is posted while posted
  // work runs waits for the next turn.
  //
  // Lifetime: work that is left at the loop's destruction never runs, and the loop destroys it. A
  // thread must not call Post during the loop's destruction, or later: stop that thread first.
  //
  // Memory: the queue has no bound and Post never blocks. A caller must bound its work in the
  // queue. For example, it posts one piece of work for all the data that it has collected.
  void Post(std::function<void()> work);

  // Runs turns until Stop.
  void Run();
  // Runs one turn. It waits for events for at most `wait`. For tests, and Run.
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

  // The work that threads have posted. Its eventfd is readable while there is posted work.
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
  // Fills ready_. Returns the result of epoll_wait(2).
  int WaitForEvents(absl::Duration wait);

  Fd epoll_;
  PostedWork posted_;
  MonotonicClock clock_;
  absl::Time now_;
  bool stopped_ = false;
  absl::Time next_turn_ = absl::InfiniteFuture();  // the earliest time of a hook
  bool can_wait_exactly_ = true;                   // the kernel has epoll_pwait2(2)
  uint64_t timer_sequence_ = 0;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers_;
  std::vector<TurnHook> turn_hooks_;
  std::function<void(absl::Duration)> turn_watcher_;
  // The events of the present turn. Remove erases its handler from the events that are not handled
  // yet.
  std::array<epoll_event, 256> ready_;
  int ready_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_EVENT_LOOP_H_
