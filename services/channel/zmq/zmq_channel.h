#ifndef GROUPCAST_SERVICES_CHANNEL_ZMQ_ZMQ_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_ZMQ_ZMQ_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/presence.h"
#include "services/channel/zmq/channel_client.h"
#include "services/channel/zmq/curve.h"
#include "services/channel/zmq/sockets.h"
#include "services/common/clock.h"
#include "services/common/event_loop.h"
#include "services/common/logging.h"
#include "zmq.hpp"

namespace groupcast::service {

struct ZmqChannelOptions {
  ChannelAddress server;

  // The number of messages that may wait in this process. More wait in the connection and in the
  // server.
  int receive_queue_frames_max = 10'000;

  // Null: the links are not encrypted, and the server must not ask for keys.
  std::shared_ptr<const CurveClientKeys> curve;

  // All options except the publisher's id, which the channel chooses at random.
  ChannelClientOptions client;
};

// The engine for a channel server: a ChannelClient with its three links as ZeroMQ sockets.
//
//   publish    XPUB, not PUB: it sees the server's subscription, and loses nothing after it
//   subscribe  SUB
//   control    DEALER, with a monitor that reports when the connection is up or down
//
// It works at the end of the loop's turns. It hands the input since the last turn to the listener
// as one batch. Not thread-safe.
class ZmqChannel final : public Channel, private EventHandler {
 public:
  // Begins to connect. `loop` and `listener` must outlive it. The caller must call it after
  // fork(2).
  static absl::StatusOr<std::unique_ptr<ZmqChannel>> Create(const ZmqChannelOptions& options,
                                                            EventLoop* loop,
                                                            ChannelListener* listener);
  ~ZmqChannel() override;

  void Publish(const Publication& publication, PublishCallback done) override;
  bool HasRoomFor(const PublicationsSize& size) override { return client_.HasRoomFor(size); }
  void Subscribe(absl::string_view group_id) override;
  void Unsubscribe(absl::string_view group_id) override;
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override;
  bool connected() const override { return client_.connected(); }
  size_t message_bytes_max() const override { return client_.message_bytes_max(); }
  Stats stats() const override { return client_.stats(); }
  Presence* presence() override { return &presence_; }

  ChannelClient::Counters counters() const { return client_.counters(); }

 private:
  ZmqChannel(const ZmqChannelOptions& options, EventLoop* loop, ChannelListener* listener);
  absl::Status Connect();

  void OnEvents(uint32_t events) override;
  bool Drain();
  void DrainMonitor();
  void OnRefusal(uint16_t event);
  void ConnectLinks();
  // Connects the links anew, until the channel is connected. ZeroMQ gives a connection up for ever
  // if the peers do not agree, and only one of the links has a monitor.
  void ConnectAgain();
  void ConnectAgainSoon();
  void DrainPublishLink();
  void DrainControl();
  bool DrainSubscribeLink();
  void EndBatch();
  void FlushPresence();
  void NoteBadInput(absl::string_view link, const absl::Status& status);

  class Links final : public ChannelLinks {
   public:
    explicit Links(ZmqChannel* channel) : channel_(channel) {}
    void SendPublication(absl::string_view frame) override;
    bool SendControl(absl::string_view frame) override;
    void Subscribe(const std::string& topic) override;
    void Unsubscribe(const std::string& topic) override;

   private:
    ZmqChannel* const channel_;
  };

  // The client's presence. Each change makes a turn, which sends it.
  class TouchingPresence final : public Presence {
   public:
    TouchingPresence(ZmqChannel* channel, Presence* presence)
        : channel_(channel), presence_(presence) {}
    void SetListener(PresenceListener* listener) override { presence_->SetListener(listener); }
    void Watch(absl::string_view group_id) override;
    void Unwatch(absl::string_view group_id) override;
    bool HasRoomToWatch() const override { return presence_->HasRoomToWatch(); }
    const PresenceView* View(absl::string_view group_id) const override {
      return presence_->View(group_id);
    }
    std::vector<uint64_t> ConnectionsOf(uint64_t member_id,
                                        absl::string_view group_id) const override {
      return presence_->ConnectionsOf(member_id, group_id);
    }
    size_t kept_ids() const override { return presence_->kept_ids(); }
    void OnJoin(absl::string_view group_id, uint64_t connection_id) override;
    void OnLeave(absl::string_view group_id, uint64_t connection_id, bool connection_lost) override;

   private:
    ZmqChannel* const channel_;
    Presence* const presence_;
  };

  // The time of the loop's turn: each turn reads the clock once.
  class TurnClock final : public Clock {
   public:
    explicit TurnClock(const EventLoop* loop) : loop_(loop) {}
    absl::Time Now() const override { return loop_->now(); }

   private:
    const EventLoop* const loop_;
  };

  const ZmqChannelOptions options_;
  EventLoop* const loop_;
  const TurnClock clock_;
  const MonotonicClock real_time_;
  Links links_;
  ChannelClient client_;
  TouchingPresence presence_;
  LogLimit bad_input_limit_;
  LogLimit refusal_limit_{absl::Minutes(1)};
  bool connects_again_ = false;

  zmq::context_t context_;
  zmq::socket_t publish_;
  zmq::socket_t subscribe_;
  zmq::socket_t control_;
  zmq::socket_t control_monitor_;

  // The publications of a turn are the frames of one ZeroMQ message, up to kBatchBytes, so that
  // they wake ZeroMQ's thread only once. The channel keeps the last one back, because ZeroMQ must
  // know which frame is the last.
  std::vector<zmq::message_t> batch_;
  size_t batch_bytes_ = 0;

  // ZeroMQ signals a socket once. After any call on it, the channel must read the socket until it
  // is empty.
  void Touch();
  bool touched_ = true;
  // Null after the end of the channel. The loop's timers and hooks check it before they call.
  std::shared_ptr<ZmqChannel*> self_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_ZMQ_ZMQ_CHANNEL_H_
