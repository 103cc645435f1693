#include "services/websocket_service/connection/handshake_gate.h"

#include <vector>

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr PeerAddress kA{1};
constexpr PeerAddress kB{2};
constexpr PeerAddress kC{3};
constexpr absl::Duration kTime = absl::Milliseconds(1);

TEST(HandshakeGateTest, HandshakesAboveTheBoundWaitInTheirOrder) {
  HandshakeGate gate(2, kTime);
  ReadNode a, b, c, d, e;
  EXPECT_TRUE(gate.Admit(&a, kA));
  EXPECT_TRUE(gate.Admit(&b, kB));
  EXPECT_FALSE(gate.Admit(&c, kC));
  EXPECT_FALSE(gate.Admit(&d, kC));
  EXPECT_TRUE(c.waits_to_be_read());
  EXPECT_TRUE(gate.is_crowded());
  EXPECT_EQ(gate.TakeNext(), nullptr) << "no place is free";

  gate.Release(kA);
  // Nobody overtakes those that wait.
  EXPECT_FALSE(gate.Admit(&e, kA));
  EXPECT_EQ(gate.TakeNext(), &c);
  EXPECT_FALSE(c.waits_to_be_read());
  EXPECT_EQ(gate.TakeNext(), nullptr) << "c has the place";
  gate.Release(kB);
  EXPECT_EQ(gate.TakeNext(), &e);
  gate.Release(kA);
  EXPECT_EQ(gate.TakeNext(), nullptr) << "C has its share";
  gate.Release(kC);
  EXPECT_EQ(gate.TakeNext(), &d);
  EXPECT_FALSE(gate.has_next());
  gate.Release(kC);
  EXPECT_EQ(gate.addresses(), 0u);
}

TEST(HandshakeGateTest, AnAddressTakesPlacesOnlyWhileItHasFewerThanAreFree) {
  HandshakeGate gate(8, kTime);
  std::vector<ReadNode> many(10);
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(gate.Admit(&many[i], kA));
  for (size_t i = 4; i < many.size(); ++i) EXPECT_FALSE(gate.Admit(&many[i], kA));
  EXPECT_FALSE(gate.has_next());
  EXPECT_EQ(gate.TakeNext(), nullptr);
  EXPECT_TRUE(gate.is_crowded());
  // Others do not wait for places.
  ReadNode b, c;
  EXPECT_FALSE(gate.Admit(&b, kB)) << "some wait";
  EXPECT_TRUE(gate.has_next());
  EXPECT_EQ(gate.TakeNext(), &b);
  EXPECT_FALSE(gate.Admit(&c, kC));
  EXPECT_EQ(gate.TakeNext(), &c);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  // Places of others count too.
  gate.Release(kB);
  gate.Release(kC);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  for (size_t i = 4; i < many.size(); ++i) {
    gate.Release(kA);
    EXPECT_EQ(gate.TakeNext(), &many[i]);
    EXPECT_EQ(gate.TakeNext(), nullptr);
  }
}

TEST(HandshakeGateTest, AddressesThatWaitTakeTurns) {
  HandshakeGate gate(8, kTime);
  gate.Spend(kTime);
  std::vector<ReadNode> many(4);
  for (ReadNode& node : many) EXPECT_FALSE(gate.Admit(&node, kA));
  ReadNode b, c;
  EXPECT_FALSE(gate.Admit(&b, kB));
  EXPECT_FALSE(gate.Admit(&c, kC));
  gate.BeginTurn();
  EXPECT_EQ(gate.TakeNext(), &many[0]);
  EXPECT_EQ(gate.TakeNext(), &b);
  EXPECT_EQ(gate.TakeNext(), &c);
  EXPECT_EQ(gate.TakeNext(), &many[1]);
  EXPECT_EQ(gate.TakeNext(), &many[2]);
  EXPECT_EQ(gate.TakeNext(), nullptr) << "A has its share";
  gate.Release(kA);
  EXPECT_EQ(gate.TakeNext(), &many[3]);
}

TEST(HandshakeGateTest, ATurnHasABoundedTime) {
  HandshakeGate gate(8, kTime);
  ReadNode a, b, c;
  EXPECT_TRUE(gate.Admit(&a, kA));
  gate.Spend(kTime / 2);
  EXPECT_TRUE(gate.GoOn(&a));
  gate.Spend(kTime / 2);
  EXPECT_FALSE(gate.GoOn(&a)) << "also those that are under way wait";
  EXPECT_FALSE(gate.Admit(&b, kB));
  EXPECT_FALSE(gate.is_crowded()) << "they wait for time";
  EXPECT_TRUE(gate.has_next());
  EXPECT_EQ(gate.TakeNext(), nullptr);
  gate.BeginTurn();
  EXPECT_FALSE(gate.Admit(&c, kC)) << "it came later";
  EXPECT_EQ(gate.TakeNext(), &a) << "its place becomes free first";
  EXPECT_EQ(gate.TakeNext(), &b);
  gate.Spend(2 * kTime);
  EXPECT_EQ(gate.TakeNext(), nullptr);
  gate.BeginTurn();
  EXPECT_EQ(gate.TakeNext(), &c);
  EXPECT_FALSE(gate.has_next());
}

TEST(HandshakeGateTest, AConnectionThatEndsLeavesTheGate) {
  HandshakeGate gate(1, kTime);
  ReadGate reads(1'000);
  ReadNode a, b, c;
  EXPECT_TRUE(gate.Admit(&a, kA));
  EXPECT_FALSE(gate.Admit(&b, kB));
  EXPECT_FALSE(gate.Admit(&c, kC));
  reads.Leave(&b);
  EXPECT_FALSE(b.waits_to_be_read());
  gate.Release(kA);
  EXPECT_EQ(gate.TakeNext(), &c);
  EXPECT_FALSE(gate.has_next());
  gate.Release(kC);
  EXPECT_EQ(gate.addresses(), 0u) << "an address without connections is forgotten";
}

}  // namespace
}  // namespace groupcast::service
