#include "tools/bench_load/nats_ack.h"

#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::bench {
namespace {

using ::testing::Eq;
using ::testing::Optional;

// What the server says here is what nats-server 2.9.10 has said.
TEST(NatsAckTest, AnAcknowledgementHasThePlace) {
  EXPECT_THAT(ReadNatsAck("MSG _INBOX.3 1 29\r\n{\"stream\":\"bench\", \"seq\":71043}\r\n"),
              Optional(Eq(71043u)));
}

TEST(NatsAckTest, AnErrorIsNone) {
  EXPECT_EQ(
      ReadNatsAck("MSG _INBOX.3 1 95\r\n{\"error\":{\"code\":503,\"description\":\"insufficient "
                  "resources\"},\"stream\":\"bench\",\"seq\":7}\r\n"),
      std::nullopt);
}

TEST(NatsAckTest, AnythingElseIsNone) {
  EXPECT_EQ(ReadNatsAck("MSG \"seq\":5 1 2\r\n{}\r\n"), std::nullopt) << "a subject";
  EXPECT_EQ(ReadNatsAck("MSG _INBOX.3 1 29\r\n{\"stream\":\"bench\",\"seq\":0}\r\n"), std::nullopt);
  EXPECT_EQ(ReadNatsAck("PONG\r\n{\"seq\":5}\r\n"), std::nullopt);
  EXPECT_EQ(ReadNatsAck("MSG _INBOX.3 1 29"), std::nullopt);
}

}  // namespace
}  // namespace groupcast::bench
