// Subscriptions and the order of their messages.

#include "services/channel/contract/channel_contract.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

namespace groupcast::service::contract {
namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_P(ChannelContractTest, DeliveryBeginsAtTheJoinPoint) {
  const auto publisher = Connect();
  Position last;
  for (const char* text : {"1", "2", "3"}) last = PublishAndWait(publisher.get(), "g", text);
  const auto subscriber = Join("g");
  EXPECT_EQ(subscriber->position("g"), last);
  PublishAndWait(publisher.get(), "g", "4");
  ASSERT_TRUE(RunUntil([&] { return !subscriber->texts("g").empty(); }));
  EXPECT_EQ(subscriber->texts("g"), Texts({"4"}));
  EXPECT_EQ(subscriber->events("g")[1].previous, last.offset);
}

TEST_P(ChannelContractTest, AGroupWithoutMessagesHasAJoinPointToo) {
  const auto subscriber = Join("g");
  const Position head = subscriber->position("g");
  EXPECT_NE(head.epoch, Epoch{});
  PublishAndWait(subscriber.get(), "g", "first");
  ASSERT_TRUE(RunUntil([&] { return !subscriber->texts("g").empty(); }));
  EXPECT_EQ(subscriber->events("g")[1].previous, head.offset);
}

// Not one message may be missing after the join point, and none may come twice.
TEST_P(ChannelContractTest, AJoinUnderLoadHasItsPlaceInTheOrder) {
  constexpr size_t kOnTheirWay = 20;
  const auto publisher = Join("g");
  for (int round = 0; round < 5; ++round) {
    Peer joiner(engine_.get());
    joiner.Subscribe("g");
    std::vector<std::shared_ptr<const Outcome>> sent;
    ASSERT_TRUE(RunUntil([&] {
      // Some are on their way, and never so many that there is no room.
      if (sent.size() < kOnTheirWay || sent[sent.size() - kOnTheirWay]->times > 0) {
        sent.push_back(publisher->Publish("g", absl::StrCat(round, " ", sent.size())));
      }
      return joiner.texts("g").size() >= 3;
    }));
    PublishAndWait(publisher.get(), "g", "end");
    ASSERT_TRUE(RunUntil([&] { return joiner.texts("g").back() == "end"; }));
    ASSERT_TRUE(RunUntil([&] { return publisher->texts("g").back() == "end"; }));
    const Texts all = publisher->texts("g");
    const Texts its = joiner.texts("g");
    EXPECT_TRUE(std::equal(its.rbegin(), its.rend(), all.rbegin()));
  }
}

TEST_P(ChannelContractTest, APublicationAfterTheJoinIsDeliveredToItsSender) {
  const auto peer = Connect();
  peer->on_event = [&](absl::string_view group_id, const Event& event) {
    if (group_id == "g" && event.kind == Event::Kind::kSubscribed) peer->Publish("g", "mine");
  };
  peer->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] { return !peer->texts("g").empty(); }));
  EXPECT_EQ(peer->texts("g"), Texts({"mine"}));
}

// Also before there is a connection.
TEST_P(ChannelContractTest, APublicationBeforeTheJoinIsDeliveredOrPartOfTheJoinPoint) {
  for (int round = 0; round < 5; ++round) {
    Peer peer(engine_.get());
    peer.Subscribe("g");
    const auto outcome = peer.Publish("g", "mine");
    ASSERT_TRUE(RunUntil([&] { return outcome->times > 0 && peer.joined("g"); }));
    ASSERT_TRUE(outcome->result.ok()) << outcome->result.status();
    const Position head = peer.events("g")[0].position;
    EXPECT_EQ(outcome->result->epoch, head.epoch);
    if (outcome->result->offset > head.offset) {
      ASSERT_TRUE(RunUntil([&] { return !peer.texts("g").empty(); }));
    }
    Settle(&peer);
    EXPECT_EQ(peer.texts("g").size(), outcome->result->offset > head.offset ? 1u : 0u);
  }
}

TEST_P(ChannelContractTest, GroupsDoNotMixWhateverTheirIdsHaveInCommon) {
  const auto peer = Connect();
  const std::string longest(128, '1');
  for (const std::string& id : {std::string("12"), std::string("1234"), longest}) {
    peer->Subscribe(id);
    ASSERT_TRUE(RunUntil([&] { return peer->joined(id); }));
  }
  for (const std::string& id :
       {std::string("1"), std::string("12"), std::string("123"), std::string("1234"),
        std::string("12345"), std::string("12.34"), std::string("12*"), std::string("12>"),
        std::string("*"), std::string(">"), std::string("12 "), std::string("مجموعة"), longest,
        longest.substr(1)}) {
    PublishAndWait(peer.get(), id, absl::StrCat("to ", id));
  }
  ASSERT_TRUE(RunUntil([&] { return !peer->texts(longest).empty(); }));
  Settle(peer.get());
  EXPECT_EQ(peer->texts("12"), Texts({"to 12"}));
  EXPECT_EQ(peer->texts("1234"), Texts({"to 1234"}));
  EXPECT_EQ(peer->texts(longest), Texts({"to " + longest}));
}

