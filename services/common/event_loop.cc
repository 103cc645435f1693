#include "services/common/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace groupcast::service {

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoStatus("epoll_create1");
  Fd wakeup(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup.valid()) return ErrnoStatus("eventfd");
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wakeup)));
  if (absl::Status status = loop->Add(loop->posted_.fd(), EPOLLIN, &loop->posted_); !status.ok()) {
    return status;
  }
  return loop;
}

EventLoop::EventLoop(Fd epoll, Fd wakeup)
    : epoll_(std::move(epoll)), posted_(std::move(wakeup)), now_(clock_.Now()) {}

absl::Status EventLoop::Add(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{.events = events, .data = {.ptr = handler}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return ErrnoStatus("epoll_ctl ADD");
  return absl::OkStatus();
}

void EventLoop::Modify(int fd, uint32_t events, EventHandler* handler) {
  epoll_event event{.events = events, .data = {.ptr = handler}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::Remove(int fd, EventHandler* handler) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (int i = 0; i < ready_count_; ++i) {
    if (ready_[i].data.ptr == handler) ready_[i].data.ptr = nullptr;
  }
}

void EventLoop::RunAfter(absl::Duration delay, std::function<void()> work) {
  timers_.push({now_ + delay, timer_sequence_++, std::move(work)});
}

void EventLoop::RunEvery(absl::Duration period, std::function<void()> work) {
  RunAfter(period, [this, period, work = std::move(work)] {
    work();
    RunEvery(period, work);
  });
}

void EventLoop::Post(std::function<void()> work) { posted_.Add(std::move(work)); }

void EventLoop::PostedWork::Add(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  if (queue_.size() > 1) return;  // the loop has been woken and has not taken the work yet
  // It cannot fail: the counter of an eventfd overflows after 2^64 - 2 additions of one.
  const uint64_t one = 1;
  static_cast<void>(!write(wakeup_.get(), &one, sizeof(one)));
}

void EventLoop::PostedWork::OnEvents(uint32_t) {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    uint64_t count = 0;
    static_cast<void>(!read(wakeup_.get(), &count, sizeof(count)));
    work.swap(queue_);
  }
  for (std::function<void()>& piece : work) std::exchange(piece, nullptr)();
}

void EventLoop::AddTurnHook(TurnHook hook) { turn_hooks_.push_back(std::move(hook)); }

void EventLoop::Run() {
  stopped_ = false;
  while (!stopped_) RunOnce(absl::InfiniteDuration());
}

void EventLoop::RunOnce(absl::Duration wait) {
  absl::Time next = next_turn_;
  if (!timers_.empty()) next = std::min(next, timers_.top().at);
  if (next == absl::InfinitePast()) {
    wait = absl::ZeroDuration();
  } else if (next != absl::InfiniteFuture()) {
    wait = std::clamp(next - clock_.Now(), absl::ZeroDuration(), wait);
  }
  const int count = WaitForEvents(wait);
  now_ = clock_.Now();
  ready_count_ = std::max(count, 0);  // EINTR is a turn without events
  for (int i = 0; i < ready_count_; ++i) {
    if (ready_[i].data.ptr == nullptr) continue;
    static_cast<EventHandler*>(ready_[i].data.ptr)->OnEvents(ready_[i].events);
  }
  ready_count_ = 0;
  RunTimers();
  next_turn_ = absl::InfiniteFuture();
  for (const TurnHook& hook : turn_hooks_) next_turn_ = std::min(next_turn_, hook());
  if (turn_watcher_) turn_watcher_(clock_.Now() - now_);
}

int EventLoop::WaitForEvents(absl::Duration wait) {
  const int space = static_cast<int>(ready_.size());
  if (wait == absl::InfiniteDuration()) {
    return epoll_wait(epoll_.get(), ready_.data(), space, -1);
  }
  if (can_wait_exactly_) {
    const timespec exact = absl::ToTimespec(wait);
    const int count = epoll_pwait2(epoll_.get(), ready_.data(), space, &exact, nullptr);
    if (count >= 0 || errno == EINTR) return count;
    can_wait_exactly_ = false;  // before Linux 5.11, or a sandbox does not know it
  }
  // Rounded up: waking a moment before a timer is due would mean a turn for nothing.
  const int64_t wait_ms = absl::ToInt64Milliseconds(wait + absl::Microseconds(999));
  return epoll_wait(epoll_.get(), ready_.data(), space, static_cast<int>(wait_ms));
}

void EventLoop::RunTimers() {
  // Timers added meanwhile wait for the next turn, even when they are due at once.
  const uint64_t added_before = timer_sequence_;
  while (!timers_.empty() && timers_.top().at <= now_ && timers_.top().sequence < added_before) {
    std::function<void()> work = std::move(const_cast<Timer&>(timers_.top()).work);
    timers_.pop();
    work();
  }
}

}  // namespace groupcast::service
