#include "services/websocket_service/http/stranger_log.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

struct Words {
  absl::string_view protocol;
  absl::string_view advice;
};

Words WordsFor(Stranger stranger) {
  switch (stranger) {
    case Stranger::kTls:
      return {"TLS", "clients must use ws:// or http:// here, or a proxy must end TLS before"};
    case Stranger::kHttp2:
      return {"HTTP/2", "the proxy before it must speak HTTP/1.1 to this port"};
    case Stranger::kProxyProtocol:
      return {"the PROXY protocol", "turn it off for this port at the proxy"};
    default:
      return {};
  }
}

}  // namespace

std::optional<std::string> StrangerLog::Note(Stranger stranger, absl::string_view peer,
                                             absl::Time now) {
  const Words words = WordsFor(stranger);
  if (words.protocol.empty()) return std::nullopt;
  const size_t index = static_cast<size_t>(stranger) - static_cast<size_t>(Stranger::kTls);
  const int64_t count = limits_[index].Admit(now);
  if (count == 0) return std::nullopt;
  return absl::StrCat(peer, " spoke ", words.protocol,
                      " to this plain port and was refused: ", words.advice, " (", count,
                      " since the last such line)");
}

}  // namespace groupcast::service
