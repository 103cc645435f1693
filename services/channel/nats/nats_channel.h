#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CHANNEL_H_

#include <memory>

#include "services/channel/channel.h"
#include "services/channel/nats/nats_client.h"
#include "services/channel/nats/nats_connection.h"
#include "services/common/event_loop.h"
#include "services/common/logging.h"

namespace groupcast::service {

struct NatsChannelOptions {
  NatsConnectionOptions connection;
  NatsClientOptions client;  // its publisher is chosen at random
};

// The engine for NATS JetStream: a NatsClient on a connection. Not thread-safe; not before fork(2).
class NatsChannel final : public Channel, private NatsConnectionHandler {
 public:
  // Begins to connect. `loop` and `listener` must outlive it.
  NatsChannel(const NatsChannelOptions& options, EventLoop* loop, ChannelListener* listener);
  ~NatsChannel() override;

  void Publish(const Publication& publication, PublishCallback done) override;
  bool HasRoomFor(const PublicationsSize& size) override { return client_.HasRoomFor(size); }
  void Subscribe(absl::string_view group_id) override { client_.Subscribe(group_id); }
  void Unsubscribe(absl::string_view group_id) override { client_.Unsubscribe(group_id); }
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return client_.connected(); }
  size_t message_bytes_max() const override { return client_.message_bytes_max(); }
  Stats stats() const override { return client_.stats(); }

  const NatsClient::Counters& counters() const { return client_.counters(); }

 private:
  // The time of the loop's turn.
  class TurnClock final : public Clock {
   public:
    explicit TurnClock(const EventLoop* loop) : loop_(loop) {}
    absl::Time Now() const override { return loop_->now(); }

   private:
    const EventLoop* const loop_;
  };

  void OnNatsConnected(const NatsServerInfo& server) override;
  void OnNatsLost(const absl::Status& why) override;
  void OnNatsMessage(const NatsMessage& message) override { client_.OnMessage(message); }
  void OnNatsInputEnds() override {}
  void Tick();
  // Something may be due at the end of the turn.
  void Touch();

  EventLoop* const loop_;
  const TurnClock clock_;
  NatsConnection connection_;
  NatsClient client_;
  LogLimit lost_limit_{absl::Minutes(1)};
  LogLimit defect_limit_{absl::Minutes(1)};
  // Null after the end. The loop's hooks and timers check it before they call.
  std::shared_ptr<NatsChannel*> self_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CHANNEL_H_
