#include "services/http_gateway/gateway_configuration.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/address.h"
#include "services/common/flags.h"
#include "services/common/logging.h"
#include "services/configuration/group_rules.h"
#include "services/http/pages.h"
#include "services/settings/access_flags.h"
#include "services/settings/channel_flags.h"
#include "services/settings/origin_flags.h"
#include "services/settings/send_rules_settings.h"

ABSL_FLAG(int64_t, max_message_bytes, 64 * 1024,
          "largest message, in bytes; not above the channel server's");
ABSL_FLAG(int64_t, max_body_bytes, 8 << 20, "largest body of a request, in bytes; over it: 413");
ABSL_FLAG(int64_t, max_groups_per_stream, 32, "groups that one stream of events may have");
ABSL_FLAG(int64_t, max_connections_per_worker, 20'000,
          "connections of one worker; over it: HTTP 503");
ABSL_FLAG(double, requests_per_second, 0,
          "requests of one connection per second; each group of each message counts. Over it: HTTP "
          "429. 0 is no limit");
ABSL_FLAG(double, request_burst, 1000,
          "requests that one connection may send at once after a pause, if --requests_per_second "
          "is set");
ABSL_FLAG(int64_t, outbox_bytes, 1 << 20,
          "bytes that wait to be sent to one stream; over it, the stream ends");
ABSL_FLAG(int64_t, burst_bytes, 4 << 20,
          "bytes that a burst of messages may put into an outbox beyond --outbox_bytes, while the "
          "client reads");
ABSL_FLAG(int64_t, unsent_bytes, 128 << 10,
          "bytes that the kernel queues for one connection before it has sent them; at most a "
          "quarter of --outbox_bytes");
ABSL_FLAG(
    int64_t, outbox_total_bytes, 1 << 30,
    "memory of all outboxes of one worker, in bytes; over it, the worst consumers are closed");
ABSL_FLAG(int64_t, window_bytes, 64 << 20, "unacknowledged publications of one worker, in bytes");
ABSL_FLAG(
    int64_t, unfinished_bytes, 64 << 20,
    "unfinished requests of one worker, in bytes: over it, those that do not come to their "
    "end are closed. Also the bound of requests that wait for the channel; over it: HTTP 503");
ABSL_FLAG(absl::Duration, request_timeout, absl::Seconds(30),
          "from the first byte of a request to its last, and for a client to take an answer");
ABSL_FLAG(absl::Duration, idle_timeout, absl::Seconds(75),
          "how long a connection may stay without a request");
ABSL_FLAG(absl::Duration, heartbeat_interval, absl::Seconds(25),
          "how often a stream of events gets a comment, so that proxies keep it");
ABSL_FLAG(absl::Duration, channel_timeout, absl::Seconds(5),
          "how long a join, and a question for members, wait for the channel");
ABSL_FLAG(absl::Duration, drain_time, absl::Seconds(5),
          "time over which a stopping service ends its streams");
ABSL_FLAG(absl::Duration, stall_timeout, absl::Seconds(10),
          "a worker that stands still for this time is replaced");
ABSL_FLAG(
    std::string, dashboard_pages, "",
    "directory with the files of the dashboard, which is at /dashboard; empty: there is none");
ABSL_FLAG(std::string, dashboard_services, "127.0.0.1:9206,127.0.0.1:9234",
          "admin ports of the services that the dashboard shows, with commas between them; at most "
          "64. The gateway itself is always among them");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warning, error or off");

