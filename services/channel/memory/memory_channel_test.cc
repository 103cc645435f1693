#include "services/channel/memory/memory_channel.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

class Recorder final : public ChannelListener {
 public:
  void OnSubscribed(absl::string_view group_id, const Position& head) override {
    log.push_back(absl::StrCat("subscribed ", group_id, " ", head.offset));
  }
  void OnMessage(const Message& message) override {
    log.push_back(absl::StrCat(message.group_id, " ", message.previous, "→", message.offset, " ",
                               message.content.data));
  }
  void OnGap(absl::string_view group_id, const Gap& gap) override {
    log.push_back(absl::StrCat("gap ", group_id, " ",
                               gap.new_epoch ? std::string("epoch") : absl::StrCat(gap.from), "→",
                               gap.to.offset));
  }
  void OnConnectionState(bool connected) override {
    log.push_back(connected ? "connected" : "away");
  }
  void OnRoom() override { log.push_back("room"); }
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
  void Publish(MemoryChannel* channel, absl::string_view group_id, absl::string_view text,
               Fingerprint key = {}) {
    channel->Publish({.group_id = group_id, .content = {.data = text}, .key = key},
                     [this](absl::StatusOr<Position> position) {
                       results_.push_back(position.ok() ? absl::StrCat(position->offset)
                                                        : std::string(position.status().message()));
                     });
  }
  // The answer's messages, "floor" and head.
  std::string Fetch(const Position& after, uint32_t newest) {
    answer_.clear();
    a_.FetchHistory("g", after, newest, [this](absl::StatusOr<History> history) {
      if (!history.ok()) {
        answer_ = std::string(history.status().message());
        return;
      }
      for (const History::Entry& entry : history->messages) {
        absl::StrAppend(&answer_, entry.previous, "→", entry.offset, " ");
      }
      absl::StrAppend(&answer_, "floor ", history->floor, " head ", history->head.offset);
    });
    hub_.Pump();
    return answer_;
  }

  MemoryHub hub_{Epoch{1}};
  Recorder a_log_;
  Recorder b_log_;
  MemoryChannel a_{&hub_, &a_log_};
  MemoryChannel b_{&hub_, &b_log_};
  std::vector<std::string> results_;
  std::string answer_;
};

TEST_F(MemoryChannelTest, AllSubscribersSeeOneOrderWithPredecessors) {
  a_.Subscribe("g");
  b_.Subscribe("g");
  Publish(&a_, "g", "x");
  Publish(&b_, "other", "-");
  Publish(&b_, "g", "y");
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"subscribed g 0", "g 0→1 x", "g 1→3 y"}));
  EXPECT_EQ(b_log_.log, a_log_.log);
  EXPECT_EQ(results_, Log({"1", "2", "3"}));
}

TEST_F(MemoryChannelTest, GroupsMayCountAlone) {
  hub_.CountGroupsAlone();
  a_.Subscribe("g");
  Publish(&a_, "g", "x");
  Publish(&b_, "other", "-");
  Publish(&b_, "g", "y");
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"subscribed g 0", "g 0→1 x", "g 1→2 y"}));
  EXPECT_EQ(results_, Log({"1", "1", "2"}));
}

TEST_F(MemoryChannelTest, DeliveryBeginsAtTheHeadOfTheSubscription) {
  Publish(&a_, "g", "before");
  a_.Subscribe("g");
  Publish(&a_, "g", "after");
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"subscribed g 1", "g 1→2 after"}));
}

TEST_F(MemoryChannelTest, WhatWasMissedWhileAwayComesAndWhatWaitedIsTaken) {
  a_.Subscribe("g");
  hub_.Pump();
  a_.SetConnected(false);
  Publish(&a_, "g", "waits");
  Publish(&b_, "g", "missed");
  hub_.Pump();
  EXPECT_EQ(results_, Log({"1"}));
  a_.SetConnected(true);
  hub_.Pump();
  EXPECT_EQ(a_log_.log,
            Log({"subscribed g 0", "away", "connected", "g 0→1 missed", "g 1→2 waits"}));
  EXPECT_EQ(results_, Log({"1", "2"}));
}

