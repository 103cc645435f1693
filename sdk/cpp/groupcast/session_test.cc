#include "groupcast/session.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "groupcast/members_view.h"
#include "groupcast/status.h"

namespace groupcast {
namespace {

using absl::StatusCode;

// Notes all that the application hears, as lines. Time stands still unless a test moves it.
class SessionTest : public testing::Test {
 protected:
  static std::string Show(const absl::StatusOr<Position>& result) {
    if (result.ok()) return absl::StrCat(result->epoch, ":", result->offset);
    const std::string word = ErrorWord(result.status());
    return word.empty() ? absl::StatusCodeToString(result.status().code()) : word;
  }

  absl::Status Join(const std::string& group_id, const JoinOptions& options = {}) {
    auto callbacks = std::make_shared<GroupCallbacks>();
    callbacks->on_message = [this](const Message& m) {
      heard_.push_back(absl::StrCat(m.group_id, " message ", m.json, " ", m.epoch, ":", m.offset));
    };
    callbacks->on_join = [this, group_id](const absl::StatusOr<Joined>& result) {
      heard_.push_back(absl::StrCat(group_id, " join ",
                                    result.ok() ? Show(result->position) : Show(result.status()),
                                    !result.ok() || result->recovered ? "" : " not recovered"));
    };
    callbacks->on_gap = [this](const Gap& gap) {
      heard_.push_back(absl::StrCat(gap.group_id, " gap ",
                                    gap.from ? absl::StrCat(*gap.from) : "null", " to ", gap.epoch,
                                    ":", gap.to));
    };
    callbacks->on_end = [this, group_id](const absl::Status& why) {
      if (hears_ends_) heard_.push_back(absl::StrCat(group_id, " end ", Show(why)));
    };
    return session_.Join(group_id, options, std::move(callbacks));
  }

  absl::Status Send(const std::string& message, const SendOptions& options = {}) {
    return session_.Send("g", message, options,
                         [this, message](const absl::StatusOr<Position>& result) {
                           heard_.push_back(absl::StrCat("sent ", message, " ", Show(result)));
                         });
  }

  absl::Status History(const HistoryOptions& options = {}) {
    return session_.History("g", options, [this](const absl::StatusOr<GroupHistory>& result) {
      if (!result.ok()) return heard_.push_back("history " + Show(result.status()));
      heard_.push_back(
          absl::StrCat("history to ", Show(result->head), result->recovered ? " recovered:" : ":"));
      for (const Message& m : result->messages) {
        heard_.push_back(absl::StrCat(m.group_id, " ", m.json, " ", Show(m.position())));
      }
    });
  }

  static Member MemberOf(const std::string& id) { return {id, "", "", absl::UnixEpoch()}; }

  // Shows the ids of all members, of those that have come and of those that have gone.
  MembersListener ShowMembers(const std::string& group_id) {
    return [this, group_id](const absl::StatusOr<MembersUpdate>& update) {
      if (!update.ok()) return heard_.push_back(group_id + " members " + Show(update.status()));
      const auto id = [](std::string* out, const Member& member) {
        absl::StrAppend(out, member.connection_id);
      };
      std::vector<Member> all;
      for (const auto& [key, member] : update->members) all.push_back(member);
      heard_.push_back(absl::StrCat(group_id, " members ", absl::StrJoin(all, ",", id), " +",
                                    absl::StrJoin(update->joined, ",", id), " -",
                                    absl::StrJoin(update->left, ",", id)));
    };
  }

  // Joins a group whose members the application follows.
  void JoinedWithMembers(const std::string& group_id, Position position) {
    auto callbacks = std::make_shared<GroupCallbacks>();
    callbacks->on_message = [](const Message&) {};
    callbacks->on_members = ShowMembers(group_id);
    ASSERT_EQ(session_.Join(group_id, {}, std::move(callbacks)), absl::OkStatus());
    const std::string frame = WrittenFrame("add_group", group_id);
    EXPECT_TRUE(absl::StrContains(frame, R"("presence":true)")) << frame;
    Reply(IdOf(frame), std::move(position));
  }

  // Answers the page of a view that the session asks for.
  void AnswerPage(const std::string& group_id, const std::vector<std::string>& ids,
                  std::optional<std::string> next = std::nullopt) {
    TakePage(Written("group_members", group_id), ids, std::move(next));
  }
  void TakePage(CommandId id, const std::vector<std::string>& ids,
                std::optional<std::string> next = std::nullopt) {
    ReplyEvent reply;
    reply.id = id;
    reply.count = ids.size();
    reply.members.emplace();
    for (const std::string& member : ids) reply.members->push_back(MemberOf(member));
    reply.next = std::move(next);
    Take(std::move(reply));
  }

  void TakeMember(const std::string& group_id, bool joined, const std::string& id) {
    Take(MemberEvent{group_id, joined, MemberOf(id)});
  }

  // The next frame, which must be `command` of `group_id`.
  std::string WrittenFrame(absl::string_view command, absl::string_view group_id) {
    const std::optional<std::string> frame = session_.NextFrame(now_);
    const std::string begin =
        absl::StrCat(R"({"cmd":")", command, R"(","group_id":")", group_id, R"(")");
    if (!frame.has_value() || frame->substr(0, begin.size()) != begin) {
      ADD_FAILURE() << "not " << command << " but " << frame.value_or("nothing");
      return "";
    }
    return *frame;
  }

  static CommandId IdOf(const std::string& frame) {
    const size_t id = frame.rfind(R"("id":)");
    return CommandId{id == std::string::npos ? 0 : std::stoull(frame.substr(id + 5))};
  }

  // The same, its id.
  CommandId Written(absl::string_view command, absl::string_view group_id) {
    return IdOf(WrittenFrame(command, group_id));
  }

  // The next frame must be the join of `group_id` from `since`; its id.
  CommandId Rejoins(absl::string_view group_id, const Position& since) {
    const std::string frame = WrittenFrame("add_group", group_id);
    const std::string expected =
        absl::StrCat(R"("since":{"epoch":")", since.epoch, R"(","offset":)", since.offset, "}");
    EXPECT_TRUE(absl::StrContains(frame, expected)) << frame;
    return IdOf(frame);
  }

  // A send is written, and refused for the moment.
  void IsUnavailable() { Refuse(Written("send_to_group", "g"), "unavailable", true); }

  void Reconnect() {
    session_.OnDisconnected();
    Take(WelcomeEvent{});
  }

  void Advance(absl::Duration time) {
    now_ += time;
    session_.OnTimer(now_);
  }

  // Lets the time come for which the session waits.
  void AdvanceToDeadline() {
    ASSERT_LT(session_.next_deadline(), absl::InfiniteFuture());
    Advance(session_.next_deadline() - now_);
  }

