#include "services/http_gateway/dashboard/metrics_text.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

TEST(MetricsTextTest, SamplesOfOneNameAreAList) {
  const auto json = MetricsJson(
      "# HELP groupcast_connections Open connections.\n"
      "# TYPE groupcast_connections gauge\n"
      "groupcast_connections{worker=\"0\"} 12\n"
      "groupcast_connections{worker=\"1\"} 3\n"
      "\n"
      "groupcast_channel_groups 7 1792742400123\r\n");
  EXPECT_EQ(json.value(), R"({"groupcast_channel_groups":[{"labels":{},"value":7}],)"
                          R"("groupcast_connections":[{"labels":{"worker":"0"},"value":12},)"
                          R"({"labels":{"worker":"1"},"value":3}]})");
}

TEST(MetricsTextTest, AHistogramHasItsBucketsSumAndCount) {
  const auto json = MetricsJson(
      "groupcast_turn_seconds_bucket{le=\"0.001\"} 5\n"
      "groupcast_turn_seconds_bucket{le=\"+Inf\"} 6\n"
      "groupcast_turn_seconds_sum 0.25\n"
      "groupcast_turn_seconds_count 6\n");
  EXPECT_EQ(json.value(),
            R"({"groupcast_turn_seconds_bucket":[{"labels":{"le":"0.001"},"value":5},)"
            R"({"labels":{"le":"+Inf"},"value":6}],)"
            R"("groupcast_turn_seconds_count":[{"labels":{},"value":6}],)"
            R"("groupcast_turn_seconds_sum":[{"labels":{},"value":0.25}]})");
}

TEST(MetricsTextTest, NumbersKeepTheirValue) {
  for (const auto& [text, value] : {std::pair{"9007199254740991", "9007199254740991"},
                                    {"1e+06", "1e+06"},
                                    {"0.1", "0.1"},
                                    {"-2.5", "-2.5"},
                                    {"NaN", "null"},
                                    {"+Inf", "null"},
                                    {"-Inf", "null"}}) {
    EXPECT_THAT(MetricsJson(absl::StrCat("groupcast_x ", text, "\n")).value(),
                HasSubstr(absl::StrCat("\"value\":", value, "}")))
        << text;
  }
}

TEST(MetricsTextTest, LabelsHaveEscapesAndAnyText) {
  EXPECT_EQ(
      MetricsJson("groupcast_x { a = \"1\\\"\\\\\\n}\" , b=\"سلام\", } 1").value(),
      "{\"groupcast_x\":[{\"labels\":{\"a\":\"1\\\"\\\\\\n}\",\"b\":\"سلام\"},\"value\":1}]}");
}

TEST(MetricsTextTest, MetricsOfOthersAreLeftOut) {
  EXPECT_EQ(MetricsJson("process_open_fds 12\ngo_threads{x=\"y\"} 3\n").value(), "{}");
  EXPECT_EQ(MetricsJson("").value(), "{}");
}

TEST(MetricsTextTest, ALineThatIsNoSampleIsNamed) {
  for (const char* line :
       {"groupcast_x", "groupcast_x{", "groupcast_x{a} 1", "groupcast_x{a=1} 1",
        "groupcast_x{a=\"1} 1", "groupcast_x{a=\"\\x\"} 1", "groupcast_x{a=\"1\"b=\"2\"} 1",
        "groupcast_x 1 2 3", "groupcast_x one", "groupcast_x 1 1.5", "1x 2", "{} 1", "<html>"}) {
    const auto json = MetricsJson(absl::StrCat("groupcast_y 1\n", line, "\n"));
    ASSERT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_EQ(json.status().message(), "line 2 of the metrics is no sample") << line;
  }
  EXPECT_EQ(MetricsJson("groupcast_x{a=\"\xff\"} 1").status().message(),
            "the metrics are not UTF-8");
}

}  // namespace
}  // namespace groupcast::service
