// Attacks on the services beside honest clients. tools/siege builds and runs it.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/common/flags.h"
#include "tests/siege/siege.h"
#include "tests/support/wait.h"

ABSL_FLAG(absl::Duration, quiet, groupcast::tests::SiegeOptions().quiet,
          "time with the honest clients alone");
ABSL_FLAG(absl::Duration, duration, groupcast::tests::SiegeOptions().duration,
          "time with the attacks");
ABSL_FLAG(int, workers, groupcast::tests::SiegeOptions().workers,
          "workers of the WebSocket service");
ABSL_FLAG(int, clients, groupcast::tests::SiegeOptions().honest_clients,
          "honest clients, in groups of five");
ABSL_FLAG(bool, tls, false, "the service and all clients speak TLS");
ABSL_FLAG(double, p99_ratio, groupcast::tests::SiegeOptions().p99_ratio_max,
          "limit of the p99 under attack, as a multiple of the quiet one; 0 is no limit");
ABSL_FLAG(std::vector<std::string>, attacks,
          std::vector<std::string>({"readers", "flooders", "deaf", "unfinished", "spreaders"}),
          "attacks, separated by commas; limits is half_handshakes, 1,000 members that never read, "
          "garbage and hellos together");
ABSL_FLAG(int, memory_mib, 0,
          "limit of the services' growth of memory under attack, in MiB; 0 is no limit");
ABSL_FLAG(std::vector<std::string>, server_flags, {},
          "more flags of channel_server, separated by commas");
ABSL_FLAG(std::vector<std::string>, service_flags, {},
          "more flags of websocket_service, separated by commas");

namespace groupcast::tests {
namespace {

constexpr int kExitUsage = 2;

// False if a name is unknown.
bool ChooseAttacks(const std::vector<std::string>& names, AttackSizes* sizes) {
  const AttackSizes all;
  *sizes = {.readers = 0,
            .escape_readers = 0,
            .flooders = 0,
            .deaf_members = 0,
            .unfinished = 0,
            .spreaders = 0};
  constexpr AttackSizes kLimits = {
      .deaf_members = 1'000, .half_handshakes = 5'000, .garbage = 500, .hellos = 200};
  for (const std::string& name : names) {
    if (name == "readers") {
      sizes->readers = all.readers;
      sizes->escape_readers = all.escape_readers;
    } else if (name == "flooders") {
      sizes->flooders = all.flooders;
    } else if (name == "deaf") {
      sizes->deaf_members = all.deaf_members;
    } else if (name == "unfinished") {
      sizes->unfinished = all.unfinished;
    } else if (name == "spreaders") {
      sizes->spreaders = all.spreaders;
    } else if (name == "limits") {
      sizes->deaf_members = kLimits.deaf_members;
      sizes->half_handshakes = kLimits.half_handshakes;
      sizes->garbage = kLimits.garbage;
      sizes->hellos = kLimits.hellos;
    } else if (name == "half_handshakes") {
      sizes->half_handshakes = kLimits.half_handshakes;
    } else if (name == "garbage") {
      sizes->garbage = kLimits.garbage;
    } else if (name == "hellos") {
      sizes->hellos = kLimits.hellos;
    } else {
      return false;
    }
  }
  return true;
}

int Main() {
  SiegeOptions options;
  options.quiet = absl::GetFlag(FLAGS_quiet);
  options.duration = absl::GetFlag(FLAGS_duration);
  options.workers = absl::GetFlag(FLAGS_workers);
  options.honest_clients = absl::GetFlag(FLAGS_clients);
  options.tls = absl::GetFlag(FLAGS_tls);
  options.p99_ratio_max = absl::GetFlag(FLAGS_p99_ratio);
  options.memory_more_max_bytes = int64_t{absl::GetFlag(FLAGS_memory_mib)} << 20;
  options.server_flags = absl::GetFlag(FLAGS_server_flags);
  options.service_flags = absl::GetFlag(FLAGS_service_flags);
  if (!ChooseAttacks(absl::GetFlag(FLAGS_attacks), &options.attacks)) {
    std::fprintf(
        stderr,
        "siege: --attacks are readers, flooders, deaf, unfinished, spreaders, limits, and the "
        "parts of limits: half_handshakes, garbage, hellos\n");
    return kExitUsage;
  }
  const int members = static_cast<int>(HonestCrowd::kMembers);
  if (options.quiet < absl::Seconds(1) || options.duration < absl::Seconds(1) ||
      options.duration > absl::Hours(1) || options.workers < 1 || options.workers > 255 ||
      options.honest_clients < members || options.honest_clients > 10'000 ||
      options.honest_clients % members != 0 || !(options.p99_ratio_max >= 0)) {
    std::fprintf(stderr,
                 "siege: --quiet is at least 1s, --duration from 1s to 1h, --workers from 1 to "
                 "255, --clients a multiple of 5 up to 10000, --p99_ratio not negative\n");
    return kExitUsage;
  }
  options.progress = [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  };
  try {
    const SiegeReport report = RunSiege(options);
    options.progress(report.Text());
    for (const std::string& finding : report.Findings()) options.progress(finding);
    options.progress(report.Line());
    return report.Passed() ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const Failure& failure) {
    std::fprintf(stderr, "siege: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}

}  // namespace
}  // namespace groupcast::tests

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away does not end the run
  groupcast::service::ParseCommandLine(
      argc, argv,
      "Attacks Groupcast's services beside honest clients, and judges how those fare.\n"
      "See tools/siege.");
  return groupcast::tests::Main();
}
