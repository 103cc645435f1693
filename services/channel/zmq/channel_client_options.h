#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_OPTIONS_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_OPTIONS_H_

#include <cstddef>

#include "absl/time/time.h"
#include "services/channel/window.h"
#include "services/channel/wire.h"

namespace groupcast::service {

// The options of a ChannelClient and of its rooms.
struct ChannelClientOptions {
  // Distinct over all workers and their incarnations.
  PublisherId publisher{};

  // The largest message that this worker takes. A server that takes less is a misconfiguration.
  size_t max_message_bytes = 64 * 1024;

  WindowOptions window;

  // A subscription without an announcement for this time while connected is made again. The time
  // doubles with each further attempt, up to 16 times this value: a server that paces 100,000
  // announcements must not be flooded by duplicates. It begins anew when the subscription is
  // announced, and with each new connection.
  absl::Duration resubscribe_after = absl::Milliseconds(200);

  // Without any result for this time while some are awaited, the worker asks the server.
  absl::Duration ask_after = absl::Milliseconds(200);

  // A publish link loses nothing while it is up. So the window is sent again on it only if asking
  // has led nowhere for this time. The heartbeats end a link that stands still in less time, so
  // copies of the window do not pile up before it.
  absl::Duration send_again_after = absl::Seconds(5);

  // A server that knows this worker sends it a digest every 250 ms. Without one for this time, the
  // worker says hello again: the server may have forgotten a worker that was idle for very long.
  absl::Duration digest_timeout = absl::Seconds(2);

  // A head that came over control gets this time to come live as well, before it is repaired. A
  // live link that brings nothing for this time is still, not late.
  absl::Duration repair_after = absl::Milliseconds(250);

  // Groups whose heads are put off while the live link is late. Over it, all heads are compared
  // once, when the link has come so far.
  size_t late_groups_max = 10'000;

  // A comparison of all heads goes page by page: groups of one page, and pages without an answer.
  int heads_per_page = 500;
  size_t pages_max = 4;

  // A request over control without an answer for this time is made again, or fails.
  absl::Duration answer_timeout = absl::Seconds(5);
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_OPTIONS_H_
