#include "services/http_gateway/stream_progress.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/http_gateway/event_stream.h"

namespace groupcast::service {
namespace {

constexpr char kJoinedA[] = R"({"group_id":"a","epoch":"00000000000000aa","offset":1})";
constexpr char kJoinedB[] = R"({"group_id":"b","epoch":"00000000000000aa","offset":7})";

std::string Gap(absl::string_view group, uint64_t to) {
  const SharedBytes event = kGroupsStreamEncoding.EncodeGap(
      group, {.new_epoch = false, .from = 1, .to = {Epoch{0xaa}, to}});
  return std::string(event.bytes());
}

TEST(StreamProgressTest, EventsOfOneGroupHaveTheirIds) {
  StreamProgress progress({"a"});
  EXPECT_EQ(progress.encoding(), &kGroupStreamEncoding);
  EXPECT_EQ(progress.Begin({kJoinedA}), StreamEvent("joined", "00000000000000aa-1", kJoinedA));
  EXPECT_FALSE(progress.IdAfter("id: 00000000000000aa-2\ndata: {}\n\n"));
}

TEST(StreamProgressTest, TheIdsOfSeveralGroupsHaveThePositionsOfAll) {
  StreamProgress progress({"a", "b"});
  EXPECT_EQ(progress.encoding(), &kGroupsStreamEncoding);
  EXPECT_EQ(progress.Begin({kJoinedA, kJoinedB}),
            StreamEvent("joined", "", kJoinedA) +
                StreamEvent("joined", "00000000000000aa-1,7", kJoinedB));
  EXPECT_EQ(progress.IdAfter(Gap("b", 9)).bytes(), "id: 00000000000000aa-1,9\n\n");
  EXPECT_EQ(progress.IdAfter(Gap("a", 4)).bytes(), "id: 00000000000000aa-4,9\n\n");
  EXPECT_EQ(progress.IdAfter(Gap("c", 5)).bytes(), "id: 00000000000000aa-4,9\n\n");
}

TEST(StreamProgressTest, WhatComesEarlyWaitsWithinABound) {
  StreamProgress progress({"a", "b"});
  EXPECT_TRUE(progress.CountEarly(6, 10));
  progress.Keep(SharedBytes::Copy("first"));
  EXPECT_TRUE(progress.CountEarly(4, 10));
  progress.Keep(SharedBytes::Copy("next"));
  EXPECT_FALSE(progress.CountEarly(1, 10));
  const std::vector<SharedBytes> early = progress.TakeEarly();
  ASSERT_EQ(early.size(), 2);
  EXPECT_EQ(early[0].bytes(), "first");
  EXPECT_EQ(early[1].bytes(), "next");
  EXPECT_TRUE(progress.TakeEarly().empty());
}

}  // namespace
}  // namespace groupcast::service
