// Control of several workers on one channel, from the question to its result.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = ControlCommand::Kind;

constexpr absl::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr auto kCode = static_cast<CloseCode>(4900);

// The memory engine as an engine that lacks presence.
class WithoutPresence final : public Channel {
 public:
  explicit WithoutPresence(Channel* channel) : channel_(channel) {}
  void Publish(const Publication& publication, PublishCallback done) override {
    channel_->Publish(publication, std::move(done));
  }
  bool HasRoomFor(const PublicationsSize& size) override { return channel_->HasRoomFor(size); }
  void Subscribe(absl::string_view group_id) override { channel_->Subscribe(group_id); }
  void Unsubscribe(absl::string_view group_id) override { channel_->Unsubscribe(group_id); }
  void FetchHistory(absl::string_view group_id, const Position& after, uint32_t newest,
                    HistoryCallback done) override {
    channel_->FetchHistory(group_id, after, newest, std::move(done));
  }
  bool connected() const override { return channel_->connected(); }
  size_t message_bytes_max() const override { return channel_->message_bytes_max(); }

 private:
  Channel* const channel_;
};

GroupServiceOptions Options(bool asks) {
  TokenKeys keys;
  EXPECT_TRUE(keys.Add(kSecret, /*others_may_access=*/false).ok());
  AccessPolicy::Options policy;
  policy.tokens = std::make_shared<const TokenVerifier>(
      std::move(keys), TokenOptions{.leeway = absl::ZeroDuration()});
  policy.allow_anonymous = true;
  policy.personal_groups = false;
  std::vector<std::pair<std::string, GroupAccess>> rules(1);
  for (std::optional<Whom>& whom : rules[0].second.whom) whom = Whom::kAnyone;
  policy.rules = PrefixMap<GroupAccess>(std::move(rules));
  GroupServiceOptions options;
  options.access.policy = std::make_shared<const AccessPolicy>(std::move(policy));
  // Questions as often as a test wants, each with a fresh answer.
  options.control = {
      .service = "test",
      .worker = 1,
      .asks = asks,
      .questions = {.rate = {.per_second = 1e6, .burst = 1e6}, .share_time = absl::ZeroDuration()}};
  return options;
}

class ControlRoomTest : public testing::Test {
 protected:
  struct Worker {
    Worker(MemoryHub* hub, const Clock* clock, bool asks, bool has_presence = true)
        : service(Options(asks), clock), channel(hub, &service), without_presence(&channel) {
      service.SetChannel(has_presence ? static_cast<Channel*>(&channel) : &without_presence);
      channel.SetConnected(true);
      hub->Pump();
    }
    GroupService service;
    MemoryChannel channel;
    WithoutPresence without_presence;
  };

  std::unique_ptr<FakeMember> Client(Worker* worker, const std::string& group = "",
                                     absl::string_view user = "", bool bare = false) {
    auto client = std::make_unique<FakeMember>(
        ++last_id_, bare ? static_cast<const Encoding*>(&kPlainBareEncoding) : &kPlainV1Encoding,
        &worker->service);
    const std::string token =
        user.empty() ? "" : HmacToken(absl::StrCat(R"({"sub":")", user, R"("})"), kSecret);
    worker->service.Admit(client.get(), worker->service.Identify(client.get(), token));
    if (!group.empty())
      client->Do(absl::StrCat(R"({"cmd":"add_group","group_id":")", group, "\"}"));
    hub_.Pump();
    return client;
  }

  absl::StatusOr<ControlResult> Ask(ControlCommand command) {
    std::optional<absl::StatusOr<ControlResult>> got;
    const absl::StatusOr<uint64_t> question = asker_.service.AskWorkers(
        caller_.get(), std::move(command),
        [&got](absl::StatusOr<ControlResult> result) { got = std::move(result); });
    if (!question.ok()) return question.status();
    hub_.Pump();
    for (int ticks = 0; !got.has_value() && ticks < 30; ++ticks) {
      clock_.Advance(absl::Milliseconds(250));
      asker_.service.CheckDeadlines();
      hub_.Pump();
    }
    return got.has_value() ? *std::move(got) : absl::InternalError("there was no answer");
  }
  // How often the workers do it before one says that it is busy.
  int AskedUntilBusy(const ControlCommand& command) {
    for (int asked = 0; asked < 5'000; ++asked) {
      const absl::Status status = Ask(command).status();
      if (status.ok()) continue;
      EXPECT_TRUE(absl::IsAborted(status)) << status;
      return asked;
    }
    return 5'000;
  }
  ControlResult Result(ControlCommand command) {
    absl::StatusOr<ControlResult> result = Ask(std::move(command));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : ControlResult();
  }
  uint64_t Count(ControlCommand command) {
    const ControlResult result = Result(std::move(command));
    EXPECT_TRUE(result.complete);
    return result.count;
  }
  ControlCommand Groups(absl::string_view prefix = "") {
    return {.kind = Kind::kGroups, .prefix = std::string(prefix), .limit = 100};
  }
  void Publish(absl::string_view group, absl::string_view text) {
    asker_.channel.Publish({.group_id = group, .content = {.data = text}, .key = {}},
                           [](const absl::StatusOr<Position>&) {});
    hub_.Pump();
  }

  FakeClock clock_;
  MemoryHub hub_{kEpoch};
  uint64_t last_id_ = 0;
  Worker asker_{&hub_, &clock_, /*asks=*/true};
  Worker other_{&hub_, &clock_, /*asks=*/false};
  std::unique_ptr<FakeMember> caller_ = Client(&asker_);
};

