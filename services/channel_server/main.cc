// The channel server: gives every group's messages one order and hands them to all workers.

#include <algorithm>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/channel_server/admin_thread.h"
#include "services/channel_server/log/file_storage.h"
#include "services/channel_server/server.h"
#include "services/channel_server/server_report.h"
#include "services/common/address.h"
#include "services/common/clock.h"
#include "services/common/flags.h"
#include "services/common/heap_trim.h"
#include "services/common/logging.h"
#include "services/common/posix.h"
#include "services/common/ready_file.h"
#include "services/common/service_manager.h"
#include "services/configuration/group_rules.h"
#include "services/configuration/service_configuration.h"
#include "services/metrics/admin_port.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, bind_address, "127.0.0.1",
          "address to listen on; an IPv6 address may be in brackets");
ABSL_FLAG(int, port, 2206, "publish port; 0 takes three consecutive free ports");
ABSL_FLAG(int, subscribe_port, 0, "subscribe port; 0 is the publish port + 1");
ABSL_FLAG(int, control_port, 0, "control port; 0 is the publish port + 2");
ABSL_FLAG(int, admin_port, 9206,
          "port of /metrics, /healthz and /readyz; -1 is for none. With --port=0, the default "
          "becomes a free port too. If the default is in use, there is none, and a warning");
ABSL_FLAG(
    std::string, socket_dir, "",
    "directory of Unix sockets; workers on this machine reach the server through them at less "
    "cost than through its ports: websocket_service --channel=unix:DIR");
ABSL_FLAG(std::string, curve_secret_key, "",
          "file with this server's secret CURVE key, of tools/curve_key; with it, all links to "
          "workers are encrypted, and workers need keys");
ABSL_FLAG(std::string, curve_allowed_keys, "",
          "file with the public CURVE keys of workers that may connect, one a line; a name may "
          "follow each key");
ABSL_FLAG(std::string, data_dir, "",
          "directory of the log; the server makes it if it is missing. With a log, a restart loses "
          "nothing; without one, a restart begins a new history");
ABSL_FLAG(std::string, fsync, "interval",
          "when the log is forced to the disk. A power loss may then cost: never, all that the "
          "system has not written yet; interval, about the last second; always, nothing (slower). "
          "The end of the process costs nothing, also by kill -9");
ABSL_FLAG(bool, new_epoch, false,
          "begin a new history instead of continuing the log's, and tell members so; for the first "
          "start after --data_dir was restored from a backup");
ABSL_FLAG(std::string, ready_file, "",
          "file with the publish port as JSON; it appears when the server can be used");
ABSL_FLAG(int64_t, max_message_bytes, 64 * 1024,
          "largest message that the server accepts, in bytes");
ABSL_FLAG(int64_t, history_messages, 100, "messages of each group that clients can read");
ABSL_FLAG(absl::Duration, history_age, absl::Seconds(300), "how long clients can read a message");
ABSL_FLAG(absl::Duration, repair_retention, absl::Seconds(60),
          "how long the server keeps every message, for workers and clients that missed it");
ABSL_FLAG(
    int64_t, retained_bytes, 512 << 20,
    "bytes of all retained messages together; over it, the groups that hold the most lose their "
    "oldest");
ABSL_FLAG(
    int, subscriber_queue_frames, 4'000,
    "messages in the queue to one worker; when it is full, publications wait until the worker "
    "has drained half of it");
ABSL_FLAG(absl::Duration, subscriber_patience, absl::Seconds(1),
          "how long publications wait for a full --subscriber_queue_frames; then the server drops "
          "for that worker for 10 s, and the worker repairs later");
ABSL_FLAG(absl::Duration, presence_grace, absl::Seconds(5),
          "a client that loses its connection and comes back within this time does not leave and "
          "join the members of its groups; 0s: each connection counts by itself");
ABSL_FLAG(int, io_threads, 1, "threads that read and write sockets");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warning, error or off");
ABSL_FLAG(std::string, log_format, "text",
          "form of log lines: text for people, or json for machines, one object a line");

