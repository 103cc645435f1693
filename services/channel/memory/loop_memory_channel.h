#ifndef GROUPCAST_SERVICES_CHANNEL_MEMORY_LOOP_MEMORY_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_MEMORY_LOOP_MEMORY_CHANNEL_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/memory/memory_channel.h"
#include "services/common/event_loop.h"

namespace groupcast::service {

struct LoopMemoryChannelOptions {
  // Channels with the same name share a hub, within the process.
  std::string name;
  // The hub takes both values from its first channel, which creates the hub.
  size_t message_bytes_max = 64 * 1024;
  // Bounds the publications that wait for the connection, as if each had message_bytes_max.
  size_t window_bytes_max = 64u << 20;
};

// A MemoryChannel that an event loop drives. It connects in the loop's next turn, and calls its
// listener at the end of turns. Its hub lives until the last of its channels is destroyed. The hub
// begins with a random epoch, and keeps the newest 1,000 messages of each group.
//
// Not thread-safe, but hubs of different names may live in different threads.
class LoopMemoryChannel final : public Channel {
 public:
  // `loop` and `listener` must outlive it.
  // kFailedPrecondition: the hub has channels on another loop.
  static absl::StatusOr<std::unique_ptr<Channel>> Create(const LoopMemoryChannelOptions& options,
                                                         EventLoop* loop,
                                                         ChannelListener* listener);
  ~LoopMemoryChannel() override;

  void Publish(const Publication& publication, PublishCallback done) override;
  bool HasRoomFor(const PublicationsSize& size) override { return channel_.HasRoomFor(size); }
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override { channel_.Unsubscribe(group_id); }
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return channel_.connected(); }
  size_t message_bytes_max() const override { return channel_.message_bytes_max(); }
  Presence* presence() override { return channel_.presence(); }

 private:
  struct NamedHub;

  LoopMemoryChannel(std::shared_ptr<NamedHub> hub, EventLoop* loop, ChannelListener* listener);
  static absl::StatusOr<std::shared_ptr<NamedHub>> FindOrMakeHub(
      const LoopMemoryChannelOptions& options, EventLoop* loop);
  void Turn();

  const std::shared_ptr<NamedHub> hub_;
  EventLoop* const loop_;
  MemoryChannel channel_;
  std::shared_ptr<LoopMemoryChannel*> self_;  // for the loop's hook, which outlives the channel
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_MEMORY_LOOP_MEMORY_CHANNEL_H_
