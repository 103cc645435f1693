#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_CONNECTION_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"
#include "services/connections/deadline_list.h"
#include "services/connections/flush_queue.h"
#include "services/connections/peer_address.h"
#include "services/connections/peer_socket.h"
#include "services/connections/unfinished_pool.h"
#include "services/groups/group_service.h"
#include "services/groups/member.h"
#include "services/http/pages.h"
#include "services/http/request_parser.h"
#include "services/http_gateway/api_keys.h"
#include "services/http_gateway/door.h"
#include "services/http_gateway/exchange.h"
#include "services/http_gateway/response.h"
#include "services/http_gateway/route.h"
#include "services/http_gateway/stream_progress.h"

namespace groupcast::service {

class Connection;

// The bounds of the socket are those of a stream.
struct ConnectionOptions : PeerSocketOptions {
  RequestLimits requests;
  CallLimits calls;
  // A peer that does not acknowledge bytes for this time is gone.
  absl::Duration dead_peer_timeout = absl::Seconds(35);
};

// The methods of a worker that its connections call.
class ConnectionHost {
 public:
  virtual const ConnectionOptions& options() const = 0;
  virtual GroupService& groups() = 0;
  virtual Door door() const = 0;
  virtual const ApiKeys& api_keys() const = 0;
  // The files of the dashboard. Null: there are none.
  virtual const Pages* dashboard() const = 0;
  // Asks the services' admin ports. Returns the JSON, or null: OnServices follows, unless the
  // connection is destroyed before.
  virtual const std::string* AskServices(Connection* connection) = 0;
  // For the log: what a caller wanted to end, and what came of it. `was_asked`: the workers were
  // asked.
  virtual void OnEndAsked(absl::string_view line, bool was_asked) = 0;
  // Null: the service can be used. Otherwise the end of a sentence.
  virtual absl::string_view why_not_ready() const = 0;
  virtual bool is_draining() const = 0;
  // The connection is one of those above the worker's limit.
  virtual bool is_surplus(const Connection& connection) const = 0;
  virtual absl::string_view date() const = 0;

  // A request has been read, or refused.
  virtual void OnRequest(bool refused) = 0;
  // The caller is told an error with this code, which the groups have not counted.
  virtual void OnError(absl::string_view code) = 0;
  virtual void OnStream(int change) = 0;
  // A stream ends: with an event that has this code, or as the code says.
  virtual void OnStreamEnd(CloseCode code) = 0;
  virtual void OnReceived(size_t bytes) = 0;
  virtual void OnSent(size_t bytes) = 0;
  // What the connection waits for now.
  virtual void OnIdle(Connection* connection) = 0;       // for a request
  virtual void OnReading(Connection* connection) = 0;    // for the rest of a request
  virtual void OnAnswering(Connection* connection) = 0;  // for the channel
  virtual void OnWriting(Connection* connection) = 0;    // for the peer to take an answer
  virtual void OnStreaming(Connection* connection) = 0;  // for messages
  virtual void OnClosing(Connection* connection) = 0;    // for the peer to close
  // The connection has bytes to write, an answer to build, or has ended.
  virtual void OnTouched(Connection* connection, TrafficClass traffic_class) = 0;
  // Whether a request with so many bytes may run now. OnHeld says that it does, and that it ends.
  virtual bool MayHold(size_t bytes) const = 0;
  virtual void OnHeld(int64_t change) = 0;
  // As SessionHost of the WebSocket service.
  virtual void OnUnfinished(Connection* connection, size_t bytes) = 0;

