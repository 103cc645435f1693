#include "services/channel/memory/loop_memory_channel.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

constexpr size_t kMessagesKeptMax = 1'000;

}  // namespace

struct LoopMemoryChannel::NamedHub {
  explicit NamedHub(EventLoop* its_loop) : loop(its_loop) {}
  EventLoop* const loop;
  MemoryHub hub{Epoch{RandomId()}};
  size_t waiting_max = 0;
};

absl::StatusOr<std::shared_ptr<LoopMemoryChannel::NamedHub>> LoopMemoryChannel::FindOrMakeHub(
    const LoopMemoryChannelOptions& options, EventLoop* loop) {
  // It owns no hub, no thread and no socket, and is never destroyed.
  struct Registry {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<NamedHub>> hubs;  // guarded by mutex
  };
  static Registry* const registry = new Registry;
  const std::lock_guard lock(registry->mutex);
  std::weak_ptr<NamedHub>& known = registry->hubs[options.name];
  if (std::shared_ptr<NamedHub> hub = known.lock()) {
    if (hub->loop == loop) return hub;
    return absl::FailedPreconditionError(absl::StrCat(
        "the channels of memory:", options.name, " must be on one loop, and there is another one"));
  }
  auto hub = std::make_shared<NamedHub>(loop);
  hub->hub.SetMessageBytesMax(options.message_bytes_max);
  hub->hub.SetKeptMax(kMessagesKeptMax);
  hub->waiting_max = std::max<size_t>(
      1, options.window_bytes_max / std::max<size_t>(1, options.message_bytes_max));
  known = hub;
  return hub;
}

absl::StatusOr<std::unique_ptr<Channel>> LoopMemoryChannel::Create(
    const LoopMemoryChannelOptions& options, EventLoop* loop, ChannelListener* listener) {
  absl::StatusOr<std::shared_ptr<NamedHub>> hub = FindOrMakeHub(options, loop);
  if (!hub.ok()) return hub.status();
  return std::unique_ptr<Channel>(new LoopMemoryChannel(*std::move(hub), loop, listener));
}

LoopMemoryChannel::LoopMemoryChannel(std::shared_ptr<NamedHub> hub, EventLoop* loop,
                                     ChannelListener* listener)
    : hub_(std::move(hub)),
      loop_(loop),
      channel_(&hub_->hub, listener),
      self_(std::make_shared<LoopMemoryChannel*>(this)) {
  channel_.SetWaitingMax(hub_->waiting_max);
  loop_->AddTurnHook([self = self_] {
    if (*self != nullptr) (*self)->Turn();
    return absl::InfiniteFuture();
  });
  loop_->WantTurn();
}

LoopMemoryChannel::~LoopMemoryChannel() { *self_ = nullptr; }

void LoopMemoryChannel::Turn() {
  // A listener may destroy this channel.
  const std::shared_ptr<NamedHub> hub = hub_;
  channel_.SetConnected(true);
  hub->hub.Pump();
}

void LoopMemoryChannel::Publish(const Publication& publication, PublishCallback done) {
  loop_->WantTurn();
  channel_.Publish(publication, std::move(done));
}

void LoopMemoryChannel::Subscribe(absl::string_view group_id) {
  loop_->WantTurn();
  channel_.Subscribe(group_id);
}

void LoopMemoryChannel::FetchHistory(absl::string_view group_id, const Position& after,
                                     uint32_t newest, HistoryCallback done) {
  loop_->WantTurn();
  channel_.FetchHistory(group_id, after, newest, std::move(done));
}

}  // namespace groupcast::service