TEST_F(MemoryChannelTest, WhatIsLostIsTold) {
  a_.Subscribe("g");
  hub_.Pump();
  a_.SetConnected(false);
  for (const char* text : {"1", "2", "3"}) Publish(&b_, "g", text);
  hub_.RaiseFloor("g", 2);
  hub_.Pump();
  a_.SetConnected(true);
  hub_.Pump();
  hub_.BeginEpoch(Epoch{2});
  Publish(&b_, "g", "new");
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"subscribed g 0", "away", "connected", "gap g 0→2", "g 2→3 3",
                             "gap g epoch→0", "g 0→1 new"}));
}

TEST_F(MemoryChannelTest, AKeyCountsOnce) {
  a_.Subscribe("g");
  Publish(&a_, "g", "x", {1, 1});
  Publish(&b_, "g", "x", {1, 1});
  Publish(&b_, "g", "y", {1, 2});
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"subscribed g 0", "g 0→1 x", "g 1→2 y"}));
  EXPECT_EQ(results_, Log({"1", "1", "2"}));
}

TEST_F(MemoryChannelTest, RoomThatWasMissedIsToldWhenItIsBack) {
  a_.SetRoom(false);
  a_.SetRoom(true);
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log());
  a_.SetRoom(false);
  EXPECT_FALSE(a_.HasRoomFor({}));
  Publish(&a_, "g", "x");
  hub_.Pump();
  EXPECT_EQ(results_, Log({"no room"}));
  a_.SetRoom(true);
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"room"}));
}

TEST_F(MemoryChannelTest, HistoryIsTheFirstAfterAPositionOrTheNewest) {
  for (const char* text : {"1", "2", "3", "4"}) Publish(&a_, "g", text);
  const Epoch epoch{1};
  EXPECT_EQ(Fetch({epoch, 1}, 0), "1→2 2→3 3→4 floor 0 head 4");
  EXPECT_EQ(Fetch({epoch, 1}, 2), "2→3 3→4 floor 0 head 4");
  EXPECT_EQ(Fetch({Epoch{9}, 3}, 1), "3→4 floor 0 head 4");
  hub_.SetAnswerMax(1);
  EXPECT_EQ(Fetch({epoch, 1}, 0), "1→2 floor 0 head 4");
  EXPECT_EQ(Fetch({epoch, 1}, 2), "3→4 floor 0 head 4");
  hub_.RaiseFloor("g", 4);
  EXPECT_EQ(Fetch({epoch, 1}, 0), "floor 4 head 4");
  EXPECT_EQ(a_.fetches(), 6u);
}

TEST_F(MemoryChannelTest, AnswersCanBeHeldAndAreLostWithTheConnection) {
  a_.HoldAnswers(true);
  EXPECT_EQ(Fetch({}, 0), "");
  a_.SetConnected(false);
  hub_.Pump();
  EXPECT_EQ(answer_, "the connection was lost");
  EXPECT_EQ(Fetch({}, 0), "not connected");
  a_.SetConnected(true);
  EXPECT_EQ(Fetch({}, 0), "");
  a_.HoldAnswers(false);
  hub_.Pump();
  EXPECT_EQ(answer_, "floor 0 head 0");
}

TEST_F(MemoryChannelTest, AGapThatIsToldMovesDelivery) {
  a_.Subscribe("g");
  hub_.Pump();
  a_.HoldMessages(true);
  Publish(&a_, "g", "x");
  Publish(&a_, "g", "y");
  a_.TellGap("g", {.from = 0, .to = {Epoch{1}, 1}});
  hub_.Pump();
  a_.HoldMessages(false);
  hub_.Pump();
  EXPECT_EQ(a_log_.log, Log({"subscribed g 0", "gap g 0→1", "g 1→2 y"}));
}

}  // namespace
}  // namespace groupcast::service
