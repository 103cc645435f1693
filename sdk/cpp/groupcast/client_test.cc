#include "groupcast/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "groupcast/testing/client_fixture.h"

namespace groupcast {
namespace {

TEST_F(ClientTest, JoinsAndReceives) {
  StartAndAccept();
  AwaitState(ConnectionState::kConnecting, StatusCode::kOk);
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 41}));
  ASSERT_OK(peer_->SendMessage("g", "\"هذه هي الرسالة\"", 41, 42));
  ASSERT_OK(peer_->SendMessage("g", "{\"n\":0.1}", 42, 43));

  EXPECT_EQ(joins_.Pop()->position, (Position{"e", 41}));
  const std::optional<Message> text = messages_.Pop();
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->group_id, "g");
  EXPECT_EQ(text->text, "هذه هي الرسالة");
  EXPECT_EQ(text->json, "\"هذه هي الرسالة\"");
  EXPECT_EQ(text->offset, 42u);
  EXPECT_EQ(text->previous, 41u);
  EXPECT_EQ(text->epoch, "e");
  EXPECT_EQ(text->sent_at, absl::FromUnixMillis(1792742400123));
  const std::optional<Message> object = messages_.Pop();
  ASSERT_TRUE(object.has_value());
  EXPECT_EQ(object->json, "{\"n\":0.1}");
  EXPECT_FALSE(object->text.has_value());
}

TEST_F(ClientTest, SendsAndHearsOfIt) {
  StartAndAccept();
  ASSERT_OK(client_->Send("g", "say \"hi\"\n", OnSent()));
  ASSERT_OK(client_->SendJson("g", "[1, 2]", OnSent()));
  ASSERT_OK(client_->Send("g", "unacknowledged is fine too"));
  const ReceivedCommand text = Expect("send_to_group");
  EXPECT_EQ(text.group_id, "g");
  EXPECT_EQ(text.message, R"("say \"hi\"\n")");
  const ReceivedCommand json = Expect("send_to_group");
  EXPECT_EQ(json.message, "[1,2]");
  Expect("send_to_group");

  ASSERT_OK(peer_->Reply(text.id, "g", {"e", 1}));
  ASSERT_OK(peer_->Error(json.id, "message_too_large", false));
  EXPECT_EQ(sends_.Pop()->position, (Position{"e", 1}));
  const std::optional<Outcome> refused = sends_.Pop();
  EXPECT_EQ(refused->code, StatusCode::kInvalidArgument);
  EXPECT_EQ(refused->word, "message_too_large");
}

TEST_F(ClientTest, RefusesWhatTheServerWouldRefuse) {
  options_.message_bytes_max = 10;
  Start();
  EXPECT_EQ(Join("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Join("g", nullptr).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Send("a\nb", "x").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Send("g", "\xFF").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Send("g", "12345678901").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->SendJson("g", "{").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->SendJson("g", "12345678901").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Send("g", "1234567890"), absl::OkStatus());
}

TEST_F(ClientTest, GoesOnAfterACutFromWhereItWas) {
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 5}));
  EXPECT_EQ(joins_.Pop()->position.offset, 5u);
  ASSERT_OK(peer_->SendMessage("g", "6", 5, 6));
  ASSERT_OK(peer_->SendFrame(
      R"({"event":"message","group_id":"g","offset":7,"previous":6,"excluded":true})"));
  ASSERT_OK(peer_->SendMessage("g", "8", 7, 8));
  EXPECT_EQ(messages_.Pop()->offset, 6u);
  EXPECT_EQ(messages_.Pop()->offset, 8u);
  peer_->Cut();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  ASSERT_OK(client_->Send("g", "while away", OnSent()));

  peer_ = Accept();
  const ReceivedCommand rejoin = Expect("add_group");
  EXPECT_EQ(rejoin.since, (Position{"e", 8}));
  EXPECT_EQ(rejoin.history, std::nullopt);
  // The send is not written before the reply; what it would overtake is this message.
  ASSERT_OK(peer_->Reply(rejoin.id, "g", {"e", 8}, true));
  ASSERT_OK(peer_->SendMessage("g", "9", 8, 9));
  ASSERT_OK(peer_->Reply(Expect("send_to_group").id, "g", {"e", 10}));
  const std::optional<Outcome> joined = joins_.Pop();
  EXPECT_EQ(joined->position.offset, 8u);
  EXPECT_TRUE(joined->recovered);
  EXPECT_EQ(messages_.Pop()->position(), (Position{"e", 9}));
  EXPECT_EQ(sends_.Pop()->position.offset, 10u);
  EXPECT_TRUE(gaps_.empty());
}

