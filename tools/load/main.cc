// Puts load on running services and reports what it cost them. tools/measure starts the services
// and calls this.

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "services/common/flags.h"
#include "tools/load/channel_load.h"
#include "tools/load/log_load.h"
#include "tools/load/restart_load.h"
#include "tools/load/websocket_load.h"

ABSL_FLAG(int, channel_port, 2206, "the channel server's publish port");
ABSL_FLAG(int, websocket_port, 1234, "the WebSocket service's port");
ABSL_FLAG(int, channel_pid, 0, "the channel server's process");
ABSL_FLAG(int, websocket_pid, 0, "the WebSocket service's supervisor");
ABSL_FLAG(int, connections, 1'000, "client connections");
ABSL_FLAG(int, messages, 1'000, "messages to send");
ABSL_FLAG(int, message_bytes, 128, "size of each");
ABSL_FLAG(int, in_flight, 1, "messages under way at once");
ABSL_FLAG(std::string, channel_server, "", "log, start_up and return: the binary, to be started");
ABSL_FLAG(std::string, websocket_service, "", "return: the binary, to be started");
ABSL_FLAG(std::string, directory, "",
          "log, start_up and return: an empty directory, on the disk in question");
ABSL_FLAG(int, workers, 2, "return: worker processes");
ABSL_FLAG(int, rounds, 5, "log: rounds");
ABSL_FLAG(int, restarts, 20, "return: restarts");
ABSL_FLAG(int64_t, log_bytes, 1 << 30, "start_up: size of the log");

namespace {

using groupcast::load::ChannelLoadOptions;
using groupcast::load::WebSocketLoadOptions;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "load: %s\n", std::string(status.message()).c_str());
  return 1;
}

double PerSecond(int64_t count, absl::Duration wall) {
  return static_cast<double>(count) / absl::ToDoubleSeconds(wall);
}

ChannelLoadOptions ChannelOptions() {
  ChannelLoadOptions options;
  options.port = static_cast<uint16_t>(absl::GetFlag(FLAGS_channel_port));
  options.server = absl::GetFlag(FLAGS_channel_pid);
  options.messages = absl::GetFlag(FLAGS_messages);
  options.message_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_message_bytes));
  return options;
}

WebSocketLoadOptions WebSocketOptions() {
  WebSocketLoadOptions options;
  options.port = static_cast<uint16_t>(absl::GetFlag(FLAGS_websocket_port));
  options.servers = {absl::GetFlag(FLAGS_channel_pid), absl::GetFlag(FLAGS_websocket_pid)};
  options.connections = absl::GetFlag(FLAGS_connections);
  options.messages = absl::GetFlag(FLAGS_messages);
  options.message_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_message_bytes));
  options.in_flight = absl::GetFlag(FLAGS_in_flight);
  return options;
}

int Channel() {
  const auto result = MeasureThroughput(ChannelOptions());
  if (!result.ok()) return Fail(result.status());
  std::printf(
      "%.0f messages/s, server CPU %.2f us/message, received %lld, lost %lld, out of order %lld\n",
      PerSecond(result->received, result->wall),
      absl::ToDoubleMicroseconds(result->server_cpu) / static_cast<double>(result->received),
      static_cast<long long>(result->received), static_cast<long long>(result->lost),
      static_cast<long long>(result->out_of_order));
  return 0;
}

int Joins() {
  const auto result = MeasureJoins(ChannelOptions(), absl::GetFlag(FLAGS_messages));
  if (!result.ok()) return Fail(result.status());
  std::printf("subscribe to announcement: p50 %.3f ms, p99 %.3f ms\n",
              absl::ToDoubleMilliseconds(result->p50), absl::ToDoubleMilliseconds(result->p99));
  return 0;
}

int Idle() {
  const WebSocketLoadOptions options = WebSocketOptions();
  const auto result = MeasureIdle(options);
  if (!result.ok()) return Fail(result.status());
  std::printf(
      "%d connections in %.1f s: %.2f KiB each (PSS of all server processes: %.1f MiB before, %.1f "
      "MiB after); a message meanwhile p50 %.3f ms\n",
      options.connections, absl::ToDoubleSeconds(result->wall),
      static_cast<double>(result->pss_after - result->pss_before) / 1024 / options.connections,
      static_cast<double>(result->pss_before) / (1 << 20),
      static_cast<double>(result->pss_after) / (1 << 20), absl::ToDoubleMilliseconds(result->p50));
  return 0;
}

