#include "services/channel_server/group_log.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kMagic = "GCASTLOG";
constexpr uint32_t kVersion = 1;
constexpr size_t kVersionAt = 8;
constexpr size_t kNumberAt = 12;
constexpr size_t kSegmentChecksumAt = 20;
constexpr size_t kSegmentHeaderBytes = 24;

constexpr size_t kLengthAt = 4;
constexpr size_t kKindAt = 8;
constexpr size_t kPayloadChecksumAt = 9;

constexpr absl::string_view kNamePrefix = "log-";
constexpr size_t kNameDigits = 16;

constexpr absl::Duration kRotationRetry = absl::Seconds(1);

enum class RecordKind : uint8_t { kStart = 1, kSnapshot = 2, kTurn = 3, kCleanEnd = 4 };

template <typename Integer>
void Store(Integer value, char* to) {
  for (size_t i = 0; i < sizeof(Integer); ++i) to[i] = static_cast<char>(value >> (8 * i));
}

template <typename Integer>
Integer Load(const char* from) {
  Integer value = 0;
  for (size_t i = 0; i < sizeof(Integer); ++i) {
    value |= static_cast<Integer>(static_cast<uint8_t>(from[i])) << (8 * i);
  }
  return value;
}

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

bool AllZeros(absl::string_view bytes) {
  return bytes.find_first_not_of('\0') == absl::string_view::npos;
}

std::string SegmentName(uint64_t number) { return absl::StrFormat("log-%016d", number); }

// Nothing: not the name of a segment.
std::optional<uint64_t> SegmentNumber(absl::string_view name) {
  uint64_t number = 0;
  if (name.size() != kNamePrefix.size() + kNameDigits ||
      !absl::SimpleAtoi(name.substr(kNamePrefix.size()), &number) || SegmentName(number) != name) {
    return std::nullopt;
  }
  return number;
}

// Fills in the header in front of the payload; both are `record`.
void FinishRecord(RecordKind kind, char* record, size_t size) {
  const size_t payload_size = size - GroupLog::kRecordHeaderBytes;
  Store(static_cast<uint32_t>(payload_size), record + kLengthAt);
  record[kKindAt] = static_cast<char>(kind);
  Store(Checksum({record + GroupLog::kRecordHeaderBytes, payload_size}),
        record + kPayloadChecksumAt);
  Store(Checksum({record + kLengthAt, GroupLog::kRecordHeaderBytes - kLengthAt}), record);
}

void AddRecord(RecordKind kind, absl::string_view payload, std::string* to) {
  const size_t at = to->size();
  to->append(GroupLog::kRecordHeaderBytes, '\0');
  to->append(payload.data(), payload.size());
  FinishRecord(kind, &(*to)[at], to->size() - at);
}

std::string SegmentHeader(uint64_t number) {
  std::string header(kMagic);
  header.resize(kSegmentHeaderBytes);
  Store(kVersion, &header[kVersionAt]);
  Store(number, &header[kNumberAt]);
  Store(Checksum({header.data(), kSegmentChecksumAt}), &header[kSegmentChecksumAt]);
  return header;
}

// Goes through a segment's records.
class RecordReader {
 public:
  enum class Result {
    kRecord,
    kEnd,
    kCutOff,  // the record goes on behind the end
    kBad,     // it is not what was written
  };

  explicit RecordReader(absl::string_view segment) : segment_(segment) {}

  Result Next() {
    at_ = next_;
    const absl::string_view rest = segment_.substr(at_);
    if (rest.empty()) return Result::kEnd;
    if (rest.size() < GroupLog::kRecordHeaderBytes) return Result::kCutOff;
    const absl::string_view checked =
        rest.substr(kLengthAt, GroupLog::kRecordHeaderBytes - kLengthAt);
    if (Load<uint32_t>(rest.data()) != Checksum(checked)) return Result::kBad;
    const size_t size = Load<uint32_t>(rest.data() + kLengthAt);
    if (size > GroupLog::kRecordBytesMax) return Result::kBad;
    if (size > rest.size() - GroupLog::kRecordHeaderBytes) return Result::kCutOff;
    payload_ = rest.substr(GroupLog::kRecordHeaderBytes, size);
    if (Load<uint32_t>(rest.data() + kPayloadChecksumAt) != Checksum(payload_)) return Result::kBad;
    kind_ = static_cast<RecordKind>(rest[kKindAt]);
    next_ = at_ + GroupLog::kRecordHeaderBytes + size;
    return Result::kRecord;
  }