  void Reply(CommandId id, Position position, std::optional<bool> recovered = std::nullopt) {
    Take(ReplyEvent{id, std::move(position), recovered});
  }
  void Refuse(CommandId id, std::string word, bool retry) {
    Take(ErrorEvent{id, {std::move(word), "no", retry}});
  }
  void Deliver(const std::string& group_id, uint64_t previous, uint64_t offset,
               bool excluded = false) {
    Message message;
    message.group_id = group_id;
    message.json = "1";
    message.previous = previous;
    message.offset = offset;
    Take(MessageEvent{std::move(message), excluded});
  }
  void Take(Event event) { EXPECT_EQ(session_.OnEvent(std::move(event), now_), absl::OkStatus()); }

  void JoinedAt(const std::string& group_id, Position position) {
    ASSERT_EQ(Join(group_id), absl::OkStatus());
    Reply(Written("add_group", group_id), std::move(position));
    Hear();
  }

  std::string Hear() {
    while (const std::function<void()> run = session_.NextCallback()) run();
    return absl::StrJoin(std::exchange(heard_, {}), "\n");
  }

  std::vector<std::string> heard_;
  bool hears_ends_ = false;
  absl::Time now_ = absl::UnixEpoch();
  Session session_{{"session", "k-"}, {/*queue_bytes_max=*/1000, /*groups_max=*/3}};
};

TEST_F(SessionTest, NothingIsWrittenBeforeTheWelcome) {
  ASSERT_EQ(Join("g"), absl::OkStatus());
  ASSERT_EQ(Send("1"), absl::OkStatus());
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  Take(WelcomeEvent{});
  Written("add_group", "g");
}

TEST_F(SessionTest, TheFirstEventMustBeTheWelcomeAndTheOnlyOne) {
  EXPECT_EQ(session_.OnEvent(UnknownEvent{}, now_).code(), StatusCode::kInternal);
  Take(WelcomeEvent{});
  EXPECT_EQ(session_.OnEvent(WelcomeEvent{}, now_).code(), StatusCode::kInternal);
}

TEST_F(SessionTest, JoinReplyComesBeforeMessages) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Reply(Written("add_group", "g"), {"e", 7});
  Deliver("g", 7, 9);
  EXPECT_EQ(Hear(), "g join e:7\ng message 1 e:9");
}

TEST_F(SessionTest, DuplicatesAreDropped) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 5, 7);
  Deliver("g", 7, 8);
  Deliver("g", 7, 8);
  EXPECT_EQ(Hear(), "g message 1 e:8");
}

TEST_F(SessionTest, AHoleInTheChainIsAGapAndDeliveryGoesOn) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 10, 12);
  Deliver("g", 12, 13);
  EXPECT_EQ(Hear(), "g gap 7 to e:10\ng message 1 e:12\ng message 1 e:13");
}

TEST_F(SessionTest, APredecessorBelowThePositionIsAnotherHistory) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 3, 12);
  EXPECT_EQ(Hear(), "g gap null to e:3\ng message 1 e:12");
}

TEST_F(SessionTest, GapEventMovesThePositionAndTheEpoch) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 70});
  Take(GapEvent{{"g", "f", std::nullopt, 5}});
  Deliver("g", 5, 6);
  EXPECT_EQ(Hear(), "g gap null to f:5\ng message 1 f:6");
}

// A server that tells a gap knows less of what this member has than the member itself.
TEST_F(SessionTest, AGapBeginsAtThePositionWhateverTheServerSays) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Take(GapEvent{{"g", "e", 9, 12}});
  Take(GapEvent{{"g", "e", 3, 12}});
  Take(GapEvent{{"g", "e", 3, 15}});
  EXPECT_EQ(Hear(), "g gap 7 to e:12\ng gap 12 to e:15");
}

TEST_F(SessionTest, AGapIntoAnotherEpochHasNoBeginning) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Take(GapEvent{{"g", "f", 7, 12}});
  EXPECT_EQ(Hear(), "g gap null to f:12");
}

TEST_F(SessionTest, AGapWithoutABeginningMayGoBack) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 70});
  Take(GapEvent{{"g", "e", std::nullopt, 5}});
  Deliver("g", 5, 6);
  EXPECT_EQ(Hear(), "g gap null to e:5\ng message 1 e:6");
}

TEST_F(SessionTest, ExcludedMessagesMoveThePositionAndAreNotShown) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 7, 8, /*excluded=*/true);
  Deliver("g", 8, 9);
  EXPECT_EQ(Hear(), "g message 1 e:9");
  Deliver("g", 9, 10, /*excluded=*/true);
  EXPECT_EQ(Hear(), "");
  Reconnect();
  Rejoins("g", {"e", 10});
}

TEST_F(SessionTest, AHoleBeforeAnExcludedMessageIsAGapToo) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 8, 9, /*excluded=*/true);
  EXPECT_EQ(Hear(), "g gap 7 to e:8");
}

TEST_F(SessionTest, AReplyToASendDoesNotMoveThePosition) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Reply(Written("send_to_group", "g"), {"e", 9});
  Deliver("g", 7, 8);
  Deliver("g", 8, 9);
  EXPECT_EQ(Hear(), "sent 1 e:9\ng message 1 e:8\ng message 1 e:9");
}

TEST_F(SessionTest, RejoinsAllGroupsFirstAndSendsOnlyAfterTheirReplies) {
  Take(WelcomeEvent{});
  JoinedAt("a", {"e", 1});
  JoinedAt("b", {"e", 2});
  session_.OnDisconnected();
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Take(WelcomeEvent{});
  const CommandId a = Written("add_group", "a");
  const CommandId b = Written("add_group", "b");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  Reply(a, {"e", 1});
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  Refuse(b, "unavailable", true);
  Written("send_to_group", "g");
  EXPECT_EQ(Hear(), "a join e:1\nb join unavailable");
}

TEST_F(SessionTest, LeavingTheLastUnansweredGroupLetsSendsGo) {
  ASSERT_EQ(Join("g"), absl::OkStatus());
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Take(WelcomeEvent{});
  Written("add_group", "g");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  session_.Leave("g");
  Written("send_to_group", "g");
  Written("leave_group", "g");
}

TEST_F(SessionTest, AReconnectGoesOnFromThePosition) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 7, 9);
  Reconnect();
  Reply(Rejoins("g", {"e", 9}), {"e", 9}, true);
  Deliver("g", 9, 10);
  EXPECT_EQ(Hear(), "g message 1 e:9\ng join e:9\ng message 1 e:10");
}