TEST_F(ControlRoomTest, GroupsOfAllWorkersAreListedWithTheirMembers) {
  const auto a = Client(&asker_, "g");
  const auto b = Client(&other_, "g");
  const auto c = Client(&other_, "h");
  const ControlResult result = Result(Groups());
  EXPECT_TRUE(result.complete);
  EXPECT_THAT(result.list.groups, ElementsAre(ListedGroup{.id = "g", .members = 2},
                                              ListedGroup{.id = "h", .members = 1}));
}

TEST_F(ControlRoomTest, TheRoomItselfIsNoGroupOfTheWorker) {
  EXPECT_EQ(asker_.service.table().group_count(), 0u);
  EXPECT_EQ(other_.service.table().membership_count(), 0u);
  EXPECT_TRUE(Result(Groups()).list.groups.empty());
  EXPECT_EQ(other_.service.counters().messages, 0u);
}

TEST_F(ControlRoomTest, NoClientMayUseAReservedGroup) {
  const auto client = Client(&other_);
  for (const char* command :
       {R"({"cmd":"add_group","id":1,"group_id":"$groupcast.control"})",
        R"({"cmd":"add_group","id":1,"group_id":"$groupcast."})",
        R"({"cmd":"send_to_group","id":1,"group_id":"$groupcast.control","message":1})",
        R"({"cmd":"group_history","id":1,"group_id":"$groupcast.control"})",
        R"({"cmd":"group_members","id":1,"group_id":"$groupcast.control"})"}) {
    client->received.clear();
    client->Do(command);
    ASSERT_EQ(client->received.size(), 1u) << command;
    EXPECT_THAT(client->received[0], HasSubstr(R"("code":"forbidden")")) << command;
  }
}

TEST_F(ControlRoomTest, TheBusiestGroupsHaveTheRateOfTheChannelAndNotOfTheirDeliveries) {
  const auto a = Client(&asker_, "g");
  const auto b = Client(&other_, "g");
  const auto c = Client(&other_, "g");
  const auto d = Client(&other_, "h");
  for (int i = 0; i < 10; ++i) Publish("g", "x");
  for (int i = 0; i < 20; ++i) Publish("h", "x");
  const ControlResult result = Result({.kind = Kind::kBusiest, .limit = 10});
  EXPECT_THAT(result.list.groups,
              ElementsAre(ListedGroup{.id = "h", .members = 1, .messages_per_second = 4},
                          ListedGroup{.id = "g", .members = 3, .messages_per_second = 2}));
}

TEST_F(ControlRoomTest, AConnectionIsClosedWhereverItIs) {
  const auto near = Client(&asker_);
  const auto far = Client(&other_, "g");
  const auto id = static_cast<uint64_t>(far->connection_id());
  EXPECT_EQ(Count({.kind = Kind::kDisconnect, .member = id, .code = kCode, .reason = "bye"}), 1u);
  EXPECT_EQ(far->disconnected, kCode);
  EXPECT_EQ(far->disconnect_reason, "bye");
  EXPECT_EQ(near->disconnected, std::nullopt);
  EXPECT_EQ(Count({.kind = Kind::kDisconnect, .member = 999, .code = kCode}), 0u);
}

