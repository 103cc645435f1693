#ifndef GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_

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

// What a message carries, from the client that sent it to the members that get it.
struct Content {
  enum class Kind : uint8_t {
    kText,  // the value of a JSON string, UTF-8
    kJson,  // any other JSON value, compact
  };
  Kind kind = Kind::kText;
  absl::string_view data;
  int64_t sent_at_ms = 0;  // since 1970 UTC
  // Members of this session get the message's place, and not the message. Zero: of none.
  Fingerprint excluded_session;
};

// A message on its way into its group's order. The views need be valid only during the call.
struct Publication {
  absl::string_view group_id;
  Content content;
  // Publications of one key count once, for two minutes from the first: the others get its
  // position. The fingerprint of session, group and the client's key. Zero: none.
  Fingerprint key;
};

// A message of a group with its place. The views are valid during the call that brings them.
struct Message {
  absl::string_view group_id;
  Epoch epoch{};
  uint64_t offset = 0;
  uint64_t previous = 0;  // the offset of the group's message before this one
  Content content;
};

// Messages of a group that will never come: those with offsets in (from, to.offset] of epoch
// `to.epoch`. `to` is where delivery goes on, and the next message's `previous`. After a change of
// epoch `from` has no meaning: the offsets of two epochs cannot be compared.
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
  };
  Position head;
  // The messages after a position of head.epoch are complete if and only if its offset is not below
  // this.
  uint64_t floor = 0;
  std::vector<Entry> messages;  // in offset order, a chain without a hole
};

// Is told what the channel brings. It is called from the channel's loop, never from inside a call
// to the channel.
class ChannelListener {
 public:
  // Once for each Subscribe: delivery begins at `head`.
  virtual void OnSubscribed(absl::string_view group_id, const Position& head) = 0;

  // Of a group that OnSubscribed was called for, in the group's order, without hole or duplicate:
  // `previous` is the offset of what was told last of the group (OnSubscribed, OnMessage or OnGap),
  // and the epoch its epoch.
  virtual void OnMessage(const Message& message) = 0;

  // What could not be had, before what follows it is delivered.
  virtual void OnGap(absl::string_view group_id, const Gap& gap) = 0;

  // It begins as not connected. Subscriptions survive a lost connection, and publications wait for
  // the next one.
  virtual void OnConnectionState(bool connected) = 0;

  // has_room() was false when it was asked, and is true again.
  virtual void OnRoom() = 0;

  // The channel cannot be used as this process is configured, and trying again would not help.
  virtual void OnMisconfigured(const absl::Status& why) = 0;

 protected:
  ~ChannelListener() = default;
};

// What lies between workers: it takes publications, gives each group's messages one order and hands
// them to all subscribers, each once and without a hole that is not told. An engine implements it;
// services know only this.
//
// Not thread-safe: an engine lives on its worker's loop. The listener must outlive it.
class Channel {
 public:
  // The publication's place in its group's order, or why it has none:
  //   kUnavailable        it was not done, and will not be; try again
  //   kUnknown            it may or may not be done; try again only with the same key
  //   kResourceExhausted  larger than the channel takes
  using PublishCallback = std::function<void(absl::StatusOr<Position>)>;
  using HistoryCallback = std::function<void(absl::StatusOr<History>)>;

  virtual ~Channel() = default;

  // The callback is called exactly once, later, unless the engine is destroyed first: when the
  // publication is in the log, if there is one, and has been handed to all subscribers; or when it
  // has waited too long for a connection or an answer. Without room it is kUnavailable at once.
  virtual void Publish(const Publication& publication, PublishCallback done) = 0;

  // Whether Publish takes one more. While it does not, who has publications should stop reading
  // where they come from, until OnRoom.
  virtual bool has_room() = 0;

  // Subscribing twice is a defect of the caller. `group_id` must be a group id (group_id.h).
  virtual void Subscribe(absl::string_view group_id) = 0;
  virtual void Unsubscribe(absl::string_view group_id) = 0;

  // The group's messages after `after` that are still there. With `newest` 0, the first of them, as
  // many as one answer carries: there are more if the last one is below the head. Else the last
  // `newest` of them, or fewer if one answer cannot carry those. If the epoch of `after` is not the
  // head's, it counts as before all messages.
  // kUnavailable when the connection is not there or goes before the answer.
  virtual void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                            HistoryCallback done) = 0;

  virtual bool connected() const = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_
