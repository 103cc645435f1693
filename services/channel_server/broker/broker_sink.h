#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_SINK_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_SINK_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/wire.h"

namespace groupcast::service {

// Takes the broker's decisions. In a turn, in this order: the turn's record for the log,
// announcements that have waited, messages, announcements, control frames.
class BrokerSink {
 public:
  enum class Sent {
    kSent,
    kFull,  // not now
    kGone,  // no worker of that name is connected
  };

  // Writes the record into the log, whole or not at all. Only with options.has_log.
  virtual absl::Status WriteLog(std::string* record) = 0;

  // Hands the frame of the `index`-th accepted publication to the group's subscribers, and takes
  // it. The index counts from 0 since the broker was not handing out. False: a subscriber has no
  // room. Nobody got the frame, and it is as it was: the broker will try again.
  virtual bool HandOut(size_t index) = 0;

  // Sends an announcement to the subscribers of the topic that the frame begins with.
  // False: a subscriber has no room. Nobody got the frame, and the broker will try it again.
  virtual bool Announce(absl::string_view frame) = 0;

  virtual Sent SendControl(PublisherId to, absl::string_view frame) = 0;

 protected:
  ~BrokerSink() = default;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_SINK_H_
