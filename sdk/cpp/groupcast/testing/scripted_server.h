#ifndef SDK_CPP_GROUPCAST_TESTING_SCRIPTED_SERVER_H_
#define SDK_CPP_GROUPCAST_TESTING_SCRIPTED_SERVER_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "groupcast/testing/server_frames.h"
#include "groupcast/types.h"

namespace groupcast {

// The server's end of one client's connection. The test's script plays the server.
//
// Nothing happens by itself. It answers pings and close frames only while a call of this class
// waits. A test without calls has a server that hangs. Calls wait as long as necessary, up to a
// generous deadline. Over the deadline the call cuts the connection and returns kDeadlineExceeded.
//
// Not thread-safe. Its ScriptedServer must outlive it. The destructor cuts the connection.
class ScriptedPeer {
 public:
  // The next command of the client. kUnavailable: the connection has ended.
  absl::StatusOr<ReceivedCommand> NextCommand();

  absl::Status SendFrame(absl::string_view text);
  absl::Status SendBinary(absl::string_view bytes);
  absl::Status Welcome();
  absl::Status Reply(uint64_t id, absl::string_view group_id, const Position& position,
                     std::optional<bool> recovered = std::nullopt);
  absl::Status Error(uint64_t id, absl::string_view word, bool retry);
  // `message` is JSON.
  absl::Status SendMessage(absl::string_view group_id, absl::string_view message, uint64_t previous,
                           uint64_t offset);
  // Answers the next command, which must be an add_group of `group_id`.
  absl::Status ExpectJoin(absl::string_view group_id, const Position& position);

  // The client's handshake value of ?session=; empty if there is none.
  const std::string& session() const { return session_; }
  // The token of the handshake; empty if there is none.
  const std::string& token() const { return token_; }

  // Begins the closing handshake from this side.
  absl::Status Close(uint16_t code, absl::string_view reason = "");
  // Waits until the client ends the connection, and ignores its commands. Returns its close code,
  // or 1006.
  absl::StatusOr<uint16_t> AwaitClose();
  // Cuts the TCP connection without a close frame.
  void Cut();
  // The same with an end of the stream and then a reset, as of a server that was killed: the
  // client's next write fails with EPIPE.
  void CutWithReset();

 private:
  friend class ScriptedServer;
  using Stream = boost::beast::websocket::stream<boost::beast::tcp_stream>;

  ScriptedPeer(boost::asio::io_context* io, boost::asio::ip::tcp::socket socket);
  template <typename Start>
  absl::Status Run(Start start);
  absl::Status Read(std::string* text);

  boost::asio::io_context* const io_;
  Stream stream_;
  std::string session_;
  std::string token_;
};

// A server for tests of the client, on a free port of 127.0.0.1. It runs on the test's own thread,
// inside its calls.
class ScriptedServer {
 public:
  ScriptedServer();

  // ws://127.0.0.1:PORT/fake
  std::string url() const;

  // Waits for a client, completes the handshake and sends the welcome.
  absl::StatusOr<std::unique_ptr<ScriptedPeer>> Accept();
  // The same without the welcome.
  absl::StatusOr<std::unique_ptr<ScriptedPeer>> AcceptSilently();
  // Waits for a client and completes the handshake, without a subprotocol.
  absl::StatusOr<std::unique_ptr<ScriptedPeer>> AcceptBare();
  // Waits for a client and answers its handshake with this status of HTTP, and the text.
  absl::Status Refuse(int http_status = 503, absl::string_view text = "");

  // From now on the system accepts no connection, until Listen(), on the same port.
  void StopListening();
  void Listen();

 private:
  absl::StatusOr<boost::asio::ip::tcp::socket> AcceptSocket();
  absl::StatusOr<std::unique_ptr<ScriptedPeer>> Handshake(bool agree);

  boost::asio::io_context io_{1};
  boost::asio::ip::tcp::endpoint endpoint_;
  boost::asio::ip::tcp::acceptor acceptor_{io_};
};

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_TESTING_SCRIPTED_SERVER_H_
