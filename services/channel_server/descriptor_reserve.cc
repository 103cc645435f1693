#include "services/channel_server/descriptor_reserve.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// The accepted connections that one step looks at for each socket.
constexpr int kConnectionsPerStep = 1'000;

// The present limit, because prlimit(1) can change it while the process runs.
int64_t OpenFilesLimit() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(limit.rlim_cur);
}

}  // namespace

absl::Status DescriptorReserve::Watch(zmq::context_t* context,
                                      absl::Span<zmq::socket_t* const> sockets) {
  for (zmq::socket_t* socket : sockets) {
    const std::string endpoint = absl::StrCat("inproc://accepted", monitors_.size());
    if (zmq_socket_monitor(socket->handle(), endpoint.c_str(), ZMQ_EVENT_ACCEPTED) != 0) {
      return ErrnoStatus("zmq_socket_monitor");
    }
    try {
      zmq::socket_t monitor(*context, zmq::socket_type::pair);
      monitor.set(zmq::sockopt::linger, 0);
      // ZeroMQ's own side of this queue has 1,000 more, which cannot be changed.
      monitor.set(zmq::sockopt::rcvhwm, 1);
      monitor.connect(endpoint);
      monitors_.push_back(std::move(monitor));
    } catch (const zmq::error_t& error) {
      return absl::ErrnoToStatus(error.num(), "watching accepted connections");
    }
  }
  return absl::OkStatus();
}

std::vector<int> DescriptorReserve::descriptors() {
  std::vector<int> all;
  for (zmq::socket_t& monitor : monitors_) all.push_back(monitor.get(zmq::sockopt::fd));
  return all;
}

bool DescriptorReserve::Step(absl::Time now) {
  const int64_t limit = OpenFilesLimit();
  bool has_more = false;
  for (zmq::socket_t& monitor : monitors_) has_more |= StepOne(&monitor, limit, now);
  return has_more;
}

bool DescriptorReserve::StepOne(zmq::socket_t* monitor, int64_t limit, absl::Time now) {
  zmq::message_t event;    // 16 bits of event and 32 of value (zmq_socket_monitor(3))
  zmq::message_t address;  // the listening one
  for (int i = 0; i < kConnectionsPerStep; ++i) {
    if (!monitor->recv(event, zmq::recv_flags::dontwait)) return false;
    int32_t descriptor;
    if (!event.more() || !monitor->recv(address)) continue;
    if (event.size() != sizeof(uint16_t) + sizeof(descriptor)) continue;
    std::memcpy(&descriptor, static_cast<const char*>(event.data()) + sizeof(uint16_t),
                sizeof(descriptor));
    if (descriptor >= limit - Size(limit)) Cut(descriptor, limit, now);
  }
  return true;
}

void DescriptorReserve::Cut(int descriptor, int64_t limit, absl::Time now) {
  // ZeroMQ's thread finds the end of the connection, and closes it. An error means that it has done
  // so already.
  shutdown(descriptor, SHUT_RDWR);
  if (const int64_t count = log_limit_.Admit(now)) {
    spdlog::error(
        "out of file descriptors: a new connection was cut, and those before it go on ({} since "
        "the last such line). {} of {} open files are for connections: raise the limit (ulimit -n, "
        "LimitNOFILE= of systemd), or find out from where so many connections come",
        count, limit - Size(limit), limit);
  }
}

}  // namespace groupcast::service
