#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_HTTP_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_HTTP_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "services/channel/fingerprint.h"
#include "services/websocket_service/http/pages.h"

namespace groupcast::service {

// Request line and header together; over it, the answer is 431.
inline constexpr size_t kRequestBytesMax = 8 * 1024;

// The subprotocol of v1 mode.
inline constexpr absl::string_view kV1Subprotocol = "groupcast.v1.json";

// How many bytes of `bytes` the request line and header take, with the empty line that ends them;
// 0: they are not whole yet. `searched` bytes at the beginning were looked at before.
size_t RequestHeadBytes(absl::string_view bytes, size_t searched);

struct HttpContext {
  const Pages* pages = nullptr;  // null: none
  bool channel_connected = false;
  bool full = false;  // no further connection is taken
};

struct HttpAnswer {
  bool upgraded = false;  // the connection speaks WebSocket from here on; otherwise it is closed
                          // after the answer
  bool v1 = false;        // in v1 mode
  Fingerprint session;    // of the session that the request names; empty: none
  std::string bytes;      // the whole response
};

// Answers a request: the WebSocket handshake (RFC 6455 section 4.2), or a page, or an error that
// says what was wrong. `head` is the request line and header as RequestHeadBytes cut them off.
HttpAnswer AnswerRequest(absl::string_view head, const HttpContext& context);

// The answer to a request whose head is over kRequestBytesMax.
HttpAnswer AnswerTooLarge();

// Section 4.2.2: the value of Sec-WebSocket-Accept for a client's key.
std::string AcceptKey(absl::string_view key);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_HTTP_H_
