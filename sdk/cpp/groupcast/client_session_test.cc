// What the client does with its session's newer features, over a real connection. What it decides
// is tested in conversations_test.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "groupcast/client.h"
#include "groupcast/testing/client_fixture.h"

namespace groupcast {
namespace {

TEST_F(ClientTest, ASessionOfTheUrlIsTheClients) {
  options_.url = absl::StrCat(server_.url(), "?session=of-the-url");
  StartAndAccept();
  EXPECT_EQ(peer_->session(), "of-the-url");
  EXPECT_EQ(client_->session_id(), "of-the-url");
}

TEST_F(ClientTest, ShowsAFixedTokenInEachHandshake) {
  options_.token = "a.b-c_d";
  StartAndAccept();
  EXPECT_EQ(peer_->token(), "a.b-c_d");
  peer_->Cut();
  peer_ = Accept();
  EXPECT_EQ(peer_->token(), "a.b-c_d");
}

TEST_F(ClientTest, ASourceGivesEachConnectionATokenFromAnyThread) {
  Inbox<TokenCallback> questions;
  options_.token_source = [&](TokenCallback done) { questions.Push(std::move(done)); };
  Start();
  (*questions.Pop())("first");
  peer_ = Accept();
  EXPECT_EQ(peer_->token(), "first");

  ASSERT_OK(peer_->SendFrame(
      R"({"event":"error","cmd":"authenticate","code":"token_expired","message":"m","retry":false})"));
  std::jthread([done = *questions.Pop()] { done("second"); });
  EXPECT_EQ(Expect("authenticate").token, "second");

  peer_->Cut();
  const std::optional<TokenCallback> third = questions.Pop();
  (*third)("third");
  (*third)("only the first call counts");
  peer_ = Accept();
  EXPECT_EQ(peer_->token(), "third");
}

TEST_F(ClientTest, ASourceMayAnswerAtOnceOrAfterTheEndOfTheClient) {
  Inbox<TokenCallback> questions;
  options_.token_source = [&](const TokenCallback& done) {
    done("at-once");
    questions.Push(done);
  };
  StartAndAccept();
  EXPECT_EQ(peer_->token(), "at-once");
  const std::optional<TokenCallback> late = questions.Pop();
  client_.reset();
  (*late)("late");
}

TEST_F(ClientTest, MayBeDestroyedWhileItWaitsForAToken) {
  Inbox<TokenCallback> questions;
  options_.token_source = [&](TokenCallback done) { questions.Push(std::move(done)); };
  Start();
  const std::optional<TokenCallback> late = questions.Pop();
  client_.reset();
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  (*late)("late");
}

TEST_F(ClientTest, ARefusedFreshTokenIsTold) {
  Inbox<std::string> errors;
  options_.token_source = [](const TokenCallback& done) { done("t"); };
  options_.on_error = [&](const absl::Status& why) { errors.Push(ErrorWord(why)); };
  StartAndAccept();
  ASSERT_OK(peer_->SendFrame(
      R"({"event":"error","cmd":"authenticate","code":"token_expired","message":"m","retry":false})"));
  ASSERT_OK(peer_->Error(Expect("authenticate").id, "forbidden", false));
  EXPECT_EQ(errors.Pop(), "forbidden");
}

TEST_F(ClientTest, ReconnectReplacesTheConnectionAtOnce) {
  options_.backoff_base = options_.backoff_cap = absl::Hours(1);
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {kEpoch, 5}));
  joins_.Pop();
  client_->Reconnect();
  EXPECT_TRUE(peer_->AwaitClose().ok());
  peer_ = Accept();
  EXPECT_EQ(Expect("add_group").since, (Position{kEpoch, 5}));

  peer_->Cut();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  client_->Reconnect();
  EXPECT_NE(Accept(), nullptr) << "without the pause of an hour";
}

TEST_F(ClientTest, ReadsAndFollowsMembers) {
  StartAndAccept();
  Inbox<std::string> members;
  GroupCallbacks callbacks;
  callbacks.on_message = [](const Message&) {};
  callbacks.on_members = [&](const absl::StatusOr<MembersUpdate>& update) {
    members.Push(absl::StrCat(update->members.size(), " +", update->joined.size(), " -",
                              update->left.size()));
  };
  ASSERT_OK(client_->Join("g", {}, std::move(callbacks)));
  const ReceivedCommand join = Expect("add_group");
  EXPECT_TRUE(join.presence);
  ASSERT_OK(peer_->Reply(join.id, "g", {kEpoch, 5}));
  const auto answer = [this](uint64_t id) {
    return peer_->SendFrame(
        absl::StrCat(R"({"event":"reply","id":)", id,
                     R"(,"group_id":"g","count":1,"members":[{"connection_id":"c1","since":0}]})"));
  };
  ASSERT_OK(answer(Expect("group_members").id));
  EXPECT_EQ(members.Pop(), "1 +1 -0");
  ASSERT_OK(peer_->SendFrame(
      R"({"event":"member_joined","group_id":"g","connection_id":"c2","since":0})"));
  EXPECT_EQ(members.Pop(), "2 +1 -0");

  Inbox<std::string> pages;
  const auto on_page = [&](const absl::StatusOr<GroupMembers>& page) {
    pages.Push(page->members.at(0).connection_id);
  };
  ASSERT_OK(client_->Members("g", {.limit = 7}, on_page));
  const ReceivedCommand read = Expect("group_members");
  EXPECT_EQ(read.limit, 7u);
  ASSERT_OK(answer(read.id));
  EXPECT_EQ(pages.Pop(), "c1");
  EXPECT_EQ(client_->Members("g", {.limit = 0}, on_page).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Members("g", nullptr).code(), StatusCode::kInvalidArgument);
}

// Whoever waits for a join must hear that there will be no answer.
TEST_F(ClientTest, ALeaveBeforeTheAnswerIsTold) {
  StartAndAccept();
  Inbox<std::string> ends;
  GroupCallbacks callbacks;
  callbacks.on_message = [](const Message&) {};
  callbacks.on_end = [&](const absl::Status& why) { ends.Push(ErrorWord(why)); };
  ASSERT_OK(client_->Join("g", {}, std::move(callbacks)));
  client_->Leave("g");
  EXPECT_EQ(ends.Pop(), "left");
}

}  // namespace
}  // namespace groupcast
