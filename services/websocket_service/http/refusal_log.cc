#include "services/websocket_service/http/refusal_log.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// The place of a refusal's limit, and its line: "PEER did this REFUSED and was refused: advice".
struct Words {
  size_t limit = 0;
  absl::string_view deed;
  absl::string_view advice;
};

std::optional<Words> WordsFor(Refusal refusal, absl::string_view refused) {
  switch (refusal) {
    case Refusal::kTls:
      return Words{0, "spoke TLS to this plain port",
                   "clients must use ws:// or http:// here, or a proxy must end TLS before"};
    case Refusal::kHttp2:
      return Words{1, "spoke HTTP/2 to this plain port",
                   "the proxy before it must speak HTTP/1.1 to this port"};
    case Refusal::kProxyProtocol:
      return Words{2, "spoke the PROXY protocol to this plain port",
                   "turn it off for this port at the proxy, or trust the proxy with "
                   "--proxy_protocol and --trusted_proxies"};
    case Refusal::kHost:
      return Words{3, "named the host ", "--allowed_hosts must list it, if it is this service's"};
    case Refusal::kOrigin:
      return Words{4, "came from a page of the origin ",
                   refused == kNullOrigin
                       ? "only --allow_null_origin lets pages without an origin connect"
                       : "--allowed_origins must list it, if its pages may connect"};
    case Refusal::kPlain:
      return Words{5, "spoke without TLS to this TLS port",
                   "clients must use wss:// or https:// here"};
    case Refusal::kNoProxyHeader:
      return Words{8, "is a trusted proxy that did not begin with the PROXY protocol: ",
                   "turn on version 2 at the proxy, or turn --proxy_protocol off"};
    case Refusal::kTlsHandshake:
      return Words{6, "did not complete the TLS handshake: ",
                   "it needs TLS 1.2 or 1.3 with forward secrecy, and trust in the certificate of "
                   "--tls_certificate"};
    case Refusal::kAddressFull:
      return Words{7, "has as many connections as an address may have",
                   "--max_connections_per_address is the limit"};
    case Refusal::kHeadTooLarge:
    case Refusal::kWorkerFull:
    case Refusal::kNone:
    case Refusal::kUnknownProtocol:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> RefusalLog::Note(Refusal refusal, absl::string_view refused,
                                            absl::string_view peer, absl::Time now) {
  const std::optional<Words> words = WordsFor(refusal, refused);
  if (!words.has_value()) return std::nullopt;
  const int64_t count = limits_[words->limit].Admit(now);
  if (count == 0) return std::nullopt;
  return absl::StrCat(peer, " ", words->deed, refused, " and was refused: ", words->advice, " (",
                      count, " since the last such line)");
}

}  // namespace groupcast::service
