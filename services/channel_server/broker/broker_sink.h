#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_SINK_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_SINK_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/wire.h"

namespace groupcast::service {

// Receives the broker's decisions. The order in a turn is: the turn's record for the log,
// announcements that have waited, messages, announcements, control frames.
class BrokerSink {
 public:
  enum class Sent {
    kSent,
    kFull,  // not now
    kGone,  // no worker with that id is connected
  };

  // Writes the record into the log, whole or not at all. Called only with options.has_log.
  virtual absl::Status WriteLog(std::string* record) = 0;

  // Hands the frame of the `index`-th accepted publication to the group's subscribers, and takes
  // it. The index counts from 0 since the broker was last not handing out. False: a subscriber has
  // no room. No subscriber has the frame, and the frame is unchanged: the broker will try again.
  virtual bool HandOut(size_t index) = 0;

  // Sends an announcement to the subscribers of the topic at the beginning of the frame.
  // False: a subscriber has no room. No subscriber has the frame, and the broker will try again.
  virtual bool Announce(absl::string_view frame) = 0;

  virtual Sent SendControl(PublisherId to, absl::string_view frame) = 0;

 protected:
  ~BrokerSink() = default;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_SINK_H_
