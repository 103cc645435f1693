// Many clients send as much as they can. One that sends little does not wait behind them.

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr int kFlooders = 20;
constexpr int kSendsOverTheShare = 10;

// A worker has at most 256 KiB of large sends on their way. Those wait with all others.
constexpr int kUnderWayMax = 4;

class ModestSenderTest : public ::testing::Test {
 protected:
  ModestSenderTest() {
    for (int i = 0; i < kFlooders; ++i) flooders_.push_back(NewClient());
  }
  // A process that is stopped could not end when it is asked.
  ~ModestSenderTest() override { Signal(SIGCONT); }

  std::unique_ptr<TestClient> NewClient() {
    return std::make_unique<TestClient>(groupcast_.service.port(), Mode::kV1);
  }
  void Signal(int signal) { kill(groupcast_.channel.process().pid(), signal); }

  static void SendLarge(TestClient* client) {
    client->Send(SendToGroup("\"g\"", Quoted(std::string(60'000, 'x')), "1"));
  }
  // Messages of all groups have offsets in the order of the channel.
  static int64_t OffsetOfReply(TestClient* client) {
    const Event reply = client->NextEvent();
    EXPECT_EQ(reply.name(), "reply") << reply.text();
    return reply.Number("offset");
  }
  // The worker has read what came before: each answer is of a later turn.
  void WaitForTurns() {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(witness_->IsQuiet());
  }

  Groupcast groupcast_{/*workers=*/1};
  std::vector<std::unique_ptr<TestClient>> flooders_;
  std::unique_ptr<TestClient> modest_ = NewClient();
  std::unique_ptr<TestClient> witness_ = NewClient();
};

TEST_F(ModestSenderTest, ALargeSendOvertakesThoseOfTheFlooders) {
  for (const std::unique_ptr<TestClient>& flooder : flooders_) {
    for (int i = 0; i < kSendsOverTheShare; ++i) SendLarge(flooder.get());
    for (int i = 0; i < kSendsOverTheShare; ++i) OffsetOfReply(flooder.get());
  }
  Signal(SIGSTOP);
  for (const std::unique_ptr<TestClient>& flooder : flooders_) SendLarge(flooder.get());
  WaitForTurns();
  SendLarge(modest_.get());
  WaitForTurns();
  Signal(SIGCONT);

  const int64_t modest = OffsetOfReply(modest_.get());
  int before = 0;
  for (const std::unique_ptr<TestClient>& flooder : flooders_) {
    if (OffsetOfReply(flooder.get()) < modest) ++before;
  }
  EXPECT_LE(before, kUnderWayMax);
}

}  // namespace
}  // namespace groupcast::tests
