#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_OUTBOX_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_OUTBOX_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "services/websocket_service/wire/frame.h"

namespace groupcast::service {

// The bounded queue of frames to one connection. It holds references to shared frames. While it is
// empty and has not been busy, it holds no memory beside itself. It does no IO: the session writes.
//
// When it is full it refuses the frame, and the session closes the connection as a slow consumer.
// (To leave frames out would be a silent gap.)
class Outbox {
 public:
  Outbox() = default;
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Queues a frame. Each frame counts 64 bytes more than it has.
  // kResourceExhausted: the queue would be over `bytes_max`; nothing was queued. A frame alone
  // always fits, so a limit below a frame's size means one frame at a time.
  absl::Status Push(SharedBytes frame, size_t bytes_max);

  // Whether a frame that can wait, such as one of the history, may be pushed now. Such frames leave
  // half of `bytes_max` to frames that cannot wait. A frame alone always fits.
  bool HasRoomFor(size_t frame_bytes, size_t bytes_max) const;
  // Whether the queue is down to a quarter of `bytes_max`: it is worth while to push frames that
  // can wait.
  bool IsDrained(size_t bytes_max) const;

  // Queues a frame without a bound. For the one frame that ends a connection.
  void PushLast(SharedBytes frame);

  // Fills `vectors` with the bytes that wait, oldest first, for one gathered write. Returns the
  // number of vectors that it used.
  int Gather(absl::Span<iovec> vectors) const;

  // Removes the first `bytes` bytes: they have been written.
  void Consume(size_t bytes);

  // Drops all frames except the rest of one that has been written in part.
  void DropUnsent();

  bool empty() const { return count_ == 0; }
  size_t bytes() const { return bytes_; }
  size_t frames() const { return count_; }

 private:
  SharedBytes& At(uint32_t index) const { return ring_[(first_ + index) & (capacity_ - 1)]; }
  size_t cost() const;
  void Grow();
  void PopFront();

  std::unique_ptr<SharedBytes[]> ring_;  // capacity_ is 0 or a power of two
  uint32_t capacity_ = 0;
  uint32_t first_ = 0;
  uint32_t count_ = 0;
  uint32_t first_written_ = 0;  // bytes of the first frame that were written already
  size_t bytes_ = 0;            // of all frames, without first_written_
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_OUTBOX_H_