TEST_F(SessionTest, AGapMovesThePositionFromWhichAReconnectGoesOn) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Take(GapEvent{{"g", "f", std::nullopt, 5}});
  Reconnect();
  Rejoins("g", {"f", 5});
}

TEST_F(SessionTest, WhatCannotBeRecoveredIsAGap) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Reconnect();
  Reply(Rejoins("g", {"e", 7}), {"e", 90}, false);
  Deliver("g", 90, 91);
  EXPECT_EQ(Hear(), "g join e:90 not recovered\ng gap 7 to e:90\ng message 1 e:91");
}

TEST_F(SessionTest, ANewEpochInTheRejoinReplyIsAGapWithoutABeginning) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 700});
  Reconnect();
  Reply(Written("add_group", "g"), {"f", 9}, false);
  Deliver("g", 9, 10);
  EXPECT_EQ(Hear(), "g join f:9 not recovered\ng gap null to f:9\ng message 1 f:10");
}

// What follows would otherwise be dropped as seen before, without a word.
TEST_F(SessionTest, AHeadBelowThePositionIsFollowedBackWithAGap) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 700});
  Reconnect();
  Reply(Rejoins("g", {"e", 700}), {"e", 9}, false);
  Deliver("g", 9, 10);
  EXPECT_EQ(Hear(), "g join e:9 not recovered\ng gap null to e:9\ng message 1 e:10");
}

TEST_F(SessionTest, ARecoveryThatBeginsElsewhereThanAskedIsNone) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Reconnect();
  Reply(Rejoins("g", {"e", 7}), {"e", 9}, true);
  EXPECT_EQ(Hear(), "g join e:9 not recovered\ng gap 7 to e:9");
  Reconnect();
  Reply(Rejoins("g", {"e", 9}), {"f", 9}, true);
  EXPECT_EQ(Hear(), "g join f:9 not recovered\ng gap null to f:9");
}

// A worker of a version that knows no `since` answers with where it is.
TEST_F(SessionTest, AReplyThatDoesNotSayWhetherItRecoveredIsJudgedByItsPosition) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Reconnect();
  Reply(Rejoins("g", {"e", 7}), {"e", 7});
  EXPECT_EQ(Hear(), "g join e:7");
  Reconnect();
  Reply(Rejoins("g", {"e", 7}), {"e", 9});
  EXPECT_EQ(Hear(), "g join e:9 not recovered\ng gap 7 to e:9");
  Reconnect();
  Reply(Rejoins("g", {"e", 9}), {"e", 8});
  Deliver("g", 8, 9);
  Deliver("g", 9, 10);
  EXPECT_EQ(Hear(), "g join e:9\ng message 1 e:10");
}

TEST_F(SessionTest, ACutBetweenAJoinAndItsReplyAsksForTheSameAgain) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g", {.history = 20}), absl::OkStatus());
  const CommandId first = Written("add_group", "g");
  Reconnect();
  const std::string frame = WrittenFrame("add_group", "g");
  EXPECT_TRUE(absl::StrContains(frame, R"("history":20)")) << frame;
  Take(ReplyEvent{first, Position{"e", 1}});  // Of no command of this connection.
  EXPECT_EQ(Hear(), "");
  Reply(IdOf(frame), {"e", 7});
  Deliver("g", 7, 8);
  EXPECT_EQ(Hear(), "g join e:7\ng message 1 e:8");

  Reconnect();
  Rejoins("g", {"e", 8});
  Reconnect();
  Reply(Rejoins("g", {"e", 8}), {"e", 8}, true);
  EXPECT_EQ(Hear(), "g join e:8");
}

TEST_F(SessionTest, ACutDuringRecoveryGoesOnFromWhatHasCome) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Reconnect();
  Reply(Rejoins("g", {"e", 7}), {"e", 7}, true);
  Deliver("g", 7, 8);
  Reconnect();
  Reply(Rejoins("g", {"e", 8}), {"e", 8}, true);
  Deliver("g", 8, 9);
  EXPECT_EQ(Hear(), "g join e:7\ng message 1 e:8\ng join e:8\ng message 1 e:9");
}

TEST_F(SessionTest, ARefusedRejoinKeepsThePosition) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Reconnect();
  Refuse(Rejoins("g", {"e", 7}), "unavailable", true);
  Deliver("g", 7, 8);  // Not a member: this is about nothing.
  session_.RetryJoins();
  Reply(Rejoins("g", {"e", 7}), {"e", 7}, true);
  Deliver("g", 7, 8);
  EXPECT_EQ(Hear(), "g join unavailable\ng join e:7\ng message 1 e:8");
}

TEST_F(SessionTest, LeaveDuringRecoveryEndsIt) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Reconnect();
  const CommandId rejoin = Rejoins("g", {"e", 7});
  session_.Leave("g");
  Written("leave_group", "g");
  Reply(rejoin, {"e", 7}, true);
  Deliver("g", 7, 8);
  EXPECT_EQ(Hear(), "");

  ASSERT_EQ(Join("g"), absl::OkStatus());
  const std::string again = WrittenFrame("add_group", "g");
  EXPECT_FALSE(absl::StrContains(again, "since")) << "a new membership has no past: " << again;
  Deliver("g", 8, 9);  // Of the recovery that ends with leave_group.
  Reply(IdOf(again), {"e", 20});
  Deliver("g", 20, 21);
  EXPECT_EQ(Hear(), "g join e:20\ng message 1 e:21");
}

TEST_F(SessionTest, AJoinMayBeginAtAPositionThatWasKept) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g", {.since = Position{"e", 7}}), absl::OkStatus());
  Reply(Rejoins("g", {"e", 7}), {"e", 7}, true);
  Deliver("g", 6, 7);
  Deliver("g", 7, 8);
  EXPECT_EQ(Hear(), "g join e:7\ng message 1 e:8");

  ASSERT_EQ(Join("h", {.since = Position{"e", 7}}), absl::OkStatus());
  Reply(Rejoins("h", {"e", 7}), {"f", 3}, false);
  EXPECT_EQ(Hear(), "h join f:3 not recovered\nh gap null to f:3");
}

TEST_F(SessionTest, AJoinWithHistoryBeginsBeforeIt) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g", {.history = 2}), absl::OkStatus());
  Reply(Written("add_group", "g"), {"e", 7});
  Deliver("g", 7, 8);
  Deliver("g", 8, 9);
  EXPECT_EQ(Hear(), "g join e:7\ng message 1 e:8\ng message 1 e:9");
  Reconnect();
  Rejoins("g", {"e", 9});
}

