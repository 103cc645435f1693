#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_LOG_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_LOG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/log/group_log.h"

namespace groupcast::service {

// A broker's log. It restores a new broker from the log, and appends the broker's turns. It also
// rotates the log, and writes each snapshot in parts.
//
// Not thread-safe.
class BrokerLog {
 public:
  // Opens the log and restores `broker`, which must be new. A new epoch begins if the tail may be
  // missing, or if there is a log and `begin_new_epoch`. `storage` and `broker` must outlive it.
  //
  // The errors are those of GroupLog::Open and GroupLog::Start. After an error the caller must not
  // use the broker. `report` then has the values up to the error.
  static absl::StatusOr<std::unique_ptr<BrokerLog>> Open(const GroupLogOptions& options,
                                                         bool begin_new_epoch, absl::Time now,
                                                         LogStorage* storage, Broker* broker,
                                                         RecoveryReport* report);

  // Begins a log in an empty storage, with all of the state of `broker`, which runs already. The
  // broker must not be handing out.
  // kFailedPrecondition: the storage is not empty. The other errors are the storage's.
  static absl::StatusOr<std::unique_ptr<BrokerLog>> OpenEmpty(const GroupLogOptions& options,
                                                              absl::Time now, LogStorage* storage,
                                                              Broker* broker);

  // Begins the log anew in its own storage (GroupLog::StartAnew), between turns.
  // kUnavailable: not now. The broker is handing out, or the storage is creating a segment.
  absl::Status StartAnew(absl::Time now);

  // GroupLog::Check.
  absl::Status Check() { return log_->Check(); }

  // GroupLog::IsBeingCreated.
  bool IsBeingCreated(absl::string_view file) const { return log_->IsBeingCreated(file); }

  // GroupLog::Append.
  absl::Status Append(std::string* record) { return log_->Append(record); }

  // Takes the next step of a rotation or a snapshot, after a turn. It never waits for the disk, and
  // takes at most the time of one part of a snapshot. An error gives the reason why the next
  // segment or the next part failed. A later call tries again.
  absl::Status Step(absl::Time now);

  // A snapshot is in progress: turns should follow each other without a pause.
  bool in_snapshot() const {
    return log_->needs_snapshot() && no_part_before_ == absl::InfinitePast();
  }

  // GroupLog::Close.
  absl::Status Close() { return log_->Close(); }

  size_t segment_count() const { return log_->segment_count(); }
  // GroupLog::bytes.
  uint64_t bytes() const { return log_->bytes(); }

 private:
  BrokerLog(std::unique_ptr<GroupLog> log, Broker* broker)
      : log_(std::move(log)), broker_(broker) {}

  const std::unique_ptr<GroupLog> log_;
  Broker* const broker_;
  absl::Time no_part_before_ = absl::InfinitePast();  // else the last part failed
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_LOG_H_
