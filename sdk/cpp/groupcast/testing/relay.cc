#include "groupcast/testing/relay.h"

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <utility>

#include "absl/strings/string_view.h"

namespace groupcast {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::experimental::awaitable_operators::operator||;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);

template <typename From, typename To>
asio::awaitable<void> Pass(From& from, To& to) {
  std::array<char, 16384> bytes;
  while (true) {
    const auto [read_error, size] = co_await from.async_read_some(asio::buffer(bytes), kResult);
    if (read_error) co_return;
    const auto [error, written] =
        co_await asio::async_write(to, asio::buffer(bytes.data(), size), kResult);
    if (error) co_return;
  }
}

asio::awaitable<bool> Connect(tcp::socket& socket, uint16_t port) {
  const auto [error] =
      co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, kResult);
  co_return !error;
}

}  // namespace

Relay::Relay() = default;

void Relay::Run() {
  asio::co_spawn(io_, Accept(), asio::detached);
  thread_ = std::thread([this] { io_.run(); });
}

void Relay::Stop() {
  io_.stop();
  thread_.join();
}

asio::awaitable<void> Relay::Accept() {
  while (true) {
    auto [error, socket] = co_await acceptor_.async_accept(kResult);
    if (!error) asio::co_spawn(io_, Serve(std::move(socket)), asio::detached);
  }
}

void ScriptedProxy::AnswerWith(std::string bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  answer_ = std::move(bytes);
  without_end_ = false;
}

void ScriptedProxy::AnswerWithoutEnd(std::string bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  answer_ = std::move(bytes);
  without_end_ = true;
}

std::vector<std::string> ScriptedProxy::requests() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return requests_;
}

asio::awaitable<void> ScriptedProxy::Serve(Socket socket) {
  std::string header;
  const auto [error, size] = co_await asio::async_read_until(
      socket, asio::dynamic_buffer(header, 65536), "\r\n\r\n", kResult);
  if (error) co_return;
  std::string answer;
  bool without_end = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(header.substr(0, size));
    answer = answer_;
    without_end = without_end_;
  }
  if (!answer.empty()) {
    do {
      const auto [broken, written] =
          co_await asio::async_write(socket, asio::buffer(answer), kResult);
      if (broken) co_return;
    } while (without_end);
    co_return;
  }

  // CONNECT HOST:PORT HTTP/1.1
  const size_t target_end = header.find(" HTTP/");
  const size_t colon = header.rfind(':', target_end);
  Socket target(socket.get_executor());
  const int port = std::atoi(header.c_str() + colon + 1);
  if (!co_await Connect(target, static_cast<uint16_t>(port))) co_return;
  constexpr absl::string_view kOpen = "HTTP/1.1 200 Connection established\r\nVia: relay\r\n\r\n";
  const auto [broken, written] =
      co_await asio::async_write(socket, asio::buffer(kOpen.data(), kOpen.size()), kResult);
  if (!broken) co_await (Pass(socket, target) || Pass(target, socket));
}

TlsFront::TlsFront(uint16_t target_port, const std::string& certificate, const std::string& key)
    : target_port_(target_port), certificate_(certificate), key_(key) {
  Run();
}

void TlsFront::SetCertificate(const std::string& certificate, const std::string& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  certificate_ = certificate;
  key_ = key;
}

void TlsFront::FallSilent() {
  const std::lock_guard<std::mutex> lock(mutex_);
  silent_ = true;
}

std::vector<std::string> TlsFront::names() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return names_;
}

asio::awaitable<void> TlsFront::Serve(Socket socket) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  bool silent = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    context.use_certificate(asio::buffer(certificate_), asio::ssl::context::pem);
    context.use_private_key(asio::buffer(key_), asio::ssl::context::pem);
    silent = silent_;
  }
  if (silent) {
    char byte = 0;
    while (true) {
      const auto [error, size] = co_await socket.async_read_some(asio::buffer(&byte, 1), kResult);
      if (error) co_return;
    }
  }
  asio::ssl::stream<Socket> stream(std::move(socket), context);
  const auto [refused] = co_await stream.async_handshake(asio::ssl::stream_base::server, kResult);
  const char* const name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    names_.push_back(name == nullptr ? "" : name);
  }
  if (refused) co_return;
  Socket target(stream.get_executor());
  if (co_await Connect(target, target_port_)) {
    co_await (Pass(stream, target) || Pass(target, stream));
  }
}

}  // namespace groupcast
