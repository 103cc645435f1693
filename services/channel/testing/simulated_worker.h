#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_WORKER_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_WORKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "services/channel/channel.h"
#include "services/channel/testing/event_queue.h"
#include "services/channel/testing/network.h"
#include "services/channel/testing/truth.h"
#include "services/channel/zmq/channel_client.h"

namespace groupcast::service::testing {

struct WorkerPlan {
  ChannelClientOptions client;
  int reads_per_turn_max = 1'000;
};

// The process of a worker: the channel's client in its shell. It checks each event of the channel
// against the truth on its way to the listener.
class SimulatedWorker final : private ChannelListener {
 public:
  SimulatedWorker(const WorkerPlan& plan, EventQueue* events, Random* random, Network* network,
                  Truth* truth);
  ~SimulatedWorker();

  void SetListener(ChannelListener* listener) { listener_ = listener; }
  // Further work of each turn, after the channel's events.
  void SetTurnWork(std::function<void()> work) { turn_work_ = std::move(work); }
  Channel* channel() { return &client_; }
  const ChannelClient& client() const { return client_; }
  // The number of calls of OnRoom.
  uint64_t rooms() const { return rooms_; }

  void Stop() { stopped_ = true; }
  void Continue();
  bool stopped() const { return stopped_; }
  // The caller of the channel must call it afterwards.
  void Wake();

  // The position of the last delivery. Null: the group is not subscribed, or not yet announced.
  const Position* PositionOf(absl::string_view group_id) const;

 private:
  void Tick();
  void Turn();
  void CheckBounds();

  void OnSubscribed(absl::string_view group_id, const Position& head) override;
  void OnMessage(const Message& message) override;
  void OnGap(absl::string_view group_id, const Gap& gap) override;
  void OnConnectionState(bool connected) override;
  void OnRoom() override;
  void OnMisconfigured(const absl::Status& why) override;

  const WorkerPlan plan_;
  EventQueue* const events_;
  Random* const random_;
  Truth* const truth_;
  ChannelListener* listener_ = nullptr;
  std::function<void()> turn_work_;
  WorkerLinks links_;
  ChannelClient client_;
  std::map<std::string, Position, std::less<>> positions_;
  uint64_t rooms_ = 0;
  bool turn_due_ = false;
  bool tick_due_ = false;
  bool stopped_ = false;
  std::shared_ptr<SimulatedWorker*> self_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_WORKER_H_
