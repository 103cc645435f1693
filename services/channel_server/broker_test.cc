#include "services/channel_server/broker.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

constexpr Epoch kEpoch{7};
constexpr PublisherId kA{1};
constexpr PublisherId kB{2};

// Lists what the broker sends, in words.
class FakeSink final : public BrokerSink {
 public:
  void Announce(absl::string_view bytes) override {
    const LiveFrame frame = *ParseLiveFrame(bytes);
    EXPECT_EQ(frame.header.epoch, kEpoch);
    log.push_back(absl::StrCat("head ", frame.group_id, " ", frame.header.offset, " floor ",
                               frame.header.previous));
    if (const auto nonce = static_cast<uint64_t>(frame.header.publisher); nonce != 0) {
      absl::StrAppend(&log.back(), " for ", nonce);
    }
  }

  bool SendControl(PublisherId to, absl::string_view bytes) override {
    if (!reachable) return false;
    const ControlView view = *ParseControlFrame(bytes);
    std::string text = absl::StrCat("to ", static_cast<uint64_t>(to), ": ");
    const std::string body(view.body);
    switch (view.kind) {
      case ControlKind::kHelloReply: {
        channel::v1::HelloReply reply;
        EXPECT_TRUE(reply.ParseFromString(body));
        absl::StrAppend(&text, "welcome after ", reply.last_accepted());
        break;
      }
      case ControlKind::kAcknowledgement: {
        channel::v1::Acknowledgement acknowledgement;
        EXPECT_TRUE(acknowledgement.ParseFromString(body));
        absl::StrAppend(&text, "from ", acknowledgement.first_number(), ":");
        for (const uint64_t offset : acknowledgement.offsets()) absl::StrAppend(&text, " ", offset);
        for (const auto& refusal : acknowledgement.refusals()) {
          absl::StrAppend(&text, " refused ", refusal.number(), " ",
                          channel::v1::Refusal::Reason_Name(refusal.reason()));
        }
        break;
      }
      case ControlKind::kHistory:
        EXPECT_TRUE(history.ParseFromString(body));
        text += "history";
        break;
      default:
        text += "?";
    }
    log.push_back(text);
    return true;
  }

  std::vector<std::string> log;
  channel::v1::History history;
  bool reachable = true;
};

using Log = std::vector<std::string>;