int FanOut() {
  const WebSocketLoadOptions options = WebSocketOptions();
  const auto result = MeasureFanOut(options);
  if (!result.ok()) return Fail(result.status());
  std::printf(
      "1 to %d, %d in flight: server CPU %.3f us/delivery, %.0f deliveries/s, p50 %.3f ms, p99 "
      "%.3f ms, missing %lld, out of order %lld\n",
      options.connections, options.in_flight,
      absl::ToDoubleMicroseconds(result->server_cpu) / static_cast<double>(result->deliveries),
      PerSecond(result->deliveries, result->wall), absl::ToDoubleMilliseconds(result->p50),
      absl::ToDoubleMilliseconds(result->p99), static_cast<long long>(result->missing),
      static_cast<long long>(result->out_of_order));
  return 0;
}

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

// The least of these, in ascending order, that so many per cent of them do not exceed.
absl::Duration Percentile(const std::vector<absl::Duration>& sorted, size_t percent) {
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

int Log() {
  groupcast::load::LogLoadOptions options;
  options.channel_server = absl::GetFlag(FLAGS_channel_server);
  options.directory = absl::GetFlag(FLAGS_directory);
  options.messages = absl::GetFlag(FLAGS_messages);
  options.message_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_message_bytes));
  options.rounds = absl::GetFlag(FLAGS_rounds);
  const auto costs = MeasureLogCost(options);
  if (!costs.ok()) return Fail(costs.status());
  std::printf("%lld messages of %zu bytes in each of %d rounds, medians; in brackets to no log\n",
              static_cast<long long>(options.messages), options.message_bytes, options.rounds);
  for (const groupcast::load::LogCost& cost : *costs) {
    std::printf(
        "  %-9s %8.0f messages/s (%.2f), server CPU %.2f us/message (%.2f), lost %lld, out of "
        "order %lld\n",
        cost.name.c_str(), cost.messages_per_second, cost.throughput_ratio,
        absl::ToDoubleMicroseconds(cost.server_cpu), cost.cpu_ratio,
        static_cast<long long>(cost.lost), static_cast<long long>(cost.out_of_order));
  }
  return 0;
}

int StartUp() {
  groupcast::load::StartUpOptions options;
  options.channel_server = absl::GetFlag(FLAGS_channel_server);
  options.directory = absl::GetFlag(FLAGS_directory);
  options.message_bytes = static_cast<size_t>(absl::GetFlag(FLAGS_message_bytes));
  options.log_bytes = static_cast<uint64_t>(absl::GetFlag(FLAGS_log_bytes));
  const auto result = MeasureStartUp(options);
  if (!result.ok()) return Fail(result.status());
  std::printf(
      "%.0f MiB of log, %lld messages of %zu bytes in %d groups: ready after p50 %.0f ms, max %.0f "
      "ms; from the disk p50 %.0f ms, max %.0f ms; PSS then %.0f MiB\n",
      static_cast<double>(result->log_bytes) / (1 << 20), static_cast<long long>(result->messages),
      options.message_bytes, options.groups, Milliseconds(Percentile(result->cached, 50)),
      Milliseconds(result->cached.back()), Milliseconds(Percentile(result->from_disk, 50)),
      Milliseconds(result->from_disk.back()), static_cast<double>(result->pss) / (1 << 20));
  return 0;
}

int Return() {
  groupcast::load::ReturnOptions options;
  options.channel_server = absl::GetFlag(FLAGS_channel_server);
  options.websocket_service = absl::GetFlag(FLAGS_websocket_service);
  options.directory = absl::GetFlag(FLAGS_directory);
  options.workers = absl::GetFlag(FLAGS_workers);
  options.restarts = absl::GetFlag(FLAGS_restarts);
  const auto result = MeasureReturn(options);
  if (!result.ok()) return Fail(result.status());
  std::printf(
      "%zu restarts: first member p50 %.0f ms, p95 %.0f ms; all %d members p50 %.0f ms, p95 %.0f "
      "ms; ready file p50 %.0f ms, p95 %.0f ms\n",
      result->ready.size(), Milliseconds(Percentile(result->first_member, 50)),
      Milliseconds(Percentile(result->first_member, 95)), options.members,
      Milliseconds(Percentile(result->last_member, 50)),
      Milliseconds(Percentile(result->last_member, 95)),
      Milliseconds(Percentile(result->ready, 50)), Milliseconds(Percentile(result->ready, 95)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away does not end the run
  const std::vector<std::string> operands = groupcast::service::ParseCommandLine(
      argc, argv,
      "load channel|joins|idle|fan_out [flags]: measures running services\n"
      "load log|start_up|return [flags]: starts the services that it measures\nSee tools/measure.",
      /*operands_max=*/1);
  const std::string scenario = operands.empty() ? "" : operands[0];
  if (scenario == "channel") return Channel();
  if (scenario == "joins") return Joins();
  if (scenario == "idle") return Idle();
  if (scenario == "fan_out") return FanOut();
  if (scenario == "log") return Log();
  if (scenario == "start_up") return StartUp();
  if (scenario == "return") return Return();
  std::fprintf(stderr,
               "load: which scenario? channel, joins, idle, fan_out, log, start_up or return\n");
  return 1;
}
