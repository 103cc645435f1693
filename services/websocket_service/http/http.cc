#include "services/websocket_service/http/http.h"

#include <openssl/sha.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/http/request_target.h"

namespace groupcast::service {
namespace {

namespace http = boost::beast::http;
using Request = http::request<http::empty_body>;

constexpr absl::string_view kAcceptGuid =
    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3
constexpr absl::string_view kServerName = "groupcast";
constexpr size_t kSessionBytesMax = 64;
constexpr size_t kRefusedBytesMax = 100;
// When a client that is over a limit of connections should try again.
constexpr absl::string_view kRetryAfterSeconds = "5";

boost::beast::string_view Beast(absl::string_view text) { return {text.data(), text.size()}; }

template <class Body>
std::string Serialize(http::response<Body> response, bool head_only = false) {
  std::ostringstream out;
  if (head_only) {
    http::response_serializer<Body> serializer(response);
    boost::system::error_code error;
    serializer.split(true);
    while (!serializer.is_header_done() && !error) {
      serializer.next(error, [&](boost::system::error_code&, const auto& buffers) {
        out << boost::beast::make_printable(buffers);
        serializer.consume(boost::beast::buffer_bytes(buffers));
      });
    }
  } else {
    out << response;
  }
  return out.str();
}

http::response<http::string_body> Plain(http::status status, absl::string_view sentence) {
  http::response<http::string_body> response(status, 11);
  response.set(http::field::server, Beast(kServerName));
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  response.set(http::field::connection, "close");
  response.body() = absl::StrCat(sentence, "\n");
  response.prepare_payload();
  return response;
}

HttpAnswer Refuse(http::status status, absl::string_view sentence) {
  return {.bytes = Serialize(Plain(status, sentence))};
}

// Refuses a client because of others that are connected. Later there may be room.
HttpAnswer RefuseForNow(http::status status, Refusal refusal, absl::string_view sentence) {
  http::response<http::string_body> response = Plain(status, sentence);
  response.set(http::field::retry_after, Beast(kRetryAfterSeconds));
  HttpAnswer answer = {.bytes = Serialize(std::move(response))};
  answer.refusal = refusal;
  return answer;
}

HttpAnswer UpgradeRequired(absl::string_view sentence) {
  http::response<http::string_body> response = Plain(http::status::upgrade_required, sentence);
  // RFC 9110 section 15.5.22, RFC 6455 section 4.4.
  response.set(http::field::upgrade, "websocket");
  response.set(http::field::connection, "close, upgrade");
  response.set(http::field::sec_websocket_version, "13");
  return {.bytes = Serialize(std::move(response))};
}

// What a client wrote, for people: a part of it, and each byte that is not printable as "\xNN".
std::string Excerpt(absl::string_view text) {
  return absl::StrCat(absl::CHexEscape(text.substr(0, kRefusedBytesMax)),
                      text.size() > kRefusedBytesMax ? "..." : "");
}

HttpAnswer RefuseHost(absl::string_view host) {
  const std::string excerpt = Excerpt(host);
  HttpAnswer answer =
      Refuse(http::status::forbidden,
             absl::StrCat("This service is not the host \"", excerpt,
                          "\". The flag --allowed_hosts lists the hosts that requests may name."));
  answer.refusal = Refusal::kHost;
  answer.refused = excerpt;
  return answer;
}

HttpAnswer RefuseOrigin(absl::string_view origin) {
  const std::string excerpt = Excerpt(origin);
  HttpAnswer answer =
      Refuse(http::status::forbidden,
             absl::StrCat("Pages of the origin \"", excerpt, "\" may not connect. The flag ",
                          origin == kNullOrigin ? "--allow_null_origin lets them."
                                                : "--allowed_origins lists the origins that may."));
  answer.refusal = Refusal::kOrigin;
  answer.refused = excerpt;
  return answer;
}

size_t Count(const Request& request, http::field field) {
  const auto [from, to] = request.equal_range(field);
  return static_cast<size_t>(std::distance(from, to));
}

absl::string_view Value(const Request& request, http::field field) {
  const auto value = request[field];
  return {value.data(), value.size()};
}

bool HasToken(const Request& request, http::field field, absl::string_view token) {
  const auto [from, to] = request.equal_range(field);
  return std::any_of(from, to, [&](const auto& header) {
    return http::token_list{header.value()}.exists({token.data(), token.size()});
  });
}

// Subprotocols are case-sensitive, unlike other tokens (RFC 6455 section 11.5).
bool OffersV1(const Request& request) {
  const auto [from, to] = request.equal_range(http::field::sec_websocket_protocol);
  return std::any_of(from, to, [](const auto& header) {
    const http::token_list offered{header.value()};
    return std::find(offered.begin(), offered.end(), Beast(kV1Subprotocol)) != offered.end();
  });
}

// The parts between separators that are not in quotes, without the white space around them.
std::vector<absl::string_view> SplitOutsideQuotes(absl::string_view text, char separator) {
  std::vector<absl::string_view> parts;
  bool is_quoted = false;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '"') is_quoted = !is_quoted;
    if (i < text.size() && (is_quoted || text[i] != separator)) continue;
    parts.push_back(absl::StripAsciiWhitespace(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  return parts;
}

// Whether an offer of permessage-deflate has only known parameters, each once and with a value that
// it may have, and lets the server use a window of 32 KiB (RFC 7692 section 7.1).
bool IsUsableOffer(absl::string_view offer) {
  const std::vector<absl::string_view> parts = SplitOutsideQuotes(offer, ';');
  if (!absl::EqualsIgnoreCase(parts.front(), "permessage-deflate")) return false;
  std::set<std::string> names;
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> parameter =
        absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
    const std::string name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(parameter.first));
    absl::string_view value = absl::StripAsciiWhitespace(parameter.second);
    const bool has_value = absl::StrContains(parts[i], '=');
    if (absl::ConsumePrefix(&value, "\"") && !absl::ConsumeSuffix(&value, "\"")) return false;
    if (!names.insert(name).second) return false;
    int bits = 0;
    const bool is_window = !value.empty() && absl::ascii_isdigit(value[0]) && value[0] != '0' &&
                           absl::SimpleAtoi(value, &bits) && bits >= 8 && bits <= 15;
    if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
      if (has_value) return false;
    } else if (name == "client_max_window_bits") {
      if (has_value && !is_window) return false;
    } else if (name == "server_max_window_bits") {
      // All members share one compressed message, so none can have a smaller window.
      if (!is_window || bits != 15) return false;
    } else {
      return false;
    }
  }
  return true;
}