TEST_F(ClientTest, TellsWhatCouldNotBeRecovered) {
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 5}));
  EXPECT_TRUE(joins_.Pop()->recovered);
  peer_->Cut();
  peer_ = Accept();
  ASSERT_OK(peer_->Reply(Expect("add_group").id, "g", {"e", 8}, false));
  const std::optional<Outcome> joined = joins_.Pop();
  EXPECT_EQ(joined->position, (Position{"e", 8}));
  EXPECT_FALSE(joined->recovered);
  const std::optional<Gap> gap = gaps_.Pop();
  EXPECT_EQ(gap->from, 5u);
  EXPECT_EQ(gap->position(), (Position{"e", 8}));
}

TEST_F(ClientTest, JoinsWithWhatTheApplicationAsksFor) {
  StartAndAccept();
  ASSERT_OK(Join("a", {.since = Position{kEpoch, 7}}));
  const ReceivedCommand since = Expect("add_group");
  EXPECT_EQ(since.since, (Position{kEpoch, 7}));
  ASSERT_OK(Join("b", {.history = 20}));
  const ReceivedCommand history = Expect("add_group");
  EXPECT_EQ(history.history, 20u);
  EXPECT_EQ(history.since, std::nullopt);

  EXPECT_EQ(Join("c", {Position{kEpoch, 7}, 20}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Join("c", {.since = Position{"e", 7}}).code(), StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, KeepsItsSessionOverReconnects) {
  StartAndAccept();
  const std::string session = peer_->session();
  EXPECT_EQ(session.size(), 32u);
  EXPECT_EQ(session, client_->session_id());
  peer_->Cut();
  peer_ = Accept();
  EXPECT_EQ(peer_->session(), session);
  client_.reset();
  StartAndAccept();
  EXPECT_NE(peer_->session(), session) << "another client has another";
}

// The sends of one run must not pass for repeats of the other's.
TEST_F(ClientTest, ASessionThatIsGivenIsUsedWithKeysOfItsOwn) {
  options_.session_id = "kept-over-a-restart";
  StartAndAccept();
  EXPECT_EQ(peer_->session(), "kept-over-a-restart");
  ASSERT_OK(client_->Send("g", "x"));
  const ReceivedCommand first = Expect("send_to_group");
  client_.reset();
  StartAndAccept();
  EXPECT_EQ(peer_->session(), "kept-over-a-restart");
  ASSERT_OK(client_->Send("g", "x"));
  const ReceivedCommand second = Expect("send_to_group");
  EXPECT_NE(first.key, second.key);
  for (const std::string& key : {first.key, second.key}) {
    EXPECT_GE(key.size(), 1u);
    EXPECT_LE(key.size(), 64u);
  }
}

TEST_F(ClientTest, ReadsAHistory) {
  StartAndAccept();
  Inbox<GroupHistory> histories;
  Inbox<StatusCode> refusals;
  const auto on_history = [&](const absl::StatusOr<GroupHistory>& result) {
    result.ok() ? histories.Push(*result) : refusals.Push(result.status().code());
  };
  ASSERT_OK(client_->History("g", {Position{kEpoch, 3}, 10}, on_history));
  const ReceivedCommand question = Expect("group_history");
  EXPECT_EQ(question.group_id, "g");
  EXPECT_EQ(question.since, (Position{kEpoch, 3}));
  EXPECT_EQ(question.limit, 10u);
  ASSERT_OK(peer_->SendFrame(
      absl::StrCat(R"({"event":"reply","id":)", question.id, R"(,"group_id":"g","epoch":")", kEpoch,
                   R"(","offset":6,"recovered":true,"messages":[)"
                   R"({"message":{"n":0.10},"offset":5,"previous":3,"sent_at":1792742400123},)"
                   R"({"offset":6,"previous":5,"excluded":true}]})")));
  const std::optional<GroupHistory> history = histories.Pop();
  EXPECT_EQ(history->group_id, "g");
  EXPECT_EQ(history->head, (Position{kEpoch, 6}));
  EXPECT_TRUE(history->recovered);
  ASSERT_EQ(history->messages.size(), 1u);
  EXPECT_EQ(history->messages[0].json, R"({"n":0.10})");
  EXPECT_EQ(history->messages[0].position(), (Position{kEpoch, 5}));
  EXPECT_EQ(history->messages[0].group_id, "g");

  ASSERT_OK(client_->History("g", on_history));
  Expect("group_history");
  peer_->Cut();
  EXPECT_EQ(refusals.Pop(), StatusCode::kUnavailable);
  EXPECT_EQ(client_->History("", on_history).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->History("g", nullptr).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->History("g", {Position{"e", 3}}, on_history).code(),
            StatusCode::kInvalidArgument);
  client_->Close();  // Its callbacks use what is here.
}

TEST_F(ClientTest, DropsDuplicatesAndReportsGaps) {
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 5}));
  ASSERT_OK(peer_->SendMessage("g", "6", 5, 6));
  ASSERT_OK(peer_->SendMessage("g", "6", 5, 6));
  ASSERT_OK(peer_->SendMessage("g", "9", 8, 9));
  ASSERT_OK(peer_->SendFrame(R"({"event":"gap","group_id":"g","epoch":"f","from":null,"to":3})"));
  ASSERT_OK(peer_->SendMessage("g", "4", 3, 4));
  EXPECT_EQ(messages_.Pop()->offset, 6u);
  EXPECT_EQ(messages_.Pop()->offset, 9u);
  const std::optional<Message> last = messages_.Pop();
  EXPECT_EQ(last->offset, 4u);
  EXPECT_EQ(last->epoch, "f");
  EXPECT_EQ(gaps_.Pop()->to, 8u);
  EXPECT_EQ(gaps_.Pop()->from, std::nullopt);
}

