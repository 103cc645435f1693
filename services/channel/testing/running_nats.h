#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_RUNNING_NATS_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_RUNNING_NATS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace groupcast::service::testing {

// A nats-server (Debian's package) with JetStream, on 127.0.0.1, in a folder of its own. It ends
// with this object, or with this process. A failure of the system fails the test.
class RunningNats {
 public:
  // `options` are further ones of the command line. Returns when the server listens.
  explicit RunningNats(const std::vector<std::string>& options = {});
  ~RunningNats();
  RunningNats(const RunningNats&) = delete;
  RunningNats& operator=(const RunningNats&) = delete;

  uint16_t port() const { return port_; }

  // It stands still, and goes on.
  void Stop();
  void Continue();

 private:
  void Signal(int signal);
  // Whether the server has written its port.
  bool ReadPort();

  std::string folder_;
  pid_t pid_ = -1;  // -1: it does not run
  uint16_t port_ = 0;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_RUNNING_NATS_H_
