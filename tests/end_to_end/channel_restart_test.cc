// The channel server has no data directory, dies and comes back, having forgotten everything: what
// is sent meanwhile waits, members are told, and then all goes on.

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

constexpr char kRoom[] = "\"room\"";

// How long a send waits for the channel, and some patience.
const absl::Duration kSendWait = absl::Seconds(30) + kPatience;

int HealthOf(uint16_t port) {
  RawClient client(port);
  client.Write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  client.ReadToEnd();
  return TakeResponse(&client.received())->status;
}

class ChannelRestartTest : public ::testing::Test {
 protected:
  ChannelRestartTest() {
    for (TestClient& member : v1_) epoch_ = member.Join("room").Text("epoch");
    for (TestClient& member : bare_) member.Join("room");
  }

  // Kills the channel server, and waits until every worker has noticed.
  void KillChannel() {
    groupcast_.channel.Kill();
    groupcast_.service.process().WaitForOutputTimes("the channel is away", 2);
  }

  Groupcast groupcast_{/*workers=*/2, {"--channel_timeout=1s"}};
  std::vector<TestClient> v1_ = ConnectCrowd(&groupcast_.service, 6, Mode::kV1);
  std::vector<TestClient> bare_ = [this] {
    std::vector<TestClient> clients;
    for (int i = 0; i < 4; ++i) clients.emplace_back(groupcast_.service.port());
    return clients;
  }();
  std::string epoch_;
};

TEST_F(ChannelRestartTest, MembersAreToldOfTheGapAndGetWhatWasSentMeanwhile) {
  // Acknowledged: what is not may come again in the new epoch.
  bare_[0].Send(SendToGroup("\"elsewhere\"", "\"before\"", "1"));
  EXPECT_EQ(bare_[0].NextEvent().name(), "reply");

  KillChannel();
  for (size_t i = 0; i < v1_.size(); ++i) {
    v1_[i].Send(SendToGroup(kRoom, absl::StrCat("\"meanwhile ", i, "\""), "7"));
    EXPECT_TRUE(v1_[i].IsQuiet());
  }
  groupcast_.channel.StartAgain();

  std::vector<std::string> order;
  std::string new_epoch;
  int64_t position = -1;
  for (TestClient& member : v1_) {
    std::vector<std::string> texts;
    std::string epoch;
    std::map<std::string, int64_t> offsets;
    int64_t last = -1;
    int64_t acknowledged = -1;
    while (texts.size() < v1_.size() || acknowledged < 0) {
      const Event event = member.NextEvent();
      if (event.name() == "reply") {
        // It may overtake everything else.
        EXPECT_EQ(acknowledged, -1);
        EXPECT_EQ(event.Number("id"), 7);
        acknowledged = event.Number("offset");
      } else if (event.name() == "gap") {
        EXPECT_TRUE(epoch.empty()) << "a second " << event.text();
        EXPECT_EQ(event.Text("group_id"), "room");
        EXPECT_TRUE(event.IsNull("from"));
        epoch = event.Text("epoch");
        last = event.Number("to");
      } else {
        EXPECT_FALSE(epoch.empty()) << "before the gap: " << event.text();
        EXPECT_EQ(event.Number("previous"), last);
        last = event.Number("offset");
        texts.push_back(event.Text("message"));
        offsets[texts.back()] = last;
      }
    }
    EXPECT_NE(epoch, epoch_);
    EXPECT_TRUE(order.empty() || (texts == order && epoch == new_epoch && last == position));
    const size_t own = static_cast<size_t>(&member - v1_.data());
    EXPECT_EQ(offsets[absl::StrCat("meanwhile ", own)], acknowledged);
    EXPECT_TRUE(member.IsQuiet());
    order = texts;
    new_epoch = epoch;
    position = last;
  }
  for (TestClient& member : bare_) {
    for (const std::string& text : order) EXPECT_EQ(member.NextText(), text);
    EXPECT_TRUE(member.IsQuiet());
  }

  bare_[0].Send(SendToGroup(kRoom, "\"after\""));
  for (TestClient& member : v1_) {
    const Event message = member.NextEvent();
    EXPECT_EQ(message.Text("message"), "after");
    EXPECT_EQ(message.Number("previous"), position);
  }
  for (TestClient& member : bare_) EXPECT_EQ(member.NextText(), "after");
  EXPECT_EQ(v1_[0].Join("another room").Text("epoch"), new_epoch);
  EXPECT_EQ(v1_[0].Join("room").Text("epoch"), new_epoch);

  // Who was not there learns by the epoch that history was lost.
  TestClient late(groupcast_.service.port(), Mode::kV1);
  const Event reply = late.JoinSince("room", epoch_, 0);
  EXPECT_FALSE(reply.Bool("recovered"));
  EXPECT_EQ(reply.Text("epoch"), new_epoch);
  EXPECT_TRUE(late.IsQuiet());
}

