#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_SERVER_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/channel/testing/event_queue.h"
#include "services/channel/testing/network.h"
#include "services/channel/testing/truth.h"
#include "services/channel_server/broker/broker.h"
#include "services/channel_server/broker_log.h"

namespace groupcast::service::testing {

struct ServerPlan {
  BrokerOptions broker;
  int reads_per_turn_max = 1'000;  // of each socket
  // The longest time that it waits for a subscriber without room, and the time for which it then
  // drops.
  absl::Duration subscriber_patience = absl::ZeroDuration();
  absl::Duration drop_for = absl::ZeroDuration();
  // The place of the log. Null: there is no log. The storage outlives the process.
  LogStorage* storage = nullptr;
  GroupLogOptions log;
  // The log begins anew after one turn in this number. 0: never while the process runs.
  int log_begins_anew_one_in = 0;
};

// The process of the channel server: the broker in its shell, which reads and writes. A test
// decides where it dies.
class SimulatedServer final : private BrokerSink {
 public:
  SimulatedServer(const ServerPlan& plan, EventQueue* events, Random* random, Network* network,
                  Truth* truth);
  ~SimulatedServer();

  // Nothing runs until Continue. Input waits.
  void Stop() { stopped_ = true; }
  void Continue();
  // Ends the process like SIGTERM.
  void Close();
  // It dies after this number of further outputs (log writes, frames).
  void DieAfter(int outputs) { outputs_left_ = outputs; }
  bool dead() const { return dead_; }

  const Broker& broker() const { return *broker_; }

 private:
  void OpenLog();
  void Tick();
  void Wake();
  void Turn();
  void CheckBounds();
  // False: it has died.
  bool Output();

  void Place(size_t index);
  void PlaceNew();
  bool Broadcast(absl::string_view frame);
  void CheckPatience();

  absl::Status WriteLog(std::string* record) override;
  bool HandOut(size_t index) override;
  bool Announce(absl::string_view frame) override;
  Sent SendControl(PublisherId to, absl::string_view frame) override;

  const ServerPlan plan_;
  EventQueue* const events_;
  Random* const random_;
  Network* const network_;
  Truth* const truth_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<BrokerLog> log_;
  ServerInbox inbox_;
  std::vector<std::string> accepted_;    // of the present turn
  std::vector<absl::Time> accepted_at_;  // their times
  size_t placed_ = 0;                    // of them
  absl::Time blocked_since_ = absl::InfiniteFuture();
  absl::Time dropping_until_ = absl::InfinitePast();
  bool turn_due_ = false;
  bool stopped_ = false;
  bool dead_ = false;
  int outputs_left_ = -1;  // before it dies; negative: it does not die
  std::shared_ptr<SimulatedServer*> self_;
};

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_SIMULATED_SERVER_H_
