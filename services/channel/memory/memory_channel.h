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

// The channel server of a channel within one process, without sockets and without loss. It keeps
// all messages and all keys, unless a test sets a bound or makes it forget. For tests.
//
// Everything that it tells listeners is queued until Pump, so that no listener is called from
// inside a call of its own. The queue is not bounded.
//
// Not thread-safe. It must outlive its channels.
class MemoryHub {
 public:
  explicit MemoryHub(Epoch epoch) : epoch_(epoch) {}

  // Hands out what is queued, and also what listeners cause meanwhile. Returns whether there was
  // anything.
  bool Pump();

  // The group's messages up to `offset` leave retention: the offset is the group's floor.
  void RaiseFloor(absl::string_view group_id, uint64_t offset);

  // Does what a server does that lost everything: messages, offsets and keys. `epoch` must be
  // another one.
  void BeginEpoch(Epoch epoch);

  // How many messages one answer to FetchHistory carries. At first: all.
  void SetAnswerMax(size_t messages) { answer_max_ = messages; }

  // How many messages of a group are kept. At first: all.
  void SetKeptMax(size_t messages) { kept_max_ = messages; }

  // Publications with more data than this are refused. At first: none are.
  void SetMessageBytesMax(size_t bytes) { message_bytes_max_ = bytes; }

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
  size_t kept_max_ = std::numeric_limits<size_t>::max();
  size_t message_bytes_max_ = std::numeric_limits<size_t>::max();
  std::vector<MemoryChannel*> channels_;
  absl::flat_hash_map<std::string, Group> groups_;
  absl::flat_hash_map<Fingerprint, Position> keys_;
  std::vector<std::function<void()>> queue_;
};

// A worker's channel to a MemoryHub. It has modes that provoke failures.
//
// Not thread-safe.
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

  // The connection comes or goes. While it is away, publications wait and nothing is delivered.
  // When it is back, subscriptions go on where they were.
  void SetConnected(bool connected);

  // Publications that wait for the connection, and those made before the next SetConnected(true),
  // end with `why`.
  void FailWaiting(const absl::Status& why);

  // Without room, Publish is refused.
  void SetRoom(bool room);
  // How many publications may wait for the connection. Over it, there is no room. At first: any
  // number.
  void SetWaitingMax(size_t publications) { waiting_max_ = publications; }

  // While messages are held, nothing is delivered of subscriptions. The hub's heads move on.
  void HoldMessages(bool hold);

  // While answers are held, FetchHistory is not answered. An answer has the content of the moment
  // of its question.
  void HoldAnswers(bool hold);

  // Tells the listener `gap`, as an engine does that could not repair, and goes on after it.
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
  void TellRoom();

  MemoryHub* const hub_;
  ChannelListener* const listener_;
  bool connected_ = false;
  bool room_ = true;
  bool room_was_missed_ = false;
  size_t waiting_max_ = std::numeric_limits<size_t>::max();
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
