#include "groupcast/status.h"

#include <gtest/gtest.h>

#include "groupcast/types.h"

namespace groupcast {
namespace {

TEST(StatusTest, EveryWordHasItsCodeAndIsKept) {
  const struct {
    const char* word;
    bool retry;
    absl::StatusCode code;
  } cases[] = {
      {"bad_json", false, absl::StatusCode::kInvalidArgument},
      {"unknown_command", false, absl::StatusCode::kUnimplemented},
      {"group_id_invalid", false, absl::StatusCode::kInvalidArgument},
      {"message_missing", false, absl::StatusCode::kInvalidArgument},
      {"message_too_large", false, absl::StatusCode::kInvalidArgument},
      {"too_many_groups", false, absl::StatusCode::kResourceExhausted},
      {"too_many_members", false, absl::StatusCode::kResourceExhausted},
      {"too_many_connections", true, absl::StatusCode::kResourceExhausted},
      {"unavailable", true, absl::StatusCode::kUnavailable},
      {"outcome_unknown", true, absl::StatusCode::kUnknown},
      {"internal", true, absl::StatusCode::kInternal},
      {"word_of_a_newer_server", true, absl::StatusCode::kUnavailable},
      {"word_of_a_newer_server", false, absl::StatusCode::kFailedPrecondition},
  };
  for (const auto& c : cases) {
    const absl::Status status = ToStatus({c.word, "a sentence", c.retry});
    EXPECT_EQ(status.code(), c.code) << c.word;
    EXPECT_EQ(ErrorWord(status), c.word);
    EXPECT_EQ(IsTransient(status), c.retry) << c.word;
    EXPECT_EQ(status.message(), std::string(c.word) + ": a sentence");
  }
}

// To send it again would be another send, which may be delivered besides the first.
TEST(StatusTest, AnUnknownOutcomeIsNotToBeTriedAgain) {
  EXPECT_EQ(OutcomeUnknown().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(ErrorWord(OutcomeUnknown()), "outcome_unknown");
  EXPECT_FALSE(IsTransient(OutcomeUnknown()));
}

TEST(StatusTest, OnlyWordsThatSayNotDoneLeaveNoDoubt) {
  EXPECT_TRUE(SaysNotDone({"unavailable", "", true}));
  EXPECT_TRUE(SaysNotDone({"rate_limited", "", true}));
  for (const char* word : {"outcome_unknown", "internal", "word_of_a_newer_server"}) {
    EXPECT_FALSE(SaysNotDone({word, "", true})) << word;
  }
}

TEST(StatusTest, TheClientsOwnErrorsHaveWordsToo) {
  EXPECT_EQ(ErrorWord(QueueFull("why")), "queue_full");
  EXPECT_TRUE(IsTransient(QueueFull("why")));
  for (const absl::Status& status : {GroupLeft(), ClientClosed()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    EXPECT_FALSE(IsTransient(status));
  }
  EXPECT_EQ(ErrorWord(GroupLeft()), "left");
  EXPECT_EQ(ErrorWord(ClientClosed()), "closed");
  EXPECT_EQ(ErrorWord(CloseStatus(4500, "")), "refused");
  EXPECT_EQ(ErrorWord(CloseStatus(4499, "")), "");
}

TEST(StatusTest, OtherErrorsHaveNoWord) {
  EXPECT_EQ(ErrorWord(absl::OkStatus()), "");
  EXPECT_EQ(ErrorWord(absl::UnavailableError("unavailable")), "");
  EXPECT_FALSE(IsTransient(absl::UnavailableError("unavailable")));
}

TEST(StatusTest, OnlyCodesFrom4500To4999ForbidToReconnect) {
  for (uint16_t code : {1000, 1001, 1002, 1006, 1009, 1011, 3000, 4000, 4001, 4499}) {
    EXPECT_TRUE(MayReconnect(code)) << code;
  }
  for (uint16_t code : {4500, 4503, 4999}) EXPECT_FALSE(MayReconnect(code)) << code;
}

TEST(StatusTest, CloseCodesOfDefectsAreInternal) {
  for (uint16_t code : {1002, 1003, 1007, 1009}) {
    EXPECT_EQ(CloseStatus(code, "").code(), absl::StatusCode::kInternal) << code;
  }
  for (uint16_t code : {1001, 4000, 4001, 4002}) {
    EXPECT_EQ(CloseStatus(code, "").code(), absl::StatusCode::kUnavailable) << code;
  }
  EXPECT_EQ(CloseStatus(4501, "").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CloseStatus(4502, "").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CloseStatus(4503, "").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CloseStatus(4999, "").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CloseStatus(4001, "slow consumer").message(),
            "the server closed the connection with 4001: slow consumer");
}

}  // namespace
}  // namespace groupcast