TEST_F(ControlRoomTest, AConnectionIsClosedAsAMemberOfAGroupOnlyIfItIsInTheGroup) {
  const auto far = Client(&other_, "g");
  const auto id = static_cast<uint64_t>(far->connection_id());
  EXPECT_EQ(Count({.kind = Kind::kDisconnect, .member = id, .group = "h", .code = kCode}), 0u);
  EXPECT_EQ(far->disconnected, std::nullopt);
  EXPECT_EQ(Count({.kind = Kind::kDisconnect, .member = id, .group = "g", .code = kCode}), 1u);
  EXPECT_EQ(far->disconnected, kCode);
}

TEST_F(ControlRoomTest, AllConnectionsOfAUserAreClosedAndNoOthers) {
  const auto a = Client(&asker_, "", "alice");
  const auto b = Client(&other_, "", "alice");
  const auto c = Client(&other_, "", "bob");
  const auto d = Client(&other_);
  EXPECT_EQ(Count({.kind = Kind::kDisconnect, .user = "alice", .code = kCode}), 2u);
  EXPECT_EQ(a->disconnected, kCode);
  EXPECT_EQ(b->disconnected, kCode);
  EXPECT_EQ(c->disconnected, std::nullopt);
  EXPECT_EQ(d->disconnected, std::nullopt);
}

TEST_F(ControlRoomTest, AMemberIsTakenOutOfItsGroupAndTold) {
  const auto member = Client(&other_, "g");
  const auto bare = Client(&other_, "g", "", /*bare=*/true);
  member->Do(R"({"cmd":"add_group","group_id":"h"})");
  hub_.Pump();
  EXPECT_EQ(Count({.kind = Kind::kExpel,
                   .member = static_cast<uint64_t>(member->connection_id()),
                   .group = "g",
                   .reason = "bye"}),
            1u);
  EXPECT_THAT(member->received,
              ElementsAre(R"({"event":"error","cmd":"add_group","group_id":"g","code":"forbidden",)"
                          R"("message":"the connection has left the group: bye","retry":false})"));
  EXPECT_EQ(member->disconnected, std::nullopt);
  Publish("g", "to g");
  Publish("h", "to h");
  EXPECT_EQ(member->received.size(), 2u);
  EXPECT_THAT(member->received.back(), HasSubstr("to h"));
  EXPECT_THAT(bare->received, ElementsAre("to g"));
  EXPECT_EQ(other_.service.counters().refused, 0u) << "it is no refusal";
  // The last member takes the group with it.
  EXPECT_EQ(Count({.kind = Kind::kExpel,
                   .member = static_cast<uint64_t>(bare->connection_id()),
                   .group = "g",
                   .reason = "bye"}),
            1u);
  EXPECT_EQ(other_.service.table().Find("g"), nullptr);
}

TEST_F(ControlRoomTest, AWorkerThatDoesNotAnswerInTimeMakesTheResultPartial) {
  const auto a = Client(&asker_, "g");
  const auto b = Client(&other_, "g");
  other_.channel.HoldMessages(true);
  const ControlResult partial = Result(Groups());
  EXPECT_FALSE(partial.complete);
  EXPECT_THAT(partial.list.groups, ElementsAre(ListedGroup{.id = "g", .members = 1}));
  other_.channel.HoldMessages(false);
  hub_.Pump();
  EXPECT_TRUE(Result(Groups()).complete);
}

TEST_F(ControlRoomTest, AWorkerThatStartsDoesNotCarryOutOldCommands) {
  EXPECT_EQ(Count({.kind = Kind::kDisconnect, .user = "alice", .code = kCode}), 0u);
  Worker late(&hub_, &clock_, /*asks=*/false);
  const auto alice = Client(&late, "g", "alice");
  EXPECT_EQ(Result(Groups()).list.groups.size(), 1u) << "it takes part";
  EXPECT_EQ(alice->disconnected, std::nullopt);
}

