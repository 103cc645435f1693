#ifndef GROUPCAST_TESTS_FAULTS_FLAKY_PROXY_H_
#define GROUPCAST_TESTS_FAULTS_FLAKY_PROXY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "boost/asio/io_context.hpp"

namespace groupcast::tests {

// Forwards TCP connections of 127.0.0.1 to other ports of it, and breaks them on request. Each of
// its ports is a route to one target port. It closes a connection to an absent target at once, as
// the target's own port would refuse it.
//
// It has a thread of its own. Methods are thread-safe and return when their work is complete.
class FlakyProxy {
 public:
  // Throws Failure if it cannot listen.
  explicit FlakyProxy(const std::vector<uint16_t>& targets);
  ~FlakyProxy();
  FlakyProxy(const FlakyProxy&) = delete;
  FlakyProxy& operator=(const FlakyProxy&) = delete;

  uint16_t port(size_t route) const;

  // Break one of a route's connections, which `pick`, a random number, selects. They return false
  // if the route has no connection.
  //
  // Closes both ends. Bytes on their way are lost.
  bool Cut(size_t route, uint64_t pick);
  // Does the same with a RST to both sides.
  bool Reset(size_t route, uint64_t pick);
  // Stops its bytes for `duration`, both ways. No byte is lost.
  bool Stall(size_t route, uint64_t pick, absl::Duration duration);
  // Ends all stalls now.
  void EndStalls();

 private:
  class Pipe;
  struct Route;

  void Accept(Route* route);
  // Selects one of the route's connections.
  std::shared_ptr<Pipe> Pick(Route* route, uint64_t pick);
  // Runs `what` on the proxy's thread, and returns its result.
  bool Do(const std::function<bool()>& what);

  boost::asio::io_context io_;
  std::vector<std::unique_ptr<Route>> routes_;
  std::thread thread_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_FLAKY_PROXY_H_