namespace groupcast::service {
namespace {

// A JSON text may have six bytes for each of a message's ("\u0001").
constexpr int64_t kJsonBytesPerByte = 6;

absl::Status Check(bool ok, absl::string_view flag, absl::string_view rest) {
  if (ok) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(FlagPlace(flag), rest));
}

absl::Status CheckNumbers() {
  for (const auto& [flag, value] :
       {std::pair<absl::string_view, int64_t>{"max_message_bytes",
                                              absl::GetFlag(FLAGS_max_message_bytes)},
        {"max_body_bytes", absl::GetFlag(FLAGS_max_body_bytes)},
        {"max_connections_per_worker", absl::GetFlag(FLAGS_max_connections_per_worker)},
        {"outbox_bytes", absl::GetFlag(FLAGS_outbox_bytes)},
        {"burst_bytes", absl::GetFlag(FLAGS_burst_bytes)},
        {"unsent_bytes", absl::GetFlag(FLAGS_unsent_bytes)},
        {"outbox_total_bytes", absl::GetFlag(FLAGS_outbox_total_bytes)},
        {"window_bytes", absl::GetFlag(FLAGS_window_bytes)},
        {"unfinished_bytes", absl::GetFlag(FLAGS_unfinished_bytes)}}) {
    if (absl::Status status = Check(value > 0 && value <= int64_t{1} << 31, flag,
                                    absl::StrCat("=", value, " is not between 1 and 2^31"));
        !status.ok()) {
      return status;
    }
  }
  for (const auto& [flag, value] : {std::pair<absl::string_view, absl::Duration>{
                                        "request_timeout", absl::GetFlag(FLAGS_request_timeout)},
                                    {"idle_timeout", absl::GetFlag(FLAGS_idle_timeout)},
                                    {"heartbeat_interval", absl::GetFlag(FLAGS_heartbeat_interval)},
                                    {"channel_timeout", absl::GetFlag(FLAGS_channel_timeout)},
                                    {"drain_time", absl::GetFlag(FLAGS_drain_time)},
                                    {"stall_timeout", absl::GetFlag(FLAGS_stall_timeout)}}) {
    if (absl::Status status = Check(value > absl::ZeroDuration() && value <= absl::Hours(24), flag,
                                    " must be above 0 and at most 24h");
        !status.ok()) {
      return status;
    }
  }
  const int64_t groups = absl::GetFlag(FLAGS_max_groups_per_stream);
  const double rate = absl::GetFlag(FLAGS_requests_per_second);
  const double burst = absl::GetFlag(FLAGS_request_burst);
  // Written so that NaN fails too.
  for (const absl::Status& status :
       {Check(absl::GetFlag(FLAGS_stall_timeout) >= absl::Seconds(1), "stall_timeout",
              " must be at least 1s"),
        Check(groups >= 1 && groups <= 128, "max_groups_per_stream",
              absl::StrCat("=", groups, " is not between 1 and 128")),
        Check(rate == 0 || (rate >= 0.001 && rate <= 1e6), "requests_per_second",
              " must be 0 (no limit), or between 0.001 and 1000000"),
        Check(burst >= 1 && burst <= 1e6, "request_burst", " must be between 1 and 1000000"),
        Check(absl::GetFlag(FLAGS_max_body_bytes) >=
                  kJsonBytesPerByte * absl::GetFlag(FLAGS_max_message_bytes) + 1024,
              "max_body_bytes",
              " must have room for a message with escapes: 6 times max_message_bytes, and 1024")}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

size_t Size(int64_t value) { return static_cast<size_t>(value); }

}  // namespace

absl::StatusOr<GatewayConfiguration> ReadGatewayConfiguration(const std::string& bind_address,
                                                              const ConfigurationFile& file) {
  if (absl::Status status = CheckNumbers(); !status.ok()) return status;
  GatewayConfiguration configuration;
  configuration.log_level = absl::GetFlag(FLAGS_log_level);
  if (absl::Status status = CheckLogLevel(configuration.log_level); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(FlagPlace("log_level"), ": ", status.message()));
  }
  absl::StatusOr<ChannelUrl> channel_url = ReadChannelUrl();
  if (!channel_url.ok()) return channel_url.status();
  absl::StatusOr<std::shared_ptr<const CurveClientKeys>> channel_keys = ReadChannelKeys();
  if (!channel_keys.ok()) return channel_keys.status();
  absl::StatusOr<OriginPolicy> origins = ReadOrigins(bind_address);
  if (!origins.ok()) return origins.status();
  absl::StatusOr<ApiKeys> api_keys = ApiKeys::Read(file);
  if (!api_keys.ok()) return api_keys.status();
  const size_t message_bytes_max = Size(absl::GetFlag(FLAGS_max_message_bytes));
  absl::StatusOr<std::vector<GroupRule>> rules = ReadGroupRules(file, message_bytes_max);
  if (!rules.ok()) return rules.status();
  absl::StatusOr<AuthenticatorOptions> access =
      ReadAccess({.bind_address = bind_address,
                  .rules = *rules,
                  .group_tokens_max = 1,
                  .has_other_keys = !api_keys->empty(),
                  .other_keys_hint = "the api_keys of the file of --config let in programs, "});
  if (!access.ok()) return access.status();

  GatewayOptions& worker = configuration.worker;
  worker.needs_credentials =
      access->policy->needs_token() || (!api_keys->empty() && !access->policy->allows_anonymous());
  worker.anyone_manages = api_keys->empty() && access->policy->tokens() == nullptr &&
                          IsLoopback(bind_address) && !origins->has_entries();
  worker.api_keys = std::make_shared<const ApiKeys>(*std::move(api_keys));
  worker.origins = *std::move(origins);
  worker.groups.access = *std::move(access);
  worker.groups.send_rules = SendRulesOf(*rules, message_bytes_max);
  worker.groups.commands.message_bytes_max = message_bytes_max;
  worker.groups.memberships.groups_max = Size(absl::GetFlag(FLAGS_max_groups_per_stream));
  worker.groups.memberships.join_timeout = absl::GetFlag(FLAGS_channel_timeout);
  worker.groups.presence.read_timeout = absl::GetFlag(FLAGS_channel_timeout);
  worker.groups.command_rate = {.per_second = absl::GetFlag(FLAGS_requests_per_second),
                                .burst = absl::GetFlag(FLAGS_request_burst)};
  worker.connection.requests.body_bytes_max = Size(absl::GetFlag(FLAGS_max_body_bytes));
  worker.connection.calls.commands = worker.groups.commands;
  worker.connection.calls.stream_groups_max = worker.groups.memberships.groups_max;
  worker.connection.outbox_bytes_max = Size(absl::GetFlag(FLAGS_outbox_bytes));
  worker.connection.burst_bytes_max = Size(absl::GetFlag(FLAGS_burst_bytes));
  worker.connection.unsent_bytes_max = Size(absl::GetFlag(FLAGS_unsent_bytes));
  worker.request_timeout = absl::GetFlag(FLAGS_request_timeout);
  worker.idle_timeout = absl::GetFlag(FLAGS_idle_timeout);
  worker.heartbeat_interval = absl::GetFlag(FLAGS_heartbeat_interval);
  worker.connection.dead_peer_timeout = worker.heartbeat_interval + absl::Seconds(10);
  worker.drain_time = absl::GetFlag(FLAGS_drain_time);
  worker.connections_max = Size(absl::GetFlag(FLAGS_max_connections_per_worker));
  worker.outbox_total_bytes_max = Size(absl::GetFlag(FLAGS_outbox_total_bytes));
  worker.unfinished_bytes_max = Size(absl::GetFlag(FLAGS_unfinished_bytes));
  absl::StatusOr<std::vector<ServiceAddress>> services = ReadServiceAddresses(
      FlagPlace("dashboard_services"), absl::GetFlag(FLAGS_dashboard_services));
  if (!services.ok()) return services.status();
  worker.services = *std::move(services);
  if (const std::string directory = absl::GetFlag(FLAGS_dashboard_pages); !directory.empty()) {
    absl::StatusOr<Pages> pages = Pages::Load(directory);
    if (!pages.ok()) return AtPresetPlace("dashboard_pages", pages.status());
    worker.dashboard = std::make_shared<const Pages>(*std::move(pages));
  }
  configuration.channel_url = *std::move(channel_url);
  configuration.channel.message_bytes_max = message_bytes_max;
  configuration.channel.window_bytes_max = Size(absl::GetFlag(FLAGS_window_bytes));
  configuration.channel.curve = *std::move(channel_keys);
  return configuration;
}

}  // namespace groupcast::service
