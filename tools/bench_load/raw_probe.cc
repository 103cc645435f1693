// The floor under every server: it reads which frame goes to which group, and writes that frame to
// each member's socket, or several frames at once with --gather. No protocol, no second process,
// one thread. Writes block when a socket is full, as only a client that always reads uses it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "services/common/flags.h"
#include "services/common/posix.h"
#include "services/common/ready_file.h"
#include "tools/bench_load/raw_command.h"
#include "tools/bench_load/websocket_frames.h"

ABSL_FLAG(int, gather, 1,
          "frames of a group that are written at once: it waits for so many, or until nothing more "
          "has come for 10 ms");
ABSL_FLAG(std::string, ready_file, "",
          "file that appears, with the port in it as JSON, when it can be used");

namespace groupcast::bench {
namespace {

using service::ErrnoStatus;
using service::Fd;

constexpr int kWaitMs = 10;

class RawProbe {
 public:
  explicit RawProbe(size_t gather) : gather_(gather) {}

  absl::Status Listen(const std::string& ready_file);
  // Until something fails.
  absl::Status Run();

 private:
  struct Connection {
    Fd fd;
    std::string input;  // a command that is not whole yet, and its frame
  };
  struct GroupState {
    std::vector<int> members;         // their sockets
    std::vector<std::string> frames;  // that wait for others; fewer than gather_
  };

  absl::Status Accept();
  absl::Status Read(Connection* connection);
  absl::Status Do(const RawCommand& command, std::string_view frame, int fd);
  static absl::Status WriteAll(GroupState* group);
  static absl::Status Write(int fd, const std::vector<std::string>& frames);

  const size_t gather_;
  Fd listener_;
  Fd epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
  std::unordered_map<uint32_t, GroupState> groups_;
  std::unordered_set<uint32_t> waiting_;  // groups that may have frames
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

absl::Status RawProbe::Listen(const std::string& ready_file) {
  listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener_.get()}};
  if (!listener_.valid() || !epoll_.valid() || bind(listener_.get(), generic, size) != 0 ||
      listen(listener_.get(), 4'096) != 0 || getsockname(listener_.get(), generic, &size) != 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &event) != 0) {
    return ErrnoStatus("listen");
  }
  return service::WriteReadyFile(ready_file, {.port = ntohs(address.sin_port)});
}

absl::Status RawProbe::Run() {
  for (;;) {
    epoll_event events[256];
    const int count = epoll_wait(epoll_.get(), events, 256, waiting_.empty() ? -1 : kWaitMs);
    if (count < 0 && errno != EINTR) return ErrnoStatus("epoll_wait");
    if (count == 0) {
      for (const uint32_t group : std::exchange(waiting_, {})) {
        if (absl::Status status = WriteAll(&groups_[group]); !status.ok()) return status;
      }
    }
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      absl::Status status =
          fd == listener_.get() ? Accept() : Read(connections_[static_cast<size_t>(fd)].get());
      if (!status.ok()) return status;
    }
  }
}

absl::Status RawProbe::Accept() {
  Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus("accept");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd.get()}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0)
    return ErrnoStatus("epoll_ctl");
  const auto place = static_cast<size_t>(fd.get());
  if (connections_.size() <= place) connections_.resize(place + 1);
  connections_[place] = std::make_unique<Connection>();
  connections_[place]->fd = std::move(fd);
  return absl::OkStatus();
}

absl::Status RawProbe::Read(Connection* connection) {
  const int fd = connection->fd.get();
  const ssize_t count = recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return absl::OkStatus();
  if (count <= 0) return absl::AbortedError("a client has closed its connection");
  connection->input.append(buffer_.data(), static_cast<size_t>(count));
  std::string_view rest = connection->input;
  RawCommand command;
  while (rest.size() >= sizeof(command)) {
    std::memcpy(&command, rest.data(), sizeof(command));
    if (rest.size() < sizeof(command) + command.frame_bytes) break;
    const std::string_view frame = rest.substr(sizeof(command), command.frame_bytes);
    if (absl::Status status = Do(command, frame, fd); !status.ok()) return status;
    rest.remove_prefix(sizeof(command) + command.frame_bytes);
  }
  connection->input.erase(0, connection->input.size() - rest.size());
  return absl::OkStatus();
}

absl::Status RawProbe::Do(const RawCommand& command, std::string_view frame, int fd) {
  GroupState& group = groups_[command.group];
  if (command.kind == RawCommand::Kind::kJoin) {
    group.members.push_back(fd);
    std::vector<std::string> answer(1);
    AppendServerFrame(Opcode::kText, kRawJoined, &answer[0]);
    return Write(fd, answer);
  }
  group.frames.emplace_back(frame);
  if (group.frames.size() == gather_) return WriteAll(&group);
  waiting_.insert(command.group);
  return absl::OkStatus();
}

absl::Status RawProbe::WriteAll(GroupState* group) {
  if (group->frames.empty()) return absl::OkStatus();
  for (const int member : group->members) {
    if (absl::Status status = Write(member, group->frames); !status.ok()) return status;
  }
  group->frames.clear();
  return absl::OkStatus();
}

absl::Status RawProbe::Write(int fd, const std::vector<std::string>& frames) {
  iovec parts[64];
  size_t left = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    parts[i] = {const_cast<char*>(frames[i].data()), frames[i].size()};
    left += frames[i].size();
  }
  iovec* part = parts;
  for (;;) {
    const auto parts_left = static_cast<int>(parts + frames.size() - part);
    const ssize_t count =
        parts_left == 1 ? write(fd, part->iov_base, part->iov_len) : writev(fd, part, parts_left);
    if (count < 0) return ErrnoStatus("write");
    auto written = static_cast<size_t>(count);
    left -= written;
    if (left == 0) return absl::OkStatus();
    for (; written >= part->iov_len; ++part) written -= part->iov_len;
    part->iov_base = static_cast<char*>(part->iov_base) + written;
    part->iov_len -= written;
  }
}

}  // namespace
}  // namespace groupcast::bench

int main(int argc, char** argv) {
  groupcast::service::ParseCommandLine(argc, argv, "raw_probe [flags]: see tools/bench");
  const int gather = absl::GetFlag(FLAGS_gather);
  if (gather < 1 || gather > 64) {
    std::fprintf(stderr, "raw_probe: --gather must be from 1 to 64\n");
    return 2;
  }
  groupcast::service::RaiseOpenFilesLimit();
  std::signal(SIGPIPE, SIG_IGN);
  groupcast::bench::RawProbe probe(static_cast<size_t>(gather));
  absl::Status status = probe.Listen(absl::GetFlag(FLAGS_ready_file));
  if (status.ok()) status = probe.Run();
  std::fprintf(stderr, "raw_probe: %s\n", std::string(status.message()).c_str());
  return 1;
}
