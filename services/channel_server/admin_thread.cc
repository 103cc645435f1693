#include "services/channel_server/admin_thread.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "services/channel_server/server_metrics.h"
#include "services/common/clock.h"
#include "services/metrics/process_usage.h"

namespace groupcast::service {

absl::StatusOr<std::unique_ptr<AdminThread>> AdminThread::Start(AdminPort port,
                                                                const ServerReport* report) {
  absl::StatusOr<std::unique_ptr<AdminServer>> server = AdminServer::Create(
      std::move(port.listener), std::move(port.hosts),
      {.metrics =
           [report] {
             return ServerMetricsText(report->numbers(), report->LoopAge(MonotonicClock().Now()),
                                      ReadProcessUsage(getpid()));
           },
       .why_not_ready = [report] { return report->WhyNotReady(MonotonicClock().Now()); }});
  if (!server.ok()) return server.status();
  return std::unique_ptr<AdminThread>(new AdminThread(*std::move(server)));
}

AdminThread::AdminThread(std::unique_ptr<AdminServer> server) : server_(std::move(server)) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread inherits it
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "admin");
    server_->Run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AdminThread::~AdminThread() {
  server_->Stop();
  thread_.join();
}

}  // namespace groupcast::service
