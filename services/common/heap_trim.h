#ifndef GROUPCAST_SERVICES_COMMON_HEAP_TRIM_H_
#define GROUPCAST_SERVICES_COMMON_HEAP_TRIM_H_

#include <cstddef>
#include <functional>

#include "absl/time/time.h"

namespace groupcast::service {

// Gives memory back to the system after a burst. The C library keeps freed memory while something
// behind it is in use, so a process stays as large as its largest burst (malloc_trim(3)).
//
// It trims when the bytes in use have fallen far below their maximum since the last trim, and have
// stayed there for two looks. A look costs some microseconds. A trim holds the process up, for
// about a tenth of a millisecond per MiB that it returns. So there is one trim for each burst, and
// none under a steady load.
//
// Not thread-safe; it trims the memory of all threads.
class HeapTrim {
 public:
  static constexpr absl::Duration kLookEvery = absl::Seconds(5);
  // The fall that is worth a trim.
  static constexpr size_t kFallBytesMin = 16u << 20;

  // Of this process's heap.
  HeapTrim();
  // For tests. `bytes_in_use` and `trim` replace the C library's functions.
  HeapTrim(std::function<size_t()> bytes_in_use, std::function<void()> trim);

  // Call it often: at least every second.
  void OnTime(absl::Time now);

 private:
  const std::function<size_t()> bytes_in_use_;
  const std::function<void()> trim_;
  absl::Time next_look_ = absl::InfinitePast();
  size_t max_bytes_ = 0;  // in use at a look since the last trim
  bool was_low_ = false;  // at the last look
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_COMMON_HEAP_TRIM_H_
