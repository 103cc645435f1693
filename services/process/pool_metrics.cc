#include "services/process/pool_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/metrics/process_usage.h"

namespace groupcast::service {
namespace {

using State = SharedSlot::State;

// How often it reads again when a process ends while it reads the use of processes.
constexpr int kTriesMax = 10;

// A worker whose loop has not turned for this time stands still. Idle loops turn every 250 ms. The
// supervisor waits longer before it replaces a worker (SupervisorOptions::stall_timeout).
constexpr absl::Duration kStalledAfter = absl::Seconds(2);

// What the processes of one worker take together.
struct WorkerUsage {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double open_files = 0;
};

struct Reading {
  PoolMemory::Contents contents;
  std::vector<WorkerUsage> usages;  // of the places
};

// A process that ends in between would be missing in both: its CPU time would seem to fall.
Reading ReadAll(const PoolMemory& memory) {
  Reading reading;
  for (int i = 0; i < kTriesMax; ++i) {
    reading = {.contents = memory.Read(), .usages = {}};
    for (const PoolMemory::Place& place : reading.contents.places) {
      WorkerUsage& usage = reading.usages.emplace_back();
      usage.cpu_seconds = place.ended_cpu_seconds;
      for (const PoolMemory::Process& process : place.processes) {
        const std::optional<ProcessUsage> its = ReadProcessUsage(process.pid);
        if (!its.has_value()) continue;
        usage.cpu_seconds += its->cpu_seconds;
        usage.resident_bytes += static_cast<double>(its->resident_bytes);
        usage.open_files += static_cast<double>(its->open_files);
      }
    }
    if (memory.version() == reading.contents.version) break;
  }
  return reading;
}

double Value(const PoolMemory::Place& place, size_t column, const Metric& metric) {
  uint64_t value = metric.type == Metric::Type::kGauge ? 0 : place.ended[column];
  for (const PoolMemory::Process& process : place.processes) value += process.counters[column];
  return static_cast<double>(value) * metric.scale;
}

// The histogram whose first bucket is `column`. Returns the column after it.
size_t AddHistogram(const PoolMemory::Place& place, const std::vector<CounterColumn>& columns,
                    size_t column, const MetricLabels& labels, Families* families) {
  const Metric& first = columns[column].metric;
  std::vector<double> bounds;
  std::vector<uint64_t> counts;
  for (; column < columns.size() && columns[column].metric.type == Metric::Type::kBucket;
       ++column) {
    const Metric& bucket = columns[column].metric;
    if (!std::isinf(bucket.bound)) bounds.push_back(bucket.bound);
    counts.push_back(static_cast<uint64_t>(Value(place, column, bucket)));
  }
  const double sum = column < columns.size() ? Value(place, column, columns[column].metric) : 0;
  families->AddHistogram(first.name, first.help, labels, bounds, counts, sum);
  return column + 1;
}

void AddColumns(const PoolMemory::Place& place, const std::vector<CounterColumn>& columns,
                const MetricLabels& worker, Families* families) {
  for (size_t column = 0; column < columns.size();) {
    const Metric& metric = columns[column].metric;
    if (metric.name.empty()) {
      ++column;
      continue;
    }
    if (metric.type == Metric::Type::kBucket) {
      column = AddHistogram(place, columns, column, worker, families);
      continue;
    }
    MetricLabels labels = worker;
    if (!metric.label.empty()) labels.emplace_back(metric.label, metric.value);
    const double value = Value(place, column, metric);
    metric.type == Metric::Type::kGauge
        ? families->AddGauge(metric.name, metric.help, labels, value)
        : families->AddCounter(metric.name, metric.help, labels, value);
    ++column;
  }
}

// A process that starts has no loop yet.
bool IsStalled(const PoolMemory::Process& process, absl::Time now) {
  return process.state != State::kStarting && now - process.last_turn > kStalledAfter;
}

bool ReachesChannel(const PoolMemory::Process& process) {
  return process.state != State::kStarting && !process.waits;
}

}  // namespace

void AddPoolMetrics(const PoolView& view, absl::Time now, Families* families) {
  const Reading reading = ReadAll(*view.memory);
  int starting = 0;
  int ready = 0;
  int draining = 0;
  int stalled = 0;
  for (size_t i = 0; i < view.places.size(); ++i) {
    if (view.places[i].observes) continue;
    for (const PoolMemory::Process& process : reading.contents.places[i].processes) {
      ++(IsStalled(process, now)             ? stalled
         : process.state == State::kStarting ? starting
         : process.state == State::kReady    ? ready
                                             : draining);
    }
  }
  for (const auto& [state, count] : {std::pair{"starting", starting},
                                     {"ready", ready},
                                     {"draining", draining},
                                     {"stalled", stalled}}) {
    families->AddGauge("groupcast_workers", "Worker processes by state.", {{"state", state}},
                       count);
  }
  for (size_t i = 0; i < view.places.size(); ++i) {
    if (view.places[i].observes) continue;
    const PoolMemory::Place& place = reading.contents.places[i];
    const WorkerUsage& usage = reading.usages[i];
    const MetricLabels worker = {{"worker", absl::StrCat(view.places[i].number)}};
    families->AddCounter("groupcast_worker_restarts_total",
                         "Workers that ended by themselves and were replaced.", worker,
                         static_cast<double>(place.restarts));
    families->AddGauge("groupcast_channel_connected",
                       "1 if the worker reaches the channel, else 0.", worker,
                       std::any_of(place.processes.begin(), place.processes.end(), ReachesChannel));
    families->AddCounter("groupcast_cpu_seconds_total", "CPU time of the worker's processes.",
                         worker, usage.cpu_seconds);
    families->AddGauge("groupcast_resident_memory_bytes",
                       "Resident memory of the worker's processes.", worker, usage.resident_bytes);
    families->AddGauge("groupcast_open_files", "Open files of the worker's processes.", worker,
                       usage.open_files);
    AddColumns(place, *view.places[i].columns, worker, families);
  }
}

std::string WhyNotReady(const PoolMemory::Contents& contents, const PoolView& view,
                        absl::Time now) {
  if (contents.stopping) return "The service stops.";
  bool one_is_ready = false;
  bool one_is_stalled = false;
  for (size_t i = 0; i < view.places.size(); ++i) {
    if (view.places[i].observes) continue;
    for (const PoolMemory::Process& process : contents.places[i].processes) {
      if (process.state != State::kReady) continue;
      if (IsStalled(process, now)) {
        one_is_stalled = true;
        continue;
      }
      if (!process.waits) return "";
      one_is_ready = true;
    }
  }
  if (one_is_ready) return absl::StrCat("The workers do not reach ", contents.waits_for, ".");
  if (one_is_stalled) return "The workers stand still.";
  return absl::StrCat("No worker is ready. They wait for ", contents.waits_for, ".");
}

}  // namespace groupcast::service