TEST_F(ControlRoomTest, AnswersKeepTheLimitOfMessages) {
  hub_.SetMessageBytesMax(1'024);
  std::vector<std::unique_ptr<FakeMember>> clients;
  // Their list has more bytes than a message.
  for (int i = 0; i < 200; ++i) clients.push_back(Client(&other_, absl::StrCat("group ", 100 + i)));
  std::vector<std::string> ids;
  ControlCommand command = Groups();
  for (int page = 0; page < 200; ++page) {
    const ControlResult result = Result(command);
    ASSERT_TRUE(result.complete);
    for (const ListedGroup& group : result.list.groups) ids.push_back(group.id);
    if (!result.list.is_cut) break;
    command.after = result.list.groups.back().id;
  }
  EXPECT_EQ(ids.size(), 200u);
  EXPECT_EQ(ids.back(), "group 299");
}

TEST_F(ControlRoomTest, MalformedMessagesOfOthersHaveNoEffect) {
  const auto member = Client(&other_, "g");
  for (const char* text : {"", "nonsense", R"({"question":"00","command":"groups"})",
                           R"({"question":"000000000000001f","answers":"g","command":"groups"})"}) {
    Publish(kControlGroup, text);
  }
  EXPECT_TRUE(member->received.empty()) << "an answer went to a group of clients";
  EXPECT_TRUE(Result(Groups()).complete);
}

TEST_F(ControlRoomTest, TooManyListsMakeAWorkerBusyForAMoment) {
  std::vector<std::unique_ptr<FakeMember>> clients;
  for (int i = 0; i < 1'000; ++i) clients.push_back(Client(&other_, absl::StrCat("g", i)));
  EXPECT_EQ(AskedUntilBusy(Groups("none")), 400);
  EXPECT_TRUE(Ask({.kind = Kind::kDisconnect, .user = "nobody", .code = kCode}).ok())
      << "ends have looks of their own";
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(Ask(Groups("none")).ok());
}

TEST_F(ControlRoomTest, EndsThatLookAtManyConnectionsMakeAWorkerBusyForAMoment) {
  std::vector<std::unique_ptr<FakeMember>> clients;
  for (int i = 0; i < 1'000; ++i) clients.push_back(Client(&other_));
  const ControlCommand end = {.kind = Kind::kDisconnect, .user = "nobody", .code = kCode};
  EXPECT_EQ(AskedUntilBusy(end), 400);
  EXPECT_TRUE(Ask(Groups("none")).ok()) << "lists have looks of their own";
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Result(end).count, 0u);
}

TEST_F(ControlRoomTest, TheBytesOfListsHaveARate) {
  std::vector<std::unique_ptr<FakeMember>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(Client(&other_, absl::StrCat("a group with a long name ", 100 + i)));
  }
  // A list has a little more than 3,000 bytes, and there are 256 KiB at once.
  const int asked = AskedUntilBusy(Groups());
  EXPECT_GE(asked, 256 / 4);
  EXPECT_LE(asked, 256 / 3 + 1);
  EXPECT_EQ(Count({.kind = Kind::kDisconnect, .user = "nobody", .code = kCode}), 0u);
  clock_.Advance(absl::Milliseconds(50));  // 3 KiB
  EXPECT_TRUE(Ask(Groups()).ok());
}

TEST_F(ControlRoomTest, WhoSearchesALargeGroupForAMemberIsChargedForItsMembers) {
  std::vector<std::unique_ptr<FakeMember>> clients;
  for (int i = 0; i < 999; ++i) clients.push_back(Client(&other_, "g"));
  EXPECT_EQ(AskedUntilBusy({.kind = Kind::kExpel, .member = 999'999, .group = "g"}), 400);
}

// A busy worker's answers are messages too.
TEST_F(ControlRoomTest, AWorkerSaysThatItIsBusyOnlySoOften) {
  std::vector<std::unique_ptr<FakeMember>> clients;
  for (int i = 0; i < 1'000; ++i) clients.push_back(Client(&other_, absl::StrCat("g", i)));
  EXPECT_EQ(AskedUntilBusy(Groups("none")), 400);
  for (int i = 1; i < 20; ++i) EXPECT_TRUE(absl::IsAborted(Ask(Groups("none")).status()));
  bool has_answer = false;
  ASSERT_TRUE(
      asker_.service
          .AskWorkers(caller_.get(), Groups("none"), [&](const auto&) { has_answer = true; })
          .ok());
  hub_.Pump();
  EXPECT_FALSE(has_answer) << "it says nothing";
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_FALSE(absl::IsAborted(Ask(Groups("none")).status())) << "it has looks again";
}

// After a change of the epoch a message may come again.
TEST_F(ControlRoomTest, AnEndThatComesAgainIsNotCarriedOutAgain) {
  const auto alice = Client(&other_, "", "alice");
  ControlQuestion question = {
      .number = 7,
      .answers = AnswersGroup(9),
      .command = {.kind = Kind::kDisconnect, .user = "alice", .code = kCode, .reason = "x"}};
  const auto ends = [&] {
    alice->disconnected.reset();
    Publish(kControlGroup, FormatQuestion(question));
    return alice->disconnected.has_value();
  };
  EXPECT_TRUE(ends());
  EXPECT_FALSE(ends());
  question.number = 8;
  EXPECT_TRUE(ends());
  question.number = 7;
  EXPECT_FALSE(ends());
  clock_.Advance(absl::Seconds(60));
  EXPECT_TRUE(ends()) << "it is forgotten, so it would be another one with the same number";
}

// The lists of both workers together have more ids than one message.
TEST_F(ControlRoomTest, TheSecondQuestionForTheBusiestKeepsTheLimitOfMessages) {
  hub_.SetMessageBytesMax(1'024);
  std::vector<std::unique_ptr<FakeMember>> clients;
  for (int i = 0; i < 20; ++i) {
    const std::string group = absl::StrCat(100 + i, std::string(100, 'x'));
    clients.push_back(Client(i % 2 == 0 ? &asker_ : &other_, group));
    Publish(group, "x");
  }
  const ControlResult result = Result({.kind = Kind::kBusiest, .limit = 100});
  EXPECT_TRUE(result.complete);
  EXPECT_TRUE(result.list.is_cut);
  EXPECT_EQ(result.list.groups.size(), 5u);
}

TEST_F(ControlRoomTest, WithoutAConnectionTheWorkersAreNotKnown) {
  asker_.channel.SetConnected(false);
  EXPECT_TRUE(absl::IsUnavailable(Ask(Groups()).status()));
  asker_.channel.SetConnected(true);
  hub_.Pump();
  EXPECT_TRUE(Ask(Groups()).ok());
}

// A watch costs frames between the server and all workers.
TEST_F(ControlRoomTest, TheWorkersAreWatchedOnlyWhileSomebodyAsks) {
  const auto is_watched = [this] {
    return asker_.channel.presence()->View(kControlGroup) != nullptr;
  };
  EXPECT_FALSE(is_watched());
  EXPECT_TRUE(Result(Groups()).complete);
  clock_.Advance(absl::Seconds(29));
  asker_.service.CheckDeadlines();
  EXPECT_TRUE(is_watched());
  EXPECT_TRUE(Result(Groups()).complete);
  clock_.Advance(absl::Seconds(29));
  asker_.service.CheckDeadlines();
  EXPECT_TRUE(is_watched());
  clock_.Advance(absl::Seconds(1));
  asker_.service.CheckDeadlines();
  EXPECT_FALSE(is_watched());
  EXPECT_TRUE(Result(Groups()).complete) << "it watches again";
}

TEST_F(ControlRoomTest, AWorkerThatEndsFailsItsQuestions) {
  other_.channel.HoldMessages(true);
  std::vector<absl::Status> ends;
  ASSERT_TRUE(asker_.service
                  .AskWorkers(caller_.get(), Groups(),
                              [&](const auto& result) { ends.push_back(result.status()); })
                  .ok());
  hub_.Pump();
  asker_.service.GiveUp();
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(ends[0]));
  EXPECT_TRUE(absl::IsUnavailable(Ask(Groups()).status())) << "no further ones";
}

TEST_F(ControlRoomTest, WithoutPresenceThereIsNoControlAndEverythingElseWorks) {
  Worker alone(&hub_, &clock_, /*asks=*/true, /*has_presence=*/false);
  const auto member = Client(&alone, "g", "", /*bare=*/true);
  const absl::StatusOr<uint64_t> asked =
      alone.service.AskWorkers(member.get(), Groups(), [](const auto&) { FAIL(); });
  EXPECT_TRUE(absl::IsUnavailable(asked.status()));
  Publish("g", "x");
  EXPECT_THAT(member->received, ElementsAre("x"));
}

TEST_F(ControlRoomTest, AWorkerThatOnlyAnswersDoesNotAsk) {
  const auto member = Client(&other_);
  const absl::StatusOr<uint64_t> asked =
      other_.service.AskWorkers(member.get(), Groups(), [](const auto&) { FAIL(); });
  EXPECT_TRUE(absl::IsUnavailable(asked.status()));
}

}  // namespace
}  // namespace groupcast::service
