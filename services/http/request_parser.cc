#include "services/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

namespace http = boost::beast::http;

// Beast's memory for a field, besides its name and value.
constexpr size_t kFieldBytes = 96;

absl::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

RequestParser::RequestParser(const RequestLimits& limits) : limits_(limits) { Next(); }

void RequestParser::Next() {
  if (rest_.empty()) rest_ = std::string();  // an idle connection holds no buffer
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits_.head_bytes_max));
  parser_->body_limit(limits_.body_bytes_max);
  began_ = false;
  told_head_ = false;
  head_bytes_ = 0;
  is_done_ = false;
}

void RequestParser::Drop() {
  rest_ = std::string();
  Next();
}

RequestParser::Result RequestParser::Read(absl::string_view input) {
  if (defect_.status != 0) return Result::kDefect;
  // Without a rest, the input is parsed in place.
  const bool in_place = rest_.empty();
  if (!in_place) rest_.append(input.data(), input.size());
  absl::string_view bytes = in_place ? input : absl::string_view(rest_);
  const auto keep = [&](Result result) {
    if (in_place) {
      rest_.assign(bytes.data(), bytes.size());
    } else {
      rest_.erase(0, rest_.size() - bytes.size());
    }
    return result;
  };
  while (!parser_->is_done()) {
    // Empty lines before a request line (RFC 9112 section 2.2).
    while (!began_ && absl::StartsWith(bytes, "\r\n")) bytes.remove_prefix(2);
    if (bytes.empty() || (!began_ && bytes == "\r")) return keep(Result::kNeedMore);
    began_ = true;
    boost::system::error_code error;
    // Beast gets no more at once than the longest line may have: so the limits do not depend on the
    // pieces in which a request comes. The body has no lines.
    const absl::string_view piece =
        told_head_ && parser_->chunked() ? bytes.substr(0, limits_.head_bytes_max) : bytes;
    const size_t size = parser_->put(boost::asio::buffer(piece.data(), piece.size()), error);
    bytes.remove_prefix(size);
    const bool needs_more = error == http::error::need_more;
    if (error && !needs_more) return DefectOf(error);
    if (parser_->is_header_done() && !told_head_) {
      told_head_ = true;
      const Result result = CheckHead();
      if (result == Result::kDefect) return result;
      if (!parser_->is_done()) return keep(Result::kHead);
    }
    const bool has_more = size > 0 && piece.size() < bytes.size() + size;
    if (!needs_more || has_more) continue;
    if (!parser_->is_header_done() && bytes.size() >= limits_.head_bytes_max) {
      return DefectOf(http::error::header_limit);
    }
    // The line before a chunk has no bound of Beast's.
    if (parser_->is_header_done() && bytes.size() >= limits_.head_bytes_max) {
      return DefectOf(http::error::bad_chunk);
    }
    return keep(Result::kNeedMore);
  }
  is_done_ = true;
  return keep(Result::kRequest);
}

RequestParser::Result RequestParser::CheckHead() {
  size_t fields = 0;
  for (const auto& field : parser_->get()) {
    ++fields;
    head_bytes_ += field.name_string().size() + field.value().size() + kFieldBytes;
  }
  if (fields > limits_.fields_max) {
    return Defect(431, absl::StrCat("The header has more than ", limits_.fields_max, " fields."));
  }
  if (Count(http::field::content_length) > 1) {
    return Defect(400, "The request has several Content-Length fields.");
  }
  if (const auto length = Field(http::field::content_length);
      length.has_value() && absl::StrContains(*length, ",")) {
    return Defect(400, "The field Content-Length must be one number.");
  }
  if (const auto coding = Field(http::field::transfer_encoding); coding.has_value()) {
    if (!is_http_1_1()) {
      return Defect(400, "A request of HTTP/1.0 must not have a Transfer-Encoding.");
    }
    if (Count(http::field::transfer_encoding) > 1 ||
        !absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(*coding), "chunked")) {
      return Defect(501, "The only Transfer-Encoding that this service knows is chunked.");
    }
  }
  const auto version = parser_->get().version();
  if (version != 10 && version != 11) return Defect(505, "This service speaks HTTP/1.1.");
  const size_t hosts = Count(http::field::host);
  if (hosts > 1 || (hosts == 0 && is_http_1_1())) {
    return Defect(400, "The request must have one Host field.");
  }
  if (const auto expect = Field(http::field::expect);
      expect.has_value() && !absl::EqualsIgnoreCase(*expect, "100-continue")) {
    return Defect(417, "The only expectation that this service knows is 100-continue.");
  }
  return Result::kHead;
}

RequestParser::Result RequestParser::Defect(int status, absl::string_view message) {
  defect_ = {.status = status, .message = std::string(message)};
  Drop();
  return Result::kDefect;
}

RequestParser::Result RequestParser::DefectOf(const boost::system::error_code& error) {
  if (error == http::error::header_limit) {
    return Defect(431, absl::StrCat("The request line and the header are larger than ",
                                    limits_.head_bytes_max, " bytes."));
  }
  if (error == http::error::body_limit) {
    return Defect(413, absl::StrCat("The body is larger than ", limits_.body_bytes_max, " bytes."));
  }
  if (error == http::error::bad_version) return Defect(505, "This service speaks HTTP/1.1.");
  return Defect(400, absl::StrCat("This is no request of HTTP/1.1: ", error.message(), "."));
}

absl::string_view RequestParser::method() const { return View(parser_->get().method_string()); }

absl::string_view RequestParser::target() const { return View(parser_->get().target()); }

std::optional<absl::string_view> RequestParser::Field(http::field name) const {
  const auto found = parser_->get().find(name);
  if (found == parser_->get().end()) return std::nullopt;
  return View(found->value());
}

std::optional<absl::string_view> RequestParser::Field(absl::string_view name) const {
  const auto found = parser_->get().find({name.data(), name.size()});
  if (found == parser_->get().end()) return std::nullopt;
  return View(found->value());
}

size_t RequestParser::Count(http::field name) const {
  const auto [from, to] = parser_->get().equal_range(name);
  return static_cast<size_t>(std::distance(from, to));
}

bool RequestParser::is_http_1_1() const { return parser_->get().version() == 11; }

bool RequestParser::keep_alive() const { return parser_->keep_alive(); }

bool RequestParser::expects_continue() const {
  return is_http_1_1() && Field(http::field::expect).has_value();
}

const std::string& RequestParser::body() const { return parser_->get().body(); }

size_t RequestParser::buffered_bytes() const {
  return head_bytes_ + rest_.size() + parser_->get().body().size();
}

}  // namespace groupcast::service
