#include "tests/support/services.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::tests {
namespace {

bool IsFree(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return free;
}

int FreePorts(int count) {
  std::random_device random;
  for (;;) {
    const int first = 10'000 + static_cast<int>(random() % 20'000);
    int free = 0;
    while (free < count && IsFree(first + free)) ++free;
    if (free == count) return first;
  }
}

bool IsAdmin(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string name;
  return std::getline(file, name) && name == "groupcast_admin";
}

// Empty, if the tests are plain.
Flags DefaultTlsFlags() {
  if (!TestsUseTls()) return {};
  static const auto* const files = new service::CertificateFiles;
  return TlsFlags(*files);
}

}  // namespace

Flags TlsFlags(const service::CertificateFiles& files) {
  return {"--tls_certificate=" + files.certificate, "--tls_key=" + files.key};
}

ReadyPorts WaitForReadyPorts(Process* process, const std::string& ready_file) {
  std::string text;
  WaitUntil("the ready file", [&] {
    std::ifstream file(ready_file);
    std::getline(file, text);
    if (text.empty() && process->Poll().has_value()) {
      throw Failure(absl::StrCat("ended before it was ready: ", process->Output()));
    }
    return !text.empty();
  });
  // {"port": 1, "admin_port": 2}
  const auto number = [&text](const std::string& name) {
    const size_t place = text.find(absl::StrCat("\"", name, "\": "));
    if (place == std::string::npos) return uint16_t{0};
    return static_cast<uint16_t>(std::atoi(text.c_str() + place + name.size() + 4));
  };
  const ReadyPorts ports = {.port = number("port"), .admin_port = number("admin_port")};
  if (ports.port == 0) throw Failure(absl::StrCat("ready file: ", text));
  return ports;
}

uint16_t WaitForReady(Process* process, const std::string& ready_file) {
  return WaitForReadyPorts(process, ready_file).port;
}

std::vector<pid_t> WorkersOf(pid_t supervisor) {
  std::vector<pid_t> workers = ChildrenOf(supervisor);
  std::erase_if(workers, IsAdmin);
  return workers;
}

pid_t AwaitAdmin(pid_t supervisor) {
  pid_t admin = 0;
  WaitUntil("the process of the admin port", [&] {
    for (const pid_t child : ChildrenOf(supervisor)) {
      if (IsAdmin(child)) admin = child;
    }
    return admin != 0;
  });
  return admin;
}

uint16_t StartOnFreePorts(int count, bool may_say_otherwise,
                          const std::function<void(uint16_t)>& start) {
  // Another test may have taken the ports since they were found free.
  for (int tries = 1;; ++tries) {
    const auto port = static_cast<uint16_t>(FreePorts(count));
    try {
      start(port);
      return port;
    } catch (const Failure& failure) {
      const bool taken =
          may_say_otherwise || std::string(failure.what()).find("in use") != std::string::npos;
      if (!taken || tries == 10) throw;
    }
  }
}

ChannelServer::ChannelServer(Flags flags, std::optional<int> output)
    : flags_(std::move(flags)), output_(output) {
  StartOnFreePorts(3, output_.has_value(), [this](uint16_t port) {
    port_ = port;
    Start();
  });
}

void ChannelServer::Start() {
  const std::string ready_file = NewTempPath("channel_server.ready");
  Flags flags = {absl::StrCat("--port=", port_), "--admin_port=0",
                 absl::StrCat("--ready_file=", ready_file)};
  flags.insert(flags.end(), flags_.begin(), flags_.end());
  process_ = std::make_unique<Process>(kChannelServerBinary, flags, output_);
  admin_port_ = WaitForReadyPorts(process_.get(), ready_file).admin_port;
}

void ChannelServer::Kill() {
  process_->Signal(SIGKILL);
  process_->WaitForEnd();
}

void ChannelServer::StartAgain() { Start(); }

WebSocketService::WebSocketService(const ChannelServer& channel, int workers, Flags flags,
                                   std::optional<int> output) {
  const std::string ready_file = NewTempPath("websocket_service.ready");
  Flags all = DefaultTlsFlags();
  for (std::string flag : Flags{"--port=0", "--admin_port=0", absl::StrCat("--workers=", workers),
                                absl::StrCat("--channel=127.0.0.1:", channel.port()),
                                absl::StrCat("--ready_file=", ready_file)}) {
    all.push_back(std::move(flag));
  }
  all.insert(all.end(), flags.begin(), flags.end());
  process_ = std::make_unique<Process>(kWebSocketServiceBinary, all, output);
  ports_ = WaitForReadyPorts(process_.get(), ready_file);
  // From now on, WorkersOf knows it by its name.
  if (ports_.admin_port != 0) AwaitAdmin(process_->pid());
}

WebSocketService::~WebSocketService() {
  const std::vector<pid_t> workers = ChildrenOf(process_->pid());
  process_->Signal(SIGKILL);
  process_->WaitForEnd();
  try {
    WaitUntil("the workers follow their supervisor",
              [&] { return std::none_of(workers.begin(), workers.end(), IsAlive); });
  } catch (const Failure& failure) {
    ADD_FAILURE() << failure.what();
  }
}

std::vector<WebSocketService::WorkerRow> WebSocketService::Table() {
  const size_t before = process_->Output().size();
  process_->Signal(SIGUSR1);
  process_->WaitForOutput("numbers: kill -USR1", before);
  std::vector<WorkerRow> rows;
  std::istringstream lines(process_->Output().substr(before));
  bool in_table = false;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "worker") {
      in_table = true;
      continue;
    }
    WorkerRow row;
    if (!in_table || !absl::SimpleAtoi(first, &row.number) ||
        !(words >> row.pid >> row.state >> row.connections >> row.groups >> row.memberships >>
          row.deliveries >> row.errors >> row.limited >> row.gaps >> row.slow >> row.recovered >>
          row.lost)) {
      in_table = false;
      continue;
    }
    rows.push_back(row);
  }
  return rows;
}

std::map<std::string, int64_t> WebSocketService::Limits() {
  const size_t before = process_->Output().size();
  process_->Signal(SIGUSR1);
  process_->WaitForOutput("numbers: kill -USR1", before);
  std::map<std::string, int64_t> limits;
  std::vector<std::string> names;
  std::istringstream lines(process_->Output().substr(before));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    int number = 0;
    if (first == "limits") {
      for (std::string name; words >> name;) names.push_back(name);
    } else if (!names.empty() && absl::SimpleAtoi(first, &number)) {
      for (const std::string& name : names) {
        int64_t count = 0;
        if (!(words >> count)) throw Failure(absl::StrCat("no number of ", name, " in: ", line));
        limits[name] += count;
      }
    }
  }
  return limits;
}

WebSocketService::WorkerRow WebSocketService::RowOf(pid_t worker) {
  for (const WorkerRow& row : Table()) {
    if (row.pid == worker) return row;
  }
  throw Failure(absl::StrCat("no worker ", worker, " in the table"));
}

}  // namespace groupcast::tests
