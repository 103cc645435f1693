#include "services/process/socket_loan.h"

#include <sys/socket.h>

#include <cstdint>
#include <cstring>

namespace groupcast::service {
namespace {

// A message is one byte of command and one byte of index. kAdopt carries the socket (SCM_RIGHTS).
enum class Command : uint8_t { kAdopt = 'a', kRelease = 'r' };

void Send(int control, Command command, int index, int socket) {
  uint8_t text[2] = {static_cast<uint8_t>(command), static_cast<uint8_t>(index)};
  iovec vector{.iov_base = text, .iov_len = sizeof(text)};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  if (command == Command::kAdopt) {
    std::memset(space, 0, sizeof(space));
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &socket, sizeof(socket));
  }
  static_cast<void>(sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

}  // namespace

void LendSocket(int control, int index, int socket) {
  Send(control, Command::kAdopt, index, socket);
}

void TakeSocketBack(int control, int index) { Send(control, Command::kRelease, index, -1); }

SocketMessage ReceiveSocketMessage(int control) {
  uint8_t text[2];
  iovec vector{.iov_base = text, .iov_len = sizeof(text)};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof(space);
  const ssize_t count = recvmsg(control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  SocketMessage received;
  if (count == 0) received.kind = SocketMessage::Kind::kClosed;
  if (count != sizeof(text)) return received;
  received.index = text[1];
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
      header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int socket = -1;
    std::memcpy(&socket, CMSG_DATA(header), sizeof(socket));
    received.socket = Fd(socket);
  }
  if (text[0] == static_cast<uint8_t>(Command::kRelease)) {
    received.kind = SocketMessage::Kind::kRelease;
  } else if (text[0] == static_cast<uint8_t>(Command::kAdopt) && received.socket.valid()) {
    received.kind = SocketMessage::Kind::kAdopt;
  }
  return received;
}

}  // namespace groupcast::service
