#include "services/channel/testing/simulated_access.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/access/testing/token_maker.h"

namespace groupcast::service::testing {
namespace {

constexpr absl::string_view kSecret = "the secret of all simulated worlds";

}  // namespace

std::shared_ptr<const AccessPolicy> SimulatedAccess() {
  static const auto* const policy = [] {
    TokenKeys keys;
    if (!keys.Add(kSecret, /*others_may_access=*/false).ok()) std::abort();
    std::vector<std::pair<std::string, GroupAccess>> rules = {{"", {.names_sender = true}}};
    return new std::shared_ptr<const AccessPolicy>(std::make_shared<const AccessPolicy>(
        AccessPolicy::Options{.tokens = std::make_shared<const TokenVerifier>(
                                  std::move(keys), TokenOptions{.leeway = absl::ZeroDuration()}),
                              .rules = PrefixMap<GroupAccess>(std::move(rules))}));
  }();
  return *policy;
}

std::string SimulatedToken(absl::string_view session) {
  return HmacToken(absl::StrCat(R"({"sub":")", session, R"(","groups":["*"]})"), kSecret);
}

}  // namespace groupcast::service::testing
