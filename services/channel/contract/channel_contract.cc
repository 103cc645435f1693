#include "services/channel/contract/channel_contract.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service::contract {
namespace {

using Texts = std::vector<std::string>;
using Outcomes = std::vector<std::shared_ptr<const Outcome>>;

constexpr size_t kLargeBytes = 16 * 1024;

bool AllAnswered(const Outcomes& outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(),
                     [](const auto& outcome) { return outcome->times > 0; });
}

void ExpectContent(const History::Entry& entry, const Content& content) {
  EXPECT_EQ(entry.kind, content.kind);
  EXPECT_TRUE(entry.data == content.data) << "the data of " << content.data.size() << " bytes";
  EXPECT_EQ(entry.sent_at_ms, content.sent_at_ms);
  EXPECT_EQ(entry.excluded_session, content.excluded_session);
}

}  // namespace

ChannelContractTest::ChannelContractTest() : engine_(GetParam().make()) {}

std::unique_ptr<Peer> ChannelContractTest::Connect() {
  auto peer = std::make_unique<Peer>(engine_.get());
  EXPECT_TRUE(RunUntil([&] { return !peer->states().empty(); })) << "it does not connect";
  return peer;
}

std::unique_ptr<Peer> ChannelContractTest::Join(absl::string_view group_id) {
  std::unique_ptr<Peer> peer = Connect();
  peer->Subscribe(group_id);
  EXPECT_TRUE(RunUntil([&] { return peer->joined(group_id); })) << group_id << " is not joined";
  return peer;
}

Position ChannelContractTest::PublishAndWait(Peer* peer, absl::string_view group_id,
                                             absl::string_view text, const Fingerprint& key) {
  const auto outcome = peer->Publish({.group_id = group_id, .content = {.data = text}, .key = key});
  EXPECT_TRUE(RunUntil([&] { return outcome->times > 0; })) << text << " is not answered";
  EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
  return outcome->result.ok() ? *outcome->result : Position{};
}

std::vector<Position> ChannelContractTest::PublishMany(Peer* peer, absl::string_view group_id,
                                                       int count, size_t bytes) {
  Outcomes outcomes;
  for (int i = 0; i < count; ++i) {
    std::string text = absl::StrCat(i, " ");
    text.resize(std::max(bytes, text.size()), '.');
    outcomes.push_back(peer->Publish(group_id, text));
  }
  EXPECT_TRUE(RunUntil([&] { return AllAnswered(outcomes); }));
  std::vector<Position> positions;
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
    positions.push_back(outcome->result.value_or(Position{}));
  }
  return positions;
}

void ChannelContractTest::Settle(Peer* peer) {
  // Twice: what the first caused has its time as well.
  for (int i = 0; i < 2; ++i) {
    const std::string group_id = absl::StrCat("settled ", ++settled_);
    peer->Subscribe(group_id);
    ASSERT_TRUE(RunUntil([&] { return peer->joined(group_id); })) << "a group is not joined";
    const auto outcome = peer->Publish(group_id, "settled");
    ASSERT_TRUE(RunUntil([&] { return outcome->times > 0 && !peer->texts(group_id).empty(); }))
        << "a message does not come back to its sender";
    peer->Unsubscribe(group_id);
  }
}

void ChannelContractTest::DisconnectAll(const std::vector<Peer*>& peers) {
  engine_->Disconnect();
  EXPECT_TRUE(RunUntil([&] {
    return std::none_of(peers.begin(), peers.end(), [](const Peer* peer) {
      return peer->connected() || peer->states().back();
    });
  })) << "nobody notices that the connection is lost";
}

// ---- The connection.

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
  ASSERT_TRUE(RunUntil([&] { return !peer->states().back(); }));
  EXPECT_FALSE(peer->connected());
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->states().back(); }));
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
  ASSERT_TRUE(RunUntil([&] { return !peer.states().empty() && peer.states().back(); }));
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

// ---- Publications.

TEST_P(ChannelContractTest, EachPublicationIsAnsweredOnce) {
  const auto peer = Connect();
  Outcomes outcomes;
  for (int i = 0; i < 100; ++i) outcomes.push_back(peer->Publish("g", absl::StrCat(i)));
  ASSERT_TRUE(RunUntil([&] { return AllAnswered(outcomes); }));
  Settle(peer.get());
  std::set<uint64_t> offsets;
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome->times, 1);
    ASSERT_TRUE(outcome->result.ok()) << outcome->result.status();
    offsets.insert(outcome->result->offset);
  }
  EXPECT_EQ(offsets.size(), 100u);
}

