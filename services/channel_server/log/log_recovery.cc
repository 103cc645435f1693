#include "services/channel_server/log/log_recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

bool AllZeros(absl::string_view bytes) {
  return bytes.find_first_not_of('\0') == absl::string_view::npos;
}

// Whether a whole record stands anywhere behind the first byte.
bool HasWholeRecord(absl::string_view bytes) {
  for (size_t at = 1; at < bytes.size(); ++at) {
    if (RecordReader::IsWholeAt(bytes.substr(at))) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::vector<LogRecovery::Segment>> LogRecovery::Read() {
  absl::StatusOr<std::vector<uint64_t>> numbers = FindSegments();
  if (!numbers.ok()) return numbers.status();
  if (numbers->empty()) return std::vector<Segment>();
  if (absl::Status status = LeaveOutReserve(&*numbers); !status.ok()) return status;
  if (absl::Status status = LeaveOutWithoutSnapshot(&*numbers); !status.ok()) return status;
  std::vector<Segment> segments;
  for (const uint64_t number : *numbers) {
    Segment segment{.number = number};
    const absl::StatusOr<bool> usable =
        ReadSegment(&segment, number == numbers->front(), number == numbers->back());
    if (!usable.ok()) return usable.status();
    if (*usable) segments.push_back(segment);
  }
  // Only now: a log that is refused stays as it was.
  for (const uint64_t number : left_out_) {
    if (absl::Status status = storage_->Remove(SegmentName(number)); !status.ok()) return status;
  }
  report_->existed = true;
  report_->tail_may_be_missing = lost_more_than_a_torn_write_ ||
                                 (!report_->clean && other_boot() && fsync_ != FsyncMode::kAlways);
  return segments;
}

absl::StatusOr<std::vector<uint64_t>> LogRecovery::FindSegments() {
  const absl::StatusOr<std::vector<std::string>> names = storage_->List();
  if (!names.ok()) return names.status();
  std::vector<uint64_t> numbers;
  std::string foreign;
  for (const std::string& name : *names) {
    if (const std::optional<uint64_t> number = SegmentNumber(name)) {
      numbers.push_back(*number);
    } else if (foreign.empty()) {
      foreign = name;
    }
  }
  if (numbers.empty() && !foreign.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        storage_->Describe(""), " is not a data directory of the channel server: it has ", foreign,
        "; give an empty or a new directory as --data_dir"));
  }
  std::sort(numbers.begin(), numbers.end());
  for (size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] == numbers[i - 1] + 1) continue;
    return absl::DataLossError(absl::StrCat(
        storage_->Describe(SegmentName(numbers[i - 1] + 1)),
        " is missing, but there are segments before and after it. Restore the directory from a "
        "backup, or start with a new --data_dir: members are then told that history was lost."));
  }
  return numbers;
}

absl::Status LogRecovery::Load(uint64_t number) {
  number_ = number;
  name_ = SegmentName(number);
  absl::StatusOr<std::string> bytes = storage_->Read(name_);
  if (!bytes.ok()) return bytes.status();
  bytes_ = std::move(*bytes);
  return absl::OkStatus();
}

absl::Status LogRecovery::LeaveOutReserve(std::vector<uint64_t>* numbers) {
  if (numbers->size() < 2) return absl::OkStatus();
  if (absl::Status status = Load(numbers->back()); !status.ok()) return status;
  if (!CheckHeader().ok()) return absl::OkStatus();  // ReadSegment reports it
  RecordReader reader(bytes_);
  if (!reader.NextIs(RecordKind::kStart) || reader.Next() != RecordReader::Result::kEnd) {
    return absl::OkStatus();
  }
  left_out_.push_back(numbers->back());
  numbers->pop_back();
  return absl::OkStatus();
}

