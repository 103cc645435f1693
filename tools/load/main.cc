// Puts load on running services and reports what it cost them. tools/measure starts the services
// and calls this.

#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tools/load/channel_load.h"
#include "tools/load/websocket_load.h"

ABSL_FLAG(int, channel_port, 2206, "the channel server's publish port");
ABSL_FLAG(int, websocket_port, 1234, "the WebSocket service's port");
ABSL_FLAG(int, channel_pid, 0, "the channel server's process");
ABSL_FLAG(int, websocket_pid, 0, "the WebSocket service's supervisor");
ABSL_FLAG(int, connections, 1'000, "client connections");
ABSL_FLAG(int, messages, 1'000, "messages to send");
ABSL_FLAG(int, message_bytes, 128, "size of each");
ABSL_FLAG(int, in_flight, 1, "messages under way at once");

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

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "load channel|joins|idle|fan_out [flags]: measures running services; see tools/measure");
  const std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  const std::string scenario = arguments.size() == 2 ? arguments[1] : "";
  if (scenario == "channel") return Channel();
  if (scenario == "joins") return Joins();
  if (scenario == "idle") return Idle();
  if (scenario == "fan_out") return FanOut();
  std::fprintf(stderr, "load: which scenario? channel, joins, idle or fan_out\n");
  return 1;
}