// Whether one of the extensions that the client offers is a permessage-deflate that the server can
// have.
bool OffersDeflate(const Request& request) {
  const auto [from, to] = request.equal_range(http::field::sec_websocket_extensions);
  return std::any_of(from, to, [](const auto& header) {
    const auto offers = SplitOutsideQuotes({header.value().data(), header.value().size()}, ',');
    return std::any_of(offers.begin(), offers.end(), IsUsableOffer);
  });
}

bool IsKey(absl::string_view key) {
  std::string bytes;
  return key.size() == 24 && absl::Base64Unescape(key, &bytes) && bytes.size() == 16;
}

// The session that a request target names, e.g. "/?session=S". Empty: it names none.
// kInvalidArgument: it names more than one, or an invalid one.
absl::StatusOr<absl::string_view> SessionOf(absl::string_view target) {
  absl::string_view session;
  const size_t query = target.find('?');
  if (query == absl::string_view::npos) return session;
  for (absl::string_view field : absl::StrSplit(target.substr(query + 1), '&')) {
    if (field != "session" && !absl::StartsWith(field, "session=")) continue;
    const bool is_first = session.empty();
    session = field.substr(std::min(field.size(), absl::string_view("session=").size()));
    const bool is_valid = !session.empty() && session.size() <= kSessionBytesMax &&
                          std::all_of(session.begin(), session.end(), [](unsigned char c) {
                            return absl::ascii_isalnum(c) || c == '_' || c == '-';
                          });
    if (!is_first || !is_valid) return absl::InvalidArgumentError("not one session");
  }
  return session;
}

