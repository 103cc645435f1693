#include "services/channel_server/broker/turn_record.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using Words = std::vector<std::string>;

class FakeVisitor final : public TurnVisitor {
 public:
  void OnTime(int64_t time_ms) override { words.push_back(absl::StrCat("at ", time_ms)); }
  void OnMessage(const LiveFrame& frame, absl::string_view bytes) override {
    words.push_back(absl::StrCat("message ", frame.group_id, " ", frame.header.offset, " of ",
                                 bytes.size(), " bytes"));
  }
  void OnResult(PublisherId publisher, uint64_t number, uint64_t offset, uint8_t reason) override {
    words.push_back(absl::StrCat("result ", static_cast<uint64_t>(publisher), " ", number, " ",
                                 offset, " ", static_cast<int>(reason)));
  }
  void OnKnown(absl::string_view group_id, uint64_t floor) override {
    words.push_back(absl::StrCat("known ", group_id, " ", floor));
  }
  void OnForgotten(absl::string_view group_id, uint64_t head) override {
    words.push_back(absl::StrCat("forgotten ", group_id, " ", head));
  }
  void OnEpoch(Epoch epoch) override {
    words.push_back(absl::StrCat("epoch ", static_cast<uint64_t>(epoch)));
  }
  Words words;
};

// A turn with one item of each kind.
TurnWriter Whole() {
  TurnWriter writer;
  writer.Begin(3, 1000);
  writer.AddEpoch(Epoch{8});
  writer.AddKnown("x", 4);
  writer.AddForgotten("y", 3);
  writer.AddMessage(LiveFramePrefix("x", {.kind = LiveKind::kMessage, .offset = 5}) + "body");
  writer.AddResult(PublisherId{9}, 2, 0, 4);
  return writer;
}

std::string WholeRecord() { return Whole().record().substr(3); }

TEST(TurnRecordTest, ReadsWhatItWritesInItsOrder) {
  FakeVisitor visitor;
  EXPECT_TRUE(ReadTurn(WholeRecord(), &visitor).ok());
  EXPECT_EQ(visitor.words, Words({"at 1000", "epoch 8", "known x 4", "forgotten y 3",
                                  "message x 5 of 50 bytes", "result 9 2 0 4"}));
}

// A later version reads the logs of this one.
TEST(TurnRecordTest, HasItsGoldenBytes) {
  TurnWriter writer;
  writer.Begin(0, 1000);
  writer.AddEpoch(Epoch{8});
  writer.AddKnown("x", 4);
  writer.AddForgotten("y", 3);
  writer.AddResult(PublisherId{9}, 2, 3, 1);
  EXPECT_EQ(absl::BytesToHexString(writer.record()),
            "e803000000000000"
            "050800000000000000"
            "0304000000000000000178"
            "0403000000000000000179"
            "02090000000000000002000000000000000300000000000000"
            "01");
  const std::string frame = LiveFramePrefix("x", {.kind = LiveKind::kMessage});
  writer.Begin(0, 0);
  writer.AddMessage(frame);
  EXPECT_EQ(writer.record().substr(8), std::string("\x01\x2e\0\0\0", 5) + frame);
}

TEST(TurnRecordTest, IsEmptyUntilSomethingHappened) {
  TurnWriter writer;
  writer.Begin(10, 1000);
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(writer.record().size(), 18u);
  writer.AddForgotten("x", 1);
  EXPECT_FALSE(writer.empty());
  writer.Begin(0, 1001);
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(writer.record().size(), 8u);
}

// It ends between two items or it is damaged; and what is read before the damage is right.
TEST(TurnRecordTest, ACutRecordIsDamagedUnlessItEndsBetweenItems) {
  const std::string whole = WholeRecord();
  FakeVisitor complete;
  ASSERT_TRUE(ReadTurn(whole, &complete).ok());
  size_t readable = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    FakeVisitor visitor;
    const absl::Status status = ReadTurn(absl::string_view(whole).substr(0, size), &visitor);
    readable += status.ok() ? 1 : 0;
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << size;
    ASSERT_LT(visitor.words.size(), complete.words.size());
    EXPECT_TRUE(std::equal(visitor.words.begin(), visitor.words.end(), complete.words.begin()));
  }
  EXPECT_EQ(readable, 5u);
}

TEST(TurnRecordTest, RefusesItemsThatAreNone) {
  const auto read = [](const std::string& items) {
    FakeVisitor visitor;
    return ReadTurn(std::string(8, '\0') + items, &visitor);
  };
  EXPECT_TRUE(read("").ok());
  EXPECT_EQ(read(std::string(9, '\0')).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(read(std::string("\x06", 1) + std::string(8, '\0')).code(),
            absl::StatusCode::kDataLoss);

  TurnWriter writer;
  writer.Begin(0, 0);
  writer.AddMessage(LiveFramePrefix("x", {.kind = LiveKind::kPublication}));
  EXPECT_EQ(read(writer.record().substr(8)).code(), absl::StatusCode::kDataLoss);
  writer.Begin(0, 0);
  writer.AddMessage("no frame");
  EXPECT_EQ(read(writer.record().substr(8)).code(), absl::StatusCode::kDataLoss);
  writer.Begin(0, 0);
  writer.AddKnown("", 0);
  EXPECT_EQ(read(writer.record().substr(8)).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace groupcast::service
