#include "tools/groupcast/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "absl/time/clock.h"

namespace groupcast::cli {
namespace {

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

int OpenSignals() {
  const sigset_t set = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) std::abort();  // no descriptors at the start of the process
  return fd;
}

int OpenPokes() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) std::abort();
  return fd;
}

// poll's time-out. A rest of a millisecond counts as a whole one, so that no caller spins.
int Milliseconds(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return -1;
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1)));
  return static_cast<int>(std::clamp<int64_t>(ms, 0, INT_MAX));
}

}  // namespace

Waker::Waker() : signals_(OpenSignals()), pokes_(OpenPokes()) {}

Waker::~Waker() {
  close(signals_);
  close(pokes_);
}

void Waker::Poke() {
  const uint64_t one = 1;
  (void)!write(pokes_, &one, sizeof(one));  // fails only if it is poked already
}

Waker::Cause Waker::Wait(absl::Duration timeout, int fd) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    pollfd files[] = {{signals_, POLLIN, 0}, {pokes_, POLLIN, 0}, {fd, POLLIN, 0}};
    const int ready = poll(files, 3, Milliseconds(deadline - absl::Now()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Cause::kTimeout;
    if (files[0].revents != 0) {
      signalfd_siginfo info;
      (void)!read(signals_, &info, sizeof(info));
      const sigset_t set = EndingSignals();
      pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
      return Cause::kSignal;
    }
    if (files[1].revents != 0) {
      uint64_t count = 0;
      (void)!read(pokes_, &count, sizeof(count));
      return Cause::kPoked;
    }
    return Cause::kReadable;
  }
}

}  // namespace groupcast::cli
