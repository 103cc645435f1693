#ifndef GROUPCAST_SERVICES_CONNECTIONS_OUTBOX_H_
#define GROUPCAST_SERVICES_CONNECTIONS_OUTBOX_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "services/common/shared_bytes.h"

namespace groupcast::service {

// The bounded queue of frames to one connection. It holds references to shared frames. While it is
// empty and has not been busy, it uses no memory besides itself. It does no IO: the session writes.
//
// A full queue refuses the frame, and the session closes the connection as a slow consumer. (To
// drop frames would be a silent gap.)
class Outbox {
 public:
  Outbox() = default;
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Queues a frame. Each frame counts as its size and 64 bytes.
  // kResourceExhausted: the queue would be over `bytes_max`, and the frame was not queued. A frame
  // alone always fits, so a limit below a frame's size means one frame at a time.
  absl::Status Push(SharedBytes frame, size_t bytes_max);

  // Whether the session may push a frame that can wait now, such as a frame of the history. Such
  // frames leave half of `bytes_max` to frames that cannot wait. A frame alone always fits.
  bool HasRoomFor(size_t frame_bytes, size_t bytes_max) const;
  // Whether the queue has drained to a quarter of `bytes_max`. Then the session should push frames
  // that can wait.
  bool IsDrained(size_t bytes_max) const;

  // Queues a frame without a bound. For the one frame that ends a connection.
  void PushLast(SharedBytes frame);

  // Fills `vectors` with the bytes that wait, oldest first, for one gathered write. Returns the
  // number of vectors that it used.
  int Gather(absl::Span<iovec> vectors) const;

  // Removes the first `bytes` bytes after they were written.
  void Consume(size_t bytes);

  // Drops all frames, except the unwritten bytes of a frame that was written in part.
  void DropUnsent();

  // The memory of all outboxes of this thread besides their frames.
  static int64_t queue_bytes();

  bool empty() const { return count_ == 0; }
  size_t bytes() const { return bytes_; }
  size_t frames() const { return count_; }

 private:
  SharedBytes& At(uint32_t index) const { return ring_[(first_ + index) & (capacity_ - 1)]; }
  size_t cost() const;
  void SetCapacity(uint32_t capacity);
  void PopFront();

  std::unique_ptr<SharedBytes[]> ring_;  // capacity_ is 0 or a power of two
  uint32_t capacity_ = 0;
  uint32_t first_ = 0;
  uint32_t count_ = 0;
  uint32_t first_written_ = 0;  // written bytes of the first frame
  size_t bytes_ = 0;            // of all frames, without first_written_
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONNECTIONS_OUTBOX_H_
