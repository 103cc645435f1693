// Publications and what they carry.

#include <set>

#include "absl/strings/str_cat.h"
#include "services/channel/contract/channel_contract.h"

namespace groupcast::service::contract {
namespace {

using Texts = std::vector<std::string>;
using Outcomes = std::vector<std::shared_ptr<const Outcome>>;

void ExpectContent(const History::Entry& entry, const Content& content) {
  EXPECT_EQ(entry.kind, content.kind);
  EXPECT_TRUE(entry.data == content.data) << "the data of " << content.data.size() << " bytes";
  EXPECT_EQ(entry.sent_at_ms, content.sent_at_ms);
  EXPECT_EQ(entry.excluded_session, content.excluded_session);
  EXPECT_EQ(entry.from, content.from);
}

}  // namespace

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
  EXPECT_EQ(peer->message_bytes_max(), engine_->message_bytes_max());
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
  const std::string longest_from = absl::StrCat("\"", std::string(kFromBytesMax - 2, 'f'), "\"");
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
      {.kind = Content::Kind::kText, .data = "none excluded again", .sent_at_ms = 8},
      {.kind = Content::Kind::kText, .data = whole, .sent_at_ms = 9, .from = longest_from},
      {.kind = Content::Kind::kText, .data = "nobody again", .sent_at_ms = 10}};
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

}  // namespace groupcast::service::contract
