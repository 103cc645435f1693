// The WebSocket service: a pool of worker processes that serve clients, and their supervisor.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/channel/open_channel.h"
#include "services/common/address.h"
#include "services/common/flags.h"
#include "services/common/listener.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "services/common/ready_file.h"
#include "services/common/service_manager.h"
#include "services/configuration/service_configuration.h"
#include "services/metrics/admin_port.h"
#include "services/process/admin_worker.h"
#include "services/process/pool_counts.h"
#include "services/process/supervisor.h"
#include "services/websocket_service/tls/tls_context.h"
#include "services/websocket_service/worker.h"
#include "services/websocket_service/worker_configuration.h"
#include "services/websocket_service/worker_counters.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, bind_address, "127.0.0.1",
          "IP address to listen on; an IPv6 address may be in brackets");
ABSL_FLAG(int, port, 1234, "port to listen on; 0 takes a free one");
ABSL_FLAG(int, admin_port, 9234,
          "port of /metrics, /healthz and /readyz; -1 is for none. With --port=0, the default "
          "becomes a free port too. If the default is in use, there is none, and a warning");
ABSL_FLAG(int, workers, 0, "worker processes; 0 is one for each core");
ABSL_FLAG(std::string, ready_file, "",
          "file with the port as JSON; it appears when the service can be used");
ABSL_FLAG(std::string, log_format, "text",
          "form of log lines: text for people, or json for machines, one object a line");

namespace groupcast::service {
namespace {

absl::Status Check(bool ok, absl::string_view sentence) {
  return ok ? absl::OkStatus() : absl::InvalidArgumentError(sentence);
}

// What all workers of the pool count together.
struct SharedCounts {
  std::unique_ptr<PoolCounts> addresses;
  std::unique_ptr<PoolCounts> user_connections;
  std::unique_ptr<PoolCounts> user_groups;

