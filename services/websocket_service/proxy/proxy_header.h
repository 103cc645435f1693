#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_PROXY_PROXY_HEADER_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_PROXY_PROXY_HEADER_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "services/common/ip_address.h"

namespace groupcast::service {

// Version 2 of the PROXY protocol (haproxy.org/download/2.8/doc/proxy-protocol.txt), from the
// receiver's side: a binary header that a proxy sends first on a connection, with the address of
// its own client.
struct ProxyHeader {
  // The fixed part, which says how long the header is.
  static constexpr size_t kFixedBytes = 16;
  // Proxies send some hundred bytes.
  static constexpr size_t kBytesMax = 4 * 1024;

  enum class Result {
    kNeedMore,  // `bytes` are needed
    kDone,      // the header has `bytes`
    kInvalid,   // `error` says what is wrong
  };

  Result result = Result::kInvalid;
  size_t bytes = 0;
  // Null: the proxy speaks for itself (LOCAL), or its client has no IP address.
  std::optional<IpAddress> client;
  std::string error;

  // Reads the beginning of a connection. Bytes behind the header do not matter.
  static ProxyHeader Read(absl::string_view bytes);
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_PROXY_PROXY_HEADER_H_
