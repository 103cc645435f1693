// The bytes of a connection, whole and in two pieces: the requests that are accepted must be the
// same, and the parser must not hold more than its limits allow. A defect, which ends the
// connection, may be found earlier in one than in the other: Beast bounds the request line and the
// fields apart if it sees them apart.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/http/request_parser.h"

namespace groupcast::service {
namespace {

// Small, so that inputs reach them.
constexpr RequestLimits kLimits = {.head_bytes_max = 256, .fields_max = 8, .body_bytes_max = 200};
// A field has its name, its value, and what Beast adds.
constexpr size_t kHeadMemoryMax = 256 + 9 * 128;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// A connection whose requests are written down.
class Reader {
 public:
  void Read(absl::string_view input) {
    if (input.empty() || ended_) return;
    for (;;) {
      const size_t before = parser_.buffered_bytes();
      const RequestParser::Result result = parser_.Read(input);
      Check(parser_.buffered_bytes() <= before + input.size() + kHeadMemoryMax,
            "it holds too much");
      input = {};
      switch (result) {
        case RequestParser::Result::kNeedMore:
          Check(parser_.buffered_bytes() <=
                    kHeadMemoryMax + kLimits.head_bytes_max + kLimits.body_bytes_max,
                "it waits with too much");
          return;
        case RequestParser::Result::kHead:
          Check(!parser_.method().empty(), "a head without a method");
          continue;
        case RequestParser::Result::kRequest:
          Check(parser_.body().size() <= kLimits.body_bytes_max, "a body over the limit");
          absl::StrAppend(&text_, parser_.method(), " ", parser_.target(), " ",
                          parser_.keep_alive(), " ", parser_.Field("x").value_or("-"), " ",
                          parser_.body(), "\n");
          if (!parser_.keep_alive()) {
            ended_ = true;
            return;
          }
          parser_.Next();
          continue;
        case RequestParser::Result::kDefect:
          Check(parser_.defect().status >= 400 && parser_.defect().status < 600, "no status");
          ended_ = true;
          return;
      }
    }
  }

  const std::string& text() const { return text_; }

 private:
  RequestParser parser_{kLimits};
  std::string text_;
  bool ended_ = false;
};

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  const absl::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t first = std::min<size_t>(text.size(), data[0] + 256 * size_t{data[1]});
  Reader whole;
  whole.Read(text);
  Reader pieces;
  pieces.Read(text.substr(0, first));
  pieces.Read(text.substr(first));
  Check(absl::StartsWith(whole.text(), pieces.text()) ||
            absl::StartsWith(pieces.text(), whole.text()),
        "other requests in pieces");
  return 0;
}
