#include "services/common/posix.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>

namespace groupcast::service {

absl::Status ErrnoStatus(absl::string_view what) { return absl::ErrnoToStatus(errno, what); }

uint64_t RandomId() {
  uint64_t id = 0;
  while (id == 0) {
    // Requests of up to 256 bytes are never cut short once the pool is ready (getrandom(2)).
    if (getrandom(&id, sizeof(id), 0) != sizeof(id)) id = 0;
  }
  return id;
}

void GuardStandardStreams() {
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGTTOU}) std::signal(signal, SIG_IGN);
  // open(2) takes the lowest free number.
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) close(fd);
}

int64_t RaiseOpenFilesLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(limit.rlim_cur);
}

}  // namespace groupcast::service
