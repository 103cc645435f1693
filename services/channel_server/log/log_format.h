#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_FORMAT_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_FORMAT_H_

// The bytes of a segment of the log. Integers are little-endian:
//
//   segment   "GCASTLOG" | version u32 | segment's number u64 | checksum of these u32 | records
//   record    checksum of the next 9 bytes u32 | payload's length u32 | kind u8 |
//             checksum of the payload u32 | payload
//   checksum  the low half of XXH3 with 64 bits and no seed
//   kinds     1 start         FsyncMode u8 | boot id   the first record of each segment
//             2 snapshot      a part of a snapshot
//             3 turn
//             4 clean end     empty                    the last, if there was a Close
//             5 snapshot end  empty                    all parts of a snapshot stand before it
//
// The header of a record has its own checksum. So a reader can tell a damaged length from a record
// that the end of the file cuts off. A record is at most 1 GiB.
//
// A segment that begins with an image has version 3, because a server that knows only version 2
// would leave messages and keys out. Other segments have version 2. The log also reads version 1:
// there, one snapshot record is a whole snapshot.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::service {

inline constexpr absl::string_view kSegmentMagic = "GCASTLOG";
inline constexpr uint32_t kSegmentVersion = 2;
inline constexpr uint32_t kImageSegmentVersion = 3;
inline constexpr uint32_t kSegmentVersionMax = kImageSegmentVersion;
inline constexpr size_t kSegmentVersionAt = 8;
inline constexpr size_t kSegmentNumberAt = 12;
inline constexpr size_t kSegmentChecksumAt = 20;
inline constexpr size_t kSegmentHeaderBytes = 24;

inline constexpr size_t kLogRecordHeaderBytes = 13;
inline constexpr size_t kLogRecordBytesMax = 1u << 30;

enum class RecordKind : uint8_t {
  kStart = 1,
  kSnapshot = 2,
  kTurn = 3,
  kCleanEnd = 4,
  kSnapshotEnd = 5,
};

// "log-" and 16 digits.
std::string SegmentName(uint64_t number);
// Nullopt: not the name of a segment.
std::optional<uint64_t> SegmentNumber(absl::string_view name);

std::string SegmentHeader(uint64_t number, uint32_t version = kSegmentVersion);

uint32_t LogChecksum(absl::string_view bytes);
uint32_t LoadU32(const char* from);
uint64_t LoadU64(const char* from);

// Fills in the header before the payload. `record` has both, with `size` bytes together.
void FinishRecord(RecordKind kind, char* record, size_t size);
void AddRecord(RecordKind kind, absl::string_view payload, std::string* to);

// Reads the records of a segment in order.
class RecordReader {
 public:
  enum class Result {
    kRecord,
    kEnd,
    kCutOff,  // the record continues after the end of the segment
    kBad,     // the record is damaged
  };

  // `segment` must outlive it.
  explicit RecordReader(absl::string_view segment) : segment_(segment) {}

  Result Next();
  // Whether `bytes` begin with a whole record.
  static bool IsWholeAt(absl::string_view bytes);
  bool NextIs(RecordKind kind) { return Next() == Result::kRecord && kind_ == kind; }

  // The place of the record that Next has reached.
  size_t at() const { return at_; }
  // Valid only after kRecord.
  RecordKind kind() const { return kind_; }
  absl::string_view payload() const { return payload_; }

 private:
  const absl::string_view segment_;
  size_t at_ = 0;
  size_t next_ = kSegmentHeaderBytes;
  RecordKind kind_{};
  absl::string_view payload_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_FORMAT_H_
