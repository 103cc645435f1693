#include "groupcast/testing/scripted_server.h"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

// Only a broken test waits so long.
constexpr auto kDeadline = std::chrono::seconds(60);

// Runs `io` until the operation that `start` begins has ended, and ends it with `cut` when it does
// not by itself. `start` takes a handler of (error_code, size_t = 0).
template <typename Start, typename Cut>
absl::Status RunOne(asio::io_context* io, Start start, Cut cut) {
  bool done = false;
  error_code result;
  start([&](const error_code& error, size_t = 0) {
    done = true;
    result = error;
  });
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  bool late = false;
  io->restart();
  while (!done) {
    if (io->run_one_until(deadline) == 0 && !done) {
      late = true;
      cut();
      io->restart();
      while (!done) io->run_one();
    }
  }
  if (late) return absl::DeadlineExceededError("the client did nothing");
  if (result) return absl::UnavailableError(result.message());
  return absl::OkStatus();
}

}  // namespace

ScriptedPeer::ScriptedPeer(asio::io_context* io, tcp::socket socket)
    : io_(io), stream_(std::move(socket)) {
  stream_.text(true);
}

template <typename Start>
absl::Status ScriptedPeer::Run(Start start) {
  return RunOne(io_, std::move(start), [this] { Cut(); });
}

absl::Status ScriptedPeer::Read(std::string* text) {
  beast::flat_buffer buffer;
  absl::Status status = Run([&](auto handler) { stream_.async_read(buffer, std::move(handler)); });
  *text = beast::buffers_to_string(buffer.cdata());
  return status;
}

absl::StatusOr<ReceivedCommand> ScriptedPeer::NextCommand() {
  std::string text;
  if (absl::Status status = Read(&text); !status.ok()) return status;
  return ParseCommand(text);
}

absl::Status ScriptedPeer::SendFrame(absl::string_view text) {
  stream_.text(true);
  return Run([&](auto handler) {
    stream_.async_write(asio::buffer(text.data(), text.size()), std::move(handler));
  });
}

absl::Status ScriptedPeer::SendBinary(absl::string_view bytes) {
  stream_.binary(true);
  return Run([&](auto handler) {
    stream_.async_write(asio::buffer(bytes.data(), bytes.size()), std::move(handler));
  });
}

absl::Status ScriptedPeer::Welcome() { return SendFrame(WelcomeFrame("c1")); }

absl::Status ScriptedPeer::Reply(uint64_t id, absl::string_view group_id, const Position& position,
                                 std::optional<bool> recovered) {
  return SendFrame(PositionReplyFrame(id, group_id, position, recovered));
}

absl::Status ScriptedPeer::Error(uint64_t id, absl::string_view word, bool retry) {
  return SendFrame(ErrorFrame(id, word, retry));
}

absl::Status ScriptedPeer::SendMessage(absl::string_view group_id, absl::string_view message,
                                       uint64_t previous, uint64_t offset) {
  return SendFrame(MessageFrame(group_id, MessageFields(message, previous, offset, 1792742400123)));
}

absl::Status ScriptedPeer::ExpectJoin(absl::string_view group_id, const Position& position) {
  const absl::StatusOr<ReceivedCommand> command = NextCommand();
  if (!command.ok()) return command.status();
  if (command->cmd != "add_group" || command->group_id != group_id) {
    return absl::InternalError(
        absl::StrCat("not a join of ", group_id, " but ", command->cmd, " of ", command->group_id));
  }
  return Reply(command->id, group_id, position);
}

absl::Status ScriptedPeer::Close(uint16_t code, absl::string_view reason) {
  websocket::close_reason close(static_cast<websocket::close_code>(code));
  close.reason = beast::string_view(reason.data(), reason.size());
  return Run([&](auto handler) { stream_.async_close(close, std::move(handler)); });
}

absl::StatusOr<uint16_t> ScriptedPeer::AwaitClose() {
  std::string ignored;
  absl::Status status;
  while (status.ok()) status = Read(&ignored);
  if (absl::IsDeadlineExceeded(status)) return status;
  const uint16_t code = stream_.reason().code;
  return code == websocket::close_code::none ? uint16_t{1006} : code;
}

void ScriptedPeer::Cut() { beast::get_lowest_layer(stream_).close(); }

