#include "services/websocket_service/connection/read_gate.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(ReadGateTest, IsClosedWhileTheHeldBytesReachTheBound) {
  ReadGate gate(100);
  ReadNode node, unfinished;
  gate.CountHeld(99);
  EXPECT_TRUE(gate.Admit(&node, 0));
  EXPECT_TRUE(gate.Admit(&unfinished, 1'000));
  gate.CountHeld(1);
  EXPECT_FALSE(gate.Admit(&node, 0));
  EXPECT_FALSE(gate.Admit(&unfinished, 1'000));
  EXPECT_TRUE(node.waits_to_be_read());
  EXPECT_EQ(gate.TakeNext(), nullptr);
  gate.CountHeld(-1);
  EXPECT_EQ(gate.TakeNext(), &unfinished);
  EXPECT_EQ(gate.TakeNext(), &node);
  EXPECT_FALSE(node.waits_to_be_read());
  EXPECT_TRUE(gate.Admit(&node, 0));
}

TEST(ReadGateTest, IsFreeWhileItIsOpenAndNobodyWaits) {
  ReadGate gate(100);
  ReadNode node, unfinished;
  EXPECT_TRUE(gate.is_free());
  gate.CountHeld(100);
  EXPECT_FALSE(gate.is_free());
  EXPECT_FALSE(gate.Admit(&node, 0));
  gate.CountHeld(-100);
  EXPECT_FALSE(gate.is_free()) << "somebody waits";
  gate.Leave(&node);
  EXPECT_TRUE(gate.is_free());
  gate.CountHeld(100);
  EXPECT_FALSE(gate.Admit(&unfinished, 50));
  gate.CountHeld(-100);
  EXPECT_FALSE(gate.is_free());
  gate.Leave(&unfinished);
}

TEST(ReadGateTest, SmallMessagesPassItUpToABoundOfTheirOwn) {
  ReadGate gate(100);
  gate.CountHeld(1'000);
  gate.CountSmallHeld(24);
  EXPECT_TRUE(gate.MayPassSmall());
  gate.CountSmallHeld(1);
  EXPECT_FALSE(gate.MayPassSmall());
}

// Otherwise a stream of small messages that must wait could keep the gate closed for ever.
TEST(ReadGateTest, SmallMessagesDoNotKeepItClosed) {
  ReadGate gate(100);
  ReadNode node;
  gate.CountHeld(100);
  EXPECT_FALSE(gate.Admit(&node, 0));
  gate.CountSmallHeld(1'000);
  gate.CountHeld(-1);
  EXPECT_EQ(gate.TakeNext(), &node);
  EXPECT_TRUE(gate.is_free());
}

TEST(ReadGateTest, NodesGoOnInTheOrderInWhichTheyCame) {
  ReadGate gate(100);
  ReadNode first, second, third, newcomer;
  gate.CountHeld(100);
  for (ReadNode* node : {&first, &second, &third}) EXPECT_FALSE(gate.Admit(node, 0));
  gate.CountHeld(-100);
  EXPECT_FALSE(gate.Admit(&newcomer, 0)) << "it must not overtake";
  EXPECT_EQ(gate.TakeNext(), &first);
  // What it reads may close the gate again.
  gate.CountHeld(100);
  EXPECT_FALSE(gate.Admit(&first, 0));
  EXPECT_EQ(gate.TakeNext(), nullptr);
  gate.CountHeld(-100);
  for (ReadNode* node : {&second, &third, &newcomer, &first}) EXPECT_EQ(gate.TakeNext(), node);
  EXPECT_EQ(gate.TakeNext(), nullptr);
}

// Otherwise messages that wait for their end could keep the gate closed for ever.
TEST(ReadGateTest, UnfinishedMessagesGoFirstAndCountForTheOthers) {
  ReadGate gate(100);
  ReadNode other, first, second;
  gate.CountHeld(100);
  EXPECT_FALSE(gate.Admit(&other, 0));
  EXPECT_FALSE(gate.Admit(&first, 150));
  EXPECT_FALSE(gate.Admit(&second, 70));
  EXPECT_EQ(gate.waiting_bytes(), 220u);
  gate.CountHeld(-50);
  EXPECT_EQ(gate.TakeNext(), &first);
  EXPECT_EQ(gate.waiting_bytes(), 70u);
  gate.CountHeld(20);  // of the first
  EXPECT_EQ(gate.TakeNext(), &second);
  gate.CountHeld(30);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  gate.CountHeld(-1);
  EXPECT_EQ(gate.TakeNext(), &other);
}

TEST(ReadGateTest, OthersWaitWhileUnfinishedMessagesFillIt) {
  ReadGate gate(100);
  ReadNode other, unfinished, waiting;
  gate.CountHeld(100);
  gate.Admit(&unfinished, 40);
  gate.Admit(&waiting, 70);
  gate.CountHeld(-60);
  EXPECT_EQ(gate.TakeNext(), &unfinished);
  EXPECT_FALSE(gate.Admit(&other, 0)) << "40 bytes are held and 70 wait";
  EXPECT_EQ(gate.TakeNext(), &waiting);
  EXPECT_EQ(gate.TakeNext(), &other);
}

TEST(ReadGateTest, ANodeThatLeavesDoesNotWait) {
  ReadGate gate(100);
  gate.CountHeld(100);
  ReadNode left, unfinished, last;
  gate.Admit(&left, 0);
  gate.Admit(&unfinished, 60);
  gate.Admit(&last, 0);
  for (int i = 0; i < 2; ++i) {
    gate.Leave(&left);
    gate.Leave(&unfinished);
  }
  EXPECT_EQ(gate.waiting_bytes(), 0u);
  gate.CountHeld(-100);
  EXPECT_EQ(gate.TakeNext(), &last);
  EXPECT_FALSE(gate.has_next());
}

}  // namespace
}  // namespace groupcast::service
