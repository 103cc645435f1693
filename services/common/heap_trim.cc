#include "services/common/heap_trim.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

namespace groupcast::service {

HeapTrim::HeapTrim()
    : HeapTrim(
          [] {
            const struct mallinfo2 info = mallinfo2();
            return info.uordblks + info.hblkhd;
          },
          [] { malloc_trim(0); }) {}

HeapTrim::HeapTrim(std::function<size_t()> bytes_in_use, std::function<void()> trim)
    : bytes_in_use_(std::move(bytes_in_use)), trim_(std::move(trim)) {}

void HeapTrim::OnTime(absl::Time now) {
  if (now < next_look_) return;
  next_look_ = now + kLookEvery;
  const size_t bytes = bytes_in_use_();
  max_bytes_ = std::max(max_bytes_, bytes);
  const bool is_low = max_bytes_ - bytes >= std::max(kFallBytesMin, max_bytes_ / 4);
  if (std::exchange(was_low_, is_low) && is_low) {
    trim_();
    max_bytes_ = bytes;
    was_low_ = false;
  }
}

}  // namespace groupcast::service
