#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_RECOVERY_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_RECOVERY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel_server/log/log_format.h"
#include "services/channel_server/log/log_storage.h"

namespace groupcast::service {

// Receives the records of a log, in the log's order. Views are valid during the call. An error
// means that the visitor cannot read the bytes. It ends the recovery.
class GroupLogVisitor {
 public:
  // A snapshot comes in parts, with turns between them.
  virtual absl::Status OnSnapshotPart(absl::string_view part) = 0;
  // All parts of a snapshot have come. The first segment has such a snapshot. A later segment may
  // end before its snapshot is complete.
  virtual void OnSnapshotEnd() = 0;
  virtual absl::Status OnTurn(absl::string_view turn) = 0;

 protected:
  ~GroupLogVisitor() = default;
};

struct RecoveryReport {
  // There was a log. (A power loss right after the first start may have left only its name. Then
  // there was no snapshot, and the tail may be missing.)
  bool existed = false;
  bool clean = false;  // it ended with Close

  // There may have been turns after the last one, and workers may know of them. Then the offsets
  // must not continue in the same epoch.
  bool tail_may_be_missing = false;

  uint64_t segments = 0;
  uint64_t turns = 0;
  uint64_t bytes = 0;

  // The number of incomplete bytes that were cut off. `torn` has each place and its reason, for
  // people. Recovery removes a segment without any usable record.
  uint64_t torn_bytes = 0;
  std::string torn;
};

// Reads a log from its oldest segment on, and cuts off an incomplete tail.
//
// A torn tail is the record that was in progress when the process or the machine stopped. It is at
// the end of the last segment: a record that the file's end cuts, or only zeros. After a power
// loss, any incomplete record in the last segment is one, because a disk does not write in order.
// The end of an earlier segment may then be torn too, unless each write was synced.
//
// Two kinds of segments carry nothing, and recovery removes them:
//   - a last segment without records after its start record (it was created in advance)
//   - first segments without a whole snapshot (their deletion had begun)
class LogRecovery {
 public:
  struct Segment {
    uint64_t number = 0;
    bool has_whole_snapshot = false;
    uint64_t bytes = 0;
  };

  // All must outlive it. An empty `boot_id` is unknown, and counts as different from the log's.
  LogRecovery(absl::string_view boot_id, LogStorage* storage, GroupLogVisitor* visitor,
              RecoveryReport* report)
      : this_boot_(boot_id), storage_(storage), visitor_(visitor), report_(report) {}

  // The existing segments, oldest first. The errors are those of GroupLog::Open.
  absl::StatusOr<std::vector<Segment>> Read();

 private:
  absl::StatusOr<std::vector<uint64_t>> FindSegments();
  absl::Status LeaveOutReserve(std::vector<uint64_t>* numbers);
  absl::Status LeaveOutWithoutSnapshot(std::vector<uint64_t>* numbers);
  absl::Status Load(uint64_t number);
  // Whether the segment is part of the log. Only the last segment may not be.
  absl::StatusOr<bool> ReadSegment(Segment* segment, bool is_first, bool is_last);
  absl::Status CheckHeader() const;
  bool IsWholeWithoutSnapshot() const;
  bool FindSnapshotEnd(RecordReader* reader) const;
  bool one_record_is_a_snapshot() const;
  absl::StatusOr<bool> ReadStart(RecordReader* reader, bool is_first, bool is_last);
  absl::Status ReadRecords(RecordReader* reader, bool is_last, Segment* segment);
  absl::Status CutTail(RecordReader::Result result, size_t at, bool is_last);
  // Removes the last segment, because it has no usable record.
  absl::StatusOr<bool> DropSegment();
  void NoteTorn(size_t bytes, absl::string_view what);
  absl::Status Damaged(size_t at, absl::string_view what) const;

  // The machine has stopped since the last write of the log.
  bool other_boot() const { return this_boot_.empty() || this_boot_ != boot_id_; }

  const absl::string_view this_boot_;
  LogStorage* const storage_;
  GroupLogVisitor* const visitor_;
  RecoveryReport* const report_;

  // The present segment.
  uint64_t number_ = 0;
  std::string name_;
  std::string bytes_;

  // From the newest start record.
  FsyncMode fsync_ = FsyncMode::kNever;
  std::string boot_id_;

  std::vector<uint64_t> left_out_;  // segments that carry nothing
  bool lost_more_than_a_torn_write_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_RECOVERY_H_
