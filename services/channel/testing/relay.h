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

// A TCP relay between what connects to port() and `target_port`, both on 127.0.0.1, that delays and
// breaks connections when it is told to. It runs in a thread of its own; each method returns when
// what it asks for is done. A failure of the system fails the test.
class Relay {
 public:
  explicit Relay(uint16_t target_port);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  uint16_t port() const { return port_; }

  // Whether connections are taken. Those that are not wait, connected as far as TCP knows.
  void SetAccepting(bool accepting);

  // Whether what each side sends is passed on. What is not passed on stays where it is, until
  // neither the sender's system nor the relay's has room for more: some 100 KB.
  void SetPassing(bool to_target, bool from_target);

  // Breaks all connections, so that both sides are told at once (RST) and what was not passed on is
  // lost.
  void Reset();

 private:
  // What was read and is not yet written: at most 16 KB, because more is read when it is empty.
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

  // The thread's own.
  std::list<Connection> connections_;
  bool accepting_ = true;
  bool to_target_ = true;
  bool from_target_ = true;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_RELAY_H_
