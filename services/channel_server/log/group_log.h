#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_GROUP_LOG_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_GROUP_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/channel_server/log/log_format.h"
#include "services/channel_server/log/log_recovery.h"
#include "services/channel_server/log/log_storage.h"

namespace groupcast::service {

struct GroupLogOptions {
  // A new segment is due when the turns of the present one take this number of bytes (or as many as
  // its snapshot, if that is larger), or when it reaches this age. Smaller values: finer deletion,
  // more snapshots.
  size_t segment_bytes_max = 64u << 20;
  absl::Duration segment_age_max = absl::Seconds(60);

  // A segment is deleted when all of it is older than this: longer than anything in it is needed
  // after a restart. What was found at the start counts as new then.
  absl::Duration keep = absl::Minutes(6);

  // The storage's mode. It is written into the log, so that the next start knows what a power loss
  // may have taken.
  FsyncMode fsync = FsyncMode::kInterval;

  // Names this run of the machine. With another one than the log's last, the machine has stopped
  // since, and what was not synced may be missing. Empty: unknown, which is taken for another.
  std::string boot_id;
};

// The channel server's log: what its turns did, in order, so that another process can go on after
// it. It knows turns and snapshots as bytes (log_format.h).
//
// It is a row of segments, the files log-0000000000000001 and so on. Each segment has a snapshot of
// what the turns before it led to, so that older segments can be deleted.
//
// Rotation holds no turn up. The storage makes the next segment in the background. When it is
// there, turns go to it, and its snapshot follows in parts, between the turns. No segment is
// deleted before the one after it has a whole snapshot.
//
// Use: Open, which visits what there is; Start; then Append for each turn and, between turns,
// Rotate; Close.
//
// Not thread-safe; has neither threads nor a clock.
class GroupLog {
 public:
  // The number of bytes at the front of a record that are the log's.
  static constexpr size_t kRecordHeaderBytes = kLogRecordHeaderBytes;

  // Visits the snapshots and turns, oldest first, and cuts off a tail that is not whole
  // (log_recovery.h). `storage` must outlive the log.
  //
  // kDataLoss: something else is not whole. kFailedPrecondition: written by a newer version, or not
  // by a channel server. The sentences name the file and say what to do, and nothing was changed.
  // Other errors are the storage's.
  static absl::StatusOr<std::unique_ptr<GroupLog>> Open(const GroupLogOptions& options,
                                                        LogStorage* storage,
                                                        GroupLogVisitor* visitor,
                                                        RecoveryReport* report);

  GroupLog(const GroupLog&) = delete;
  GroupLog& operator=(const GroupLog&) = delete;

  // Makes the first segment of this process, with all parts of a snapshot. It waits for the
  // storage, and syncs it, whatever the mode: the log says from then on that it has not ended
  // cleanly. After an error it can be called again. `now` must be from a clock that does not go
  // back.
  absl::Status Start(absl::Span<const std::string> snapshot_parts, absl::Time now);

  // Writes one turn: what follows the first kRecordHeaderBytes of `record`, which the log fills in.
  // After an error the turn is not in the log.
  // kInvalidArgument: too large. kFailedPrecondition: before Start, or after Close.
  absl::Status Append(std::string* record);

  // Does what is due of a rotation, and deletes expired segments; never waits. True: from now on
  // turns go to a new segment, which needs_snapshot().
  // After an error turns go on in the present segment, and it tries again after a second.
  absl::StatusOr<bool> Rotate(absl::Time now);

  // A new segment is due.
  bool wants_rotation(absl::Time now) const;

  // The present segment has no whole snapshot yet. Until it has, no rotation begins.
  bool needs_snapshot() const { return started_ && !closed_ && !snapshot_is_whole_; }

  // Writes a part of the present segment's snapshot. After an error the part is not in the log, and
  // the snapshot must begin anew.
  absl::Status AppendSnapshot(absl::string_view part, bool is_last);

  // Says that this is the end, and syncs the storage. Nothing can be appended after it.
  absl::Status Close();

  // With the segment that is written to.
  size_t segment_count() const { return older_.size() + (started_ ? 1 : 0); }
  // What Append has written since Open.
  uint64_t appended_bytes() const { return appended_bytes_; }

 private:
  struct Segment {
    uint64_t number = 0;
    bool has_whole_snapshot = false;
    absl::Time ended = absl::InfiniteFuture();
  };

  GroupLog(const GroupLogOptions& options, LogStorage* storage)
      : options_(options), storage_(storage) {}

  std::string SegmentHead() const;
  void BeginSegment(absl::Time now);
  void DeleteExpired(absl::Time now);

  const GroupLogOptions options_;
  LogStorage* const storage_;

  std::deque<Segment> older_;
  uint64_t next_number_ = 1;
  bool creating_ = false;  // the next segment, in the background

  // The segment that is written to.
  bool started_ = false;
  bool closed_ = false;
  bool snapshot_is_whole_ = false;
  absl::Time began_;
  uint64_t snapshot_bytes_ = 0;
  uint64_t turn_bytes_ = 0;
  absl::Time no_rotation_before_ = absl::InfinitePast();

  uint64_t appended_bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_GROUP_LOG_H_
