#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_SESSION_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"
#include "services/common/token_bucket.h"
#include "services/connections/deadline_list.h"
#include "services/connections/flush_queue.h"
#include "services/connections/peer_address.h"
#include "services/connections/peer_socket.h"
#include "services/connections/unfinished_pool.h"
#include "services/groups/member.h"
#include "services/groups/traffic_class.h"
#include "services/websocket_service/connection/deflation.h"
#include "services/websocket_service/connection/limit.h"
#include "services/websocket_service/connection/read_gate.h"
#include "services/websocket_service/http/http.h"
#include "services/websocket_service/http/request_reader.h"
#include "services/websocket_service/proxy/forwarded.h"
#include "services/websocket_service/tls/tls_context.h"
#include "services/websocket_service/tls/tls_stream.h"
#include "services/websocket_service/wire/frame.h"
#include "services/websocket_service/wire/frame_codec.h"

namespace groupcast::service {

class Session;

struct SessionOptions : PeerSocketOptions {
  size_t frame_bytes_max = 1u << 20;  // also for a message of several frames
  // The bytes that the worker reads from one connection. Over it, the connection waits to be read.
  // A rate of zero per second is no limit.
  TokenRate input_rate;
};

// The methods of a worker that its sessions call.
class SessionHost {
 public:
  virtual const SessionOptions& session_options() const = 0;
  virtual HttpContext http_context() const = 0;
  // Null: no connection has permessage-deflate.
  virtual Deflation* deflation() = 0;

  // Null: no proxy is trusted.
  virtual const ProxyPolicy* proxies() const = 0;
  // Null: connections are plain.
  virtual const std::shared_ptr<const TlsContext>& tls() const = 0;
  // Whether the session may begin its TLS handshake now, or go on with it. If not, the host calls
  // Session::ReadOn later. Once it has begun, OnTlsHandshakeEnds follows.
  virtual bool MayShakeHands(Session* session) = 0;
  // Goes on with the handshake of `tls`.
  virtual TlsStream::Progress ShakeHands(TlsStream* tls) = 0;
  // The handshake has ended, in whatever way.
  virtual void OnTlsHandshakeEnds(Session* session) = 0;

  // The client's address is certain, and may be another one than the peer's.
  virtual void OnAddress(Session* session) = 0;
  // What the peer has sent has this answer, which has a refusal.
  virtual void OnRefusal(const HttpAnswer& answer, Session* session) = 0;
  // The handshake is complete. The session may have commands and messages after this call. `token`
  // is the one of its request; empty: it has none.
  virtual void OnOpen(Session* session, absl::string_view token) = 0;
  // One text message has come. False: it must wait, and the session passes it to OnText again after
  // ResumeCommands.
  virtual bool OnText(Session* session, absl::string_view text) = 0;
  // Whether all sessions may read. Otherwise they ask with the two methods that follow.
  virtual bool AllMayRead() const = 0;
  // Whether the session may read one small message now. `unseen`: the worker must read a part of
  // the message before it knows the size.
  virtual bool MayReadSmall(bool unseen) const = 0;
  // Whether the session, which holds `unfinished_bytes` of an unfinished message, may read now. If
  // not, the host calls Session::ReadOn later. Meanwhile these bytes do not count as OnUnfinished.
  // `unseen_bytes` of them are encrypted.
  virtual bool MayRead(Session* session, size_t unfinished_bytes, size_t unseen_bytes) = 0;
  // The session has much to read. The host calls Session::ReadOn later, in its turn. Meanwhile its
  // `unfinished_bytes` do not count as OnUnfinished.
  virtual void WaitForTurn(Session* session, size_t unfinished_bytes) = 0;
  // The session is over its rate of input. The host calls Session::ReadOn some times a second.
  virtual void WaitForRate(Session* session) = 0;
  // The session has met a limit.
  virtual void OnLimit(Limit limit) = 0;
  // The session reads no more, and need not wait for ReadOn.
  virtual void OnReadEnds(Session* session) = 0;
  // Bytes came from the peer.
  virtual void OnActivity(Session* session, size_t bytes) = 0;
  // The kernel took bytes for the peer.
  virtual void OnSent(size_t bytes) = 0;
  // An open session ends: with this code, which it or its peer sends in a close frame.
  virtual void OnClose(CloseCode code) = 0;
  // The session is closing. It gets no further messages, and must end within a timeout.
  virtual void OnClosing(Session* session) = 0;
  // The session has frames to write, or has ended. The host calls Flush when the class demands it.
  virtual void OnTouched(Session* session, TrafficClass traffic_class) = 0;
  // The session holds `bytes` of an unfinished message now. Zero: it holds none, or the next bytes
  // are of another message. The host may close any session in it.
  virtual void OnUnfinished(Session* session, size_t bytes) = 0;
  // The bytes of commands that wait, and of the input behind them, have changed by `change`.
  // `small`: a message that MayReadSmall has let through.
  virtual void OnHeld(int64_t change, bool small) = 0;

