#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CONNECTION_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/channel/nats/nats_reader.h"
#include "services/channel/nats/nats_writer.h"
#include "services/common/event_loop.h"
#include "services/common/host_lookup.h"
#include "services/common/posix.h"

namespace groupcast::service {

struct NatsServer {
  std::string host;
  uint16_t port = 4222;
};

struct NatsConnectionOptions {
  // At least one. All are of one cluster.
  std::vector<NatsServer> servers;
  // What the servers ask for; empty: nothing. Either a token, or a user with a password.
  std::string user;
  std::string password;
  std::string token;
  std::string name;  // for the operators of the servers
  // The bound of one message from a server, with its headers.
  size_t message_bytes_max = 1u << 20;
  // From the first step to the server's answer.
  absl::Duration connect_timeout = absl::Seconds(5);
  // A server that says nothing for this time is asked, and after as much again it is gone.
  absl::Duration silence_max = absl::Seconds(5);
  // The pause after all servers were tried.
  absl::Duration retry_after = absl::Milliseconds(500);
};

// What a server says of itself.
struct NatsServerInfo {
  std::string name;
  std::string version;
  size_t payload_bytes_max = 0;  // of one message, with its headers
  bool has_jet_stream = false;
};

// Called from the loop, and never from inside a call of the connection.
class NatsConnectionHandler {
 public:
  // A server has answered. It knows no subscription yet.
  virtual void OnNatsConnected(const NatsServerInfo& server) = 0;
  // The connection is lost, or one attempt has failed while there was none. `why` is the end of a
  // sentence. Another attempt follows by itself.
  virtual void OnNatsLost(const absl::Status& why) = 0;
  virtual void OnNatsMessage(const NatsMessage& message) = 0;
  // The bytes that the connection has read in this turn are all given out.
  virtual void OnNatsInputEnds() = 0;

 protected:
  ~NatsConnectionHandler() = default;
};

// A connection to one server of a NATS cluster, which it replaces when it breaks. It speaks the
// client protocol of NATS on the owner's loop.
//
// (Not libnats: it hands each message from its own threads to the caller's, it blocks a caller
// while a socket is full, and whoever does not use this engine would need it too.)
//
// Writes wait in memory until the end of the turn, and while the socket is full. The owner bounds
// what it writes; unsent_bytes() tells how much waits.
//
// Not thread-safe; it lives on its loop. Not before fork(2).
class NatsConnection final : public NatsWriter, private EventHandler {
 public:
  // Begins to connect. `loop` and `handler` must outlive it.
  NatsConnection(NatsConnectionOptions options, EventLoop* loop, NatsConnectionHandler* handler);
  ~NatsConnection();
  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;

  bool connected() const { return state_ == State::kConnected; }

  void Publish(absl::string_view subject, absl::string_view reply, Headers headers,
               absl::string_view data) override;
  void Subscribe(absl::string_view subject, uint64_t number) override;
  void Unsubscribe(uint64_t number) override;

  size_t unsent_bytes() const { return unsent_.size(); }

 private:
  enum class State : uint8_t {
    kWaiting,     // for the next attempt
    kLooking,     // a host up
    kConnecting,  // TCP
    kGreeting,    // the server's INFO, and its answer to ours
    kConnected,
  };

  void Attempt();
  void OnAddresses(absl::StatusOr<HostLookup::Addresses> addresses);
  void ConnectToNext(absl::Status why_not);
  void OnEvents(uint32_t events) override;
  void Read();
  bool OnEvent(NatsReader::Event event);
  // False: the server cannot be used.
  bool Greet(absl::string_view info);
  void OnPong();
  void Flush();
  void Touch();
  void Tick();
  void Lose(const absl::Status& why);
  void CloseSocket();

  const NatsConnectionOptions options_;
  EventLoop* const loop_;
  NatsConnectionHandler* const handler_;
  State state_ = State::kWaiting;
  size_t next_server_ = 0;
  size_t tried_ = 0;  // since the last connection, or the last pause
  std::string server_text_;
  std::unique_ptr<HostLookup> lookup_;
  HostLookup::Addresses addresses_;  // not tried yet, the next one last
  Fd socket_;
  uint32_t watched_ = 0;  // epoll bits
  NatsReader reader_;
  NatsServerInfo server_;
  std::string unsent_;
  bool is_touched_ = false;
  bool is_full_ = false;  // the socket
  bool was_asked_ = false;
  absl::Time heard_at_;
  absl::Time next_attempt_;
  absl::Time attempt_ends_;
  // Null after the end. The loop's hooks and timers check it before they call.
  std::shared_ptr<NatsConnection*> self_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_NATS_CONNECTION_H_
