#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_COUNTERS_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_COUNTERS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/groups/group_service.h"
#include "services/process/pool_table.h"
#include "services/process/shared_slot.h"
#include "services/websocket_service/connection/limit.h"
#include "services/worker_metrics/worker_numbers.h"

namespace groupcast::service {

// What a worker reports of itself.
struct WorkerCounts {
  size_t connections = 0;
  size_t groups = 0;
  size_t memberships = 0;
  uint64_t slow_consumers = 0;
  uint64_t accept_pauses = 0;
  GroupService::Counters of_groups;
  LimitCounts limits;
  WorkerNumbers of_all;
};

// The columns of the counters in a worker's slot.
std::vector<CounterColumn> WorkerCounterColumns();

// Writes the counters of these columns.
void WriteCounters(const WorkerCounts& counts, SharedSlot* slot);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WORKER_COUNTERS_H_
