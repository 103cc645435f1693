#ifndef GROUPCAST_SERVICES_PROCESS_ADMIN_WORKER_H_
#define GROUPCAST_SERVICES_PROCESS_ADMIN_WORKER_H_

#include <functional>
#include <string>

#include "services/metrics/admin_port.h"
#include "services/process/supervisor.h"

namespace groupcast::service {

struct AdminWorkerOptions {
  std::string service;  // the program's name
  // As for InitLogging. The process calls it at its start, and logs nothing later.
  std::function<std::string()> log_level;
};

// The kind of workers that serves the admin port of a pool: one process, with the metrics and the
// health of all workers (AdminServer, AddPoolMetrics, WhyNotReady). It observes: it shares no fate
// with the workers that serve.
WorkerKind AdminKind(AdminPort port, AdminWorkerOptions options);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_PROCESS_ADMIN_WORKER_H_
