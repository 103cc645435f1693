#ifndef GROUPCAST_SERVICES_HTTP_REQUEST_PARSER_H_
#define GROUPCAST_SERVICES_HTTP_REQUEST_PARSER_H_

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace groupcast::service {

struct RequestLimits {
  size_t head_bytes_max = 8 * 1024;  // request line and header
  size_t fields_max = 100;           // of the header
  size_t body_bytes_max = 1u << 20;
};

// The reason why bytes are no request, for the answer.
struct RequestDefect {
  int status = 0;  // of HTTP
  std::string message;
};

// Reads the requests of one connection, one after the other (RFC 9112). Beast does the grammar.
//
// A client and a proxy before it must agree on the end of each request, or one client's bytes
// become the request of another. So what RFC 9112 section 6 leaves open is refused here: a body
// with two lengths, also with the same one twice; a length beside chunks; and any transfer coding
// but `chunked`.
//
// It keeps the bytes that follow a request. The limits bound its memory, with one more read of the
// caller's. No IO.
class RequestParser {
 public:
  enum class Result {
    kNeedMore,
    kHead,     // the head is whole, and a body follows: a good moment to refuse the request
    kRequest,  // the request is whole
    kDefect,   // no request can follow any more
  };

  explicit RequestParser(const RequestLimits& limits);

  // Takes the next bytes. Call it again without bytes after kHead, and after Next.
  Result Read(absl::string_view input);
  // After kRequest: makes ready for the next request.
  void Next();
  // Forgets all that it has. No request can follow.
  void Drop();

  // After kDefect.
  const RequestDefect& defect() const { return defect_; }

  // After kHead or kRequest. The views are valid until Next.
  absl::string_view method() const;
  absl::string_view target() const;
  // The value of a field. nullopt: it is not there. Of a field that is there twice, the first.
  std::optional<absl::string_view> Field(boost::beast::http::field name) const;
  std::optional<absl::string_view> Field(absl::string_view name) const;
  size_t Count(boost::beast::http::field name) const;
  bool is_http_1_1() const;
  // Whether the connection may serve further requests after this one.
  bool keep_alive() const;
  // Whether the client waits for `100 Continue` before it sends the body.
  bool expects_continue() const;
  // After kRequest.
  const std::string& body() const;

  // Whether a request has begun and is not whole.
  bool is_inside() const { return !is_done_ && (began_ || !rest_.empty()); }
  // The memory of a request's head and body, and of the bytes behind it.
  size_t buffered_bytes() const;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  // Drops what it has read.
  Result Defect(int status, absl::string_view message);
  Result DefectOf(const boost::system::error_code& error);
  // Returns the defect of a whole head, or kHead.
  Result CheckHead();

  const RequestLimits limits_;
  std::optional<Parser> parser_;
  std::string rest_;  // taken, and not parsed yet
  bool began_ = false;
  bool told_head_ = false;
  size_t head_bytes_ = 0;  // the memory of a whole head
  bool is_done_ = false;
  RequestDefect defect_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_REQUEST_PARSER_H_
