#ifndef GROUPCAST_TESTS_SUPPORT_RAW_CLIENT_H_
#define GROUPCAST_TESTS_SUPPORT_RAW_CLIENT_H_

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

// How clients connect.
struct TlsClientOptions {
  int version_min = 0;  // as OpenSSL names it, such as TLS1_3_VERSION; 0: any
  int version_max = 0;
  std::string trusted;             // a file in PEM; empty: it trusts everybody
  SSL_SESSION* session = nullptr;  // to resume; the caller keeps it
};

// Whether the clients and the services of this test speak TLS by default: the environment has
// GROUPCAST_TEST_TLS. So the same test runs over both.
bool TestsUseTls();

// A connection to 127.0.0.1 that carries bytes and does not interpret them. Calls block, but never
// longer than `patience`.
class RawClient {
 public:
  enum class State {
    kOpen,
    kClosed,  // the peer has sent its FIN, after all bytes in received(). Over TLS: its
              // close_notify, and then its FIN
    kReset,   // the connection is broken
  };
  enum class Transport { kDefault, kPlain, kTls };

  // Throws Failure if nothing listens on the port. `receive_buffer_bytes` bounds the kernel's
  // receive buffer; 0 leaves it to the kernel. `from` is the client's own address.
  explicit RawClient(uint16_t port, int receive_buffer_bytes = 0,
                     const std::string& from = "127.0.0.1",
                     Transport transport = Transport::kDefault);
  // Over TLS. Throws Failure if the handshake fails; the message has OpenSSL's reason.
  RawClient(uint16_t port, const TlsClientOptions& tls);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&& other) noexcept;

  // Begins TLS on a plain connection. Throws as the constructor.
  void StartTls(const TlsClientOptions& options = {}) { ConnectTls(options); }

  // Writes with one write(2) if the kernel takes all bytes in one. False: the peer takes no more,
  // because it has closed.
  bool Write(absl::string_view bytes, absl::Duration patience = kPatience);
  // Sends this side's FIN. Reading continues.
  void CloseWriting();
  // Closes at once, in both directions.
  void Close();

  // Waits until received() has more bytes or the state has changed. False: neither, in time.
  bool ReadMore(absl::Duration patience = kPatience);
  // Reads the available bytes, without waiting.
  void ReadAvailable();
  // Reads until the peer has closed. Throws Failure if it does not in time.
  void ReadToEnd(absl::Duration patience = kPatience);

  // The received bytes that no user has taken yet. Users take from the front.
  std::string& received() { return received_; }
  State state() const { return state_; }
  // Null: it is plain.
  SSL* tls() const { return ssl_.get(); }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void Connect(uint16_t port, int receive_buffer_bytes, const std::string& from);
  void ConnectTls(const TlsClientOptions& options);
  // The events to wait for after a call of OpenSSL that has failed. 0: the connection is broken.
  short WantedEvents(int result);
  // One read(2). False: no bytes were available.
  bool ReadOnce();

  int fd_ = -1;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  State state_ = State::kOpen;
  std::string received_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_RAW_CLIENT_H_
