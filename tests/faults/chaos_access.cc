#include "tests/faults/chaos_access.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "services/access/testing/token_maker.h"
#include "tests/support/process.h"

namespace groupcast::tests {
namespace {

constexpr absl::string_view kSecret = "the secret of all clients in chaos";

}  // namespace

Flags AccessFlags() {
  const std::string key = NewTempPath("key");
  std::ofstream(key) << kSecret;
  std::filesystem::permissions(key, std::filesystem::perms::owner_read);
  const std::string configuration = NewTempPath("configuration");
  std::ofstream(configuration) << R"({"group_rules":[{"prefix":"","names_sender":true}]})";
  return {absl::StrCat("--token_keys=", key), absl::StrCat("--config=", configuration)};
}

std::string TokenOf(absl::string_view user) {
  return service::HmacToken(absl::StrCat(R"({"sub":")", user, R"(","groups":["*"]})"), kSecret);
}

std::string UserOf(int client) { return absl::StrCat("client ", client); }
std::string WatcherName(int watcher) { return absl::StrCat("watcher-", watcher); }

}  // namespace groupcast::tests
