// Presence (services/channel/presence.h), of engines that have it.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/channel/contract/channel_contract.h"
#include "services/channel/presence.h"

namespace groupcast::service::contract {
namespace {

using Ids = std::set<uint64_t>;

// A process with members, and a user of views. It checks that views change by events alone.
class Observer final : private ChannelListener, private PresenceListener {
 public:
  explicit Observer(EngineUnderTest* engine) : channel_(engine->Open(this)) {
    if (presence() != nullptr) presence()->SetListener(this);
  }

  Presence* presence() { return channel_->presence(); }
  bool connected() const { return channel_->connected(); }
  void Close() { channel_ = nullptr; }

  void Join(const std::string& group_id, uint64_t id) {
    members_[group_id].insert(id);
    In([&] { presence()->OnJoin(group_id, id); });
  }
  void Leave(const std::string& group_id, uint64_t id) {
    members_[group_id].erase(id);
    In([&] { presence()->OnLeave(group_id, id, /*connection_lost=*/false); });
  }
  void Watch(const std::string& group_id) {
    In([&] { presence()->Watch(group_id); });
  }
  void Unwatch(const std::string& group_id) {
    In([&] { presence()->Unwatch(group_id); });
    told_.erase(group_id);
  }

  // Whether the view is complete and has these members.
  bool Sees(const std::string& group_id, const Ids& ids) {
    const PresenceView* const view = presence()->View(group_id);
    if (view == nullptr) return false;
    Ids seen;
    for (const auto& [id, member] : *view) {
      EXPECT_EQ(id, member.connection_id);
      seen.insert(id);
    }
    return seen == ids;
  }
  bool complete(const std::string& group_id) { return presence()->View(group_id) != nullptr; }

  int joins = 0;
  int leaves = 0;

 private:
  template <typename Call>
  void In(Call call) {
    in_call_ = true;
    call();
    in_call_ = false;
  }
  void CheckCall() { EXPECT_FALSE(in_call_) << "a listener is called from inside a call"; }

  std::vector<uint64_t> MembersOf(absl::string_view group_id) override {
    CheckCall();
    const Ids& ids = members_[std::string(group_id)];
    return {ids.begin(), ids.end()};
  }
  std::optional<PresentMember> FindMember(absl::string_view group_id, uint64_t id) override {
    CheckCall();
    if (!members_[std::string(group_id)].contains(id)) return std::nullopt;
    return PresentMember{.connection_id = id,
                         .user = absl::StrCat("user ", id),
                         .info = absl::StrCat("{\"n\":", id, "}"),
                         .since_ms = 1'000};
  }
  // The members that this observer knows by the view at its first completion and the events.
  void OnViewComplete(absl::string_view group_id) override {
    CheckCall();
    const PresenceView* const view = presence()->View(group_id);
    ASSERT_NE(view, nullptr);
    Ids now;
    for (const auto& [id, member] : *view) now.insert(id);
    const auto [told, is_first] = told_.emplace(group_id, now);
    EXPECT_EQ(told->second, now) << "the view has changed without an event";
  }
  void OnMemberJoined(absl::string_view group_id, const PresentMember& member) override {
    CheckCall();
    ++joins;
    const auto told = told_.find(std::string(group_id));
    ASSERT_NE(told, told_.end()) << "an event before the view, or after Unwatch";
    EXPECT_TRUE(told->second.insert(member.connection_id).second) << "it joins twice";
    EXPECT_EQ(member.user, absl::StrCat("user ", member.connection_id));
    EXPECT_EQ(member.info, absl::StrCat("{\"n\":", member.connection_id, "}"));
    EXPECT_EQ(member.since_ms, 1'000);
  }
  void OnMemberLeft(absl::string_view group_id, const PresentMember& member) override {
    CheckCall();
    ++leaves;
    const auto told = told_.find(std::string(group_id));
    ASSERT_NE(told, told_.end()) << "an event before the view, or after Unwatch";
    EXPECT_EQ(told->second.erase(member.connection_id), 1u) << "it leaves, but was not there";
  }
  void OnWatchRefused(absl::string_view group_id, const absl::Status& why) override {
    ADD_FAILURE() << group_id << " is refused: " << why;
  }

  void OnSubscribed(absl::string_view, const Position&) override {}
  void OnMessage(const Message&) override {}
  void OnGap(absl::string_view, const Gap&) override {}
  void OnConnectionState(bool) override {}
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status&) override {}

  std::map<std::string, Ids> members_;
  std::map<std::string, Ids> told_;
  bool in_call_ = false;
  std::unique_ptr<Channel> channel_;
};

std::unique_ptr<Observer> Open(EngineUnderTest* engine) {
  auto observer = std::make_unique<Observer>(engine);
  EXPECT_TRUE(engine->RunUntil([&] { return observer->connected(); }));
  EXPECT_NE(observer->presence(), nullptr);
  return observer;
}

}  // namespace

TEST_P(PresenceContractTest, AViewHasTheMembersOfAllChannels) {
  const auto a = Open(engine_.get());
  const auto b = Open(engine_.get());
  a->Join("g", 1);
  b->Join("g", 2);
  b->Join("h", 3);
  a->Watch("g");
  EXPECT_FALSE(a->complete("g")) << "it cannot be complete at once";
  EXPECT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2}); }));
  EXPECT_EQ(a->joins, 0) << "those that were there do not join";
}

