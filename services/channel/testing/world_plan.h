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

// The kind of a world: its sizes and bounds, and its possible faults.
struct WorldPlan {
  NetworkOptions network;
  // Without the values that only the world itself has: storage, boot id, epochs.
  ServerPlan server;
  ConnectionPlan connection;
  GroupServiceOptions service;
  WindowOptions window;
  SessionLimits session;
  PresenceClientOptions presence;

  // The number of clients that watch the members of the first group.
  int64_t watchers = 0;
  bool forgetful = false;     // the server keeps less than members may need
  bool power_losses = false;  // at some deaths of a server with a log
  bool disk_full = false;     // now and then, of a server with a log
  int create_takes = 1;       // checks until the log's next file exists
  // The number of clients that choose keys, and repeat sends. Then keys count for seconds only.
  int64_t keyed_senders = 0;
  // Sessions differ, but the keys of their sends are the same.
  bool keys_alike = false;
  // The time for which one client is away at the end, while users continue. Zero: no client is
  // away.
  absl::Duration absence = absl::ZeroDuration();
  int64_t groups = 1;
  // The number of further groups that one client joins.
  int64_t more_groups = 0;

  // The server can forget publishers that still ask for the results of their publications.
  bool forgets_publishers() const { return server.broker.publishers.publishers_max < 100; }

  // One answer of the server has room for all messages that a client asks for when it joins.
  bool histories_fit() const { return server.broker.retention.page_bytes_max >= 1'000; }

  // No message leaves the history of its group because others need its bytes.
  bool keeps_history() const {
    return server.broker.retention.bytes_max == RetentionOptions().bytes_max;
  }

  // For people.
  std::string Description() const;
};

WorldPlan PlanWorld(Random* random);

}  // namespace groupcast::service::testing

#endif  // GROUPCAST_SERVICES_CHANNEL_TESTING_WORLD_PLAN_H_