// A JSON Web Token in compact form has these characters alone.
bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

// The token of a request: in the query (`token`), in the header Authorization (RFC 6750 section
// 2.1), or as an offered subprotocol. Empty: it has none.
// kInvalidArgument: it has more than one, or one that cannot be a token.
absl::StatusOr<std::string> TokenOf(const Request& request) {
  std::vector<std::string> tokens;
  const absl::string_view target(request.target().data(), request.target().size());
  if (const size_t query = target.find('?'); query != absl::string_view::npos) {
    for (absl::string_view field : absl::StrSplit(target.substr(query + 1), '&')) {
      if (field == "token") field = "token=";
      if (absl::ConsumePrefix(&field, "token=")) tokens.emplace_back(field);
    }
  }
  const auto [from, to] = request.equal_range(http::field::authorization);
  for (auto header = from; header != to; ++header) {
    const absl::string_view value(header->value().data(), header->value().size());
    // Other schemes are for somebody else, such as a proxy.
    const absl::string_view scheme = value.substr(0, value.find(' '));
    if (!absl::EqualsIgnoreCase(scheme, "bearer")) continue;
    tokens.emplace_back(absl::StripAsciiWhitespace(value.substr(scheme.size())));
  }
  const auto [first, last] = request.equal_range(http::field::sec_websocket_protocol);
  for (auto header = first; header != last; ++header) {
    for (const auto& offered : http::token_list{header->value()}) {
      absl::string_view protocol(offered.data(), offered.size());
      if (absl::ConsumePrefix(&protocol, kTokenSubprotocol)) tokens.emplace_back(protocol);
    }
  }
  if (tokens.empty()) return std::string();
  if (tokens.size() > 1 || !IsToken(tokens.front())) {
    return absl::InvalidArgumentError("not one token");
  }
  return std::move(tokens.front());
}