TEST_P(ChannelContractTest, TheAnswerIsThePositionThatSubscribersSee) {
  const auto subscriber = Join("g");
  const auto publisher = Connect();
  const Position first = PublishAndWait(publisher.get(), "g", "1");
  const Position second = PublishAndWait(publisher.get(), "g", "2");
  EXPECT_EQ(first.epoch, second.epoch);
  EXPECT_LT(first.offset, second.offset);
  ASSERT_TRUE(RunUntil([&] { return subscriber->texts("g").size() == 2; }));
  EXPECT_EQ(subscriber->events("g")[1].position, first);
  EXPECT_EQ(subscriber->events("g")[2].position, second);
}

TEST_P(ChannelContractTest, APublicationThatIsAnsweredReachesAllSubscribers) {
  const auto a = Join("g");
  const auto b = Join("g");
  const auto publisher = Connect();
  Texts expected;
  for (int i = 0; i < 50; ++i) {
    expected.push_back(absl::StrCat(i));
    PublishAndWait(publisher.get(), "g", expected.back());
  }
  ASSERT_TRUE(RunUntil([&] {
    return a->texts("g").size() >= expected.size() && b->texts("g").size() >= expected.size();
  }));
  EXPECT_EQ(a->texts("g"), expected);
  EXPECT_EQ(b->texts("g"), expected);
}

TEST_P(ChannelContractTest, AGroupHasOneOrderWhoeverPublishes) {
  const auto a = Join("g");
  const auto b = Join("g");
  for (int i = 0; i < 100; ++i) {
    a->Publish("g", absl::StrCat("a", i));
    b->Publish("g", absl::StrCat("b", i));
    if (i % 10 == 0) RunUntil([] { return true; });
  }
  ASSERT_TRUE(RunUntil([&] { return a->texts("g").size() >= 200 && b->texts("g").size() >= 200; }));
  Settle(a.get());
  Settle(b.get());
  EXPECT_EQ(a->texts("g").size(), 200u);
  EXPECT_EQ(a->texts("g"), b->texts("g"));
  EXPECT_EQ(a->gaps() + b->gaps(), 0);
}

TEST_P(ChannelContractTest, AKeyCountsOnceAndItsRepeatsGetThePositionOfTheFirst) {
  const auto a = Join("g");
  const auto b = Connect();
  const Position first = PublishAndWait(a.get(), "g", "x", {1, 1});
  EXPECT_EQ(PublishAndWait(a.get(), "g", "x", {1, 1}), first);
  EXPECT_EQ(PublishAndWait(b.get(), "g", "x", {1, 1}), first);
  EXPECT_GT(PublishAndWait(b.get(), "g", "y", {1, 2}).offset, first.offset);
  EXPECT_GT(PublishAndWait(b.get(), "g", "z", {2, 1}).offset, first.offset);
  ASSERT_TRUE(RunUntil([&] { return a->texts("g").size() >= 3; }));
  Settle(a.get());
  EXPECT_EQ(a->texts("g"), Texts({"x", "y", "z"}));
}

TEST_P(ChannelContractTest, PublicationsWithoutAKeyAllCount) {
  const auto a = Join("g");
  for (int i = 0; i < 3; ++i) PublishAndWait(a.get(), "g", "same");
  ASSERT_TRUE(RunUntil([&] { return a->texts("g") == Texts({"same", "same", "same"}); }));
}

