#ifndef GROUPCAST_TOOLS_BENCH_LOAD_SWARM_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_SWARM_H_

#include <openssl/ssl.h>

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
#include "tools/bench_load/payload_inflater.h"
#include "tools/bench_load/websocket_frames.h"

namespace groupcast::bench {

// The present time, by the clock of all stamps.
int64_t MonotonicNs();

// Thousands of clients of one server on one thread, at the lowest cost. There is one buffer for all
// and one read for each readiness, and frames are recognised in place.
//
// Not thread-safe. Everything runs inside its calls, including the listener.
class Swarm {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // `now_ns`: the time at which the bytes left the socket. It may call Send.
    virtual void OnMessage(uint32_t connection, const Stamp& stamp, int64_t now_ns) = 0;
    // Joins may begin now; and a join has its answer.
    virtual void OnOpen(uint32_t /*connection*/, int64_t /*now_ns*/) {}
    virtual void OnJoined(uint32_t /*connection*/, int64_t /*now_ns*/) {}
    // The connection has ended; `told`: after a close frame of the server. It must not call the
    // swarm.
    virtual void OnClosed(uint32_t /*connection*/, bool /*told*/) {}
  };

  struct Options {
    uint16_t port = 0;
    const Dialect* dialect = nullptr;  // outlives the swarm
    uint32_t connections = 1;
    // Each of several swarms begins after the numbers of the one before, because addresses depend
    // on them.
    uint32_t first_number = 0;
    // The connections with small socket buffers, as on a slow link.
    std::function<bool(uint32_t connection)> narrow = [](uint32_t) { return false; };
    // The first group that a connection will join.
    std::function<Group(uint32_t connection)> first_group = [](uint32_t) { return Group{0}; };
    // The text of every message after its stamp. Compressed messages must end so, apart from what
    // the dialect puts behind.
    std::string message_tail;
    // Fewer than the backlog of a server's listener, so that no connect needs a second attempt.
    uint32_t handshakes_at_once = 256;
    absl::Duration patience = absl::Seconds(60);  // until all are open, and for all joins
  };

  explicit Swarm(const Options& options);

  // Opens all connections, numbered from 0, and waits until the server has answered each.
  absl::Status Open();

  // Joins each pair, all of a connection at once, and waits until all are answered.
  struct Joining {
    uint32_t connection;
    Group group;
    bool watches = false;  // the members of the group
  };
  absl::Status Join(const std::vector<Joining>& joins);

  // Bytes that do not fit into the socket wait in memory, up to kUnsentMax bytes. Over it the run
  // has an error (status()), and the message is not sent. On a closed connection it sends nothing.
  void Send(uint32_t connection, Group group, std::string_view message);
  static constexpr size_t kUnsentMax = 16 << 20;

  // The following functions do not wait; the listener gets the results. A closed connection accepts
  // only Connect.
  void StartToJoin(uint32_t connection, Group group);
  // Only if the dialect can leave.
  void StartToMove(uint32_t connection, Group from, Group to);
  // The server need not answer.
  void Leave(uint32_t connection, Group group);
  // Closes with a close frame. The server's close frame then ends the connection.
  void Disconnect(uint32_t connection);
  // Opens a closed connection again.
  void Connect(uint32_t connection);
  // Whether the swarm reads this connection. It may not send on a connection that it does not read.
  void SetReading(uint32_t connection, bool reading);

  // Waits until bytes are readable or the time comes, and handles them once. The listener also gets
  // the events between this call and the next one.
  void Poll(int64_t until_ns, Listener* listener);

  // The first error that makes the run invalid, for example a refusal by the server.
  const absl::Status& status() const { return status_; }

  // The bytes that have arrived on the connections as they are now: with frame headers, TLS and
  // handshakes.
  int64_t ReceivedBytes() const;

  // The number of connections that the server closed, except in answer to Disconnect.
  uint32_t closed() const { return closed_; }

 private:
  enum class State : uint8_t {
    kNew,
    kConnecting,
    kTls,  // its TLS handshake is under way
    kShakingHands,
    kGreeting,
    kOpen,
    kClosing,  // it has sent a close frame
    kClosed
  };

  struct Connection {
    service::Fd fd;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, &SSL_free};  // null: it is plain
    State state = State::kNew;
    bool wants_to_write = false;
    bool told = false;  // a close frame has arrived
    uint32_t joins_pending = 0;
    int64_t plain_bytes = 0;  // received, if it has no TLS
    FrameReader reader;
    std::unique_ptr<NatsReader> operations;  // inside the frames; null: each frame is a message
    std::string unsent;
    std::string deflated;  // the received part of a payload, if the dialect deflates
    std::string response;  // the HTTP response, until it is complete
  };

  absl::Status StartToConnect(uint32_t number);
  void OnEvent(uint32_t number, uint32_t events, Listener* listener);
  void OnConnected(uint32_t number);
  void ContinueTls(uint32_t number);
  void StartHandshake(uint32_t number);
  // As recv(2) and send(2).
  static ssize_t Receive(Connection* connection, char* bytes, size_t size);
  static ssize_t Transmit(Connection* connection, std::string_view bytes);
  void Read(uint32_t number, Listener* listener);
  // Reads once. False: there is no more.
  bool ReadOnce(uint32_t number, Listener* listener);
  // Takes the received part of the HTTP response off the beginning of `*bytes`.
  void TakeResponse(uint32_t number, std::string_view* bytes);
  // Takes bytes of frames. False: they are not valid.
  bool TakeFrames(uint32_t number, std::string_view bytes, int64_t now_ns, Listener* listener);
  bool TakeNats(uint32_t number, std::string_view bytes, int64_t now_ns, Listener* listener);
  void OnPayload(uint32_t number, const FrameReader::Payload& payload, int64_t now_ns,
                 Listener* listener);
  // Handles a message, or another payload that the dialect knows.
  void OnHead(uint32_t number, Opcode opcode, std::string_view head, int64_t now_ns,
              Listener* listener);
  // Handles a compressed text, the connection's `deflated`.
  void OnDeflated(uint32_t number, int64_t now_ns, Listener* listener);
  void OnControl(uint32_t number, const FrameReader::Payload& payload);
  void OnOpen(uint32_t number);
  void Write(uint32_t number, std::string_view bytes);
  void WriteUnsent(uint32_t number);
  void Watch(uint32_t number, int operation, uint32_t events);
  void Close(uint32_t number);
  void Fail(absl::Status status);
  // Polls until done() holds. When the patience ends, returns an error that names `what`.
  absl::Status PollUntil(const char* what, const std::function<bool()>& done);

  const Options options_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, &SSL_CTX_free};
  service::Fd epoll_;
  absl::Status status_;
  Listener* listener_ = nullptr;
  std::vector<Connection> connections_;
  uint32_t started_ = 0;  // the connections before this number have begun to connect
  uint32_t open_ = 0;     // the number of times that one became open
  uint32_t closed_ = 0;
  int64_t joins_pending_ = 0;
  std::vector<char> buffer_;
  std::string scratch_;  // the bytes to send
  PayloadInflater inflater_;
};

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_SWARM_H_
