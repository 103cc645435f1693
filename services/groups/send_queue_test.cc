#include "services/groups/send_queue.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

constexpr size_t kLight = 10;
constexpr size_t kHeavy = 100;

class SendQueueTest : public testing::Test {
 protected:
  // Sends commands of given sizes, in turn, and writes down each one that goes.
  class Sender final : public Member {
   public:
    Sender(uint64_t id, SendQueueTest* test)
        : Member(ConnectionId{id}, &kPlainBareEncoding), test_(test), id_(id) {}

    void Send(size_t bytes) {
      sizes_.push_back(bytes);
      if (!waits_for_room) ResumeCommands();
    }
    // Its commands have ended with its connection.
    void Forget() { sizes_.clear(); }
    void Disconnect(CloseCode, absl::string_view) override {}
    void ResumeCommands() override {
      ++resumed;
      if (on_resume) on_resume();
      while (!sizes_.empty() && test_->Go(this, sizes_.front())) {
        test_->gone_.push_back(id_);
        sizes_.erase(sizes_.begin());
      }
    }
    void Send(const SharedBytes&, TrafficClass) override {}
    bool HasRoomFor(size_t) const override { return true; }

    int resumed = 0;
    std::function<void()> on_resume;  // null: none

   private:
    SendQueueTest* const test_;
    const uint64_t id_;
    std::vector<size_t> sizes_;
  };

  SendQueueTest() { queue_.SetConnected(true); }

  bool Go(Member* member, size_t bytes) {
    if (!queue_.Admit(member, {.count = 1, .bytes = bytes}).has_value()) return false;
    room_ -= bytes;
    return true;
  }
  void GiveRoom(size_t bytes) {
    room_ += bytes;
    queue_.GoOn();
  }
  void HeavyResult() {
    queue_.OnHeavyResult(kHeavy);
    GiveRoom(kHeavy);
  }
  std::vector<uint64_t> TakeGone() { return std::exchange(gone_, {}); }

  using Gone = std::vector<uint64_t>;

  size_t room_ = 10'000;
  Gone gone_;  // the senders of the commands that went, in order
  SendQueue queue_{{.light_bytes_max = 20, .heavy_in_flight_max = 250, .light_turn_bytes = 30},
                   [this](const PublicationsSize& size) { return size.bytes <= room_; }};
  Sender a_{1, this};
  Sender b_{2, this};
  Sender c_{3, this};
};

TEST_F(SendQueueTest, LightSendsGoWhileHeavyOnesWaitForThoseInFlight) {
  a_.Send(kHeavy);
  a_.Send(kHeavy);
  b_.Send(kHeavy);
  EXPECT_TRUE(b_.waits_for_room);
  c_.Send(kLight);
  EXPECT_EQ(TakeGone(), Gone({1, 1, 3}));
  HeavyResult();
  EXPECT_FALSE(b_.waits_for_room);
  EXPECT_EQ(TakeGone(), Gone({2}));
}

