#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/channel/fingerprint.h"
#include "services/channel/proto/wire.pb.h"
#include "services/channel/wire.h"
#include "services/channel_server/broker/announcements.h"
#include "services/channel_server/broker/broker_sink.h"
#include "services/channel_server/broker/broker_state.h"
#include "services/channel_server/broker/digests.h"
#include "services/channel_server/broker/history_questions.h"
#include "services/channel_server/broker/image.h"
#include "services/channel_server/broker/presence.h"
#include "services/channel_server/broker/restorer.h"
#include "services/channel_server/broker/snapshot.h"
#include "services/channel_server/broker/turn_record.h"
#include "services/common/clock.h"

namespace groupcast::service {

struct BrokerOptions {
  // Returns the epoch of a new history. It is random, so that two histories never share an epoch.
  std::function<Epoch()> new_epoch;

  // There is a log: the broker writes a turn's effects into it before it sends any of them.
  bool has_log = false;
  // The number of bytes that stay free at the front of each record, for the log's header.
  size_t record_room_bytes = 0;

  // The broker refuses a larger publication. Workers must not be configured above this value.
  size_t max_message_bytes = 64 * 1024;

  // The broker remembers an unused group for the repair retention, too.
  RetentionOptions retention;
  PublishersOptions publishers;
  KeyMemoryOptions keys;
  HistoryQuestionsOptions questions;
  PresenceOptions presence;

  // The bound of the groups without subscribers and messages that the broker remembers. Over it,
  // the broker forgets the group that was idle for the longest time. (It forgets none while it
  // cannot write the log.)
  size_t idle_groups_max = 1'000'000;

  // The number of groups in one part of a snapshot. A larger number gives fewer parts, and each
  // takes longer.
  int groups_per_snapshot_part = 1'000;

  // The time between two digests.
  absl::Duration digest_period = absl::Milliseconds(250);
};

// The logic of the channel server: it assigns offsets, hands messages out, announces heads,
// acknowledges publications and answers questions. Logic only: it knows neither sockets nor files,
// and its time comes from the given clocks.
//
// It works in turns. Its shell (the server) calls BeginTurn. Then it passes the input of each
// socket to the broker: control frames, then all subscriptions that it can read, then publications.
// Then it calls EndTurn, and the broker sends everything through the sink. All that it sends is in
// the log, if there is one, and the subscribers have the messages. If the log cannot be written,
// the broker refuses the turn's publications, and they have no other effect.
//
// If a subscriber has no room, the broker keeps the other messages of the turn and is
// handing_out(). Until it has handed them out, the shell reads no publications. Turns continue with
// control frames and subscriptions. Their heads, history and results reach up to the last message
// that was handed out.
//
// Offsets come from one counter for all groups: a group's offsets grow, not necessarily by 1.
//
// The time for which the process did not run does not age anything, because the input that workers
// sent meanwhile is still unread.
//
// Not thread-safe.
class Broker {
 public:
  struct Counters {
    uint64_t publications = 0;  // turned into messages
    uint64_t repeated = 0;      // dropped: the number was accepted before
    uint64_t out_of_turn = 0;   // dropped: a number before it is missing
    uint64_t same_key = 0;      // an earlier one with the same key gave the position
    uint64_t strangers = 0;     // dropped: the publisher has not said hello
    uint64_t malformed = 0;     // ignored: invalid frames and topics
    uint64_t announcements = 0;
    uint64_t history_answers = 0;
    uint64_t failed_writes = 0;  // turns that are not in the log

    // Refused to the publisher, by reason.
    uint64_t too_large = 0;
    uint64_t not_publications = 0;
    uint64_t unlogged = 0;  // the log could not be written
    uint64_t refused() const { return too_large + not_publications + unlogged; }
    // Voids: numbers of publications that their workers gave up.
    uint64_t voids = 0;
  };

  // `clock` is monotonic, and `calendar` knows the date. Both must outlive the broker.
  Broker(const BrokerOptions& options, const Clock* clock, const Clock* calendar);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Recovery, before the first turn: pass the log to the restorer, then call FinishRecovery.
  Restorer* restorer() { return &restorer_; }
  // `tail_may_be_missing`: messages after the log's last one may be lost, so another history
  // begins.
  void FinishRecovery(bool tail_may_be_missing);

  // For the log's snapshots, between turns.
  SnapshotWriter* snapshot() { return &snapshot_; }
  // For a log that begins anew, between turns. Must not be called while handing_out(). A snapshot
  // that is in progress restarts at its first part, because both use the group index's cursor.
  ImageWriter WriteImage() {
    snapshot_.Begin();
    return ImageWriter(&state_, calendar_);
  }

  void BeginTurn();

  // kInvalidArgument: not a frame of this protocol. The broker ignores it.
  absl::Status OnControl(PublisherId from, absl::string_view frame, BrokerSink* sink);