  bool NextIs(RecordKind kind) { return Next() == Result::kRecord && kind_ == kind; }

  // Of the record that Next came to.
  size_t at() const { return at_; }
  // Only after kRecord.
  RecordKind kind() const { return kind_; }
  absl::string_view payload() const { return payload_; }

 private:
  const absl::string_view segment_;
  size_t at_ = 0;
  size_t next_ = kSegmentHeaderBytes;
  RecordKind kind_{};
  absl::string_view payload_;
};

}  // namespace

// Reads segments in order.
class GroupLog::Recovery {
 public:
  Recovery(const GroupLogOptions& options, LogStorage* storage, GroupLogVisitor* visitor,
           RecoveryReport* report)
      : options_(options), storage_(storage), visitor_(visitor), report_(report) {}

  // The numbers of the storage's segments, oldest first.
  absl::StatusOr<std::vector<uint64_t>> FindSegments();

  // Returns whether the segment is part of the log; only the last may turn out not to be.
  absl::StatusOr<bool> ReadSegment(uint64_t number, bool is_first, bool is_last);

  void Finish();

 private:
  absl::Status CheckHeader() const;
  absl::StatusOr<bool> ReadHead(RecordReader* reader, bool is_first, bool is_last);
  absl::Status ReadTurns(RecordReader* reader, bool is_last);
  absl::Status CutTail(RecordReader::Result result, size_t at, bool is_last);
  // The last segment has nothing that can be used.
  absl::StatusOr<bool> DropSegment();
  absl::Status Damaged(size_t at, absl::string_view what) const;

  // The machine has stopped since the log was last written to.
  bool other_boot() const { return options_.boot_id.empty() || options_.boot_id != boot_id_; }

  const GroupLogOptions& options_;
  LogStorage* const storage_;
  GroupLogVisitor* const visitor_;
  RecoveryReport* const report_;

  // Of the segment that is being read.
  uint64_t number_ = 0;
  std::string name_;
  std::string bytes_;

  // Of the newest start record.
  FsyncMode fsync_ = FsyncMode::kNever;
  std::string boot_id_;

  bool lost_more_than_a_torn_write_ = false;
};

absl::StatusOr<std::vector<uint64_t>> GroupLog::Recovery::FindSegments() {
  const absl::StatusOr<std::vector<std::string>> names = storage_->List();
  if (!names.ok()) return names.status();
  std::vector<uint64_t> numbers;
  std::string foreign;
  for (const std::string& name : *names) {
    if (const std::optional<uint64_t> number = SegmentNumber(name)) {
      numbers.push_back(*number);
    } else if (foreign.empty() || name < foreign) {
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

absl::StatusOr<bool> GroupLog::Recovery::ReadSegment(uint64_t number, bool is_first, bool is_last) {
  number_ = number;
  name_ = SegmentName(number);
  absl::StatusOr<std::string> bytes = storage_->Read(name_);
  if (!bytes.ok()) return bytes.status();
  bytes_ = std::move(*bytes);
  report_->clean = false;

  RecordReader reader(bytes_);
  absl::StatusOr<bool> usable = ReadHead(&reader, is_first, is_last);
  if (!usable.ok() || !*usable) return usable;
  if (absl::Status status = visitor_->OnSnapshot(reader.payload()); !status.ok()) {
    return Damaged(reader.at(), absl::StrCat("its snapshot: ", status.message()));
  }
  if (absl::Status status = ReadTurns(&reader, is_last); !status.ok()) return status;
  ++report_->segments;
  report_->bytes += bytes_.size();
  return true;
}

absl::StatusOr<bool> GroupLog::Recovery::ReadHead(RecordReader* reader, bool is_first,
                                                  bool is_last) {
  // A segment appears whole. Only the loss of power can leave the name without the contents.
  if (AllZeros(bytes_)) {
    if (is_last && (is_first || other_boot())) return DropSegment();
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
      if (reader->NextIs(RecordKind::kSnapshot)) return true;
      status = Damaged(reader->at(), "the segment's snapshot is not whole");
    }
  }
  // The segments before it say all that its snapshot would.
  if (is_last && !is_first && other_boot()) return DropSegment();
  return status;
}

absl::Status GroupLog::Recovery::CheckHeader() const {
  const absl::string_view bytes = bytes_;
  if (bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size())) {
    return absl::FailedPreconditionError(
        absl::StrCat(storage_->Describe(name_),
                     " is not a log of the channel server; give an empty or a new directory as "
                     "--data_dir"));
  }
  if (bytes.size() < kNumberAt) return Damaged(0, "it ends in the middle of its header");
  const uint32_t version = Load<uint32_t>(bytes.data() + kVersionAt);
  if (version > kVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        storage_->Describe(name_), " was written by a newer version of the channel server (format ",
        version, ", this one knows ", kVersion, "); use that version or another --data_dir"));
  }
  if (bytes.size() < kSegmentHeaderBytes) return Damaged(0, "it ends in the middle of its header");
  if (version != kVersion || Load<uint32_t>(bytes.data() + kSegmentChecksumAt) !=
                                 Checksum(bytes.substr(0, kSegmentChecksumAt))) {
    return Damaged(0, "the checksum of its header is wrong");
  }
  const uint64_t number = Load<uint64_t>(bytes.data() + kNumberAt);
  if (number != number_) return Damaged(0, absl::StrCat("it is in truth ", SegmentName(number)));
  return absl::OkStatus();
}

