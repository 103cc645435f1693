#include "services/channel_server/log/group_log.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

constexpr absl::Duration kRotationRetry = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<GroupLog>> GroupLog::Open(const GroupLogOptions& options,
                                                         LogStorage* storage,
                                                         GroupLogVisitor* visitor,
                                                         RecoveryReport* report) {
  *report = {};
  LogRecovery recovery(options.boot_id, storage, visitor, report);
  const absl::StatusOr<std::vector<LogRecovery::Segment>> segments = recovery.Read();
  if (!segments.ok()) return segments.status();
  auto log = std::unique_ptr<GroupLog>(new GroupLog(options, storage));
  for (const LogRecovery::Segment& segment : *segments) {
    log->older_.push_back({.number = segment.number,
                           .has_whole_snapshot = segment.has_whole_snapshot,
                           .bytes = segment.bytes});
    log->next_number_ = segment.number + 1;
  }
  return log;
}

// The beginning of the next segment.
std::string GroupLog::SegmentHead(uint32_t version) const {
  std::string head = SegmentHeader(next_number_, version);
  AddRecord(RecordKind::kStart,
            absl::StrCat(std::string(1, static_cast<char>(options_.fsync)), options_.boot_id),
            &head);
  return head;
}

absl::Status GroupLog::Start(absl::Span<const std::string> snapshot_parts, absl::Time now) {
  if (started_) return absl::FailedPreconditionError("the log was started before");
  for (Segment& segment : older_) segment.ended = now;
  auto next = snapshot_parts.begin();
  const auto parts = [&](std::string* part) {
    if (next == snapshot_parts.end()) return false;
    *part = *next++;
    return true;
  };
  const absl::StatusOr<uint64_t> bytes = CreateSegment(kSegmentVersion, parts);
  if (!bytes.ok()) return bytes.status();
  if (absl::Status status = storage_->Sync(); !status.ok()) return status;
  started_ = true;
  BeginSegment(now);
  snapshot_bytes_ = *bytes;
  snapshot_is_whole_ = true;
  return absl::OkStatus();
}

absl::Status GroupLog::StartAnew(const LogStorage::Pieces& image_parts, absl::Time now) {
  if (closed_) return absl::FailedPreconditionError("the log is closed");
  if (creating_) {
    const absl::StatusOr<bool> created = FinishCreation(now);
    if (created.ok() && !*created) return absl::UnavailableError("a segment is being created");
  }
  const absl::StatusOr<uint64_t> bytes = CreateSegment(kImageSegmentVersion, image_parts);
  if (!bytes.ok()) return bytes.status();
  if (started_) older_.push_back({.number = next_number_ - 1});
  started_ = true;
  BeginSegment(now);
  snapshot_bytes_ = *bytes;
  snapshot_is_whole_ = true;
  RemoveOlder();
  return absl::OkStatus();
}

// Creates the next segment with all parts of a snapshot or an image. Returns its size.
absl::StatusOr<uint64_t> GroupLog::CreateSegment(uint32_t version,
                                                 const LogStorage::Pieces& parts) {
  uint64_t bytes = 0;
  enum { kHead, kParts, kDone } next = kHead;
  std::string part;
  const auto next_piece = [&](std::string* piece) {
    piece->clear();
    if (next == kDone) return false;
    if (next == kHead) {
      *piece = SegmentHead(version);
      next = kParts;
    } else if (parts(&part)) {
      AddRecord(RecordKind::kSnapshot, part, piece);
    } else {
      AddRecord(RecordKind::kSnapshotEnd, "", piece);
      next = kDone;
    }
    bytes += piece->size();
    return true;
  };
  absl::Status created = storage_->Create(SegmentName(next_number_), next_piece);
  if (!created.ok()) return created;
  return bytes;
}

// In order: what is left never has a hole.
void GroupLog::RemoveOlder() {
  bool can_remove = storage_->Sync().ok();
  for (; !older_.empty(); older_.pop_front()) {
    const std::string name = SegmentName(older_.front().number);
    if (can_remove) {
      const absl::Status removed = storage_->Remove(name);
      can_remove = removed.ok() || absl::IsNotFound(removed);
    }
    if (!can_remove) storage_->RemoveLater(name);
  }
}

