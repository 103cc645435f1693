#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_RELAY_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_RELAY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "services/common/posix.h"

namespace groupcast::service::testing {

// A TCP relay between the clients of port() and `target_port`, both on 127.0.0.1. A test can make
// it delay and break connections. It runs in its own thread. Each method returns when its work is
// complete. A failure of the system fails the test.
class Relay {
 public:
  explicit Relay(uint16_t target_port);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  uint16_t port() const { return port_; }

  // Whether the relay accepts connections. The others wait, connected as far as TCP knows.
  void SetAccepting(bool accepting);

  // Whether the relay passes on the bytes of each side. Other bytes wait until the buffers of the
  // sender's system and of the relay's system are full: some 100 KB.
  void SetPassing(bool to_target, bool from_target);

  // Breaks all connections. Both sides get a reset (RST) at once, and the bytes that were not
  // passed on are lost.
  void Reset();

 private:
  // Bytes that were read and not yet written: at most 16 KB, because the relay reads more only when
  // it is empty.
  using Pipe = std::vector<char>;
  struct Connection {
    Fd client;
    Fd target;
    Pipe to_target;
    Pipe from_target;
  };

  void Run();
  void Do(std::function<void()> work);
  void Accept();
  // False: the connection has ended.
  static bool Pump(int from, int to, bool passing, Pipe* pipe);

  const uint16_t target_port_;
  uint16_t port_ = 0;
  Fd listener_;
  Fd wake_;
  std::mutex mutex_;
  std::vector<std::packaged_task<void()>> work_;  // guarded by mutex_

  // Only the thread uses these members.
  std::list<Connection> connections_;
  bool accepting_ = true;
  bool to_target_ = true;
  bool from_target_ = true;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_RELAY_H_