TEST_F(ClientTest, ASendCutOffFromItsReplyIsSentAgainWithItsKey) {
  StartAndAccept();
  ASSERT_OK(client_->Send("g", "x", {.exclude_self = true}, OnSent()));
  ASSERT_OK(client_->SendJson("g", "[1]", OnSent()));
  const ReceivedCommand text = Expect("send_to_group");
  const ReceivedCommand json = Expect("send_to_group");
  EXPECT_TRUE(text.exclude_self);
  EXPECT_FALSE(json.exclude_self);
  EXPECT_NE(text.key, json.key);
  for (int cut = 0; cut < 2; ++cut) {
    peer_->Cut();
    peer_ = Accept();
    const ReceivedCommand text_again = Expect("send_to_group");
    EXPECT_EQ(text_again.key, text.key);
    EXPECT_EQ(text_again.message, text.message);
    EXPECT_TRUE(text_again.exclude_self);
    EXPECT_EQ(Expect("send_to_group").key, json.key);
  }
  EXPECT_TRUE(sends_.empty());
  ASSERT_OK(peer_->Reply(text.id, "g", {"e", 1}));
  EXPECT_EQ(sends_.Pop()->position, (Position{"e", 1}));
}

TEST_F(ClientTest, ASendRefusedForTheMomentIsSentAgainWithItsKey) {
  StartAndAccept();
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  const ReceivedCommand first = Expect("send_to_group");
  ASSERT_OK(peer_->Error(first.id, "unavailable", true));
  const ReceivedCommand second = Expect("send_to_group");
  EXPECT_EQ(second.key, first.key);
  ASSERT_OK(peer_->Error(second.id, "outcome_unknown", true));
  const ReceivedCommand third = Expect("send_to_group");
  EXPECT_EQ(third.key, first.key);
  ASSERT_OK(peer_->Reply(third.id, "g", {"e", 1}));
  EXPECT_EQ(sends_.Pop()->position, (Position{"e", 1}));
}

