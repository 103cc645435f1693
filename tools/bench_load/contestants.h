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

// What servers need to be started.
struct Installation {
  std::string channel_server;  // the binaries
  std::string websocket_service;
  std::string raw_probe;
  std::string foreign_server;
  std::string peers;      // the folder tools/bench_peers; empty: peers are not installed
  std::string directory;  // for their files
  int workers = 2;
  // Limits of Groupcast's services; 0: their own.
  size_t max_message_bytes = 0;
  uint32_t max_groups_per_connection = 0;
};

// A server that runs: all its processes, and the port for clients.
struct RunningServer {
  std::vector<std::unique_ptr<ServerProcess>> processes;  // the last one serves the clients

  uint16_t port() const { return processes.back()->port(); }
  std::vector<pid_t> roots() const;
};

// A kind of server that can be measured.
struct Contestant {
  std::string name;
  std::string about;  // one line for people
  std::shared_ptr<const Dialect> dialect;
  std::function<absl::StatusOr<RunningServer>(const Installation&)> start;
  // Whether it is measured in this scenario when nobody has named those that are to be.
  std::function<bool(const Scenario&)> takes_part;
  // It cannot do with fewer messages in flight; the scenario then has so many for it.
  uint32_t in_flight_min = 1;
  // Somebody else's server: it has to be installed, and it may fail without ending the benchmark.
  bool is_peer = false;
};

// All there are. Each is started anew for every run, so that no run has another's past.
const std::vector<Contestant>& Contestants();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_CONTESTANTS_H_
