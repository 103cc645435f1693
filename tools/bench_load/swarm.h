#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SWARM_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SWARM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/common/posix.h"
#include "tools/bench_load/dialect.h"
#include "tools/bench_load/nats_reader.h"
#include "tools/bench_load/websocket_frames.h"

namespace groupcast::bench {

// Now, by the clock of all stamps.
int64_t MonotonicNs();

// Thousands of clients of one server on one thread, made to cost as little as they can: one buffer
// for all, one read for each readiness, frames recognised in place.
//
// Not thread-safe. Everything happens within calls, the listener's included.
class Swarm {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // `now_ns`: when the bytes were taken from the socket. It may call Send.
    virtual void OnMessage(uint32_t connection, const Stamp& stamp, int64_t now_ns) = 0;
    // Joins may come now, or one has been answered.
    virtual void OnOpen(uint32_t /*connection*/, int64_t /*now_ns*/) {}
    virtual void OnJoined(uint32_t /*connection*/, int64_t /*now_ns*/) {}
    // The connection has come to its end; `told`: after a close frame of the server. It may call
    // nothing.
    virtual void OnClosed(uint32_t /*connection*/, bool /*told*/) {}
  };

  struct Options {
    uint16_t port = 0;
    const Dialect* dialect = nullptr;  // outlives the swarm
    uint32_t connections = 1;
    // Of several swarms each begins after the last one's numbers: addresses depend on it.
    uint32_t first_number = 0;
    // Those whose sockets hold little, as on a slow link.
    std::function<bool(uint32_t connection)> narrow = [](uint32_t) { return false; };
    // The first group that a connection will join.
    std::function<Group(uint32_t connection)> first_group = [](uint32_t) { return Group{0}; };
    // Fewer than what a server's listener queues, so that no connect has to be repeated.
    uint32_t handshakes_at_once = 256;
    absl::Duration patience = absl::Seconds(60);  // for all to be open, and for all joins
  };

  explicit Swarm(const Options& options);

  // Opens all connections, numbered from 0, and waits until the server has answered each.
  absl::Status Open();

  // A join for each pair, all of a connection at once; waits until all are answered.
  struct Joining {
    uint32_t connection;
    Group group;
  };
  absl::Status Join(const std::vector<Joining>& joins);

  // What does not fit into the socket waits in memory, up to kUnsentMax bytes; more is an error of
  // the run (status()), and what was to be sent is not. Nothing is sent on a closed connection.
  void Send(uint32_t connection, Group group, std::string_view message);
  static constexpr size_t kUnsentMax = 16 << 20;

  // The following do not wait; the listener is told what comes of them. A closed connection takes
  // none but Connect.
  void StartToJoin(uint32_t connection, Group group);
  // Only if the dialect can leave.
  void StartToMove(uint32_t connection, Group from, Group to);
  // Closes with a close frame, and waits for the server to do the same.
  void Disconnect(uint32_t connection);
  // Opens a closed connection again.
  void Connect(uint32_t connection);
  // Whether what comes is read. Nothing may be sent on a connection that does not read.
  void SetReading(uint32_t connection, bool reading);

  // Waits until there is something to read, or the moment comes, and handles what there is, once.
  // The listener is also told of what happens between this and the next call.
  void Poll(int64_t until_ns, Listener* listener);

  // The first thing that makes the run meaningless: a refusal by the server, say.
  const absl::Status& status() const { return status_; }

  // How often the server has closed a connection, other than in answer to Disconnect.
  uint32_t closed() const { return closed_; }

 private:
  enum class State : uint8_t {
    kNew,
    kConnecting,
    kShakingHands,
    kGreeting,
    kOpen,
    kClosing,  // it has sent a close frame
    kClosed
  };

  struct Connection {
    service::Fd fd;
    State state = State::kNew;
    bool wants_to_write = false;
    bool told = false;  // a close frame has come
    uint32_t joins_pending = 0;
    FrameReader reader;
    std::unique_ptr<NatsReader> operations;  // of what the frames hold; null: a message each
    std::string unsent;
    std::string response;  // the HTTP response, until it is whole
  };

  absl::Status StartToConnect(uint32_t number);
  void OnEvent(uint32_t number, uint32_t events, Listener* listener);
  void OnConnected(uint32_t number);
  void Read(uint32_t number, Listener* listener);
  // Takes the HTTP response off the beginning of `*bytes`, as far as it has come.
  void TakeResponse(uint32_t number, std::string_view* bytes);
  // Takes bytes of frames. False: they make no sense.
  bool TakeFrames(uint32_t number, std::string_view bytes, int64_t now_ns, Listener* listener);
  bool TakeNats(uint32_t number, std::string_view bytes, int64_t now_ns, Listener* listener);
  void OnPayload(uint32_t number, const FrameReader::Payload& payload, int64_t now_ns,
                 Listener* listener);
  // Of a message, or of whatever else the dialect knows.
  void OnHead(uint32_t number, Opcode opcode, std::string_view head, int64_t now_ns,
              Listener* listener);
  void OnControl(uint32_t number, const FrameReader::Payload& payload);
  void OnOpen(uint32_t number);
  void Write(uint32_t number, std::string_view bytes);
  void WriteUnsent(uint32_t number);
  void Watch(uint32_t number, int operation, uint32_t events);
  void Close(uint32_t number);
  void Fail(absl::Status status);
  // Polls until done() holds, which is an error, naming `what`, when patience ends.
  absl::Status PollUntil(const char* what, const std::function<bool()>& done);

  const Options options_;
  service::Fd epoll_;
  absl::Status status_;
  Listener* listener_ = nullptr;
  std::vector<Connection> connections_;
  uint32_t started_ = 0;  // those before this number have begun to connect
  uint32_t open_ = 0;     // how often one has become open
  uint32_t closed_ = 0;
  int64_t joins_pending_ = 0;
  std::vector<char> buffer_;
  std::string scratch_;  // what is being sent
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SWARM_H_
