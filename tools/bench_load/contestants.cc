#include "tools/bench_load/contestants.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/posix.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tools/bench_load/peer_dialects.h"

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
                                             const std::string& data_directory,
                                             bool unix_sockets = true,
                                             const std::vector<std::string>& more = {}) {
  RunningServer server;
  const std::string sockets = installation.directory + "/channel";
  std::vector<std::string> channel = {installation.channel_server, "--port=0",
                                      "--socket_dir=" + sockets};
  if (!data_directory.empty()) channel.push_back("--data_dir=" + data_directory);
  std::vector<std::string> limits;
  if (installation.max_message_bytes > 0) {
    channel.push_back(absl::StrCat("--max_message_bytes=", installation.max_message_bytes));
    limits.push_back(channel.back());
  }
  if (installation.max_groups_per_connection > 0) {
    limits.push_back(
        absl::StrCat("--max_groups_per_connection=", installation.max_groups_per_connection));
  }
  if (absl::Status status = StartOne(installation, "channel_server", std::move(channel), &server);
      !status.ok()) {
    return status;
  }
  std::vector<std::string> service = {
      installation.websocket_service, "--port=0", absl::StrCat("--workers=", installation.workers),
      unix_sockets ? "--channel=unix:" + sockets
                   : absl::StrCat("--channel=127.0.0.1:", server.port())};
  service.insert(service.end(), limits.begin(), limits.end());
  service.insert(service.end(), more.begin(), more.end());
  absl::Status status = StartOne(installation, "websocket_service", std::move(service), &server);
  if (!status.ok()) return status;
  return server;
}

absl::StatusOr<RunningServer> StartWithoutLog(const Installation& installation) {
  return StartGroupcast(installation, "");
}

absl::StatusOr<RunningServer> StartOverTcp(const Installation& installation) {
  return StartGroupcast(installation, "", /*unix_sockets=*/false);
}

absl::StatusOr<RunningServer> StartWithDeflate(const Installation& installation) {
  return StartGroupcast(installation, "", /*unix_sockets=*/true, {"--deflate"});
}

absl::StatusOr<RunningServer> StartWithLog(const Installation& installation) {
  const std::string data = installation.directory + "/data";
  std::error_code error;
  std::filesystem::remove_all(data, error);
  return StartGroupcast(installation, data);
}

// A new certificate of the curve P-256 in the directory for files.
service::CertificateFiles WriteCertificate(const Installation& installation) {
  return service::CertificateFiles(installation.directory + "/certificate.pem",
                                   installation.directory + "/key.pem");
}

absl::StatusOr<RunningServer> StartWithTls(const Installation& installation) {
  const service::CertificateFiles files = WriteCertificate(installation);
  return StartGroupcast(installation, "", /*unix_sockets=*/true,
                        {"--tls_certificate=" + files.certificate, "--tls_key=" + files.key});
}

// For programs that cannot choose one themselves. Somebody else may take it meanwhile; then the
// server does not become ready, and says why.
absl::StatusOr<uint16_t> FreePort() {
  const service::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!fd.valid() || bind(fd.get(), generic, size) != 0 ||
      getsockname(fd.get(), generic, &size) != 0) {
    return service::ErrnoStatus("a free port");
  }
  return ntohs(address.sin_port);
}

std::string UserName() {
  const passwd* user = getpwuid(geteuid());
  return user == nullptr ? "" : user->pw_name;
}

// A new folder, with the configuration that the template of that name makes, and nothing else.
absl::Status MakePeerDirectory(const Installation& installation, const std::string& directory,
                               const std::string& configuration, uint16_t port,
                               uint16_t upstream_port, const std::string& more) {
  std::ifstream file(installation.peers + "/" + configuration);
  if (!file) return absl::NotFoundError("no " + installation.peers + "/" + configuration);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  std::filesystem::create_directories(directory, error);
  std::ofstream(directory + "/" + configuration)
      << absl::StrReplaceAll(text, {{"{directory}", directory},
                                    {"{port}", absl::StrCat(port)},
                                    {"{location_more}", more},
                                    {"{upstream_port}", absl::StrCat(upstream_port)},
                                    {"{files}", installation.directory},
                                    {"{user}", UserName()},
                                    {"{workers}", absl::StrCat(installation.workers)}});
  return absl::OkStatus();
}

