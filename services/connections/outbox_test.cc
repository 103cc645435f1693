#include "services/connections/outbox.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

SharedBytes Raw(const std::string& text) { return SharedBytes::Copy(text); }

// What a gathered write of everything would send.
std::string Waiting(const Outbox& outbox) {
  std::vector<iovec> vectors(outbox.frames());
  const int used = outbox.Gather(absl::MakeSpan(vectors));
  std::string text;
  for (int i = 0; i < used; ++i) {
    text.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return text;
}

TEST(OutboxTest, KeepsTheOrderThroughPartialWritesOfEverySize) {
  for (size_t step = 1; step <= 7; ++step) {
    Outbox outbox;
    std::string sent;
    std::string expected;
    for (int i = 0; i < 40; ++i) {
      const std::string text = "frame " + std::to_string(i) + ";";
      expected += text;
      ASSERT_TRUE(outbox.Push(Raw(text), 1 << 20).ok());
      const std::string waiting = Waiting(outbox);
      const size_t written = std::min(step, waiting.size());
      sent += waiting.substr(0, written);
      outbox.Consume(written);
    }
    sent += Waiting(outbox);
    outbox.Consume(outbox.bytes());
    EXPECT_EQ(sent, expected) << "step " << step;
    EXPECT_TRUE(outbox.empty());
    EXPECT_EQ(outbox.bytes(), 0u);
  }
}

TEST(OutboxTest, RefusesWhatIsOverItsBoundAndKeepsWhatItHas) {
  Outbox outbox;
  ASSERT_TRUE(outbox.Push(Raw("12345"), 138).ok());
  ASSERT_TRUE(outbox.Push(Raw("67890"), 138).ok());
  EXPECT_EQ(outbox.Push(Raw("x"), 138).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Waiting(outbox), "1234567890");
  outbox.Consume(5);
  EXPECT_TRUE(outbox.Push(Raw("x"), 138).ok());
}

// Each costs memory, however small it is.
TEST(OutboxTest, CountsWhatAFrameCostsBesidesItsBytes) {
  Outbox outbox;
  int taken = 0;
  while (outbox.Push(Raw(""), 6'400).ok()) ++taken;
  EXPECT_EQ(taken, 100);
}

// Otherwise a limit below the size of a message would make every member a slow consumer.
TEST(OutboxTest, TakesOneFrameOverItsBoundWhenItIsEmpty) {
  Outbox outbox;
  EXPECT_TRUE(outbox.Push(Raw("123456"), 3).ok());
  EXPECT_FALSE(outbox.Push(Raw("7"), 3).ok());
}

TEST(OutboxTest, GathersNoMoreThanItIsAskedFor) {
  Outbox outbox;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(outbox.Push(Raw("x"), 1'000).ok());
  std::vector<iovec> vectors(3);
  EXPECT_EQ(outbox.Gather(absl::MakeSpan(vectors)), 3);
}

// The peer has the beginning of that frame: what came instead of its rest would be read as part of
// it.
TEST(OutboxTest, DropUnsentFinishesTheFrameThatWasBegun) {
  Outbox outbox;
  ASSERT_TRUE(outbox.Push(Raw("begun"), 1'000).ok());
  ASSERT_TRUE(outbox.Push(Raw("waiting"), 1'000).ok());
  outbox.Consume(2);
  outbox.DropUnsent();
  outbox.PushLast(Raw("|close"));
  EXPECT_EQ(Waiting(outbox), "gun|close");
  EXPECT_EQ(outbox.bytes(), 9u);
}

TEST(OutboxTest, DropUnsentDropsAFrameThatWasNotBegun) {
  Outbox outbox;
  ASSERT_TRUE(outbox.Push(Raw("waiting"), 1'000).ok());
  outbox.DropUnsent();
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.bytes(), 0u);
}

TEST(OutboxTest, PushLastHasNoBound) {
  Outbox outbox;
  ASSERT_TRUE(outbox.Push(Raw("123"), 3).ok());
  outbox.PushLast(Raw("close"));
  EXPECT_EQ(Waiting(outbox), "123close");
}

// What can wait takes half of it at most, and comes back when there is worthwhile room, so that it
// never makes a connection a slow consumer.
TEST(OutboxTest, KeepsHalfForWhatCannotWait) {
  Outbox outbox;
  constexpr size_t kMax = 1'000;
  EXPECT_TRUE(outbox.HasRoomFor(5'000, kMax));
  EXPECT_TRUE(outbox.IsDrained(kMax));
  ASSERT_TRUE(outbox.Push(SharedBytes::Copy(std::string(200, 'x')), kMax).ok());  // costs 264
  EXPECT_FALSE(outbox.IsDrained(kMax));
  EXPECT_TRUE(outbox.HasRoomFor(172, kMax));  // 264 + 172 + 64 = 500
  EXPECT_FALSE(outbox.HasRoomFor(173, kMax));
  EXPECT_TRUE(outbox.Push(SharedBytes::Copy(std::string(500, 'x')), kMax).ok());
  outbox.Consume(200 + 314);  // 186 + 64 = 250 are left
  EXPECT_TRUE(outbox.IsDrained(kMax));
}

}  // namespace
}  // namespace groupcast::service
