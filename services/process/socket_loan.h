#ifndef GROUPCAST_SERVICES_PROCESS_SOCKET_LOAN_H_
#define GROUPCAST_SERVICES_PROCESS_SOCKET_LOAN_H_

#include "services/common/posix.h"

namespace groupcast::service {

// The messages from a supervisor to a worker, over the worker's control socket (SOCK_SEQPACKET).
// They let a worker also serve the listening socket of another worker that does not run.
//
// `index` names the listening socket: 0 to 254, in the order of its kind.

// The supervisor's side. A worker that cannot take the message is about to end. Then the successor
// of the missing worker serves the backlog.
void LendSocket(int control, int index, int socket);
void TakeSocketBack(int control, int index);

// The worker's side.
struct SocketMessage {
  enum class Kind {
    kNone,     // nothing to read, or another message
    kAdopt,    // accept on `socket` too: its worker does not run
    kRelease,  // stop accepting on the socket of that index: its worker runs again
    kClosed,   // the supervisor has ended
  };
  Kind kind = Kind::kNone;
  int index = 0;
  Fd socket;
};
// Reads one message. It does not wait.
SocketMessage ReceiveSocketMessage(int control);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_SOCKET_LOAN_H_
