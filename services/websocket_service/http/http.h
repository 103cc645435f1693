#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_HTTP_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_HTTP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "services/channel/fingerprint.h"
#include "services/common/ip_address.h"
#include "services/common/shared_bytes.h"
#include "services/http/origin_policy.h"
#include "services/http/pages.h"
#include "services/websocket_service/proxy/forwarded.h"

namespace groupcast::service {

// The bound of request line and header together. Over it, the answer is 431.
inline constexpr size_t kRequestBytesMax = 8 * 1024;

// The subprotocol of v1 mode.
inline constexpr absl::string_view kV1Subprotocol = "groupcast.v1.json";
// The beginning of an offered subprotocol that is a token: browsers set no other header.
inline constexpr absl::string_view kTokenSubprotocol = "groupcast.token.";

struct HttpContext {
  const OriginPolicy* origins = nullptr;  // null: its defaults
  const Pages* pages = nullptr;           // null: none
  bool channel_connected = false;
  bool deflates = false;      // clients may have permessage-deflate
  bool takes_tokens = true;   // without keys, tokens are for somebody else, such as a proxy
  bool full = false;          // the worker takes no further connection
  bool address_full = false;  // the client's address has as many connections as it may have
  // Null: no proxy is trusted.
  const ProxyPolicy* proxies = nullptr;
  // Who has made the connection, or whom the PROXY protocol names. Only with `proxies`.
  IpAddress peer;
  // Takes the client's address before the request is answered, and returns address_full for it.
  // Only with `proxies`.
  std::function<bool(const IpAddress&)> take_client;
};

// The refusals that an operator may want to know of.
enum class Refusal : uint8_t {
  kNone,
  // The client speaks this instead of HTTP/1. Most likely it, or a proxy before it, is
  // misconfigured.
  kTls,
  kHttp2,
  kProxyProtocol,
  kUnknownProtocol,
  kPlain,          // no TLS, on a port that has it
  kNoProxyHeader,  // a trusted proxy has not begun with the PROXY protocol; HttpAnswer::refused
                   // says what was wrong
  kTlsHandshake,   // the TLS handshake has failed; HttpAnswer::refused has the reason
  // OriginPolicy refuses what the client names.
  kHost,
  kOrigin,
  // Over a limit: of the request's head, of the worker's connections, of those of one address.
  kHeadTooLarge,
  kWorkerFull,
  kAddressFull,
};

struct HttpAnswer {
  bool upgraded = false;  // the connection now speaks WebSocket; if not, it is closed after the
                          // answer
  bool v1 = false;        // in v1 mode
  bool deflates = false;  // with permessage-deflate
  Fingerprint session;    // the session that the request names; empty: none
  std::string token;      // the token that the request has; empty: none, or the service takes none
  Refusal refusal = Refusal::kNone;
  std::string refused;  // what is refused: a part that is short and printable
  std::string bytes;    // the response: all of it, or all before its body
  SharedBytes body;     // null: `bytes` is all. Else the body, which the page shares
};

// Answers a request: with the WebSocket handshake (RFC 6455 section 4.2), a page, or an error with
// its reason. `head` is the request line and header, with the empty line at their end.
HttpAnswer AnswerRequest(absl::string_view head, const HttpContext& context);

// Returns the answer to a request with a head over kRequestBytesMax.
HttpAnswer AnswerTooLarge();

// Returns the answer to a client that speaks `protocol` instead of HTTP/1. kPlain: instead of TLS.
HttpAnswer AnswerStranger(Refusal protocol);

// Returns the value of Sec-WebSocket-Accept for a client's key (section 4.2.2).
std::string AcceptKey(absl::string_view key);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_HTTP_H_
