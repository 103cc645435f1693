#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"
#include "services/common/clock.h"

namespace groupcast::service {

struct BrokerOptions {
  // Names the log that this broker's offsets belong to. Random for a broker that begins with
  // nothing.
  Epoch epoch{};

  // A larger publication is refused. Workers may not be configured above it.
  size_t max_message_bytes = 64 * 1024;

  // What of a group's past can be read: its newest messages, up to this number and this age.
  size_t history_messages_max = 100;
  absl::Duration history_age_max = absl::Seconds(300);

  // What all groups' histories may take together: the frames, and 256 bytes of bookkeeping for
  // each. Over it, the oldest go first.
  size_t history_bytes_max = 512u << 20;

  // A publisher that was not heard of for this long is forgotten, and must say hello again.
  absl::Duration publisher_age_max = absl::Hours(24);

  // So many publishers are known at once; over it, the one that was not heard of for longest is
  // forgotten.
  size_t publishers_max = 10'000;
};

// Where the broker's answers go.
class BrokerSink {
 public:
  // To all subscribers of the group that the frame begins with.
  virtual void Announce(absl::string_view frame) = 0;
  // False: it could not be sent now. The broker keeps results and tries again in later turns, for
  // ten seconds.
  virtual bool SendControl(PublisherId to, absl::string_view frame) = 0;

 protected:
  ~BrokerSink() = default;
};

// What the channel server decides: offsets, who is announced and acknowledged what, what is kept as
// history. Logic only: it knows no socket, and time comes from the clock it is given.
//
// It works in turns. Its shell calls BeginTurn, then hands in what each socket has, with all
// subscriptions that can be read before any publication, then EndTurn. Publications are handed to
// subscribers by the shell, at once and in the order of the calls; announcements come at the turn's
// end, so an announced head is one that was handed out.
//
// Offsets come from one counter for all groups: a group's offsets grow, not necessarily by 1. A
// group that has neither subscribers nor history is forgotten; when it comes back, its head is the
// highest offset ever forgotten, so a chain is never continued that might have a hole.
//
// Not thread-safe.
class Broker {
 public:
  struct Counters {
    uint64_t publications = 0;  // made messages
    uint64_t repeated = 0;      // dropped: their number was accepted before
    uint64_t holes = 0;         // numbers that never came
    uint64_t strangers = 0;     // dropped: their publisher has not said hello
    uint64_t refused = 0;       // told to the publisher: too large or not a publication
    uint64_t malformed = 0;     // ignored: frames and topics that are none
    uint64_t announcements = 0;
  };

  // `clock` must outlive the broker.
  Broker(const BrokerOptions& options, const Clock* clock);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  void BeginTurn();

  // Makes the publication in `frame` a message in place. Only if this is OK may the frame be handed
  // out. The errors are for the log; whoever must be told is told at the turn's end.
  absl::Status OnPublication(absl::Span<char> frame);

  // kInvalidArgument: not the topic of a group; nothing happens.
  absl::Status OnSubscription(absl::string_view topic);
  // The last subscriber of the topic has gone.
  absl::Status OnUnsubscription(absl::string_view topic);

  // kInvalidArgument: not a frame of this protocol; it is ignored.
  absl::Status OnControl(PublisherId from, absl::string_view frame, BrokerSink* sink);

  void EndTurn(BrokerSink* sink);

  const Counters& counters() const { return counters_; }
  size_t group_count() const { return groups_.size(); }
  size_t history_bytes() const { return history_bytes_; }

 private:
  struct Retained;
  struct Group;
  struct Publisher;

  Group& KnowGroup(absl::string_view id);
  // If nobody needs it.
  void ForgetGroup(Group* group);
  void Retain(Group* group, absl::Span<const char> frame, uint64_t offset);
  void DropOldest(Group* group);
  void ExpireHistory();
  void ExpirePublishers();
  void Acknowledge(BrokerSink* sink);

  void Hello(PublisherId from, const channel::v1::Hello& hello, BrokerSink* sink);
  void Fetch(PublisherId from, const channel::v1::FetchHistory& fetch, BrokerSink* sink);

  const BrokerOptions options_;
  const Clock* const clock_;
  absl::Time now_;
  Counters counters_;

  uint64_t last_offset_ = 0;
  uint64_t highest_forgotten_ = 0;
  absl::node_hash_map<std::string, Group> groups_;
  // Groups, each with the nonce of the subscription to answer, or zero.
  std::vector<std::pair<std::string, PublisherId>> to_announce_;

  absl::flat_hash_map<PublisherId, std::unique_ptr<Publisher>> publishers_;
  std::vector<PublisherId> to_acknowledge_;  // those with results of this turn
  std::vector<PublisherId> unreachable_;     // those with results that could not be sent
  absl::Time next_unreachable_try_ = absl::InfinitePast();
  absl::Time next_publisher_sweep_ = absl::InfinitePast();

  // All groups' histories in one list, oldest first; each group's own list runs through it.
  Retained* oldest_ = nullptr;
  Retained* newest_ = nullptr;
  size_t history_bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_H_
