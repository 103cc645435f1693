#include "services/channel_server/log/log_format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

namespace groupcast::service {
namespace {

constexpr size_t kLengthAt = 4;
constexpr size_t kKindAt = 8;
constexpr size_t kPayloadChecksumAt = 9;

constexpr absl::string_view kNamePrefix = "log-";
constexpr size_t kNameDigits = 16;

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

}  // namespace

std::string SegmentName(uint64_t number) { return absl::StrFormat("log-%016d", number); }

std::optional<uint64_t> SegmentNumber(absl::string_view name) {
  uint64_t number = 0;
  if (name.size() != kNamePrefix.size() + kNameDigits ||
      !absl::SimpleAtoi(name.substr(kNamePrefix.size()), &number) || SegmentName(number) != name) {
    return std::nullopt;
  }
  return number;
}

std::string SegmentHeader(uint64_t number, uint32_t version) {
  std::string header(kSegmentMagic);
  header.resize(kSegmentHeaderBytes);
  Store(version, &header[kSegmentVersionAt]);
  Store(number, &header[kSegmentNumberAt]);
  Store(LogChecksum({header.data(), kSegmentChecksumAt}), &header[kSegmentChecksumAt]);
  return header;
}

uint32_t LogChecksum(absl::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

uint32_t LoadU32(const char* from) { return Load<uint32_t>(from); }
uint64_t LoadU64(const char* from) { return Load<uint64_t>(from); }

void FinishRecord(RecordKind kind, char* record, size_t size) {
  const size_t payload_size = size - kLogRecordHeaderBytes;
  Store(static_cast<uint32_t>(payload_size), record + kLengthAt);
  record[kKindAt] = static_cast<char>(kind);
  Store(LogChecksum({record + kLogRecordHeaderBytes, payload_size}), record + kPayloadChecksumAt);
  Store(LogChecksum({record + kLengthAt, kLogRecordHeaderBytes - kLengthAt}), record);
}

void AddRecord(RecordKind kind, absl::string_view payload, std::string* to) {
  const size_t at = to->size();
  to->append(kLogRecordHeaderBytes, '\0');
  to->append(payload.data(), payload.size());
  FinishRecord(kind, &(*to)[at], to->size() - at);
}

namespace {

// The size of the payload, or why there is no whole record at the beginning of `bytes`.
RecordReader::Result ReadRecord(absl::string_view bytes, size_t* payload_size) {
  using Result = RecordReader::Result;
  if (bytes.size() < kLogRecordHeaderBytes) return Result::kCutOff;
  const absl::string_view checked = bytes.substr(kLengthAt, kLogRecordHeaderBytes - kLengthAt);
  if (LoadU32(bytes.data()) != LogChecksum(checked)) return Result::kBad;
  const size_t size = LoadU32(bytes.data() + kLengthAt);
  if (size > kLogRecordBytesMax) return Result::kBad;
  if (size > bytes.size() - kLogRecordHeaderBytes) return Result::kCutOff;
  const absl::string_view payload = bytes.substr(kLogRecordHeaderBytes, size);
  if (LoadU32(bytes.data() + kPayloadChecksumAt) != LogChecksum(payload)) return Result::kBad;
  *payload_size = size;
  return Result::kRecord;
}

}  // namespace

RecordReader::Result RecordReader::Next() {
  at_ = next_;
  const absl::string_view rest = segment_.substr(std::min(at_, segment_.size()));
  if (rest.empty()) return Result::kEnd;
  size_t size = 0;
  if (const Result result = ReadRecord(rest, &size); result != Result::kRecord) return result;
  payload_ = rest.substr(kLogRecordHeaderBytes, size);
  kind_ = static_cast<RecordKind>(rest[kKindAt]);
  next_ = at_ + kLogRecordHeaderBytes + size;
  return Result::kRecord;
}

bool RecordReader::IsWholeAt(absl::string_view bytes) {
  size_t size = 0;
  return ReadRecord(bytes, &size) == Result::kRecord;
}

}  // namespace groupcast::service
