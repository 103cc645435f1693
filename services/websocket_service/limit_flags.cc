#include "services/websocket_service/limit_flags.h"

#include <cstdint>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/flags.h"

ABSL_FLAG(int64_t, max_message_bytes, 64 * 1024,
          "largest message, in bytes; not above the channel server's");
ABSL_FLAG(int64_t, max_frame_bytes, 1 << 20,
          "largest frame from a client, in bytes; over it: close 1009");
ABSL_FLAG(int64_t, max_groups_per_connection, 128, "groups that one connection may be in");
ABSL_FLAG(
    double, commands_per_second, 0,
    "commands of one connection per second; a command to several groups counts once for each. "
    "Over it: error rate_limited. 0 is no limit");
ABSL_FLAG(
    double, command_burst, 256,
    "commands that one connection may send at once after a pause, if --commands_per_second is "
    "set; a client that reconnects joins all its groups at once");
ABSL_FLAG(int64_t, max_connections_per_worker, 100'000,
          "connections of one worker; over it: HTTP 503");
ABSL_FLAG(int64_t, max_connections_per_address, 0,
          "connections of one address to all workers; an IPv6 address is its /64 network. Over it: "
          "HTTP 429. 0 is no limit");
ABSL_FLAG(
    int64_t, max_connections_per_user, 0,
    "connections of one user (the claim sub of tokens) to all workers; over it: close 4503. 0 "
    "is no limit");
ABSL_FLAG(int64_t, max_groups_per_user, 0,
          "groups that all connections of one user may be in together, each counted once for each "
          "connection; over it: error too_many_groups. 0 is no limit");
ABSL_FLAG(double, user_commands_per_second, 0,
          "commands per second that all connections of one user may send to one worker; over it: "
          "error rate_limited. 0 is no limit");
ABSL_FLAG(
    double, user_command_burst, 1024,
    "commands that they may send at once after a pause, if --user_commands_per_second is set");
ABSL_FLAG(double, accepts_per_second, 0,
          "new connections of one worker per second; those over it wait in the kernel. 0 is no "
          "limit");
ABSL_FLAG(double, accept_burst, 1000,
          "new connections that one worker may take at once, if --accepts_per_second is set; at "
          "least a quarter of it");
ABSL_FLAG(
    int64_t, input_bytes_per_second, 0,
    "bytes per second that a worker reads from one connection, at least 16384; the rest waits "
    "in the kernel. 0 is no limit");
ABSL_FLAG(int64_t, input_burst_bytes, 256 << 10,
          "bytes that a worker reads from one connection at once, if --input_bytes_per_second is "
          "set; at least a quarter of it");
ABSL_FLAG(int64_t, max_tls_handshakes_per_worker, 512,
          "TLS handshakes of one worker that are under way, at most half of them of one address; "
          "further ones wait for their turn");
ABSL_FLAG(int64_t, outbox_total_bytes, 1 << 30,
          "memory of all outboxes of one worker, in bytes; over it: close 4001 for those that take "
          "nothing, the largest first");
ABSL_FLAG(int64_t, outbox_bytes, 1 << 20,
          "bytes that wait to be sent to one connection; over it: close 4001");
ABSL_FLAG(int64_t, burst_bytes, 4 << 20,
          "bytes that a burst of messages may put into an outbox beyond --outbox_bytes, while the "
          "client reads");
ABSL_FLAG(
    int64_t, unsent_bytes, 128 << 10,
    "bytes that the kernel queues for one connection before it has sent them; at most a quarter "
    "of --outbox_bytes. Less costs more system calls, and bandwidth of fast clients if a worker "
    "is busy for the time in which the network sends so many bytes");
ABSL_FLAG(int64_t, window_bytes, 64 << 20, "unacknowledged publications of one worker, in bytes");
ABSL_FLAG(
    int64_t, unfinished_bytes, 64 << 20,
    "unfinished messages of one worker's clients, in bytes; over it: close 1009 for those that "
    "do not come to their end");
