#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_TESTING_RESOURCE_LIMIT_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_TESTING_RESOURCE_LIMIT_H_

#include <sys/resource.h>

#include <csignal>

#include "gtest/gtest.h"

namespace groupcast::service {

// Lowers a limit of this process (setrlimit(2)) while it lives, for example:
//   RLIMIT_FSIZE   no file may grow over `value` bytes, as on a disk that is full
//   RLIMIT_NOFILE  at 0, the process may open no further file
class ResourceLimit {
 public:
  ResourceLimit(__rlimit_resource_t resource, rlim_t value)
      : resource_(resource), on_file_too_large_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(resource_, &before_);
    const rlimit limit = {value, before_.rlim_max};
    EXPECT_EQ(setrlimit(resource_, &limit), 0);
  }
  ~ResourceLimit() {
    setrlimit(resource_, &before_);
    std::signal(SIGXFSZ, on_file_too_large_);
  }
  ResourceLimit(const ResourceLimit&) = delete;
  ResourceLimit& operator=(const ResourceLimit&) = delete;

 private:
  const __rlimit_resource_t resource_;
  void (*const on_file_too_large_)(int);
  rlimit before_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_TESTING_RESOURCE_LIMIT_H_