TEST_P(ChannelContractTest, RefusesWhatIsTooLargeAndGoesOn) {
  const auto peer = Join("g");
  const auto large = peer->Publish("g", std::string(engine_->message_bytes_max() + 1, 'x'));
  const auto after = peer->Publish("g", "after");
  ASSERT_TRUE(RunUntil([&] { return large->times > 0 && after->times > 0; }));
  EXPECT_EQ(large->result.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(after->result.ok()) << after->result.status();
  ASSERT_TRUE(RunUntil([&] { return !peer->texts("g").empty(); }));
  EXPECT_EQ(peer->texts("g"), Texts({"after"}));
}

TEST_P(ChannelContractTest, ContentComesAsItWasSent) {
  const auto subscriber = Join("g");
  const auto publisher = Connect();
  const std::string whole(64 * 1024, 'w');
  const std::vector<Content> contents = {
      {.kind = Content::Kind::kText, .data = "text", .sent_at_ms = 1'700'000'000'123},
      {.kind = Content::Kind::kText, .data = ""},
      {.kind = Content::Kind::kText, .data = whole, .sent_at_ms = 5},
      {.kind = Content::Kind::kJson, .data = "{\"a\":[1,2.50,null]}", .sent_at_ms = 6},
      {.kind = Content::Kind::kText, .data = "هذه هي الرسالة \xf0\x9f\x98\x80"},
      {.kind = Content::Kind::kJson,
       .data = "0",
       .sent_at_ms = 7,
       .excluded_session = {0x1122334455667788, 0x99aabbccddeeff00}},
      {.kind = Content::Kind::kText, .data = "none excluded again", .sent_at_ms = 8}};
  for (const Content& content : contents) {
    publisher->Publish({.group_id = "g", .content = content, .key = {}});
  }
  ASSERT_TRUE(RunUntil([&] { return subscriber->texts("g").size() == contents.size(); }));
  const absl::StatusOr<History> history = subscriber->FetchHistory("g", {}, 100);
  ASSERT_TRUE(history.ok()) << history.status();
  ASSERT_EQ(history->messages.size(), contents.size());
  for (size_t i = 0; i < contents.size(); ++i) {
    ExpectContent(subscriber->events("g")[i + 1].entry, contents[i]);
    ExpectContent(history->messages[i], contents[i]);
  }
}

TEST_P(ChannelContractTest, ThePublicationsViewsAreUsedDuringTheCallOnly) {
  const auto peer = Join("g");
  std::string group_id = "g";
  std::string text = "text";
  peer->Publish({.group_id = group_id, .content = {.data = text}, .key = {}});
  group_id = "?";
  text = "????";
  ASSERT_TRUE(RunUntil([&] { return !peer->texts("g").empty(); }));
  EXPECT_EQ(peer->texts("g"), Texts({"text"}));
}

// ---- Subscriptions.

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
  const auto publisher = Join("g");
  for (int round = 0; round < 5; ++round) {
    Peer joiner(engine_.get());
    joiner.Subscribe("g");
    int sent = 0;
    ASSERT_TRUE(RunUntil([&] {
      publisher->Publish("g", absl::StrCat(round, " ", ++sent));
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

// ---- History.

TEST_P(ChannelContractTest, HistoryIsWhatCameAfterAPosition) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 5, 1);
  PublishAndWait(peer.get(), "other", "x");
  const absl::StatusOr<History> history = peer->FetchHistory("g", positions[1], 0);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->head, positions[4]);
  EXPECT_LE(history->floor, positions[0].offset);
  ASSERT_EQ(history->messages.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(history->messages[i].offset, positions[i + 2].offset);
    EXPECT_EQ(history->messages[i].previous, positions[i + 1].offset);
  }
  EXPECT_TRUE(peer->FetchHistory("g", positions[4], 0)->messages.empty());
}

TEST_P(ChannelContractTest, HistoryOfTheNewestEndsAtTheHead) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 5, 1);
  const absl::StatusOr<History> two = peer->FetchHistory("g", {positions[0].epoch, 0}, 2);
  ASSERT_TRUE(two.ok()) << two.status();
  ASSERT_EQ(two->messages.size(), 2u);
  EXPECT_EQ(two->messages[0].offset, positions[3].offset);
  EXPECT_EQ(two->messages[1].offset, positions[4].offset);
  // Not more than there are after the position.
  EXPECT_EQ(peer->FetchHistory("g", positions[3], 100)->messages.size(), 1u);
  EXPECT_EQ(peer->FetchHistory("g", {positions[0].epoch, 0}, 100)->messages.size(), 5u);
}

TEST_P(ChannelContractTest, APositionOfAnotherEpochIsBeforeAllMessages) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 3, 1);
  const Epoch other{static_cast<uint64_t>(positions[0].epoch) + 1};
  const absl::StatusOr<History> history = peer->FetchHistory("g", {other, positions[2].offset}, 0);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->messages.size(), 3u);
  EXPECT_EQ(history->head, positions[2]);
  EXPECT_EQ(peer->FetchHistory("g", {other, positions[2].offset}, 1)->messages.size(), 1u);
}

