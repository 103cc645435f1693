// The first bytes of a connection, whole and in two pieces: the answer must be the same, must be
// one whole response, and must not repeat a token.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/websocket_service/http/http.h"
#include "services/websocket_service/http/request_reader.h"

namespace groupcast::service {
namespace {

struct Reading {
  std::optional<HttpAnswer> answer;
  size_t bytes = 0;  // that it took
};

// Reads `text` in two pieces, the first of which has `first` bytes.
Reading Read(std::string text, size_t first) {
  RequestReader reader;
  Reading reading;
  absl::Span<char> input(text.data(), first);
  if (first > 0) reading.answer = reader.Read(&input, {});
  reading.bytes = first - input.size();
  if (reading.answer.has_value()) return reading;
  input = absl::MakeSpan(text).subspan(first);
  const size_t second = input.size();
  if (second > 0) reading.answer = reader.Read(&input, {});
  reading.bytes = first + second - input.size();
  return reading;
}

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t first = std::min<size_t>(text.size(), data[0] + 256 * size_t{data[1]});
  const Reading whole = Read(text, 0);
  const Reading pieces = Read(text, first);
  if (!whole.answer.has_value()) {
    Check(!pieces.answer.has_value(), "an answer to pieces alone");
    return 0;
  }
  Check(pieces.answer.has_value(), "no answer to pieces");
  const HttpAnswer& answer = *whole.answer;
  // A stranger may be known by less than the whole.
  if (answer.upgraded) {
    Check(pieces.answer->bytes == answer.bytes, "another answer to pieces");
    Check(pieces.bytes == whole.bytes, "another end of the request");
  }
  Check(absl::StartsWith(answer.bytes, "HTTP/1.1 "), "no response");
  const size_t head = answer.bytes.find("\r\n\r\n");
  Check(head != std::string::npos, "no end of the response's header");
  Check(answer.upgraded == absl::StartsWith(answer.bytes, "HTTP/1.1 101 "), "not upgraded by 101");
  if (answer.upgraded) Check(head + 4 == answer.bytes.size(), "a body after 101");
  if (answer.token.size() >= 16) {
    Check(!absl::StrContains(answer.bytes, answer.token), "the answer has the token");
  }
  Check(whole.bytes <= kRequestBytesMax + 1, "it read more than it may");
  return 0;
}
