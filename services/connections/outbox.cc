#include "services/connections/outbox.h"

#include <algorithm>
#include <utility>

namespace groupcast::service {
namespace {

constexpr uint32_t kFirstCapacity = 4;

// What a frame costs besides its bytes. Without it, a flood of empty pongs would stay below any
// bound.
constexpr size_t kFrameOverheadBytes = 64;

// An outbox that grew beyond this gives its memory back when it is empty.
constexpr uint32_t kKeptCapacity = 16;

constinit thread_local int64_t queue_bytes_of_thread = 0;

int64_t QueueBytes(uint32_t capacity) {
  return static_cast<int64_t>(capacity) * static_cast<int64_t>(sizeof(SharedBytes));
}

}  // namespace

Outbox::~Outbox() { queue_bytes_of_thread -= QueueBytes(capacity_); }

int64_t Outbox::queue_bytes() { return queue_bytes_of_thread; }

absl::Status Outbox::Push(SharedBytes frame, size_t bytes_max) {
  if (count_ != 0 && cost() + frame.size() + kFrameOverheadBytes > bytes_max) {
    return absl::ResourceExhaustedError("outbox full");
  }
  PushLast(std::move(frame));
  return absl::OkStatus();
}

bool Outbox::HasRoomFor(size_t frame_bytes, size_t bytes_max) const {
  return count_ == 0 || cost() + frame_bytes + kFrameOverheadBytes <= bytes_max / 2;
}

bool Outbox::IsDrained(size_t bytes_max) const { return count_ == 0 || cost() <= bytes_max / 4; }

size_t Outbox::cost() const { return bytes_ + count_ * kFrameOverheadBytes; }

void Outbox::PushLast(SharedBytes frame) {
  if (count_ == capacity_) SetCapacity(std::max(kFirstCapacity, capacity_ * 2));
  bytes_ += frame.size();
  At(count_++) = std::move(frame);
}

int Outbox::Gather(absl::Span<iovec> vectors) const {
  const auto used = static_cast<uint32_t>(std::min<size_t>(vectors.size(), count_));
  for (uint32_t i = 0; i < used; ++i) {
    absl::string_view bytes = At(i).bytes();
    if (i == 0) bytes.remove_prefix(first_written_);
    vectors[i] = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  }
  return static_cast<int>(used);
}

void Outbox::Consume(size_t bytes) {
  bytes_ -= bytes;
  while (bytes > 0) {
    const size_t left = At(0).size() - first_written_;
    if (bytes < left) {
      first_written_ += static_cast<uint32_t>(bytes);
      return;
    }
    bytes -= left;
    PopFront();
  }
  if (count_ == 0 && capacity_ > kKeptCapacity) SetCapacity(0);
}

void Outbox::DropUnsent() {
  // The session must finish a frame that is written in part. Otherwise the peer would read the next
  // frame as a part of it.
  const uint32_t kept = first_written_ > 0 ? 1 : 0;
  while (count_ > kept) {
    SharedBytes dropped = std::move(At(--count_));
    bytes_ -= dropped.size();
  }
  if (capacity_ > kKeptCapacity) SetCapacity(kFirstCapacity);
}

void Outbox::SetCapacity(uint32_t capacity) {
  std::unique_ptr<SharedBytes[]> ring;
  if (capacity > 0) ring = std::make_unique<SharedBytes[]>(capacity);
  for (uint32_t i = 0; i < count_; ++i) ring[i] = std::move(At(i));
  ring_ = std::move(ring);
  queue_bytes_of_thread += QueueBytes(capacity) - QueueBytes(capacity_);
  capacity_ = capacity;
  first_ = 0;
}

void Outbox::PopFront() {
  At(0) = SharedBytes();
  first_ = (first_ + 1) & (capacity_ - 1);
  --count_;
  first_written_ = 0;
}

}  // namespace groupcast::service
