#include "services/websocket_service/connection/read_gate.h"

#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(ReadGateTest, IsClosedWhileTheHeldBytesReachTheBound) {
  ReadGate gate(100);
  ReadNode node, unfinished;
  gate.CountHeld(99);
  EXPECT_TRUE(gate.Admit(&node, 0, false));
  EXPECT_TRUE(gate.Admit(&unfinished, 1'000, false));
  gate.CountHeld(1);
  EXPECT_FALSE(gate.Admit(&node, 0, false));
  EXPECT_FALSE(gate.Admit(&unfinished, 1'000, false));
  EXPECT_TRUE(node.waits_to_be_read());
  EXPECT_EQ(gate.TakeNext(), nullptr);
  gate.CountHeld(-1);
  EXPECT_EQ(gate.TakeNext(), &unfinished);
  EXPECT_EQ(gate.TakeNext(), &node);
  EXPECT_FALSE(node.waits_to_be_read());
  EXPECT_TRUE(gate.Admit(&node, 0, false));
}

TEST(ReadGateTest, IsFreeWhileItIsOpenAndNobodyWaits) {
  ReadGate gate(100);
  ReadNode node, unfinished;
  EXPECT_TRUE(gate.is_free());
  gate.CountHeld(100);
  EXPECT_FALSE(gate.is_free());
  EXPECT_FALSE(gate.Admit(&node, 0, false));
  gate.CountHeld(-100);
  EXPECT_FALSE(gate.is_free()) << "somebody waits";
  gate.Leave(&node);
  EXPECT_TRUE(gate.is_free());
  gate.CountHeld(100);
  EXPECT_FALSE(gate.Admit(&unfinished, 50, false));
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
  EXPECT_FALSE(gate.Admit(&node, 0, false));
  gate.CountSmallHeld(1'000);
  gate.CountHeld(-1);
  EXPECT_EQ(gate.TakeNext(), &node);
  EXPECT_TRUE(gate.is_free());
}

TEST(ReadGateTest, NodesGoOnInTheOrderInWhichTheyCame) {
  ReadGate gate(100);
  ReadNode first, second, third, newcomer;
  gate.CountHeld(100);
  for (ReadNode* node : {&first, &second, &third}) EXPECT_FALSE(gate.Admit(node, 0, false));
  gate.CountHeld(-100);
  EXPECT_FALSE(gate.Admit(&newcomer, 0, false)) << "it must not overtake";
  EXPECT_EQ(gate.TakeNext(), &first);
  // What it reads may close the gate again.
  gate.CountHeld(100);
  EXPECT_FALSE(gate.Admit(&first, 0, false));
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
  EXPECT_FALSE(gate.Admit(&other, 0, false));
  EXPECT_FALSE(gate.Admit(&first, 150, false));
  EXPECT_FALSE(gate.Admit(&second, 70, false));
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
  gate.Admit(&unfinished, 40, false);
  gate.Admit(&waiting, 70, false);
  gate.CountHeld(-60);
  EXPECT_EQ(gate.TakeNext(), &unfinished);
  EXPECT_FALSE(gate.Admit(&other, 0, false)) << "40 bytes are held and 70 wait";
  EXPECT_EQ(gate.TakeNext(), &waiting);
  EXPECT_EQ(gate.TakeNext(), &other);
}

TEST(ReadGateTest, ANodeThatLeavesDoesNotWait) {
  ReadGate gate(100);
  gate.CountHeld(100);
  ReadNode left, unfinished, last;
  gate.Admit(&left, 0, false);
  gate.Admit(&unfinished, 60, false);
  gate.Admit(&last, 0, false);
  for (int i = 0; i < 2; ++i) {
    gate.Leave(&left);
    gate.Leave(&unfinished);
  }
  EXPECT_EQ(gate.waiting_bytes(), 0u);
  gate.CountHeld(-100);
  EXPECT_EQ(gate.TakeNext(), &last);
  EXPECT_FALSE(gate.has_next());
}

TEST(ReadGateTest, ThoseBeyondTheirShareLetTheOthersGoFirst) {
  ReadGate gate(100);
  ReadNode greedy, modest, late;
  gate.CountHeld(100);
  for (const size_t unfinished_bytes : {0, 5}) {
    EXPECT_FALSE(gate.Admit(&greedy, unfinished_bytes, true));
    EXPECT_FALSE(gate.Admit(&modest, unfinished_bytes, false));
    gate.CountHeld(-50);
    EXPECT_FALSE(gate.Admit(&late, unfinished_bytes, true)) << "it overtakes nobody";
    EXPECT_EQ(gate.TakeNext(), &modest);
    EXPECT_TRUE(gate.Admit(&modest, unfinished_bytes, false));
    EXPECT_EQ(gate.TakeNext(), &greedy);
    EXPECT_EQ(gate.TakeNext(), &late);
    gate.CountHeld(50);
  }
}

TEST(ReadGateTest, MuchInputWaitsForItsTurnAlsoAtAnOpenGate) {
  ReadGate gate(100);
  ReadNode greedy, modest, other;
  EXPECT_FALSE(gate.has_turn());
  EXPECT_EQ(gate.TakeTurn(), nullptr);
  gate.WaitForTurn(&greedy, 0, true);
  gate.WaitForTurn(&modest, 0, false);
  EXPECT_TRUE(greedy.waits_to_be_read());
  EXPECT_TRUE(gate.has_turn());
  EXPECT_FALSE(gate.has_next());
  EXPECT_TRUE(gate.is_free()) << "the others need not ask";
  EXPECT_TRUE(gate.Admit(&other, 0, true));
  EXPECT_EQ(gate.TakeTurn(), &modest);
  EXPECT_EQ(gate.TakeTurn(), &greedy);
  EXPECT_FALSE(gate.has_turn());
}

TEST(ReadGateTest, UnfinishedMessagesCountWhileTheyWaitForTheirTurn) {
  ReadGate gate(100);
  ReadNode in_turn, other;
  gate.WaitForTurn(&in_turn, 100, false);
  EXPECT_EQ(gate.waiting_bytes(), 100u);
  EXPECT_FALSE(gate.is_free());
  EXPECT_FALSE(gate.Admit(&other, 0, false));
  EXPECT_EQ(gate.TakeTurn(), &in_turn);
  EXPECT_EQ(gate.waiting_bytes(), 0u);
  EXPECT_EQ(gate.TakeNext(), &other);
}

TEST(ReadGateTest, ANodeMayLeaveBeforeItsTurn) {
  ReadGate gate(100);
  ReadNode first, second;
  gate.WaitForTurn(&first, 0, true);
  gate.WaitForTurn(&second, 0, true);
  gate.Leave(&first);
  EXPECT_FALSE(first.waits_to_be_read());
  EXPECT_EQ(gate.TakeTurn(), &second);
}

// Each node waits for its turn with an unfinished message of `bytes`.
void FillTurns(ReadGate* gate, std::vector<ReadNode>* nodes, size_t bytes) {
  for (ReadNode& node : *nodes) gate->WaitForTurn(&node, bytes, false);
}

// A message that goes on grows before it ends. Without this, all that wait would grow at once.
TEST(ReadGateTest, AtTheBoundAFewMessagesGoOnUntilTheirEnds) {
  constexpr size_t kMax = ReadGate::kFinishersMax;
  ReadGate gate(100);
  std::vector<ReadNode> nodes(kMax + 10);
  FillTurns(&gate, &nodes, 200);
  size_t admitted = 0;
  for (ReadNode& node : nodes) {
    EXPECT_EQ(gate.TakeTurn(), &node);
    admitted += gate.Admit(&node, 200, false) ? 1 : 0;
  }
  EXPECT_EQ(admitted, kMax);
  // They wait for more from their peers, and get it: they go on before the others.
  gate.WaitForTurn(&nodes[0], 300, false);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  EXPECT_EQ(gate.TakeTurn(), &nodes[0]);
  EXPECT_TRUE(gate.Admit(&nodes[0], 300, false));
  gate.Leave(&nodes[0]);  // its connection has ended
  EXPECT_EQ(gate.TakeNext(), &nodes[kMax]);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  // The message of another has ended; a further one begins.
  EXPECT_FALSE(gate.Admit(&nodes[1], 0, false));
  EXPECT_EQ(gate.TakeNext(), &nodes[kMax + 1]);
  for (ReadNode& node : nodes) gate.Leave(&node);
}

// Otherwise connections with message after message could keep the right for ever.
TEST(ReadGateTest, TheNextMessageWaitsBehindTheOthers) {
  ReadGate gate(100);
  std::vector<ReadNode> nodes(ReadGate::kFinishersMax + 2);
  FillTurns(&gate, &nodes, 200);
  while (ReadNode* const node = gate.TakeTurn()) gate.Admit(node, 200, false);
  EXPECT_FALSE(gate.Admit(&nodes[0], 199, false));
  EXPECT_EQ(gate.TakeNext(), &nodes[ReadGate::kFinishersMax]);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  for (ReadNode& node : nodes) gate.Leave(&node);
}

TEST(ReadGateTest, AMessageWhosePeerIsSilentLetsAnotherGoOn) {
  ReadGate gate(100);
  std::vector<ReadNode> nodes(ReadGate::kFinishersMax + 2);
  FillTurns(&gate, &nodes, 200);
  while (ReadNode* const node = gate.TakeTurn()) gate.Admit(node, 200, false);
  gate.WaitForTurn(&nodes[0], 300, false);  // it has input, and waits for the worker
  for (int i = 1; i < ReadGate::kIdleLooksMax; ++i) gate.LookAtFinishers();
  EXPECT_EQ(gate.TakeNext(), nullptr);
  EXPECT_TRUE(gate.Admit(&nodes[1], 210, false));  // its peer has sent more
  gate.LookAtFinishers();
  EXPECT_EQ(gate.TakeNext(), &nodes[nodes.size() - 2]);
  EXPECT_EQ(gate.TakeNext(), &nodes[nodes.size() - 1]);
  EXPECT_EQ(gate.TakeTurn(), &nodes[0]);
  EXPECT_TRUE(gate.Admit(&nodes[0], 300, false));
  for (ReadNode& node : nodes) gate.Leave(&node);
}

// They wait for held commands as all others do, and hold nobody up meanwhile.
TEST(ReadGateTest, HeldCommandsStopThoseThatGoOnToo) {
  ReadGate gate(100);
  std::vector<ReadNode> nodes(ReadGate::kFinishersMax + 2);
  FillTurns(&gate, &nodes, 200);
  while (ReadNode* const node = gate.TakeTurn()) gate.Admit(node, 200, false);
  gate.CountHeld(100);
  for (size_t i = 0; i < ReadGate::kFinishersMax; ++i) {
    EXPECT_FALSE(gate.Admit(&nodes[i], 250, false));
  }
  EXPECT_EQ(gate.TakeNext(), nullptr);
  gate.CountHeld(-100);
  EXPECT_EQ(gate.TakeNext(), &nodes[ReadGate::kFinishersMax]) << "it came first";
  for (size_t i = 1; i < ReadGate::kFinishersMax; ++i) EXPECT_NE(gate.TakeNext(), nullptr);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  for (ReadNode& node : nodes) gate.Leave(&node);
}

// What had to be read to see that it is large has the bound of small messages.
TEST(ReadGateTest, EncryptedMessagesPassUntilTooManyWereLarge) {
  ReadGate gate(100);
  gate.CountHeld(100);
  ReadNode seen, large, larger;
  EXPECT_FALSE(gate.Admit(&seen, 60, false));
  EXPECT_TRUE(gate.MayPassUnseen()) << "what its sender has shown as large does not count";
  EXPECT_FALSE(gate.Admit(&large, 30, false, 20));
  EXPECT_EQ(gate.waiting_bytes(), 90u);
  EXPECT_TRUE(gate.MayPassUnseen());
  gate.CountSmallHeld(5);
  EXPECT_FALSE(gate.MayPassUnseen());
  EXPECT_TRUE(gate.MayPassSmall());
  gate.CountSmallHeld(-5);
  EXPECT_FALSE(gate.Admit(&larger, 10, false, 5));
  EXPECT_FALSE(gate.MayPassUnseen());
  gate.Leave(&large);
  EXPECT_TRUE(gate.MayPassUnseen());
  EXPECT_EQ(gate.waiting_bytes(), 70u);
}

}  // namespace
}  // namespace groupcast::service
