#include "tools/load/channel_link.h"

#include <utility>

#include "absl/status/status.h"

namespace groupcast::load {

using service::EventLoop;
using service::ZmqChannel;

namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

}  // namespace

absl::StatusOr<std::unique_ptr<ChannelLink>> ChannelLink::Open(uint16_t port,
                                                               service::ChannelListener* listener) {
  std::unique_ptr<ChannelLink> link(new ChannelLink());
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return loop.status();
  link->loop_ = *std::move(loop);
  service::ZmqChannelOptions options;
  options.server.publish_port = port;
  options.server.subscribe_port = static_cast<uint16_t>(port + 1);
  options.server.control_port = static_cast<uint16_t>(port + 2);
  absl::StatusOr<std::unique_ptr<ZmqChannel>> channel =
      ZmqChannel::Create(options, link->loop_.get(), listener);
  if (!channel.ok()) return channel.status();
  link->channel_ = *std::move(channel);
  if (!link->RunUntil([&] { return link->channel_->connected(); }, kPatience)) {
    return absl::UnavailableError("no channel server");
  }
  return link;
}

bool ChannelLink::RunUntil(const std::function<bool()>& done, absl::Duration limit) {
  const absl::Time give_up = absl::Now() + limit;
  while (!done()) {
    if (absl::Now() > give_up) return false;
    RunOnce(absl::Milliseconds(10));
  }
  return true;
}

}  // namespace groupcast::load
