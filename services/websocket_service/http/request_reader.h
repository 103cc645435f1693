#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_REQUEST_READER_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_REQUEST_READER_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "services/websocket_service/http/http.h"

namespace groupcast::service {

// Collects the head of a connection's request. It skips empty lines before the request line (RFC
// 9112 section 2.2). Clients that speak another protocol get their answer as soon as their first
// bytes show it, because the end of a head may never come from them.
class RequestReader {
 public:
  // Takes the next bytes of the connection. When they complete the head, or show that none will
  // come, it returns the answer, and `input` keeps the bytes after the head. It must not be called
  // again after that. The bound of all bytes together, with empty lines, is kRequestBytesMax.
  std::optional<HttpAnswer> Read(absl::Span<char>* input, const HttpContext& context);

  // The memory of what has come so far.
  size_t bytes() const { return bytes_.capacity(); }

 private:
  void SkipEmptyLines();
  // The answer to a client that does not speak HTTP/1, if that is certain already.
  std::optional<HttpAnswer> RefuseStranger();
  // Returns the offset after the empty line that ends the head. 0: it has not come.
  size_t FindHeadEnd();

  std::string bytes_;
  size_t begin_ = 0;     // of the request line
  size_t searched_ = 0;  // no head ends before it
  bool is_http_ = false;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_HTTP_REQUEST_READER_H_
