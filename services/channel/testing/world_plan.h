#ifndef GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_PLAN_H_
#define GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "services/channel/testing/event_queue.h"
#include "services/channel/testing/network.h"
#include "services/channel/testing/simulated_client.h"
#include "services/channel/testing/simulated_server.h"
#include "services/groups/group_service.h"

namespace groupcast::service::testing {

// What kind of world it is: its sizes and bounds, and what can go wrong in it.
struct WorldPlan {
  NetworkOptions network;
  // Without what only the world itself has: storage, boot id, epochs.
  ServerPlan server;
  ConnectionPlan connection;
  GroupServiceOptions service;
  WindowOptions window;
  SessionLimits session;

  bool forgetful = false;     // the server keeps less than members may need
  bool power_losses = false;  // at some deaths of a server with a log
  bool disk_full = false;     // now and then, of a server with a log
  int create_takes = 1;       // looks until the log's next file is there
  // Sessions differ, and the keys of their sends do not.
  bool keys_alike = false;
  // How long somebody is away at the end, while users go on; zero: nobody is.
  absl::Duration absence = absl::ZeroDuration();
  int64_t groups = 1;
  // So many more are joined by one client.
  int64_t more_groups = 0;

  // The server can forget publishers that still ask for what became of their publications.
  bool forgets_publishers() const { return server.broker.publishers.publishers_max < 100; }

  // All messages that a client asks for when it joins fit into one answer of the server.
  bool histories_fit() const { return server.broker.retention.page_bytes_max >= 1'000; }

  // For people.
  std::string Description() const;
};

WorldPlan PlanWorld(Random* random);

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_PLAN_H_
