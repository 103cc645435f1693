#include "services/websocket_service/wire/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <new>

#include "absl/status/status.h"

namespace groupcast::service {
namespace {

// Without a header of zlib; the largest window.
constexpr int kRawWindowBits = -15;
// zlib's default. With less, a worker would keep less, and compress worse.
constexpr int kMemoryLevel = 8;
// The fastest. Level 6 took twice as long for texts of 10 KB, and saved a fifteenth of what is
// left.
constexpr int kLevel = 1;

// Every flush ends with these bytes, and payloads go without them (section 7.2.1).
constexpr absl::string_view kTail("\x00\x00\xff\xff", 4);

// The room for output that grows, and the most that stays between calls.
constexpr size_t kFirstRoom = 4 * 1024;
constexpr size_t kKeptRoom = 64 * 1024;

Bytef* In(absl::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}
Bytef* Out(char* bytes) { return reinterpret_cast<Bytef*>(bytes); }

void FreeLargeRoom(std::string* room) {
  if (room->size() > kKeptRoom) *room = std::string();
}

// zlib's flag in data_type: the input ended between two blocks.
constexpr int kBetweenBlocks = 128;

}  // namespace

Deflater::Deflater() = default;

Deflater::~Deflater() {
  if (stream_ != nullptr) deflateEnd(stream_.get());
}

absl::string_view Deflater::Deflate(absl::string_view head, absl::string_view rest) {
  if (stream_ == nullptr) {
    stream_ = std::make_unique<z_stream_s>();
    const int result = deflateInit2(stream_.get(), kLevel, Z_DEFLATED, kRawWindowBits, kMemoryLevel,
                                    Z_DEFAULT_STRATEGY);
    if (result != Z_OK) throw std::bad_alloc();  // its only error with these arguments
  } else {
    deflateReset(stream_.get());
  }
  FreeLargeRoom(&output_);
  // All of it fits, with the end of the flush.
  const size_t room = deflateBound(stream_.get(), head.size() + rest.size()) + 16;
  if (output_.size() < room) output_.resize(room);
  stream_->next_out = Out(output_.data());
  stream_->avail_out = static_cast<uInt>(output_.size());
  stream_->next_in = In(head);
  stream_->avail_in = static_cast<uInt>(head.size());
  deflate(stream_.get(), rest.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH);
  if (!rest.empty()) {
    stream_->next_in = In(rest);
    stream_->avail_in = static_cast<uInt>(rest.size());
    deflate(stream_.get(), Z_SYNC_FLUSH);
  }
  return absl::string_view(output_.data(), output_.size() - stream_->avail_out - kTail.size());
}

Inflater::Inflater() = default;

Inflater::~Inflater() {
  if (stream_ != nullptr) inflateEnd(stream_.get());
}

absl::StatusOr<absl::string_view> Inflater::Inflate(absl::string_view payload, size_t bytes_max) {
  if (stream_ == nullptr) {
    stream_ = std::make_unique<z_stream_s>();
    if (inflateInit2(stream_.get(), kRawWindowBits) != Z_OK) throw std::bad_alloc();
  } else {
    inflateReset(stream_.get());
  }
  FreeLargeRoom(&output_);
  output_bytes_ = 0;
  for (const absl::string_view part : {payload, kTail}) {
    if (absl::Status status = Add(part, bytes_max); !status.ok()) return status;
  }
  if ((stream_->data_type & kBetweenBlocks) == 0) {
    return absl::InvalidArgumentError("a compressed message without its end");
  }
  return absl::string_view(output_).substr(0, output_bytes_);
}

absl::Status Inflater::Add(absl::string_view input, size_t bytes_max) {
  stream_->next_in = In(input);
  stream_->avail_in = static_cast<uInt>(input.size());
  for (;;) {
    // One byte more than is allowed shows that there is too much.
    if (output_bytes_ == output_.size()) {
      output_.resize(std::min(bytes_max + 1, std::max(kFirstRoom, 2 * output_.size())));
    }
    const size_t room = std::min(output_.size(), bytes_max + 1) - output_bytes_;
    stream_->next_out = Out(output_.data()) + output_bytes_;
    stream_->avail_out = static_cast<uInt>(room);
    const int result = inflate(stream_.get(), Z_SYNC_FLUSH);
    output_bytes_ += room - stream_->avail_out;
    if (output_bytes_ > bytes_max) return absl::ResourceExhaustedError("over the limit");
    if (result == Z_STREAM_END) {
      // A block may be marked as the last (section 7.2.3.4). Others may follow.
      inflateReset(stream_.get());
      if (stream_->avail_in == 0) return absl::OkStatus();
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      return absl::InvalidArgumentError("not compressed by deflate");
    }
    // With room left, it has taken all input.
    if (stream_->avail_out > 0) return absl::OkStatus();
  }
}

}  // namespace groupcast::service