// `host` is the host that the request names.
HttpAnswer Handshake(const Request& request, absl::string_view host, const OriginPolicy& origins,
                     const HttpContext& context) {
  if (request.method() != http::verb::get) {
    return Refuse(http::status::bad_request, "A WebSocket handshake is a GET request.");
  }
  if (request.version() != 11) {
    return Refuse(http::status::bad_request, "A WebSocket handshake is by HTTP/1.1.");
  }
  if (!HasToken(request, http::field::upgrade, "websocket")) {
    return Refuse(http::status::bad_request, "The header Upgrade must name websocket.");
  }
  if (!HasToken(request, http::field::connection, "upgrade")) {
    return Refuse(http::status::bad_request, "The header Connection must name Upgrade.");
  }
  if (Count(request, http::field::sec_websocket_version) != 1 ||
      request[http::field::sec_websocket_version] != "13") {
    return UpgradeRequired("The WebSocket version must be 13.");
  }
  const auto key = request[http::field::sec_websocket_key];
  if (Count(request, http::field::sec_websocket_key) != 1 || !IsKey({key.data(), key.size()})) {
    return Refuse(http::status::bad_request,
                  "Sec-WebSocket-Key must be there once: 16 bytes in base64.");
  }
  if (const size_t count = Count(request, http::field::origin); count > 0) {
    const absl::string_view origin = Value(request, http::field::origin);
    // RFC 6455: a malformed origin is an error of the handshake (section 4.2.1). 403 is for one
    // that is not acceptable (section 4.2.2).
    const OriginPolicy::Verdict verdict =
        count == 1 ? origins.CheckOrigin(origin, host) : OriginPolicy::Verdict::kMalformed;
    if (verdict == OriginPolicy::Verdict::kMalformed) {
      return Refuse(http::status::bad_request,
                    absl::StrCat("The header Origin must be there once at most, and be null, "
                                 "SCHEME://HOST or SCHEME://HOST:PORT, not \"",
                                 Excerpt(origin), "\"."));
    }
    if (verdict == OriginPolicy::Verdict::kRefused) return RefuseOrigin(origin);
  }
  const absl::StatusOr<absl::string_view> session =
      SessionOf({request.target().data(), request.target().size()});
  if (!session.ok()) {
    return Refuse(http::status::bad_request,
                  "session must be there once at most: 1 to 64 characters of A-Z a-z 0-9 _ -.");
  }
  absl::StatusOr<std::string> token =
      context.takes_tokens ? TokenOf(request) : absl::StatusOr<std::string>("");
  if (!token.ok()) {
    return Refuse(http::status::bad_request,
                  "A token must be there once at most, in the query, as a bearer token or as a "
                  "subprotocol, and be a JSON Web Token.");
  }
  http::response<http::empty_body> response(http::status::switching_protocols, 11);
  response.set(http::field::server, Beast(kServerName));
  response.set(http::field::upgrade, "websocket");
  response.set(http::field::connection, "Upgrade");
  response.set(http::field::sec_websocket_accept, AcceptKey({key.data(), key.size()}));
  const bool v1 = OffersV1(request);
  if (v1) {
    response.set(http::field::sec_websocket_protocol, Beast(kV1Subprotocol));
  }
  const bool deflates = context.deflates && OffersDeflate(request);
  if (deflates) {
    // Section 7.1.1: the server may name both, also if the client has not.
    response.set(http::field::sec_websocket_extensions,
                 "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  }
  return {.upgraded = true,
          .v1 = v1,
          .deflates = deflates,
          .session = session->empty() ? Fingerprint{} : FingerprintOf({*session}),
          .token = *std::move(token),
          .bytes = Serialize(std::move(response))};
}

HttpAnswer AnswerPlain(const Request& request, absl::string_view path, const HttpContext& context) {
  const bool head_only = request.method() == http::verb::head;
  if (request.method() != http::verb::get && !head_only) {
    http::response<http::string_body> response =
        Plain(http::status::method_not_allowed, "GET and HEAD only.");
    response.set(http::field::allow, "GET, HEAD");
    return {.bytes = Serialize(std::move(response))};
  }
  if (path == "/healthz") {
    return {.bytes = Serialize(context.channel_connected ? Plain(http::status::ok, "ok")
                                                         : Plain(http::status::service_unavailable,
                                                                 "the channel is away"),
                               head_only)};
  }
  if (context.pages == nullptr) {
    return UpgradeRequired("This is a WebSocket service. Connect to it with a WebSocket client.");
  }
  const Pages::Page* const page = context.pages->Find(path);
  if (page == nullptr)
    return {.bytes =
                Serialize(Plain(http::status::not_found, "There is no such page."), head_only)};
  // The header alone: all answers share the page's body.
  http::response<http::empty_body> response(http::status::ok, 11);
  response.set(http::field::server, Beast(kServerName));
  response.set(http::field::content_type, Beast(page->content_type));
  response.set(http::field::cache_control, "no-cache");
  response.set("X-Content-Type-Options", "nosniff");
  response.set(http::field::connection, "close");
  response.content_length(page->body.size());
  return {.bytes = Serialize(std::move(response)), .body = head_only ? SharedBytes() : page->body};
}

// Answers a request that has no body.
HttpAnswer Answer(const Request& request, const HttpContext& context) {
  // RFC 9112 section 3.2. Before HTTP/1.1 there was no Host.
  const size_t hosts = Count(request, http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() >= 11)) {
    return Refuse(http::status::bad_request, "The header Host must be there once.");
  }
  const RequestTarget target =
      ReadRequestTarget({request.target().data(), request.target().size()});
  const absl::string_view host =
      target.host.empty() ? Value(request, http::field::host) : target.host;
  const OriginPolicy defaults;
  const OriginPolicy& origins = context.origins == nullptr ? defaults : *context.origins;
  switch (origins.CheckHost(host)) {
    case OriginPolicy::Verdict::kPass:
      break;
    case OriginPolicy::Verdict::kMalformed:
      return Refuse(
          http::status::bad_request,
          absl::StrCat("The host must be HOST or HOST:PORT, not \"", Excerpt(host), "\"."));
    case OriginPolicy::Verdict::kRefused:
      return RefuseHost(host);
  }
  if (context.address_full) {
    return RefuseForNow(http::status::too_many_requests, Refusal::kAddressFull,
                        "Your address has as many connections as it may have.");
  }
  if (context.full) {
    return RefuseForNow(http::status::service_unavailable, Refusal::kWorkerFull,
                        "This worker has as many connections as it may have.");
  }
  const bool wants_websocket = HasToken(request, http::field::upgrade, "websocket") ||
                               Count(request, http::field::sec_websocket_key) > 0 ||
                               Count(request, http::field::sec_websocket_version) > 0;
  return wants_websocket ? Handshake(request, host, origins, context)
                         : AnswerPlain(request, target.path, context);
}

}  // namespace

