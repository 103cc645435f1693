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

// Gets what a log has, in the log's order. Views live during the call. An error says that the bytes
// are none of the visitor's; it ends the recovery.
class GroupLogVisitor {
 public:
  // A snapshot comes in parts, with turns between them.
  virtual absl::Status OnSnapshotPart(absl::string_view part) = 0;
  // All parts of a snapshot have come. The first segment has such a snapshot; a later one may end
  // before its snapshot does.
  virtual void OnSnapshotEnd() = 0;
  virtual absl::Status OnTurn(absl::string_view turn) = 0;

 protected:
  ~GroupLogVisitor() = default;
};

struct RecoveryReport {
  // There was a log. (A power loss right after the first start may have left its name only: then
  // there was no snapshot, and the tail may be missing.)
  bool existed = false;
  bool clean = false;  // it ended with Close

  // There may have been turns after the last one, and somebody may know of them: offsets must not
  // go on as if nothing had happened.
  bool tail_may_be_missing = false;

  uint64_t segments = 0;
  uint64_t turns = 0;
  uint64_t bytes = 0;

  // What was cut off because it was not whole, and for people: where and why. Recovery removes a
  // segment without anything usable.
  uint64_t torn_bytes = 0;
  std::string torn;
};

// Reads a log from its oldest segment on, and cuts off a tail that is not whole.
//
// What was being written when the process or the machine stopped is a torn tail: a record that the
// file's end cuts, or nothing but zeros, at the end of the last segment. After a power loss it is
// anything in the last segment that is not whole, because a disk does not write in order. It may
// also be the end of a segment before, unless each write was synced.
//
// Two kinds of segments carry nothing, and are removed: a last one to which nothing was appended
// (it was made in advance); and first ones without a whole snapshot (their deletion had begun).
class LogRecovery {
 public:
  struct Segment {
    uint64_t number = 0;
    bool has_whole_snapshot = false;
  };

  // All must outlive it. An empty `boot_id` is unknown, and is taken for another than the log's.
  LogRecovery(absl::string_view boot_id, LogStorage* storage, GroupLogVisitor* visitor,
              RecoveryReport* report)
      : this_boot_(boot_id), storage_(storage), visitor_(visitor), report_(report) {}

  // The segments that are there, oldest first. Errors are GroupLog::Open's.
  absl::StatusOr<std::vector<Segment>> Read();

 private:
  absl::StatusOr<std::vector<uint64_t>> FindSegments();
  absl::Status RemoveReserve(std::vector<uint64_t>* numbers);
  absl::Status RemoveWithoutSnapshot(std::vector<uint64_t>* numbers);
  absl::Status Load(uint64_t number);
  // Whether the segment is part of the log; only the last may turn out not to be.
  absl::StatusOr<bool> ReadSegment(Segment* segment, bool is_first, bool is_last);
  absl::Status CheckHeader() const;
  bool IsWholeWithoutSnapshot() const;
  bool FindSnapshotEnd(RecordReader* reader) const;
  bool one_record_is_a_snapshot() const;
  absl::StatusOr<bool> ReadStart(RecordReader* reader, bool is_first, bool is_last);
  absl::Status ReadRecords(RecordReader* reader, bool is_last, Segment* segment);
  absl::Status CutTail(RecordReader::Result result, size_t at, bool is_last);
  // The last segment has nothing that can be used.
  absl::StatusOr<bool> DropSegment();
  absl::Status Damaged(size_t at, absl::string_view what) const;

  // The machine has stopped since the log was last written to.
  bool other_boot() const { return this_boot_.empty() || this_boot_ != boot_id_; }

  const absl::string_view this_boot_;
  LogStorage* const storage_;
  GroupLogVisitor* const visitor_;
  RecoveryReport* const report_;

  // The segment that is being read.
  uint64_t number_ = 0;
  std::string name_;
  std::string bytes_;

  // Of the newest start record.
  FsyncMode fsync_ = FsyncMode::kNever;
  std::string boot_id_;

  bool lost_more_than_a_torn_write_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_RECOVERY_H_
