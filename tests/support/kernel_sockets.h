#ifndef GROUPCAST_TESTS_SUPPORT_KERNEL_SOCKETS_H_
#define GROUPCAST_TESTS_SUPPORT_KERNEL_SOCKETS_H_

#include <cstdint>
#include <vector>

namespace groupcast::tests {

// A TCP socket of this machine, as the kernel sees it.
struct KernelSocket {
  uint16_t local_port = 0;
  uint16_t remote_port = 0;
  bool established = false;
  int64_t send_bytes = 0;     // written, and not acknowledged by the peer's kernel
  int64_t receive_bytes = 0;  // received, and not read
};

// The sockets of a server's connections: its own ends. Also those that no process owns any more.
std::vector<KernelSocket> SocketsOfServer(uint16_t port);
// The other ends.
std::vector<KernelSocket> SocketsOfClients(uint16_t port);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_KERNEL_SOCKETS_H_
