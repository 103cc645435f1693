#ifndef GROUPCAST_SERVICES_COMMON_READY_FILE_H_
#define GROUPCAST_SERVICES_COMMON_READY_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/logging.h"

namespace groupcast::service {

// The ports of a service.
struct ReadyPorts {
  uint16_t port = 0;
  uint16_t admin_port = 0;  // 0: there is none
};

// Writes {"port": PORT, "admin_port": PORT} to `path`, or only the first. It writes the file under
// another name and renames it, so readers never see a part of it. After an error nothing is left.
absl::Status WriteReadyFile(absl::string_view path, const ReadyPorts& ports);

// The file that tells others that a service can be used, as a service writes it.
// Not thread-safe. A copy counts its attempts by itself.
class ReadyFile {
 public:
  // The time between two attempts.
  static constexpr absl::Duration kRetryPeriod = absl::Seconds(1);

  // An empty `path` is no file. kFailedPrecondition: there cannot be such a file, because its
  // directory is missing or not writable, or because `path` is a directory. Call it at the
  // service's start.
  static absl::StatusOr<ReadyFile> Create(absl::string_view path);

  // Writes the file, if that has not worked before. Call it in every turn from the moment when the
  // service can be used. An error (a full disk, a directory that has gone) is logged, and a call
  // after kRetryPeriod tries again. `now` only needs to grow.
  void Write(const ReadyPorts& ports, absl::Time now);

 private:
  explicit ReadyFile(absl::string_view path) : path_(path), written_(path.empty()) {}

  std::string path_;
  bool written_;
  bool failed_ = false;
  absl::Time try_at_ = absl::InfinitePast();
  LogLimit failures_{absl::Minutes(1)};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_READY_FILE_H_
