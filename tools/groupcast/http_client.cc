#include "tools/groupcast/http_client.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

using Request = http::request<http::empty_body>;

Request MakeRequest(const HttpUrl& url, absl::string_view target, const HttpOptions& options) {
  Request request(http::verb::get, absl::StrCat(url.path, target), 11);
  request.set(http::field::host, url.authority);
  request.set(http::field::user_agent, "groupcast");
  request.set(http::field::accept, "application/json");
  request.set(http::field::connection, "close");
  if (!options.bearer.empty()) {
    request.set(http::field::authorization, absl::StrCat("Bearer ", options.bearer));
  }
  return request;
}

// One request and its answer over a connection.
template <typename Stream>
asio::awaitable<HttpAnswer> Exchange(Stream& stream, const Request& request,
                                     size_t body_bytes_max) {
  co_await http::async_write(stream, request, asio::use_awaitable);
  http::response_parser<http::string_body> parser;
  parser.body_limit(body_bytes_max);
  beast::flat_buffer buffer;
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  auto& response = parser.get();
  HttpAnswer answer;
  answer.status = static_cast<int>(response.result_int());
  answer.date = std::string(response[http::field::date]);
  answer.body = std::move(response.body());
  co_return answer;
}

// The certificate must come from a CA of the system, or of the file, and be for the host.
asio::ssl::context MakeTlsContext(const HttpOptions& options) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_verify_mode(asio::ssl::verify_peer);
  if (options.ca_file.empty()) {
    tls.set_default_verify_paths();
  } else {
    tls.load_verify_file(options.ca_file);
  }
  return tls;
}

// Connects, sends the request and reads the answer. It throws boost::system::system_error.
asio::awaitable<HttpAnswer> Get(const HttpUrl& url, const Request& request,
                                const HttpOptions& options) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  const auto addresses = co_await resolver.async_resolve(url.host, url.port, asio::use_awaitable);
  beast::tcp_stream plain(executor);
  co_await plain.async_connect(addresses, asio::use_awaitable);
  if (!url.tls) co_return co_await Exchange(plain, request, options.body_bytes_max);

  asio::ssl::context tls = MakeTlsContext(options);
  asio::ssl::stream<beast::tcp_stream> stream(std::move(plain), tls);
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
  SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str());
  co_await stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  co_return co_await Exchange(stream, request, options.body_bytes_max);
}

absl::Status ToStatus(const boost::system::error_code& error) {
  const bool malformed =
      error.category() == http::make_error_code(http::error::bad_version).category();
  if (malformed && error != http::error::end_of_stream && error != http::error::partial_message) {
    return absl::InternalError(
        absl::StrCat("the answer is not HTTP, or too large: ", error.message()));
  }
  // A certificate that is not trusted, or a server without TLS.
  if (error.category() == asio::error::get_ssl_category()) {
    return absl::FailedPreconditionError(absl::StrCat("TLS: ", error.message()));
  }
  return absl::UnavailableError(error.message());
}

}  // namespace

absl::StatusOr<HttpAnswer> HttpGet(const HttpUrl& url, absl::string_view target,
                                   const HttpOptions& options) {
  asio::io_context io(1);
  const Request request = MakeRequest(url, target, options);
  std::optional<absl::StatusOr<HttpAnswer>> result;
  asio::co_spawn(io, Get(url, request, options),
                 [&result](const std::exception_ptr& failure, HttpAnswer answer) {
                   try {
                     if (failure != nullptr) std::rethrow_exception(failure);
                     result = std::move(answer);
                   } catch (const boost::system::system_error& error) {
                     result = ToStatus(error.code());
                   }
                 });
  io.run_for(absl::ToChronoMilliseconds(options.timeout));
  if (result.has_value()) return *std::move(result);
  return absl::DeadlineExceededError(
      absl::StrCat("there was no answer within ", absl::FormatDuration(options.timeout)));
}

}  // namespace groupcast::cli
