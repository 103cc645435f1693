#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_OPTIONS_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "services/channel/window.h"
#include "services/channel/wire.h"

namespace groupcast::service {

struct PresenceClientOptions {
  // The bounds of this worker's watches, and of the bytes of their views. Over them, a watch ends,
  // and the listener is told.
  size_t watches_max = 10'000;
  size_t view_bytes_max = 64u << 20;

  // The size of a frame, which one more member may exceed, and the frames without confirmation.
  size_t frame_bytes = 64u << 10;
  uint64_t frames_under_way_max = 4;

  // The time from frames with reports to the next ones, so that the changes of a busy group share a
  // frame: the way of a frame costs more than what is in it. The first change does not wait.
  absl::Duration report_interval = absl::Milliseconds(10);
};

// The options of a ChannelClient and of its parts.
struct ChannelClientOptions {
  // Differs between all workers, and between a worker and its successor.
  PublisherId publisher{};

  // The largest message that this worker takes. It takes less while the server does.
  size_t max_message_bytes = 64 * 1024;

  // Whether the server may take less than that when the worker first connects. If not, that is a
  // misconfiguration.
  bool server_may_take_less = false;

  WindowOptions window;

  // If a subscription has no announcement after this time while connected, the worker subscribes
  // again. The time doubles with each further attempt, up to 16 times this value. Otherwise
  // duplicates would flood a server that paces 100,000 announcements. The time starts at this value
  // again after the announcement, and with each new connection.
  absl::Duration resubscribe_after = absl::Milliseconds(200);

  // If publications wait for results and no result comes for this time, the worker asks the server.
  absl::Duration ask_after = absl::Milliseconds(200);

  // A publish link loses nothing while it is up. So the worker sends the window again on the same
  // link only after this time without progress. The heartbeats end a stalled link earlier, so
  // copies of the window do not pile up in front of it.
  absl::Duration send_again_after = absl::Seconds(5);

  // A server that knows this worker sends it a digest every 250 ms. Without a digest for this time,
  // the worker says hello again: the server may have forgotten a worker that was idle for very
  // long.
  absl::Duration digest_timeout = absl::Seconds(2);

  // After a head has come over control, its message gets this time to come live, before a repair. A
  // live link that brings nothing for this time is still, not late.
  absl::Duration repair_after = absl::Milliseconds(250);

  // The highest number of groups with heads that are put off while the live link is late. Over it,
  // the worker compares all heads once, when the link has reached that point.
  size_t late_groups_max = 10'000;

  // A comparison of all heads runs page by page: the groups of one page, and the pages without an
  // answer.
  int heads_per_page = 500;
  size_t pages_max = 4;

  // If a request over control has no answer after this time, the worker repeats it, or it fails.
  absl::Duration answer_timeout = absl::Seconds(5);

  PresenceClientOptions presence;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_CHANNEL_CLIENT_OPTIONS_H_
