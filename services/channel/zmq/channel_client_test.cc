// Connections, publications and subscriptions; channel_client_repair_test.cc has what repairs.

#include "services/channel/zmq/channel_client.h"

#include "services/channel/zmq/channel_client_harness.h"

namespace groupcast::service {
namespace {

// ---- Hello.

TEST_F(ChannelClientTest, IsConnectedWhenHelloIsAnsweredAndThePublishLinkIsUp) {
  client_.OnControlUp();
  AnswerHello();
  EXPECT_EQ(Told(), Words());
  client_.OnPublishLinkUp();
  EXPECT_EQ(Told(), Words({"connected"}));
  EXPECT_TRUE(client_.connected());
  client_.OnPublishLinkDown();
  EXPECT_EQ(Told(), Words({"disconnected"}));
}

// The server has subscribed on the new link before the end of the old one was noticed.
TEST_F(ChannelClientTest, StaysConnectedWhileOnePublishLinkIsUp) {
  Connect();
  client_.OnPublishLinkUp();
  client_.OnPublishLinkDown();
  EXPECT_TRUE(client_.connected());
  client_.OnPublishLinkDown();
  EXPECT_FALSE(client_.connected());
}

TEST_F(ChannelClientTest, AnAnswerToAnEarlierConnectionsHelloIsNoAnswer) {
  client_.OnPublishLinkUp();
  client_.OnControlUp();
  channel::v1::HelloReply late = KnownReply();
  late.set_attempt(TakeHello().attempt());
  client_.OnControlUp();
  Control(ControlKind::kHelloReply, late);
  EXPECT_FALSE(client_.connected());
  AnswerHello();
  EXPECT_TRUE(client_.connected());
}

TEST_F(ChannelClientTest, SaysHelloAgainUntilItIsAnswered) {
  links_.control_full = true;
  client_.OnControlUp();
  links_.control_full = false;
  Pass(absl::Milliseconds(950));
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(50));
  AnswerHello();
  Pass(absl::Seconds(10));
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientTest, HelloTellsHowFarItHasCome) {
  Connect();
  Join("x", 5);
  Publish("a");
  Publish("b");
  Acknowledge(1, {6});
  Message("x", 9, 5);
  client_.OnControlDown();
  client_.OnControlUp();
  const channel::v1::Hello hello = TakeHello();
  EXPECT_EQ(hello.first_unacknowledged(), 2u);
  EXPECT_EQ(Epoch{hello.epoch()}, kEpoch);
  EXPECT_EQ(hello.highest_offset(), 9u);
}

TEST_F(ChannelClientTest, AServerThatTakesSmallerMessagesIsAMisconfiguration) {
  client_.OnControlUp();
  client_.OnPublishLinkUp();
  channel::v1::HelloReply reply = KnownReply();
  reply.set_max_message_bytes(64 * 1024 - 1);
  AnswerHello(reply);
  EXPECT_EQ(Told(), Words({"misconfigured: FAILED_PRECONDITION"}));
  EXPECT_FALSE(client_.connected());
}

channel::v1::HelloReply ReplyOfServerWith(channel::v1::HelloReply reply, uint64_t bytes_max) {
  reply.set_max_message_bytes(bytes_max);
  return reply;
}

// The server is another one, with another --max_message_bytes.
TEST_F(ChannelClientTest, AServerThatIsBackWithASmallerMaximumIsFollowed) {
  Connect();
  EXPECT_EQ(client_.message_bytes_max(), 64u * 1024);
  client_.OnControlDown();
  client_.OnControlUp();
  AnswerHello(ReplyOfServerWith(KnownReply(), 10));
  EXPECT_EQ(Told(), Words({"disconnected", "connected"}));
  EXPECT_EQ(client_.message_bytes_max(), 10u);
  const std::string largest(10, 'x');
  Publish(largest);
  Publish(largest + "y");
  EXPECT_EQ(Sent(), Words({"1 " + largest}));
  EXPECT_EQ(Told(), Words({largest + "y: RESOURCE_EXHAUSTED"}));
  client_.OnControlDown();
  client_.OnControlUp();
  AnswerHello(ReplyOfServerWith(KnownReply(), 1 << 20));
  EXPECT_EQ(client_.message_bytes_max(), 64u * 1024);
}

TEST_F(ChannelClientTest, ASmallerMaximumVoidsWhatIsTooLargeInTheWindow) {
  Connect();
  const std::string large(10 + kContentOverheadBytes, 'x');
  Publish(large);
  Publish("small");
  Sent();
  client_.OnControlDown();
  client_.OnPublishLinkDown();
  Publish(large);
  Publish("later");
  client_.OnControlUp();
  client_.OnPublishLinkUp();
  AnswerHello(ReplyOfServerWith(KnownReply(), 10));
  // Its number keeps its place. The server has not taken it, because it knows this worker.
  EXPECT_EQ(Sent(), Words({"1 void", "2 small", "3 later"}));
  EXPECT_EQ(Told(), Words({"disconnected", "connected", large + ": RESOURCE_EXHAUSTED",
                           large + ": RESOURCE_EXHAUSTED"}));
}

TEST_F(ChannelClientTest, WhatAnEarlierServerMayHaveTakenIsInDoubt) {
  Connect();
  const std::string large(10 + kContentOverheadBytes, 'x');
  Publish(large);
  client_.OnControlDown();
  client_.OnControlUp();
  channel::v1::HelloReply reply = ReplyOfServerWith(KnownReply(), 10);
  reply.set_known(false);
  AnswerHello(reply);
  EXPECT_EQ(Told(), Words({"disconnected", "connected", large + ": UNKNOWN"}));
}

// ---- Publications.

TEST_F(ChannelClientTest, PublicationsWaitForTheConnection) {
  Publish("a");
  client_.OnPublishLinkUp();
  client_.OnControlUp();
  EXPECT_EQ(Sent(), Words());
  AnswerHello();
  EXPECT_EQ(Sent(), Words({"1 a"}));
  Publish("b");
  EXPECT_EQ(Sent(), Words({"2 b"}));
  Acknowledge(1, {10, 11});
  EXPECT_EQ(Told(), Words({"connected", "a: 10", "b: 11"}));
}

TEST_F(ChannelClientTest, ANewPublishLinkGetsTheWindowAgain) {
  Connect();
  Publish("a");
  Publish("b");
  Sent();
  Acknowledge(1, {10});
  client_.OnPublishLinkDown();
  Publish("c");
  EXPECT_EQ(Sent(), Words());
  client_.OnPublishLinkUp();
  EXPECT_EQ(Sent(), Words({"2 b", "3 c"}));
}

// A control link that comes back alone says nothing of the publish link.
TEST_F(ChannelClientTest, ANewControlLinkDoesNotSendTheWindowAgain) {
  Connect();
  Publish("a");
  Sent();
  client_.OnControlDown();
  Publish("b");
  client_.OnControlUp();
  AnswerHello();
  EXPECT_EQ(Sent(), Words({"2 b"}));
}

// It has dropped what came from a stranger.
TEST_F(ChannelClientTest, AServerThatDidNotKnowItGetsTheWindowAgain) {
  Connect();
  Publish("a");
  Sent();
  client_.OnControlUp();
  channel::v1::HelloReply reply = KnownReply();
  reply.set_known(false);
  AnswerHello(reply);
  EXPECT_EQ(Sent(), Words({"1 a"}));
}

// The server that has forgotten the publisher may have done it before.
TEST_F(ChannelClientTest, ARefusalByAServerThatDidNotKnowItIsUnknown) {
  Connect();
  Publish("a");
  Sent();
  client_.OnControlUp();
  channel::v1::HelloReply reply = KnownReply();
  reply.set_known(false);
  AnswerHello(reply);
  Publish("b");
  Told();
  channel::v1::Acknowledgement refusals;
  refusals.set_epoch(static_cast<uint64_t>(kEpoch));
  refusals.set_first_number(1);
  for (const uint64_t number : {1, 2}) {
    refusals.add_offsets(0);
    refusals.add_refusals()->set_number(number);
    refusals.mutable_refusals(static_cast<int>(number) - 1)
        ->set_reason(channel::v1::Refusal::UNAVAILABLE);
  }
  Control(ControlKind::kAcknowledgement, refusals);
  EXPECT_EQ(Told(), Words({"a: UNKNOWN", "b: UNAVAILABLE"}));
}

// It reads nothing while a subscriber has no room. Copies of the window would only wait there too.
TEST_F(ChannelClientTest, APausedServerIsNotSentTheWindowAgain) {
  Connect();
  Publish("a");
  Sent();
  for (int i = 0; i < 40; ++i) {
    Pass(absl::Milliseconds(250));
    if (links_.controls.empty()) continue;
    channel::v1::HelloReply reply = KnownReply();
    reply.set_reading_paused(true);
    AnswerHello(reply);
  }
  EXPECT_EQ(Sent(), Words());
  // It reads again, and still gives no result.
  for (int i = 0; i < 40; ++i) {
    Pass(absl::Milliseconds(250));
    if (!links_.controls.empty()) AnswerHello();
  }
  EXPECT_EQ(Sent()[0], "1 a");
}

TEST_F(ChannelClientTest, HelloBringsTheResultsThatWereLost) {
  Connect();
  for (const char* text : {"a", "b", "c"}) Publish(text);
  Sent();
  client_.OnControlUp();
  channel::v1::HelloReply reply = KnownReply(kEpoch, 2);
  reply.mutable_results()->set_epoch(static_cast<uint64_t>(kEpoch));
  reply.mutable_results()->set_first_number(2);
  reply.mutable_results()->add_offsets(11);
  AnswerHello(reply);
  EXPECT_EQ(Told(), Words({"disconnected", "connected", "b: 11", "a: UNKNOWN"}));
  client_.OnPublishLinkUp();
  EXPECT_EQ(Sent(), Words({"3 c"}));
}

TEST_F(ChannelClientTest, AsksWhenResultsStayAway) {
  Connect();
  Pass(absl::Seconds(1));
  Publish("a");
  Pass(absl::Milliseconds(150));
  EXPECT_EQ(links_.controls, Words());
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(TakeHello().first_unacknowledged(), 1u);
  Pass(absl::Milliseconds(500));  // one question at a time
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientTest, DoesNotAskWhileResultsComeOrNothingIsUp) {
  Connect();
  Publish("a");
  for (uint64_t number = 1; number <= 20; ++number) {
    Publish("b");
    Pass(absl::Milliseconds(150));
    Acknowledge(number, {number});
  }
  EXPECT_EQ(links_.controls, Words());
  client_.OnControlDown();
  Pass(absl::Seconds(10));
  EXPECT_EQ(links_.controls, Words());
}

// Copies of the window must not pile up before a link that stands still.
TEST_F(ChannelClientTest, AskingInVainSendsTheWindowAtMostOnceInAWhile) {
  Connect();
  Publish("a");
  Sent();
  for (int i = 0; i < 96; ++i) {  // 4.8 s
    Pass(absl::Milliseconds(50));
    if (!links_.controls.empty()) AnswerHello();
  }
  EXPECT_LE(Sent().size(), 1u);
  for (int i = 0; i < 20; ++i) {
    Pass(absl::Milliseconds(50));
    if (!links_.controls.empty()) AnswerHello();
  }
  EXPECT_EQ(Sent(), Words({"1 a"}));
}

// What waited has just been sent: a second copy before its results can be there helps nobody.
TEST_F(ChannelClientTest, ANewPublishLinkIsGivenTimeForItsResults) {
  client_.OnControlUp();
  AnswerHello();
  Publish("a");
  Pass(absl::Seconds(3));
  client_.OnPublishLinkUp();
  EXPECT_EQ(Sent(), Words({"1 a"}));
  Pass(absl::Milliseconds(150));
  EXPECT_EQ(links_.controls, Words());
}

TEST_F(ChannelClientTest, WhatWaitsTooLongIsAnswered) {
  Publish("never sent");
  Pass(absl::Seconds(30));
  EXPECT_EQ(Told(), Words({"never sent: UNAVAILABLE"}));
  Connect();
  Publish("a");
  client_.OnPublishLinkDown();
  client_.OnControlDown();
  Pass(absl::Seconds(30));
  EXPECT_EQ(Told(), Words({"disconnected", "a: UNKNOWN"}));
  Sent();
  links_.controls.clear();
  client_.OnPublishLinkUp();
  client_.OnControlUp();
  AnswerHello();
  EXPECT_EQ(Sent(), Words({"1 void"}));
}

TEST_F(ChannelClientTest, TellsThatThereIsRoomIfSomebodyAsked) {
  Connect();
  const std::string large(2000, 'a');
  Publish(large);
  Acknowledge(1, {10});
  Told();
  Publish(large);
  EXPECT_FALSE(client_.HasRoomFor({}));
  Publish("b");
  EXPECT_EQ(Told(), Words({"b: UNAVAILABLE"}));
  Acknowledge(2, {11});
  EXPECT_EQ(Told(), Words({"room", large + ": 11"}));
  EXPECT_EQ(Told(), Words());
}

// The server would end the connection of a worker that sends it.
TEST_F(ChannelClientTest, RefusesWhatIsLargerThanItTakes) {
  Connect();
  Publish(std::string(64 * 1024 + 1, 'a'));
  EXPECT_EQ(answers_, Words());  // not from inside the call
  EXPECT_EQ(Told(), Words({std::string(64 * 1024 + 1, 'a') + ": RESOURCE_EXHAUSTED"}));
  EXPECT_EQ(Sent(), Words());
  Publish("b");
  EXPECT_EQ(Sent(), Words({"1 b"}));
}

TEST_F(ChannelClientTest, AnAnswerMayPublish) {
  Connect();
  client_.Publish({.group_id = "x", .content = {.data = "a"}, .key = {}},
                  [this](const absl::StatusOr<Position>&) { Publish("b"); });
  Acknowledge(1, {10});
  client_.GiveAnswers();
  EXPECT_EQ(Sent(), Words({"1 a", "2 b"}));
}

// Its owner goes on for as long as there is something to give.
TEST_F(ChannelClientTest, GiveAnswersSaysWhetherThereWereAnyAndGivesWhatTheyCause) {
  EXPECT_FALSE(client_.GiveAnswers());
  Fetch("x", 5);
  EXPECT_TRUE(client_.GiveAnswers());
  EXPECT_FALSE(client_.GiveAnswers());
  const std::string large(64 * 1024 + 1, 'a');
  Publish(large);
  EXPECT_TRUE(client_.GiveAnswers());
  EXPECT_FALSE(client_.GiveAnswers());
  answers_.clear();
  client_.Publish(
      {.group_id = "x", .content = {.data = large}, .key = {}},
      [this, large](const absl::StatusOr<Position>&) {
        client_.FetchHistory(
            "x", {}, 0, [this, large](const absl::StatusOr<groupcast::service::History>&) {
              client_.Publish(
                  {.group_id = "x", .content = {.data = large}, .key = {}},
                  [this](const absl::StatusOr<Position>&) { answers_.push_back("the last"); });
            });
      });
  EXPECT_TRUE(client_.GiveAnswers());
  EXPECT_EQ(answers_, Words({"the last"}));
}

// ---- Subscriptions.

TEST_F(ChannelClientTest, AJoinIsProvenByItsOwnNonceOnly) {
  Connect();
  client_.Subscribe("x");
  EXPECT_EQ(Subscribed(), Words({"+x", "+x?"}));
  Message("x", 4, 3);
  Announce("x", 4);
  Announce("x", 4, kEpoch, PublisherId{12345});
  EXPECT_EQ(Told(), Words());
  Announce("x", 5, kEpoch, links_.last_nonce);
  EXPECT_EQ(Told(), Words({"x from 5"}));
  EXPECT_EQ(Subscribed(), Words({"-x?"}));
  Message("x", 6, 5);
  EXPECT_EQ(Told(), Words({"x 5→6"}));
  Announce("x", 6, kEpoch, links_.last_nonce);
  EXPECT_EQ(Told(), Words());
}

TEST_F(ChannelClientTest, SubscribesAgainWhatIsNotAnnounced) {
  Connect();
  client_.Subscribe("x");
  const PublisherId nonce = links_.last_nonce;
  Subscribed();
  Pass(absl::Milliseconds(150));
  EXPECT_EQ(Subscribed(), Words());
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(Subscribed(), Words({"-x?", "+x", "+x?"}));
  // The answer to the first one proves as much.
  Announce("x", 5, kEpoch, nonce);
  EXPECT_EQ(Told(), Words({"x from 5"}));
  Subscribed();
  Pass(absl::Seconds(10));
  EXPECT_EQ(Subscribed(), Words());
  // libzmq counts.
  client_.Unsubscribe("x");
  EXPECT_EQ(Subscribed(), Words({"-x", "-x"}));
}

TEST_F(ChannelClientTest, DoesNotSubscribeAgainWhileThereIsNoConnection) {
  client_.Subscribe("x");
  Subscribed();
  Pass(absl::Seconds(10));
  EXPECT_EQ(Subscribed(), Words());
  Connect();
  Pass(absl::Milliseconds(200));
  EXPECT_EQ(Subscribed(), Words({"-x?", "+x", "+x?"}));
}

TEST_F(ChannelClientTest, ANewConnectionDoesNotWaitAsLongAsTheAttemptsBeforeIt) {
  Connect();
  client_.Subscribe("x");
  Pass(absl::Milliseconds(1500));  // the next attempt would be at 3,000 ms
  client_.OnControlDown();
  client_.OnControlUp();
  AnswerHello();
  Subscribed();
  Pass(absl::Milliseconds(150));
  EXPECT_EQ(Subscribed(), Words());
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(Subscribed(), Words({"-x?", "+x", "+x?"}));
}

TEST_F(ChannelClientTest, AnAnnouncementOfASubscriptionThatEndedProvesNothing) {
  Connect();
  client_.Subscribe("x");
  const PublisherId before = links_.last_nonce;
  client_.Unsubscribe("x");
  EXPECT_EQ(Subscribed(), Words({"+x", "+x?", "-x?", "-x"}));
  client_.Subscribe("x");
  Announce("x", 5, kEpoch, before);
  EXPECT_EQ(Told(), Words());
  Announce("x", 6, kEpoch, links_.last_nonce);
  EXPECT_EQ(Told(), Words({"x from 6"}));
}

TEST_F(ChannelClientTest, ASubscriptionThatWasMadeAnewHasItsOwnTime) {
  Connect();
  client_.Subscribe("x");
  client_.Unsubscribe("x");
  Pass(absl::Milliseconds(100));
  client_.Subscribe("x");
  Subscribed();
  Pass(absl::Milliseconds(150));
  EXPECT_EQ(Subscribed(), Words());
  Pass(absl::Milliseconds(50));
  EXPECT_EQ(Subscribed(), Words({"-x?", "+x", "+x?"}));
}

TEST_F(ChannelClientTest, NothingComesOfAGroupThatWasUnsubscribed) {
  Connect();
  Join("x", 5);
  client_.Unsubscribe("x");
  EXPECT_EQ(Subscribed(), Words({"-x"}));
  Message("x", 6, 5);
  Announce("x", 6);
  EXPECT_EQ(Told(), Words());
}

TEST_F(ChannelClientTest, AListenerMayUnsubscribeWhileMessagesAreDelivered) {
  Connect();
  Join("x", 5);
  Message("x", 7, 6);
  Message("x", 8, 7);
  listener_.on_message = [this] { client_.Unsubscribe("x"); };
  Message("x", 6, 5);
  EXPECT_EQ(Told(), Words({"x 5→6"}));
  EXPECT_EQ(client_.held_bytes(), 0u);
}

TEST_F(ChannelClientTest, AListenerMayLeaveAndJoinAgainWhileMessagesAreDelivered) {
  Connect();
  Join("x", 5);
  Message("x", 7, 6);
  listener_.on_message = [this] {
    client_.Unsubscribe("x");
    client_.Subscribe("x");
  };
  Message("x", 6, 5);
  listener_.on_message = [] {};
  EXPECT_EQ(Told(), Words({"x 5→6"}));
  Announce("x", 7, kEpoch, links_.last_nonce);
  Message("x", 8, 7);
  EXPECT_EQ(Told(), Words({"x from 7", "x 7→8"}));
  EXPECT_EQ(client_.held_bytes(), 0u);
}

TEST_F(ChannelClientTest, AListenerMayUnsubscribeWhenItIsTold) {
  Connect();
  listener_.on_subscribed = [this] { client_.Unsubscribe("x"); };
  Join("x", 5);
  Message("x", 6, 5);
  EXPECT_EQ(Told(), Words());
}

// ---- What cannot be read.

TEST_F(ChannelClientTest, IgnoresWhatIsNotOfThisProtocol) {
  Connect();
  EXPECT_FALSE(client_.OnLiveFrame("nonsense").ok());
  EXPECT_FALSE(client_.OnLiveFrame(LiveFramePrefix("x", {.kind = LiveKind::kPublication})).ok());
  EXPECT_FALSE(client_.OnControlFrame("").ok());
  EXPECT_FALSE(client_.OnControlFrame(absl::string_view("\x01\x63\x00\x00", 4)).ok());
  EXPECT_FALSE(client_.OnControlFrame(absl::string_view("\x01\x08\x00\x00\xff", 5)).ok());
  EXPECT_EQ(client_.counters().malformed, 5u);
}

TEST_F(ChannelClientTest, AMessageThatCannotBeReadIsALossThatIsTold) {
  Connect();
  Join("x", 5);
  Live(LiveFramePrefix("x",
                       {.kind = LiveKind::kMessage, .epoch = kEpoch, .offset = 6, .previous = 5}) +
       "\xff");
  Message("x", 7, 6);
  EXPECT_EQ(Told(), Words({"x gap 5..6", "x 6→7"}));
  EXPECT_EQ(client_.counters().malformed, 1u);
}

}  // namespace
}  // namespace groupcast::service
