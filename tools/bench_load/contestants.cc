#include "tools/bench_load/contestants.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::bench {
namespace {

absl::Status StartOne(const Installation& installation, const std::string& name,
                      std::vector<std::string> command, RunningServer* server) {
  absl::StatusOr<std::unique_ptr<ServerProcess>> process =
      ServerProcess::Start(installation.directory, name, std::move(command));
  if (!process.ok()) return process.status();
  server->processes.push_back(*std::move(process));
  return absl::OkStatus();
}

// `data_directory` is empty: messages are in memory alone.
absl::StatusOr<RunningServer> StartGroupcast(const Installation& installation,
                                             const std::string& data_directory) {
  RunningServer server;
  std::vector<std::string> channel = {installation.channel_server, "--port=0"};
  if (!data_directory.empty()) channel.push_back("--data_dir=" + data_directory);
  if (absl::Status status = StartOne(installation, "channel_server", std::move(channel), &server);
      !status.ok()) {
    return status;
  }
  absl::Status status = StartOne(
      installation, "websocket_service",
      {installation.websocket_service, "--port=0", absl::StrCat("--workers=", installation.workers),
       absl::StrCat("--channel=127.0.0.1:", server.port())},
      &server);
  if (!status.ok()) return status;
  return server;
}

absl::StatusOr<RunningServer> StartWithoutLog(const Installation& installation) {
  return StartGroupcast(installation, "");
}

absl::StatusOr<RunningServer> StartWithLog(const Installation& installation) {
  const std::string data = installation.directory + "/data";
  std::error_code error;
  std::filesystem::remove_all(data, error);
  return StartGroupcast(installation, data);
}

Contestant RawContestant(int gather, std::string name, std::string about) {
  return {.name = std::move(name),
          .about = std::move(about),
          .dialect = NewRaw(),
          .start = [gather](const Installation& installation) -> absl::StatusOr<RunningServer> {
            RunningServer server;
            absl::Status status =
                StartOne(installation, "raw_probe",
                         {installation.raw_probe, absl::StrCat("--gather=", gather)}, &server);
            if (!status.ok()) return status;
            return server;
          },
          // Only where many are in flight are there others to wait for.
          .takes_part =
              [gather](const Scenario& scenario) {
                return !scenario.weighs && (gather == 1 || scenario.in_flight >= 16);
              },
          // So that the next ones are there when these are written.
          .in_flight_min = gather == 1 ? 1 : 2 * static_cast<uint32_t>(gather)};
}

}  // namespace

std::vector<pid_t> RunningServer::roots() const {
  std::vector<pid_t> roots;
  for (const auto& process : processes) roots.push_back(process->pid());
  return roots;
}

const std::vector<Contestant>& Contestants() {
  const auto always = [](const Scenario&) { return true; };
  const auto never = [](const Scenario&) { return false; };
  static const auto& contestants = *new std::vector<Contestant>{
      {"groupcast", "bare clients, without a data directory", NewGroupcastBare(), StartWithoutLog,
       always},
      {"groupcast_v1", "clients with the subprotocol", NewGroupcastV1(), StartWithoutLog, never},
      {"groupcast_log", "bare clients, with a data directory", NewGroupcastBare(), StartWithLog,
       never},
      RawContestant(1, "raw", "write(2) of the frame to each socket"),
      RawContestant(8, "raw_8", "writev(2) of 8 frames to each socket"),
      RawContestant(32, "raw_32", "writev(2) of 32 frames to each socket"),
  };
  return contestants;
}

}  // namespace groupcast::bench
