#include "services/channel_server/server_metrics.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The samples by their names with labels.
std::map<std::string, double> Samples(const std::string& text) {
  std::map<std::string, double> samples;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "#")) continue;
    const std::pair<std::string, std::string> sample = absl::StrSplit(line, ' ');
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(sample.second, &value)) << line;
    EXPECT_TRUE(samples.emplace(sample.first, value).second) << line;
  }
  return samples;
}

// All numbers differ, so that none can stand in the place of another.
TEST(ServerMetricsTest, EachNumberIsASample) {
  std::array<uint64_t, sizeof(ServerNumbers) / sizeof(uint64_t)> words;
  for (size_t i = 0; i < words.size(); ++i) words[i] = 1'000 + i;
  ServerNumbers numbers;
  std::memcpy(&numbers, words.data(), sizeof(numbers));
  std::map<uint64_t, int> found;
  for (const auto& [name, value] :
       Samples(ServerMetricsText(numbers, absl::ZeroDuration(), std::nullopt))) {
    if (absl::StrContains(name, "_seconds")) continue;
    ++found[static_cast<uint64_t>(value)];
  }
  const size_t first_of_durations = offsetof(ServerNumbers, turns) / sizeof(uint64_t);
  for (size_t i = 0; i < first_of_durations; ++i) {
    EXPECT_EQ(found[words[i]], 1) << "the number at index " << i;
  }
}

TEST(ServerMetricsTest, TellsCountersStatesAndDurationsInSeconds) {
  ServerNumbers numbers{};
  numbers.publications = 12'345'678'901;
  numbers.refused_too_large = 2;
  numbers.retained_bytes = 3;
  numbers.turns.counts[0] = 5;      // up to 50 us
  numbers.turns.counts.back() = 1;  // above 5 s
  numbers.turns.sum_us = 7'500'000;
  numbers.log_writes.counts[1] = 4;
  const std::string text =
      ServerMetricsText(numbers, absl::Milliseconds(7'250),
                        ProcessUsage{.cpu_seconds = 1.5, .resident_bytes = 4, .open_files = 5});
  EXPECT_THAT(text, HasSubstr("# TYPE groupcast_channel_publications_total counter\n"
                              "groupcast_channel_publications_total 12345678901\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE groupcast_channel_retained_bytes gauge\n"));
  const std::map<std::string, double> samples = Samples(text);
  EXPECT_EQ(samples.at("groupcast_channel_publications_refused_total{reason=\"too_large\"}"), 2);
  EXPECT_EQ(samples.at("groupcast_channel_retained_bytes"), 3);
  EXPECT_EQ(samples.at("groupcast_turn_seconds_bucket{le=\"5e-05\"}"), 5);
  EXPECT_EQ(samples.at("groupcast_turn_seconds_bucket{le=\"5\"}"), 5);
  EXPECT_EQ(samples.at("groupcast_turn_seconds_bucket{le=\"+Inf\"}"), 6);
  EXPECT_EQ(samples.at("groupcast_turn_seconds_sum"), 7.5);
  EXPECT_EQ(samples.at("groupcast_channel_log_write_seconds_count"), 4);
  EXPECT_EQ(samples.at("groupcast_channel_loop_age_seconds"), 7.25);
  EXPECT_EQ(samples.at("groupcast_cpu_seconds_total"), 1.5);
  EXPECT_EQ(samples.at("groupcast_resident_memory_bytes"), 4);
  EXPECT_EQ(samples.at("groupcast_open_files"), 5);
  EXPECT_THAT(text, HasSubstr("groupcast_build_info{service=\"channel_server\",version=\""));
}

TEST(ServerMetricsTest, AnUnknownUsageIsLeftOut) {
  EXPECT_THAT(ServerMetricsText(ServerNumbers{}, absl::ZeroDuration(), std::nullopt),
              Not(HasSubstr("cpu_seconds")));
}

}  // namespace
}  // namespace groupcast::service
