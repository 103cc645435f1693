#include "tools/load/restart_load.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/posix.h"
#include "tools/load/channel_load.h"
#include "tools/load/process_cost.h"
#include "tools/load/server_process.h"
#include "tools/load/websocket_client.h"

namespace groupcast::load {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFillMessages = 200'000;  // between looks at the log's size
constexpr absl::Duration kAwayMin = absl::Milliseconds(200);
constexpr absl::Duration kAwayMax = absl::Seconds(3);
constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr char kGroup[] = "return";

uint64_t BytesIn(const std::string& directory) {
  uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    bytes += entry.file_size();
  }
  return bytes;
}

// Has the system forget what it has of these files in memory.
absl::Status DropFromCache(const std::string& directory) {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const service::Fd fd(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() || fdatasync(fd.get()) != 0 ||
        posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED) != 0) {
      return service::ErrnoStatus(entry.path().string());
    }
  }
  return absl::OkStatus();
}

// The members, and what one of them sends.
class Members {
 public:
  static absl::StatusOr<Members> Connect(uint16_t port, int count) {
    Members members;
    members.epoll_ = service::Fd(epoll_create1(EPOLL_CLOEXEC));
    for (int i = 0; i < count; ++i) {
      absl::StatusOr<WebSocketClient> client = WebSocketClient::Connect(port, i);
      if (!client.ok()) return client.status();
      absl::Status status = client->Write(
          ClientFrame(absl::StrCat(R"({"cmd":"add_group","id":1,"group_id":")", kGroup, "\"}")));
      bool joined = false;
      while (status.ok() && !joined) {
        status = client->Read(0);
        client->TakeFrames([&](absl::string_view) { joined = true; });
      }
      if (!status.ok()) return status;
      epoll_event event{.events = EPOLLIN, .data = {.u32 = static_cast<uint32_t>(i)}};
      epoll_ctl(members.epoll_.get(), EPOLL_CTL_ADD, client->fd(), &event);
      members.clients_.push_back(*std::move(client));
    }
    return members;
  }

  absl::Status Send(const std::string& text) {
    return clients_.front().Write(ClientFrame(absl::StrCat(
        R"({"cmd":"send_to_group","group_id":")", kGroup, R"(","message":")", text, "\"}")));
  }

  // Reads what comes within a millisecond; how many members have got `text` by that.
  absl::StatusOr<int> CountArrivals(const std::string& text) {
    int arrivals = 0;
    epoll_event events[64];
    const int count = epoll_wait(epoll_.get(), events, 64, 1);
    for (int i = 0; i < count; ++i) {
      WebSocketClient& client = clients_[events[i].data.u32];
      if (absl::Status status = client.Read(MSG_DONTWAIT); !status.ok()) return status;
      client.TakeFrames([&](absl::string_view payload) { arrivals += payload == text; });
    }
    return arrivals;
  }

  int count() const { return static_cast<int>(clients_.size()); }

 private:
  service::Fd epoll_;
  std::vector<WebSocketClient> clients_;
};

void Sort(std::vector<absl::Duration>* durations) {
  std::sort(durations->begin(), durations->end());
}

}  // namespace

absl::StatusOr<StartUpResult> MeasureStartUp(const StartUpOptions& options) {
  const std::string data_dir = options.directory + "/start_up_data";
  ServerProcess server(options.channel_server, options.directory, "start_up");
  const std::vector<std::string> flags = {"--port=0", "--data_dir=" + data_dir};
  if (absl::Status status = server.Start(flags); !status.ok()) return status;
  absl::StatusOr<uint16_t> port = server.WaitUntilReady();
  if (!port.ok()) return port.status();
  StartUpResult result;
  ChannelLoadOptions fill;
  fill.port = *port;
  fill.messages = kFillMessages;
  fill.message_bytes = options.message_bytes;
  fill.groups = options.groups;
  for (; (result.log_bytes = BytesIn(data_dir)) < options.log_bytes;
       result.messages += fill.messages) {
    if (absl::Status status = Publish(fill); !status.ok()) return status;
  }
  for (int i = 0; i < 2 * options.starts; ++i) {
    const bool from_disk = i % 2 == 1;
    server.Kill();
    if (from_disk) {
      if (absl::Status status = DropFromCache(data_dir); !status.ok()) return status;
    }
    if (absl::Status status = server.Start(flags); !status.ok()) return status;
    port = server.WaitUntilReady();
    if (!port.ok()) return port.status();
    (from_disk ? result.from_disk : result.cached).push_back(absl::Now() - server.started());
  }
  result.pss = PssBytes({server.pid()});
  Sort(&result.cached);
  Sort(&result.from_disk);
  return result;
}

absl::StatusOr<ReturnResult> MeasureReturn(const ReturnOptions& options) {
  const std::string data_flag = "--data_dir=" + options.directory + "/return_data";
  ServerProcess channel(options.channel_server, options.directory, "return_channel");
  if (absl::Status status = channel.Start({"--port=0", data_flag}); !status.ok()) return status;
  const absl::StatusOr<uint16_t> channel_port = channel.WaitUntilReady();
  if (!channel_port.ok()) return channel_port.status();
  ServerProcess service(options.websocket_service, options.directory, "return_service");
  if (absl::Status status = service.Start({"--port=0", "--ping_interval=1h",
                                           absl::StrCat("--workers=", options.workers),
                                           absl::StrCat("--channel=127.0.0.1:", *channel_port)});
      !status.ok()) {
    return status;
  }
  const absl::StatusOr<uint16_t> port = service.WaitUntilReady();
  if (!port.ok()) return port.status();
  absl::StatusOr<Members> members = Members::Connect(*port, options.members);
  if (!members.ok()) return members.status();

  ReturnResult result;
  for (int i = 0; i < options.restarts; ++i) {
    channel.Kill();
    // A worker that has tried for longer waits longer between two tries.
    absl::SleepFor(kAwayMin + (kAwayMax - kAwayMin) * i / std::max(1, options.restarts - 1));
    const std::string text = absl::StrCat("message ", i);
    absl::Status status = members->Send(text);
    if (status.ok()) {
      status = channel.Start({absl::StrCat("--port=", *channel_port), "--admin_port=0", data_flag});
    }
    if (!status.ok()) return status;
    std::optional<absl::Duration> ready;
    for (int arrived = 0; arrived < members->count();) {
      const absl::StatusOr<int> more = members->CountArrivals(text);
      if (!more.ok()) return more.status();
      const absl::Duration now = absl::Now() - channel.started();
      if (arrived == 0 && *more > 0) result.first_member.push_back(now);
      arrived += *more;
      if (arrived == members->count()) result.last_member.push_back(now);
      if (!ready.has_value() && channel.Port().has_value()) ready = now;
      if (now > kPatience) return absl::DeadlineExceededError("a member did not get its message");
    }
    // Members may have it before the file is there.
    if (!ready.has_value()) {
      if (const auto there = channel.WaitUntilReady(); !there.ok()) return there.status();
      ready = absl::Now() - channel.started();
    }
    result.ready.push_back(*ready);
  }
  Sort(&result.ready);
  Sort(&result.first_member);
  Sort(&result.last_member);
  return result;
}

}  // namespace groupcast::load
