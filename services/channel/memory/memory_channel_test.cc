#include "services/channel/memory/memory_channel.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class Recorder final : public ChannelListener {
 public:
  void OnHead(absl::string_view group_id, const Position& head) override {
    log.push_back(absl::StrCat("head ", group_id, " ", head.offset));
  }
  void OnMessage(const Message& message) override {
    log.push_back(absl::StrCat(message.group_id, " ", message.previous, "→", message.offset, " ",
                               message.content.data));
  }
  void OnConnectionState(bool connected) override {
    log.push_back(connected ? "connected" : "away");
  }
  void OnMisconfigured(const absl::Status&) override {}
  std::vector<std::string> log;
};

using Log = std::vector<std::string>;

class MemoryChannelTest : public testing::Test {
 protected:
  MemoryChannelTest() {
    a_.SetConnected(true);
    b_.SetConnected(true);
    hub_.Pump();
    a_log_.log.clear();
    b_log_.log.clear();
  }
  void Publish(MemoryChannel* channel, absl::string_view group_id, absl::string_view text) {
    channel->Publish(group_id, {.data = text}, [this](absl::StatusOr<Position> position) {
      results_.push_back(position.ok() ? absl::StrCat(position->offset)
                                       : std::string(position.status().message()));
    });
  }

  MemoryHub hub_{Epoch{1}};
  Recorder a_log_;
  Recorder b_log_;
  MemoryChannel a_{&hub_, &a_log_};
  MemoryChannel b_{&hub_, &b_log_};
  std::vector<std::string> results_;
};

TEST_F(MemoryChannelTest, AllSubscribersSeeOneOrderWithPredecessors) {
  a_.Subscribe("g");
  b_.Subscribe("g");
  Publish(&a_, "g", "x");
  Publish(&b_, "other", "-");
  Publish(&b_, "g", "y");
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"head g 0", "g 0→1 x", "g 1→3 y"}));
  EXPECT_EQ(b_log_.log, a_log_.log);
  EXPECT_EQ(results_, Log({"1", "2", "3"}));
}

TEST_F(MemoryChannelTest, TheAnnouncedHeadIsWhereDeliveryBegins) {
  Publish(&a_, "g", "before");
  a_.Subscribe("g");
  Publish(&a_, "g", "after");
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"head g 1", "g 1→2 after"}));
}

TEST_F(MemoryChannelTest, ConnectionLossHidesMessagesAndTheReturnAnnouncesAgain) {
  a_.Subscribe("g");
  hub_.Pump();
  a_.SetConnected(false);
  Publish(&a_, "g", "refused");
  Publish(&b_, "g", "missed");
  hub_.Pump();
  a_.SetConnected(true);
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"head g 0", "away", "connected", "head g 1"}));
  EXPECT_EQ(results_, Log({"not connected", "1"}));
}

TEST_F(MemoryChannelTest, HistoryIsWhatCameAfterAnOffset) {
  for (const char* text : {"1", "2", "3"}) Publish(&a_, "g", text);
  History history;
  a_.FetchHistory("g", 1, 0, [&](absl::StatusOr<History> result) { history = *result; });
  hub_.Pump();
  ASSERT_EQ(history.messages.size(), 2u);
  EXPECT_EQ(history.messages[0].data, "2");
  EXPECT_EQ(history.messages[0].previous, 1u);
  EXPECT_EQ(history.head.offset, 3u);
  EXPECT_EQ(history.floor, 0u);
  a_.FetchHistory("g", 0, 1, [&](absl::StatusOr<History> result) { history = *result; });
  hub_.Pump();
  ASSERT_EQ(history.messages.size(), 1u);
  EXPECT_EQ(history.messages[0].data, "3");
  EXPECT_EQ(history.floor, 2u);
}

}  // namespace
}  // namespace groupcast::service
