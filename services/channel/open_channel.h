#ifndef GROUPCAST_SERVICES_CHANNEL_OPEN_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_OPEN_CHANNEL_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/zmq/curve.h"
#include "services/channel/zmq/sockets.h"
#include "services/common/event_loop.h"

namespace groupcast::service {

// Names an engine and the place of its server. As text:
//
//   HOST:PORT                  a channel server. PORT is its publish port; the subscribe and
//                              control ports are the next two
//   tcp://HOST:PORT            the same. A query may name the other two ports:
//                              tcp://HOST:PORT?subscribe_port=N&control_port=N
//   unix:DIR                   a channel server on this machine; DIR is its --socket_dir
//   memory:NAME                a hub in this process. NAME may be empty. For tests.
//
// An IPv6 host may stand in brackets. A host with the name "unix" or "memory" needs tcp://.
struct ChannelUrl {
  enum class Engine { kZmq, kMemory };
  Engine engine = Engine::kZmq;
  ChannelAddress server;    // of kZmq
  std::string memory_name;  // of kMemory
};

// Reads the text. It opens no connection and looks up no host.
// kInvalidArgument: the text has none of these forms. The message names the forms, or the wrong
// part.
// kUnimplemented: a scheme that this build has no engine for.
absl::StatusOr<ChannelUrl> ParseChannelUrl(absl::string_view text);

// Returns the shortest text of the channel, for people and logs. ParseChannelUrl reads it.
std::string FormatChannelUrl(const ChannelUrl& url);

// The options that all engines have.
struct ChannelOptions {
  // The largest message that the channel takes. It takes less while its server does.
  size_t message_bytes_max = 64 * 1024;

  // Whether the server may take less than that when the channel first connects. If not, that is a
  // misconfiguration.
  bool server_may_take_less = false;

  // The keys for a channel server that asks for them. Null: none.
  std::shared_ptr<const CurveClientKeys> curve;

  // The bound of the bytes that all publications without an answer use. One publication alone
  // always fits.
  size_t window_bytes_max = 64u << 20;
};

// Opens a channel, which begins to connect. `loop` and `listener` must outlive it. Must be called
// after fork(2), in the loop's thread.
//
// memory: all channels with the same NAME share a hub. The hub lives until the last of them is
// destroyed. It begins with a random epoch, and keeps the newest 1,000 messages of each group.
// Groups and keys have no bound: it is for tests.
//
// kInvalidArgument: the server's address cannot be used.
// kFailedPrecondition: the channels of a memory hub must be on one loop.
absl::StatusOr<std::unique_ptr<Channel>> OpenChannel(const ChannelUrl& url, EventLoop* loop,
                                                     ChannelListener* listener,
                                                     const ChannelOptions& options);
// Also returns the errors of ParseChannelUrl.
absl::StatusOr<std::unique_ptr<Channel>> OpenChannel(absl::string_view url, EventLoop* loop,
                                                     ChannelListener* listener,
                                                     const ChannelOptions& options);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_OPEN_CHANNEL_H_
