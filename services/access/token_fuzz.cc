// Any bytes as a token, and any bytes as the claims of a token that is signed.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "services/access/testing/token_maker.h"
#include "services/access/token.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";

const TokenVerifier& Verifier() {
  static const TokenVerifier* const verifier = [] {
    TokenKeys keys;
    if (!keys.Add(kSecret, /*others_may_access=*/false).ok()) std::abort();
    return new TokenVerifier(std::move(keys), TokenOptions{});
  }();
  return *verifier;
}

}  // namespace
}  // namespace groupcast::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace groupcast::service;  // NOLINT(google-build-using-namespace)
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  // Nobody can guess a signature.
  if (Verifier().Verify(text, now).ok()) std::abort();
  const absl::StatusOr<Token> token = Verifier().Verify(HmacToken(text, kSecret), now);
  if (token.ok() &&
      (token->valid_until <= now || token->info.size() > TokenVerifier::kInfoBytesMax)) {
    std::abort();
  }
  TokenKeys keys;
  static_cast<void>(keys.Add(text, /*others_may_access=*/true));
  return 0;
}