TEST_P(PresenceContractTest, AGroupWithoutMembersHasACompleteViewToo) {
  const auto a = Open(engine_.get());
  a->Watch("g");
  EXPECT_TRUE(RunUntil([&] { return a->Sees("g", {}); }));
}

TEST_P(PresenceContractTest, JoinsAndLeavesAreToldToAllWatchers) {
  const auto a = Open(engine_.get());
  const auto b = Open(engine_.get());
  a->Watch("g");
  b->Watch("g");
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {}) && b->Sees("g", {}); }));
  a->Join("g", 1);
  b->Join("g", 2);
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2}) && b->Sees("g", {1, 2}); }));
  EXPECT_EQ(a->joins + b->joins, 4);
  a->Leave("g", 1);
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {2}) && b->Sees("g", {2}); }));
  EXPECT_EQ(a->leaves + b->leaves, 2);
}

TEST_P(PresenceContractTest, AMemberMayJoinAgain) {
  const auto a = Open(engine_.get());
  const auto b = Open(engine_.get());
  a->Watch("g");
  ASSERT_TRUE(RunUntil([&] { return a->complete("g"); }));
  for (int i = 0; i < 5; ++i) {
    b->Join("g", 1);
    b->Leave("g", 1);
  }
  b->Join("g", 1);
  b->Join("g", 2);
  EXPECT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2}); }));
}

TEST_P(PresenceContractTest, AnEndedWatchIsToldNothing) {
  const auto a = Open(engine_.get());
  const auto b = Open(engine_.get());
  a->Watch("g");
  b->Watch("g");
  ASSERT_TRUE(RunUntil([&] { return a->complete("g") && b->complete("g"); }));
  a->Unwatch("g");
  EXPECT_FALSE(a->complete("g"));
  b->Join("g", 1);
  ASSERT_TRUE(RunUntil([&] { return b->Sees("g", {1}); }));
  EXPECT_EQ(a->joins, 0);
  a->Watch("g");
  EXPECT_TRUE(RunUntil([&] { return a->Sees("g", {1}); })) << "a later watch begins anew";
}

TEST_P(PresenceContractTest, TheMembersOfADestroyedChannelLeave) {
  const auto a = Open(engine_.get());
  const auto b = Open(engine_.get());
  a->Join("g", 1);
  b->Join("g", 2);
  a->Watch("g");
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2}); }));
  b->Close();
  EXPECT_TRUE(RunUntil([&] { return a->Sees("g", {1}); }));
}

TEST_P(PresenceContractTest, AfterALostConnectionOnlyTheDifferenceIsTold) {
  const auto a = Open(engine_.get());
  const auto b = Open(engine_.get());
  a->Join("g", 1);
  b->Join("g", 2);
  b->Join("g", 3);
  a->Watch("g");
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2, 3}); }));
  engine_->Disconnect();
  ASSERT_TRUE(RunUntil([&] { return !a->connected() && !b->connected(); }));
  EXPECT_FALSE(a->complete("g")) << "it may be out of date";
  b->Leave("g", 3);
  b->Join("g", 4);
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2, 4}); }));
  EXPECT_EQ(a->joins, 1);
  EXPECT_EQ(a->leaves, 1);
}

TEST_P(PresenceContractTest, ARestartOfTheServerChangesNoView) {
  const auto a = Open(engine_.get());
  const auto b = Open(engine_.get());
  a->Join("g", 1);
  b->Join("g", 2);
  a->Watch("g");
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2}); }));
  engine_->Disconnect();
  ASSERT_TRUE(RunUntil([&] { return !a->connected() && !b->connected(); }));
  engine_->LoseEverything();
  engine_->Reconnect();
  ASSERT_TRUE(RunUntil([&] { return a->Sees("g", {1, 2}); }));
  EXPECT_EQ(a->joins, 0);
  EXPECT_EQ(a->leaves, 0);
}

}  // namespace groupcast::service::contract