TEST_F(SessionTest, SendsHaveAKeyThatNoOtherHas) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2", {.exclude_self = true}), absl::OkStatus());
  const std::string first = WrittenFrame("send_to_group", "g");
  const std::string second = WrittenFrame("send_to_group", "g");
  EXPECT_EQ(first, R"({"cmd":"send_to_group","group_id":"g","message":1,"key":"k-1","id":1})");
  EXPECT_EQ(
      second,
      R"({"cmd":"send_to_group","group_id":"g","message":2,"exclude_self":true,"key":"k-2","id":2})");
}

// A client that comes back must not ask for more answers at once than the server queues for it.
TEST_F(SessionTest, SoManyAreWrittenAndNotAnsweredAtATime) {
  Session session({"session", "k-"},
                  {.queue_bytes_max = 1000, .groups_max = 3, .in_flight_max = 2});
  ASSERT_TRUE(session.OnEvent(WelcomeEvent{}, now_).ok());
  for (const char* message : {"1", "2", "3", "4"}) {
    ASSERT_TRUE(session.Send("g", message, {}, [](const absl::StatusOr<Position>&) {}).ok());
  }
  const std::optional<std::string> first = session.NextFrame(now_);
  const std::optional<std::string> second = session.NextFrame(now_);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(session.NextFrame(now_), std::nullopt);
  // An answer makes room for one, whatever it is.
  ASSERT_TRUE(
      session.OnEvent(ReplyEvent{.id = IdOf(*second), .position = Position{"e", 1}}, now_).ok());
  EXPECT_NE(session.NextFrame(now_), std::nullopt);
  EXPECT_EQ(session.NextFrame(now_), std::nullopt);
  ASSERT_TRUE(
      session
          .OnEvent(ErrorEvent{.id = IdOf(*first), .error = {.word = "unavailable", .retry = true}},
                   now_)
          .ok());
  EXPECT_NE(session.NextFrame(now_), std::nullopt);
  EXPECT_EQ(session.NextFrame(now_), std::nullopt);
  // Another connection begins with the same number.
  session.OnDisconnected();
  ASSERT_TRUE(session.OnEvent(WelcomeEvent{}, now_).ok());
  EXPECT_EQ(session.NextFrame(now_), first);
  EXPECT_NE(session.NextFrame(now_), std::nullopt);
  EXPECT_EQ(session.NextFrame(now_), std::nullopt);
}

TEST_F(SessionTest, AfterACutWrittenSendsAreWrittenAgainAsTheyWereBeforeTheOthers) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 0});
  for (const char* message : {"1", "2", "3"}) ASSERT_EQ(Send(message), absl::OkStatus());
  const std::string first = WrittenFrame("send_to_group", "g");
  const std::string second = WrittenFrame("send_to_group", "g");
  session_.OnDisconnected();
  ASSERT_EQ(Send("4"), absl::OkStatus());
  EXPECT_EQ(Hear(), "");
  Take(WelcomeEvent{});
  const CommandId join = Rejoins("g", {"e", 0});
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  Reply(join, {"e", 0}, true);
  EXPECT_EQ(session_.NextFrame(now_), first);
  EXPECT_EQ(session_.NextFrame(now_), second);
  Reply(Written("send_to_group", "g"), {"e", 3});
  Reply(Written("send_to_group", "g"), {"e", 4});
  Reply(IdOf(second), {"e", 2});
  Reply(IdOf(first), {"e", 1});
  EXPECT_EQ(Hear(), "g join e:0\nsent 3 e:3\nsent 4 e:4\nsent 2 e:2\nsent 1 e:1");
  EXPECT_EQ(session_.queue_bytes(), 0u);
}

TEST_F(SessionTest, OrderIsKeptOverManyCuts) {
  for (const char* message : {"1", "2", "3"}) ASSERT_EQ(Send(message), absl::OkStatus());
  for (int written = 0; written <= 3; ++written) {
    Take(WelcomeEvent{});
    for (uint64_t id = 1; id <= static_cast<uint64_t>(written); ++id) {
      EXPECT_EQ(Written("send_to_group", "g"), CommandId{id});
    }
    session_.OnDisconnected();
  }
}

TEST_F(SessionTest, ASecondReplyIsIgnored) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Written("send_to_group", "g");
  Reconnect();
  const CommandId again = Written("send_to_group", "g");
  Reply(again, {"e", 1});
  Reply(again, {"e", 1});
  Refuse(again, "unavailable", true);
  EXPECT_EQ(Hear(), "sent 1 e:1");
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
}

TEST_F(SessionTest, AnAcknowledgementDuringTheBackoffCounts) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  const CommandId id = Written("send_to_group", "g");
  Refuse(id, "outcome_unknown", true);
  Refuse(id, "unavailable", true);  // Answers nothing that is in flight.
  Reply(id, {"e", 1});
  EXPECT_EQ(Hear(), "sent 1 e:1");
  Advance(absl::Seconds(10));
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
}

TEST_F(SessionTest, ARefusalForTheMomentIsTriedAgainWithBackoff) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  std::string frame = WrittenFrame("send_to_group", "g");
  const std::string key = frame.substr(frame.find("\"key\""));
  absl::Duration backoff = kResendBackoffMin;
  for (const char* word : {"unavailable", "outcome_unknown", "internal", "word_of_a_newer_server",
                           "rate_limited", "unavailable", "unavailable"}) {
    Refuse(IdOf(frame), word, true);
    const absl::Duration wait = session_.next_deadline() - now_;
    EXPECT_GE(wait, backoff / 2) << word;
    EXPECT_LE(wait, backoff) << word;
    EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
    Advance(wait - absl::Nanoseconds(1));
    EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
    AdvanceToDeadline();
    frame = WrittenFrame("send_to_group", "g");
    EXPECT_EQ(frame.substr(frame.find("\"key\"")), key);
    backoff = std::min(2 * backoff, kResendBackoffMax);
  }
  EXPECT_EQ(backoff, kResendBackoffMax);
  Reply(IdOf(frame), {"e", 1});
  EXPECT_EQ(Hear(), "sent 1 e:1");
}

TEST_F(SessionTest, OtherSendsGoOnDuringABackoff) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  IsUnavailable();
  Reply(Written("send_to_group", "g"), {"e", 1});
  AdvanceToDeadline();
  Reply(Written("send_to_group", "g"), {"e", 2});
  EXPECT_EQ(Hear(), "sent 2 e:1\nsent 1 e:2");
}

TEST_F(SessionTest, ASecondRefusalOfOneTransmissionIsIgnored) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  const CommandId id = Written("send_to_group", "g");
  Refuse(id, "unavailable", true);
  Refuse(id, "unavailable", true);
  Refuse(id, "message_too_large", false);
  EXPECT_EQ(Hear(), "");
  Advance(kResendBackoffMax);
  EXPECT_EQ(Written("send_to_group", "g"), id);
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
}

