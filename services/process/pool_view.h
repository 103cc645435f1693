#ifndef GROUPCAST_SERVICES_PROCESS_POOL_VIEW_H_
#define GROUPCAST_SERVICES_PROCESS_POOL_VIEW_H_

#include <vector>

#include "services/process/pool_memory.h"
#include "services/process/pool_table.h"

namespace groupcast::service {

// The workers of a pool, as a worker that observes them sees them. The supervisor owns all of it.
struct PoolView {
  struct Place {
    int number = 0;  // of the worker within its kind, from 1
    const std::vector<CounterColumn>* columns = nullptr;
    bool observes = false;  // it serves no clients (WorkerKind::observes)
  };

  const PoolMemory* memory = nullptr;
  std::vector<Place> places;  // in the order of PoolMemory::Contents::places
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_POOL_VIEW_H_
