#include "services/connections/peer_socket.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utility>

namespace groupcast::service {
namespace {

// A connection that has taken no bytes for this time gets no room for a burst.
constexpr absl::Duration kTakesBytesMax = absl::Seconds(1);

}  // namespace

uint32_t KernelQueueBytes(int socket, unsigned long which) {
  int bytes = 0;
  return ioctl(socket, which, &bytes) == 0 && bytes > 0 ? static_cast<uint32_t>(bytes) : 0;
}

absl::Status PeerSocket::StartWatching(const PeerSocketOptions& options) {
  const int unsent_max = static_cast<int>(
      std::min(options.unsent_bytes_max, std::max<size_t>(1, options.outbox_bytes_max / 4)));
  // If it fails, the kernel's own limits hold (tcp_wmem).
  setsockopt(socket(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof(unsent_max));
  watched_ = EPOLLIN;
  absl::Status status = loop_->Add(socket(), watched_, this);
  is_watched_ = status.ok();
  return status;
}

void PeerSocket::StopWatching() {
  if (std::exchange(is_watched_, false)) loop_->Remove(socket(), this);
}

void PeerSocket::WatchFor(uint32_t events) {
  if (events == watched_ || !is_watched_) return;
  watched_ = events;
  loop_->Modify(socket(), watched_, this);
}

absl::Status PeerSocket::Push(const SharedBytes& block, const PeerSocketOptions& options) {
  absl::Status queued = outbox_.Push(block, BytesMax(options));
  if (queued.ok() || !block.is_shared() || !takes_bytes()) return queued;
  return outbox_.Push(block, BytesMax(options) + options.burst_bytes_max);
}

bool PeerSocket::takes_bytes() const { return loop_->now() - took_bytes_at_ <= kTakesBytesMax; }

// Half of the bound remains in any case: the kernel's buffers are coarse.
size_t PeerSocket::BytesMax(const PeerSocketOptions& options) const {
  const size_t bytes_max = options.outbox_bytes_max;
  return bytes_max - std::min<size_t>(unsent_bytes_, bytes_max / 2);
}

void PeerSocket::OnRoom() {
  is_full_ = false;
  unsent_bytes_ = 0;
}

void PeerSocket::SetFull(bool is_full, size_t unsent_bytes) {
  is_full_ = is_full;
  if (is_full) {
    unsent_bytes_ = KernelQueueBytes(socket(), SIOCOUTQNSD) + static_cast<uint32_t>(unsent_bytes);
  }
  WatchForRoom(is_full);
}

ssize_t PeerSocket::SendBlocks(absl::Span<iovec> blocks) {
  msghdr message{};
  message.msg_iov = blocks.data();
  message.msg_iovlen = blocks.size();
  return sendmsg(socket(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool PeerSocket::ShutDown() {
  if (std::exchange(is_shut_down_, true)) return false;
  shutdown(socket(), SHUT_WR);
  return true;
}

void PeerSocket::DropUndelivered() {
  if (KernelQueueBytes(socket(), SIOCOUTQ) == 0) return;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void PeerSocket::LimitDelivery(const PeerSocketOptions& options) {
  if (KernelQueueBytes(socket(), SIOCOUTQ) == 0) return;
  const auto timeout_ms = static_cast<unsigned>(absl::ToInt64Milliseconds(options.close_timeout));
  setsockopt(socket(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

}  // namespace groupcast::service
