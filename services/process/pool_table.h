#ifndef GROUPCAST_SERVICES_PROCESS_POOL_TABLE_H_
#define GROUPCAST_SERVICES_PROCESS_POOL_TABLE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "services/metrics/metric.h"
#include "services/process/shared_slot.h"

namespace groupcast::service {

// One number of a worker's slot: the head of its column in the table, and its metric.
struct CounterColumn {
  std::string name;  // empty: it is not in the table
  // In characters, with the space to the next column. A longer number shifts the following columns
  // of its line.
  int width = 0;
  // It counts how often a limit was met. Such columns are in a table of their own below the others.
  bool is_limit = false;
  Metric metric = {};
};

// The contents of the table that a supervisor prints at its start and on SIGUSR1.
struct PoolTable {
  struct Worker {
    int number = 0;
    pid_t pid = 0;
    SharedSlot::State state{};
    std::vector<uint64_t> counters;  // one for each column of its kind
  };
  struct Kind {
    std::string name;
    std::string url;
    size_t processes = 0;  // as configured
    std::vector<CounterColumn> columns;
    std::vector<Worker> workers;
  };
  std::string service;  // replaces the kind's name if there is one kind
  std::string status;
  std::vector<Kind> kinds;
  std::vector<std::string> notes;  // further lines
  bool with_workers = false;       // the lines show their numbers
  pid_t supervisor = 0;
};

// Returns the lines, with an empty one before and after.
std::string FormatPoolTable(const PoolTable& table);

// Returns the same without the workers' numbers, as one line without its newline.
std::string FormatPoolSummary(const PoolTable& table);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_POOL_TABLE_H_
