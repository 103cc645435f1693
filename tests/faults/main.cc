// The delivery contract under faults, for as long as one wants. tools/chaos builds and runs it.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/common/flags.h"
#include "tests/faults/chaos.h"
#include "tests/support/wait.h"

ABSL_FLAG(absl::Duration, duration, absl::Seconds(60), "how long faults come");
ABSL_FLAG(absl::Duration, fault_interval, groupcast::tests::ChaosOptions().fault_interval,
          "a fault comes every so often, on average");
ABSL_FLAG(int, clients, groupcast::tests::ChaosOptions().clients,
          "clients, each in one or two groups");
ABSL_FLAG(int, groups, groupcast::tests::ChaosOptions().groups, "groups, at least 2");
ABSL_FLAG(int, workers, groupcast::tests::ChaosOptions().workers,
          "workers of the WebSocket service");
ABSL_FLAG(int, watchers, groupcast::tests::ChaosOptions().watchers,
          "members of the first group that watch its members");
ABSL_FLAG(int, rate, groupcast::tests::ChaosOptions().rate,
          "messages sent per second, by all WebSocket clients together");
ABSL_FLAG(int, gateway_workers, groupcast::tests::GatewayOptions().workers,
          "workers of the HTTP gateway");
ABSL_FLAG(int, publishers, groupcast::tests::GatewayOptions().publishers,
          "publishers through the HTTP gateway");
ABSL_FLAG(int, streams, groupcast::tests::GatewayOptions().streams,
          "members over streams of events, each in one or three groups");
ABSL_FLAG(int, http_rate, groupcast::tests::GatewayOptions().rate,
          "requests sent per second, by all publishers together");
ABSL_FLAG(std::vector<std::string>, gateway_flags, {},
          "more flags of http_gateway, separated by commas");
ABSL_FLAG(std::vector<std::string>, server_flags, {},
          "more flags of channel_server, separated by commas");
ABSL_FLAG(std::vector<std::string>, service_flags, {},
          "more flags of websocket_service, separated by commas");
ABSL_FLAG(uint64_t, seed, 0, "decides which faults come; 0 takes a random one");

namespace groupcast::tests {
namespace {

constexpr int kExitUsage = 2;

bool IsWithin(int value, int least, int most) { return value >= least && value <= most; }

int Main() {
  ChaosOptions options;
  options.duration = absl::GetFlag(FLAGS_duration);
  options.fault_interval = absl::GetFlag(FLAGS_fault_interval);
  options.clients = absl::GetFlag(FLAGS_clients);
  options.groups = absl::GetFlag(FLAGS_groups);
  options.workers = absl::GetFlag(FLAGS_workers);
  options.watchers = absl::GetFlag(FLAGS_watchers);
  options.rate = absl::GetFlag(FLAGS_rate);
  options.gateway.workers = absl::GetFlag(FLAGS_gateway_workers);
  options.gateway.publishers = absl::GetFlag(FLAGS_publishers);
  options.gateway.streams = absl::GetFlag(FLAGS_streams);
  options.gateway.rate = absl::GetFlag(FLAGS_http_rate);
  options.gateway.flags = absl::GetFlag(FLAGS_gateway_flags);
  options.server_flags = absl::GetFlag(FLAGS_server_flags);
  options.service_flags = absl::GetFlag(FLAGS_service_flags);
  options.seed = absl::GetFlag(FLAGS_seed);
  if (options.seed == 0) options.seed = std::random_device()();
  if (options.duration < absl::Seconds(1) || options.duration > absl::Hours(24 * 7) ||
      options.fault_interval < absl::Milliseconds(10) || !IsWithin(options.clients, 1, 10'000) ||
      !IsWithin(options.groups, 2, 10'000) || !IsWithin(options.workers, 1, 255) ||
      !IsWithin(options.watchers, 0, 1'000) || !IsWithin(options.rate, 1, 1'000'000) ||
      !IsWithin(options.gateway.workers, 1, 255) ||
      !IsWithin(options.gateway.publishers, 0, 1'000) ||
      !IsWithin(options.gateway.streams, 0, 1'000) ||
      !IsWithin(options.gateway.rate, 1, 1'000'000)) {
    std::fprintf(
        stderr,
        "chaos: --duration is from 1s to a week, --fault_interval at least 10ms, --clients "
        "from 1 and --groups from 2 to 10000, --workers and --gateway_workers from 1 to 255, "
        "--watchers, --publishers and --streams from 0 to 1000, --rate and --http_rate from 1 to "
        "1000000\n");
    return kExitUsage;
  }
  options.progress = [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  };
  options.progress(absl::StrCat("seed ", options.seed));
  try {
    const ChaosReport report = RunChaos(options);
    for (const std::string& finding : report.findings) options.progress(finding);
    options.progress(report.Text());
    options.progress(report.Line());
    return report.Passed() ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const Failure& failure) {
    std::fprintf(stderr, "chaos: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}

}  // namespace
}  // namespace groupcast::tests

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away does not end the run
  groupcast::service::ParseCommandLine(
      argc, argv,
      "Kills, stops and disconnects Groupcast's processes while clients send, and judges what\n"
      "they got. See tools/chaos.");
  return groupcast::tests::Main();
}