TEST_F(ClientTest, CloseDoesNotWaitForASendThatIsInDoubt) {
  StartAndAccept();
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  Expect("send_to_group");
  client_->Close();
  const std::optional<Outcome> outcome = sends_.Pop();
  EXPECT_EQ(outcome->code, StatusCode::kUnknown);
  EXPECT_EQ(outcome->word, "outcome_unknown");
}

TEST_F(ClientTest, TheQueueIsBounded) {
  options_.message_bytes_max = 100;
  options_.queue_bytes_max = 1000;
  Start();  // Nobody accepts.
  const std::string text(100, 'x');
  absl::Status status;
  int taken = 0;
  while (status.ok() && taken < 100) {
    status = client_->Send("g", text, OnSent());
    if (status.ok()) ++taken;
  }
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_GT(taken, 3);
  EXPECT_LT(taken, 10);
  client_->Close();
  for (int i = 0; i < taken; ++i) EXPECT_EQ(sends_.Pop()->code, StatusCode::kCancelled);
  EXPECT_TRUE(sends_.empty());
}

TEST_F(ClientTest, KeepsTryingWhileNobodyListens) {
  server_.StopListening();
  Start();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  server_.Listen();
  peer_ = Accept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
}

TEST_F(ClientTest, KeepsTryingWhileTheHandshakeIsRefused) {
  Start();
  ASSERT_OK(server_.Refuse());
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  ASSERT_OK(server_.Refuse());
  peer_ = Accept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
}

// What never can work is told once.
TEST_F(ClientTest, AHandshakeThatIsRefusedForGoodEndsTheClient) {
  const std::pair<int, StatusCode> cases[] = {{400, StatusCode::kInvalidArgument},
                                              {401, StatusCode::kUnauthenticated},
                                              {403, StatusCode::kPermissionDenied}};
  for (const auto& [http_status, code] : cases) {
    Start();
    ASSERT_OK(client_->Send("g", "x", OnSent()));
    ASSERT_OK(server_.Refuse(http_status, "because\n"));
    EXPECT_EQ(
        AwaitState(ConnectionState::kClosed, code),
        absl::StrCat("the server refused the connection with HTTP ", http_status, ": because"));
    const std::optional<Outcome> sent = sends_.Pop();
    EXPECT_EQ(sent->code, code);
    EXPECT_EQ(sent->word, "refused");
    EXPECT_EQ(client_->Send("g", "x").code(), code);
    client_->Close();
    EXPECT_TRUE(states_.empty());
    client_.reset();
  }
}

TEST_F(ClientTest, TheTextOfARefusalIsBounded) {
  Start();
  ASSERT_OK(server_.Refuse(429, std::string(3000, 'x')));
  const std::string text = AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  EXPECT_GT(text.size(), 500u);
  EXPECT_LT(text.size(), 600u);
  peer_ = Accept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
}

TEST_F(ClientTest, AServerWithoutTheSubprotocolIsReported) {
  Start();
  ASSERT_TRUE(server_.AcceptBare().ok());
  AwaitState(ConnectionState::kWaiting, StatusCode::kInternal);
}

TEST_F(ClientTest, GivesUpOnAServerThatNeverAnswersTheHandshake) {
  options_.connect_timeout = absl::Milliseconds(50);
  Start();
  AwaitState(ConnectionState::kWaiting, StatusCode::kDeadlineExceeded);
}

TEST_F(ClientTest, GivesUpOnAServerThatNeverWelcomes) {
  options_.connect_timeout = absl::Milliseconds(200);
  Start();
  auto peer = server_.AcceptSilently();
  AwaitState(ConnectionState::kWaiting, StatusCode::kDeadlineExceeded);
}