namespace groupcast::service {
namespace {

constexpr int64_t kSizeMax = int64_t{1} << 31;
constexpr int64_t kIoThreadsMax = 64;
constexpr absl::Duration kKeptMax = absl::Hours(24 * 365);  // of messages, as in group rules

absl::Status CheckPort(absl::string_view flag, int port) {
  if (port >= 0 && port <= 65'535) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(FlagPlace(flag), "=", port, " is not a port"));
}

// From 1 on.
absl::Status CheckNumber(absl::string_view flag, int64_t value, int64_t value_max) {
  if (value > 0 && value <= value_max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(FlagPlace(flag), "=", value, " is not between 1 and ", value_max));
}

absl::Status CheckDuration(absl::string_view flag, absl::Duration value, absl::Duration value_min,
                           absl::Duration value_max) {
  if (value >= value_min && value <= value_max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(FlagPlace(flag), " must be between ",
                                                 absl::FormatDuration(value_min), " and ",
                                                 absl::FormatDuration(value_max)));
}

// Logs the fate of the messages after the end of this server, and the report about the log of the
// one before.
void TellLog(const Server& server, const std::string& data_dir, absl::Duration took) {
  if (data_dir.empty()) {
    spdlog::info("no --data_dir: a restart forgets all messages, and members are told");
    return;
  }
  const RecoveryReport& report = server.recovered();
  const std::string fsync = absl::GetFlag(FLAGS_fsync);
  if (!report.existed) {
    spdlog::info("data directory {} is new: a log begins in it (fsync {})", data_dir, fsync);
    return;
  }
  if (report.torn_bytes > 0) {
    spdlog::warn("data directory {}: {} bytes were cut off the end, which was not whole: {}",
                 data_dir, report.torn_bytes, report.torn);
  }
  spdlog::info("data directory {}: {:.1f} MiB of log recovered in {:.1f} s, {} (fsync {})",
               data_dir, static_cast<double>(report.bytes) / (1 << 20), absl::ToDoubleSeconds(took),
               report.clean ? "as it was closed" : "which was not closed: its server was killed",
               fsync);
  if (report.tail_may_be_missing) {
    spdlog::warn(
        "data directory {}: the machine itself has stopped since, and the newest messages may be "
        "missing: a new epoch begins, and members are told",
        data_dir);
  } else if (absl::GetFlag(FLAGS_new_epoch)) {
    spdlog::warn(
        "data directory {}: a new epoch begins, and members are told, because of --new_epoch",
        data_dir);
  }
  spdlog::info("it goes on after offset {}, with {} groups; {} workers may come back",
               server.broker().last_offset(), server.broker().group_count(),
               server.broker().publisher_count());
}

absl::StatusOr<ServerOptions> ReadOptions(const ConfigurationFile& file) {
  const int port = absl::GetFlag(FLAGS_port);
  const int subscribe_port = absl::GetFlag(FLAGS_subscribe_port);
  const int control_port = absl::GetFlag(FLAGS_control_port);
  for (const absl::Status& status :
       {CheckPort("port", port), CheckPort("subscribe_port", subscribe_port),
        CheckPort("control_port", control_port),
        CheckNumber("max_message_bytes", absl::GetFlag(FLAGS_max_message_bytes), kSizeMax),
        CheckNumber("history_messages", absl::GetFlag(FLAGS_history_messages), kSizeMax),
        CheckNumber("retained_bytes", absl::GetFlag(FLAGS_retained_bytes), int64_t{1} << 40),
        CheckNumber("subscriber_queue_frames", absl::GetFlag(FLAGS_subscriber_queue_frames),
                    kSizeMax),
        CheckNumber("io_threads", absl::GetFlag(FLAGS_io_threads), kIoThreadsMax),
        CheckDuration("history_age", absl::GetFlag(FLAGS_history_age), absl::ZeroDuration(),
                      kKeptMax),
        CheckDuration("repair_retention", absl::GetFlag(FLAGS_repair_retention), absl::Seconds(1),
                      kKeptMax),
        CheckDuration("subscriber_patience", absl::GetFlag(FLAGS_subscriber_patience),
                      absl::ZeroDuration(), absl::Hours(24)),
        CheckDuration("presence_grace", absl::GetFlag(FLAGS_presence_grace), absl::ZeroDuration(),
                      absl::Minutes(1))}) {
    if (!status.ok()) return status;
  }
  if (port > 65'533 && (subscribe_port == 0 || control_port == 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(FlagPlace("port"), " leaves no room for the two ports after it"));
  }
  const absl::StatusOr<FsyncMode> fsync = ParseFsyncMode(absl::GetFlag(FLAGS_fsync));
  if (!fsync.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(FlagPlace("fsync"), ": ", fsync.status().message()));
  }
  ServerOptions options;
  options.address.host = std::string(WithoutBrackets(absl::GetFlag(FLAGS_bind_address)));
  options.address.socket_dir = absl::GetFlag(FLAGS_socket_dir);
  options.address.publish_port = static_cast<uint16_t>(port);
  options.address.subscribe_port =
      static_cast<uint16_t>(subscribe_port ? subscribe_port : port + 1);
  options.address.control_port = static_cast<uint16_t>(control_port ? control_port : port + 2);
  options.subscriber_queue_frames_max = absl::GetFlag(FLAGS_subscriber_queue_frames);
  options.subscriber_patience = absl::GetFlag(FLAGS_subscriber_patience);
  options.io_threads = absl::GetFlag(FLAGS_io_threads);
  options.data_dir = absl::GetFlag(FLAGS_data_dir);
  options.begin_new_epoch = absl::GetFlag(FLAGS_new_epoch);
  options.log.fsync = *fsync;
  options.log.boot_id = ReadBootId();
  options.broker.new_epoch = [] { return Epoch{RandomId()}; };
  options.broker.has_log = !options.data_dir.empty();
  options.broker.record_room_bytes = GroupLog::kRecordHeaderBytes;
  options.broker.max_message_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_max_message_bytes));
  options.broker.retention.history_messages_max =
      static_cast<size_t>(absl::GetFlag(FLAGS_history_messages));
  options.broker.retention.history_age_max = absl::GetFlag(FLAGS_history_age);
  options.broker.retention.repair_retention = absl::GetFlag(FLAGS_repair_retention);
  options.broker.retention.bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_retained_bytes));
  const CurveFile secret_key = {FlagPlace("curve_secret_key"),
                                absl::GetFlag(FLAGS_curve_secret_key)};
  const CurveFile allowed_keys = {FlagPlace("curve_allowed_keys"),
                                  absl::GetFlag(FLAGS_curve_allowed_keys)};
  if (!secret_key.path.empty() || !allowed_keys.path.empty()) {
    absl::StatusOr<CurveServerKeys> keys = ReadCurveServerKeys(secret_key, allowed_keys);
    if (!keys.ok()) return keys.status();
    options.curve = *std::move(keys);
  }
  options.broker.presence.groups.grace = absl::GetFlag(FLAGS_presence_grace);
  const absl::StatusOr<std::vector<GroupRule>> rules = ReadGroupRules(file);
  if (!rules.ok()) return rules.status();
  RetentionOptions& retention = options.broker.retention;
  for (const GroupRule& rule : *rules) {
    retention.histories.emplace_back(
        rule.prefix,
        RetentionOptions::History{
            .messages_max = rule.history_count.value_or(retention.history_messages_max),
            .age_max = rule.history_age.value_or(retention.history_age_max)});
  }
  // The time for which a restart may need the records, and one segment more.
  options.log.keep =
      std::max(LongestKept(retention), options.broker.keys.window) + options.log.segment_age_max;
  return options;
}

