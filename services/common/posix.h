#ifndef GROUPCAST_SERVICES_COMMON_POSIX_H_
#define GROUPCAST_SERVICES_COMMON_POSIX_H_

#include <unistd.h>

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// An owned file descriptor. -1 is none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// The error "`what` failed" with the system's text for the present errno.
absl::Status ErrnoStatus(absl::string_view what);

// 64 bits of getrandom(2), but not zero, because zero means "none".
uint64_t RandomId();

// Makes sure that what observes this process cannot end or stop it. main() calls it first.
//  - A write to a pipe without a reader, to a file that may not grow further (ulimit -f), or to a
//    terminal from the background, is an error or a success, but not a signal.
//  - Descriptors 0 to 2 are open. Otherwise a socket or a data file could get the number 2, and the
//    log lines.
void GuardStandardStreams();

// Raises this process's limit of open files to the system's maximum, and returns the new limit.
int64_t RaiseOpenFilesLimit();

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_POSIX_H_