TEST_F(ClientTest, GivesUpOnADeadPeer) {
  options_.dead_peer_timeout = absl::Milliseconds(200);
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
  // The peer is there, but answers no ping, as nothing runs it.
  AwaitState(ConnectionState::kWaiting, StatusCode::kDeadlineExceeded);
}

TEST_F(ClientTest, StaysAwayWhenTheServerForbidsToComeBack) {
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
  ASSERT_OK(Join("g"));
  Expect("add_group");
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  Expect("send_to_group");
  ASSERT_OK(peer_->Close(4502, "forbidden"));
  AwaitState(ConnectionState::kClosed, StatusCode::kPermissionDenied);
  EXPECT_EQ(joins_.Pop()->code, StatusCode::kPermissionDenied);
  EXPECT_EQ(sends_.Pop()->code, StatusCode::kUnknown);
  EXPECT_EQ(client_->Send("g", "x").code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Join("h").code(), StatusCode::kPermissionDenied);
  client_->Close();
  EXPECT_TRUE(states_.empty());
}

TEST_F(ClientTest, ComesBackAfterOtherCloseCodes) {
  Start();
  const std::pair<uint16_t, StatusCode> cases[] = {
      {1001, StatusCode::kUnavailable}, {4000, StatusCode::kUnavailable},
      {4001, StatusCode::kUnavailable}, {1002, StatusCode::kInternal},
      {1009, StatusCode::kInternal},
  };
  for (const auto& [code, why] : cases) {
    peer_ = Accept();
    ASSERT_NE(peer_, nullptr);
    ASSERT_OK(peer_->Close(code));
    AwaitState(ConnectionState::kWaiting, why);
  }
}

TEST_F(ClientTest, TheServerMayNameTheTimeToComeBack) {
  options_.backoff_base = absl::Hours(24);
  options_.backoff_cap = absl::Hours(24);
  StartAndAccept();
  ASSERT_OK(peer_->SendFrame(
      R"({"event":"closing","code":4000,"reason":"draining","reconnect_after_ms":1})"));
  ASSERT_OK(peer_->Close(4000));
  peer_ = Accept();
  ASSERT_NE(peer_, nullptr);
}

TEST_F(ClientTest, EndsAConnectionThatIsAnnouncedToCloseButDoesNot) {
  options_.connect_timeout = absl::Milliseconds(300);
  StartAndAccept();
  ASSERT_OK(peer_->SendFrame(
      R"({"event":"closing","code":4000,"reason":"draining","reconnect_after_ms":1})"));
  AwaitState(ConnectionState::kWaiting, StatusCode::kDeadlineExceeded);
}

TEST_F(ClientTest, LeavesAServerThatDoesNotSpeakTheProtocol) {
  Start();
  for (const char* frame :
       {"hello", "", "[]", "{\"event\":\"message\"}", "{\"event\":\"welcome\"}", "{\"event\":"}) {
    peer_ = Accept();
    ASSERT_NE(peer_, nullptr);
    ASSERT_OK(peer_->SendFrame(frame));
    EXPECT_EQ(peer_->AwaitClose().value(), 1002) << frame;
    AwaitState(ConnectionState::kWaiting, StatusCode::kInternal);
  }
  peer_ = Accept();
  ASSERT_OK(peer_->SendBinary("{}"));
  EXPECT_EQ(peer_->AwaitClose().value(), 1003);
  AwaitState(ConnectionState::kWaiting, StatusCode::kInternal);
  peer_ = Accept();
  ASSERT_OK(peer_->SendFrame("\"\xFF\""));
  EXPECT_EQ(peer_->AwaitClose().value(), 1007);
  AwaitState(ConnectionState::kWaiting, StatusCode::kInternal);
}

TEST_F(ClientTest, LeavesAServerWhoseFrameIsTooLarge) {
  options_.frame_bytes_max = 1000;
  StartAndAccept();
  ASSERT_OK(peer_->SendFrame(std::string(2000, ' ')));
  AwaitState(ConnectionState::kWaiting, StatusCode::kInternal);
}

