#include "services/http_gateway/event_stream.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{0xaa};
constexpr absl::string_view kEpochDigits = "00000000000000aa";

Message AMessage() {
  return {.group_id = "a b",
          .epoch = kEpoch,
          .offset = 7,
          .previous = 5,
          .content = {.kind = Content::Kind::kText, .data = "x\ny", .sent_at_ms = 3}};
}

constexpr absl::string_view kJson =
    R"({"event":"message","group_id":"a b","message":"x\ny","offset":7,"previous":5,"sent_at":3})";

TEST(EventIdTest, IsReadAsItWasWritten) {
  const std::vector<std::vector<Position>> all = {
      {{kEpoch, 12}},
      {{kEpoch, 12}, {kEpoch, 0}},
      {{kEpoch, 12}, {Epoch{1}, 7}, {Epoch{1}, (uint64_t{1} << 53) - 1}, {kEpoch, 1}}};
  for (const std::vector<Position>& positions : all) {
    EXPECT_EQ(ReadEventId(EventId(positions), positions.size()), positions) << EventId(positions);
  }
  EXPECT_EQ(EventId(all[1]), "00000000000000aa-12,0");
}

TEST(EventIdTest, RefusesOtherTexts) {
  for (const char* id :
       {"", ",", "12", "00000000000000aa", "00000000000000aa-", "00000000000000aa--1",
        "00000000000000aa-1,", "0000000000000aa-1", "00000000000000ag-1", "00000000000000aa-1x",
        "00000000000000aa-9007199254740992", "00000000000000aa-99999999999999999999999"}) {
    EXPECT_EQ(ReadEventId(id, 1), std::nullopt) << id;
  }
  EXPECT_EQ(ReadEventId("00000000000000aa-1,2", 1), std::nullopt);
  EXPECT_EQ(ReadEventId("00000000000000aa-1,2", 3), std::nullopt);
}

TEST(GroupStreamEncodingTest, AMessageIsAnEventWithItsPosition) {
  EXPECT_EQ(kGroupStreamEncoding.EncodeMessage(AMessage()).bytes(),
            absl::StrCat("id: ", kEpochDigits, "-7\ndata: ", kJson, "\n\n"));
  EXPECT_EQ(kGroupStreamEncoding.EncodeExcluded("a b", {kEpoch, 7}, 5).bytes(),
            absl::StrCat("id: ", kEpochDigits, "-7\ndata: ",
                         R"({"event":"message","group_id":"a b","offset":7,"previous":5,)",
                         R"("excluded":true})", "\n\n"));
}

TEST(GroupStreamEncodingTest, AGapMovesTheStream) {
  EXPECT_EQ(kGroupStreamEncoding.EncodeGap("g", {.new_epoch = false, .from = 3, .to = {kEpoch, 9}})
                .bytes(),
            absl::StrCat("event: gap\nid: ", kEpochDigits,
                         "-9\ndata: ", R"({"event":"gap","group_id":"g","epoch":")", kEpochDigits,
                         R"(","from":3,"to":9})", "\n\n"));
}

TEST(GroupsStreamEncodingTest, AnEventSaysWhatItMoves) {
  const SharedBytes event = kGroupsStreamEncoding.EncodeMessage(AMessage());
  EXPECT_EQ(event.bytes(), absl::StrCat(":", kEpochDigits, "-7 a b\ndata: ", kJson, "\n"));
  std::optional<StreamMove> move = ReadMove(event.bytes());
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->group_id, "a b");
  EXPECT_EQ(move->position, (Position{kEpoch, 7}));

  const SharedBytes gap =
      kGroupsStreamEncoding.EncodeGap("g", {.new_epoch = true, .to = {kEpoch, 9}});
  move = ReadMove(gap.bytes());
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->group_id, "g");
  EXPECT_EQ(move->position, (Position{kEpoch, 9}));

  const SharedBytes excluded = kGroupsStreamEncoding.EncodeExcluded("g", {kEpoch, 7}, 5);
  EXPECT_EQ(ReadMove(excluded.bytes())->position, (Position{kEpoch, 7}));
}

TEST(GroupsStreamEncodingTest, RepliesMoveNothing) {
  const SharedBytes reply = kGroupsStreamEncoding.EncodeEvent("{\"event\":\"reply\"", "}");
  EXPECT_EQ(reply.bytes(), "{\"event\":\"reply\"}");
  EXPECT_EQ(ReadMove(reply.bytes()), std::nullopt);
  EXPECT_EQ(ReadMove(":\n\n"), std::nullopt);
}

}  // namespace
}  // namespace groupcast::service
