#include "services/websocket_service/http/request_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {
namespace {

// The record type and major version of a TLS handshake (RFC 8446 section 5.1).
constexpr absl::string_view kTlsHandshake = "\x16\x03";
// What version 2 of the PROXY protocol begins with, after two empty lines.
constexpr absl::string_view kProxyBinary("\0\r\nQUIT\n", 8);
constexpr absl::string_view kProxyText = "PROXY ";
// The request line of HTTP/2's preface (RFC 9113 section 3.4).
constexpr absl::string_view kHttp2Preface = "PRI * HTTP/2";

// Whether a method may begin with it (RFC 9110 section 5.6.2).
bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("!#$%&'*+-.^_`|~", c);
}

}  // namespace

std::optional<HttpAnswer> RequestReader::Read(absl::Span<char>* input, const HttpContext& context) {
  const size_t before = bytes_.size();
  bytes_.append(input->data(), input->size());
  if (!is_http_) {
    SkipEmptyLines();
    if (std::optional<HttpAnswer> refusal = RefuseStranger()) return refusal;
  }
  const size_t end = FindHeadEnd();
  if (end == 0 && bytes_.size() < kRequestBytesMax) return std::nullopt;
  if (end == 0 || end > kRequestBytesMax) return AnswerTooLarge();
  input->remove_prefix(end - before);
  return AnswerRequest(absl::string_view(bytes_).substr(begin_, end - begin_), context);
}

void RequestReader::SkipEmptyLines() {
  const absl::string_view bytes = bytes_;
  for (;;) {
    const absl::string_view next = bytes.substr(begin_, 2);
    if (next == "\r\n") {
      begin_ += 2;
    } else if (absl::StartsWith(next, "\n")) {
      begin_ += 1;
    } else {
      return;
    }
  }
}

std::optional<HttpAnswer> RequestReader::RefuseStranger() {
  const absl::string_view bytes = absl::string_view(bytes_).substr(begin_);
  if (bytes.empty() || bytes == "\r") return std::nullopt;
  for (const auto& [signature, stranger] :
       {std::pair{kTlsHandshake, Refusal::kTls}, {kProxyBinary, Refusal::kProxyProtocol}}) {
    if (absl::StartsWith(bytes, signature)) return AnswerStranger(stranger);
    if (absl::StartsWith(signature, bytes)) return std::nullopt;
  }
  if (!IsTokenCharacter(bytes[0])) return AnswerStranger(Refusal::kUnknownProtocol);

  const size_t line_end = bytes.find('\n');
  if (line_end == absl::string_view::npos) return std::nullopt;
  const absl::string_view line = bytes.substr(0, line_end);
  if (absl::StartsWith(line, kHttp2Preface)) return AnswerStranger(Refusal::kHttp2);
  if (absl::StartsWith(line, kProxyText)) return AnswerStranger(Refusal::kProxyProtocol);
  if (!absl::StrContains(line, " HTTP/")) return AnswerStranger(Refusal::kUnknownProtocol);
  is_http_ = true;
  return std::nullopt;
}

// A bare LF ends a line too, so that a head of such lines has an end. AnswerRequest refuses it.
size_t RequestReader::FindHeadEnd() {
  const absl::string_view bytes = bytes_;
  searched_ = std::max(searched_, begin_);
  for (;;) {
    searched_ = std::min(bytes.find('\n', searched_), bytes.size());
    const absl::string_view next = bytes.substr(std::min(searched_ + 1, bytes.size()), 2);
    if (next == "\r\n") return searched_ + 3;
    if (absl::StartsWith(next, "\n")) return searched_ + 2;
    if (next.empty() || next == "\r") return 0;
    ++searched_;
  }
}

}  // namespace groupcast::service
