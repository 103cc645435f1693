#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_HEAD_COMPARISON_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_HEAD_COMPARISON_H_

#include <cstddef>
#include <cstdint>
#include <map>

#include "absl/time/time.h"
#include "services/channel/position.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/repairs.h"
#include "services/channel/zmq/channel_client_options.h"
#include "services/channel/zmq/channel_links.h"
#include "services/channel/zmq/subscriptions.h"
#include "services/common/clock.h"

namespace groupcast::service {

// The comparison of all subscribed groups' heads with the server's (resync). It is needed when the
// worker may have missed heads and does not know their groups:
//   - after each hello
//   - after a hole in the numbers of the digests
//   - after a change of epoch
//   - after a list of heads exceeded its bound
// A smaller question does not exist: a missed digest may have named any group.
//
// It runs page by page: 500 groups in a frame, and at most 4 frames without an answer. So a worker
// with 200,000 groups has 4 questions under way, not 400. A new reason does not add a comparison.
// It restarts the running one at its present place. The groups without a comparison for the longest
// time come first, so each group has its turn even if the reasons never end.
//
// A group of another epoch than the server's is not compared: it needs a repair with any head. The
// pages wait while 1,000 repairs are in the queue.
//
// Logic only: no IO. Not thread-safe. All pointers must outlive it. It costs time only for the
// groups of the pages that it sends.
class HeadComparison {
 public:
  HeadComparison(const ChannelClientOptions& options, const Clock* clock, ChannelLinks* links,
                 Subscriptions* subscriptions, Repairs* repairs);
  HeadComparison(const HeadComparison&) = delete;
  HeadComparison& operator=(const HeadComparison&) = delete;

  // All heads must be compared with the server's heads at this time or later. Continue sends the
  // pages.
  void Begin();

  // Sends pages within the bounds. It sends a page without an answer again after answer_timeout.
  // The caller calls it after Begin, after an answer, and when time has passed, but only while the
  // last hello has its answer. `current` is the server's epoch.
  void Continue(Epoch current);

  // Ends the page of the question `request`. False: no page waits for this answer.
  bool TakeAnswer(uint64_t request);

  // The connection is lost. The next hello begins another comparison.
  void Reset();

  // The number of comparisons since the start.
  uint64_t count() const { return count_; }

 private:
  struct Page {
    channel::v1::CompareHeads heads;
    uint64_t comparison;  // the value of count_
    absl::Time deadline;
  };

  void SendLatePagesAgain(Epoch current);
  void Send(Page page, Epoch current);

  const ChannelClientOptions options_;
  const Clock* const clock_;
  ChannelLinks* const links_;
  Subscriptions* const subscriptions_;
  Repairs* const repairs_;
  uint64_t count_ = 0;
  bool is_running_ = false;  // pages are left to be sent
  bool has_sent_ = false;    // since Begin
  uint64_t next_request_ = 1;
  std::map<uint64_t, Page> pages_;  // without an answer; at most pages_max
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_HEAD_COMPARISON_H_