TEST_F(ChannelRestartTest, JoinsWhileItIsAwayAreUnavailableAndWorkAfterwards) {
  KillChannel();
  const absl::Time begin = absl::Now();
  // Commands after a join wait for it, and go on when it has failed.
  bare_[0].Send(AddGroup("\"cold\"", "1"));
  bare_[0].Send(AddGroup("\"cold too\""));
  bare_[0].Send(Ping("2"));
  int with_id = 0;
  for (int i = 0; i < 2; ++i) {
    const Event error = bare_[0].NextEvent();
    with_id += error.Has("id") ? 1 : 0;
    EXPECT_EQ(error.Text("cmd"), "add_group");
    EXPECT_EQ(error.Text("code"), "unavailable");
    EXPECT_TRUE(error.Bool("retry"));
  }
  EXPECT_EQ(with_id, 1);
  EXPECT_GE(absl::Now() - begin, absl::Seconds(1));
  EXPECT_EQ(bare_[0].NextEvent().Number("id"), 2);
  // In a group that its worker knows, one can still be.
  TestClient late(groupcast_.service.port());
  EXPECT_EQ(late.Join("room").Text("epoch"), epoch_);
  EXPECT_EQ(HealthOf(groupcast_.service.port()), 503);

  groupcast_.channel.StartAgain();
  groupcast_.service.process().WaitForOutputTimes("the channel is there", 4);
  EXPECT_EQ(HealthOf(groupcast_.service.port()), 200);
  bare_[0].Join("cold");
  bare_[0].Send(SendToGroup("\"cold\"", "\"warm\""));
  EXPECT_EQ(bare_[0].NextText(), "warm");
}

// A join that is waiting when the server comes back is answered by it.
TEST(ChannelAwayTest, AJoinThatWaitsIsAnsweredWhenItIsBack) {
  Groupcast groupcast(/*workers=*/2, {"--channel_timeout=1h"});
  TestClient client(groupcast.service.port(), Mode::kV1);
  groupcast.channel.Kill();
  client.Send(AddGroup(kRoom, "1"));
  client.Send(Ping("2"));
  groupcast.channel.StartAgain();
  const Event reply = client.NextEvent();
  EXPECT_EQ(reply.name(), "reply") << reply.text();
  EXPECT_EQ(reply.Number("id"), 1);
  EXPECT_EQ(client.NextEvent().Number("id"), 2);
}

// Sends on their way when the connection goes.
class SendsOnTheirWayTest : public ::testing::Test {
 protected:
  static constexpr int kSends = 2'000;

  void SendAndKill() {
    for (int i = 0; i < kSends; ++i) {
      client_.Send(SendToGroup("\"nobody is here\"", "\"x\"", absl::StrCat(i)));
      if (i == kSends / 2) groupcast_.channel.Kill();
    }
  }

  // How often each code was the answer, "" for a reply. Each send must be answered once.
  std::map<std::string, int> TakeAnswers(absl::Duration patience) {
    std::map<std::string, int> codes;
    std::vector<int> answers(kSends);
    for (int i = 0; i < kSends; ++i) {
      const Event answer = client_.NextEvent(patience);
      ++answers.at(static_cast<size_t>(answer.Number("id")));
      const bool error = answer.name() == "error";
      EXPECT_TRUE(!error || answer.Bool("retry")) << answer.text();
      ++codes[error ? answer.Text("code") : ""];
    }
    EXPECT_EQ(answers, std::vector<int>(kSends, 1));
    EXPECT_TRUE(client_.IsQuiet());
    return codes;
  }

  Groupcast groupcast_{/*workers=*/1};
  TestClient client_{groupcast_.service.port(), Mode::kV1};
};

TEST_F(SendsOnTheirWayTest, AreDoneWhenTheServerComesBackInTime) {
  SendAndKill();
  groupcast_.channel.StartAgain();
  EXPECT_EQ(TakeAnswers(kPatience), (std::map<std::string, int>{{"", kSends}}));
}

TEST_F(SendsOnTheirWayTest, AreRefusedWhenItDoesNotAndNoneIsTakenForDone) {
  SendAndKill();
  const absl::Time begin = absl::Now();
  std::map<std::string, int> codes = TakeAnswers(kSendWait);
  // Those after the kill were never handed over, but for what the worker sent before it noticed.
  EXPECT_GE(codes["unavailable"], 1);
  EXPECT_EQ(codes[""] + codes["unavailable"] + codes["outcome_unknown"], kSends);
  EXPECT_GE(absl::Now() - begin, absl::Seconds(25));
}

}  // namespace
}  // namespace groupcast::tests
