#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_ZAP_SERVER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_ZAP_SERVER_H_

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/logging.h"
#include "zmq.hpp"

namespace groupcast::service {

// Decides whose CURVE key may connect: it answers the questions of ZeroMQ's threads (ZAP,
// rfc.zeromq.org/spec/27). It has a thread of its own, so that a handshake does not wait for a
// turn of the server, and a turn does not wait for strangers.
class ZapServer {
 public:
  // Begins to answer. Create it before a socket of the context is bound. `allowed` are public keys
  // in Z85, which are valid. There is one in a context.
  static absl::StatusOr<std::unique_ptr<ZapServer>> Start(zmq::context_t* context,
                                                          const std::vector<std::string>& allowed);
  // Ends the context's sockets too (zmq_ctx_shutdown).
  ~ZapServer();
  ZapServer(const ZapServer&) = delete;
  ZapServer& operator=(const ZapServer&) = delete;

 private:
  ZapServer(zmq::context_t* context, zmq::socket_t socket, const std::vector<std::string>& allowed);
  void Run();
  void Answer(const std::vector<zmq::message_t>& question);

  zmq::context_t* const context_;
  zmq::socket_t socket_;  // of the thread
  const std::set<std::string> allowed_;
  LogLimit log_limit_;
  std::thread thread_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_ZAP_SERVER_H_