 protected:
  ~ConnectionHost() = default;
};

// One connection of an HTTP client. It reads requests one after the other, runs their commands, and
// answers. A request for a stream is its last one. While a request is under way it reads nothing,
// so requests that come together wait in the kernel.
//
// A request is a member of groups as long as it runs: so rights, limits and rates are those of all
// clients. A stream stays a member.
//
// It ends in steps, so that no caller uses a destroyed connection. The worker destroys it at the
// end of a turn, once `ended`.
class Connection final : public Member,
                         public PeerSocket,
                         public DeadlineNode,
                         public FlushNode,
                         public UnfinishedNode {
 public:
  Connection(ConnectionHost* host, EventLoop* loop, Fd socket, ConnectionId id);
  ~Connection() override;

  // Begins to watch the socket.
  absl::Status Start();

  // Builds the answer if it is complete, and writes until the socket is full. Returns the number of
  // completely written blocks.
  size_t Flush();

  // Ends it when what it has queued is written. `drop_unsent`: without what is not written yet.
  // A stream ends with `code`, for the counters.
  void Close(bool drop_unsent, CloseCode code = CloseCode::kAbnormal);
  // Ends it at once, if it waits for a request: the peer has all that was for it.
  void CloseIdle();
  // As Close for a stream, which is told why and when to come back.
  void EndStream(CloseCode code, absl::string_view reason, absl::Duration reconnect_after);
  // The rest of the request has not come in time.
  void OnRequestTimeout();
  // Answers with this problem, if a request is under way.
  void FailRequest(const Problem& problem);
  // The answer to AskServices.
  void OnServices(absl::string_view json);
  void SendHeartbeat();
  // Cuts it off. What the kernel has not delivered is dropped, with a reset.
  void Abort();

  bool ended() const { return state_ == State::kEnded; }
  bool is_idle() const {
    return state_ == State::kReading && outbox().empty() && !parser_.is_inside();
  }
  bool is_reading() const { return state_ == State::kReading; }
  bool is_answering() const { return state_ == State::kAnswering; }
  bool is_streaming() const { return state_ == State::kStreaming; }
  // Whether it was closed because its outbox was full.
  bool slow() const { return slow_; }
  PeerAddress peer_address() const { return PeerAddressOf(socket()); }
  size_t outbox_bytes() const { return outbox().bytes(); }
  // The memory of what it has read and not used yet.
  size_t input_bytes() const { return parser_.buffered_bytes(); }
  // Whether its outbox has drained far enough for recoveries to continue.
  bool drained() const;

  // For the worker: its index in the list of all connections.
  uint32_t place = 0;

  void Send(const SharedBytes& bytes, TrafficClass traffic_class) override;
  bool HasRoomFor(size_t bytes) const override;
  void Disconnect(CloseCode code, absl::string_view reason) override;
  void ResumeCommands() override;
  bool is_lasting() const override {
    return is_streaming() || (state_ == State::kAnswering && exchange_->is_stream());
  }

 private:
  enum class State : uint8_t {
    kReading,    // a request
    kAnswering,  // a request is under way
    kStreaming,
    kClosing,  // its last bytes are queued; it discards input until the peer closes too
    kEnded,
  };
  // What the head of a request says, for the time until its answer.
  struct RequestFrame {
    std::string origin;
    bool keep_alive = false;
    bool is_http_1_1 = true;
    bool is_head = false;
    bool manages = false;  // as Head
  };

  void OnEvents(uint32_t events) override;
  void Read();
  // Reads requests from `input` and from what came before, until one is under way.
  void Parse(absl::string_view input);
  bool BodyIsLong() const;
  // Looks at a head, and remembers what the answer needs. nullopt: the request may go on.
  std::optional<Problem> CheckHead();
  // Shows the credentials to the groups. nullopt: they are valid, or there are none.
  std::optional<Problem> Identify(bool is_stream);
  // Whether the request may ask the services, and how often. nullopt: it may.
  std::optional<Problem> CheckServices();
  // A whole request with a valid head.
  void Run();
  // Answers a request that is not about groups. False: it is about groups, or services.
  bool RunPlain();
  // A file of the dashboard.
  void SendFile();
  void RunCommands();
  // Asks all workers, if that is what the request wants.
  void AskWorkers();
  void NoteEnd(absl::string_view outcome, bool was_asked);

  void RefuseRequest(const Problem& problem);
  void SendAnswer(const SharedBytes& bytes);
  void FinishExchange();
  void BeginStream();
  void PushEvent(const Answer& answer);
  ResponseFrame response_frame() const;
  // The request's time in the groups is over.
  void LeaveGroups();
  // If it streams: the stream ends, before its state changes.
  void LeaveStream(CloseCode code);
  // The same for a stream, which may have been about to begin.
  void EndGroups();
  absl::Status Push(const SharedBytes& bytes) { return PeerSocket::Push(bytes, host_->options()); }
  // Pushes, and closes a peer that does not read. False: it is closed.
  bool PushOrClose(const SharedBytes& bytes);
  void Write();
  void CountInput();
  void End();

  ConnectionHost* const host_;
  State state_ = State::kReading;
  bool is_member_ = false;    // of GroupService
  bool peer_closed_ = false;  // the peer sends nothing more
  bool head_is_checked_ = false;
  bool is_timed_ = false;  // the time of the request in parser_ runs
  bool slow_ = false;
  size_t counted_input_ = 0;  // as the host knows it
  size_t held_bytes_ = 0;     // of a request that runs, as the host knows them
  RequestParser parser_;
  RequestFrame request_;
  Route route_;
  std::string credentials_;         // those that `access` is of
  std::string session_name_;        // and the session of the query
  std::optional<Problem> refusal_;  // of a request whose body is still to come
  std::unique_ptr<Exchange> exchange_;
  StreamProgress progress_;  // of the stream; what comes early is bounded as an outbox
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_CONNECTION_H_
