#include "services/channel/open_channel.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/channel/memory/loop_memory_channel.h"
#include "services/channel/zmq/zmq_channel.h"
#include "services/common/address.h"

namespace groupcast::service {
namespace {

// A path of a Unix socket has at most 107 bytes (unix(7)).
constexpr size_t kSocketPathBytesMax = 107;
constexpr absl::string_view kLongestSocketName = "/subscribe";

constexpr int kPortMax = 65'535;

absl::StatusOr<uint16_t> ParsePort(absl::string_view text) {
  int port = 0;
  if (!absl::SimpleAtoi(text, &port) || port < 1 || port > kPortMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a port from 1 to ", kPortMax));
  }
  return static_cast<uint16_t>(port);
}

// HOST:PORT, without the ports that follow from PORT.
absl::Status ParseHostAndPort(absl::string_view text, ChannelAddress* address) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return absl::InvalidArgumentError("the port is missing");
  const absl::string_view host = WithoutBrackets(text.substr(0, colon));
  if (host.empty()) return absl::InvalidArgumentError("the host is missing");
  const absl::StatusOr<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port.ok()) return port.status();
  address->host = std::string(host);
  address->publish_port = *port;
  address->subscribe_port = 0;
  address->control_port = 0;
  return absl::OkStatus();
}

// subscribe_port=N&control_port=N
absl::Status ParseQuery(absl::string_view query, ChannelAddress* address) {
  for (const absl::string_view field : absl::StrSplit(query, '&')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    uint16_t* const to = parts.first == "subscribe_port" ? &address->subscribe_port
                         : parts.first == "control_port" ? &address->control_port
                                                         : nullptr;
    if (to == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", parts.first, "\" is neither subscribe_port nor control_port"));
    }
    const absl::StatusOr<uint16_t> port = ParsePort(parts.second);
    if (!port.ok()) return port.status();
    *to = *port;
  }
  return absl::OkStatus();
}

absl::StatusOr<ChannelUrl> ParseTcp(absl::string_view rest) {
  ChannelUrl url;
  const size_t question = rest.find('?');
  if (absl::Status status = ParseHostAndPort(rest.substr(0, question), &url.server); !status.ok()) {
    return status;
  }
  if (question != absl::string_view::npos) {
    if (absl::Status status = ParseQuery(rest.substr(question + 1), &url.server); !status.ok()) {
      return status;
    }
  }
  const int port = url.server.publish_port;
  if ((url.server.subscribe_port == 0 && port + 1 > kPortMax) ||
      (url.server.control_port == 0 && port + 2 > kPortMax)) {
    return absl::InvalidArgumentError(
        absl::StrCat("port ", port, " leaves no ports for the other two links"));
  }
  if (url.server.subscribe_port == 0) url.server.subscribe_port = static_cast<uint16_t>(port + 1);
  if (url.server.control_port == 0) url.server.control_port = static_cast<uint16_t>(port + 2);
  return url;
}

absl::StatusOr<ChannelUrl> ParseUnix(absl::string_view directory) {
  if (directory.empty()) return absl::InvalidArgumentError("the directory is missing");
  if (directory.size() + kLongestSocketName.size() > kSocketPathBytesMax) {
    return absl::InvalidArgumentError("the directory's path is too long for Unix sockets");
  }
  ChannelUrl url;
  url.server.socket_dir = std::string(directory);
  return url;
}

absl::StatusOr<ChannelUrl> Parse(absl::string_view text) {
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) return ParseUnix(rest);
  if (absl::ConsumePrefix(&rest, "memory:")) {
    return ChannelUrl{.engine = ChannelUrl::Engine::kMemory, .memory_name = std::string(rest)};
  }
  if (absl::ConsumePrefix(&rest, "tcp://")) return ParseTcp(rest);
  if (absl::StartsWith(text, "nats://")) {
    return absl::UnimplementedError("this build has no engine for NATS");
  }
  const size_t scheme = text.find("://");
  if (scheme == absl::string_view::npos && absl::StrContains(text, ':')) {
    if (absl::StrContains(text, '?')) {
      return absl::InvalidArgumentError("only tcp://HOST:PORT takes a query");
    }
    return ParseTcp(text);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(scheme == absl::string_view::npos
                       ? std::string("it has no known form")
                       : absl::StrCat("there is no scheme \"", text.substr(0, scheme), "\""),
                   "; it must be HOST:PORT, tcp://HOST:PORT, unix:DIR or memory:NAME"));
}

}  // namespace

absl::StatusOr<ChannelUrl> ParseChannelUrl(absl::string_view text) {
  absl::StatusOr<ChannelUrl> url = Parse(text);
  if (url.ok()) return url;
  return absl::Status(url.status().code(),
                      absl::StrCat("channel \"", text, "\": ", url.status().message()));
}

std::string FormatChannelUrl(const ChannelUrl& url) {
  if (url.engine == ChannelUrl::Engine::kMemory) return absl::StrCat("memory:", url.memory_name);
  if (!url.server.socket_dir.empty()) return absl::StrCat("unix:", url.server.socket_dir);
  return TcpUrl(url.server);
}

absl::StatusOr<std::unique_ptr<Channel>> OpenChannel(const ChannelUrl& url, EventLoop* loop,
                                                     ChannelListener* listener,
                                                     const ChannelOptions& options) {
  switch (url.engine) {
    case ChannelUrl::Engine::kZmq:
      return ZmqChannel::Create({.server = url.server,
                                 .curve = options.curve,
                                 .client = {.max_message_bytes = options.message_bytes_max,
                                            .server_may_take_less = options.server_may_take_less,
                                            .window = {.bytes_max = options.window_bytes_max}}},
                                loop, listener);
    case ChannelUrl::Engine::kMemory:
      return LoopMemoryChannel::Create({.name = url.memory_name,
                                        .message_bytes_max = options.message_bytes_max,
                                        .window_bytes_max = options.window_bytes_max},
                                       loop, listener);
  }
  return absl::InternalError("an engine that is none");
}

absl::StatusOr<std::unique_ptr<Channel>> OpenChannel(absl::string_view url, EventLoop* loop,
                                                     ChannelListener* listener,
                                                     const ChannelOptions& options) {
  const absl::StatusOr<ChannelUrl> parsed = ParseChannelUrl(url);
  if (!parsed.ok()) return parsed.status();
  return OpenChannel(*parsed, loop, listener, options);
}

}  // namespace groupcast::service
