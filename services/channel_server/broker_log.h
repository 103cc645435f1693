#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_LOG_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_LOG_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/log/group_log.h"

namespace groupcast::service {

// A broker's log: it brings a new broker to where the log ends, takes its turns, and rotates, with
// a snapshot that is written a part at a time.
//
// Not thread-safe.
class BrokerLog {
 public:
  // Opens the log and restores `broker`, which is as it was made; in a new epoch if the tail may be
  // missing, or if there is a log and `begin_new_epoch`. `storage` and `broker` must outlive it.
  //
  // Errors are GroupLog::Open's and Start's; then the broker is of no use. `report` is written as
  // far as it came.
  static absl::StatusOr<std::unique_ptr<BrokerLog>> Open(const GroupLogOptions& options,
                                                         bool begin_new_epoch, absl::Time now,
                                                         LogStorage* storage, Broker* broker,
                                                         RecoveryReport* report);

  // GroupLog::Append.
  absl::Status Append(std::string* record) { return log_->Append(record); }

  // Does the next step of what is due, after a turn. It never waits for the disk, and takes no
  // longer than a part of a snapshot. An error says why the next segment cannot be begun; it is
  // tried again.
  absl::Status Step(absl::Time now);

  // A snapshot is being written: turns should follow each other without a pause.
  bool in_snapshot() const {
    return log_->needs_snapshot() && no_part_before_ == absl::InfinitePast();
  }

  // GroupLog::Close.
  absl::Status Close() { return log_->Close(); }

  size_t segment_count() const { return log_->segment_count(); }

 private:
  BrokerLog(std::unique_ptr<GroupLog> log, Broker* broker)
      : log_(std::move(log)), broker_(broker) {}

  const std::unique_ptr<GroupLog> log_;
  Broker* const broker_;
  absl::Time no_part_before_ = absl::InfinitePast();  // else the last part could not be written
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_LOG_H_
