#ifndef GROUPCAST_TOOLS_LOAD_CHANNEL_LINK_H_
#define GROUPCAST_TOOLS_LOAD_CHANNEL_LINK_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/channel/channel.h"
#include "services/channel/zmq/zmq_channel.h"
#include "services/common/event_loop.h"

namespace groupcast::load {

// This process's link to a channel server, like a worker's, with a loop of its own that runs within
// calls. Create it after fork(2).
class ChannelLink {
 public:
  // Waits until it is connected. `port` is the server's publish port; the other two ports follow
  // it. `listener` must outlive it.
  static absl::StatusOr<std::unique_ptr<ChannelLink>> Open(uint16_t port,
                                                           service::ChannelListener* listener);

  // Runs until `done`. False: `limit` has passed before.
  bool RunUntil(const std::function<bool()>& done, absl::Duration limit);
  // Runs one turn, which waits for work for `wait` at most.
  void RunOnce(absl::Duration wait) { loop_->RunOnce(wait); }

  service::ZmqChannel& channel() { return *channel_; }

 private:
  ChannelLink() = default;

  std::unique_ptr<service::EventLoop> loop_;
  std::unique_ptr<service::ZmqChannel> channel_;
};

}  // namespace groupcast::load

#endif  // GROUPCAST_TOOLS_LOAD_CHANNEL_LINK_H_
