#ifndef GROUPCAST_SERVICES_CONNECTIONS_PEER_SOCKET_H_
#define GROUPCAST_SERVICES_CONNECTIONS_PEER_SOCKET_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"
#include "services/common/shared_bytes.h"
#include "services/connections/outbox.h"

namespace groupcast::service {

struct PeerSocketOptions {
  size_t outbox_bytes_max = 1u << 20;
  // The bytes that the kernel may queue for one connection before it has sent them
  // (TCP_NOTSENT_LOWAT). At most a quarter of outbox_bytes_max takes effect. The kernel takes whole
  // buffers of up to 64 KiB, so it may exceed the value by one.
  size_t unsent_bytes_max = 128u << 10;
  // A burst may exceed outbox_bytes_max by this, if the connection takes bytes: its last ones are
  // at most a second old. Only messages may do so: members of a group share them.
  size_t burst_bytes_max = 4u << 20;
  // The longest time that a closing connection may take. Also for the kernel, if it still has bytes
  // when the peer has closed its side.
  absl::Duration close_timeout = absl::Seconds(5);
};

// The bytes in a queue of the kernel. The send queue: SIOCOUTQ with those that the peer has not
// acknowledged, SIOCOUTQNSD only those that were not sent. The receive queue: FIONREAD. tcp(7).
uint32_t KernelQueueBytes(int socket, unsigned long which);

// The socket of one connection with its outbox, for the class of a protocol to build on. It watches
// the socket, and writes the outbox as far as the socket takes it.
//
// Not thread-safe; it lives on its loop.
class PeerSocket : public EventHandler {
 public:
  PeerSocket(const PeerSocket&) = delete;
  PeerSocket& operator=(const PeerSocket&) = delete;

  // Whether the kernel has taken bytes for the peer within the last second.
  bool takes_bytes() const;

 protected:
  // `loop` must outlive it.
  PeerSocket(EventLoop* loop, Fd socket) : loop_(loop), socket_(std::move(socket)) {}
  ~PeerSocket() { StopWatching(); }

  int socket() const { return socket_.get(); }
  absl::Time now() const { return loop_->now(); }
  const Outbox& outbox() const { return outbox_; }

  // Limits what the kernel queues, and begins to watch the socket for input.
  absl::Status StartWatching(const PeerSocketOptions& options);
  // OnEvents does not follow any more.
  void StopWatching();
  void WatchForInput() { WatchFor(watched_ | EPOLLIN); }
  void IgnoreInput() { WatchFor(watched_ & ~static_cast<uint32_t>(EPOLLIN)); }
  bool watches_for_input() const { return (watched_ & EPOLLIN) != 0; }
  void WatchForRoom(bool watch) {
    WatchFor(watch ? watched_ | EPOLLOUT : watched_ & ~static_cast<uint32_t>(EPOLLOUT));
  }

  // Queues a block. kResourceExhausted: the outbox is full. A shared block may use the room for
  // bursts.
  absl::Status Push(const SharedBytes& block, const PeerSocketOptions& options);
  // As Outbox.
  void PushLast(SharedBytes block) { outbox_.PushLast(std::move(block)); }
  void DropUnsent() { outbox_.DropUnsent(); }
  bool HasRoomFor(size_t bytes, const PeerSocketOptions& options) const {
    return outbox_.HasRoomFor(bytes, BytesMax(options));
  }
  bool IsDrained(const PeerSocketOptions& options) const {
    return outbox_.IsDrained(BytesMax(options));
  }

  // The socket was full, and is watched for room.
  bool is_full() const { return is_full_; }
  // It has room again.
  void OnRoom();
  // Records whether it is full, and watches it for room then. `unsent_bytes`: those that wait
  // besides the outbox and the kernel.
  void SetFull(bool is_full, size_t unsent_bytes = 0);
  // Writes the first blocks of the outbox with `write`, which is as sendmsg(2) for its iovecs,
  // while `has_unsent` and the turn's share lasts. `on_written` gets the bytes of each write.
  // False: the socket has failed. The caller then calls SetFull.
  template <typename HasUnsent, typename Write, typename OnWritten>
  bool WriteOutbox(HasUnsent has_unsent, Write write, OnWritten on_written);
  // For WriteOutbox, without encryption.
  ssize_t SendBlocks(absl::Span<iovec> blocks);

  // Tells the peer that no more bytes follow. Not close(2): with unread input it would reset the
  // connection, and the peer might not get our last bytes. False: it was told before.
  bool ShutDown();
  // The socket will be closed. What the kernel has not delivered is dropped, with a reset.
  // Otherwise the kernel would keep these bytes for minutes, for a peer that does not read.
  void DropUndelivered();
  // The socket will be closed, but the peer may still read. If it does not, the kernel gives up as
  // early as the worker would.
  void LimitDelivery(const PeerSocketOptions& options);

 private:
  // How many blocks one system call takes, and how many calls one connection gets in a turn.
  static constexpr size_t kBlocksPerWrite = 64;
  static constexpr int kWritesPerTurn = 8;

  void WatchFor(uint32_t events);
  // The bound of the outbox: less while the kernel has unsent bytes, because these wait too.
  size_t BytesMax(const PeerSocketOptions& options) const;

  EventLoop* const loop_;
  Fd socket_;
  uint32_t watched_ = 0;       // epoll bits
  uint32_t unsent_bytes_ = 0;  // in the kernel, when the socket was found full
  bool is_watched_ = false;
  bool is_full_ = false;
  bool is_shut_down_ = false;                        // our side of the TCP connection is closed
  absl::Time took_bytes_at_ = absl::InfinitePast();  // the kernel, the last time
  Outbox outbox_;
};

template <typename HasUnsent, typename Write, typename OnWritten>
bool PeerSocket::WriteOutbox(HasUnsent has_unsent, Write write, OnWritten on_written) {
  for (int i = 0; i < kWritesPerTurn && has_unsent(); ++i) {
    std::array<iovec, kBlocksPerWrite> blocks;
    const auto count = static_cast<size_t>(outbox_.Gather(absl::MakeSpan(blocks)));
    const ssize_t written = write(absl::MakeSpan(blocks.data(), count));
    if (written < 0) {
      if (errno == EAGAIN) break;
      if (errno == EINTR) continue;
      return false;
    }
    outbox_.Consume(static_cast<size_t>(written));
    took_bytes_at_ = loop_->now();
    on_written(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONNECTIONS_PEER_SOCKET_H_
