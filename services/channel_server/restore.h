#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_RESTORE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_RESTORE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel_server/broker.h"
#include "services/channel_server/group_log.h"

namespace groupcast::service {

// Opens the log and brings `broker`, which is as it was made, to where the log ends; in a new epoch
// if the tail may be missing, or if there is a log and `begin_new_epoch`. The log that is returned
// has a segment to append to. `storage` must outlive it.
//
// Errors are GroupLog::Open's and StartSegment's; then the broker is of no use. `report` is written
// as far as it came.
absl::StatusOr<std::unique_ptr<GroupLog>> RestoreFromLog(const GroupLogOptions& options,
                                                         bool begin_new_epoch, absl::Time now,
                                                         LogStorage* storage, Broker* broker,
                                                         RecoveryReport* report);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_RESTORE_H_