 protected:
  ~SessionHost() = default;
};

// One connection, from accept to its end: TLS if the host has it, HTTP until the handshake is
// complete, then RFC 6455, then the closing handshake. It owns the socket. All sessions of a worker
// read into one buffer, so an idle connection holds no buffer.
//
// It ends in steps, so that no caller uses a destroyed session. Close and errors only change its
// state. The worker destroys it at the end of a turn, once `ended`.
class Session final : public Member,
                      public PeerSocket,
                      public DeadlineNode,
                      public FlushNode,
                      public ReadNode,
                      public UnfinishedNode {
 public:
  Session(SessionHost* host, EventLoop* loop, Fd socket, ConnectionId id);
  ~Session() override;

  // Begins to watch the socket.
  absl::Status Start();

  // Sends a close frame, and waits for the close frame of the peer. In v1 mode, the event `closing`
  // comes before the close frame. Before the handshake is complete, it ends at once. With
  // `drop_unsent` it drops the frames that it has not written yet. Otherwise it sends them first.
  void Close(CloseCode code, absl::string_view reason, bool drop_unsent = false);
  void SendPing();

  // Cuts the connection off. What the kernel has not delivered is dropped, with a reset. The
  // destruction of the session closes the socket.
  void Abort();

  // Ends now. If the kernel has all frames, it goes on to deliver them for close_timeout. Otherwise
  // it is an Abort: the peer could not get the rest.
  void EndOrAbort();

  // Reads no further commands. Those that it has read are carried out.
  void StopCommands();
  bool reads_commands() const { return reads_commands_; }
  // Whether commands that it has read still wait.
  bool holds_commands() const { return held_ != nullptr; }

  // Reads now, and reads on as usual later. After WaitForTurn, or after MayRead or MayShakeHands
  // has returned false. `admitted`: it need not ask again.
  void ReadOn(bool admitted);

  // Writes the waiting frames until the socket is full. Returns the number of completely written
  // frames.
  size_t Flush();

  bool is_open() const { return state_ == State::kOpen; }
  bool is_handshaking() const { return state_ == State::kHandshake; }
  bool ended() const { return state_ == State::kEnded; }
  // It is in v1 mode. Valid once it is open.
  bool v1() const { return v1_; }
  // Whether its handshake was ever complete.
  bool was_open() const { return was_open_; }
  // Whether its TLS handshake has begun and not ended.
  bool has_handshake_place() const { return shakes_hands_; }
  // Whether it was closed because its outbox was full.
  bool slow() const { return slow_; }
  // Whether it reads. It does not while its commands wait for the channel, nor while it waits for
  // ReadOn.
  bool reads() const { return watches_for_input() && !waits_to_be_read(); }
  // Of the client: the peer, or whom a trusted proxy names.
  PeerAddress peer_address() const {
    return told_address_ == nullptr ? PeerAddressOf(socket()) : PeerAddressOf(*told_address_);
  }
  // The same for people.
  std::string address_text() const;
  // Of the peer itself.
  IpAddress peer_ip() const { return IpAddress::OfPeer(socket()).value_or(IpAddress()); }

  // For the worker: its index in the list of all sessions.
  uint32_t place = 0;
  // For the worker: PoolCounts counts it under this address.
  PeerAddress counted_address{};
  bool is_counted = false;
  // For the worker: its TLS handshake has, or waits for, a place of this address.
  PeerAddress handshake_address{};
  // Its address has as many connections as it may have. The answer to its request says so.
  bool is_over_address_limit = false;

  // The bytes of its outbox, with those that TLS has encrypted and the socket has not taken.
  size_t outbox_bytes() const {
    return outbox().bytes() + (tls_ == nullptr ? 0 : tls_->unsent_bytes());
  }
  // Whether its outbox has drained far enough for recoveries to continue.
  bool drained() const;

  void Send(const SharedBytes& frame, TrafficClass traffic_class) override;
  bool HasRoomFor(size_t frame_bytes) const override;
  void Disconnect(CloseCode code, absl::string_view reason) override { Close(code, reason); }
  void ResumeCommands() override;

 private:
  enum class State : uint8_t {
    kHandshake,  // HTTP
    kOpen,       // WebSocket
    kClosing,    // our last bytes are queued; it discards input until the peer closes too
    kEnded,
  };
  // A command that must wait, and the input after it.
  struct Held {
    std::string command;
    std::string input;
    bool small = false;  // it has passed a closed gate
  };

  // Input that the worker goes on with in a later turn. It may begin with a compressed message.
  struct Postponed {
    std::optional<std::string> deflated;
    std::string input;
  };

  void OnEvents(uint32_t events) override;
  void WaitForTurn();
  // Reads until the socket is empty or this number of bytes has come. True: there may be more.
  bool Read(bool admitted, size_t bytes_max);
  // Reads the header of the PROXY protocol. False: it is not whole yet, or invalid.
  bool ReadProxyHeader();
  void TakeAddress(const IpAddress& address);
  // Of a socket that wakes from a number of bytes: they will not come if the peer has ended.
  void EndIfPeerEnds();
  // Whether the first TLS record is in the socket. If not, it waits for it, or ends.
  bool HasFirstRecord();
  // Goes on with the TLS handshake. False: there is nothing to read yet, or ever.
  bool ContinueTls(bool admitted);
  void OnTlsFailed();
  // Whether there is input that the socket does not show any more, and that may be read.
  bool has_hidden_input() const {
    return (postponed_ != nullptr || (tls_ != nullptr && tls_->has_input())) && reads();
  }
  bool has_unsent() const { return !outbox().empty() || (tls_ && tls_->unsent_bytes() > 0); }
  void OnPeerClosed();
  // The peer has gone, or both sides have closed.
  void End();
  void ReadRequest(absl::Span<char> input);
  void ReadFrames(absl::Span<char> input);
  // Goes on with postponed input.
  void ReadPostponed();
  // A text has come, and `input` follows it. False: the session reads no further now. The payload
  // is the decoder's, or it was postponed.
  bool OnText(std::optional<std::string> postponed, absl::Span<char> input);
  // `last` may be null.
  // The whole text of a compressed message. nullopt: the session closes because of it.
  std::optional<std::string> Inflate(absl::string_view payload);
  void BeginClosing(SharedBytes last, bool drop_unsent);
  void Touch(TrafficClass traffic_class = TrafficClass::kInteractive);
  // Of what it holds, and must read on: a request, a message, postponed input.
  size_t unfinished_bytes() const;
  void CountInput();
  void CountUnfinished(size_t bytes);
  // The bytes that may be read now. 0: none; the host calls ReadOn, or the next event comes.
  size_t AskToRead();
  bool MayReadSmall() const;
  absl::Status Push(const SharedBytes& frame) {
    return PeerSocket::Push(frame, host_->session_options());
  }

  SessionHost* const host_;
  State state_ = State::kHandshake;
  bool v1_ = false;
  bool was_open_ = false;
  bool slow_ = false;
  bool reads_commands_ = true;
  bool peer_closed_ = false;  // the peer's side is closed
  bool awaits_proxy_header_ = false;
  bool awaits_tls_;               // its TLS handshake is not complete
  bool shakes_hands_ = false;     // in TLS: the host counts it
  bool waits_for_turns_ = false;  // its last input was much, so it reads in turns with others
  // The size of the next read, at least of the first one after commands had to wait. It is small
  // then, because the commands behind them will probably wait too.
  uint32_t read_bytes_;
  std::unique_ptr<TlsStream> tls_;  // null: the connection is plain
  TokenBucket input_tokens_;
  std::unique_ptr<IpAddress> told_address_;  // by trusted proxies; null: it is the peer's
  FrameDecoder decoder_;
  std::unique_ptr<Postponed> postponed_;
  // As the host knows them.
  size_t counted_unfinished_ = 0;
  size_t counted_held_ = 0;
  bool counted_small_ = false;              // for counted_held_
  bool reads_small_ = false;                // the present input is one small message
  std::unique_ptr<RequestReader> request_;  // only during the handshake
  std::unique_ptr<Held> held_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_SESSION_H_
