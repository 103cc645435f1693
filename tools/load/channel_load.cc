#include "tools/load/channel_load.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"
#include "tools/load/channel_link.h"
#include "tools/load/process_cost.h"

namespace groupcast::load {
namespace {

using service::Message;
using service::Position;

constexpr char kGroup[] = "load";
constexpr absl::Duration kPatience = absl::Seconds(60);

class Listener final : public service::ChannelListener {
 public:
  void OnSubscribed(absl::string_view, const Position& head) override {
    announced = true;
    last = head.offset;
  }
  void OnMessage(const Message& message) override {
    ++received;
    if (message.offset <= last) ++out_of_order;
    if (message.previous != last) ++gaps;
    last = message.offset;
  }
  void OnGap(absl::string_view, const service::Gap& gap) override {
    ++gaps;
    last = gap.to.offset;
  }
  void OnConnectionState(bool) override {}
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status&) override {}

  bool announced = false;
  int64_t received = 0;
  int64_t out_of_order = 0;
  int64_t gaps = 0;
  uint64_t last = 0;
};

// Somebody who publishes, or subscribes, or both.
struct Client {
  Listener listener;
  std::unique_ptr<ChannelLink> link;

  static absl::StatusOr<std::unique_ptr<Client>> Open(uint16_t port) {
    auto client = std::make_unique<Client>();
    absl::StatusOr<std::unique_ptr<ChannelLink>> link = ChannelLink::Open(port, &client->listener);
    if (!link.ok()) return link.status();
    client->link = *std::move(link);
    return client;
  }
};

// Publishes all, with as much in flight as the window allows. False: not all were acknowledged.
bool PublishAll(Client* client, const ChannelLoadOptions& options) {
  const std::string text(options.message_bytes, 'x');
  int64_t sent = 0;
  int64_t acknowledged = 0;
  // Enough to keep every stage busy, without a window of megabytes in each socket.
  constexpr int64_t kInFlight = 20'000;
  return client->link->RunUntil(
      [&] {
        while (sent < options.messages && sent - acknowledged < kInFlight) {
          const std::string group =
              options.groups == 1 ? kGroup : absl::StrCat(kGroup, " ", sent % options.groups);
          ++sent;
          client->link->channel().Publish({.group_id = group, .content = {.data = text}},
                                          [&](absl::StatusOr<Position> position) {
                                            if (position.ok()) ++acknowledged;
                                          });
        }
        return acknowledged == options.messages;
      },
      kPatience);
}

// Its exit code says whether all were acknowledged.
int RunPublisher(const ChannelLoadOptions& options) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(options.port);
  return client.ok() && PublishAll(client->get(), options) ? 0 : 1;
}

}  // namespace

absl::StatusOr<ChannelLoadResult> MeasureThroughput(const ChannelLoadOptions& options) {
  const pid_t publisher = fork();
  if (publisher < 0) return service::ErrnoStatus("fork");
  if (publisher == 0) {
    // Begins when it is told that the subscriber is there.
    raise(SIGSTOP);
    _exit(RunPublisher(options));
  }
  waitpid(publisher, nullptr, WUNTRACED);
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(options.port);
  if (!client.ok()) {
    kill(publisher, SIGKILL);
    waitpid(publisher, nullptr, 0);
    return client.status();
  }
  Listener& listener = (*client)->listener;
  (*client)->link->channel().Subscribe(kGroup);
  (*client)->link->RunUntil([&] { return listener.announced; }, kPatience);
  const std::vector<pid_t> server = ProcessTree(options.server);
  const absl::Duration cpu_before = CpuTime(server);
  kill(publisher, SIGCONT);
  absl::Time began;
  (*client)->link->RunUntil([&] { return listener.received > 0; }, kPatience);
  began = absl::Now();
  const uint64_t first = listener.last - static_cast<uint64_t>(listener.received);
  absl::Time progressed = absl::Now();
  int64_t seen = 0;
  // Until all came, or nothing more does: then what is missing is lost.
  (*client)->link->RunUntil(
      [&] {
        if (listener.received != seen) {
          seen = listener.received;
          progressed = absl::Now();
        }
        return listener.last >= first + static_cast<uint64_t>(options.messages) ||
               absl::Now() - progressed > absl::Seconds(3);
      },
      kPatience);
  const absl::Time ended = progressed;
  ChannelLoadResult result;
  result.wall = ended - began;
  result.server_cpu = CpuTime(server) - cpu_before;
  result.received = listener.received;
  result.lost = options.messages - listener.received;
  result.out_of_order = listener.out_of_order;
  int status = 0;
  waitpid(publisher, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return absl::InternalError("the publisher failed");
  return result;
}

absl::Status Publish(const ChannelLoadOptions& options) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(options.port);
  if (!client.ok()) return client.status();
  if (PublishAll(client->get(), options)) return absl::OkStatus();
  return absl::DeadlineExceededError("not all messages were acknowledged");
}

absl::StatusOr<JoinResult> MeasureJoins(const ChannelLoadOptions& options, int count) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(options.port);
  if (!client.ok()) return client.status();
  std::vector<absl::Duration> times;
  for (int i = 0; i < count; ++i) {
    (*client)->listener.announced = false;
    const absl::Time began = absl::Now();
    (*client)->link->channel().Subscribe(absl::StrCat("join ", getpid(), " ", i));
    if (!(*client)->link->RunUntil([&] { return (*client)->listener.announced; }, kPatience)) {
      return absl::DeadlineExceededError("no announcement");
    }
    times.push_back(absl::Now() - began);
  }
  std::sort(times.begin(), times.end());
  return JoinResult{.p50 = times[times.size() / 2], .p99 = times[times.size() * 99 / 100]};
}

}  // namespace groupcast::load