// A server with a configuration file of tools/bench_peers, with whose path its command ends. `more`
// are further directives of nginx's location.
absl::StatusOr<RunningServer> StartConfigured(const Installation& installation,
                                              const std::string& configuration,
                                              std::vector<std::string> command,
                                              uint16_t upstream_port = 0,
                                              const std::string& more = "") {
  const absl::StatusOr<uint16_t> port = FreePort();
  if (!port.ok()) return port.status();
  const std::string directory = absl::StrCat(installation.directory, "/peer.", configuration);
  absl::Status status =
      MakePeerDirectory(installation, directory, configuration, *port, upstream_port, more);
  if (!status.ok()) return status;
  command.push_back(directory + "/" + configuration);
  auto process = ServerProcess::StartForeign(installation.foreign_server, *port,
                                             installation.directory, configuration, command);
  if (!process.ok()) return process.status();
  RunningServer server;
  server.processes.push_back(*std::move(process));
  return server;
}

absl::StatusOr<RunningServer> StartNchan(const Installation& installation) {
  return StartConfigured(installation, "nginx.conf", {"/usr/sbin/nginx", "-e", "stderr", "-c"});
}

absl::StatusOr<RunningServer> StartNchanDeflate(const Installation& installation) {
  return StartConfigured(installation, "nginx.conf", {"/usr/sbin/nginx", "-e", "stderr", "-c"},
                         /*upstream_port=*/0, "nchan_deflate_message_for_websocket on;");
}

// A further nginx ends TLS, and the server behind it is plain.
absl::StatusOr<RunningServer> BehindNginx(const Installation& installation,
                                          absl::StatusOr<RunningServer> server) {
  if (!server.ok()) return server;
  WriteCertificate(installation);
  absl::StatusOr<RunningServer> proxy = StartConfigured(
      installation, "nginx_tls.conf", {"/usr/sbin/nginx", "-e", "stderr", "-c"}, server->port());
  if (!proxy.ok()) return proxy;
  server->processes.push_back(std::move(proxy->processes.front()));
  return server;
}

absl::StatusOr<RunningServer> StartBehindNginx(const Installation& installation) {
  return BehindNginx(installation, StartGroupcast(installation, ""));
}

absl::StatusOr<RunningServer> StartNchanBehindNginx(const Installation& installation) {
  return BehindNginx(installation, StartNchan(installation));
}

absl::StatusOr<RunningServer> StartNats(const Installation& installation) {
  return StartConfigured(installation, "nats.conf", {"/usr/sbin/nats-server", "-c"});
}

// A script of tools/bench_peers. It starts as ours do; its workers end when it does.
absl::StatusOr<RunningServer> StartScript(const Installation& installation,
                                          const std::string& script,
                                          const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {installation.peers + "/" + script};
  command.insert(command.end(), arguments.begin(), arguments.end());
  RunningServer server;
  absl::Status status = StartOne(installation, script, std::move(command), &server);
  if (!status.ok()) return status;
  return server;
}

absl::StatusOr<RunningServer> StartSocketIo(const Installation& installation) {
  return StartScript(installation, "socketio_server.js",
                     {absl::StrCat("--workers=", installation.workers)});
}

absl::StatusOr<RunningServer> StartSocketIoTls(const Installation& installation) {
  const service::CertificateFiles files = WriteCertificate(installation);
  return StartScript(installation, "socketio_server.js",
                     {absl::StrCat("--workers=", installation.workers),
                      "--tls_certificate=" + files.certificate, "--tls_key=" + files.key});
}

absl::StatusOr<RunningServer> StartSocketIoDeflate(const Installation& installation) {
  return StartScript(installation, "socketio_server.js",
                     {absl::StrCat("--workers=", installation.workers), "--deflate"});
}