TEST_F(ClientTest, AJoinRefusedForTheMomentIsTriedAgain) {
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->Error(Expect("add_group").id, "unavailable", true));
  ASSERT_OK(peer_->Error(Expect("add_group").id, "unavailable", true));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  EXPECT_EQ(joins_.Pop()->code, StatusCode::kUnavailable);
  EXPECT_EQ(joins_.Pop()->word, "unavailable");
  EXPECT_EQ(joins_.Pop()->position, (Position{"e", 1}));
}

TEST_F(ClientTest, NoMessageFollowsLeave) {
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(Join("h"));
  ASSERT_OK(peer_->ExpectJoin("h", {"e", 1}));
  client_->Leave("g");
  EXPECT_EQ(Expect("leave_group").group_id, "g");
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  ASSERT_OK(peer_->SendMessage("h", "1", 1, 3));
  EXPECT_EQ(messages_.Pop()->group_id, "h");
  EXPECT_TRUE(messages_.empty());
}

TEST_F(ClientTest, CallbacksMayCallTheClient) {
  StartAndAccept();
  ASSERT_OK(client_->Join("g", [this](const Message&) {
    EXPECT_EQ(client_->Send("g", "from the callback", OnSent()), absl::OkStatus());
    client_->Leave("g");
    EXPECT_EQ(Join("h"), absl::OkStatus());
  }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  ASSERT_OK(peer_->Reply(Expect("send_to_group").id, "g", {"e", 3}));
  Expect("leave_group");
  ASSERT_OK(peer_->ExpectJoin("h", {"e", 3}));
  EXPECT_EQ(sends_.Pop()->position.offset, 3u);
  EXPECT_EQ(joins_.Pop()->position.offset, 3u);
}

// What a callback holds may call the client from its destructor: no lock is held then.
TEST_F(ClientTest, CallbacksAreReleasedOutsideOfTheLock) {
  StartAndAccept();
  const auto guard = [this] {
    return std::shared_ptr<void>(nullptr, [this](void*) { client_->Leave("nowhere"); });
  };
  ASSERT_OK(client_->Join("g", [held = guard()](const Message&) {}));
  client_->Leave("g");
  EXPECT_EQ(client_->Join("", [held = guard()](const Message&) {}).code(),
            StatusCode::kInvalidArgument);
  ASSERT_OK(client_->Join("h", [held = guard()](const Message&) {}));
  EXPECT_EQ(client_->Join("h", [held = guard()](const Message&) {}).code(),
            StatusCode::kAlreadyExists);
  ASSERT_OK(client_->Send("g", "x", [held = guard()](const absl::StatusOr<Position>&) {}));
  client_->Close();
}

TEST_F(ClientTest, CloseSaysGoodbye) {
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
  std::future<absl::StatusOr<uint16_t>> code =
      std::async(std::launch::async, [this] { return peer_->AwaitClose(); });
  client_->Close();
  EXPECT_EQ(code.get().value(), 1000);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  EXPECT_EQ(client_->Send("g", "x").code(), StatusCode::kCancelled);
  client_->Close();
}

TEST_F(ClientTest, ACallbackMayClose) {
  StartAndAccept();
  ASSERT_OK(client_->Join("g", [this](const Message&) { client_->Close(); }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  EXPECT_EQ(peer_->AwaitClose().value(), 1000);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
}

TEST_F(ClientTest, TheDestructorWaitsForARunningCallback) {
  StartAndAccept();
  std::promise<void> entered;
  std::promise<void> release;
  std::atomic<bool> finished = false;
  ASSERT_OK(client_->Join("g", [&](const Message&) {
    entered.set_value();
    release.get_future().wait();
    finished = true;
  }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  entered.get_future().wait();

  std::promise<void> destroying;
  std::thread destroyer([&] {
    destroying.set_value();
    client_.reset();
    EXPECT_TRUE(finished);
  });
  destroying.get_future().wait();
  release.set_value();
  destroyer.join();
}

std::atomic<int> pipe_signals = 0;

// The signal's disposition belongs to the application, and by default the signal ends it.
TEST_F(ClientTest, AServerThatIsGoneRaisesNoSignal) {
  struct sigaction count {};
  count.sa_handler = [](int) { ++pipe_signals; };
  struct sigaction before;
  ASSERT_EQ(sigaction(SIGPIPE, &count, &before), 0);
  StartAndAccept();
  std::promise<void> entered;
  std::promise<void> release;
  ASSERT_OK(client_->Join("g", [&](const Message&) {
    entered.set_value();
    release.get_future().wait();
  }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  entered.get_future().wait();
  // The client's thread writes before it can have seen that the server is gone.
  ASSERT_OK(client_->Send("g", "hello"));
  peer_->CutWithReset();
  release.set_value();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  EXPECT_EQ(pipe_signals, 0);
  struct sigaction after;
  ASSERT_EQ(sigaction(SIGPIPE, &before, &after), 0);
  EXPECT_EQ(after.sa_handler, count.sa_handler) << "the client has changed it";
}

// What was behind it has not left this machine, so its outcome is known.
TEST_F(ClientTest, NothingIsWrittenAfterAFailedWrite) {
  StartAndAccept();
  std::promise<void> entered;
  std::promise<void> release;
  ASSERT_OK(client_->Join("g", [&](const Message&) {
    entered.set_value();
    release.get_future().wait();
  }));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  entered.get_future().wait();
  for (int i = 0; i < 20; ++i) ASSERT_OK(client_->Send("g", "hello", OnSent()));
  server_.StopListening();
  peer_->CutWithReset();
  release.set_value();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  client_.reset();
  sends_.Pop();  // It may have been written.
  for (int i = 1; i < 20; ++i) EXPECT_EQ(sends_.Pop()->code, StatusCode::kCancelled) << i;
}

TEST_F(ClientTest, MayBeDestroyedWhileConnecting) {
  options_.connect_timeout = absl::Hours(1);
  Start();
  AwaitState(ConnectionState::kConnecting, StatusCode::kOk);
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  client_.reset();
  EXPECT_EQ(sends_.Pop()->code, StatusCode::kCancelled);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
}

TEST_F(ClientTest, MayBeDestroyedWhileWaitingToReconnect) {
  options_.backoff_base = absl::Hours(24);
  options_.backoff_cap = absl::Hours(24);
  server_.StopListening();
  Start();
  AwaitState(ConnectionState::kWaiting, StatusCode::kUnavailable);
  client_.reset();
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
}

TEST_F(ClientTest, MayBeDestroyedAtOnce) {
  for (int i = 0; i < 50; ++i) {
    Start();
    client_.reset();
  }
}

// The callback goes on afterwards, and no other follows.
TEST_F(ClientTest, MayBeDestroyedByItsOwnCallback) {
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, StatusCode::kOk);
  Inbox<bool> destroyed;
  ASSERT_OK(client_->Send("g", "x", OnSent()));
  ASSERT_OK(Join("h"));
  const auto held = std::make_shared<int>(1);
  ASSERT_OK(client_->Join("g", [this, held, &destroyed](const Message&) {
    client_.reset();
    destroyed.Push(held.use_count() > 1);
  }));
  Expect("send_to_group");
  ASSERT_OK(peer_->ExpectJoin("h", {"e", 1}));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", "1", 1, 2));
  ASSERT_OK(peer_->SendMessage("h", "1", 1, 3));
  EXPECT_EQ(destroyed.Pop(), true);
  EXPECT_EQ(sends_.Pop()->code, StatusCode::kUnknown);
  AwaitState(ConnectionState::kClosed, StatusCode::kOk);
  EXPECT_EQ(peer_->AwaitClose().value(), 1000);
  EXPECT_TRUE(messages_.empty());
}

TEST_F(ClientTest, MayBeDestroyedByItsStateListener) {
  for (const ConnectionState when : {ConnectionState::kConnected, ConnectionState::kWaiting,
                                     ConnectionState::kClosed, ConnectionState::kConnecting}) {
    std::mutex created;
    options_.on_state = [this, when, &created](ConnectionState state, const absl::Status& why) {
      // Before Create has returned there is nothing to destroy.
      { const std::lock_guard<std::mutex> lock(created); }
      if (state == when) client_.reset();
      states_.Push({state, why.code()});
    };
    {
      const std::lock_guard<std::mutex> lock(created);
      Start();
    }
    if (when == ConnectionState::kConnecting) {
      AwaitState(ConnectionState::kClosed, StatusCode::kOk);
      AwaitState(ConnectionState::kConnecting, StatusCode::kOk);
      continue;
    }
    peer_ = Accept();
    if (when == ConnectionState::kWaiting) peer_->Cut();
    if (when == ConnectionState::kClosed) {
      ASSERT_OK(peer_->Close(4502));
    }
    AwaitState(when, when == ConnectionState::kConnected ? StatusCode::kOk
                     : when == ConnectionState::kWaiting ? StatusCode::kUnavailable
                                                         : StatusCode::kPermissionDenied);
    EXPECT_EQ(client_, nullptr);
  }
}

// Every send is answered once, whatever the threads do and however often the connection is cut.
TEST_F(ClientTest, ManyThreadsMayUseOneClient) {
  constexpr int kThreads = 4;
  constexpr int kSends = 100;
  StartAndAccept();
  // When all is answered, the client tells the server so, until it hears that it did.
  const std::function<void()> finish = [&] {
    (void)client_->Send("finished", "", [&](const absl::StatusOr<Position>& result) {
      if (!result.ok()) finish();
    });
  };
  std::atomic<int> answers = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, group_id = absl::StrCat("g", t)] {
      for (int i = 0; i < kSends; ++i) {
        EXPECT_EQ(Join(group_id), absl::OkStatus());
        const auto on_sent = [&](const absl::StatusOr<Position>&) {
          if (++answers == kThreads * kSends) finish();
        };
        EXPECT_EQ(client_->Send(group_id, "x", on_sent), absl::OkStatus());
        client_->Leave(group_id);
      }
    });
  }
  bool finished = false;
  for (int commands = 1; !finished; ++commands) {
    if (commands % 150 == 0) {
      peer_->Cut();
      peer_ = Accept();
      ASSERT_NE(peer_, nullptr);
    }
    const absl::StatusOr<ReceivedCommand> command = peer_->NextCommand();
    ASSERT_TRUE(command.ok()) << command.status();
    finished = command->group_id == "finished";
    if (command->id != 0) {
      ASSERT_OK(peer_->Reply(command->id, command->group_id, {"e", command->id}));
    }
  }
  for (std::jthread& thread : threads) thread.join();
  client_->Close();  // Its callbacks use what is here.
  EXPECT_EQ(answers, kThreads * kSends);
}

TEST(ClientOptionsTest, NonsenseIsRefused) {
  const auto create = [](auto change) {
    ClientOptions options;
    options.url = "ws://127.0.0.1:1";
    change(&options);
    return Client::Create(std::move(options)).status().code();
  };
  EXPECT_EQ(create([](ClientOptions*) {}), StatusCode::kOk);
  EXPECT_EQ(create([](ClientOptions* o) { o->url = ""; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->url = "wss://127.0.0.1:1"; }), StatusCode::kOk);
  EXPECT_EQ(create([](ClientOptions* o) { o->ca_file = "/dev/null"; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->proxy = "proxy:3128"; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->backoff_base = absl::ZeroDuration(); }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->connect_timeout = absl::InfiniteDuration(); }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->backoff_cap = o->backoff_base / 2; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->queue_bytes_max = 1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->frame_bytes_max = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->session_id = "a b"; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->url += "/?session=x&session=x"; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) { o->token = "a\r\nb"; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](ClientOptions* o) {
              o->token = "t";
              o->token_source = [](const TokenCallback&) {};
            }),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace groupcast