TEST_F(SessionTest, AReconnectEndsTheBackoff) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  IsUnavailable();
  const CommandId second = Written("send_to_group", "g");
  Reconnect();
  Reply(Written("send_to_group", "g"), {"e", 1});
  EXPECT_EQ(Written("send_to_group", "g"), second);
  Advance(kResendBackoffMax);
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt) << "not once more for the old backoff";
  EXPECT_EQ(Hear(), "sent 1 e:1");
}

TEST_F(SessionTest, ARefusalForGoodOfASendThatWasWrittenAgainLeavesTheOutcomeUnknown) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Written("send_to_group", "g");
  Reconnect();
  Refuse(Written("send_to_group", "g"), "message_too_large", false);
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown");
}

TEST_F(SessionTest, ASendInDoubtIsGivenUpAsUnknownWhenItsTimeIsOver) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Advance(absl::Hours(1));  // Waiting costs nothing of its time.
  Written("send_to_group", "g");
  EXPECT_EQ(session_.next_deadline(), now_ + kResendPeriod);
  session_.OnDisconnected();
  Advance(kResendPeriod - absl::Nanoseconds(1));
  EXPECT_EQ(Hear(), "");
  AdvanceToDeadline();  // While disconnected.
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown");
  EXPECT_EQ(session_.queue_bytes(), 0u);
  Take(WelcomeEvent{});
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
}

TEST_F(SessionTest, ASendWithoutAnyAnswerIsGivenUpAsUnknownOnALiveConnectionToo) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  const CommandId id = Written("send_to_group", "g");
  AdvanceToDeadline();
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown");
  Reply(id, {"e", 1});  // Too late: it has been told.
  EXPECT_EQ(Hear(), "");
}

TEST_F(SessionTest, TheTimeCountsFromTheFirstTransmission) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Written("send_to_group", "g");
  const absl::Time deadline = session_.next_deadline();
  for (int i = 0; i < 3; ++i) {
    Advance(absl::Seconds(20));
    Reconnect();
    Written("send_to_group", "g");
    EXPECT_EQ(session_.next_deadline(), deadline);
  }
}

TEST_F(SessionTest, NothingIsWrittenAgainAfterItsTimeEvenIfTheTimerIsLate) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  Written("send_to_group", "g");
  session_.OnDisconnected();
  now_ += kResendPeriod;
  Take(WelcomeEvent{});
  EXPECT_EQ(Written("send_to_group", "g"), CommandId{2});
  EXPECT_EQ(Hear(), "");
  session_.OnTimer(now_);
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown");
}

TEST_F(SessionTest, ASendThatWasRefusedEachTimeEndsAsUnavailable) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  const absl::Time begin = now_;
  int transmissions = 0;
  std::string heard;
  while (heard.empty() && transmissions < 1000) {
    IsUnavailable();
    ++transmissions;
    heard = Hear();
    if (heard.empty()) AdvanceToDeadline();
  }
  EXPECT_EQ(heard, "sent 1 unavailable");
  // As soon as no transmission can follow.
  EXPECT_GE(now_, begin + kResendPeriod - kResendBackoffMax);
  EXPECT_LT(now_, begin + kResendPeriod);
  EXPECT_GT(transmissions, 37);
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
}

TEST_F(SessionTest, OneDoubtIsEnough) {
  const struct {
    const char* word;
    const char* outcome;
  } cases[] = {{"unavailable", "sent 1 unavailable"},
               {"rate_limited", "sent 1 unavailable"},
               {"outcome_unknown", "sent 1 outcome_unknown"},
               {"internal", "sent 1 outcome_unknown"}};
  Take(WelcomeEvent{});
  for (const auto& c : cases) {
    ASSERT_EQ(Send("1"), absl::OkStatus());
    Refuse(Written("send_to_group", "g"), c.word, true);
    AdvanceToDeadline();
    const CommandId last = Written("send_to_group", "g");
    Advance(kResendPeriod - 2 * kResendBackoffMin);
    EXPECT_EQ(Hear(), "");
    Refuse(last, "unavailable", true);
    while (session_.next_deadline() < absl::InfiniteFuture()) {
      AdvanceToDeadline();
      if (session_.next_deadline() < absl::InfiniteFuture()) IsUnavailable();
    }
    EXPECT_EQ(Hear(), c.outcome) << c.word;
  }
}

// Of two sends, the one that was cut off is in doubt, the one that was refused before it is not.
TEST_F(SessionTest, ACutLeavesADoubtOnlyAboutWhatWasNotAnswered) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  IsUnavailable();
  Written("send_to_group", "g");
  session_.OnDisconnected();
  Advance(kResendPeriod);
  EXPECT_EQ(Hear(), "sent 1 unavailable\nsent 2 outcome_unknown");
}

TEST_F(SessionTest, AHistoryIsReadWithoutWhatIsExcluded) {
  Take(WelcomeEvent{});
  ASSERT_EQ(History({Position{"e", 4}, 10}), absl::OkStatus());
  const std::string frame = WrittenFrame("group_history", "g");
  EXPECT_TRUE(absl::StrContains(frame, R"("since":{"epoch":"e","offset":4},"limit":10)")) << frame;
  ReplyEvent reply{IdOf(frame), Position{"e", 7}, true};
  Message message;
  message.json = "1";
  message.offset = 5;
  Message excluded;
  excluded.offset = 6;
  reply.messages = {{message}, {excluded, /*excluded=*/true}};
  Take(reply);
  EXPECT_EQ(Hear(), "history to e:7 recovered:\ng 1 e:5");
  Take(reply);
  EXPECT_EQ(Hear(), "");
  EXPECT_EQ(session_.queue_bytes(), 0u);
}

TEST_F(SessionTest, AHistoryMovesNoPosition) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  ASSERT_EQ(History(), absl::OkStatus());
  ReplyEvent reply{Written("group_history", "g"), Position{"e", 9}};
  reply.messages.emplace();
  Take(reply);
  Deliver("g", 7, 8);
  EXPECT_EQ(Hear(), "history to e:9:\ng message 1 e:8");
}

TEST_F(SessionTest, AHistoryWaitsForAConnectionButIsAskedForOnce) {
  ASSERT_EQ(History(), absl::OkStatus());
  session_.OnDisconnected();
  ASSERT_EQ(History(), absl::OkStatus());
  Take(WelcomeEvent{});
  Written("group_history", "g");
  session_.OnDisconnected();
  EXPECT_EQ(Hear(), "history unavailable");
  Take(WelcomeEvent{});
  Refuse(Written("group_history", "g"), "unavailable", true);
  EXPECT_EQ(Hear(), "history unavailable");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  EXPECT_EQ(session_.queue_bytes(), 0u);
}

