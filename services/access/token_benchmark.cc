// What the check of a token costs, by its algorithm.

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "benchmark/benchmark.h"
#include "services/access/testing/token_maker.h"
#include "services/access/token.h"
#include "services/access/token_keys.h"

namespace groupcast::service {
namespace {

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr absl::string_view kClaims = R"({"sub":"alice","exp":4102444800,"groups":["room:*"]})";

void Check(benchmark::State& state, absl::string_view key, const std::string& token) {
  TokenKeys keys;
  if (!keys.Add(key, /*others_may_access=*/false).ok()) state.SkipWithError("the key");
  const TokenVerifier verifier(std::move(keys), {});
  const absl::Time now = absl::Now();
  for (auto _ : state) {
    if (!verifier.Verify(token, now).ok()) state.SkipWithError("the token");
  }
}

void Hs256(benchmark::State& state) { Check(state, kSecret, HmacToken(kClaims, kSecret)); }

void Rs256(benchmark::State& state) {
  const SigningKey key(SigningKey::Type::kRsa2048);
  Check(state, key.PublicPem(), key.Sign(kClaims));
}

void Es256(benchmark::State& state) {
  const SigningKey key(SigningKey::Type::kP256);
  Check(state, key.PublicPem(), key.Sign(kClaims));
}

BENCHMARK(Hs256);
BENCHMARK(Rs256);
BENCHMARK(Es256);

}  // namespace
}  // namespace groupcast::service

BENCHMARK_MAIN();
