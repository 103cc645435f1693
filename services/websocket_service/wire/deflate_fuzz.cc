// Gives the same payload to the inflater and to Beast's port of zlib: both must see the same text,
// or both must refuse it. And what the deflater makes of the input must come back as it was.

#include <zlib.h>

#include <boost/beast/zlib/error.hpp>
#include <boost/beast/zlib/inflate_stream.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "services/websocket_service/wire/deflate.h"

namespace groupcast::service {
namespace {

constexpr size_t kBytesMax = 10'000;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// The text of a payload without blocks that are marked as the last, which Beast's stream ends with.
// nullopt: it is malformed, maybe behind the bound, where the inflater does not look any more.
// `*too_much`: it is over the bound.
std::optional<std::string> WithBeast(const std::string& payload, bool* too_much, bool* has_last) {
  namespace zlib = boost::beast::zlib;
  zlib::inflate_stream stream;
  stream.reset(15);
  const std::string input = payload + std::string("\x00\x00\xff\xff", 4);
  std::string output(kBytesMax + 1, '\0');
  zlib::z_params params{};
  params.next_in = input.data();
  params.avail_in = input.size();
  params.next_out = output.data();
  params.avail_out = output.size();
  boost::beast::error_code error;
  stream.write(params, zlib::Flush::sync, error);
  *has_last = error == zlib::error::end_of_stream;
  if (error && error != zlib::error::need_buffers && !*has_last) return std::nullopt;
  *too_much = params.avail_out == 0;
  output.resize(output.size() - params.avail_out);
  return output;
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;
  static Deflater deflater;
  static Inflater inflater;
  const std::string input(reinterpret_cast<const char*>(data), size);

  const std::string payload(deflater.Deflate(input));
  const absl::StatusOr<absl::string_view> back = inflater.Inflate(payload, input.size());
  Check(back.ok() && *back == input, "what was deflated does not come back");

  const absl::StatusOr<absl::string_view> text = inflater.Inflate(input, kBytesMax);
  Check(!text.ok() || text->size() <= kBytesMax, "the bound is exceeded");
  bool too_much = false;
  bool has_last = false;
  const std::optional<std::string> beast = WithBeast(input, &too_much, &has_last);
  if (has_last) return 0;
  if (too_much) {
    Check(text.status().code() == absl::StatusCode::kResourceExhausted, "too much is not refused");
  } else if (text.ok()) {
    Check(beast.has_value() && *beast == *text, "Beast sees another text");
  } else if (beast.has_value()) {
    // Beast does not tell that the end is missing. So it may have a text where there is none.
    Check(text.status().code() == absl::StatusCode::kInvalidArgument, "Beast sees no bomb");
  }
  return 0;
}
