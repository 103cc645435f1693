#ifndef SDK_CPP_GROUPCAST_PROXY_TUNNEL_H_
#define SDK_CPP_GROUPCAST_PROXY_TUNNEL_H_

#include <boost/beast/core/tcp_stream.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "groupcast/url.h"

namespace groupcast {

struct TunnelResult {
  // kUnavailable: the connection to the proxy broke. kInternal: it does not speak HTTP, or its
  // header is above 8 KiB. Otherwise the refusal, as HttpRefusal() tells it.
  absl::Status status;
  // The proxy's HTTP status, 0 without one.
  int http_status = 0;
};

// Asks the proxy at the other end of `stream` for a connection to `target`, HOST:PORT (CONNECT, RFC
// 9110 section 9.3.6). After success the bytes of `stream` are those of the target. There is no
// time limit: close the stream to end it. `stream` must live until `done` is called, on its
// executor.
void OpenTunnel(boost::beast::tcp_stream* stream, const Proxy& proxy, const std::string& target,
                std::function<void(const TunnelResult&)> done);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_PROXY_TUNNEL_H_