HttpAnswer AnswerRequest(absl::string_view head, const HttpContext& context) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kRequestBytesMax);
  parser.skip(true);  // the request must have no body
  boost::system::error_code error;
  parser.put(boost::asio::buffer(head.data(), head.size()), error);
  if (error || !parser.is_header_done()) {
    return Refuse(http::status::bad_request,
                  absl::StrCat("This is not a request that can be read: ", error.message(), "."));
  }
  const Request& request = parser.get();
  if (parser.chunked() || parser.content_length().value_or(0) > 0) {
    return Refuse(http::status::bad_request, "A request must not have a body.");
  }
  if (context.proxies == nullptr) return Answer(request, context);
  std::vector<absl::string_view> values;
  const absl::string_view name = NameOf(context.proxies->header);
  const auto [from, to] = request.equal_range(Beast(name));
  for (auto header = from; header != to; ++header) {
    values.emplace_back(header->value().data(), header->value().size());
  }
  const absl::StatusOr<IpAddress> client = ClientAddress(*context.proxies, context.peer, values);
  if (!client.ok()) return Refuse(http::status::bad_request, client.status().message());
  HttpContext context_of_client = context;
  context_of_client.address_full = context.take_client(*client);
  return Answer(request, context_of_client);
}

HttpAnswer AnswerTooLarge() {
  HttpAnswer answer = Refuse(
      http::status::request_header_fields_too_large,
      absl::StrCat("Request line and header must not be over ", kRequestBytesMax, " bytes."));
  answer.refusal = Refusal::kHeadTooLarge;
  return answer;
}

HttpAnswer AnswerStranger(Refusal protocol) {
  HttpAnswer answer;
  switch (protocol) {
    case Refusal::kTls:
      answer = Refuse(http::status::bad_request,
                      "This port has no TLS: it speaks http:// and ws://, not https:// or wss://.");
      break;
    case Refusal::kHttp2:
      answer = Refuse(http::status::http_version_not_supported,
                      "This service speaks HTTP/1.1, not HTTP/2.");
      break;
    case Refusal::kProxyProtocol:
      answer = Refuse(http::status::bad_request,
                      "This service takes the PROXY protocol from trusted proxies alone, with "
                      "--proxy_protocol and --trusted_proxies.");
      break;
    case Refusal::kNoProxyHeader:
      answer = Refuse(http::status::bad_request,
                      "A trusted proxy must begin with version 2 of the PROXY protocol here "
                      "(--proxy_protocol).");
      break;
    case Refusal::kPlain:
      answer = Refuse(http::status::bad_request,
                      "This port has TLS: it speaks https:// and wss://, not http:// or ws://.");
      break;
    default:
      answer = Refuse(http::status::bad_request,
                      "This is not HTTP/1.1. A WebSocket connection begins with an HTTP request.");
  }
  answer.refusal = protocol;
  return answer;
}

std::string AcceptKey(absl::string_view key) {
  const std::string text = absl::StrCat(key, kAcceptGuid);
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::Base64Escape({reinterpret_cast<const char*>(digest), sizeof(digest)});
}

}  // namespace groupcast::service
