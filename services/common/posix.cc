#include "services/common/posix.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"

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

absl::Status WriteReadyFile(absl::string_view path, uint16_t port) {
  const std::string target(path);
  const std::string beside = absl::StrCat(path, ".", getpid(), ".tmp");
  const std::string text = absl::StrCat("{\"port\": ", port, "}\n");
  Fd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return ErrnoStatus(absl::StrCat("open ready file ", beside));
  if (write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return ErrnoStatus(absl::StrCat("write ready file ", beside));
  }
  fd.Reset();
  if (rename(beside.c_str(), target.c_str()) != 0) {
    return ErrnoStatus(absl::StrCat("rename ready file to ", target));
  }
  return absl::OkStatus();
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
