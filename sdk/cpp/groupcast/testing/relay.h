#ifndef SDK_CPP_GROUPCAST_TESTING_RELAY_H_
#define SDK_CPP_GROUPCAST_TESTING_RELAY_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace groupcast {

// Listens on a free port of 127.0.0.1 and passes bytes on to another port of it, in both
// directions. It runs in a thread of its own until it is destroyed.
class Relay {
 public:
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  uint16_t port() const { return port_; }

 protected:
  using Socket = boost::asio::ip::tcp::socket;

  Relay();
  ~Relay() = default;
  // The first call of a derived class's constructor, and of its destructor.
  void Run();
  void Stop();
  // Serves one connection, to its end.
  virtual boost::asio::awaitable<void> Serve(Socket socket) = 0;

 private:
  boost::asio::awaitable<void> Accept();

  boost::asio::io_context io_{1};
  boost::asio::ip::tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
  const uint16_t port_ = acceptor_.local_endpoint().port();
  std::thread thread_;
};

// A proxy for HTTP CONNECT. All names are 127.0.0.1 to it.
class ScriptedProxy : public Relay {
 public:
  ScriptedProxy() { Run(); }
  ~ScriptedProxy() { Stop(); }

  // From now on it answers with these bytes and opens no tunnel. Empty: it opens tunnels again.
  void AnswerWith(std::string bytes);
  // The same, and it sends `bytes` again and again while the client reads.
  void AnswerWithoutEnd(std::string bytes);

  // The headers of all requests.
  std::vector<std::string> requests();

 private:
  boost::asio::awaitable<void> Serve(Socket socket) override;

  std::mutex mutex_;
  std::vector<std::string> requests_;  // Guarded by mutex_, as are the others.
  std::string answer_;
  bool without_end_ = false;
};

// The TLS side of a server whose other side is `target_port`.
class TlsFront : public Relay {
 public:
  // The certificate and its key, in PEM.
  TlsFront(uint16_t target_port, const std::string& certificate, const std::string& key);
  ~TlsFront() { Stop(); }

  // For the connections from now on.
  void SetCertificate(const std::string& certificate, const std::string& key);
  // From now on it accepts connections and never answers.
  void FallSilent();

  // The names that clients have asked for in their handshakes (SNI); empty for none.
  std::vector<std::string> names();

 private:
  boost::asio::awaitable<void> Serve(Socket socket) override;

  const uint16_t target_port_;
  std::mutex mutex_;
  std::string certificate_;  // Guarded by mutex_, as are the others.
  std::string key_;
  bool silent_ = false;
  std::vector<std::string> names_;
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TESTING_RELAY_H_
