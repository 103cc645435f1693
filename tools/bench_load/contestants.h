#ifndef GROUPCAST_TOOLS_BENCH_LOAD_CONTESTANTS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_CONTESTANTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench_load/dialect.h"
#include "tools/bench_load/scenario.h"
#include "tools/bench_load/server_process.h"

namespace groupcast::bench {

// The files and limits that the servers need.
struct Installation {
  std::string channel_server;  // the binaries
  std::string websocket_service;
  std::string raw_probe;
  std::string foreign_server;
  std::string peers;      // the folder tools/bench_peers; empty: peers are not installed
  std::string directory;  // the directory for their files
  int workers = 2;
  // Limits of Groupcast's services; 0: their defaults.
  size_t max_message_bytes = 0;
  uint32_t max_groups_per_connection = 0;
};

// A running server: all its processes, and the port for clients.
struct RunningServer {
  std::vector<std::unique_ptr<ServerProcess>> processes;  // the last one serves the clients

  uint16_t port() const { return processes.back()->port(); }
  std::vector<pid_t> roots() const;
};

// A kind of server that the benchmark can measure.
struct Contestant {
  std::string name;
  std::string about;  // one line for human readers
  std::shared_ptr<const Dialect> dialect;
  std::function<absl::StatusOr<RunningServer>(const Installation&)> start;
  // Whether it takes part in this scenario when the user names no servers.
  std::function<bool(const Scenario&)> takes_part;
  // The fewest messages in flight that it needs. The scenario then has that number for it.
  uint32_t in_flight_min = 1;
  // A foreign server. It must be installed, and its failure does not end the benchmark.
  bool is_peer = false;
};

// All contestants. Each run starts them anew, so that no run inherits another's state.
const std::vector<Contestant>& Contestants();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CONTESTANTS_H_