absl::StatusOr<RunningServer> StartWs(const Installation& installation) {
  return StartScript(installation, "ws_server.js", {});
}

Contestant Peer(std::string name, std::string about, std::shared_ptr<const Dialect> dialect,
                std::function<absl::StatusOr<RunningServer>(const Installation&)> start,
                std::function<bool(const Scenario&)> takes_part) {
  return {.name = std::move(name),
          .about = std::move(about),
          .dialect = std::move(dialect),
          .start = [start = std::move(start)](
                       const Installation& installation) -> absl::StatusOr<RunningServer> {
            if (installation.peers.empty()) {
              return absl::FailedPreconditionError("it is a peer, which needs --peers");
            }
            return start(installation);
          },
          .takes_part = std::move(takes_part),
          .is_peer = true};
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
                return !scenario.weighs && !scenario.floor.empty() &&
                       (gather == 1 || scenario.in_flight >= 16);
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
  const auto never = [](const Scenario&) { return false; };
  const auto fits_one = [](const Scenario& scenario) {
    return scenario.workers_min() == 1 && scenario.beside != Scenario::Beside::kComeAndGo;
  };
  static const auto& contestants = *new std::vector<Contestant>{
      {"groupcast", "bare clients, without a data directory", NewGroupcastBare(), StartWithoutLog,
       [](const Scenario& scenario) { return scenario.beside != Scenario::Beside::kComeAndGo; }},
      {"groupcast_v1", "clients with the subprotocol", NewGroupcastV1(), StartWithoutLog,
       // Bare clients get no events of members.
       [](const Scenario& scenario) { return scenario.beside == Scenario::Beside::kComeAndGo; }},
      {"groupcast_deflate", "bare clients with permessage-deflate", WithDeflate(NewGroupcastBare()),
       StartWithDeflate, never},
      {"groupcast_log", "bare clients, with a data directory", NewGroupcastBare(), StartWithLog,
       never},
      {"groupcast_tcp", "bare clients, workers that reach the channel server through its ports",
       NewGroupcastBare(), StartOverTcp, never},
      {"groupcast_tls", "bare clients, through TLS", WithTls(NewGroupcastBare()), StartWithTls,
       never},
      RawContestant(1, "raw", "write(2) of the frame to each socket"),
      RawContestant(8, "raw_8", "writev(2) of 8 frames to each socket"),
      RawContestant(32, "raw_32", "writev(2) of 32 frames to each socket"),
      Peer("groupcast_nginx", "bare clients, through TLS that nginx ends, with as many workers",
           WithTls(NewGroupcastBare()), StartBehindNginx, never),
      // A connection is in the one group that its address names.
      Peer("nchan", "nginx with Nchan, with as many workers", NewNchan(), StartNchan,
           [](const Scenario& scenario) {
             return scenario.groups_per_connection == 1 &&
                    scenario.beside != Scenario::Beside::kJoins &&
                    scenario.beside != Scenario::Beside::kComeAndGo;
           }),
      Peer("nchan_nginx", "the same, through TLS that a further nginx ends", WithTls(NewNchan()),
           StartNchanBehindNginx, never),
      Peer("nchan_deflate", "the same with permessage-deflate", WithDeflate(NewNchan()),
           StartNchanDeflate, never),
      Peer(
          "socket.io", "Socket.IO with its cluster adapter, with as many workers", NewSocketIo(),
          StartSocketIo,
          [](const Scenario& scenario) { return scenario.beside != Scenario::Beside::kComeAndGo; }),
      Peer("socket.io_tls", "the same, through TLS", WithTls(NewSocketIo()), StartSocketIoTls,
           never),
      Peer("socket.io_deflate", "the same with permessage-deflate", WithDeflate(NewSocketIo()),
           StartSocketIoDeflate, never),
      Peer("ws", "groups with the npm package ws alone, in one process", NewWs(), StartWs,
           fits_one),
      Peer("nats", "nats-server with its WebSocket listener", NewNats(), StartNats, fits_one),
  };
  return contestants;
}

}  // namespace groupcast::bench