TEST_F(SendQueueTest, OneHeavySendAloneMayAlwaysGo) {
  a_.Send(1'000);
  EXPECT_EQ(TakeGone(), Gone({1}));
  EXPECT_EQ(queue_.heavy_in_flight(), 1'000u);
  b_.Send(kHeavy);
  EXPECT_EQ(TakeGone(), Gone());
}

TEST_F(SendQueueTest, HeavySendsInFlightMayReachTheirBoundExactly) {
  a_.Send(kHeavy);
  b_.Send(150);
  EXPECT_EQ(TakeGone(), Gone({1, 2}));
  queue_.OnHeavyResult(150);
  b_.Send(151);
  EXPECT_EQ(TakeGone(), Gone());
}

TEST_F(SendQueueTest, WhileAByteIsInFlightAHeavySendOverTheBoundIsNotAlone) {
  a_.Send(kHeavy);
  b_.Send(300);
  queue_.OnHeavyResult(kHeavy - 1);
  queue_.GoOn();
  EXPECT_EQ(TakeGone(), Gone({1}));
  queue_.OnHeavyResult(1);
  queue_.GoOn();
  EXPECT_EQ(TakeGone(), Gone({2}));
}

// Without a connection nothing gets faster by waiting here, and the channel has a bound.
TEST_F(SendQueueTest, WithoutAConnectionOnlyTheChannelsRoomCounts) {
  queue_.SetConnected(false);
  for (int i = 0; i < 5; ++i) a_.Send(kHeavy);
  EXPECT_EQ(TakeGone(), Gone({1, 1, 1, 1, 1}));
  queue_.SetConnected(true);
  b_.Send(kHeavy);
  for (int i = 0; i < 3; ++i) HeavyResult();
  EXPECT_EQ(TakeGone(), Gone());
  HeavyResult();
  EXPECT_EQ(TakeGone(), Gone({2}));
}

TEST_F(SendQueueTest, EachWaitingMemberHasOneCommandInItsTurn) {
  room_ = 0;
  for (int i = 0; i < 3; ++i) a_.Send(kLight);
  b_.Send(kLight);
  c_.Send(kLight);
  GiveRoom(4 * kLight);
  EXPECT_EQ(TakeGone(), Gone({1, 2, 3, 1}));
  GiveRoom(kLight);
  EXPECT_EQ(TakeGone(), Gone({1}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SendQueueTest, ANewSendDoesNotOvertakeWaitingOnesOfItsKind) {
  room_ = 15;
  a_.Send(20);
  EXPECT_TRUE(a_.waits_for_room);
  b_.Send(kLight);
  EXPECT_TRUE(b_.waits_for_room);
  GiveRoom(15);
  EXPECT_EQ(TakeGone(), Gone({1, 2}));
}

// Otherwise a stream of light sends could take all room before a heavy one has enough.
TEST_F(SendQueueTest, WhileAHeavySendWaitsForRoomLightOnesTakeOnlyTheirTurn) {
  room_ = 60;
  a_.Send(kHeavy);
  for (int i = 0; i < 4; ++i) b_.Send(kLight);
  EXPECT_EQ(TakeGone(), Gone({2, 2, 2}));
  EXPECT_TRUE(b_.waits_for_room);
  GiveRoom(60);
  EXPECT_EQ(TakeGone(), Gone());
  GiveRoom(20);
  EXPECT_EQ(TakeGone(), Gone({1, 2}));
}

TEST_F(SendQueueTest, AfterItsTurnAHeavySendOwesTheLightOnesNothing) {
  room_ = 60;
  a_.Send(kHeavy);
  for (int i = 0; i < 3; ++i) b_.Send(kLight);
  GiveRoom(70);
  EXPECT_EQ(TakeGone(), Gone({2, 2, 2, 1}));
  room_ = 90;
  for (int i = 0; i < 4; ++i) b_.Send(kLight);
  EXPECT_EQ(TakeGone(), Gone({2, 2, 2, 2})) << "no heavy send waits";
  a_.Send(kHeavy);
  for (const size_t bytes : {10, 19, 5, 5}) b_.Send(bytes);
  EXPECT_EQ(TakeGone(), Gone({2, 2, 2})) << "the next heavy send gives them a whole turn";
}

TEST_F(SendQueueTest, MembersBeyondTheirShareLetTheOthersGoFirst) {
  for (const size_t bytes : {kLight, kHeavy}) {
    a_.input_share.Count(1 << 20, absl::Now());
    room_ = 0;
    a_.Send(bytes);
    a_.Send(bytes);
    b_.Send(bytes);
    room_ = bytes;
    c_.Send(bytes);
    EXPECT_EQ(TakeGone(), Gone()) << "it overtakes no equal one";
    GiveRoom(3 * bytes);
    if (bytes == kHeavy) HeavyResult(), HeavyResult();
    EXPECT_EQ(TakeGone(), Gone({2, 3, 1, 1}));
  }
}

TEST_F(SendQueueTest, AMemberWithinItsShareDoesNotWaitForThoseBeyondIt) {
  a_.input_share.Count(1 << 20, absl::Now());
  room_ = 15;
  a_.Send(20);
  b_.Send(kLight);
  EXPECT_EQ(TakeGone(), Gone({2}));
  GiveRoom(15);
  EXPECT_EQ(TakeGone(), Gone({1}));
}

TEST_F(SendQueueTest, AMemberBeyondItsShareLeavesAndIsReleasedAsTheOthers) {
  a_.input_share.Count(1 << 20, absl::Now());
  room_ = 0;
  a_.Send(kLight);
  const int resumed = a_.resumed;
  queue_.ReleaseAll();
  EXPECT_EQ(a_.resumed, resumed + 1);
  EXPECT_TRUE(a_.waits_for_room);
  queue_.Remove(&a_);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SendQueueTest, AMemberThatWaitsHasOnePlace) {
  room_ = 0;
  EXPECT_EQ(queue_.Admit(&a_, {.count = 1, .bytes = kLight}), std::nullopt);
  EXPECT_EQ(queue_.Admit(&a_, {.count = 1, .bytes = kLight}), std::nullopt);
  const int resumed = a_.resumed;
  GiveRoom(100);
  EXPECT_EQ(a_.resumed, resumed + 1);
}

TEST_F(SendQueueTest, ATurnThatWasNotUsedIsNotKept) {
  room_ = 0;
  a_.Send(kLight);
  b_.Send(20);
  a_.Forget();
  GiveRoom(15);
  a_.Send(kLight);
  EXPECT_TRUE(a_.waits_for_room);
  EXPECT_EQ(TakeGone(), Gone());
  GiveRoom(15);
  EXPECT_EQ(TakeGone(), Gone({2, 1}));
}

TEST_F(SendQueueTest, AReleasedMemberMayTakeOthersAway) {
  for (const size_t bytes : {kLight, kHeavy}) {
    room_ = 0;
    a_.Send(bytes);
    b_.Send(bytes);
    a_.Forget();
    a_.on_resume = [this] { queue_.Remove(&b_); };
    const int resumed = b_.resumed;
    queue_.ReleaseAll();
    EXPECT_EQ(b_.resumed, resumed);
    EXPECT_TRUE(queue_.empty());
    a_.on_resume = nullptr;
    b_.Forget();
  }
}

// A send that is refused has its result inside its member's turn. As many of them as wait must not
// stand on the stack of each other.
TEST_F(SendQueueTest, ASendWithItsResultAtOnceDoesNotNestTheNext) {
  int depth = 0;
  int depth_max = 0;
  room_ = 0;
  std::vector<std::unique_ptr<Sender>> senders;
  for (uint64_t id = 1; id <= 1'000; ++id) {
    senders.push_back(std::make_unique<Sender>(id, this));
    senders.back()->Send(kHeavy);
    senders.back()->on_resume = [&, sender = senders.back().get()] {
      depth_max = std::max(depth_max, ++depth);
      sender->Forget();
      queue_.GoOn();
      --depth;
    };
  }
  room_ = 10'000;
  queue_.GoOn();
  EXPECT_EQ(depth_max, 1);
  for (const auto& sender : senders) EXPECT_EQ(sender->resumed, 1 + 1);
}

TEST_F(SendQueueTest, WithoutRoomNobodyIsResumedInVain) {
  room_ = 0;
  a_.Send(kLight);
  b_.Send(kHeavy);
  const int resumed = a_.resumed + b_.resumed;
  queue_.GoOn();
  EXPECT_EQ(a_.resumed + b_.resumed, resumed);
}

TEST_F(SendQueueTest, ASendThatMustNotWaitGoesBeforeAllOthersOrNotAtAll) {
  room_ = kLight;
  a_.Send(kHeavy);
  b_.Send(20);
  EXPECT_EQ(queue_.AdmitAtOnce({.count = 1, .bytes = kLight}), SendQueue::Weight::kLight);
  EXPECT_EQ(queue_.AdmitAtOnce({.count = 1, .bytes = 11}), std::nullopt);
  room_ = kHeavy;
  EXPECT_EQ(queue_.AdmitAtOnce({.count = 1, .bytes = kHeavy}), SendQueue::Weight::kHeavy);
  EXPECT_EQ(queue_.heavy_in_flight(), kHeavy);
}

TEST_F(SendQueueTest, ReleasedMembersAreResumedWhateverTheRoom) {
  room_ = 0;
  a_.Send(kLight);
  b_.Send(kHeavy);
  const int resumed = a_.resumed + b_.resumed;
  queue_.ReleaseAll();
  EXPECT_EQ(a_.resumed + b_.resumed, resumed + 2);
}

TEST_F(SendQueueTest, ARemovedMemberHoldsNobodyUp) {
  room_ = 30;
  a_.Send(kHeavy);
  for (int i = 0; i < 3; ++i) b_.Send(kLight);
  room_ = 30;
  b_.Send(kLight);
  EXPECT_TRUE(b_.waits_for_room);
  TakeGone();
  queue_.Remove(&a_);
  EXPECT_FALSE(a_.waits_for_room);
  queue_.GoOn();
  EXPECT_EQ(TakeGone(), Gone({2}));
  queue_.Remove(&b_);
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace groupcast::service
