// The delivery contract over some thousand random worlds. tools/simulate runs as many as one likes.

#include <cstdint>
#include <cstdio>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel/testing/world.h"
#include "spdlog/spdlog.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GROUPCAST_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROUPCAST_SANITIZED
#endif

namespace groupcast::service::testing {
namespace {

#ifdef GROUPCAST_SANITIZED
constexpr uint64_t kSeedsPerBlock = 30;
#else
constexpr uint64_t kSeedsPerBlock = 400;
#endif
constexpr uint64_t kBlocks = 20;  // shared out to the shards
constexpr uint64_t kCoverageSeeds = 1'000;

// How to see a world again.
std::string Replay(uint64_t seed) {
  return absl::StrCat("tools/simulate --first=", seed, " --seeds=1 --trace shows it");
}

class SimulationTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  // What the logic would log in a service.
  static void SetUpTestSuite() { spdlog::set_level(spdlog::level::off); }
};

TEST_P(SimulationTest, AllPromisesAreKeptInEveryWorld) {
  const uint64_t first = 1 + GetParam() * kSeedsPerBlock;
  for (uint64_t seed = first; seed < first + kSeedsPerBlock; ++seed) {
    const WorldResult result = RunWorld(seed, false);
    ASSERT_EQ(result.failure, "") << "seed " << seed << " (" << result.description << "); "
                                  << Replay(seed);
  }
}

INSTANTIATE_TEST_SUITE_P(Worlds, SimulationTest, ::testing::Range(uint64_t{0}, kBlocks));

// What this program prints for the same seeds, whenever it is asked; but for the last line, which
// says how long it took.
std::string TraceOf(const std::string& arguments) {
  FILE* const output =
      popen(absl::StrCat("services/channel/testing/simulate ", arguments).c_str(), "r");
  if (output == nullptr) return "";
  std::string text;
  char part[4096];
  while (const size_t size = fread(part, 1, sizeof(part), output)) text.append(part, size);
  EXPECT_EQ(pclose(output), 0) << text;
  text.resize(text.find_last_of('\n', text.size() - 2) + 1);
  return text;
}

// In processes of their own, so that no order is that of addresses or of hashes, which are others
// in each process.
TEST(SimulationDeterminismTest, ASeedGivesTheSameRunEachTime) {
  for (const char* seeds : {"--first=1 --seeds=20 --trace", "--first=5000 --seeds=20 --trace"}) {
    const std::string trace = TraceOf(seeds);
    EXPECT_THAT(trace, ::testing::HasSubstr("placed g")) << "nothing happened";
    EXPECT_TRUE(trace == TraceOf(seeds)) << seeds << " differs; compare what it prints";
  }
}

TEST(SimulationDeterminismTest, OtherSeedsGiveOtherRuns) {
  EXPECT_NE(TraceOf("--first=1 --seeds=1 --trace"), TraceOf("--first=2 --seeds=1 --trace"));
}

// Worlds in which nothing happens would keep all promises too.
TEST(SimulationCoverageTest, EverythingThatWorldsAreThereForHappens) {
  spdlog::set_level(spdlog::level::off);
  std::set<std::string> missing = {
      // Of the server and its log.
      "server died", "server ended", "server started again with its log",
      "server started again without a log", "server stopped for a while", "server away for long",
      "server stopped for long", "power lost", "unsynced tail lost", "log began a new epoch",
      "full disk", "write that failed", "expired history", "forgotten group", "forgotten publisher",
      // Of workers and clients.
      "worker died", "worker stopped for a while", "worker isolated for long", "client cut", "join",
      "leave", "join of a group that was left", "history read", "bare client", "slow consumer",
      "client in very many groups", "send that waited for room",
      // Of the network.
      "cut link", "silent link", "lost publication", "lost on the subscribe link",
      "queue to a subscriber full", "lost subscription", "lost control frame",
      "refused control frame",
      // What answers all this.
      "send with a key that is repeated", "send with a key to several groups", "key that counted",
      "key whose window had passed", "key used again", "number repeated", "window sent again",
      "subscription made again", "repair", "resync", "gap", "recovery", "recovery with loss",
      "told as not done",
      // Of presence.
      "member that joined a view", "member that left a view", "page of members",
      "half-open connection", "view that stayed"};
  for (uint64_t seed = 1; seed <= kCoverageSeeds; ++seed) {
    for (const auto& [what, times] : RunWorld(seed, false).happened) missing.erase(what);
  }
  EXPECT_THAT(missing, ::testing::IsEmpty()) << "in " << kCoverageSeeds << " worlds";
}

}  // namespace
}  // namespace groupcast::service::testing