TEST_P(ChannelContractTest, HistoryOfAGroupWithoutMessagesIsEmpty) {
  const auto peer = Join("g");
  const absl::StatusOr<History> history = peer->FetchHistory("g", {}, 0);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_TRUE(history->messages.empty());
  EXPECT_EQ(history->head, peer->position("g"));
}

// "If the last one is below the head, there are more."
TEST_P(ChannelContractTest, HistoryComesPageByPage) {
  const auto peer = Connect();
  const std::vector<Position> positions = PublishMany(peer.get(), "g", 30, kLargeBytes);
  std::vector<uint64_t> offsets;
  Position after{positions[0].epoch, 0};
  int pages = 0;
  for (; after.offset < positions.back().offset && pages < 30; ++pages) {
    const absl::StatusOr<History> page = peer->FetchHistory("g", after, 0);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_FALSE(page->messages.empty());
    EXPECT_EQ(page->head, positions.back());
    if (pages > 0) {
      EXPECT_EQ(page->messages[0].previous, after.offset);
    }
    for (const History::Entry& entry : page->messages) offsets.push_back(entry.offset);
    after.offset = page->messages.back().offset;
  }
  EXPECT_GT(pages, 1);
  ASSERT_EQ(offsets.size(), 30u);
  for (size_t i = 0; i < 30; ++i) EXPECT_EQ(offsets[i], positions[i].offset);
  // The newest are fewer if one answer cannot carry them, but they end at the head.
  const absl::StatusOr<History> newest = peer->FetchHistory("g", {positions[0].epoch, 0}, 30);
  ASSERT_TRUE(newest.ok()) << newest.status();
  ASSERT_FALSE(newest->messages.empty());
  EXPECT_EQ(newest->messages.back().offset, positions.back().offset);
}

// The floor says from where on history is complete.
TEST_P(ChannelContractTest, WhatLeavesRetentionRaisesTheFloor) {
  const auto peer = Connect();
  const Position first = PublishAndWait(peer.get(), "g", "first");
  absl::StatusOr<History> history;
  Position last;
  for (int i = 0; i < 10; ++i) {
    last = PublishMany(peer.get(), "g", 25, kLargeBytes).back();
    history = peer->FetchHistory("g", {first.epoch, 0}, 0);
    ASSERT_TRUE(history.ok()) << history.status();
    if (history->floor >= first.offset) break;
    ASSERT_FALSE(history->messages.empty());
    EXPECT_EQ(history->messages[0].offset, first.offset) << "it left without raising the floor";
  }
  ASSERT_GE(history->floor, first.offset);
  EXPECT_EQ(history->head, last);
  ASSERT_FALSE(history->messages.empty());
  EXPECT_EQ(history->messages[0].previous, history->floor);
  const absl::StatusOr<History> complete =
      peer->FetchHistory("g", {first.epoch, history->floor}, 0);
  EXPECT_EQ(complete->messages[0].previous, history->floor);
}

TEST_P(ChannelContractTest, HistoryIsUnavailableWithoutAConnection) {
  const auto peer = Join("g");
  DisconnectAll({peer.get()});
  const auto answer = peer->AskHistory("g", {}, 0);
  ASSERT_TRUE(RunUntil([&] { return answer->times > 0; }));
  EXPECT_EQ(answer->history.status().code(), absl::StatusCode::kUnavailable);
}

TEST_P(ChannelContractTest, AQuestionWhoseConnectionIsLostIsAnsweredOnce) {
  const auto peer = Join("g");
  const auto answer = peer->AskHistory("g", {}, 0);
  DisconnectAll({peer.get()});
  ASSERT_TRUE(RunUntil([&] { return answer->times > 0; }));
  if (!answer->history.ok()) {
    EXPECT_EQ(answer->history.status().code(), absl::StatusCode::kUnavailable);
  }
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return peer->states().back(); }));
  Settle(peer.get());
  EXPECT_EQ(answer->times, 1);
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
  while (peer->HasRoom()) {
    ASSERT_LT(taken.size(), 10'000u) << "there is no bound";
    taken.push_back(peer->Publish("g", text));
  }
  const auto refused = peer->Publish("g", "refused");
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

TEST_P(ChannelContractTest, RoomIsNotToldIfNobodyAsked) {
  const auto peer = Connect();
  PublishMany(peer.get(), "g", 10, 10);
  EXPECT_TRUE(peer->HasRoom());
  Settle(peer.get());
  EXPECT_EQ(peer->rooms(), 0);
}

}  // namespace groupcast::service::contract
