#include "services/connections/outbox_budget.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Consumer = OutboxBudget::Consumer;

// Consumers with outboxes that share nothing, and other memory.
class OutboxBudgetTest : public testing::Test {
 protected:
  void Add(const char* name, size_t bytes, bool takes_bytes) {
    consumers_.push_back(
        {.connection = const_cast<char*>(name), .outbox_bytes = bytes, .takes_bytes = takes_bytes});
    memory_ += static_cast<int64_t>(bytes);
  }

  // The names of the closed ones, in their order.
  std::string Relieve() {
    std::string closed;
    const size_t count = budget_.Relieve(
        std::exchange(consumers_, {}),
        [&](const Consumer& consumer) {
          closed += static_cast<const char*>(consumer.connection);
          memory_ -= static_cast<int64_t>(consumer.outbox_bytes);
        },
        [&] { return memory_; });
    EXPECT_EQ(count, closed.size());
    return closed;
  }

  OutboxBudget budget_{800};
  std::vector<Consumer> consumers_;
  int64_t memory_ = 0;
};

TEST_F(OutboxBudgetTest, TheBoundIsWithinIt) {
  EXPECT_FALSE(budget_.IsExceeded(800));
  EXPECT_TRUE(budget_.IsExceeded(801));
}

TEST_F(OutboxBudgetTest, ThoseThatTakeNothingGoFirstAndOfTheseTheLargest) {
  Add("a", 100, false);
  Add("b", 400, true);
  Add("c", 150, false);
  Add("d", 200, true);
  EXPECT_EQ(Relieve(), "c") << "700 is an eighth below the bound";
  Add("e", 101, true);
  Add("f", 50, false);
  Add("g", 60, false);
  Add("h", 300, true);
  EXPECT_EQ(Relieve(), "gfhe");
}

TEST_F(OutboxBudgetTest, ASharedFrameIsFreeWhenItsLastConsumerIsClosed) {
  int references = 3;
  std::vector<Consumer> consumers(3, {.outbox_bytes = 900, .takes_bytes = false});
  EXPECT_EQ(budget_.Relieve(
                consumers, [&](const Consumer&) { --references; },
                [&] { return references > 0 ? 900 : 0; }),
            3u);
}

TEST_F(OutboxBudgetTest, WithoutConsumersItDoesNotLookAgainAtOnce) {
  memory_ = 1'000;
  ASSERT_TRUE(budget_.IsExceeded(memory_));
  EXPECT_EQ(Relieve(), "");
  EXPECT_FALSE(budget_.IsExceeded(1'100));
  EXPECT_TRUE(budget_.IsExceeded(1'101));
  // Within the bound, the bound counts again.
  EXPECT_FALSE(budget_.IsExceeded(800));
  EXPECT_TRUE(budget_.IsExceeded(801));
}

}  // namespace
}  // namespace groupcast::service