TEST_P(ChannelContractTest, GroupIdsOfAnyFormAreJoined) {
  const auto peer = Connect();
  for (const char* id :
       {"a.b", "*", ">", "a b", " ", "$SYS", "مجموعة", "\xf0\x9f\x98\x80", "/", "%00"}) {
    peer->Subscribe(id);
    ASSERT_TRUE(RunUntil([&] { return peer->joined(id); })) << id;
    peer->Publish(id, id);
    ASSERT_TRUE(RunUntil([&] { return !peer->texts(id).empty(); })) << id;
    EXPECT_EQ(peer->texts(id), Texts({id}));
  }
}

TEST_P(ChannelContractTest, NothingComesAfterUnsubscribe) {
  const auto peer = Join("g");
  const auto publisher = Connect();
  for (int i = 0; i < 20; ++i) publisher->Publish("g", absl::StrCat(i));
  peer->Unsubscribe("g");  // the peer watches from now on
  PublishAndWait(publisher.get(), "g", "after");
  Settle(peer.get());
}

TEST_P(ChannelContractTest, NothingComesAfterUnsubscribeFromInsideAMessage) {
  const auto peer = Join("g");
  peer->on_event = [&](absl::string_view group_id, const Event& event) {
    if (group_id == "g" && event.kind == Event::Kind::kMessage) peer->Unsubscribe("g");
  };
  for (int i = 0; i < 20; ++i) peer->Publish("g", absl::StrCat(i));
  ASSERT_TRUE(RunUntil([&] { return !peer->texts("g").empty(); }));
  Settle(peer.get());
  EXPECT_EQ(peer->texts("g"), Texts({"0"}));
}

TEST_P(ChannelContractTest, NothingComesAfterUnsubscribeFromInsideTheJoin) {
  const auto peer = Connect();
  peer->on_event = [&](absl::string_view group_id, const Event&) {
    if (group_id == "g") peer->Unsubscribe("g");
  };
  peer->Subscribe("g");
  peer->Publish("g", "x");
  ASSERT_TRUE(RunUntil([&] { return !peer->events("g").empty(); }));
  Settle(peer.get());
  EXPECT_EQ(peer->events("g").size(), 1u);
}

TEST_P(ChannelContractTest, APublicationIsAnsweredAlsoIfItsGroupIsLeft) {
  const auto peer = Join("g");
  const auto outcome = peer->Publish("g", "x");
  peer->Unsubscribe("g");
  ASSERT_TRUE(RunUntil([&] { return outcome->times > 0; }));
  EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
}

TEST_P(ChannelContractTest, AGroupThatIsJoinedAgainHasAJoinPointOfItsOwn) {
  const auto peer = Join("g");
  const auto publisher = Connect();
  PublishAndWait(publisher.get(), "g", "first");
  ASSERT_TRUE(RunUntil([&] { return !peer->texts("g").empty(); }));
  peer->Unsubscribe("g");
  const Position missed = PublishAndWait(publisher.get(), "g", "missed");
  peer->Subscribe("g");
  ASSERT_TRUE(RunUntil([&] { return peer->joined("g"); }));
  EXPECT_EQ(peer->position("g"), missed);
  PublishAndWait(publisher.get(), "g", "second");
  ASSERT_TRUE(RunUntil([&] { return !peer->texts("g").empty(); }));
  EXPECT_EQ(peer->texts("g"), Texts({"second"}));
}

TEST_P(ChannelContractTest, ManyGroupsAreJoinedAtOnce) {
  const auto peer = Connect();
  const auto id = [](int i) { return absl::StrCat("group ", i); };
  for (int i = 0; i < 1'000; ++i) peer->Subscribe(id(i));
  ASSERT_TRUE(RunUntil([&] {
    for (int i = 0; i < 1'000; ++i) {
      if (!peer->joined(id(i))) return false;
    }
    return true;
  }));
  for (int i = 0; i < 1'000; i += 100) peer->Publish(id(i), id(i));
  ASSERT_TRUE(RunUntil([&] {
    for (int i = 0; i < 1'000; i += 100) {
      if (peer->texts(id(i)) != Texts({id(i)})) return false;
    }
    return true;
  }));
}

}  // namespace groupcast::service::contract
