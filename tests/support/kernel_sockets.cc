#include "tests/support/kernel_sockets.h"

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

constexpr unsigned kEstablished = 1;  // TCP_ESTABLISHED
constexpr unsigned kListen = 10;      // TCP_LISTEN

// Reads the lines of proc_net_tcp(5). The table for IPv6 has the same form, with longer addresses.
void ReadTable(std::ifstream table, std::vector<KernelSocket>* sockets) {
  std::string line;
  if (!std::getline(table, line)) throw Failure("cannot read /proc/net/tcp");
  while (std::getline(table, line)) {
    unsigned local_port = 0, remote_port = 0, state = 0;
    uint64_t send_bytes = 0, receive_bytes = 0;
    if (std::sscanf(line.c_str(), " %*d: %*32[0-9A-F]:%x %*32[0-9A-F]:%x %x %" SCNx64 ":%" SCNx64,
                    &local_port, &remote_port, &state, &send_bytes, &receive_bytes) != 5) {
      throw Failure("cannot read this line of /proc/net/tcp: " + line);
    }
    if (state == kListen) continue;
    sockets->push_back({.local_port = static_cast<uint16_t>(local_port),
                        .remote_port = static_cast<uint16_t>(remote_port),
                        .established = state == kEstablished,
                        .send_bytes = static_cast<int64_t>(send_bytes),
                        .receive_bytes = static_cast<int64_t>(receive_bytes)});
  }
}

// ZeroMQ's sockets are of IPv6, with mapped addresses.
std::vector<KernelSocket> Sockets() {
  std::vector<KernelSocket> sockets;
  ReadTable(std::ifstream("/proc/net/tcp"), &sockets);
  if (std::ifstream table("/proc/net/tcp6"); table) ReadTable(std::move(table), &sockets);
  return sockets;
}

}  // namespace

std::vector<KernelSocket> SocketsOfServer(uint16_t port) {
  std::vector<KernelSocket> sockets = Sockets();
  std::erase_if(sockets, [&](const KernelSocket& socket) { return socket.local_port != port; });
  return sockets;
}

std::vector<KernelSocket> SocketsOfClients(uint16_t port) {
  std::vector<KernelSocket> sockets = Sockets();
  std::erase_if(sockets, [&](const KernelSocket& socket) { return socket.remote_port != port; });
  return sockets;
}

}  // namespace groupcast::tests
