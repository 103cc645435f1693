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
  // A new segment is due when the turns of the present one reach this number of bytes (or the size
  // of its snapshot, if larger). It is also due at this age. Smaller values give finer deletion and
  // more snapshots.
  size_t segment_bytes_max = 64u << 20;
  absl::Duration segment_age_max = absl::Seconds(60);

  // The log deletes a segment when all its records are older than this. The time must be longer
  // than a restart needs any of them. Segments that exist at the start count as new then.
  absl::Duration keep = absl::Minutes(6);

  // With this number of segments, a start should begin the log anew (GroupLog::StartAnew), so that
  // restarts do not pile segments up. Each start adds a segment, and expires none.
  size_t segments_at_start_max = 16;

  // The storage's mode. The log has it too, so that the next start knows the possible losses of a
  // power loss.
  FsyncMode fsync = FsyncMode::kInterval;

  // Names this run of the machine. If the log's last id differs, the machine has stopped since, and
  // unsynced bytes may be missing. Empty: unknown, which counts as a different id.
  std::string boot_id;
};

// The channel server's log: the effects of its turns, in order, so that another process can
// continue after them. To the log, turns and snapshots are bytes (log_format.h).
//
// It is a sequence of segments, the files log-0000000000000001 and so on. Each segment has a
// snapshot of the state after the earlier turns, so that older segments can be deleted.
//
// Rotation delays no turn. The storage creates the next segment in the background. When it exists,
// the log writes turns to it. Its snapshot follows in parts, between the turns. The log deletes no
// segment before a later segment has a whole snapshot.
//
// Use: Open, which visits the existing records. Then Start. Then Append for each turn and, between
// turns, Rotate. Then Close.
//
// Not thread-safe. It has neither threads nor a clock.
class GroupLog {
 public:
  // The number of bytes at the front of a record that are for the log.
  static constexpr size_t kRecordHeaderBytes = kLogRecordHeaderBytes;

  // Visits the snapshots and turns, oldest first, and cuts off an incomplete tail (log_recovery.h).
  // `storage` must outlive the log.
  //
  // kDataLoss: another part is incomplete. kFailedPrecondition: a newer version wrote the log, or
  // it is not a log of a channel server. The messages name the file and the remedy, and no file was
  // changed. Other errors are the storage's.
  static absl::StatusOr<std::unique_ptr<GroupLog>> Open(const GroupLogOptions& options,
                                                        LogStorage* storage,
                                                        GroupLogVisitor* visitor,
                                                        RecoveryReport* report);

  GroupLog(const GroupLog&) = delete;
  GroupLog& operator=(const GroupLog&) = delete;

  // Creates the first segment of this process, with all parts of a snapshot. It waits for the
  // storage, and syncs it in every mode: from then on the log shows that it has not ended cleanly.
  // After an error the caller may call it again. `now` must be from a clock that does not run
  // backwards.
  absl::Status Start(absl::Span<const std::string> snapshot_parts, absl::Time now);

  // Begins the log anew: creates a segment with all parts of an image, which needs no other
  // segment, and then removes the earlier segments. Unlike Start it may be called at any time
  // before Close, also when other programs have taken segments away. It waits for the storage, and
  // syncs it. After an error, the log takes no turns until a later call succeeds. kUnavailable: the
  // storage is creating a segment. Nothing has changed, and Rotate will finish the creation.
  absl::Status StartAnew(const LogStorage::Pieces& image_parts, absl::Time now);

  // Checks that other programs have not taken the log away (LogStorage::Check).
  // kOutOfRange: the present segment is there, and an earlier one is missing. StartAnew mends that.
  absl::Status Check();

  // The storage is creating the file of the next segment, or has created it and the log does not
  // use it yet.
  bool IsBeingCreated(absl::string_view file) const {
    return creating_ && file == SegmentName(next_number_);
  }

  // Writes one turn: the bytes of `record` after the first kRecordHeaderBytes. The log fills those
  // first bytes in. After an error the turn is not in the log.
  // kInvalidArgument: too large. kFailedPrecondition: before Start, or after Close.
  absl::Status Append(std::string* record);

  // Takes the next step of a rotation that is due, and deletes expired segments. It never waits.
  // True: a new segment has begun and takes the further turns. It needs_snapshot().
  // After an error the present segment takes further turns, and the log tries again after a second.
  absl::StatusOr<bool> Rotate(absl::Time now);

  // A new segment is due.
  bool wants_rotation(absl::Time now) const;

  // The present segment has no whole snapshot yet. Until it has one, no rotation begins.
  bool needs_snapshot() const { return started_ && !closed_ && !snapshot_is_whole_; }

  // Writes a part of the present segment's snapshot. After an error the part is not in the log, and
  // the caller must begin a new snapshot.
  absl::Status AppendSnapshot(absl::string_view part, bool is_last);

  // Writes the clean end, and syncs the storage. After it the log takes no further records.
  absl::Status Close();

  // Includes the present segment.
  size_t segment_count() const { return older_.size() + (started_ ? 1 : 0); }
  // The size of these segments.
  uint64_t bytes() const;
  // The bytes that Append has written since Open.
  uint64_t appended_bytes() const { return appended_bytes_; }

 private:
  struct Segment {
    uint64_t number = 0;
    bool has_whole_snapshot = false;
    uint64_t bytes = 0;
    absl::Time ended = absl::InfiniteFuture();
  };

  GroupLog(const GroupLogOptions& options, LogStorage* storage)
      : options_(options), storage_(storage) {}

  std::string SegmentHead(uint32_t version) const;
  absl::StatusOr<uint64_t> CreateSegment(uint32_t version, const LogStorage::Pieces& parts);
  void RemoveOlder();
  absl::StatusOr<bool> FinishCreation(absl::Time now);
  void BeginSegment(absl::Time now);
  uint64_t segment_bytes() const { return head_bytes_ + snapshot_bytes_ + turn_bytes_; }
  void DeleteExpired(absl::Time now);

  const GroupLogOptions options_;
  LogStorage* const storage_;

  std::deque<Segment> older_;
  uint64_t next_number_ = 1;
  bool creating_ = false;  // the next segment, in the background
  uint64_t next_head_bytes_ = 0;

  // The present segment.
  bool started_ = false;
  bool closed_ = false;
  bool snapshot_is_whole_ = false;
  absl::Time began_;
  uint64_t head_bytes_ = 0;  // in front of its snapshot, if that came later
  uint64_t snapshot_bytes_ = 0;
  uint64_t turn_bytes_ = 0;
  absl::Time no_rotation_before_ = absl::InfinitePast();

  uint64_t appended_bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_GROUP_LOG_H_
