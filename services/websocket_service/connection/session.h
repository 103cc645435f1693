#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_SESSION_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"
#include "services/groups/member.h"
#include "services/groups/traffic_class.h"
#include "services/websocket_service/connection/deadline_list.h"
#include "services/websocket_service/connection/flush_queue.h"
#include "services/websocket_service/connection/outbox.h"
#include "services/websocket_service/http/http.h"
#include "services/websocket_service/wire/frame.h"
#include "services/websocket_service/wire/frame_codec.h"

namespace groupcast::service {

class Session;

struct SessionOptions {
  size_t frame_bytes_max = 1u << 20;  // also of a message of several frames
  size_t outbox_bytes_max = 1u << 20;
};

// What a session needs of its worker.
class SessionHost {
 public:
  virtual const SessionOptions& session_options() const = 0;
  virtual HttpContext http_context() const = 0;

  // The handshake is done: the session may have commands and messages from here on.
  virtual void OnOpen(Session* session) = 0;
  // One text frame. False: it must wait; the session hands it in again on ResumeCommands.
  virtual bool OnText(Session* session, absl::string_view text) = 0;
  // Something came from the peer.
  virtual void OnActivity(Session* session) = 0;
  // It is closing: it gets no messages any more, and has only so long to finish.
  virtual void OnClosing(Session* session) = 0;
  // It has frames to write, or has ended. Flush is to be called, as soon as that class demands.
  virtual void OnTouched(Session* session, TrafficClass traffic_class) = 0;
  // How many bytes of unfinished messages sessions hold has changed.
  virtual void OnBufferedBytes(int64_t change) = 0;

 protected:
  ~SessionHost() = default;
};

// One connection, from accept to its end: HTTP until the handshake is done, then RFC 6455, then the
// closing handshake. It owns the socket. It reads into a buffer that is its worker's, so that an
// idle connection holds none.
//
// What it does to its end happens in steps, so that nobody is surprised by a session that is gone:
// Close and errors only change its state, and the worker destroys it at the end of a turn once
// `ended`.
class Session final : public Member, public EventHandler, public DeadlineNode, public FlushNode {
 public:
  Session(SessionHost* host, EventLoop* loop, Fd socket, ConnectionId id);
  ~Session() override;

  // Begins to listen to the socket.
  absl::Status Start();

  // Sends a close frame (or, before the handshake is done, just ends) and waits for the peer's.
  // Frames that were not written yet are dropped if `drop_unsent`, else they go out before it.
  void Close(CloseCode code, absl::string_view reason, bool drop_unsent = false);
  void SendPing();

  // Ends without ceremony; the socket is closed when the session is destroyed.
  void Abort();

  // Writes what waits, as much as the socket takes. Returns how many frames have left whole.
  size_t Flush();

  bool is_open() const { return state_ == State::kOpen; }
  bool is_handshaking() const { return state_ == State::kHandshake; }
  bool ended() const { return state_ == State::kEnded; }
  // It is in v1 mode. Meaningful once it is open.
  bool v1() const { return v1_; }
  // Whether it ever got beyond the handshake.
  bool was_open() const { return was_open_; }
  bool slow() const { return slow_; }
  // Its commands wait for the channel, and it is not read until they go on.
  bool paused() const { return held_ != nullptr; }
  // What it holds of the peer's: an unfinished message, commands that wait.
  size_t buffered_bytes() const;

  // For the worker: where it is in the list of all.
  uint32_t place = 0;

  // Whether what waits has become little enough for recoveries to go on.
  bool drained() const;

  void Send(const SharedBytes& frame, TrafficClass traffic_class) override;
  bool HasRoomFor(size_t frame_bytes) const override;
  void ResumeCommands() override;

 private:
  enum class State : uint8_t {
    kHandshake,  // HTTP
    kOpen,       // WebSocket
    kClosing,  // our last bytes are queued; whatever comes is discarded, until the peer closes too
    kEnded,
  };
  // What came after a command that must wait.
  struct Held {
    std::string command;
    std::string input;
  };

  void OnEvents(uint32_t events) override;
  void Read();
  void OnPeerClosed();
  void ReadRequest(absl::Span<char> input);
  void ReadFrames(absl::Span<char> input);
  void BeginClosing(SharedBytes last, bool drop_unsent);
  void Touch(TrafficClass traffic_class = TrafficClass::kInteractive);
  void CountBuffered();
  void WatchFor(uint32_t events);

  SessionHost* const host_;
  EventLoop* const loop_;
  Fd socket_;
  State state_ = State::kHandshake;
  bool v1_ = false;
  bool was_open_ = false;
  bool slow_ = false;           // it was closed because its outbox was full
  bool write_blocked_ = false;  // the socket was full; it is watched for room
  bool sent_shutdown_ = false;  // our side of the TCP connection is closed
  bool peer_closed_ = false;    // the peer's side is
  bool registered_ = false;     // in the loop
  uint32_t watched_ = 0;        // epoll bits
  FrameDecoder decoder_;
  size_t counted_bytes_ = 0;  // of the decoder's, as the host was told
  Outbox outbox_;
  std::unique_ptr<std::string> request_;  // only during the handshake
  std::unique_ptr<Held> held_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_SESSION_H_
