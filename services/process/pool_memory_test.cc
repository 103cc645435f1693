#include "services/process/pool_memory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PoolMemoryTest : public ::testing::Test {
 protected:
  const std::unique_ptr<PoolMemory> memory_ = *PoolMemory::Create(/*places=*/2, /*slots=*/8);
};

TEST_F(PoolMemoryTest, TheProcessesOfAPlaceFollowEachOther) {
  SharedSlot* const first = memory_->Reset(3, absl::Now());
  first->counters[0] = 5;
  EXPECT_THAT(memory_->Read().places[1].processes, IsEmpty()) << "before its process is there";
  memory_->Begin(3, /*place=*/1, /*pid=*/71);
  memory_->Reset(4, absl::Now())->counters[0] = 7;
  memory_->Begin(4, /*place=*/1, /*pid=*/72);

  PoolMemory::Contents contents = memory_->Read();
  EXPECT_THAT(contents.places[0].processes, IsEmpty());
  ASSERT_THAT(contents.places[1].processes, SizeIs(2));
  EXPECT_EQ(contents.places[1].processes[0].pid, 71);
  EXPECT_EQ(contents.places[1].processes[0].counters[0], 5u);
  EXPECT_EQ(contents.places[1].ended[0], 0u);

  memory_->End(3, /*cpu_seconds=*/1.5);
  memory_->CountRestart(1);
  contents = memory_->Read();
  ASSERT_THAT(contents.places[1].processes, SizeIs(1));
  EXPECT_EQ(contents.places[1].processes[0].pid, 72);
  EXPECT_EQ(contents.places[1].ended[0], 5u);
  EXPECT_DOUBLE_EQ(contents.places[1].ended_cpu_seconds, 1.5);
  EXPECT_EQ(contents.places[1].restarts, 1u);
  EXPECT_EQ(contents.places[0].restarts, 0u);

  memory_->End(4, /*cpu_seconds=*/1);
  contents = memory_->Read();
  EXPECT_EQ(contents.places[1].ended[0], 12u);
  EXPECT_DOUBLE_EQ(contents.places[1].ended_cpu_seconds, 2.5);
}

TEST_F(PoolMemoryTest, AFreshSlotHasNothingOfTheProcessBefore) {
  memory_->Reset(0, absl::Now())->counters[9] = 5;
  memory_->Begin(0, 0, 71);
  memory_->End(0, 0);
  memory_->Reset(0, absl::Now());
  memory_->Begin(0, 0, 72);
  const PoolMemory::Contents contents = memory_->Read();
  EXPECT_EQ(contents.places[0].processes.at(0).counters[9], 0u);
  EXPECT_EQ(contents.places[0].ended[9], 5u);
}

TEST_F(PoolMemoryTest, WhatWorkersWaitForIsCutAtItsBound) {
  EXPECT_EQ(memory_->Read().waits_for, "");
  const std::string longest(PoolMemory::kWaitsForMax, 'x');
  memory_->SetWaitsFor(longest + "y");
  EXPECT_EQ(memory_->Read().waits_for, longest);
  memory_->SetWaitsFor("short");
  EXPECT_EQ(memory_->Read().waits_for, "short");
}

// ThreadSanitizer judges, too.
TEST_F(PoolMemoryTest, AReaderNeverSeesHalfOfWhatWorkersWaitFor) {
  const std::vector<std::string> texts = {std::string(900, 'a'), std::string(500, 'b')};
  memory_->SetWaitsFor(texts[0]);
  std::atomic<bool> stop{false};
  std::thread supervisor([&] {
    for (size_t i = 1; !stop; ++i) {
      memory_->SetWaitsFor(texts[i % 2]);
      // A reader needs some time without a change.
      for (std::atomic<int> turn = 0; turn < 20'000; ++turn) {
      }
    }
  });
  for (int i = 0; i < 2'000; ++i) EXPECT_THAT(texts, Contains(memory_->Read().waits_for));
  stop = true;
  supervisor.join();
}

TEST_F(PoolMemoryTest, AChildSeesWhatTheParentWrites) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    const bool told = read(ends[0], &byte, 1) == 1;
    const PoolMemory::Contents contents = memory_->Read();
    _exit(told && contents.stopping && contents.places[0].restarts == 1 ? 0 : 1);
  }
  memory_->SetStopping();
  memory_->CountRestart(0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  close(ends[0]);
  close(ends[1]);
}

// Whatever moment a reader meets, each process counts once.
TEST_F(PoolMemoryTest, AReaderNeverSeesAProcessTwiceOrNotAtAll) {
  std::atomic<bool> stop{false};
  std::atomic<int> reads{0};
  // A change falls somewhere into a later read, and not into each repeat of this read.
  auto await_read = [&, delay = 0]() mutable {
    const int seen = reads;
    while (!stop && reads == seen) {
    }
    delay = (delay + 37) % 2'000;
    for (std::atomic<int> i = 0; i < delay; ++i) {
    }
  };
  std::thread supervisor([&] {
    for (int slot = 0; !stop; slot = (slot + 1) % 8) {
      memory_->Reset(slot, absl::Now())->counters[0] = 1;
      memory_->Begin(slot, /*place=*/0, /*pid=*/71);
      await_read();
      memory_->End(slot, 0);
      await_read();
    }
  });
  for (int i = 0; i < 60'000; ++i) {
    const PoolMemory::Contents contents = memory_->Read();
    ++reads;
    uint64_t sum = contents.places[0].ended[0];
    for (const PoolMemory::Process& process : contents.places[0].processes) {
      sum += process.counters[0];
    }
    // Each begin and each end adds 2 to the version.
    EXPECT_EQ(sum, (contents.version / 2 + 1) / 2);
  }
  stop = true;
  supervisor.join();
}

}  // namespace
}  // namespace groupcast::service
