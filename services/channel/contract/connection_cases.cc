// The connection, its loss, and room.

#include "services/channel/contract/channel_contract.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service::contract {
namespace {

using Texts = std::vector<std::string>;
using Outcomes = std::vector<std::shared_ptr<const Outcome>>;

constexpr size_t kLargeBytes = 16 * 1024;

}  // namespace

TEST_P(ChannelContractTest, BeginsAsNotConnectedAndTellsWhenItIs) {
  Peer peer(engine_.get());
  EXPECT_FALSE(peer.connected());
  EXPECT_TRUE(peer.states().empty());
  ASSERT_TRUE(RunUntil([&] { return !peer.states().empty(); }));
  EXPECT_TRUE(peer.states().front());
  EXPECT_TRUE(RunUntil([&] { return peer.connected(); }));
}

TEST_P(ChannelContractTest, TellsThatTheConnectionIsLostAndBack) {
  const auto peer = Connect();
  engine_->Disconnect();
  ASSERT_TRUE(RunUntil([&] { return !peer->is_told_connected(); }));
  EXPECT_FALSE(peer->connected());
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->is_told_connected(); }));
}

// The peers check it in every case; here every call is made, with and without a connection.
TEST_P(ChannelContractTest, CallsNobodyFromInsideACall) {
  Peer peer(engine_.get());
  const auto use = [&](const std::string& group_id) {
    peer.Subscribe(group_id);
    const auto outcome = peer.Publish(group_id, "x");
    const auto large = peer.Publish(group_id, std::string(engine_->message_bytes_max() * 2, 'x'));
    const auto answer = peer.AskHistory(group_id, {}, 0);
    peer.HasRoom();
    EXPECT_EQ(outcome->times + large->times + answer->times, 0);
    peer.Unsubscribe(group_id);
    return [=] { return outcome->times > 0 && large->times > 0 && answer->times > 0; };
  };
  const auto before = use("a");
  ASSERT_TRUE(RunUntil([&] { return peer.is_told_connected(); }));
  ASSERT_TRUE(RunUntil(before));
  ASSERT_TRUE(RunUntil(use("b")));
}

TEST_P(ChannelContractTest, AListenerMayUseTheChannelFromInsideItsMethods) {
  const auto peer = Connect();
  std::shared_ptr<const Peer::Answer> answer;
  peer->on_event = [&](absl::string_view group_id, const Event& event) {
    if (event.kind == Event::Kind::kSubscribed) {
      peer->Publish(group_id, group_id == "a" ? "first" : "second");
    }
    if (group_id == "a" && event.kind == Event::Kind::kMessage && event.entry.data == "first") {
      peer->Subscribe("b");
      answer = peer->AskHistory("a", {}, 0);
      peer->Unsubscribe("a");
    }
  };
  peer->Subscribe("a");
  ASSERT_TRUE(RunUntil([&] { return peer->texts("b") == Texts({"second"}); }));
  ASSERT_TRUE(RunUntil([&] { return answer->times > 0; }));
}

TEST_P(ChannelContractTest, ADestroyedChannelCallsNobody) {
  const auto other = Connect();
  const auto peer = Join("g");
  Outcomes outcomes;
  for (int i = 0; i < 20; ++i) outcomes.push_back(peer->Publish("g", absl::StrCat(i)));
  const auto answer = peer->AskHistory("g", {}, 0);
  peer->Subscribe("h");
  peer->Publish("g", std::string(engine_->message_bytes_max() * 2, 'x'));
  peer->Close();  // the peer watches from now on
  other->Publish("g", "after the end");
  Settle(other.get());
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome->times, 0);
  EXPECT_EQ(answer->times, 0);
}

// ---- A lost connection.

TEST_P(ChannelContractTest, PublicationsWaitForTheNextConnection) {
  const auto peer = Connect();
  DisconnectAll({peer.get()});
  const auto outcome = peer->Publish("g", "waits");
  // What has no connection is answered at once: after it, the publication would have been too.
  const auto answer = peer->AskHistory("g", {}, 0);
  ASSERT_TRUE(RunUntil([&] { return answer->times > 0; }));
  EXPECT_EQ(outcome->times, 0);
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return outcome->times > 0; }));
  EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
}

TEST_P(ChannelContractTest, SubscriptionsSurviveALostConnection) {
  const auto a = Join("g");
  const auto b = Join("g");
  PublishAndWait(a.get(), "g", "before");
  ASSERT_TRUE(RunUntil([&] { return a->texts("g").size() == 1 && b->texts("g").size() == 1; }));
  for (int round = 0; round < 3; ++round) {
    // Some are on their way when the connection breaks.
    Outcomes outcomes;
    for (int i = 0; i < 20; ++i) outcomes.push_back(a->Publish("g", absl::StrCat(round, " ", i)));
    DisconnectAll({a.get(), b.get()});
    outcomes.push_back(b->Publish("g", absl::StrCat(round, " of b")));
    engine_->Reconnect();
    ASSERT_TRUE(RunUntil([&] { return AllAnswered(outcomes); }));
    for (const auto& outcome : outcomes) EXPECT_TRUE(outcome->ok()) << outcome->result.status();
  }
  const Position last = PublishAndWait(b.get(), "g", "after");
  ASSERT_TRUE(RunUntil([&] { return a->position("g") == last && b->position("g") == last; }));
  // Nothing was lost unless a gap says so. The peers check that each message follows its last.
  if (a->gaps() == 0 && b->gaps() == 0) {
    EXPECT_EQ(a->texts("g").size(), 2u + 3 * 21);
    EXPECT_EQ(a->texts("g"), b->texts("g"));
  }
}