absl::Status GroupLog::Check() {
  if (absl::Status status = storage_->Check(); !status.ok()) return status;
  for (const Segment& segment : older_) {
    const std::string name = SegmentName(segment.number);
    const absl::Status found = storage_->Find(name);
    if (absl::IsNotFound(found)) {
      return absl::OutOfRangeError(absl::StrCat(storage_->Describe(name), " is missing"));
    }
    if (!found.ok()) return found;
  }
  return absl::OkStatus();
}

void GroupLog::BeginSegment(absl::Time now) {
  ++next_number_;
  began_ = now;
  snapshot_is_whole_ = false;
  head_bytes_ = 0;
  snapshot_bytes_ = 0;
  turn_bytes_ = 0;
}

uint64_t GroupLog::bytes() const {
  uint64_t bytes = started_ ? segment_bytes() : 0;
  for (const Segment& segment : older_) bytes += segment.bytes;
  return bytes;
}

absl::Status GroupLog::Append(std::string* record) {
  if (!started_ || closed_) return absl::FailedPreconditionError("no segment was started");
  if (record->size() < kRecordHeaderBytes ||
      record->size() - kRecordHeaderBytes > kLogRecordBytesMax) {
    return absl::InvalidArgumentError("a turn has a header and at most 1 GiB");
  }
  FinishRecord(RecordKind::kTurn, record->data(), record->size());
  if (absl::Status status = storage_->Append(*record); !status.ok()) return status;
  turn_bytes_ += record->size();
  appended_bytes_ += record->size();
  return absl::OkStatus();
}

absl::StatusOr<bool> GroupLog::Rotate(absl::Time now) {
  if (!started_ || closed_) return false;
  DeleteExpired(now);
  if (creating_) return FinishCreation(now);
  if (!wants_rotation(now)) return false;
  creating_ = true;
  no_rotation_before_ = now + kRotationRetry;
  std::string head = SegmentHead(kSegmentVersion);
  next_head_bytes_ = head.size();
  storage_->BeginCreate(SegmentName(next_number_), std::move(head));
  return false;
}

// Whether the next segment has begun.
absl::StatusOr<bool> GroupLog::FinishCreation(absl::Time now) {
  const std::optional<absl::Status> created = storage_->FinishCreate();
  if (!created.has_value()) return false;
  creating_ = false;
  if (!created->ok()) return *created;
  older_.push_back({.number = next_number_ - 1,
                    .has_whole_snapshot = snapshot_is_whole_,
                    .bytes = segment_bytes(),
                    .ended = now});
  BeginSegment(now);
  head_bytes_ = next_head_bytes_;
  return true;
}

bool GroupLog::wants_rotation(absl::Time now) const {
  if (!snapshot_is_whole_ || now < no_rotation_before_) return false;
  if (turn_bytes_ >= std::max<uint64_t>(options_.segment_bytes_max, snapshot_bytes_)) return true;
  return turn_bytes_ > 0 && now - began_ >= options_.segment_age_max;
}

absl::Status GroupLog::AppendSnapshot(absl::string_view part, bool is_last) {
  if (!needs_snapshot()) return absl::FailedPreconditionError("the snapshot is whole");
  std::string bytes;
  AddRecord(RecordKind::kSnapshot, part, &bytes);
  if (is_last) AddRecord(RecordKind::kSnapshotEnd, "", &bytes);
  // No worker learns of a part, so it need not be safe before the turns after it. But after the
  // last part the log may delete segments.
  absl::Status status = is_last ? storage_->Append(bytes) : storage_->AppendUnsynced(bytes);
  if (!status.ok()) return status;
  snapshot_bytes_ += bytes.size();
  snapshot_is_whole_ = is_last;
  return absl::OkStatus();
}

absl::Status GroupLog::Close() {
  if (closed_ || !started_) return absl::OkStatus();
  std::string end;
  AddRecord(RecordKind::kCleanEnd, "", &end);
  if (absl::Status status = storage_->Append(end); !status.ok()) return status;
  closed_ = true;
  return storage_->Sync();
}

void GroupLog::DeleteExpired(absl::Time now) {
  const auto has_whole_snapshot = [this](size_t index) {
    return index < older_.size() ? older_[index].has_whole_snapshot : snapshot_is_whole_;
  };
  size_t expired = 0;
  while (expired < older_.size() && now - older_[expired].ended >= options_.keep) ++expired;
  // The log must begin with a whole snapshot.
  while (expired > 0 && !has_whole_snapshot(expired)) --expired;
  for (; expired > 0; --expired) {
    storage_->RemoveLater(SegmentName(older_.front().number));
    older_.pop_front();
  }
}

}  // namespace groupcast::service