TEST_F(SessionTest, HistoriesCountTowardsTheBoundOfTheQueue) {
  absl::Status status;
  int taken = 0;
  while (status.ok() && taken < 1000) {
    status = History();
    if (status.ok()) ++taken;
  }
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_GT(taken, 10);
  EXPECT_EQ(Send(std::string(100, '1')).code(), StatusCode::kResourceExhausted);
}

TEST_F(SessionTest, AHistoryWithoutMessagesIsAgainstTheProtocol) {
  Take(WelcomeEvent{});
  ASSERT_EQ(History(), absl::OkStatus());
  const CommandId id = Written("group_history", "g");
  EXPECT_EQ(session_.OnEvent(ReplyEvent{id, Position{"e", 1}}, now_).code(), StatusCode::kInternal);
}

TEST_F(SessionTest, MembersAreReadPageByPage) {
  Take(WelcomeEvent{});
  const auto on_members = [this](const absl::StatusOr<GroupMembers>& page) {
    if (!page.ok()) return heard_.push_back("members " + Show(page.status()));
    heard_.push_back(absl::StrCat(page->group_id, " ", page->members.size(), " of ", page->count,
                                  ", next ", page->next));
  };
  ASSERT_EQ(session_.Members("g", {.limit = 2, .after = "c0"}, on_members), absl::OkStatus());
  const std::string frame = WrittenFrame("group_members", "g");
  EXPECT_TRUE(absl::StrContains(frame, R"("limit":2,"after":"c0")")) << frame;
  ReplyEvent page;
  page.id = IdOf(frame);
  page.count = 7;
  page.members = {MemberOf("c1"), MemberOf("c2")};
  page.next = "c2";
  Take(page);
  EXPECT_EQ(Hear(), "g 2 of 7, next c2");

  ASSERT_EQ(session_.Members("g", {.count_only = true}, on_members), absl::OkStatus());
  page.id = Written("group_members", "g");
  page.members.reset();
  page.next.reset();
  Take(page);
  EXPECT_EQ(Hear(), "g 0 of 7, next ");

  ASSERT_EQ(session_.Members("g", {}, on_members), absl::OkStatus());
  Refuse(Written("group_members", "g"), "too_many_members", false);
  EXPECT_EQ(Hear(), "members too_many_members");

  ASSERT_EQ(session_.Members("g", {}, on_members), absl::OkStatus());
  Written("group_members", "g");
  session_.OnDisconnected();
  EXPECT_EQ(Hear(), "members unavailable");
  EXPECT_EQ(session_.queue_bytes(), 0u);
}

TEST_F(SessionTest, AViewIsReadToItsEndAndThenFollowsTheEvents) {
  Take(WelcomeEvent{});
  JoinedWithMembers("g", {"e", 1});
  AnswerPage("g", {"1", "2"}, "2");
  EXPECT_EQ(Hear(), "") << "it is not whole yet";
  const std::string frame = WrittenFrame("group_members", "g");
  EXPECT_TRUE(absl::StrContains(frame, R"("limit":500,"after":"2")")) << frame;
  TakePage(IdOf(frame), {"3"});
  TakeMember("g", true, "4");
  TakeMember("g", false, "1");
  TakeMember("g", false, "9");
  EXPECT_EQ(Hear(), "g members 1,2,3 +1,2,3 -\ng members 1,2,3,4 +4 -\ng members 2,3,4 + -1");
}

TEST_F(SessionTest, EventsBetweenThePagesOfAViewCount) {
  Take(WelcomeEvent{});
  JoinedWithMembers("g", {"e", 1});
  AnswerPage("g", {"1", "2"}, "2");
  TakeMember("g", false, "1");
  TakeMember("g", true, "5");
  AnswerPage("g", {"5", "6"});
  EXPECT_EQ(Hear(), "g members 2,5,6 +2,5,6 -");
}

TEST_F(SessionTest, AfterAReconnectAViewIsReadAnewAndTellsTheDifference) {
  Take(WelcomeEvent{});
  JoinedWithMembers("g", {"e", 1});
  AnswerPage("g", {"1", "2"});
  Hear();
  Reconnect();
  EXPECT_EQ(Hear(), "");
  Reply(Rejoins("g", {"e", 1}), {"e", 1}, true);
  AnswerPage("g", {"2", "3"});
  EXPECT_EQ(Hear(), "g members 2,3 +3 -1");
}

TEST_F(SessionTest, AViewThatCannotBeReadIsToldAndReadAfterTheNextJoin) {
  Take(WelcomeEvent{});
  JoinedWithMembers("g", {"e", 1});
  Refuse(Written("group_members", "g"), "too_many_members", false);
  TakeMember("g", true, "1");
  EXPECT_EQ(Hear(), "g members too_many_members");
  Reconnect();
  Reply(Rejoins("g", {"e", 1}), {"e", 1}, true);
  AnswerPage("g", {"1"});
  EXPECT_EQ(Hear(), "g members 1 +1 -");
}

TEST_F(SessionTest, ViewsAreReadOneAfterTheOther) {
  Take(WelcomeEvent{});
  JoinedWithMembers("a", {"e", 1});
  const CommandId dropped = Written("group_members", "a");
  JoinedWithMembers("b", {"e", 1});
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  session_.Leave("a");
  AnswerPage("b", {"1"});
  TakePage(dropped, {"8"}, "8");  // Too late.
  Written("leave_group", "a");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  EXPECT_EQ(Hear(), "b members 1 +1 -");
}

TEST_F(SessionTest, AGroupThatIsTakenAwayTellsNoMembers) {
  Take(WelcomeEvent{});
  JoinedWithMembers("g", {"e", 1});
  const CommandId page = Written("group_members", "g");
  ErrorEvent lost;
  lost.error = {"forbidden", "no", false};
  lost.lost_group = "g";
  Take(lost);
  TakePage(page, {"1"}, "1");
  TakeMember("g", true, "2");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  EXPECT_EQ(Hear(), "");
}

TEST_F(SessionTest, ALeftGroupTellsNoMembers) {
  Take(WelcomeEvent{});
  JoinedWithMembers("g", {"e", 1});
  AnswerPage("g", {"1"});
  TakeMember("g", true, "2");
  session_.Leave("g");
  TakeMember("g", true, "3");
  EXPECT_EQ(Hear(), "");
}