void ScriptedPeer::CutWithReset() {
  tcp::socket& socket = beast::get_lowest_layer(stream_).socket();
  error_code ignored;
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

ScriptedServer::ScriptedServer() : endpoint_(asio::ip::address_v4::loopback(), 0) { Listen(); }

std::string ScriptedServer::url() const {
  return absl::StrCat("ws://127.0.0.1:", endpoint_.port(), "/fake");
}

void ScriptedServer::StopListening() { acceptor_.close(); }

void ScriptedServer::Listen() {
  acceptor_.open(endpoint_.protocol());
  acceptor_.set_option(tcp::acceptor::reuse_address(true));
  acceptor_.bind(endpoint_);
  acceptor_.listen();
  endpoint_ = acceptor_.local_endpoint();
}

absl::StatusOr<tcp::socket> ScriptedServer::AcceptSocket() {
  tcp::socket socket(io_);
  absl::Status status = RunOne(
      &io_, [&](auto handler) { acceptor_.async_accept(socket, std::move(handler)); },
      [&] { acceptor_.cancel(); });
  if (!status.ok()) return status;
  socket.set_option(tcp::no_delay(true));
  return socket;
}

absl::StatusOr<std::unique_ptr<ScriptedPeer>> ScriptedServer::Accept() {
  absl::StatusOr<std::unique_ptr<ScriptedPeer>> peer = AcceptSilently();
  if (!peer.ok()) return peer;
  if (absl::Status status = (*peer)->Welcome(); !status.ok()) return status;
  return peer;
}

absl::StatusOr<std::unique_ptr<ScriptedPeer>> ScriptedServer::AcceptSilently() {
  return Handshake(true);
}

absl::StatusOr<std::unique_ptr<ScriptedPeer>> ScriptedServer::AcceptBare() {
  return Handshake(false);
}

absl::StatusOr<std::unique_ptr<ScriptedPeer>> ScriptedServer::Handshake(bool agree) {
  absl::StatusOr<tcp::socket> socket = AcceptSocket();
  if (!socket.ok()) return socket.status();
  std::unique_ptr<ScriptedPeer> peer(new ScriptedPeer(&io_, *std::move(socket)));

  http::request<http::empty_body> request;
  beast::flat_buffer buffer;
  absl::Status status = peer->Run([&](auto handler) {
    http::async_read(beast::get_lowest_layer(peer->stream_), buffer, request, std::move(handler));
  });
  if (!status.ok()) return status;
  absl::string_view target(request.target().data(), request.target().size());
  const auto offered = request[http::field::sec_websocket_protocol];
  absl::string_view protocols(offered.data(), offered.size());
  if (!absl::ConsumePrefix(&protocols, "groupcast.v1.json") ||
      !absl::ConsumePrefix(&target, "/fake")) {
    return absl::InternalError("the handshake does not ask for what it should");
  }
  if (absl::ConsumePrefix(&protocols, ", groupcast.token.")) {
    peer->token_ = std::string(protocols);
  }
  if (absl::ConsumePrefix(&target, "?session=")) peer->session_ = std::string(target);

  if (agree) {
    peer->stream_.set_option(
        websocket::stream_base::decorator([](websocket::response_type& response) {
          response.set(http::field::sec_websocket_protocol, "groupcast.v1.json");
        }));
  }
  status =
      peer->Run([&](auto handler) { peer->stream_.async_accept(request, std::move(handler)); });
  if (!status.ok()) return status;
  return peer;
}

absl::Status ScriptedServer::Refuse(int http_status, absl::string_view text) {
  absl::StatusOr<tcp::socket> accepted = AcceptSocket();
  if (!accepted.ok()) return accepted.status();
  tcp::socket& socket = *accepted;
  const auto cut = [&] { socket.close(); };

  http::request<http::empty_body> request;
  beast::flat_buffer buffer;
  absl::Status status = RunOne(
      &io_, [&](auto handler) { http::async_read(socket, buffer, request, std::move(handler)); },
      cut);
  if (!status.ok()) return status;
  http::response<http::string_body> response(
      http::int_to_status(static_cast<unsigned>(http_status)), 11);
  response.body() = std::string(text);
  response.prepare_payload();
  return RunOne(
      &io_, [&](auto handler) { http::async_write(socket, response, std::move(handler)); }, cut);
}

}  // namespace groupcast