// The rules of the file, for comparison.
std::string RulesOf(const ConfigurationFile& file) {
  configuration::v1::Configuration rules;
  *rules.mutable_group_rules() = file.values().group_rules();
  return rules.SerializeAsString();
}

// SIGHUP: checks the configuration anew, takes up the log level, and says what it keeps. Returns
// the server's status then. `rules_at_start` is RulesOf the file that the server runs with.
std::string TakeUp(const std::vector<std::string>& arguments, const std::string& rules_at_start,
                   ServiceConfiguration* service) {
  absl::Status status =
      ParseFlags(arguments, [service] { return service->ReadPresets(); }).status();
  if (status.ok()) status = ReadOptions(service->file()).status();
  const std::string level = absl::GetFlag(FLAGS_log_level);
  if (status.ok()) status = AtPresetPlace("log_level", CheckLogLevel(level));
  if (!status.ok()) {
    spdlog::error("SIGHUP: the configuration is not usable, nothing changes: {}",
                  std::string(status.message()));
    return absl::StrCat("ready; the last reload failed: ", status.message());
  }
  spdlog::set_level(spdlog::level::from_str(level));
  std::vector<std::string> kept = service->KeptFields();
  if (RulesOf(service->file()) != rules_at_start) kept.push_back("group_rules");
  if (kept.empty()) {
    spdlog::info("SIGHUP: the configuration is taken up");
  } else {
    spdlog::warn("SIGHUP: what a running service keeps until it starts again: {}",
                 absl::StrJoin(kept, ", "));
  }
  return "ready, with the configuration of the last reload";
}