  void Clear(int table) {
    for (PoolCounts* counts : {addresses.get(), user_connections.get(), user_groups.get()}) {
      counts->Clear(table);
    }
  }
};

absl::StatusOr<SharedCounts> CreateSharedCounts(int tables) {
  SharedCounts shared;
  for (std::unique_ptr<PoolCounts>* to :
       {&shared.addresses, &shared.user_connections, &shared.user_groups}) {
    absl::StatusOr<std::unique_ptr<PoolCounts>> counts = PoolCounts::Create(tables);
    if (!counts.ok()) return counts.status();
    *to = *std::move(counts);
  }
  return shared;
}

int RunWorker(const WorkerConfiguration& configuration, const SharedCounts& shared,
              WorkerKind::Parts parts) {
  SharedSlot* const slot = parts.slot;
  const absl::Status logging = InitWorkerLogging(configuration.log_level, parts.number);
  static_cast<void>(logging);  // ReadConfiguration has checked the level
  const auto make_channel =
      [&](EventLoop* loop, ChannelListener* listener) -> absl::StatusOr<std::unique_ptr<Channel>> {
    ChannelOptions options = configuration.channel;
    options.server_may_take_less = !parts.configuration_is_new;
    return OpenChannel(configuration.channel_url, loop, listener, options);
  };
  WorkerOptions options = configuration.worker;
  options.groups.control = {
      .service = "websocket_service", .worker = parts.number, .asks = false, .questions = {}};
  absl::StatusOr<std::unique_ptr<Worker>> worker =
      Worker::Create(options, make_channel, std::move(parts.listener), std::move(parts.control),
                     {.slot = slot,
                      .addresses = shared.addresses.get(),
                      .user_connections = shared.user_connections.get(),
                      .user_groups = shared.user_groups.get(),
                      .table = parts.slot_number});
  const absl::Status status = worker.ok() ? (*worker)->Run() : worker.status();
  if (status.ok()) return 0;
  spdlog::error("{}", std::string(status.message()));
  const bool misconfigured = absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status);
  if (!misconfigured) return 1;  // the next one may have better luck
  slot->SetFailure(status.message());
  return kExitMisconfigured;
}

// Each worker has a hub of its own.
absl::Status CheckEngine(const WorkerConfiguration& configuration, int workers) {
  return Check(configuration.channel_url.engine != ChannelUrl::Engine::kMemory || workers == 1,
               absl::StrCat(FlagPlace("channel"),
                            "=memory: joins nothing but one process: it needs --workers=1"));
}

// `arguments` are read again on SIGHUP: the file of --config, and flags in a --flagfile, may have
// changed.
absl::Status Main(const std::vector<std::string>& arguments, ServiceConfiguration* service) {
  const absl::StatusOr<LogFormat> log_format = ParseLogFormat(absl::GetFlag(FLAGS_log_format));
  if (!log_format.ok()) return AtPresetPlace("log_format", log_format.status());
  if (absl::Status status =
          InitLogging(absl::GetFlag(FLAGS_log_level), *log_format, "websocket_service");
      !status.ok()) {
    return AtPresetPlace("log_level", status);
  }
  const std::string address = absl::GetFlag(FLAGS_bind_address);
  if (absl::Status status = CheckListenAddress(address); !status.ok()) {
    return AtPresetPlace("bind_address", status);
  }
  KeptConfiguration kept = {.bind_address = address};
  absl::StatusOr<WorkerConfiguration> configuration =
      ReadWorkerConfiguration(kept, service->file());
  if (!configuration.ok()) return configuration.status();
  const int port = absl::GetFlag(FLAGS_port);
  int workers = absl::GetFlag(FLAGS_workers);
  if (workers == 0) workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (const absl::Status& status :
       {Check(port >= 0 && port <= 65'535,
              absl::StrCat(FlagPlace("port"), "=", port, " is not a port")),
        Check(workers >= 1 && workers <= 255,
              absl::StrCat(FlagPlace("workers"), " must be between 0 and 255")),
        CheckEngine(*configuration, workers)}) {
    if (!status.ok()) return status;
  }
  const absl::StatusOr<AdminPlace> admin_place =
      ReadAdminPlace(absl::GetFlag(FLAGS_admin_port), port);
  if (!admin_place.ok()) return admin_place.status();
  absl::StatusOr<ReadyFile> ready_file = ReadyFile::Create(absl::GetFlag(FLAGS_ready_file));
  if (!ready_file.ok()) return AtPresetPlace("ready_file", ready_file.status());
  const absl::StatusOr<std::string> answer = service->Answer();
  if (!answer.ok()) return answer.status();
  if (!answer->empty()) return WriteAnswer(*answer);

  service->RememberStart();
  RaiseOpenFilesLimit();
  absl::StatusOr<Listeners> listeners =
      OpenListeners(address, static_cast<uint16_t>(port), workers);
  if (!listeners.ok()) return listeners.status();
  absl::StatusOr<std::optional<AdminPort>> admin = OpenAdminPort(*admin_place);
  if (!admin.ok()) return admin.status();
  const uint16_t admin_port = admin->has_value() ? (*admin)->port : uint16_t{0};

  const uint16_t bound_port = listeners->port;

  SupervisorOptions options;
  options.service = "websocket_service";
  const auto channel_url = [&configuration] {
    return FormatChannelUrl(configuration->channel_url);
  };
  options.waits_for = [channel_url] {
    return absl::StrCat("the channel server at ", channel_url());
  };
  // A service has TLS or not from its start to its end.
  const bool has_tls = configuration->worker.tls != nullptr;
  options.notes = [&configuration, channel_url, has_tls, host_port = HostPort(address, bound_port),
                   metrics = MetricsNote(*admin_place, admin_port)] {
    std::vector<std::string> notes = {absl::StrCat("channel server: ", channel_url())};
    if (!metrics.empty()) notes.push_back(metrics);
    if (has_tls) {
      const TlsContext& tls = *configuration->worker.tls;
      notes.push_back(
          absl::StrCat("certificate:    ", tls.files().certificate.path, ", valid until ",
                       absl::FormatTime("%Y-%m-%d", tls.valid_until(), absl::UTCTimeZone())));
    }
    if (!configuration->pages.empty()) {
      notes.push_back(absl::StrCat("pages:          ", has_tls ? "https://" : "http://", host_port,
                                   "/ (", configuration->pages, ")"));
    }
    return notes;
  };
  options.when_ready = [file = *std::move(ready_file), bound_port,
                        admin_port](absl::Time now) mutable {
    file.Write({.port = bound_port, .admin_port = admin_port}, now);
  };
  options.drain_time = [&configuration] { return configuration->worker.drain_time; };
  options.stall_timeout = absl::GetFlag(FLAGS_stall_timeout);
  ServiceManager service_manager = ServiceManager::FromEnvironment();
  options.service_manager = &service_manager;

  // Always, because SIGHUP may set the limit later. Nothing is in memory until then.
  absl::StatusOr<SharedCounts> shared = CreateSharedCounts(Supervisor::SlotCount(workers));
  if (!shared.ok()) return shared.status();

  std::vector<WorkerKind> kinds;
  kinds.push_back({.name = "websocket",
                   .url = absl::StrCat(has_tls ? "wss://" : "ws://", HostPort(address, bound_port)),
                   .listeners = *std::move(listeners),
                   .main =
                       [&configuration, &shared](WorkerKind::Parts parts) {
                         return RunWorker(*configuration, *shared, std::move(parts));
                       },
                   .counters = WorkerCounterColumns(),
                   .on_end = [&shared](int slot) { shared->Clear(slot); }});
  if (admin->has_value()) {
    kinds.push_back(AdminKind(
        **std::move(admin), {.service = "websocket_service",
                             .log_level = [&configuration] { return configuration->log_level; }}));
  }

  WorkerConfiguration proven = *configuration;
  absl::StatusOr<std::unique_ptr<Supervisor>> supervisor = Supervisor::Create(
      std::move(options), std::move(kinds),
      {.take_up =
           [&] {
             const auto parsed =
                 ParseFlags(arguments, [service] { return service->ReadPresets(); });
             if (!parsed.ok()) return parsed.status();
             const KeptConfiguration next = {.bind_address = kept.bind_address,
                                             .tickets = kept.tickets.Next(),
                                             .tls = configuration->worker.tls};
             absl::StatusOr<WorkerConfiguration> fresh =
                 ReadWorkerConfiguration(next, service->file());
             if (!fresh.ok()) return fresh.status();
             if ((fresh->worker.tls != nullptr) != has_tls) {
               return absl::FailedPreconditionError(absl::StrCat(
                   FlagPlace("tls_certificate"),
                   ": a running service does not change between TLS and plain connections; it "
                   "must start again"));
             }
             if (absl::Status status = CheckEngine(*fresh, workers); !status.ok()) {
               return status;
             }
             if (has_tls && fresh->worker.tls->valid_until() < absl::Now()) {
               spdlog::warn("{}: {} has expired and is unchanged: it stays in use",
                            FlagPlace("tls_certificate"),
                            fresh->worker.tls->files().certificate.path);
             }
             *configuration = *std::move(fresh);
             kept.tickets = next.tickets;
             if (const std::vector<std::string> kept = service->KeptFields(); !kept.empty()) {
               spdlog::warn("SIGHUP: what a running service keeps until it starts again: {}",
                            absl::StrJoin(kept, ", "));
             }
             return absl::OkStatus();
           },
       .keep = [&] { proven = *configuration; },
       .roll_back = [&] { *configuration = proven; }});
  if (!supervisor.ok()) return supervisor.status();
  return (*supervisor)->Run();
}

}  // namespace
}  // namespace groupcast::service

int main(int argc, char** argv) {
  groupcast::service::GuardStandardStreams();
  groupcast::service::ServiceConfiguration service("websocket_service");
  groupcast::service::ParseCommandLine(
      argc, argv,
      "Groupcast's WebSocket service: serves clients with a pool of worker processes.\n\n"
      "  websocket_service [--port=1234] [--workers=N] [--channel=127.0.0.1:2206] [--pages=DIR]\n"
      "                    [--config=FILE]\n\n"
      "It runs in the foreground and logs to stderr. SIGTERM or SIGINT drains and stops. SIGHUP\n"
      "replaces the workers, after it has read the pages, the file of --config and the flags of a\n"
      "--flagfile again. SIGUSR1 prints numbers.",
      /*operands_max=*/0, [&service] { return service.ReadPresets(); });
  if (absl::Status status = groupcast::service::Main({argv + 1, argv + argc}, &service);
      !status.ok()) {
    groupcast::service::PrintLines(absl::StrCat("websocket_service: ", status.message(), "\n"),
                                   spdlog::level::err);
    return 1;
  }
  return 0;
}