class BrokerTest : public testing::Test {
 protected:
  explicit BrokerTest(const BrokerOptions& options = {.epoch = kEpoch,
                                                      .max_message_bytes = 100,
                                                      .history_messages_max = 3,
                                                      .history_bytes_max = 10'000})
      : broker_(options, &clock_) {
    Hello(kA, 1);
    Hello(kB, 1);
    sink_.log.clear();
  }

  void Hello(PublisherId from, uint64_t first_unacknowledged) {
    channel::v1::Hello hello;
    hello.set_first_unacknowledged(first_unacknowledged);
    EXPECT_TRUE(broker_.OnControl(from, ControlFrame(ControlKind::kHello, hello), &sink_).ok());
  }

  // "previous→offset" of the message that it became, or the error.
  std::string Publish(PublisherId publisher, uint64_t number, absl::string_view group_id,
                      const std::string& body = "body") {
    std::string frame =
        LiveFramePrefix(
            group_id, {.kind = LiveKind::kPublication, .publisher = publisher, .number = number}) +
        body;
    const absl::Status status = broker_.OnPublication(absl::MakeSpan(frame));
    if (!status.ok()) return absl::StatusCodeToString(status.code());
    const LiveFrame message = *ParseLiveFrame(frame);
    EXPECT_EQ(message.header.kind, LiveKind::kMessage);
    EXPECT_EQ(message.header.epoch, kEpoch);
    EXPECT_EQ(message.body, body);
    return absl::StrCat(message.header.previous, "→", message.header.offset);
  }

  void Subscribe(absl::string_view group_id) {
    EXPECT_TRUE(broker_.OnSubscription(TopicOf(group_id)).ok());
  }
  void Unsubscribe(absl::string_view group_id) {
    EXPECT_TRUE(broker_.OnUnsubscription(TopicOf(group_id)).ok());
  }

  Log EndTurn() {
    broker_.EndTurn(&sink_);
    broker_.BeginTurn();
    return std::exchange(sink_.log, {});
  }

  const channel::v1::History& Fetch(absl::string_view group_id, uint64_t after,
                                    uint32_t limit = 0) {
    channel::v1::FetchHistory fetch;
    fetch.set_group_id(std::string(group_id));
    fetch.set_after(after);
    fetch.set_limit(limit);
    EXPECT_TRUE(
        broker_.OnControl(kA, ControlFrame(ControlKind::kFetchHistory, fetch), &sink_).ok());
    return sink_.history;
  }

  FakeClock clock_;
  Broker broker_;
  FakeSink sink_;
};

TEST_F(BrokerTest, OffsetsAreOneCounterAndPreviousIsTheGroupsOwn) {
  EXPECT_EQ(Publish(kA, 1, "x"), "0→1");
  EXPECT_EQ(Publish(kA, 2, "y"), "0→2");
  EXPECT_EQ(Publish(kB, 1, "x"), "1→3");
  EXPECT_EQ(Publish(kA, 3, "y"), "2→4");
}

// The announcement is the join point, so it must have everything that was handed out before it in
// the turn.
TEST_F(BrokerTest, AnnouncesEachTopicOncePerTurnWithTheHeadOfItsEnd) {
  Subscribe("x");
  Subscribe("x");
  Publish(kA, 1, "x");
  EXPECT_EQ(EndTurn(), Log({"head x 1 floor 0", "to 1: from 1: 1"}));
  EXPECT_EQ(EndTurn(), Log());
  Subscribe("x");
  EXPECT_EQ(EndTurn(), Log({"head x 1 floor 0"}));
}

// Whoever asks for proof must be able to tell its answer from that to others.
TEST_F(BrokerTest, AnswersEachProofThatIsAskedForWithItsNonce) {
  Subscribe("x");
  EXPECT_TRUE(broker_.OnSubscription(ProofTopicOf("x", PublisherId{77})).ok());
  EXPECT_TRUE(broker_.OnSubscription(ProofTopicOf("x", PublisherId{78})).ok());
  Publish(kA, 1, "x");
  EXPECT_EQ(EndTurn(), Log({"head x 1 floor 0", "head x 1 floor 0 for 77",
                            "head x 1 floor 0 for 78", "to 1: from 1: 1"}));
  // The end of a proof is not the end of the subscription.
  EXPECT_TRUE(broker_.OnUnsubscription(ProofTopicOf("x", PublisherId{77})).ok());
  clock_.Advance(absl::Seconds(300));
  broker_.BeginTurn();
  EndTurn();
  EXPECT_EQ(broker_.group_count(), 1u);
}

TEST_F(BrokerTest, AProofAloneLeavesNothingBehind) {
  EXPECT_TRUE(broker_.OnSubscription(ProofTopicOf("x", PublisherId{77})).ok());
  EXPECT_EQ(EndTurn(), Log({"head x 0 floor 0 for 77"}));
  EXPECT_EQ(broker_.group_count(), 0u);
}

TEST_F(BrokerTest, BoundsThePublishersItKnows) {
  for (uint64_t id = 100; id < 100 + 20'000; ++id) {
    Hello(PublisherId{id}, 1);
    if (id == 100) clock_.Advance(absl::Seconds(1));
    broker_.BeginTurn();
  }
  sink_.log.clear();
  EXPECT_EQ(Publish(kA, 1, "x"), "FAILED_PRECONDITION");  // heard of longest ago
  EXPECT_EQ(Publish(PublisherId{100 + 19'999}, 1, "x"), "0→1");
}

TEST_F(BrokerTest, DoesNotAnnounceWhatNobodyWantsAnyMore) {
  Subscribe("x");
  Unsubscribe("x");
  EXPECT_EQ(EndTurn(), Log());
}

TEST_F(BrokerTest, AcknowledgesAtTheEndOfTheTurnInRunsPerPublisher) {
  Publish(kA, 1, "x");
  Publish(kB, 1, "x");
  Publish(kA, 2, "x");
  EXPECT_EQ(EndTurn(), Log({"to 1: from 1: 1 3", "to 2: from 1: 2"}));
  Publish(kA, 3, "x");
  EXPECT_EQ(EndTurn(), Log({"to 1: from 3: 4"}));
}

TEST_F(BrokerTest, KeepsAcknowledgementsThatCannotBeSentAndTriesAgain) {
  sink_.reachable = false;
  Publish(kA, 1, "x");
  EXPECT_EQ(EndTurn(), Log());
  Publish(kA, 2, "x");
  EXPECT_EQ(EndTurn(), Log());
  sink_.reachable = true;
  clock_.Advance(absl::Milliseconds(100));
  broker_.BeginTurn();
  EXPECT_EQ(EndTurn(), Log({"to 1: from 1: 1 2"}));
  EXPECT_EQ(EndTurn(), Log());
}

// A worker that died must not be tried, nor its results be kept, for the day until it is forgotten.
TEST_F(BrokerTest, GivesUpOnAPublisherThatStaysAway) {
  sink_.reachable = false;
  Publish(kA, 1, "x");
  EndTurn();
  for (int i = 0; i <= 100; ++i) {
    clock_.Advance(absl::Milliseconds(100));
    broker_.BeginTurn();
    EndTurn();
  }
  sink_.reachable = true;
  clock_.Advance(absl::Milliseconds(100));
  broker_.BeginTurn();
  EXPECT_EQ(EndTurn(), Log());
  Publish(kA, 2, "x");
  EXPECT_EQ(EndTurn(), Log({"to 1: from 2: 2"}));
}

TEST_F(BrokerTest, TakesANumberOnce) {
  EXPECT_EQ(Publish(kA, 1, "x"), "0→1");
  EXPECT_EQ(Publish(kA, 1, "x"), "ALREADY_EXISTS");
  EXPECT_EQ(broker_.counters().repeated, 1u);
  EXPECT_EQ(EndTurn(), Log({"to 1: from 1: 1"}));
}

TEST_F(BrokerTest, AHoleInTheNumbersBeginsANewRun) {
  Publish(kA, 1, "x");
  Publish(kA, 4, "x");
  Publish(kA, uint64_t{1} << 63, "x");  // must not cost memory
  EXPECT_EQ(EndTurn(),
            Log({"to 1: from 1: 1", "to 1: from 4: 2", "to 1: from 9223372036854775808: 3"}));
  EXPECT_EQ(broker_.counters().holes, 2u + ((uint64_t{1} << 63) - 5));
}

TEST_F(BrokerTest, DropsPublicationsOfStrangers) {
  EXPECT_EQ(Publish(PublisherId{99}, 1, "x"), "FAILED_PRECONDITION");
  EXPECT_EQ(EndTurn(), Log());
  EXPECT_EQ(broker_.counters().strangers, 1u);
}

TEST_F(BrokerTest, HelloTellsTheNumberToGoOnWith) {
  Publish(kA, 1, "x");
  EndTurn();
  Hello(kA, 2);
  EXPECT_EQ(EndTurn(), Log({"to 1: welcome after 1"}));
  // A worker that has acknowledgements of a server before this one.
  Hello(PublisherId{3}, 10);
  EXPECT_EQ(EndTurn(), Log({"to 3: welcome after 9"}));
  EXPECT_EQ(Publish(PublisherId{3}, 10, "x"), "1→2");
}

TEST_F(BrokerTest, ForgetsAPublisherAfterADay) {
  clock_.Advance(absl::Hours(24));
  broker_.BeginTurn();
  EndTurn();
  EXPECT_EQ(Publish(kA, 1, "x"), "FAILED_PRECONDITION");
}

TEST_F(BrokerTest, RefusesWhatIsTooLargeAndGoesOn) {
  EXPECT_EQ(Publish(kA, 1, "x", std::string(200, 'b')), "INVALID_ARGUMENT");
  EXPECT_EQ(Publish(kA, 2, "x"), "0→1");
  EXPECT_EQ(EndTurn(), Log({"to 1: from 1: 0 1 refused 1 TOO_LARGE"}));
}

TEST_F(BrokerTest, IgnoresWhatIsNotOfThisProtocol) {
  std::string nonsense = "nonsense";
  EXPECT_FALSE(broker_.OnPublication(absl::MakeSpan(nonsense)).ok());
  EXPECT_FALSE(broker_.OnSubscription("no NUL").ok());
  EXPECT_FALSE(broker_.OnSubscription("").ok());
  EXPECT_FALSE(broker_.OnUnsubscription("").ok());
  EXPECT_FALSE(broker_.OnControl(kA, "", &sink_).ok());
  EXPECT_FALSE(broker_.OnControl(kA, std::string("\x01\x63\x00\x00", 4), &sink_).ok());
  EXPECT_FALSE(broker_.OnControl(kA, std::string("\x01\x01\x00\x00\xff", 5), &sink_).ok());
  EXPECT_EQ(broker_.counters().malformed, 7u);
  EXPECT_EQ(EndTurn(), Log());
  EXPECT_EQ(broker_.group_count(), 0u);
}

TEST_F(BrokerTest, HistoryIsTheNewestMessagesWithTheirPredecessors) {
  for (uint64_t number = 1; number <= 4; ++number)
    Publish(kA, number, "x", absl::StrCat("body ", number));
  const channel::v1::History& all = Fetch("x", 0);
  EXPECT_EQ(all.head(), 4u);
  EXPECT_EQ(all.floor(), 1u);  // the first message is kept no more
  ASSERT_EQ(all.messages_size(), 3);
  EXPECT_EQ(ParseLiveFrame(all.messages(0))->header.offset, 2u);
  EXPECT_EQ(ParseLiveFrame(all.messages(0))->header.previous, 1u);
  EXPECT_EQ(ParseLiveFrame(all.messages(2))->body, "body 4");

  EXPECT_EQ(Fetch("x", 3).messages_size(), 1);
  EXPECT_EQ(Fetch("x", 4).messages_size(), 0);
  const channel::v1::History& newest = Fetch("x", 0, 1);
  ASSERT_EQ(newest.messages_size(), 1);
  EXPECT_EQ(ParseLiveFrame(newest.messages(0))->header.offset, 4u);
  EXPECT_EQ(newest.floor(), 3u);
  EXPECT_EQ(Fetch("unknown", 0).messages_size(), 0);
}

TEST_F(BrokerTest, HistoryExpires) {
  Publish(kA, 1, "x");
  clock_.Advance(absl::Seconds(299));
  EndTurn();
  Publish(kA, 2, "x");
  EXPECT_EQ(Fetch("x", 0).messages_size(), 2);
  clock_.Advance(absl::Seconds(1));
  EndTurn();
  EndTurn();
  const channel::v1::History& history = Fetch("x", 0);
  EXPECT_EQ(history.messages_size(), 1);
  EXPECT_EQ(history.floor(), 1u);
}

TEST_F(BrokerTest, HistoryOfAllGroupsTogetherIsBoundedInBytes) {
  for (uint64_t number = 1; number <= 100; ++number) Publish(kA, number, absl::StrCat("g", number));
  EXPECT_LE(broker_.history_bytes(), 10'000u);
  EXPECT_GT(broker_.history_bytes(), 9'500u);
  EXPECT_EQ(Fetch("g1", 0).messages_size(), 0);
  EXPECT_EQ(Fetch("g100", 0).messages_size(), 1);
}

// A member that was in the group before and comes back with an old position must not take what
// follows for the continuation: nobody knows any more what was in between.
TEST_F(BrokerTest, AForgottenGroupComesBackWithTheHighestForgottenOffset) {
  Publish(kA, 1, "x");
  Publish(kA, 2, "y");
  Subscribe("kept");
  clock_.Advance(absl::Seconds(300));
  broker_.BeginTurn();
  EndTurn();
  EXPECT_EQ(broker_.group_count(), 1u);  // of a group with subscribers the head stays
  Subscribe("x");
  EXPECT_EQ(EndTurn(), Log({"head x 2 floor 2"}));
  EXPECT_EQ(Publish(kA, 3, "x"), "2→3");
  EXPECT_EQ(Publish(kA, 4, "kept"), "0→4");
}

TEST_F(BrokerTest, AGroupIsForgottenWhenItsLastSubscriberGoesAndItHasNoHistory) {
  Subscribe("x");
  Publish(kA, 1, "x");
  Unsubscribe("x");
  EXPECT_EQ(broker_.group_count(), 1u);
  clock_.Advance(absl::Seconds(300));
  broker_.BeginTurn();
  EndTurn();
  EXPECT_EQ(broker_.group_count(), 0u);
  EXPECT_EQ(broker_.history_bytes(), 0u);
}

class NoHistoryTest : public BrokerTest {
 protected:
  NoHistoryTest()
      : BrokerTest({.epoch = kEpoch, .history_messages_max = 1, .history_bytes_max = 1}) {}
};

TEST_F(NoHistoryTest, AMessageThatDoesNotFitIsHandedOutAndForgotten) {
  EXPECT_EQ(Publish(kA, 1, "x"), "0→1");
  EXPECT_EQ(broker_.group_count(), 0u);
  EXPECT_EQ(Publish(kA, 2, "x"), "1→2");
}

}  // namespace
}  // namespace groupcast::service
