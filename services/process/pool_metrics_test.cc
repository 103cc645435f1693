#include "services/process/pool_metrics.h"

#include <unistd.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Type = Metric::Type;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Two workers, and one that observes.
class PoolMetricsTest : public ::testing::Test {
 protected:
  PoolMetricsTest() {
    memory_->SetWaitsFor("the channel");
    view_.memory = memory_.get();
    view_.places = {{.number = 1, .columns = &columns_},
                    {.number = 2, .columns = &columns_},
                    {.number = 1, .columns = &none_, .observes = true}};
  }

  SharedSlot* Begin(int slot, int place, pid_t pid = getpid()) {
    SharedSlot* const shared = memory_->Reset(slot, now_);
    memory_->Begin(slot, place, pid);
    shared->state = SharedSlot::State::kReady;
    return shared;
  }
  std::string Text() const {
    Families families;
    AddPoolMetrics(view_, now_, &families);
    return families.Text();
  }
  std::string Why() const { return WhyNotReady(memory_->Read(), view_, now_); }

  const std::vector<CounterColumn> columns_ = {
      {.name = "table"},
      {.metric = {.name = "a_total", .help = "A.", .type = Type::kCounter}},
      {.metric = {.name = "b", .help = "B.", .type = Type::kGauge}},
      {.metric = {.name = "c_total",
                  .help = "C.",
                  .type = Type::kCounter,
                  .label = "code",
                  .value = "x"}},
      {.metric = {.name = "c_total",
                  .help = "C.",
                  .type = Type::kCounter,
                  .label = "code",
                  .value = "y"}},
      {.metric = {.name = "d_seconds", .help = "D.", .type = Type::kBucket, .bound = 0.5}},
      {.metric = {.name = "d_seconds", .help = "D.", .type = Type::kBucket, .bound = kInfinity}},
      {.metric = {.name = "d_seconds", .help = "D.", .type = Type::kSum, .scale = 1e-6}},
      {.metric = {.name = "e", .help = "E.", .type = Type::kGauge}},
  };
  const std::vector<CounterColumn> none_;
  const std::unique_ptr<PoolMemory> memory_ = *PoolMemory::Create(/*places=*/3, /*slots=*/12);
  PoolView view_;
  absl::Time now_ = absl::FromUnixSeconds(1'000);
};

TEST_F(PoolMetricsTest, CountersContinueOverTheProcessesOfAWorkerAndGaugesDoNot) {
  SharedSlot* const first = Begin(0, /*place=*/0);
  first->counters[1] = 10;
  first->counters[2] = 10;
  memory_->End(0, /*cpu_seconds=*/1'000);
  memory_->CountRestart(0);
  SharedSlot* const second = Begin(1, /*place=*/0);
  second->counters[1] = 3;
  second->counters[2] = 4;
  second->counters[3] = 5;
  second->counters[4] = 6;
  Begin(2, /*place=*/1)->counters[1] = 7;
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("# TYPE a_total counter\n"
                              "a_total{worker=\"1\"} 13\n"
                              "a_total{worker=\"2\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE b gauge\n"
                              "b{worker=\"1\"} 4\n"
                              "b{worker=\"2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("c_total{worker=\"1\",code=\"x\"} 5\n"
                              "c_total{worker=\"1\",code=\"y\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("groupcast_worker_restarts_total{worker=\"1\"} 1\n"
                              "groupcast_worker_restarts_total{worker=\"2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("groupcast_cpu_seconds_total{worker=\"1\"} 1000"));
  EXPECT_THAT(text, Not(HasSubstr("table")));
}

TEST_F(PoolMetricsTest, AHistogramIsItsColumnsAndItsEndedProcesses) {
  SharedSlot* const first = Begin(0, /*place=*/0);
  first->counters[5] = 1;
  first->counters[6] = 2;
  first->counters[7] = 1'500'000;
  memory_->End(0, 0);
  Begin(1, /*place=*/0)->counters[5] = 4;
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("# TYPE d_seconds histogram\n"
                              "d_seconds_count{worker=\"1\"} 7\n"
                              "d_seconds_sum{worker=\"1\"} 1.5\n"
                              "d_seconds_bucket{worker=\"1\",le=\"0.5\"} 5\n"
                              "d_seconds_bucket{worker=\"1\",le=\"+Inf\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("e{worker=\"1\"} 0\n")) << "the column after it";
}

TEST_F(PoolMetricsTest, CountsTheWorkersThatServeByState) {
  Begin(0, 0);
  Begin(1, 0)->state = SharedSlot::State::kDraining;
  Begin(2, 1)->state = SharedSlot::State::kStarting;
  Begin(3, 2);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("groupcast_workers{state=\"starting\"} 1\n"
                              "groupcast_workers{state=\"ready\"} 1\n"
                              "groupcast_workers{state=\"draining\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("groupcast_channel_connected{worker=\"1\"} 1\n"
                              "groupcast_channel_connected{worker=\"2\"} 0\n"));
}

TEST_F(PoolMetricsTest, AWorkerWhoseLoopDoesNotTurnIsStalled) {
  SharedSlot* const first = Begin(0, 0);
  SharedSlot* const second = Begin(1, 1);
  Begin(2, 1)->state = SharedSlot::State::kStarting;
  now_ += absl::Seconds(2);
  EXPECT_THAT(Text(), HasSubstr("groupcast_workers{state=\"stalled\"} 0\n"));
  EXPECT_EQ(Why(), "");
  now_ += absl::Milliseconds(1);
  EXPECT_THAT(Text(), HasSubstr("groupcast_workers{state=\"starting\"} 1\n"
                                "groupcast_workers{state=\"ready\"} 0\n"
                                "groupcast_workers{state=\"draining\"} 0\n"
                                "groupcast_workers{state=\"stalled\"} 2\n"));
  EXPECT_EQ(Why(), "The workers stand still.");
  second->heartbeat_ms = absl::ToUnixMillis(now_);
  EXPECT_THAT(Text(), HasSubstr("groupcast_workers{state=\"stalled\"} 1\n"));
  EXPECT_EQ(Why(), "") << "the other one serves";
  second->waits = true;
  EXPECT_EQ(Why(), "The workers do not reach the channel.");
  first->heartbeat_ms = absl::ToUnixMillis(now_);
  EXPECT_EQ(Why(), "");
}

TEST_F(PoolMetricsTest, AProcessThatIsGoneTakesNothing) {
  Begin(0, 0, /*pid=*/1 << 30);
  EXPECT_THAT(Text(), HasSubstr("groupcast_open_files{worker=\"1\"} 0\n"));
  Begin(1, 0);
  EXPECT_THAT(Text(), Not(HasSubstr("groupcast_open_files{worker=\"1\"} 0\n")));
}

TEST_F(PoolMetricsTest, IsReadyWhileOneWorkerReachesTheChannel) {
  EXPECT_EQ(Why(), "No worker is ready. They wait for the channel.");
  Begin(2, 2);
  EXPECT_EQ(Why(), "No worker is ready. They wait for the channel.") << "of those that serve";
  SharedSlot* const first = Begin(0, 0);
  first->state = SharedSlot::State::kStarting;
  EXPECT_EQ(Why(), "No worker is ready. They wait for the channel.");
  first->state = SharedSlot::State::kReady;
  EXPECT_EQ(Why(), "");
  first->waits = true;
  EXPECT_EQ(Why(), "The workers do not reach the channel.");
  memory_->SetWaitsFor("another channel");
  EXPECT_EQ(Why(), "The workers do not reach another channel.");
  Begin(1, 1);
  EXPECT_EQ(Why(), "");
  memory_->SetStopping();
  EXPECT_EQ(Why(), "The service stops.");
}

}  // namespace
}  // namespace groupcast::service
