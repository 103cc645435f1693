#ifndef GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel/fingerprint.h"
#include "services/channel/position.h"

namespace groupcast::service {

class Presence;

// The part of a message that its sender chooses and its receivers get.
struct Content {
  enum class Kind : uint8_t {
    kText,  // the value of a JSON string, UTF-8
    kJson,  // any other JSON value, compact
  };
  Kind kind = Kind::kText;
  absl::string_view data;
  int64_t sent_at_ms = 0;  // since 1970 UTC
  // Members of this session get the message's place and not the message. Zero: no session.
  Fingerprint excluded_session;
  // What its receivers are told of its sender: JSON, at most kFromBytesMax. Empty: nothing.
  absl::string_view from;
};
inline constexpr size_t kFromBytesMax = 320;

// A message that has no place in its group's order yet. The views must be valid during the call.
struct Publication {
  absl::string_view group_id;
  Content content;
  // A fingerprint of session, group and the client's key. Zero: no key.
  // Publications with the same key count once, for two minutes from the first of them. The repeats
  // get the position of the first.
  Fingerprint key;
};

// The size of publications that belong together: of one command, which may go to many groups.
struct PublicationsSize {
  size_t count = 1;
  size_t bytes = 0;  // of their group ids, their data and their senders (Content::from)
};

// A message with its place in its group's order. The views are valid during the call.
struct Message {
  absl::string_view group_id;
  Epoch epoch{};
  uint64_t offset = 0;
  uint64_t previous = 0;  // the offset of the group's message before this one
  Content content;
};

// Messages of a group that will never come: the messages with offsets in (from, to.offset] of epoch
// `to.epoch`. Delivery continues after `to`, and the next message has `to.offset` as `previous`.
// After a change of epoch `from` has no meaning, because the offsets of two epochs cannot be
// compared.
struct Gap {
  bool new_epoch = false;
  uint64_t from = 0;
  Position to;
};

// The answer to FetchHistory.
struct History {
  struct Entry {
    uint64_t offset = 0;
    uint64_t previous = 0;
    Content::Kind kind{};
    std::string data;
    int64_t sent_at_ms = 0;
    Fingerprint excluded_session;
    std::string from;
  };
  // The position of the group's newest message.
  Position head;
  // The messages after a position of epoch head.epoch are complete if and only if the position's
  // offset is not below the floor.
  uint64_t floor = 0;
  std::vector<Entry> messages;  // in the order of their offsets, a chain without a hole
};

// Receives the events of a channel. The channel calls the listener from its loop, and never from
// inside a call to the channel. The listener may call the channel from inside each of these
// methods.
class ChannelListener {
 public:
  // The channel calls it once for each Subscribe, before any message of the group. Delivery begins
  // at `head`: this is the join point. The next message has the offset of `head` as `previous`.
  virtual void OnSubscribed(absl::string_view group_id, const Position& head) = 0;

  // The channel calls it only for groups with OnSubscribed, in the group's order, without a hole or
  // a duplicate. `previous` is the offset of the group's last position, from OnSubscribed,
  // OnMessage or OnGap. The epoch is the epoch of that position.
  virtual void OnMessage(const Message& message) = 0;

  // Names messages that the channel cannot deliver. The channel calls it before it delivers the
  // messages after them.
  virtual void OnGap(absl::string_view group_id, const Gap& gap) = 0;

  // A channel begins as not connected. Subscriptions survive a lost connection. Publications wait
  // for the next connection.
  virtual void OnConnectionState(bool connected) = 0;

  // There is room again, at least for the smallest size for which HasRoomFor has returned false
  // since the last OnRoom. The channel calls it only after HasRoomFor has returned false.
  virtual void OnRoom() = 0;

  // The channel cannot work with the configuration of this process. A retry does not help. The
  // channel calls it only before it is connected for the first time.
  virtual void OnMisconfigured(const absl::Status& why) = 0;

 protected:
  ~ChannelListener() = default;
};

// The connection between workers. A channel takes publications, gives each group's messages one
// order, and hands them to all subscribers of the group. Each subscriber gets each message once,
// and gets a gap for each hole. An engine implements this interface. Services know nothing else.
//
// The offsets of one group grow within an epoch, not necessarily by 1. A comparison of the offsets
// of two groups means nothing: some engines have one counter for all groups, others do not.
//
// Not thread-safe: an engine lives on its worker's loop. The listener must outlive the engine.
// A destroyed engine calls neither the listener nor the pending callbacks.
class Channel {
 public:
  // Gets the publication's position in its group's order, or the reason why it has none:
  //   kUnavailable        the channel did not take it and will not take it later: retry
  //   kUnknown            the channel may have taken it or not: retry only with the same key
  //   kResourceExhausted  it is larger than the channel takes
  using PublishCallback = std::function<void(absl::StatusOr<Position>)>;
  using HistoryCallback = std::function<void(absl::StatusOr<History>)>;

  virtual ~Channel() = default;

  // Calls `done` exactly once and later, unless the engine is destroyed before. A position means:
  // the publication is in the log, if there is one, and the channel has handed it to all
  // subscribers. An error may mean that the publication waited too long for a connection or for an
  // answer. Without room for it the result is kUnavailable, and the publication does not wait.
  virtual void Publish(const Publication& publication, PublishCallback done) = 0;

  // Returns whether Publish takes publications of this size. If so, it takes the next `size.count`
  // of them whatever room is left between, so that a command is taken whole. If not, the caller
  // should stop reading from the source of its publications, until OnRoom. Publications that need
  // more room than the channel has altogether are taken when no others wait.
  virtual bool HasRoomFor(const PublicationsSize& size) = 0;

  // `group_id` must be a group id (group_id.h). A second Subscribe without Unsubscribe is a defect
  // of the caller. The channel delivers each publication that follows OnSubscribed. It either
  // delivers an earlier publication, or the publication's position is not above the join point.
  virtual void Subscribe(absl::string_view group_id) = 0;
  // After this call the channel delivers nothing of the group. This also holds for a call from
  // inside a method of the listener.
  virtual void Unsubscribe(absl::string_view group_id) = 0;

  // Asks for the group's messages after `after` that the channel still has. If the epoch of `after`
  // is not the head's, `after` counts as before all messages.
  //   newest == 0  the first of them, up to the size of one answer. If the last one is below the
  //                head, there are more.
  //   newest > 0   the last `newest` of them, or fewer if one answer cannot carry those.
  // Calls `done` exactly once and later, unless the engine is destroyed before.
  // kUnavailable: there is no connection, or it was lost before the answer came.
  virtual void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                            HistoryCallback done) = 0;

  virtual bool connected() const = 0;

  // The largest data of a publication that Publish takes. It can change when the channel connects:
  // it changes before OnConnectionState.
  virtual size_t message_bytes_max() const = 0;

  // What an operator wants to know of the engine. An engine that does not repair has zeros.
  struct Stats {
    uint64_t repairs = 0;         // requests for messages that did not come live
    uint64_t digests_behind = 0;  // newest messages of groups that were missing, as digests showed
    size_t window_bytes = 0;      // publications without a result, now
    size_t window_bytes_max = 0;
  };
  virtual Stats stats() const { return {}; }

  // The members of groups over all workers (presence.h). Null: this engine does not have it.
  virtual Presence* presence() { return nullptr; }
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_