absl::Status GroupLog::Recovery::ReadTurns(RecordReader* reader, bool is_last) {
  for (;;) {
    const RecordReader::Result result = reader->Next();
    if (result == RecordReader::Result::kEnd) return absl::OkStatus();
    if (result != RecordReader::Result::kRecord) return CutTail(result, reader->at(), is_last);
    if (report_->clean) return Damaged(reader->at(), "a record after the end");
    switch (reader->kind()) {
      case RecordKind::kTurn:
        if (absl::Status status = visitor_->OnTurn(reader->payload()); !status.ok()) {
          return Damaged(reader->at(), status.message());
        }
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

absl::Status GroupLog::Recovery::CutTail(RecordReader::Result result, size_t at, bool is_last) {
  const bool cut_off = result == RecordReader::Result::kCutOff;
  const absl::string_view what =
      cut_off ? "the record is cut off" : "the record's checksum is wrong";
  const absl::string_view rest = absl::string_view(bytes_).substr(at);
  const bool zeros = AllZeros(rest);
  // Without any sync, a segment may be on the disk while the end of the one before is not.
  const bool may_be_unwritten = !is_last && other_boot() && fsync_ == FsyncMode::kNever;
  if (!is_last && !may_be_unwritten) return Damaged(at, what);
  if (!cut_off && !zeros && !other_boot()) return Damaged(at, what);

  // A file is never longer than what was written to it as long as the machine runs; so zeros that
  // are found within one boot are not a write that did not come to its end.
  const bool torn_write = cut_off || (zeros && other_boot());
  if (!torn_write || !is_last) lost_more_than_a_torn_write_ = true;
  report_->clean = false;
  report_->torn_bytes = rest.size();
  report_->torn = absl::StrCat(storage_->Describe(name_), ", byte ", at, ": ",
                               zeros && !cut_off ? "nothing but zeros" : what);
  absl::Status status = storage_->Truncate(name_, at);
  if (status.ok()) bytes_.resize(at);
  return status;
}

absl::StatusOr<bool> GroupLog::Recovery::DropSegment() {
  lost_more_than_a_torn_write_ = true;
  report_->torn_bytes = bytes_.size();
  report_->torn = absl::StrCat(storage_->Describe(name_), ": the segment never got its contents");
  if (absl::Status status = storage_->Remove(name_); !status.ok()) return status;
  return false;
}

void GroupLog::Recovery::Finish() {
  report_->tail_may_be_missing = lost_more_than_a_torn_write_ ||
                                 (!report_->clean && other_boot() && fsync_ != FsyncMode::kAlways);
}

absl::Status GroupLog::Recovery::Damaged(size_t at, absl::string_view what) const {
  return absl::DataLossError(absl::StrCat(
      storage_->Describe(name_), " is damaged at byte ", at, ": ", what,
      ". Restore the directory from a backup, or start with a new --data_dir: members are then "
      "told that history was lost."));
}

absl::StatusOr<std::unique_ptr<GroupLog>> GroupLog::Open(const GroupLogOptions& options,
                                                         LogStorage* storage,
                                                         GroupLogVisitor* visitor,
                                                         RecoveryReport* report) {
  *report = {};
  Recovery recovery(options, storage, visitor, report);
  const absl::StatusOr<std::vector<uint64_t>> numbers = recovery.FindSegments();
  if (!numbers.ok()) return numbers.status();
  auto log = std::unique_ptr<GroupLog>(new GroupLog(options, storage));
  for (const uint64_t number : *numbers) {
    const absl::StatusOr<bool> usable =
        recovery.ReadSegment(number, number == numbers->front(), number == numbers->back());
    if (!usable.ok()) return usable.status();
    if (*usable) {
      log->older_.push_back({number});
      log->next_number_ = number + 1;
    }
  }
  if (!numbers->empty()) {
    report->existed = true;
    recovery.Finish();
  }
  return log;
}

absl::Status GroupLog::StartSegment(absl::string_view snapshot, absl::Time now) {
  if (closed_) return absl::FailedPreconditionError("the log is closed");
  if (snapshot.size() > kRecordBytesMax) {
    return absl::InvalidArgumentError("the snapshot is over 1 GiB");
  }
  if (!started_) {
    for (Segment& segment : older_) segment.ended = now;
  }
  DeleteExpired(now);
  no_rotation_before_ = now + kRotationRetry;

  const std::string start =
      absl::StrCat(std::string(1, static_cast<char>(options_.fsync)), options_.boot_id);
  std::string bytes;
  bytes.reserve(kSegmentHeaderBytes + 2 * kRecordHeaderBytes + start.size() + snapshot.size());
  bytes = SegmentHeader(next_number_);
  AddRecord(RecordKind::kStart, start, &bytes);
  AddRecord(RecordKind::kSnapshot, snapshot, &bytes);
  if (absl::Status status = storage_->Create(SegmentName(next_number_), bytes); !status.ok()) {
    return status;
  }
  if (started_) {
    older_.push_back({next_number_ - 1, now});
  } else if (absl::Status status = storage_->Sync(); !status.ok()) {
    return status;
  }
  started_ = true;
  ++next_number_;
  began_ = now;
  snapshot_bytes_ = snapshot.size();
  turn_bytes_ = 0;
  return absl::OkStatus();
}

bool GroupLog::wants_rotation(absl::Time now) const {
  if (!started_ || closed_ || now < no_rotation_before_) return false;
  if (turn_bytes_ >= std::max<uint64_t>(options_.segment_bytes_max, snapshot_bytes_)) return true;
  if (now - began_ < options_.segment_age_max) return false;
  // Without turns only to delete what has expired.
  return turn_bytes_ > 0 || (!older_.empty() && now - older_.front().ended >= options_.keep);
}

absl::Status GroupLog::Append(std::string* record) {
  if (!started_ || closed_) return absl::FailedPreconditionError("no segment was started");
  if (record->size() < kRecordHeaderBytes ||
      record->size() - kRecordHeaderBytes > kRecordBytesMax) {
    return absl::InvalidArgumentError("a turn has a header and at most 1 GiB");
  }
  FinishRecord(RecordKind::kTurn, record->data(), record->size());
  if (absl::Status status = storage_->Append(*record); !status.ok()) return status;
  turn_bytes_ += record->size();
  appended_bytes_ += record->size();
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
  // In order: what is left never has a hole.
  while (!older_.empty() && now - older_.front().ended >= options_.keep) {
    const absl::Status status = storage_->Remove(SegmentName(older_.front().number));
    if (!status.ok() && !absl::IsNotFound(status)) return;
    older_.pop_front();
  }
}

}  // namespace groupcast::service