absl::Status LogRecovery::LeaveOutWithoutSnapshot(std::vector<uint64_t>* numbers) {
  std::vector<uint64_t> without;
  for (const uint64_t number : *numbers) {
    if (absl::Status status = Load(number); !status.ok()) return status;
    // Damage is for ReadSegment.
    if (!CheckHeader().ok() || !IsWholeWithoutSnapshot()) break;
    without.push_back(number);
  }
  // Without any snapshot this was not a deletion. ReadSegment reports the reason.
  if (without.size() == numbers->size()) return absl::OkStatus();
  left_out_.insert(left_out_.end(), without.begin(), without.end());
  numbers->erase(numbers->begin(), numbers->begin() + static_cast<ptrdiff_t>(without.size()));
  return absl::OkStatus();
}

bool LogRecovery::IsWholeWithoutSnapshot() const {
  RecordReader reader(bytes_);
  return !FindSnapshotEnd(&reader) && reader.Next() == RecordReader::Result::kEnd;
}

// False: `reader` is at the end, or at a record that is not whole.
bool LogRecovery::FindSnapshotEnd(RecordReader* reader) const {
  while (reader->Next() == RecordReader::Result::kRecord) {
    if (reader->kind() == RecordKind::kSnapshotEnd) return true;
    if (one_record_is_a_snapshot() && reader->kind() == RecordKind::kSnapshot) return true;
  }
  return false;
}

bool LogRecovery::one_record_is_a_snapshot() const {
  return LoadU32(bytes_.data() + kSegmentVersionAt) == 1;
}

absl::StatusOr<bool> LogRecovery::ReadSegment(Segment* segment, bool is_first, bool is_last) {
  if (absl::Status status = Load(segment->number); !status.ok()) return status;
  report_->clean = false;
  RecordReader reader(bytes_);
  absl::StatusOr<bool> usable = ReadStart(&reader, is_first, is_last);
  if (!usable.ok() || !*usable) return usable;
  if (absl::Status status = ReadRecords(&reader, is_last, segment); !status.ok()) return status;
  ++report_->segments;
  report_->bytes += bytes_.size();
  segment->bytes = bytes_.size();
  return true;
}

absl::StatusOr<bool> LogRecovery::ReadStart(RecordReader* reader, bool is_first, bool is_last) {
  // A segment appears whole. Only a power loss can leave the name without the contents.
  if (AllZeros(bytes_)) {
    if (is_last && other_boot()) return DropSegment();
    return Damaged(0, "it is empty");
  }
  absl::Status status = CheckHeader();
  if (absl::IsFailedPrecondition(status)) return status;
  if (status.ok()) {
    if (!reader->NextIs(RecordKind::kStart) || reader->payload().empty() ||
        static_cast<uint8_t>(reader->payload()[0]) > static_cast<uint8_t>(FsyncMode::kAlways)) {
      status = Damaged(reader->at(), "the segment does not begin with a start record");
    } else {
      fsync_ = static_cast<FsyncMode>(reader->payload()[0]);
      boot_id_ = std::string(reader->payload().substr(1));
      RecordReader ahead(bytes_);
      if (!is_first || FindSnapshotEnd(&ahead)) return true;
      status = Damaged(ahead.at(), "the segment's snapshot is not whole");
    }
  }
  // The segments before it say all that its snapshot would. With kAlways the contents were safe
  // before the name appeared.
  if (is_last && !is_first && other_boot() && fsync_ != FsyncMode::kAlways) return DropSegment();
  return status;
}

absl::Status LogRecovery::CheckHeader() const {
  const absl::string_view bytes = bytes_;
  if (bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic.substr(0, bytes.size())) {
    return absl::FailedPreconditionError(
        absl::StrCat(storage_->Describe(name_),
                     " is not a log of the channel server; give an empty or a new directory as "
                     "--data_dir"));
  }
  if (bytes.size() < kSegmentNumberAt) return Damaged(0, "it ends in the middle of its header");
  const uint32_t version = LoadU32(bytes.data() + kSegmentVersionAt);
  if (version > kSegmentVersionMax) {
    return absl::FailedPreconditionError(absl::StrCat(
        storage_->Describe(name_), " was written by a newer version of the channel server (format ",
        version, ", this one knows ", kSegmentVersionMax,
        "); use that version or another --data_dir"));
  }
  if (bytes.size() < kSegmentHeaderBytes) return Damaged(0, "it ends in the middle of its header");
  if (version == 0 || LoadU32(bytes.data() + kSegmentChecksumAt) !=
                          LogChecksum(bytes.substr(0, kSegmentChecksumAt))) {
    return Damaged(0, "the checksum of its header is wrong");
  }
  const uint64_t number = LoadU64(bytes.data() + kSegmentNumberAt);
  if (number != number_) return Damaged(0, absl::StrCat("it is in truth ", SegmentName(number)));
  return absl::OkStatus();
}

