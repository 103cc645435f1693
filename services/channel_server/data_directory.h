#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_DATA_DIRECTORY_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_DATA_DIRECTORY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/broker_log.h"
#include "services/channel_server/log/file_storage.h"
#include "services/common/clock.h"
#include "services/common/logging.h"

namespace groupcast::service {

// The server's log in its directory, and what becomes of it when the directory goes away: someone
// removes, renames, replaces or unmounts it while the server runs.
//
// It looks at the directory four times a second. Once the directory is not there, no turn is
// written until it is back:
//   - The same directory, with its log: the log goes on.
//   - An empty directory: the log begins anew there, with all of the broker's state. Nothing is
//     lost while this process lives. If the directory was a mount point, the empty one must be one
//     too.
//   - Another directory that is not empty: it is not touched.
// If only earlier segments are missing, the log begins anew in its directory at once. If the log
// cannot begin anew, the next attempt is 1 s after the end of this one. That time doubles up to a
// minute. An error that says nothing about the directory changes nothing.
//
// Not thread-safe. It writes log lines.
class DataDirectory {
 public:
  // The errors are those of FileStorage::Open and BrokerLog::Open. `clock`, which is monotonic, and
  // `broker` must outlive it.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& path,
                                                             const GroupLogOptions& options,
                                                             bool begin_new_epoch,
                                                             const Clock* clock, Broker* broker,
                                                             RecoveryReport* report);

  // BrokerLog::Append. kUnavailable: the directory is not there.
  absl::Status Append(std::string* record);

  // After a turn: looks at the directory when it is due, and takes the next step of the log. It may
  // wait for the disk only when the log begins anew.
  void Step();

  // Turns should follow each other without a pause.
  bool in_snapshot() const { return !is_lost() && log_->in_snapshot(); }

  // The size of the log's segments, also while the directory is not there.
  uint64_t log_bytes() const { return log_->bytes(); }

  // Looks at the directory for the last time, and then BrokerLog::Close. kUnavailable: the log is
  // not in its place, and no image could be written there.
  absl::Status Close();

 private:
  DataDirectory(const std::string& path, const GroupLogOptions& options, const Clock* clock,
                Broker* broker)
      : path_(path), options_(options), clock_(clock), broker_(broker) {}

  bool is_lost() const { return !lost_.ok(); }
  void Look();
  void TellRecovery();
  absl::Status BeginAnew();
  absl::Status BeginInEmptiedDirectory();
  absl::Status BeginInOtherDirectory();
  absl::Status WriteImage(const std::function<absl::Status()>& write);
  void ForgetFailedImages();

  const std::string path_;
  const GroupLogOptions options_;
  const Clock* const clock_;
  Broker* const broker_;
  std::unique_ptr<FileStorage> storage_;
  std::unique_ptr<BrokerLog> log_;

  absl::Time next_look_ = absl::InfinitePast();
  absl::Status found_;  // BrokerLog::Check at the last look with an answer
  absl::Status lost_;   // OK: the directory is there; else the reason why no turn is written
  absl::Status image_failure_;
  absl::Time no_image_before_ = absl::InfinitePast();
  absl::Duration image_retry_ = absl::Seconds(1);
  bool write_failed_ = false;       // the last one
  bool failure_is_recent_ = false;  // a write has failed, and no line has said that they work again
  absl::Time next_recovery_line_ = absl::InfinitePast();
  LogLimit lost_limit_;
  LogLimit rotation_limit_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_DATA_DIRECTORY_H_
