#ifndef GROUPCAST_SERVICES_WORKER_METRICS_WORKER_NUMBERS_H_
#define GROUPCAST_SERVICES_WORKER_METRICS_WORKER_NUMBERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/groups/group_service.h"
#include "services/metrics/metric.h"
#include "services/process/pool_table.h"
#include "services/process/shared_slot.h"
#include "services/worker_metrics/close_counts.h"
#include "services/worker_metrics/worker_timing.h"

namespace groupcast::service {

// Descriptions of metrics with one word each.
Metric CounterMetric(std::string name, std::string help, std::string label = "",
                     std::string value = "");
Metric GaugeMetric(std::string name, std::string help);
// How often the limit was met: groupcast_limit_hits_total.
Metric LimitMetric(std::string limit);

// Errors that clients were told, with this code: groupcast_errors_total.
Metric ErrorsMetric(absl::string_view code);

// Metrics of the columns that both front ends have by themselves.
Metric ConnectionsMetric();
Metric GroupsMetric();
Metric MembershipsMetric();
Metric DeliveriesMetric();
Metric GapsMetric();
Metric SlowConsumersMetric();
// `result`: "recovered" or "lost".
Metric RecoveriesMetric(std::string result);

// What the workers of both front ends report besides the columns of their tables.
struct WorkerNumbers {
  // Not null.
  const GroupService* groups = nullptr;
  const Channel* channel = nullptr;
  const WorkerTiming* timing = nullptr;
  const CloseCounts* closes = nullptr;

  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  int64_t outbox_bytes = 0;  // of all connections together
};

// Appends the columns of these numbers. They are not in the table.
void AddWorkerColumns(std::vector<CounterColumn>* columns);

// Writes them to the counters of the slot, from the column `first` on.
void WriteWorkerNumbers(const WorkerNumbers& numbers, size_t first, SharedSlot* slot);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WORKER_METRICS_WORKER_NUMBERS_H_
