#include "tools/groupcast/service_rates.h"

#include "gtest/gtest.h"

namespace groupcast::cli {
namespace {

ServiceRow Service(double sent, double connections, double fast, double slow) {
  ServiceRow row;
  row.metrics["sent_total"] = {{{{"worker", "0"}}, sent}};
  row.metrics["connections"] = {{{}, connections}};
  row.metrics["latency_seconds_bucket"] = {
      {{{"le", "0.001"}}, fast}, {{{"le", "0.1"}}, fast + slow}, {{{"le", "+Inf"}}, fast + slow}};
  return row;
}

TEST(ServiceRatesTest, OneReadingHasNoRates) {
  ServiceRates rates;
  rates.Add(absl::Seconds(1), {Service(10, 3, 1, 0)});
  EXPECT_EQ(rates.PerSecond("sent_total"), std::nullopt);
  EXPECT_EQ(rates.Quantile("latency_seconds", 0.5), std::nullopt);
  EXPECT_EQ(rates.Sum("connections"), 3);
  EXPECT_EQ(rates.Sum("other"), std::nullopt);
}

TEST(ServiceRatesTest, RatesAreThoseOfAllServicesBetweenTheLastTwoReadings) {
  ServiceRates rates;
  rates.Add(absl::Seconds(1), {Service(0, 1, 100, 100)});
  rates.Add(absl::Seconds(2), {Service(10, 1, 100, 100), Service(0, 2, 0, 0)});
  rates.Add(absl::Seconds(4), {Service(20, 1, 190, 110), Service(10, 2, 0, 0)});
  EXPECT_EQ(rates.PerSecond("sent_total"), 10);
  EXPECT_EQ(rates.Sum("connections"), 3);
  EXPECT_EQ(rates.Quantile("latency_seconds", 0.9), absl::Milliseconds(1));
  EXPECT_EQ(rates.Quantile("latency_seconds", 0.91), absl::Milliseconds(100));
}

TEST(ServiceRatesTest, AServiceThatBeganAnewOrWentHasNoRate) {
  ServiceRates rates;
  rates.Add(absl::Seconds(1), {Service(10, 1, 5, 5), Service(10, 1, 0, 0)});
  rates.Add(absl::Seconds(2), {Service(1, 1, 0, 0), Service(12, 1, 0, 0)});
  EXPECT_EQ(rates.PerSecond("sent_total"), std::nullopt);
  EXPECT_EQ(rates.Quantile("latency_seconds", 0.5), std::nullopt);
  ServiceRow away;
  rates.Add(absl::Seconds(3), {Service(30, 1, 0, 0), away});
  EXPECT_EQ(rates.PerSecond("sent_total"), std::nullopt);
}

TEST(ServiceRatesTest, RecordsAboveTheLastBoundAreInfinite) {
  ServiceRates rates;
  ServiceRow row;
  row.metrics["l_bucket"] = {{{{"le", "1"}}, 0}};
  rates.Add(absl::Seconds(1), {row});
  row.metrics["l_bucket"] = {{{{"le", "1"}}, 0}, {{{"le", "+Inf"}}, 1}};
  rates.Add(absl::Seconds(2), {row});
  EXPECT_EQ(rates.Quantile("l", 0.5), absl::InfiniteDuration());
}

}  // namespace
}  // namespace groupcast::cli
