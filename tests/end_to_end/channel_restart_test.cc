// The channel server dies and comes back, having forgotten everything: members are told, and then
// all goes on.

#include <memory>
#include <set>
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

  // Kills the channel server and waits until no worker takes sends any more; all that a sender is
  // told on the way.
  std::set<std::string> KillAndSend() {
    groupcast_.channel.Kill();
    std::set<std::string> codes;
    for (TestClient& member : v1_) {
      std::string code;
      WaitUntil("the worker notices", [&] {
        member.Send(SendToGroup(kRoom, "\"lost\"", "7"));
        const Event answer = member.NextEvent();
        EXPECT_EQ(answer.name(), "error") << answer.text();
        EXPECT_EQ(answer.Number("id"), 7);
        EXPECT_EQ(answer.Text("cmd"), "send_to_group");
        EXPECT_TRUE(answer.fields().at("retry").as_bool());
        code = answer.Text("code");
        codes.insert(code);
        return code == "unavailable";
      });
    }
    return codes;
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

TEST_F(ChannelRestartTest, MembersAreToldOfTheGapAndMessagesFlowAgain) {
  v1_[0].Send(SendToGroup(kRoom, "\"before\""));
  for (TestClient& member : v1_) EXPECT_EQ(member.NextEvent().Text("message"), "before");
  for (TestClient& member : bare_) EXPECT_EQ(member.NextText(), "before");

  std::set<std::string> codes = KillAndSend();
  codes.erase("outcome_unknown");  // only for one that was on its way
  EXPECT_EQ(codes, std::set<std::string>{"unavailable"});

  groupcast_.channel.StartAgain();
  std::string new_epoch;
  int64_t position = -1;
  for (TestClient& member : v1_) {
    const Event gap = member.NextEvent();
    EXPECT_EQ(gap.name(), "gap");
    EXPECT_EQ(gap.Text("group_id"), "room");
    EXPECT_NE(gap.Text("epoch"), epoch_);
    EXPECT_TRUE(gap.IsNull("from"));
    EXPECT_TRUE(new_epoch.empty() ||
                (gap.Text("epoch") == new_epoch && gap.Number("to") == position))
        << gap.text();
    new_epoch = gap.Text("epoch");
    position = gap.Number("to");
  }
  // Its own way to publish may come back later than the subscriptions.
  WaitUntil("sends are taken again", [&] {
    bare_[0].Send(SendToGroup("\"elsewhere\"", "1", "1"));
    return bare_[0].NextEvent().name() == "reply";
  });
  bare_[0].Send(SendToGroup(kRoom, "\"after\""));
  for (TestClient& member : v1_) {
    const Event message = member.NextEvent();
    EXPECT_EQ(message.Text("message"), "after");
    EXPECT_EQ(message.Number("previous"), position);
    EXPECT_TRUE(member.IsQuiet());
  }
  for (TestClient& member : bare_) {
    EXPECT_EQ(member.NextText(), "after");
    EXPECT_TRUE(member.IsQuiet());
  }
  EXPECT_EQ(v1_[0].Join("another room").Text("epoch"), new_epoch);
  EXPECT_EQ(v1_[0].Join("room").Text("epoch"), new_epoch);
}

TEST_F(ChannelRestartTest, JoinsWhileItIsAwayAreUnavailableAndWorkAfterwards) {
  KillAndSend();
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
    EXPECT_TRUE(error.fields().at("retry").as_bool());
  }
  EXPECT_EQ(with_id, 1);
  EXPECT_GE(absl::Now() - begin, absl::Seconds(1));
  EXPECT_EQ(bare_[0].NextEvent().Number("id"), 2);
  // In a group that its worker knows, one can still be.
  TestClient late(groupcast_.service.port());
  EXPECT_EQ(late.Join("room").Text("epoch"), epoch_);
  EXPECT_EQ(HealthOf(groupcast_.service.port()), 503);

  groupcast_.channel.StartAgain();
  WaitUntil("it is well again", [&] { return HealthOf(groupcast_.service.port()) == 200; });
  bare_[0].Join("cold");
  WaitUntil("sends are taken again", [&] {
    bare_[0].Send(SendToGroup("\"elsewhere\"", "1", "1"));
    return bare_[0].NextEvent().name() == "reply";
  });
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

// Sends on their way when the connection goes: each is answered once, and none is taken for done
// that is not.
TEST(ChannelAwayTest, EverySendIsAnsweredOnce) {
  constexpr int kSends = 2'000;
  Groupcast groupcast(/*workers=*/1);
  TestClient client(groupcast.service.port(), Mode::kV1);
  for (int i = 0; i < kSends; ++i) {
    client.Send(SendToGroup("\"nobody is here\"", "\"x\"", absl::StrCat(i)));
    if (i == kSends / 2) groupcast.channel.process().Signal(SIGKILL);
  }
  std::vector<int> answers(kSends);
  for (int i = 0; i < kSends; ++i) {
    const Event answer = client.NextEvent();
    ++answers.at(static_cast<size_t>(answer.Number("id")));
    if (answer.name() == "reply") continue;
    const std::string code = answer.Text("code");
    EXPECT_TRUE(code == "unavailable" || code == "outcome_unknown") << answer.text();
  }
  EXPECT_EQ(answers, std::vector<int>(kSends, 1));
  EXPECT_TRUE(client.IsQuiet());
}

}  // namespace
}  // namespace groupcast::tests
