#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
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
#include "services/channel/fingerprint.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"
#include "services/channel_server/turn_record.h"
#include "services/common/clock.h"

namespace groupcast::service {

struct BrokerOptions {
  // Names a new log: random, so that two logs never share one.
  std::function<Epoch()> new_epoch;

  // Whether there is a log: what a turn does is written before any of it is told.
  bool has_log = false;
  // So many bytes are left free before each record, for who writes it.
  size_t record_room_bytes = 0;

  // A larger publication is refused. Workers may not be configured above it.
  size_t max_message_bytes = 64 * 1024;

  // What of a group's past clients can read: its newest messages, up to this number and this age.
  size_t history_messages_max = 100;
  absl::Duration history_age_max = absl::Seconds(300);

  // Messages of this age or less are kept whatever their number, for workers and clients who missed
  // some. Never zero. For as long, a group that nobody uses is remembered.
  absl::Duration repair_retention = absl::Seconds(60);

  // What all that is kept may take together: the frames, and 256 bytes of bookkeeping for each.
  // Over it, the oldest go first.
  size_t retained_bytes_max = 512u << 20;

  // The most that one answer to a request for history carries; one message always fits.
  size_t history_answer_bytes_max = 256 * 1024;

  // So many groups without subscribers and messages are remembered at most; over it, the one that
  // was not used for longest is forgotten. (None while the log cannot be written.)
  size_t idle_groups_max = 1'000'000;

  // How long a key counts, from its first publication; and how many are remembered, oldest first
  // out.
  absl::Duration key_window = absl::Minutes(2);
  size_t keys_max = 1'000'000;

  // How often each worker is sent the heads of the groups that were active.
  absl::Duration digest_period = absl::Milliseconds(250);

  // A publisher that was not heard of for this long is forgotten.
  absl::Duration publisher_age_max = absl::Hours(24);

  // So many publishers are known at once; over it, the one that was not heard of for longest is
  // forgotten.
  size_t publishers_max = 10'000;

  // What became of so many publications of one publisher is remembered, until it says that it need
  // not be. As many as find room in a worker's window.
  size_t results_max = 1u << 18;
};

// Where the broker's decisions go, in this order: the turn's record into the log, its messages to
// the subscribers, announcements, control frames.
class BrokerSink {
 public:
  enum class Sent {
    kSent,
    kFull,  // not now
    kGone,  // nobody of that name is connected
  };

  // Writes the record into the log, whole or not at all. Only with options.has_log.
  virtual absl::Status WriteLog(std::string* record) = 0;
  // Hands out the frame of the turn's `index`-th OnPublication that was OK, from 0.
  virtual void HandOut(size_t index) = 0;
  // To all subscribers of the group that the frame begins with.
  virtual void Announce(absl::string_view frame) = 0;
  virtual Sent SendControl(PublisherId to, absl::string_view frame) = 0;

 protected:
  ~BrokerSink() = default;
};

// What the channel server decides: offsets, who is announced and acknowledged what, what is kept.
// Logic only: it knows no socket and no file, and time comes from the clocks it is given.
//
// It works in turns. Its shell calls BeginTurn, then hands in what each socket has: control frames,
// then all subscriptions that can be read, then publications; then EndTurn, in which everything is
// told through the sink. What is told to have happened is in the log, if there is one, and has been
// handed to the subscribers. If the log cannot be written, the turn's publications are refused and
// it is as if they had not come.
//
// Offsets come from one counter for all groups: a group's offsets grow, not necessarily by 1. A
// group that has had neither subscribers nor messages for a while is forgotten; when it comes back,
// its head is the highest offset ever forgotten, so a chain is never continued that might have a
// hole.
//
// The time for which the process did not run does not age anything: what workers sent meanwhile is
// still to be read.
//
// Not thread-safe.
class Broker {
 public:
  struct Counters {
    uint64_t publications = 0;  // made messages
    uint64_t repeated = 0;      // dropped: their number was accepted before
    uint64_t out_of_turn = 0;   // dropped: numbers before theirs have not come
    uint64_t same_key = 0;      // got the position of one with the same key
    uint64_t strangers = 0;     // dropped: their publisher has not said hello
    uint64_t refused = 0;       // told to the publisher: too large or not a publication
    uint64_t malformed = 0;     // ignored: frames and topics that are none
    uint64_t announcements = 0;
    uint64_t digests = 0;
    uint64_t failed_writes = 0;  // turns that could not be written into the log
  };

  // `clock` is monotonic, `calendar` knows the date; both must outlive the broker.
  Broker(const BrokerOptions& options, const Clock* clock, const Clock* calendar);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Recovery from a log, before the first turn: the snapshot, then the turns in order, then
  // FinishRecovery. kDataLoss: not what a broker wrote.
  absl::Status RestoreSnapshot(absl::string_view snapshot);
  absl::Status RestoreTurn(absl::string_view record);
  // `tail_may_be_missing`: there may have been messages after the last one of the log, so another
  // history begins.
  void FinishRecovery(bool tail_may_be_missing);

  // What a log needs at the beginning of a segment.
  std::string Snapshot() const;

  void BeginTurn();

  // kInvalidArgument: not a frame of this protocol; it is ignored.
  absl::Status OnControl(PublisherId from, absl::string_view frame, BrokerSink* sink);

