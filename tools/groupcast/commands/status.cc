#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/gateway.h"
#include "tools/groupcast/live_client.h"
#include "tools/groupcast/message_text.h"
#include "tools/groupcast/table.h"

namespace groupcast::cli {
namespace {

constexpr char kFooter[] =
    R"(It connects to the WebSocket service as a client does, and asks the gateway how the services are.
The gateway tells that to callers of its own machine, or for an API key with the scope "manage".
The exit code is 0 if all that it asks is ready, 1 if a service is not, and 3 if the WebSocket
service or the gateway cannot be reached.

Examples:
  groupcast status
  groupcast status --json
  groupcast status --url=ws://chat.example:1234 --gateway=http://chat.example:8080)";

struct Arguments {
  ServerOptions server;
  GatewayOptions gateway;
  bool json = false;
};

// A line of the answer.
struct Line {
  std::string service;
  std::string address;
  std::string state;
  bool good = false;
  std::string version;
  std::string details;
};

std::string Count(const ServiceRow& service, const std::string& metric, const char* one,
                  const char* many) {
  const std::optional<double> sum = service.Sum(metric);
  if (!sum.has_value()) return "";
  return absl::StrCat(*sum, " ", *sum == 1 ? one : many);
}

// How many workers have their channel. Empty: it has no workers, or they all have it.
std::string ChannelState(const ServiceRow& service) {
  const auto connected = service.metrics.find("groupcast_channel_connected");
  if (connected == service.metrics.end()) return "";
  const double have = service.Sum("groupcast_channel_connected").value_or(0);
  const size_t all = connected->second.size();
  if (have == static_cast<double>(all)) return "channel connected";
  return absl::StrCat(have, " of ", all, " workers have the channel");
}

Line LineOf(const ServiceRow& service) {
  Line line;
  line.service = service.BuildInfo("service");
  if (line.service.empty()) line.service = "?";
  line.address = service.address;
  line.good = service.up && service.ready;
  line.state = !service.up ? "not reachable" : service.ready ? "ready" : "not ready";
  line.version = service.BuildInfo("version");
  std::vector<std::string> details;
  for (const std::string& detail :
       {Count(service, "groupcast_workers", "worker", "workers"), ChannelState(service),
        Count(service, "groupcast_connections", "connection", "connections"),
        Count(service, "groupcast_channel_workers", "connected worker", "connected workers"),
        service.reason}) {
    if (!detail.empty()) details.push_back(detail);
  }
  line.details = absl::StrJoin(details, ", ");
  return line;
}

Line WebSocketLine(const ServerOptions& options, Console* console, ExitCode* code) {
  Waker waker;
  LiveClient client(options, console, &waker);
  const absl::Status status = client.Connect();
  client.Close();
  *code = ExitCodeOf(status);
  const bool away = *code == ExitCode::kNotReachable;
  return {"WebSocket", options.url, status.ok() ? "reachable" : away ? "not reachable" : "refused",
          status.ok(), "",          std::string(status.message())};
}

std::string JsonOf(const Line& line) {
  return absl::StrCat(
      "{\"service\":", JsonString(line.service), ",\"address\":", JsonString(line.address),
      ",\"ok\":", line.good ? "true" : "false", ",\"state\":", JsonString(line.state),
      ",\"version\":", JsonString(line.version), ",\"details\":", JsonString(line.details), "}\n");
}

std::string TableOf(const std::vector<Line>& lines, const Console& console) {
  Table table({{"SERVICE"}, {"ADDRESS"}, {"STATUS"}, {"VERSION"}, {"DETAILS"}});
  for (const Line& line : lines) {
    table.AddRow({line.service,
                  line.address,
                  {line.state, line.good ? Colour::kGreen : Colour::kRed},
                  line.version.empty() ? "-" : line.version,
                  Harmless(line.details)});
  }
  return table.Text(console);
}

ExitCode RunStatus(const Arguments& arguments, Console& console) {
  const absl::StatusOr<Gateway> gateway = Gateway::Create(arguments.gateway);
  if (!gateway.ok()) {
    console.Complain(gateway.status().message());
    return ExitCode::kWrongUsage;
  }
  ExitCode code = ExitCode::kDone;
  std::vector<Line> lines = {WebSocketLine(arguments.server, &console, &code)};
  const absl::StatusOr<std::vector<ServiceRow>> services = gateway->Services();
  if (services.ok()) {
    lines.push_back({"gateway", arguments.gateway.url, "reachable", true, "", ""});
    for (const ServiceRow& service : *services) {
      lines.push_back(LineOf(service));
      if (!lines.back().good && code == ExitCode::kDone) code = ExitCode::kFailed;
    }
  } else {
    const bool away = ExitCodeOf(services.status()) == ExitCode::kNotReachable;
    lines.push_back({"gateway", arguments.gateway.url, away ? "not reachable" : "refused", false,
                     "", std::string(services.status().message())});
    if (code == ExitCode::kDone) code = ExitCodeOf(services.status());
  }
  std::string text;
  if (arguments.json) {
    for (const Line& line : lines) absl::StrAppend(&text, JsonOf(line));
  } else {
    text = TableOf(lines, console);
  }
  console.Print(text);
  if (!services.ok() && !arguments.json) {
    console.Note(GatewayError(arguments.gateway, services.status()));
  }
  return code;
}

}  // namespace

Run DefineStatus(CLI::App* app) {
  auto arguments = std::make_shared<Arguments>();
  AddServerOptions(app, &arguments->server);
  AddGatewayOptions(app, &arguments->gateway);
  app->add_flag("--json", arguments->json, "print one JSON object per line");
  app->footer(kFooter);
  return [arguments](Console& console) { return RunStatus(*arguments, console); };
}

}  // namespace groupcast::cli
