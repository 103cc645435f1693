#ifndef GROUPCAST_SERVICES_PROCESS_POOL_METRICS_H_
#define GROUPCAST_SERVICES_PROCESS_POOL_METRICS_H_

#include <string>

#include "absl/time/time.h"
#include "services/metrics/families.h"
#include "services/process/pool_view.h"

namespace groupcast::service {

// The metrics of a pool's workers that serve: what their columns say (CounterColumn::metric), and
// what every pool has: its workers and their restarts, CPU time, memory and open files. The label
// `worker` is a worker's number. Counters continue over the processes of one worker. `now` is
// monotonic.
void AddPoolMetrics(const PoolView& view, absl::Time now, Families* families);

// Whether a pool serves: a worker is ready, its loop turns, it reaches its channel, and the pool
// does not stop. Empty: it does. Else the reason, as a sentence. `now` is monotonic.
std::string WhyNotReady(const PoolMemory::Contents& contents, const PoolView& view, absl::Time now);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_POOL_METRICS_H_