// A server keeps to the bound. One that does not must not take all memory.
TEST_F(SessionTest, AViewIsBounded) {
  Take(WelcomeEvent{});
  JoinedWithMembers("g", {"e", 1});
  std::vector<std::string> ids(kViewMembersMax);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = absl::StrCat(i);
  AnswerPage("g", ids, "x");
  AnswerPage("g", {"one more"}, "y");
  EXPECT_EQ(Hear(), "g members too_many_members");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);

  Reconnect();
  Reply(Rejoins("g", {"e", 1}), {"e", 1}, true);
  AnswerPage("g", ids);
  Hear();
  TakeMember("g", true, "one more");
  TakeMember("g", true, "and another");
  EXPECT_EQ(Hear(), "g members too_many_members");
}

TEST_F(SessionTest, RepliesAndErrorsFindTheirSends) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  ASSERT_EQ(Send("2"), absl::OkStatus());
  const CommandId first = Written("send_to_group", "g");
  const CommandId second = Written("send_to_group", "g");
  Reply(second, {"e", 2});
  Refuse(first, "message_too_large", false);
  EXPECT_EQ(Hear(), "sent 2 e:2\nsent 1 message_too_large");
}

TEST_F(SessionTest, TheQueueIsBoundedUntilSendsAreAcknowledged) {
  Take(WelcomeEvent{});
  const std::string message(400, '1');  // Two fit into 1000 bytes with their envelopes.
  ASSERT_EQ(Send(message), absl::OkStatus());
  ASSERT_EQ(Send(message), absl::OkStatus());
  EXPECT_EQ(Send(message).code(), StatusCode::kResourceExhausted);
  const CommandId first = Written("send_to_group", "g");
  EXPECT_EQ(Send(message).code(), StatusCode::kResourceExhausted) << "written is not acknowledged";
  Reply(first, {"e", 1});
  EXPECT_EQ(Send(message), absl::OkStatus());
  Written("send_to_group", "g");
  session_.OnDisconnected();
  EXPECT_EQ(Send(message).code(), StatusCode::kResourceExhausted) << "it is kept to be sent again";
  Advance(kResendPeriod);
  EXPECT_EQ(Send(message), absl::OkStatus()) << "an unknown outcome makes room too";
  EXPECT_EQ(Send(std::string(1000, '1')).code(), StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, ASendThatFailsKeepsItsCallback) {
  SendCallback done = [](const absl::StatusOr<Position>&) {};
  EXPECT_FALSE(session_.Send("g", std::string(1000, '1'), {}, std::move(done)).ok());
  EXPECT_TRUE(done);  // NOLINT(bugprone-use-after-move): that it is still there is the point
}

TEST_F(SessionTest, GroupsAreBoundedAndJoinedOnce) {
  for (const char* group_id : {"a", "b", "c"}) ASSERT_EQ(Join(group_id), absl::OkStatus());
  EXPECT_EQ(Join("a").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(Join("d").code(), StatusCode::kResourceExhausted);
  EXPECT_NE(session_.Leave("b"), nullptr);
  EXPECT_EQ(Join("d"), absl::OkStatus());
}

TEST_F(SessionTest, LeaveTakesBackCallbacksThatAreDue) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  Deliver("g", 8, 9);  // A gap and a message.
  session_.Leave("g");
  EXPECT_EQ(Hear(), "");
  Written("leave_group", "g");
  Deliver("g", 9, 10);  // The server did not know yet.
  EXPECT_EQ(Hear(), "");
  EXPECT_EQ(session_.Leave("g"), nullptr);
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
}

// Not every refusal is certain that nothing was done.
TEST_F(SessionTest, AJoinThatWasRefusedForTheMomentIsLeftAlsoWhenItIsToBeTriedAgain) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Refuse(Written("add_group", "g"), "unavailable", true);
  session_.RetryJoins();
  session_.Leave("g");
  Written("leave_group", "g");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
}

TEST_F(SessionTest, AViewFailsOnce) {
  int failures = 0;
  auto callbacks = std::make_shared<GroupCallbacks>();
  callbacks->on_members = [&failures](const absl::StatusOr<MembersUpdate>& update) {
    failures += update.ok() ? 0 : 1;
  };
  MembersView view(callbacks);
  view.BeginReading();
  view.Fail(absl::UnavailableError("first"));
  view.Fail(absl::UnavailableError("second"));
  EXPECT_EQ(failures, 1);
  view.BeginReading();
  view.Fail(absl::UnavailableError("of another reading"));
  EXPECT_EQ(failures, 2);
}

TEST_F(SessionTest, APostponedLeaveIsTriedAgainUntilTheServerDoesIt) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  session_.Leave("g");
  for (int i = 0; i < 3; ++i) {
    Refuse(Written("leave_group", "g"), "rate_limited", true);
    EXPECT_EQ(session_.NextFrame(now_), std::nullopt) << "not at once";
    AdvanceToDeadline();
  }
  Take(ReplyEvent{Written("leave_group", "g"), std::nullopt, std::nullopt});
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
}

TEST_F(SessionTest, ALeaveThatTheServerRefusesForGoodIsNotTriedAgain) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  session_.Leave("g");
  Refuse(Written("leave_group", "g"), "internal", false);
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
}

TEST_F(SessionTest, AnotherJoinEndsAPostponedLeave) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  session_.Leave("g");
  Refuse(Written("leave_group", "g"), "rate_limited", true);
  ASSERT_EQ(Join("g"), absl::OkStatus());
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
  Written("add_group", "g");
  // The refusal of a leave may also come when the application is in the group again.
  session_.Leave("g");
  const CommandId leave = Written("leave_group", "g");
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Refuse(leave, "rate_limited", true);
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
}

TEST_F(SessionTest, ANewConnectionNeedsNoLeave) {
  Take(WelcomeEvent{});
  JoinedAt("g", {"e", 7});
  session_.Leave("g");
  Refuse(Written("leave_group", "g"), "rate_limited", true);
  Reconnect();
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  // Nor do those that were written count any more.
  for (int i = 0; i < 7; ++i) {
    JoinedAt("g", {"e", 7});
    session_.Leave("g");
    Written("leave_group", "g");
    Reconnect();
    Hear();
  }
}

TEST_F(SessionTest, LeavesThatTheServerDoesNotCarryOutAreBounded) {
  Take(WelcomeEvent{});
  for (int i = 0; i < 6; ++i) {
    const std::string group = absl::StrCat("g", i);
    JoinedAt(group, {"e", 7});
    session_.Leave(group);
    Refuse(Written("leave_group", group), "rate_limited", true);
    Hear();
  }
  EXPECT_EQ(Join("g").code(), StatusCode::kResourceExhausted);
  AdvanceToDeadline();
  Take(ReplyEvent{IdOf(*session_.NextFrame(now_)), std::nullopt, std::nullopt});
  EXPECT_EQ(Join("g"), absl::OkStatus());
}