TEST_P(ChannelContractTest, ASubscriptionThatIsMadeWithoutAConnectionIsJoinedLater) {
  const auto peer = Connect();
  DisconnectAll({peer.get()});
  peer->Subscribe("g");
  peer->Subscribe("left again");
  peer->Unsubscribe("left again");
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->joined("g"); }));
  PublishAndWait(peer.get(), "g", "x");
  PublishAndWait(peer.get(), "left again", "x");
  ASSERT_TRUE(RunUntil([&] { return peer->texts("g") == Texts({"x"}); }));
  Settle(peer.get());
}

TEST_P(ChannelContractTest, WhatIsLostWithTheEpochIsAGap) {
  const auto peer = Join("g");
  PublishAndWait(peer.get(), "g", "before");
  ASSERT_TRUE(RunUntil([&] { return !peer->texts("g").empty(); }));
  const Position before = peer->position("g");
  DisconnectAll({peer.get()});
  engine_->LoseEverything();
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->gaps() > 0; }));
  EXPECT_NE(peer->position("g").epoch, before.epoch);
  const Position after = PublishAndWait(peer.get(), "g", "after");
  ASSERT_TRUE(RunUntil([&] { return peer->position("g") == after; }));
  EXPECT_EQ(peer->texts("g"), Texts({"before", "after"}));
}

// ---- Room.

TEST_P(ChannelContractTest, WithoutRoomAPublicationIsRefusedAndRoomIsTold) {
  const auto peer = Connect();
  EXPECT_TRUE(peer->HasRoom());
  DisconnectAll({peer.get()});
  const std::string text(kLargeBytes, 'x');
  Outcomes taken;
  while (peer->HasRoom({.bytes = 1 + kLargeBytes})) {
    ASSERT_LT(taken.size(), 10'000u) << "there is no bound";
    taken.push_back(peer->Publish("g", text));
  }
  const auto refused = peer->Publish("g", text);
  ASSERT_TRUE(RunUntil([&] { return refused->times > 0; }));
  EXPECT_EQ(refused->result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(peer->rooms(), 0);
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->rooms() > 0 && AllAnswered(taken); }));
  for (const auto& outcome : taken) EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
  EXPECT_TRUE(peer->HasRoom());
  Settle(peer.get());
  EXPECT_EQ(peer->rooms(), 1);
}

// Without a connection, so that no answers make room between.
TEST_P(ChannelContractTest, RoomForSeveralIsRoomForAllOfThem) {
  const auto peer = Connect();
  DisconnectAll({peer.get()});
  const std::string text(kLargeBytes, 'x');
  constexpr size_t kTogether = 7;  // the room is no multiple of it
  const PublicationsSize size{.count = kTogether, .bytes = kTogether * (1 + kLargeBytes)};
  Outcomes taken;
  while (peer->HasRoom(size)) {
    ASSERT_LT(taken.size(), 10'000u) << "there is no bound";
    for (size_t i = 0; i < kTogether; ++i) taken.push_back(peer->Publish("g", text));
  }
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->rooms() > 0 && AllAnswered(taken); }));
  for (const auto& outcome : taken) EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
  EXPECT_TRUE(peer->HasRoom(size));
}

TEST_P(ChannelContractTest, WhatIsLargerThanAllRoomIsTakenAlone) {
  const auto peer = Connect();
  DisconnectAll({peer.get()});
  constexpr size_t kTooMany = 10'000;
  const PublicationsSize size{.count = kTooMany, .bytes = kTooMany * 2};
  ASSERT_TRUE(peer->HasRoom(size));
  Outcomes taken;
  for (size_t i = 0; i < kTooMany; ++i) taken.push_back(peer->Publish("g", "x"));
  EXPECT_FALSE(peer->HasRoom({.bytes = 2}));
  EXPECT_FALSE(peer->HasRoom(size));
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->rooms() > 0 && AllAnswered(taken); }));
  for (const auto& outcome : taken) ASSERT_TRUE(outcome->result.ok()) << outcome->result.status();
  EXPECT_TRUE(peer->HasRoom(size));
}

TEST_P(ChannelContractTest, RoomIsNotToldIfNobodyAsked) {
  const auto peer = Connect();
  PublishMany(peer.get(), "g", 10, 10);
  EXPECT_TRUE(peer->HasRoom());
  Settle(peer.get());
  EXPECT_EQ(peer->rooms(), 0);
}

}  // namespace groupcast::service::contract
