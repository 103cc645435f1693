#include "tools/load/websocket_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"

namespace groupcast::load {

using service::ErrnoStatus;

std::string ClientFrame(absl::string_view text) {
  std::string frame = "\x81";
  if (text.size() < 126) {
    frame += static_cast<char>(0x80 | text.size());
  } else if (text.size() <= 0xffff) {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size());
  } else {
    frame += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(text.size() >> shift);
  }
  frame.append(4, '\0');
  absl::StrAppend(&frame, text);
  return frame;
}

absl::StatusOr<WebSocketClient> WebSocketClient::Connect(uint16_t port, int number) {
  WebSocketClient client;
  client.fd_ = service::Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!client.fd_.valid()) return ErrnoStatus("socket");
  const int on = 1;
  setsockopt(client.fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // The port is chosen by connect, and no run leaves thousands of them in TIME_WAIT to the next.
  setsockopt(client.fd_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(client.fd_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  sockaddr_in from{};
  from.sin_family = AF_INET;
  // Loopback has more addresses than one, and one has too few ports for very many connections.
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + static_cast<uint32_t>(number / 20'000));
  if (bind(client.fd_.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from)) != 0)
    return ErrnoStatus("bind");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(client.fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0)
    return ErrnoStatus("connect");
  if (absl::Status status = client.Write(
          "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
      !status.ok()) {
    return status;
  }
  while (client.input_.find("\r\n\r\n") == std::string::npos) {
    if (absl::Status status = client.Read(0); !status.ok()) return status;
  }
  client.input_.erase(0, client.input_.find("\r\n\r\n") + 4);
  return client;
}

absl::Status WebSocketClient::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0) return ErrnoStatus("send");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WebSocketClient::Read(int flags) {
  char buffer[64 * 1024];
  const ssize_t count = recv(fd_.get(), buffer, sizeof(buffer), flags);
  if (count == 0) return absl::AbortedError("the server closed the connection");
  if (count < 0) return ErrnoStatus("recv");
  input_.append(buffer, static_cast<size_t>(count));
  return absl::OkStatus();
}

}  // namespace groupcast::load
