// The HTTP gateway: publishes, reads and streams groups for programs and pages that speak HTTP.

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
#include "services/common/ip_address.h"
#include "services/common/listener.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "services/common/ready_file.h"
#include "services/common/service_manager.h"
#include "services/configuration/service_configuration.h"
#include "services/http_gateway/dashboard/service_watch.h"
#include "services/http_gateway/gateway_configuration.h"
#include "services/http_gateway/gateway_worker.h"
#include "services/metrics/admin_port.h"
#include "services/process/admin_worker.h"
#include "services/process/supervisor.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, bind_address, "127.0.0.1",
          "IP address to listen on; an IPv6 address may be in brackets");
ABSL_FLAG(int, port, 8080, "port to listen on; 0 takes a free one");
ABSL_FLAG(int, admin_port, 9280,
          "port of /metrics, /healthz and /readyz; -1 is for none. With --port=0, the default "
          "becomes a free port too. If the default is in use, there is none, and a warning");
ABSL_FLAG(int, workers, 1, "worker processes; 0 is one for each core");
ABSL_FLAG(std::string, ready_file, "",
          "file with the port as JSON; it appears when the service can be used");
ABSL_FLAG(std::string, log_format, "text",
          "form of log lines: text for people, or json for machines, one object a line");

namespace groupcast::service {
namespace {

absl::Status Check(bool ok, absl::string_view sentence) {
  return ok ? absl::OkStatus() : absl::InvalidArgumentError(sentence);
}

// This service as the dashboard asks it. nullopt: it has no admin port.
std::optional<ServiceAddress> OwnAddress(const AdminPlace& place, uint16_t port) {
  const bool is_any = place.address == "0.0.0.0" || WithoutBrackets(place.address) == "::";
  const std::string address = is_any ? "127.0.0.1" : std::string(WithoutBrackets(place.address));
  const std::optional<IpAddress> ip = IpAddress::Parse(address);
  if (port == 0 || !ip.has_value()) return std::nullopt;
  return ServiceAddress{.address = *ip, .port = port, .text = HostPort(address, port)};
}

// `own`: this service's admin port, which the dashboard shows with the others.
int RunWorker(const GatewayConfiguration& configuration, const std::optional<ServiceAddress>& own,
              WorkerKind::Parts parts) {
  SharedSlot* const slot = parts.slot;
  const absl::Status logging = InitWorkerLogging(configuration.log_level, parts.number);
  static_cast<void>(logging);  // ReadGatewayConfiguration has checked the level
  const auto make_channel =
      [&](EventLoop* loop, ChannelListener* listener) -> absl::StatusOr<std::unique_ptr<Channel>> {
    ChannelOptions options = configuration.channel;
    options.server_may_take_less = !parts.configuration_is_new;
    return OpenChannel(configuration.channel_url, loop, listener, options);
  };
  GatewayOptions options = configuration.worker;
  if (own.has_value()) AddService(*own, &options.services);
  options.groups.control = {
      .service = "http_gateway", .worker = parts.number, .asks = true, .questions = {}};
  absl::StatusOr<std::unique_ptr<GatewayWorker>> worker = GatewayWorker::Create(
      options, make_channel, std::move(parts.listener), std::move(parts.control), slot);
  const absl::Status status = worker.ok() ? (*worker)->Run() : worker.status();
  if (status.ok()) return 0;
  spdlog::error("{}", std::string(status.message()));
  const bool misconfigured = absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status);
  if (!misconfigured) return 1;  // the next one may have better luck
  slot->SetFailure(status.message());
  return kExitMisconfigured;
}

// Each worker has a hub of its own.
absl::Status CheckEngine(const GatewayConfiguration& configuration) {
  return Check(configuration.channel_url.engine != ChannelUrl::Engine::kMemory,
               absl::StrCat(FlagPlace("channel"),
                            "=memory: joins nothing but one process, and this service would be "
                            "alone in it"));
}

// `arguments` are read again on SIGHUP: the file of --config, and flags in a --flagfile, may have
// changed.
absl::Status Main(const std::vector<std::string>& arguments, ServiceConfiguration* service) {
  const absl::StatusOr<LogFormat> log_format = ParseLogFormat(absl::GetFlag(FLAGS_log_format));
  if (!log_format.ok()) return AtPresetPlace("log_format", log_format.status());
  if (absl::Status status =
          InitLogging(absl::GetFlag(FLAGS_log_level), *log_format, "http_gateway");
      !status.ok()) {
    return AtPresetPlace("log_level", status);
  }
  const std::string address = absl::GetFlag(FLAGS_bind_address);
  if (absl::Status status = CheckListenAddress(address); !status.ok()) {
    return AtPresetPlace("bind_address", status);
  }
  absl::StatusOr<GatewayConfiguration> configuration =
      ReadGatewayConfiguration(address, service->file());
  if (!configuration.ok()) return configuration.status();
  const int port = absl::GetFlag(FLAGS_port);
  int workers = absl::GetFlag(FLAGS_workers);
  if (workers == 0) workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (const absl::Status& status :
       {Check(port >= 0 && port <= 65'535,
              absl::StrCat(FlagPlace("port"), "=", port, " is not a port")),
        Check(workers >= 1 && workers <= 255,
              absl::StrCat(FlagPlace("workers"), " must be between 0 and 255")),
        CheckEngine(*configuration)}) {
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
  options.service = "http_gateway";
  const auto channel_url = [&configuration] {
    return FormatChannelUrl(configuration->channel_url);
  };
  options.waits_for = [channel_url] {
    return absl::StrCat("the channel server at ", channel_url());
  };
  options.notes = [channel_url, metrics = MetricsNote(*admin_place, admin_port)] {
    std::vector<std::string> notes = {absl::StrCat("channel server: ", channel_url())};
    if (!metrics.empty()) notes.push_back(metrics);
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

  std::vector<WorkerKind> kinds;
  kinds.push_back(
      {.name = "http",
       .url = absl::StrCat("http://", HostPort(address, bound_port)),
       .listeners = *std::move(listeners),
       .main =
           [&configuration, own = OwnAddress(*admin_place, admin_port)](WorkerKind::Parts parts) {
             return RunWorker(*configuration, own, std::move(parts));
           },
       .counters = GatewayWorker::Counters(),
       .on_end = nullptr});
  if (admin->has_value()) {
    kinds.push_back(AdminKind(
        **std::move(admin), {.service = "http_gateway",
                             .log_level = [&configuration] { return configuration->log_level; }}));
  }

  GatewayConfiguration proven = *configuration;
  absl::StatusOr<std::unique_ptr<Supervisor>> supervisor = Supervisor::Create(
      std::move(options), std::move(kinds),
      {.take_up =
           [&] {
             const auto parsed =
                 ParseFlags(arguments, [service] { return service->ReadPresets(); });
             if (!parsed.ok()) return parsed.status();
             absl::StatusOr<GatewayConfiguration> fresh =
                 ReadGatewayConfiguration(address, service->file());
             if (!fresh.ok()) return fresh.status();
             if (absl::Status status = CheckEngine(*fresh); !status.ok()) return status;
             *configuration = *std::move(fresh);
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
  groupcast::service::ServiceConfiguration service("http_gateway");
  groupcast::service::ParseCommandLine(
      argc, argv,
      "Groupcast's HTTP gateway: programs publish, read and observe groups over HTTP.\n\n"
      "  http_gateway [--port=8080] [--workers=N] [--channel=127.0.0.1:2206] [--config=FILE]\n\n"
      "  curl -d '\"hello\"' -H 'Content-Type: application/json' "
      "http://127.0.0.1:8080/v1/groups/123/messages\n"
      "  curl -N http://127.0.0.1:8080/v1/groups/123/events\n\n"
      "It runs in the foreground and logs to stderr. SIGTERM or SIGINT drains and stops. SIGHUP\n"
      "replaces the workers, after it has read the file of --config and the flags of a --flagfile\n"
      "again. SIGUSR1 prints numbers.",
      /*operands_max=*/0, [&service] { return service.ReadPresets(); });
  if (absl::Status status = groupcast::service::Main({argv + 1, argv + argc}, &service);
      !status.ok()) {
    groupcast::service::PrintLines(absl::StrCat("http_gateway: ", status.message(), "\n"),
                                   spdlog::level::err);
    return 1;
  }
  return 0;
}
