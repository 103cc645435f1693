#ifndef GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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
};

// A message of a group with its place. The views are valid during the call that brings them.
struct Message {
  absl::string_view group_id;
  Epoch epoch{};
  uint64_t offset = 0;
  uint64_t previous = 0;  // the offset of the group's message before this one
  Content content;
};

// The answer to FetchHistory. Messages after `after` are complete if and only if `after` >=
// `floor`.
struct History {
  struct Entry {
    uint64_t offset = 0;
    uint64_t previous = 0;
    Content::Kind kind{};
    std::string data;
    int64_t sent_at_ms = 0;
  };
  Position head;
  uint64_t floor = 0;
  std::vector<Entry> messages;  // in offset order
};

// Is told what the channel brings. It is called from the channel's loop, never from inside a call
// to the channel.
class ChannelListener {
 public:
  // The subscription of `group_id` is in place: every message after `head` will come, unless it is
  // lost on the way, which its successor's `previous` shows. May come again at any time, with the
  // head of that time.
  virtual void OnHead(absl::string_view group_id, const Position& head) = 0;

  // In the channel's order, and for groups with a subscription only; some may come before the first
  // OnHead.
  virtual void OnMessage(const Message& message) = 0;

  // `connected`: publications are taken. It begins as not connected. Subscriptions survive a lost
  // connection; when it is back, each is announced again by OnHead.
  virtual void OnConnectionState(bool connected) = 0;

  // The channel cannot be used as this process is configured, and trying again would not help.
  virtual void OnMisconfigured(const absl::Status& why) = 0;

 protected:
  ~ChannelListener() = default;
};

// What lies between workers: it takes publications, gives each group's messages one order and hands
// them to all subscribers. An engine implements it; services know only this.
//
// Not thread-safe: an engine lives on its worker's loop. The listener must outlive it.
class Channel {
 public:
  // The publication's place in its group's order, or why it has none:
  //   kUnavailable        it was not handed over; try again
  //   kUnknown            the connection was lost before the answer came: it may or may not be in
  //   the log kResourceExhausted  larger than the channel takes
  using PublishCallback = std::function<void(absl::StatusOr<Position>)>;
  using HistoryCallback = std::function<void(absl::StatusOr<History>)>;

  virtual ~Channel() = default;

  // The callback is called exactly once, later, unless the engine is destroyed first: when the
  // publication is in the log and has been handed to all subscribers. The engine holds at most its
  // window of publications without an answer; over it, the answer is kUnavailable.
  virtual void Publish(absl::string_view group_id, const Content& content,
                       PublishCallback done) = 0;

  // Subscribing twice is a defect of the caller. `group_id` must be a group id (group_id.h).
  virtual void Subscribe(absl::string_view group_id) = 0;
  virtual void Unsubscribe(absl::string_view group_id) = 0;

  // The newest `limit` messages after offset `after` that are still there; `limit` 0 is all.
  // kUnavailable when the connection is not there or goes before the answer.
  virtual void FetchHistory(absl::string_view group_id, uint64_t after, uint32_t limit,
                            HistoryCallback done) = 0;

  virtual bool connected() const = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_CHANNEL_H_
