#ifndef GROUPCAST_TESTS_SUPPORT_SERVICES_H_
#define GROUPCAST_TESTS_SUPPORT_SERVICES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace groupcast::tests {

inline constexpr char kChannelServerBinary[] = "services/channel_server/channel_server";
inline constexpr char kWebSocketServiceBinary[] = "services/websocket_service/websocket_service";

using Flags = std::vector<std::string>;

// The ports in a ready file.
struct ReadyPorts {
  uint16_t port = 0;
  uint16_t admin_port = 0;  // 0: there is none
};

// Waits for the ready file of `process`.
ReadyPorts WaitForReadyPorts(Process* process, const std::string& ready_file);
// The same, for the port of clients.
uint16_t WaitForReady(Process* process, const std::string& ready_file);

// The worker processes of a supervisor that serve clients: its children without the one of the
// admin port.
std::vector<pid_t> WorkersOf(pid_t supervisor);
// The process of a supervisor's admin port. Waits for it.
pid_t AwaitAdmin(pid_t supervisor);

// Calls `start` with the first of `count` consecutive free ports. If it throws a Failure that says
// that one is in use, or if `may_say_otherwise`, other ports follow, at most ten times. Returns the
// port. The ports are below those that the kernel gives to clients. A client that tries to
// reconnect to a server that is away could otherwise be given that very port as its own, and keep
// the server from coming back.
uint16_t StartOnFreePorts(int count, bool may_say_otherwise,
                          const std::function<void(uint16_t)>& start);

// A channel server that is ready. Its ports are `port()` and the next two.
class ChannelServer {
 public:
  // `output`: as for Process.
  explicit ChannelServer(Flags flags = {}, std::optional<int> output = std::nullopt);

  uint16_t port() const { return port_; }
  // Another one after each start. 0: there is none.
  uint16_t admin_port() const { return admin_port_; }
  Process& process() { return *process_; }

  // Kills it with kill -9 and waits for its end.
  void Kill();
  // The flags of the next start.
  void SetFlags(Flags flags) { flags_ = std::move(flags); }
  // Starts it again after its end, with the same port and flags. Without a data directory it has
  // forgotten everything, and has another epoch.
  void StartAgain();

 private:
  void Start();

  Flags flags_;
  std::optional<int> output_;
  uint16_t port_ = 0;
  uint16_t admin_port_ = 0;
  std::unique_ptr<Process> process_;
};

// The flags of a WebSocket service with this certificate.
Flags TlsFlags(const service::CertificateFiles& files);

// A WebSocket service on a free port that is ready. It has TLS if TestsUseTls.
class WebSocketService {
 public:
  // A line of the table that SIGUSR1 prints. Workers refresh their numbers four times a second.
  struct WorkerRow {
    int number = 0;
    pid_t pid = 0;
    std::string state;
    int64_t connections = 0;
    int64_t groups = 0;
    int64_t memberships = 0;
    int64_t deliveries = 0;
    int64_t errors = 0;
    int64_t limited = 0;
    int64_t gaps = 0;
    int64_t slow = 0;
    int64_t recovered = 0;
    int64_t lost = 0;
  };

  // `output`: as for Process. Table and RowOf need the file.
  WebSocketService(const ChannelServer& channel, int workers, Flags flags = {},
                   std::optional<int> output = std::nullopt);
  // When it returns, no worker is left.
  ~WebSocketService();

  uint16_t port() const { return ports_.port; }
  uint16_t admin_port() const { return ports_.admin_port; }
  Process& process() { return *process_; }
  std::vector<pid_t> WorkerPids() const { return WorkersOf(process_->pid()); }
  std::vector<WorkerRow> Table();
  // How often each limit was met, by name, by all workers together.
  std::map<std::string, int64_t> Limits();
  // The row of one worker, which must exist.
  WorkerRow RowOf(pid_t worker);

 private:
  ReadyPorts ports_;
  std::unique_ptr<Process> process_;
};

// A channel server and a WebSocket service that uses it.
struct Groupcast {
  explicit Groupcast(int workers, const Flags& flags = {}) : service(channel, workers, flags) {}

  ChannelServer channel;
  WebSocketService service;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_SERVICES_H_
