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

// The bounded queue of frames to one connection. It holds references to shared frames, and no
// memory of its own while it is empty and has not been busy. Logic only: writing is the session's.
//
// The policy when it is full: the frame is refused, and the connection is to be closed as a slow
// consumer. (Leaving frames out would be a silent gap.)
class Outbox {
 public:
  Outbox() = default;
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // kResourceExhausted: over `bytes_max` together with what waits already, where each frame counts
  // 64 bytes more than it has; nothing was queued. A
  // frame alone always fits, so that a limit below a frame's size means one frame at a time.
  absl::Status Push(SharedBytes frame, size_t bytes_max);

  // Whether a frame of `frame_bytes` may be pushed for which there is time, such as one of the
  // history: it leaves half of `bytes_max` to those that cannot wait. A frame alone always fits.
  bool HasRoomFor(size_t frame_bytes, size_t bytes_max) const;
  // Whether so much of what waited has gone that it is worth while to push more of those.
  bool IsDrained(size_t bytes_max) const;

  // Like Push without a bound, for the one close frame that ends a connection.
  void PushLast(SharedBytes frame);

  // Fills `vectors` with what waits, oldest first, for one gathered write; returns how many were
  // used.
  int Gather(absl::Span<iovec> vectors) const;

  // The first `bytes` of what waits have been written.
  void Consume(size_t bytes);

  // Drops all that waits except the rest of a frame that has been written in part.
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
  size_t bytes_ = 0;            // of all that waits, without first_written_
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_OUTBOX_H_
