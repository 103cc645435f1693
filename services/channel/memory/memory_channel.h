#ifndef GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/memory/memory_presence.h"

namespace groupcast::service {

class MemoryChannel;

// The channel server of a channel within one process, without sockets and without loss. It keeps
// all messages and all keys, unless a test sets a bound or makes the hub forget them. For tests.
//
// All calls of listeners wait in a queue until Pump, so that no listener is called from inside its
// own call. The queue, the groups and the keys have no bound.
//
// Not thread-safe. It must outlive its channels.
class MemoryHub {
 public:
  explicit MemoryHub(Epoch epoch) : epoch_(epoch) {}

  // Makes the queued calls, and also the calls that listeners cause meanwhile. Returns whether
  // there were any.
  bool Pump();

  // The group's messages up to `offset` leave retention: `offset` becomes the group's floor.
  void RaiseFloor(absl::string_view group_id, uint64_t offset);

  // Acts as a server that has lost all messages, offsets and keys. `epoch` must differ from the
  // present one.
  void BeginEpoch(Epoch epoch);

  // The highest number of messages in one answer to FetchHistory. Initially no bound.
  void SetAnswerMax(size_t messages) { answer_max_ = messages; }

  // The highest number of messages that the hub keeps of each group. Initially no bound.
  void SetKeptMax(size_t messages) { kept_max_ = messages; }

  // The hub counts the offsets of each group from 1, like an engine with a stream per group.
  // Initially one counter serves all groups, as in the channel server. Call it before messages.
  void CountGroupsAlone() { groups_count_alone_ = true; }

  // The hub refuses publications with more data than this. Initially no bound.
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
  // Gives a publication its place. All channels then deliver it.
  Position Take(Waiting publication);

  Epoch epoch_;
  bool groups_count_alone_ = false;
  uint64_t last_offset_ = 0;  // of all groups
  size_t answer_max_ = std::numeric_limits<size_t>::max();
  size_t kept_max_ = std::numeric_limits<size_t>::max();
  size_t message_bytes_max_ = std::numeric_limits<size_t>::max();
  std::vector<MemoryChannel*> channels_;
  MemoryPresence::All presences_;
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
  bool HasRoomFor(const PublicationsSize& size) override;
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return connected_; }
  size_t message_bytes_max() const override { return hub_->message_bytes_max_; }
  MemoryPresence* presence() override { return &presence_; }

  // Connects or disconnects. While the channel is not connected, publications wait and it delivers
  // nothing. After a new connection, subscriptions continue where they were.
  void SetConnected(bool connected);

  // Publications that wait for the connection now end with `why`. Later publications wait again.
  void FailWaiting(const absl::Status& why);

  // Without room, Publish refuses publications.
  void SetRoom(bool room);
  // The highest number of publications that may wait for the connection. Over it, there is no room;
  // but if none waits, there is room for any number. Initially no bound.
  void SetWaitingMax(size_t publications) { waiting_max_ = publications; }

  // While messages are held, the channel delivers nothing of subscriptions. The hub's heads still
  // advance.
  void HoldMessages(bool hold);

  // While answers are held, the channel does not answer FetchHistory. A held answer has the content
  // from the time of its question.
  void HoldAnswers(bool hold);

  // Tells the listener `gap`, like an engine that could not repair, and continues after it.
  void TellGap(absl::string_view group_id, const Gap& gap);

  // The number of calls of FetchHistory.
  size_t fetches() const { return fetches_; }

 private:
  friend class MemoryHub;

  struct Subscription {
    Position position;       // of the last event, or where delivery begins
    bool placed = false;     // the position is valid
    bool announced = false;  // OnSubscribed was called
  };
  struct Answer {
    History history;
    HistoryCallback done;
  };

  void Deliver(const std::string& group_id);
  void DeliverLater(const std::string& group_id);
  void Finish(Answer answer);
  bool HasRoomForNumber(size_t publications) const;
  void TellRoom();

  MemoryHub* const hub_;
  ChannelListener* const listener_;
  bool connected_ = false;
  bool room_ = true;
  size_t promised_ = 0;  // the number of the next publications that HasRoomFor has promised to take
  std::optional<size_t> wanted_room_;  // the fewest publications for which there was no room
  size_t waiting_max_ = std::numeric_limits<size_t>::max();
  bool messages_are_held_ = false;
  bool answers_are_held_ = false;
  size_t fetches_ = 0;
  absl::flat_hash_map<std::string, Subscription> subscriptions_;
  std::vector<MemoryHub::Waiting> waiting_;
  std::vector<Answer> held_answers_;
  MemoryPresence presence_;
  std::shared_ptr<MemoryChannel*> self_;  // for events in the hub's queue
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_MEMORY_MEMORY_CHANNEL_H_
