#include "services/websocket_service/connection/handshake_gate.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(HandshakeGateTest, HandshakesAboveTheBoundWaitInTheirOrder) {
  HandshakeGate gate(2);
  ReadNode a, b, c, d, e;
  EXPECT_TRUE(gate.Admit(&a));
  EXPECT_TRUE(gate.Admit(&b));
  EXPECT_FALSE(gate.Admit(&c));
  EXPECT_FALSE(gate.Admit(&d));
  EXPECT_TRUE(c.waits_to_be_read());
  EXPECT_EQ(gate.TakeNext(), nullptr) << "no place is free";

  gate.Release();
  // Nobody overtakes those that wait.
  EXPECT_FALSE(gate.Admit(&e));
  EXPECT_EQ(gate.TakeNext(), &c);
  EXPECT_FALSE(c.waits_to_be_read());
  EXPECT_EQ(gate.TakeNext(), nullptr) << "c has the place";
  gate.Release();
  gate.Release();
  EXPECT_EQ(gate.TakeNext(), &d);
  EXPECT_EQ(gate.TakeNext(), &e);
  EXPECT_FALSE(gate.has_waiting());
  EXPECT_EQ(gate.TakeNext(), nullptr);
}

TEST(HandshakeGateTest, AConnectionThatEndsLeavesTheGate) {
  HandshakeGate gate(1);
  ReadGate reads(1'000);
  ReadNode a, b, c;
  EXPECT_TRUE(gate.Admit(&a));
  EXPECT_FALSE(gate.Admit(&b));
  EXPECT_FALSE(gate.Admit(&c));
  reads.Leave(&b);
  EXPECT_FALSE(b.waits_to_be_read());
  gate.Release();
  EXPECT_EQ(gate.TakeNext(), &c);
  EXPECT_FALSE(gate.has_waiting());
}

}  // namespace
}  // namespace groupcast::service