  // kInvalidArgument: not the topic of a group. The broker ignores it.
  absl::Status OnSubscription(absl::string_view topic);
  // The topic has lost its last subscriber.
  absl::Status OnUnsubscription(absl::string_view topic);

  // OK: the broker has turned the publication in `frame` into a message, in place. The frame must
  // stay in its place while the broker is handing_out() after EndTurn. The errors are for the log:
  // the broker sends the results to publishers at the turn's end. Must not be called while
  // handing_out().
  absl::Status OnPublication(absl::Span<char> frame);

  // kUnavailable, kResourceExhausted and the like: the broker could not write the log.
  absl::Status EndTurn(BrokerSink* sink);

  // Answers some of the workers' questions for history, and sends some of the tables of presence.
  // The shell calls it after EndTurn, so that acknowledgements and digests come first.
  void AnswerQuestions(BrokerSink* sink);

  // Messages of the last turn wait for room.
  bool handing_out() const { return !to_hand_out_.empty(); }

  // The work that the last turn has left, besides new input.
  enum class Rest {
    kNothing,
    kMore,    // work for the next turn
    kNoRoom,  // work for a turn with room for subscribers
  };
  Rest rest() const;

  const Counters& counters() const { return counters_; }
  Epoch epoch() const { return state_.epoch; }
  uint64_t last_offset() const { return state_.last_offset; }
  size_t group_count() const { return state_.groups.size(); }
  size_t publisher_count() const { return state_.publishers.all().size(); }
  size_t idle_group_count() const { return state_.groups.idle_count(); }
  size_t key_count() const { return state_.keys.size(); }
  size_t retained_bytes() const { return state_.retention.bytes(); }
  size_t retained_messages() const { return state_.retention.message_count(); }
  size_t waiting_announcements() const { return announcements_.waiting(); }
  const Digests& digests() const { return digests_; }
  const PresenceTables& presence() const { return presence_; }

 private:
  // A publication with an accepted number.
  struct Taken {
    Publisher* publisher;
    uint64_t number;
    KnownGroup* group = nullptr;  // null: it is not a message, and has nothing of what follows
    absl::Span<char> frame;
    size_t body_bytes = 0;  // at the frame's end
    uint64_t offset = 0;
    Fingerprint key;
  };

  void BeginEpoch();
  void LogKnown(KnownGroup* group);
  void Accept(Publisher* publisher, const Publisher::Result& result);
  // No worker may learn of a new epoch before it is in the log.
  bool untold_epoch() const { return unlogged_epoch_ && options_.has_log; }

  void Expire();
  size_t CountGroupsToForget() const;
  absl::Status WriteTurn(size_t to_forget, BrokerSink* sink);
  void TakeBack();
  void DropUnknownGroups();
  void HandOut(BrokerSink* sink);
  bool Announce(const Announcements::Entry& entry, BrokerSink* sink);
  void Acknowledge(BrokerSink* sink);
  void AnswerWaiting(BrokerSink* sink);

  void Hello(PublisherId from, const channel::v1::Hello& hello, BrokerSink* sink);
  void AnswerSomeQuestions(BrokerSink* sink);
  void AddQuestion(PublisherId from, const channel::v1::FetchHistory& fetch, BrokerSink* sink);
  void TakePresence(PublisherId from, const channel::v1::PresenceFrame& frame, BrokerSink* sink);
  void Compare(PublisherId from, const channel::v1::CompareHeads& compare, BrokerSink* sink);
  // Keeps the frame until the epoch is in the log, or the turn's messages are handed out.
  void AnswerLater(PublisherId from, absl::string_view frame);

  const BrokerOptions options_;
  const Clock* const clock_;
  const Clock* const calendar_;
  absl::Time clock_time_;  // of the last turn
  absl::Time no_expiry_before_ = absl::InfinitePast();
  absl::Time no_key_expiry_before_ = absl::InfinitePast();
  Counters counters_;

  BrokerState state_;
  Restorer restorer_;
  SnapshotWriter snapshot_;

  // The present turn, before it is in the log.
  std::vector<Taken> taken_;
  uint64_t offset_before_turn_ = 0;
  TurnWriter writer_;

  // The messages of a turn that is in the log. Those from the `handed_out_`-th on are not handed
  // out yet.
  std::vector<Taken> to_hand_out_;
  size_t handed_out_ = 0;
  Retention::MessagePtr next_retained_;  // a copy of the next message, if it found no room before

  Announcements announcements_;
  Digests digests_;
  HistoryQuestions questions_;
  PresenceTables presence_;
  bool log_failed_ = false;                 // the last turn could not be written
  std::vector<Publisher*> to_acknowledge_;  // publishers with untold results

  // The parts of earlier turns that could not be written.
  std::vector<KnownGroup*> unlogged_groups_;  // without messages, and not forgotten before
  bool unlogged_epoch_ = false;

  // Control frames that the broker answers later.
  std::vector<std::pair<PublisherId, std::string>> waiting_control_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_BROKER_H_
