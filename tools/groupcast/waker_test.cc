#include "tools/groupcast/waker.h"

#include <unistd.h>

#include <csignal>
#include <thread>

#include "gtest/gtest.h"

namespace groupcast::cli {
namespace {

TEST(WakerTest, PokesOfAnotherThreadCountOnce) {
  Waker waker;
  std::thread([&waker] {
    waker.Poke();
    waker.Poke();
  }).join();
  EXPECT_EQ(waker.Wait(), Waker::Cause::kPoked);
  EXPECT_EQ(waker.Wait(absl::ZeroDuration()), Waker::Cause::kTimeout);
}

TEST(WakerTest, ASignalComesBeforeInput) {
  Waker waker;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(waker.Wait(absl::ZeroDuration(), ends[0]), Waker::Cause::kTimeout);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_EQ(waker.Wait(absl::InfiniteDuration(), ends[0]), Waker::Cause::kReadable);
  kill(getpid(), SIGINT);
  EXPECT_EQ(waker.Wait(absl::InfiniteDuration(), ends[0]), Waker::Cause::kSignal);
  close(ends[0]);
  close(ends[1]);
}

TEST(WakerTest, TheEndOfInputCanBeRead) {
  Waker waker;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[1]);
  EXPECT_EQ(waker.Wait(absl::InfiniteDuration(), ends[0]), Waker::Cause::kReadable);
  close(ends[0]);
}

TEST(WakerDeathTest, ASecondSignalEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        Waker waker;
        raise(SIGINT);
        if (waker.Wait() != Waker::Cause::kSignal) _exit(1);
        raise(SIGINT);
        _exit(2);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace groupcast::cli