TEST_F(SessionTest, AJoinThatWasNotWrittenIsLeftWithoutAWord) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  session_.Leave("g");
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
}

TEST_F(SessionTest, LeaveAndJoinAgainIgnoresTheFirstMembership) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  const CommandId first = Written("add_group", "g");
  session_.Leave("g");
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Written("leave_group", "g");
  const CommandId second = Written("add_group", "g");
  Reply(first, {"e", 1});
  Deliver("g", 1, 2);
  EXPECT_EQ(Hear(), "");
  Reply(second, {"e", 2});
  Deliver("g", 2, 3);
  EXPECT_EQ(Hear(), "g join e:2\ng message 1 e:3");
}

TEST_F(SessionTest, ATransientRefusalOfAJoinIsRetried) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Refuse(Written("add_group", "g"), "unavailable", true);
  EXPECT_EQ(Hear(), "g join unavailable");
  EXPECT_TRUE(session_.has_refused_joins());
  EXPECT_FALSE(session_.joins_settled());
  session_.RetryJoins();
  EXPECT_FALSE(session_.has_refused_joins());
  Reply(Written("add_group", "g"), {"e", 1});
  EXPECT_EQ(Hear(), "g join e:1");
  EXPECT_TRUE(session_.joins_settled());
}

TEST_F(SessionTest, AFinalRefusalOfAJoinEndsTheMembership) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  Refuse(Written("add_group", "g"), "too_many_groups", false);
  EXPECT_EQ(Hear(), "g join too_many_groups");
  EXPECT_FALSE(session_.has_refused_joins());
  EXPECT_EQ(Join("g"), absl::OkStatus());
}

// Whoever waits for the result of a join must hear when there will be none.
TEST_F(SessionTest, TheEndOfAMembershipIsToldOnceAndLast) {
  hears_ends_ = true;
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  session_.Leave("g");
  EXPECT_EQ(Hear(), "g end left") << "before the answer";
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);

  JoinedAt("g", {"e", 7});
  Deliver("g", 7, 8);
  session_.Leave("g");
  EXPECT_EQ(Hear(), "g end left") << "and nothing else that was due";
  Written("leave_group", "g");
  session_.Leave("g");
  EXPECT_EQ(Hear(), "");

  JoinedAt("g", {"e", 7});
  ErrorEvent lost;
  lost.error = {"forbidden", "no", false};
  lost.lost_group = "g";
  Take(lost);
  EXPECT_EQ(Hear(), "g join forbidden\ng end forbidden");

  JoinedAt("g", {"e", 7});
  session_.Shutdown(ClientClosed());
  EXPECT_EQ(Hear(), "g end closed");
}

TEST_F(SessionTest, ALaterMembershipDoesNotTakeBackTheEndOfAnEarlierOne) {
  hears_ends_ = true;
  Take(WelcomeEvent{});
  ASSERT_EQ(Join("g"), absl::OkStatus());
  session_.Leave("g");
  ASSERT_EQ(Join("g"), absl::OkStatus());
  session_.Leave("g");
  EXPECT_EQ(Hear(), "g end left\ng end left");
}

TEST_F(SessionTest, EndsThatAreDueAreBounded) {
  for (int i = 0; i < 6; ++i) {  // Twice groups_max.
    ASSERT_EQ(Join("g"), absl::OkStatus());
    session_.Leave("g");
  }
  EXPECT_EQ(Join("g").code(), StatusCode::kResourceExhausted);
  Hear();
  EXPECT_EQ(Join("g"), absl::OkStatus());
}

TEST_F(SessionTest, NothingIsWrittenAfterTheServerAnnouncedToClose) {
  Take(WelcomeEvent{});
  Take(ClosingEvent{absl::Milliseconds(740)});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  EXPECT_EQ(session_.NextFrame(now_), std::nullopt);
  EXPECT_EQ(session_.OnDisconnected(), absl::Milliseconds(740));
  EXPECT_EQ(session_.OnDisconnected(), std::nullopt);
  EXPECT_EQ(Hear(), "");
  Take(WelcomeEvent{});
  Written("send_to_group", "g");
}

TEST_F(SessionTest, ShutdownAnswersEverythingThatWaits) {
  Take(WelcomeEvent{});
  JoinedAt("a", {"e", 1});
  ASSERT_EQ(Join("b"), absl::OkStatus());
  for (const char* message : {"1", "2", "3"}) ASSERT_EQ(Send(message), absl::OkStatus());
  ASSERT_EQ(History(), absl::OkStatus());
  Written("add_group", "b");
  Written("send_to_group", "g");
  IsUnavailable();
  session_.Shutdown(absl::CancelledError("closed"));
  EXPECT_EQ(Hear(),
            "sent 1 outcome_unknown\nsent 2 CANCELLED\nsent 3 CANCELLED\nhistory CANCELLED\n"
            "b join CANCELLED");
  EXPECT_EQ(session_.next_deadline(), absl::InfiniteFuture());
  EXPECT_EQ(Join("c").code(), StatusCode::kCancelled);
  EXPECT_EQ(Send("4").code(), StatusCode::kCancelled);
  EXPECT_EQ(History().code(), StatusCode::kCancelled);
}

TEST_F(SessionTest, ShutdownAfterACutLeavesTheDoubtToo) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  Written("send_to_group", "g");
  session_.OnDisconnected();
  session_.Shutdown(absl::CancelledError("closed"));
  EXPECT_EQ(Hear(), "sent 1 outcome_unknown");
}

TEST_F(SessionTest, AnswersWithoutACommandAreIgnored) {
  Take(WelcomeEvent{});
  Take(ReplyEvent{CommandId{99}, std::nullopt});
  Take(ReplyEvent{std::nullopt, Position{"e", 1}});
  Take(ErrorEvent{CommandId{99}, {"internal", "", true}});
  Take(ErrorEvent{std::nullopt, {"bad_json", "", false}});
  Take(GapEvent{{"nowhere", "e", 1, 2}});
  Take(UnknownEvent{});
  EXPECT_EQ(Hear(), "");
}

TEST_F(SessionTest, AReplyWithoutAPositionIsAgainstTheProtocol) {
  Take(WelcomeEvent{});
  ASSERT_EQ(Send("1"), absl::OkStatus());
  const CommandId id = Written("send_to_group", "g");
  EXPECT_EQ(session_.OnEvent(ReplyEvent{id, std::nullopt}, now_).code(), StatusCode::kInternal);
  EXPECT_EQ(Hear(), "");
  Reconnect();
  EXPECT_EQ(Written("send_to_group", "g"), id);
}

}  // namespace
}  // namespace groupcast