absl::Status LogRecovery::ReadRecords(RecordReader* reader, bool is_last, Segment* segment) {
  for (;;) {
    const RecordReader::Result result = reader->Next();
    if (result == RecordReader::Result::kEnd) return absl::OkStatus();
    if (result != RecordReader::Result::kRecord) return CutTail(result, reader->at(), is_last);
    if (report_->clean) return Damaged(reader->at(), "a record after the end");
    absl::Status status;
    switch (reader->kind()) {
      case RecordKind::kSnapshot:
        status = visitor_->OnSnapshotPart(reader->payload());
        if (!status.ok()) {
          return Damaged(reader->at(), absl::StrCat("its snapshot: ", status.message()));
        }
        if (!one_record_is_a_snapshot()) continue;
        [[fallthrough]];
      case RecordKind::kSnapshotEnd:
        segment->has_whole_snapshot = true;
        visitor_->OnSnapshotEnd();
        continue;
      case RecordKind::kTurn:
        status = visitor_->OnTurn(reader->payload());
        if (!status.ok()) return Damaged(reader->at(), status.message());
        ++report_->turns;
        continue;
      case RecordKind::kCleanEnd:
        report_->clean = true;
        continue;
      default:
        return Damaged(reader->at(), "a record that should not be there");
    }
  }
}

absl::Status LogRecovery::CutTail(RecordReader::Result result, size_t at, bool is_last) {
  const bool cut_off = result == RecordReader::Result::kCutOff;
  const absl::string_view what =
      cut_off ? "the record is cut off" : "the record's checksum is wrong";
  const absl::string_view rest = absl::string_view(bytes_).substr(at);
  const bool zeros = AllZeros(rest);
  // Unless each write is synced, a segment may be on the disk while the end of the one before is
  // not.
  const bool may_be_unwritten = other_boot() && fsync_ != FsyncMode::kAlways;
  if (!is_last && !may_be_unwritten) return Damaged(at, what);
  if (!cut_off && !zeros && !other_boot()) return Damaged(at, what);
  // With kAlways each write was safe before the next one, so only the last one may be torn.
  if (fsync_ == FsyncMode::kAlways && HasWholeRecord(rest)) return Damaged(at, what);

  // While the machine runs, a file is never longer than its written bytes. So zeros that are found
  // in the same boot are not an unfinished write.
  const bool torn_write = cut_off || (zeros && other_boot());
  if (!torn_write || !is_last) lost_more_than_a_torn_write_ = true;
  report_->clean = false;
  NoteTorn(rest.size(),
           absl::StrCat(", byte ", at, ": ", zeros && !cut_off ? "nothing but zeros" : what));
  bytes_.resize(at);
  return storage_->Truncate(name_, at);
}

absl::StatusOr<bool> LogRecovery::DropSegment() {
  lost_more_than_a_torn_write_ = true;
  NoteTorn(bytes_.size(), ": the segment never got its contents");
  if (absl::Status status = storage_->Remove(name_); !status.ok()) return status;
  return false;
}

void LogRecovery::NoteTorn(size_t bytes, absl::string_view what) {
  report_->torn_bytes += bytes;
  absl::StrAppend(&report_->torn, report_->torn.empty() ? "" : "; ", storage_->Describe(name_),
                  what);
}

absl::Status LogRecovery::Damaged(size_t at, absl::string_view what) const {
  return absl::DataLossError(absl::StrCat(
      storage_->Describe(name_), " is damaged at byte ", at, ": ", what,
      ". Restore the directory from a backup, or start with a new --data_dir: members are then "
      "told that history was lost."));
}

}  // namespace groupcast::service
