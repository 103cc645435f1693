#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_LINKS_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_LINKS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::service {

// The three links to the channel server, for the logic that uses them (docs/channel_wire.md). None
// of these methods calls back.
class ChannelLinks {
 public:
  // Sends on the publish link. If the link is not up, the frame is lost.
  virtual void SendPublication(absl::string_view frame) = 0;
  // Sends on the control link. False: the frame cannot be sent now.
  virtual bool SendControl(absl::string_view frame) = 0;
  // Subscribes on the subscribe link. When a lost link is up again, it repeats each subscription.
  // Subscriptions of one topic are counted: each needs its own Unsubscribe.
  virtual void Subscribe(const std::string& topic) = 0;
  virtual void Unsubscribe(const std::string& topic) = 0;

 protected:
  ~ChannelLinks() = default;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_LINKS_H_