ABSL_FLAG(int64_t, held_bytes, 64 << 20,
          "input of one worker's clients that waits for the channel, in bytes; over it, the worker "
          "reads from no client until there is room");
ABSL_FLAG(int64_t, deflate_threshold, 256,
          "with --deflate: messages of fewer bytes are not compressed");
ABSL_FLAG(absl::Duration, handshake_timeout, absl::Seconds(10),
          "from accept to the end of the handshake");
ABSL_FLAG(absl::Duration, ping_interval, absl::Seconds(25),
          "silence after which a client is pinged");
ABSL_FLAG(absl::Duration, pong_timeout, absl::Seconds(10),
          "silence after a ping; over it: close 4002");
ABSL_FLAG(absl::Duration, channel_timeout, absl::Seconds(5),
          "how long a join waits for the channel");
ABSL_FLAG(absl::Duration, drain_time, absl::Seconds(5),
          "time over which a stopping service closes its connections");
ABSL_FLAG(absl::Duration, stall_timeout, absl::Seconds(10),
          "a worker that stands still for this time is replaced");

namespace groupcast::service {
namespace {

absl::Status Check(bool ok, absl::string_view sentence) {
  return ok ? absl::OkStatus() : absl::InvalidArgumentError(sentence);
}

// Limits of new connections and of input. A worker looks at those that wait four times a second or
// more often, so a burst must be at least what comes in a quarter of a second.
absl::Status CheckRates() {
  const double accepts = absl::GetFlag(FLAGS_accepts_per_second);
  const double accept_burst = absl::GetFlag(FLAGS_accept_burst);
  const int64_t input = absl::GetFlag(FLAGS_input_bytes_per_second);
  const int64_t input_burst = absl::GetFlag(FLAGS_input_burst_bytes);
  const int64_t per_address = absl::GetFlag(FLAGS_max_connections_per_address);
  const int64_t per_user = absl::GetFlag(FLAGS_max_connections_per_user);
  const int64_t groups_per_user = absl::GetFlag(FLAGS_max_groups_per_user);
  const double user_commands = absl::GetFlag(FLAGS_user_commands_per_second);
  const double user_burst = absl::GetFlag(FLAGS_user_command_burst);
  const auto connections_max = static_cast<int64_t>(Worker::kConnectionsMaxWithAddresses);
  // Written so that NaN fails too.
  for (const absl::Status& status :
       {Check(accepts == 0 || (accepts >= 0.001 && accepts <= 1e6),
              absl::StrCat(FlagPlace("accepts_per_second"),
                           " must be 0 (no limit), or between 0.001 and 1000000")),
        Check(accept_burst >= 1 && accept_burst <= 1e6 && accept_burst >= accepts / 4,
              absl::StrCat(FlagPlace("accept_burst"),
                           " must be between 1 and 1000000, and at least a quarter of "
                           "accepts_per_second")),
        Check(input == 0 || (input >= 16'384 && input <= int64_t{1} << 31),
              absl::StrCat(FlagPlace("input_bytes_per_second"),
                           " must be 0 (no limit), or between 16384 and 2^31")),
        Check(input_burst >= input / 4, absl::StrCat(FlagPlace("input_burst_bytes"),
                                                     " must be at least a quarter of "
                                                     "input_bytes_per_second")),
        Check(per_address >= 0 && per_address <= 1'000'000,
              absl::StrCat(FlagPlace("max_connections_per_address"),
                           " must be 0 (no limit), or between 1 and 1000000")),
        Check(per_user >= 0 && per_user <= 1'000'000,
              absl::StrCat(FlagPlace("max_connections_per_user"),
                           " must be 0 (no limit), or between 1 and 1000000")),
        Check(groups_per_user >= 0 && groups_per_user <= 1'000'000,
              absl::StrCat(FlagPlace("max_groups_per_user"),
                           " must be 0 (no limit), or between 1 and 1000000")),
        Check(user_commands == 0 || (user_commands >= 0.001 && user_commands <= 1e6),
              absl::StrCat(FlagPlace("user_commands_per_second"),
                           " must be 0 (no limit), or between 0.001 and 1000000")),
        Check(user_burst >= 1 && user_burst <= 1e6,
              absl::StrCat(FlagPlace("user_command_burst"), " must be between 1 and 1000000")),
        Check((per_user == 0 && groups_per_user == 0) ||
                  absl::GetFlag(FLAGS_max_connections_per_worker) <= connections_max,
              absl::StrCat(
                  FlagPlace(per_user > 0 ? "max_connections_per_user" : "max_groups_per_user"),
                  " needs max_connections_per_worker of at most ", connections_max)),
        Check(
            per_address == 0 || absl::GetFlag(FLAGS_max_connections_per_worker) <= connections_max,
            absl::StrCat(FlagPlace("max_connections_per_address"),
                         " needs max_connections_per_worker of at most ", connections_max))}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckCommandRate() {
  // Written so that NaN fails too.
  const double commands_per_second = absl::GetFlag(FLAGS_commands_per_second);
  const double command_burst = absl::GetFlag(FLAGS_command_burst);
  for (const absl::Status& status :
       {Check(commands_per_second == 0 ||
                  (commands_per_second >= 0.001 && commands_per_second <= 1e6),
              absl::StrCat(FlagPlace("commands_per_second"),
                           " must be 0 (no limit), or between 0.001 and 1000000")),
        Check(command_burst >= 1 && command_burst <= 1e6,
              absl::StrCat(FlagPlace("command_burst"), " must be between 1 and 1000000"))}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckSizes() {
  for (const auto& [flag, value] :
       {std::pair<absl::string_view, int64_t>{"max_message_bytes",
                                              absl::GetFlag(FLAGS_max_message_bytes)},
        {"max_frame_bytes", absl::GetFlag(FLAGS_max_frame_bytes)},
        {"max_groups_per_connection", absl::GetFlag(FLAGS_max_groups_per_connection)},
        {"max_connections_per_worker", absl::GetFlag(FLAGS_max_connections_per_worker)},
        {"max_tls_handshakes_per_worker", absl::GetFlag(FLAGS_max_tls_handshakes_per_worker)},
        {"deflate_threshold", absl::GetFlag(FLAGS_deflate_threshold)},
        {"outbox_total_bytes", absl::GetFlag(FLAGS_outbox_total_bytes)},
        {"input_burst_bytes", absl::GetFlag(FLAGS_input_burst_bytes)},
        {"outbox_bytes", absl::GetFlag(FLAGS_outbox_bytes)},
        {"burst_bytes", absl::GetFlag(FLAGS_burst_bytes)},
        {"unsent_bytes", absl::GetFlag(FLAGS_unsent_bytes)},
        {"window_bytes", absl::GetFlag(FLAGS_window_bytes)},
        {"unfinished_bytes", absl::GetFlag(FLAGS_unfinished_bytes)},
        {"held_bytes", absl::GetFlag(FLAGS_held_bytes)}}) {
    if (absl::Status status =
            Check(value > 0 && value <= int64_t{1} << 31,
                  absl::StrCat(FlagPlace(flag), "=", value, " is not between 1 and 2^31"));
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTimes() {
  for (const auto& [flag, value] :
       {std::pair<absl::string_view, absl::Duration>{"handshake_timeout",
                                                     absl::GetFlag(FLAGS_handshake_timeout)},
        {"ping_interval", absl::GetFlag(FLAGS_ping_interval)},
        {"pong_timeout", absl::GetFlag(FLAGS_pong_timeout)},
        {"channel_timeout", absl::GetFlag(FLAGS_channel_timeout)},
        {"drain_time", absl::GetFlag(FLAGS_drain_time)},
        {"stall_timeout", absl::GetFlag(FLAGS_stall_timeout)}}) {
    if (absl::Status status =
            Check(value > absl::ZeroDuration() && value <= absl::Hours(24),
                  absl::StrCat(FlagPlace(flag), " must be above 0 and at most 24h"));
        !status.ok()) {
      return status;
    }
  }
  return Check(absl::GetFlag(FLAGS_stall_timeout) >= absl::Seconds(1),
               absl::StrCat(FlagPlace("stall_timeout"), " must be at least 1s"));
}

}  // namespace

absl::Status ReadLimits(WorkerOptions* worker, ChannelOptions* channel) {
  if (absl::Status status = CheckSizes(); !status.ok()) return status;
  if (absl::Status status = CheckTimes(); !status.ok()) return status;
  if (absl::Status status = CheckCommandRate(); !status.ok()) return status;
  if (absl::Status status = CheckRates(); !status.ok()) return status;
  worker->tls_handshakes_max =
      static_cast<size_t>(absl::GetFlag(FLAGS_max_tls_handshakes_per_worker));
  worker->session.frame_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_max_frame_bytes));
  worker->session.outbox_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_outbox_bytes));
  worker->session.burst_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_burst_bytes));
  worker->session.unsent_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_unsent_bytes));
  worker->groups.commands.message_bytes_max =
      static_cast<size_t>(absl::GetFlag(FLAGS_max_message_bytes));
  worker->groups.memberships.groups_max =
      static_cast<size_t>(absl::GetFlag(FLAGS_max_groups_per_connection));
  worker->groups.command_rate = {.per_second = absl::GetFlag(FLAGS_commands_per_second),
                                 .burst = absl::GetFlag(FLAGS_command_burst)};
  worker->groups.memberships.join_timeout = absl::GetFlag(FLAGS_channel_timeout);
  worker->groups.presence.read_timeout = absl::GetFlag(FLAGS_channel_timeout);
  worker->handshake_timeout = absl::GetFlag(FLAGS_handshake_timeout);
  worker->ping_interval = absl::GetFlag(FLAGS_ping_interval);
  worker->pong_timeout = absl::GetFlag(FLAGS_pong_timeout);
  worker->drain_time = absl::GetFlag(FLAGS_drain_time);
  worker->connections_max = static_cast<size_t>(absl::GetFlag(FLAGS_max_connections_per_worker));
  worker->connections_per_address_max =
      static_cast<uint32_t>(absl::GetFlag(FLAGS_max_connections_per_address));
  worker->groups.users = {
      .connections_max = static_cast<uint32_t>(absl::GetFlag(FLAGS_max_connections_per_user)),
      .groups_max = static_cast<uint32_t>(absl::GetFlag(FLAGS_max_groups_per_user)),
      .command_rate = {.per_second = absl::GetFlag(FLAGS_user_commands_per_second),
                       .burst = absl::GetFlag(FLAGS_user_command_burst)}};
  worker->accept_rate = {.per_second = absl::GetFlag(FLAGS_accepts_per_second),
                         .burst = absl::GetFlag(FLAGS_accept_burst)};
  worker->session.input_rate = {
      .per_second = static_cast<double>(absl::GetFlag(FLAGS_input_bytes_per_second)),
      .burst = static_cast<double>(absl::GetFlag(FLAGS_input_burst_bytes))};
  worker->deflate_threshold_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_deflate_threshold));
  worker->outbox_total_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_outbox_total_bytes));
  worker->unfinished_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_unfinished_bytes));
  worker->held_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_held_bytes));
  channel->message_bytes_max = worker->groups.commands.message_bytes_max;
  channel->window_bytes_max = static_cast<size_t>(absl::GetFlag(FLAGS_window_bytes));
  return absl::OkStatus();
}

}  // namespace groupcast::service
