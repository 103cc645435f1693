#ifndef GROUPCAST_TOOLS_GROUPCAST_WAKER_H_
#define GROUPCAST_TOOLS_GROUPCAST_WAKER_H_

#include "absl/time/time.h"

namespace groupcast::cli {

// What the main thread of a command waits for: a signal to end, a poke of another thread, or input.
//
// The constructor blocks SIGINT and SIGTERM of its thread, and of all threads that start later. So
// make it before any client.
class Waker {
 public:
  enum class Cause {
    kSignal,    // SIGINT or SIGTERM. The next one ends the process at once
    kPoked,     // Poke was called since the last kPoked
    kReadable,  // the file can be read, or is at its end
    kTimeout,
  };

  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  // Thread-safe. Any number of pokes before a Wait count as one.
  void Poke();

  // Waits for the first of these causes. A signal comes before a poke, and a poke before input.
  // `fd`: the file to read from; -1: none.
  Cause Wait(absl::Duration timeout = absl::InfiniteDuration(), int fd = -1);

 private:
  const int signals_;
  const int pokes_;
};

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_WAKER_H_
