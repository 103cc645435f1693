#include "services/process/pool_counts.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr uint64_t kAddress = 0x7f000001;

std::unique_ptr<PoolCounts> Make(int tables, size_t capacity = 64) {
  absl::StatusOr<std::unique_ptr<PoolCounts>> made = PoolCounts::Create(tables, capacity);
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

TEST(PoolCountsTest, TheLimitIsForAllTablesTogether) {
  const auto tables = Make(3);
  EXPECT_TRUE(tables->AddBelow(2, kAddress, 0));
  EXPECT_TRUE(tables->AddBelow(2, kAddress, 1));
  EXPECT_FALSE(tables->AddBelow(2, kAddress, 2));
  EXPECT_FALSE(tables->AddBelow(2, kAddress, 0));
  EXPECT_EQ(tables->Count(kAddress), 2u) << "what was refused does not count";
  EXPECT_TRUE(tables->AddBelow(2, kAddress + 1, 2)) << "another address has a limit of its own";

  tables->Remove(kAddress, 0);
  EXPECT_EQ(tables->Count(kAddress), 1u);
  EXPECT_TRUE(tables->AddBelow(2, kAddress, 2));
}

TEST(PoolCountsTest, WhatADeadWorkerCountedGoesWithItsTable) {
  const auto tables = Make(2);
  ASSERT_TRUE(tables->AddBelow(9, kAddress, 1));
  const pid_t worker = fork();
  if (worker == 0) {
    for (int i = 0; i < 5; ++i) tables->AddBelow(9, kAddress, 0);
    _exit(0);
  }
  ASSERT_EQ(waitpid(worker, nullptr, 0), worker);
  EXPECT_EQ(tables->Count(kAddress), 6u) << "the memory is shared";
  tables->Clear(0);
  EXPECT_EQ(tables->Count(kAddress), 1u);
  EXPECT_TRUE(tables->AddBelow(2, kAddress, 0)) << "the successor begins anew";
}

// Against a map, with addresses that share places and rows that wrap around.
TEST(PoolCountsTest, AgreesWithAMapWhateverComesAndGoes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto tables = Make(1, 64);
  std::map<uint64_t, uint64_t> model;
  for (int step = 0; step < 50'000; ++step) {
    const uint64_t address = 1 + random() % 60;
    if (random() % 2 == 0) {
      const bool fits = model[address] < 3;
      ASSERT_EQ(tables->AddBelow(3, address, 0), fits) << step;
      model[address] += fits ? 1 : 0;
    } else if (model[address] > 0) {
      tables->Remove(address, 0);
      --model[address];
    }
    const uint64_t other = 1 + random() % 60;
    ASSERT_EQ(tables->Count(other), model[other]) << step;
  }
  for (uint64_t address = 1; address <= 60; ++address) {
    ASSERT_EQ(tables->Count(address), model[address]);
  }
}

// While a neighbour in its row comes and goes, an address keeps its number for all readers.
TEST(PoolCountsTest, AReaderSeesNoTableInTheMiddleOfAChange) {
  const auto tables = Make(1, 8);
  for (uint64_t address = 1; address <= 3; ++address) tables->AddBelow(9, address, 0);
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      for (uint64_t address = 1; address <= 3; ++address) {
        ASSERT_EQ(tables->Count(address), 1u);
      }
    }
  });
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t address = 4 + static_cast<uint64_t>(i) % 3;
    tables->AddBelow(9, address, 0);
    tables->Remove(address, 0);
  }
  done = true;
  reader.join();
}

// Two workers count at the same time, again and again: never is one too many let in.
TEST(PoolCountsTest, TwoWorkersAtTheSameMomentDoNotExceedTheLimit) {
  const auto tables = Make(2, 8);
  // A barrier that spins: a thread that sleeps wakes too late to meet the other.
  std::atomic<int> arrivals = 0;
  const auto meet = [&arrivals](int meeting) {
    ++arrivals;
    for (int spins = 1; arrivals < 2 * meeting; ++spins) {
      if (spins % 10'000 == 0) std::this_thread::yield();
    }
  };
  std::array<std::atomic<bool>, 2> in = {};
  std::atomic<int> too_many = 0;
  std::vector<std::thread> workers;
  for (int table = 0; table < 2; ++table) {
    workers.emplace_back([&, table] {
      for (int i = 0; i < 20'000; ++i) {
        meet(3 * i + 1);
        in[table] = tables->AddBelow(1, kAddress, table);
        meet(3 * i + 2);
        if (in[0] && in[1]) ++too_many;
        meet(3 * i + 3);
        if (in[table]) tables->Remove(kAddress, table);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(too_many, 0);
  EXPECT_EQ(tables->Count(kAddress), 0u);
}

TEST(PoolCountsTest, HoldsAsManyKeysAsItSays) {
  const auto tables = Make(1, size_t{1} << 17);
  for (uint64_t address = 1; address <= PoolCounts::kKeysMax; ++address) {
    ASSERT_TRUE(tables->AddBelow(1, address << 20, 0));
  }
  for (uint64_t address = 1; address <= PoolCounts::kKeysMax; ++address) {
    ASSERT_FALSE(tables->AddBelow(1, address << 20, 0));
    tables->Remove(address << 20, 0);
  }
  EXPECT_TRUE(tables->AddBelow(1, uint64_t{1} << 20, 0));
}

}  // namespace
}  // namespace groupcast::service