  // kInvalidArgument: not the topic of a group; nothing happens.
  absl::Status OnSubscription(absl::string_view topic);
  // The last subscriber of the topic has gone.
  absl::Status OnUnsubscription(absl::string_view topic);

  // OK: the publication in `frame` was made a message in place, to be handed out at the turn's end;
  // the frame must stay where it is until then. The errors are for the log; whoever must be told is
  // told at the turn's end.
  absl::Status OnPublication(absl::Span<char> frame);

  // kUnavailable, kResourceExhausted and the like: the log could not be written.
  absl::Status EndTurn(BrokerSink* sink);

  const Counters& counters() const { return counters_; }
  Epoch epoch() const { return epoch_; }
  uint64_t last_offset() const { return last_offset_; }
  size_t group_count() const { return groups_.size(); }
  size_t publisher_count() const { return publishers_.size(); }
  size_t idle_group_count() const { return idle_count_; }
  size_t key_count() const { return keys_.size(); }
  size_t retained_bytes() const { return retained_bytes_; }

 private:
  struct Retained;
  struct Group;
  struct Publisher;
  class Recovery;

  // A publication whose number was taken in this turn.
  struct Taken {
    PublisherId publisher_id;
    Publisher* publisher;
    uint64_t number;
    Group* group;  // null: it became no message
    absl::Span<char> frame;
    uint64_t offset;
    uint64_t previous;
    Fingerprint key;
  };
  struct Key {
    uint64_t offset;
    absl::Time since;
  };

  // In an order that only depends on their ids, so that the same input always has the same effects.
  std::vector<Group*> SortedGroups();
  Group& KnowGroup(absl::string_view id, uint64_t head);
  void LogKnown(Group* group);
  void UpdateIdle(Group* group);
  void ForgetGroup(Group* group);
  void Retain(Group* group, absl::Span<const char> frame, uint64_t offset, absl::Time since);
  void DropOldest(Group* group);
  void Expire();
  void ExpireRetained();
  void ExpirePublishers();
  // Those that were not heard of for longest.
  void ForgetPublishersOver(size_t max);
  size_t CountGroupsToForget() const;
  void DropUnknownGroups();
  void RememberKey(const Fingerprint& key, uint64_t offset, absl::Time since);
  void BeginEpoch();
  void AddResult(PublisherId id, Publisher* publisher, uint64_t offset, uint8_t reason);
  // Nobody may hear of a new epoch before it is in the log.
  bool untold_epoch() const { return unlogged_epoch_ && options_.has_log; }
  bool may_expire() const { return now_ >= no_expiry_before_; }

  absl::Status WriteTurn(size_t to_forget, BrokerSink* sink);
  void TakeBack();
  void Announce(BrokerSink* sink);
  void Acknowledge(BrokerSink* sink);
  void SendDigests(BrokerSink* sink);

  void Hello(PublisherId from, const channel::v1::Hello& hello, BrokerSink* sink);
  void Fetch(PublisherId from, const channel::v1::FetchHistory& fetch, BrokerSink* sink);
  void Compare(PublisherId from, const channel::v1::CompareHeads& compare, BrokerSink* sink);

  const BrokerOptions options_;
  const Clock* const clock_;
  const Clock* const calendar_;
  absl::Time clock_time_;  // of the last turn
  absl::Time now_;         // the time that has been lived through
  absl::Time no_expiry_before_ = absl::InfinitePast();
  absl::Time no_key_expiry_before_ = absl::InfinitePast();
  bool has_snapshot_ = false;
  Counters counters_;

  Epoch epoch_{};
  uint64_t last_offset_ = 0;
  uint64_t highest_forgotten_ = 0;
  absl::node_hash_map<std::string, Group> groups_;
  // Groups without subscribers and messages, the one unused for longest first.
  Group* first_idle_ = nullptr;
  Group* last_idle_ = nullptr;
  size_t idle_count_ = 0;

  absl::flat_hash_map<Fingerprint, Key> keys_;
  std::deque<std::pair<Fingerprint, absl::Time>> keys_by_age_;

  // This turn, and what of earlier ones could not be written.
  std::vector<Taken> taken_;
  uint64_t offset_before_turn_ = 0;
  // Groups, each with the nonce of the subscription to answer, or zero.
  std::vector<std::pair<std::string, PublisherId>> to_announce_;
  std::vector<std::pair<std::string, uint64_t>> unlogged_groups_;
  bool unlogged_epoch_ = false;
  // Control frames that came while the epoch was not in the log yet.
  std::vector<std::pair<PublisherId, std::string>> waiting_control_;
  TurnWriter writer_;

  std::map<PublisherId, std::unique_ptr<Publisher>> publishers_;
  std::vector<PublisherId> to_acknowledge_;  // those with results of this turn
  absl::Time next_publisher_sweep_ = absl::InfinitePast();

  absl::Time next_digest_ = absl::InfinitePast();
  std::vector<Group*> active_;  // since the last digest

  // All kept messages in one list, oldest first; each group's own list runs through it.
  Retained* oldest_ = nullptr;
  Retained* newest_ = nullptr;
  Retained* first_young_ = nullptr;  // the oldest one that is not older than the repair retention
  size_t retained_bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_H_
