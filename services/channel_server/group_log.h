#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_GROUP_LOG_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_GROUP_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/channel_server/log_storage.h"

namespace groupcast::service {

struct GroupLogOptions {
  // A new segment is due when the turns in the present one take so many bytes (or as many as its
  // snapshot, if that is larger), or when it has become so old. Smaller: finer deletion, more
  // snapshots.
  size_t segment_bytes_max = 64u << 20;
  absl::Duration segment_age_max = absl::Seconds(60);

  // A segment is deleted when all of it is older than this: longer than anything in it is needed
  // after a restart. What was found at the start counts as new then.
  absl::Duration keep = absl::Minutes(6);

  // The storage's mode. Written into the log, so that the next start knows what a power loss may
  // have taken.
  FsyncMode fsync = FsyncMode::kInterval;

  // Names this run of the machine. With another one than the log's last, the machine has stopped
  // since, and what was not synced may be missing. Empty: unknown, which is taken for another.
  std::string boot_id;
};

// Who is told what a log has. Views live during the call. An error says that the bytes are none of
// the caller's; it ends the recovery.
class GroupLogVisitor {
 public:
  // At the beginning of each segment, so that a segment and what it begins with appear at once.
  // After the first one, the turns before it have led there, unless their end was lost.
  virtual absl::Status OnSnapshot(absl::string_view snapshot) = 0;
  virtual absl::Status OnTurn(absl::string_view turn) = 0;

 protected:
  ~GroupLogVisitor() = default;
};

struct RecoveryReport {
  // There was a log. (A power loss right after the first start may have left its name only: then no
  // snapshot was visited, and the tail may be missing.)
  bool existed = false;
  bool clean = false;  // it ended with Close

  // There may have been turns after the last one that was visited, and somebody may have been told
  // of them: offsets must not go on as if nothing had happened.
  bool tail_may_be_missing = false;

  uint64_t segments = 0;
  uint64_t turns = 0;
  uint64_t bytes = 0;

  // What was cut off at the end, because it was not whole, and for people: where and why. A segment
  // of which nothing was usable is removed.
  uint64_t torn_bytes = 0;
  std::string torn;
};

// The channel server's log: what its turns did, in order, so that another process can go on after
// it. It knows turns and snapshots as bytes.
//
// It is a row of segments, the files log-0000000000000001 and so on. Integers are little-endian:
//
//   segment   "GCASTLOG" | version u32 | segment's number u64 | checksum of these u32 | records
//   record    checksum of the next 9 bytes u32 | payload's length u32 | kind u8 |
//             checksum of the payload u32 | payload
//   checksum  the low half of XXH3 with 64 bits and no seed
//   kinds     1 start      FsyncMode u8 | boot id           the first record of each segment
//             2 snapshot   what the turns before it led to  the second
//             3 turn
//             4 clean end  empty                            the last, if there was a Close
//
// The header has a checksum of its own, so that a damaged length is not mistaken for a record that
// is cut off by the end of the file. Version 1 is the only one there is. A record is at most 1 GiB.
//
// Use: Open, which visits what there is; StartSegment; then Append for each turn and, when
// wants_rotation(), StartSegment again; Close.
//
// Not thread-safe; has neither threads nor a clock.
class GroupLog {
 public:
  // So many bytes at the beginning of what is given to Append are the log's.
  static constexpr size_t kRecordHeaderBytes = 13;
  static constexpr size_t kRecordBytesMax = 1u << 30;

  // Visits each segment's snapshot and turns, oldest first, and cuts off a tail that is not whole.
  // `storage` must outlive the log.
  //
  // What was being written when the process or the machine stopped is a torn tail, and cut off: a
  // record that the file's end cuts, or nothing but zeros, at the end of the last segment; and
  // after a power loss anything that is not whole in it, because a disk does not write in order.
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

  // Begins a segment with a snapshot of what all turns so far led to, and deletes segments that are
  // not needed any more (also if the rest fails: that may make room; what cannot be deleted is
  // tried again the next time). The first one after Open syncs the storage, whatever the mode, so
  // that the log says from then on that it has not ended cleanly.
  //
  // After an error turns go to the segment before, if there is one, and no new one is wanted for a
  // second. `now` must be from a clock that does not go back.
  absl::Status StartSegment(absl::string_view snapshot, absl::Time now);

  bool wants_rotation(absl::Time now) const;

  // Writes one turn: what follows the first kRecordHeaderBytes of `record`, which the log fills in.
  // After an error the turn is not in the log.
  // kInvalidArgument: too large. kFailedPrecondition: before StartSegment, or after Close.
  absl::Status Append(std::string* record);

  // Says that this is the end, and syncs the storage. Nothing can be appended after it.
  absl::Status Close();

  // With the segment that is written to.
  size_t segment_count() const { return older_.size() + (started_ ? 1 : 0); }
  // What Append has written since Open.
  uint64_t appended_bytes() const { return appended_bytes_; }

 private:
  class Recovery;

  struct Segment {
    uint64_t number = 0;
    absl::Time ended = absl::InfiniteFuture();
  };

  GroupLog(const GroupLogOptions& options, LogStorage* storage)
      : options_(options), storage_(storage) {}

  void DeleteExpired(absl::Time now);

  const GroupLogOptions options_;
  LogStorage* const storage_;

  std::deque<Segment> older_;
  uint64_t next_number_ = 1;

  // The segment that is written to.
  bool started_ = false;
  bool closed_ = false;
  absl::Time began_;
  uint64_t snapshot_bytes_ = 0;
  uint64_t turn_bytes_ = 0;
  absl::Time no_rotation_before_ = absl::InfinitePast();

  uint64_t appended_bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_GROUP_LOG_H_
