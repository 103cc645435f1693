#ifndef SDK_CPP_GROUPCAST_HOST_LOOKUP_H_
#define SDK_CPP_GROUPCAST_HOST_LOOKUP_H_

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace groupcast {

// Finds the addresses of one host. The system's resolver has no time limit and cannot be
// interrupted, so it runs in a thread that nobody waits for: a resolver that hangs holds up neither
// Cancel() nor the destructor. There is at most one such thread for each HostLookup.
//
// Start and Cancel may be called from any thread, one at a time.
class HostLookup {
 public:
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;
  using Handler = std::function<void(const absl::StatusOr<Endpoints>&)>;

  // `host` is a name or an address, `port` is decimal. The handlers run on `executor`.
  HostLookup(boost::asio::any_io_executor executor, std::string host, std::string port);
  ~HostLookup();

  // Calls `done` once, unless Cancel() comes first. If the resolver still works for an earlier
  // Start(), its answer is for this one. kUnavailable: there is no such host, or no thread.
  void Start(Handler done);

  // Releases the handler. It may still run if it is on its way.
  void Cancel();

 private:
  struct State;

  const std::string host_;
  const std::string port_;
  const std::shared_ptr<State> state_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_HOST_LOOKUP_H_
