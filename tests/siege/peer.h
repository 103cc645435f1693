#ifndef GROUPCAST_TESTS_SIEGE_PEER_H_
#define GROUPCAST_TESTS_SIEGE_PEER_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "services/common/event_loop.h"
#include "services/common/posix.h"
#include "tools/bench_load/websocket_frames.h"

namespace groupcast::tests {

struct PeerOptions {
  uint16_t port = 0;
  // The last byte of its address 127.0.0.x, so that peers can come from different hosts.
  uint8_t address = 1;
  // The kernel's receive buffer; 0 leaves it to the kernel.
  int receive_buffer_bytes = 0;
  // It speaks TLS, and trusts every certificate.
  bool tls = false;
  // It makes no handshake of WebSocket: it is open when it is connected. OnText shows what it gets
  // as it comes.
  bool is_raw = false;
};

// The beginning of a TLS handshake, as OpenSSL's clients begin it: one record.
std::string ClientHello();

// A v1 client of the WebSocket service, on an event loop. It costs little, so thousands fit on one
// thread. It shows the beginning of each frame, which names the event.
//
// Not thread-safe. It must not be destroyed inside a callback.
class Peer final : private service::EventHandler {
 public:
  class Listener {
   public:
    virtual void OnOpen(Peer* peer) = 0;
    // `head`: the first FrameReader::kHeadBytes bytes of a text frame. Of a raw peer: what a read
    // has brought.
    virtual void OnText(Peer* peer, absl::string_view head) = 0;
    // It has ended. `code` is the server's close code; 0: there was none.
    virtual void OnClosed(Peer* peer, int code) = 0;

   protected:
    ~Listener() = default;
  };

  // Both must outlive it. `number` is for the listener.
  Peer(service::EventLoop* loop, const PeerOptions& options, Listener* listener, size_t number);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  size_t number() const { return number_; }
  bool is_open() const { return state_ == State::kOpen; }

  // Begins to connect, also again after its end. OnOpen or OnClosed follows.
  void Connect();
  // Ends at once, without a close frame and without OnClosed.
  void Drop();

  // Sends a text frame. The bytes that the kernel does not take wait here, so a caller bounds what
  // it sends.
  void SendText(absl::string_view text);
  // Sends bytes as they are: a part of a frame, for example.
  void SendBytes(absl::string_view bytes);
  void SetReading(bool reading);

 private:
  enum class State : uint8_t { kClosed, kConnecting, kTls, kHandshake, kOpen };

  void OnEvents(uint32_t events) override;
  void OnConnected();
  void ContinueTls();
  void StartHandshake();
  // As recv(2) and send(2).
  ssize_t Receive(char* bytes, size_t size);
  ssize_t Transmit(absl::string_view bytes);
  void Read();
  void OnPayload(const bench::FrameReader::Payload& payload);
  void Flush();
  void Watch();
  void End();

  service::EventLoop* const loop_;
  const PeerOptions options_;
  Listener* const listener_;
  const size_t number_;
  service::Fd socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};  // null: it is plain
  State state_ = State::kClosed;
  bool reading_ = true;
  int close_code_ = 0;
  uint32_t watched_ = 0;
  std::string unsent_;
  std::string response_;  // of the handshake, until it is whole
  bench::FrameReader frames_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SIEGE_PEER_H_