absl::Status Main(const std::vector<std::string>& arguments, ServiceConfiguration* service) {
  const absl::StatusOr<LogFormat> log_format = ParseLogFormat(absl::GetFlag(FLAGS_log_format));
  if (!log_format.ok()) return AtPresetPlace("log_format", log_format.status());
  if (absl::Status status =
          InitLogging(absl::GetFlag(FLAGS_log_level), *log_format, "channel_server");
      !status.ok()) {
    return AtPresetPlace("log_level", status);
  }
  const absl::StatusOr<ServerOptions> options = ReadOptions(service->file());
  if (!options.ok()) return options.status();
  const absl::StatusOr<AdminPlace> admin_place =
      ReadAdminPlace(absl::GetFlag(FLAGS_admin_port), options->address.publish_port);
  if (!admin_place.ok()) return admin_place.status();
  absl::StatusOr<ReadyFile> ready_file = ReadyFile::Create(absl::GetFlag(FLAGS_ready_file));
  if (!ready_file.ok()) return AtPresetPlace("ready_file", ready_file.status());
  const absl::StatusOr<std::string> answer = service->Answer();
  if (!answer.ok()) return answer.status();
  if (!answer->empty()) return WriteAnswer(*answer);

  service->RememberStart();
  const std::string rules = RulesOf(service->file());
  // Blocked before any thread is created, so that only the loop takes them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  // The other services print their numbers then, so it may be meant for all.
  std::signal(SIGUSR1, SIG_IGN);

  RaiseOpenFilesLimit();
  ServiceManager service_manager = ServiceManager::FromEnvironment();
  absl::StatusOr<std::optional<AdminPort>> admin_port = OpenAdminPort(*admin_place);
  if (!admin_port.ok()) return admin_port.status();
  ReadyPorts ports;
  ServerReport report(MonotonicClock().Now());
  std::unique_ptr<AdminThread> admin;  // null: there is no admin port
  if (admin_port->has_value()) {
    ports.admin_port = (*admin_port)->port;
    absl::StatusOr<std::unique_ptr<AdminThread>> started =
        AdminThread::Start(**std::move(admin_port), &report);
    if (!started.ok()) return started.status();
    admin = *std::move(started);
  }
  const absl::Time begin = absl::Now();
  if (!options->data_dir.empty()) {
    service_manager.Status("reading the data directory");
    spdlog::info("data directory {}: reading what is there", options->data_dir);
  }
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(*options);
  if (!server.ok()) return server.status();
  TellLog(**server, options->data_dir, absl::Now() - begin);
  const ChannelAddress& address = (*server)->address();
  if (options->curve.has_value()) {
    spdlog::info("all links are encrypted (CURVE), for workers with one of {} keys",
                 options->curve->allowed.size());
  } else if (!IsLoopback(address.host)) {
    spdlog::warn(
        "LISTENING ON {} WITHOUT KEYS: everybody who reaches these ports can read and write every "
        "group",
        address.host);
  }
  std::string url = TcpUrl(address);
  if (absl::StrContains(url, '&')) url = absl::StrCat("'", url, "'");  // for a shell
  spdlog::info(
      "ready for workers: websocket_service --channel={} (publish {}, subscribe {}, control {}; "
      "epoch {}); SIGTERM or Ctrl-C stops it",
      url, address.publish_port, address.subscribe_port, address.control_port,
      EpochText((*server)->broker().epoch()));
  if (!address.socket_dir.empty()) {
    spdlog::info("for workers on this machine: websocket_service --channel=unix:{}",
                 address.socket_dir);
  }
  const std::string metrics = MetricsNote(*admin_place, ports.admin_port);
  if (!metrics.empty()) spdlog::info("{}", metrics);
  service_manager.Ready("ready");
  ports.port = address.publish_port;
  HeapTrim heap_trim;
  const absl::StatusOr<int> signal = (*server)->Run(
      signals,
      [&](absl::Time now) {
        report.OnTurn(now, [&] { return (*server)->numbers(); });
        ready_file->Write(ports, now);
        heap_trim.OnTime(now);
        service_manager.OnTurn(now);
      },
      [&] {
        service_manager.Reloading("checking the configuration", MonotonicClock().Now());
        service_manager.Ready(TakeUp(arguments, rules, service));
      },
      [&] {
        report.SetStopping();
        service_manager.Stopping("closing the log");
      });
  if (!signal.ok()) return signal.status();
  const Broker::Counters& counters = (*server)->broker().counters();
  spdlog::info(
      "{}: {} messages, {} announcements; {} repeated, {} with a key of before, {} out of turn, {} "
      "of strangers, {} refused, {} malformed, {} failed writes",
      strsignal(*signal), counters.publications, counters.announcements, counters.repeated,
      counters.same_key, counters.out_of_turn, counters.strangers, counters.refused(),
      counters.malformed, counters.failed_writes);
  if (!options->data_dir.empty()) {
    spdlog::info("data directory {}: the log is closed; the next start goes on from it",
                 options->data_dir);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupcast::service

int main(int argc, char** argv) {
  groupcast::service::GuardStandardStreams();
  groupcast::service::ServiceConfiguration service("channel_server");
  groupcast::service::ParseCommandLine(
      argc, argv,
      "Groupcast's channel server: gives every group's messages one order.\n\n"
      "  channel_server [--port=2206] [--data_dir=DIR] [--socket_dir=DIR] [--config=FILE]\n\n"
      "It runs in the foreground and logs to stderr. SIGTERM or SIGINT stops it. SIGHUP checks "
      "the\n"
      "configuration again, and says what a restart would change.",
      /*operands_max=*/0, [&service] { return service.ReadPresets(); });
  if (absl::Status status = groupcast::service::Main({argv + 1, argv + argc}, &service);
      !status.ok()) {
    groupcast::service::PrintLines(absl::StrCat("channel_server: ", status.message(), "\n"),
                                   spdlog::level::err);
    return 1;
  }
  return 0;
}
