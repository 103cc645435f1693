#ifndef GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"

namespace groupcast::service {

class MemoryChannel;

// A channel within one process, for tests: what channel servers do, without sockets and without
// loss. It keeps all history and all keys until it is told to forget.
//
// Everything that it tells listeners is queued until Pump, so that no listener is called from
// inside a call of its own.
//
// Not thread-safe.
class MemoryHub {
 public:
  explicit MemoryHub(Epoch epoch) : epoch_(epoch) {}

  // Hands out what is queued, also what listeners cause meanwhile. Returns whether there was
  // anything.
  bool Pump();

  // The group's messages up to `offset` have left retention: its floor is there.
  void RaiseFloor(absl::string_view group_id, uint64_t offset);

  // As a server that lost everything: messages, offsets and keys. `epoch` must be another one.
  void BeginEpoch(Epoch epoch);

  // How many messages one answer to FetchHistory carries.
  void SetAnswerMax(size_t messages) { answer_max_ = messages; }

 private:
  friend class MemoryChannel;

  struct Group {
    uint64_t head = 0;
    uint64_t floor = 0;
    std::vector<History::Entry> messages;
  };
  struct Waiting {
    std::string group_id;
    History::Entry entry;  // without its place
    Fingerprint key;
    Channel::PublishCallback done;
  };

  void Later(std::function<void()> event) { queue_.push_back(std::move(event)); }
  Position HeadOf(absl::string_view group_id) { return {epoch_, groups_[group_id].head}; }
  // Gives a publication its place and has all channels deliver it.
  Position Take(Waiting publication);

  Epoch epoch_;
  uint64_t last_offset_ = 0;
  size_t answer_max_ = std::numeric_limits<size_t>::max();
  std::vector<MemoryChannel*> channels_;
  absl::flat_hash_map<std::string, Group> groups_;
  absl::flat_hash_map<Fingerprint, Position> keys_;
  std::vector<std::function<void()>> queue_;
};

class MemoryChannel final : public Channel {
 public:
  // `hub` and `listener` must outlive it. It begins as not connected.
  MemoryChannel(MemoryHub* hub, ChannelListener* listener);
  ~MemoryChannel() override;

  void Publish(const Publication& publication, PublishCallback done) override;
  bool has_room() override;
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return connected_; }

  // As if the connection came or went. While it is away, publications wait and nothing is
  // delivered; when it is back, subscriptions go on where they were.
  void SetConnected(bool connected);

  // Publications that wait for the connection, and those made before the next SetConnected(true),
  // end with `why`.
  void FailWaiting(const absl::Status& why);

  // Without room, Publish is refused.
  void SetRoom(bool room);

  // While messages are held, nothing is delivered of subscriptions. The hub's heads move on.
  void HoldMessages(bool hold);

  // While answers are held, FetchHistory is not answered. Their content is that of the moment they
  // were asked for.
  void HoldAnswers(bool hold);

  // Tells the listener `gap`, as an engine that could not repair does, and goes on after it.
  void TellGap(absl::string_view group_id, const Gap& gap);

  // How often FetchHistory was called.
  size_t fetches() const { return fetches_; }

 private:
  friend class MemoryHub;

  struct Subscription {
    Position position;       // what was told last, or where delivery begins
    bool placed = false;     // the position has a meaning
    bool announced = false;  // OnSubscribed was called
  };
  struct Answer {
    History history;
    HistoryCallback done;
  };

  void Deliver(const std::string& group_id);
  void DeliverLater(const std::string& group_id);
  void Finish(Answer answer);

  MemoryHub* const hub_;
  ChannelListener* const listener_;
  bool connected_ = false;
  bool room_ = true;
  bool room_was_missed_ = false;
  bool messages_are_held_ = false;
  bool answers_are_held_ = false;
  size_t fetches_ = 0;
  absl::flat_hash_map<std::string, Subscription> subscriptions_;
  std::vector<MemoryHub::Waiting> waiting_;
  std::vector<Answer> held_answers_;
  std::shared_ptr<MemoryChannel*> self_;  // for events in the hub's queue
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_
