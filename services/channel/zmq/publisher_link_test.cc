// A PublisherLink by itself: what it tells its owner, and when it asks. Its work within a client is
// in channel_client_test.cc.

#include "services/channel/zmq/publisher_link.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/channel/zmq/channel_client_harness.h"

namespace groupcast::service {
namespace {

class PublisherLinkTest : public testing::Test {
 protected:
  explicit PublisherLinkTest(ChannelClientOptions options = {})
      : link_(Options(options), &clock_, &links_, &listener_,
              [this] { listener_.told.push_back("on_connected"); }) {}

  static ChannelClientOptions Options(ChannelClientOptions options) {
    options.publisher = kPublisher;
    options.window.bytes_max = 1'000;
    options.digest_timeout = absl::InfiniteDuration();
    return options;
  }

  channel::v1::HelloReply Reply() const {
    channel::v1::HelloReply reply;
    reply.set_attempt(attempt_);
    reply.set_epoch(static_cast<uint64_t>(kEpoch));
    reply.set_max_message_bytes(64 * 1024);
    reply.set_known(true);
    return reply;
  }
  // The hellos since the last call. Reply answers the last one.
  size_t Hellos() {
    for (const std::string& frame : links_.controls) {
      channel::v1::Hello hello;
      EXPECT_TRUE(hello.ParseFromString(std::string(ParseControlFrame(frame)->body)));
      attempt_ = hello.attempt();
    }
    return std::exchange(links_.controls, {}).size();
  }
  bool Answer() { return link_.OnHelloReply(Reply()); }
  void Connect() {
    link_.OnControlUp();
    link_.OnPublishLinkUp();
    EXPECT_EQ(Hellos(), 1u);
    EXPECT_TRUE(Answer());
    listener_.told.clear();
  }
  // Hellos within `time`, without an answer.
  size_t HellosWithin(absl::Duration time) {
    for (; time > absl::ZeroDuration(); time -= absl::Milliseconds(50)) {
      clock_.Advance(absl::Milliseconds(50));
      link_.Tick();
    }
    return Hellos();
  }
  void Publish(const std::string& text) {
    link_.Publish({.group_id = "x", .content = {.data = text}, .key = {}},
                  [this, text](const absl::StatusOr<Position>& result) {
                    listener_.told.push_back(
                        absl::StrCat(text.substr(0, 1), result.ok() ? " done" : " refused"));
                  });
  }
  void Acknowledge(uint64_t number) {
    channel::v1::Acknowledgement results;
    results.set_epoch(static_cast<uint64_t>(kEpoch));
    results.set_first_number(number);
    results.add_offsets(number);
    link_.OnAcknowledgement(results);
  }
  Words Told() {
    link_.GiveAnswers();
    return std::exchange(listener_.told, {});
  }

  FakeClock clock_;
  FakeLinks links_;
  FakeListener listener_;
  uint64_t attempt_ = 0;
  PublisherLink link_;
};

// ---- The connection.

TEST_F(PublisherLinkTest, TheOwnerHearsOfEachConnectionBeforeTheListener) {
  link_.OnControlUp();
  link_.OnPublishLinkUp();
  Hellos();
  Answer();
  EXPECT_EQ(Told(), Words({"on_connected", "connected"}));
  link_.OnPublishLinkDown();
  EXPECT_EQ(Told(), Words({"disconnected"}));
  link_.OnPublishLinkUp();
  EXPECT_EQ(Told(), Words({"on_connected", "connected"}));
}

TEST_F(PublisherLinkTest, WithoutAControlLinkThereIsNoHelloAndNoAnswer) {
  link_.OnPublishLinkUp();
  EXPECT_FALSE(Answer());
  EXPECT_EQ(Told(), Words());
  EXPECT_EQ(HellosWithin(absl::Seconds(5)), 0u);
  link_.OnControlUp();
  EXPECT_EQ(Hellos(), 1u);
  link_.OnControlDown();
  EXPECT_FALSE(Answer());
  EXPECT_EQ(HellosWithin(absl::Seconds(5)), 0u);
  EXPECT_EQ(Told(), Words());
}

TEST_F(PublisherLinkTest, AMisconfigurationIsToldOnceAndComparesNothing) {
  link_.OnControlUp();
  Hellos();
  channel::v1::HelloReply reply = Reply();
  reply.set_max_message_bytes(64 * 1024 - 1);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(link_.OnHelloReply(reply));
  EXPECT_EQ(Told(), Words({"misconfigured: FAILED_PRECONDITION"}));
}

class ModestPublisherLinkTest : public PublisherLinkTest {
 protected:
  ModestPublisherLinkTest() : PublisherLinkTest({.server_may_take_less = true}) {}
};

TEST_F(ModestPublisherLinkTest, AServerThatTakesLessThanItMayIsNoMisconfiguration) {
  link_.OnControlUp();
  Hellos();
  channel::v1::HelloReply reply = Reply();
  reply.set_max_message_bytes(10);
  EXPECT_TRUE(link_.OnHelloReply(reply));
  EXPECT_TRUE(link_.hello_answered());
  EXPECT_EQ(link_.message_bytes_max(), 10u);
}

// ---- Reasons to compare all heads.

TEST_F(PublisherLinkTest, AnAnswerToAQuestionComparesHeadsOnlyIfADigestMayBeMissing) {
  Connect();
  EXPECT_FALSE(link_.OnDigest(1, kEpoch));
  channel::v1::HelloReply reply = Reply();
  reply.set_last_digest(1);
  EXPECT_FALSE(link_.OnHelloReply(reply));
  reply.set_last_digest(2);
  EXPECT_TRUE(link_.OnHelloReply(reply)) << "the second digest has not come";
  EXPECT_FALSE(link_.OnHelloReply(reply));
  EXPECT_FALSE(link_.OnDigest(3, kEpoch));
  reply.set_last_digest(3);
  reply.set_known(false);
  EXPECT_TRUE(link_.OnHelloReply(reply)) << "it was forgotten for a time";
}

// ---- Questions.

// Its answer has said that the server has nothing. The next one is due as late as the first.
TEST_F(PublisherLinkTest, AnAnswerWithoutResultsIsNotFollowedByAQuestionAtOnce) {
  Connect();
  Publish("a");
  EXPECT_EQ(HellosWithin(absl::Milliseconds(200)), 1u);
  Answer();
  EXPECT_EQ(HellosWithin(absl::Milliseconds(150)), 0u);
  EXPECT_EQ(HellosWithin(absl::Milliseconds(50)), 1u);
}

TEST_F(PublisherLinkTest, AResultDelaysTheNextQuestion) {
  Connect();
  Publish("a");
  Publish("b");
  EXPECT_EQ(HellosWithin(absl::Milliseconds(150)), 0u);
  Acknowledge(1);
  EXPECT_EQ(HellosWithin(absl::Milliseconds(150)), 0u);
  Acknowledge(1);  // nothing new
  EXPECT_EQ(HellosWithin(absl::Milliseconds(50)), 1u);
}

TEST_F(PublisherLinkTest, ANewConnectionGivesTheResultsTheirWholeTimeAgain) {
  Connect();
  Publish("a");
  link_.OnControlDown();
  clock_.Advance(absl::Seconds(10));
  link_.OnControlUp();
  EXPECT_EQ(Hellos(), 1u);
  clock_.Advance(absl::Milliseconds(500));
  Answer();
  EXPECT_EQ(HellosWithin(absl::Milliseconds(150)), 0u);
  EXPECT_EQ(HellosWithin(absl::Milliseconds(50)), 1u);
  Answer();
  EXPECT_EQ(link_.resends(), 0u);
}

TEST_F(PublisherLinkTest, TheWindowIsSentAgainExactlyAfterItsTimeWithoutProgress) {
  Connect();
  Publish("a");
  EXPECT_EQ(HellosWithin(absl::Milliseconds(4'950)), 5u);
  Answer();
  EXPECT_EQ(links_.publications, Words({"1 a"}));
  clock_.Advance(absl::Milliseconds(50));
  Answer();
  EXPECT_EQ(links_.publications, Words({"1 a", "1 a"}));
  EXPECT_EQ(link_.resends(), 1u);
}

TEST_F(PublisherLinkTest, OnlyWhatWasSentCountsAsSentAgain) {
  link_.OnControlUp();
  Hellos();
  Answer();
  Publish("a");
  link_.OnPublishLinkUp();
  EXPECT_EQ(link_.resends(), 0u);
  link_.OnPublishLinkUp();
  EXPECT_EQ(link_.resends(), 1u);
  EXPECT_EQ(links_.publications, Words({"1 a", "1 a"}));
}

// ---- Room.

TEST_F(PublisherLinkTest, APromiseOfRoomIsForThePublicationsOfOneCommand) {
  Connect();
  const std::string large(800, 'a');
  // A command always fits into an empty window.
  EXPECT_TRUE(link_.HasRoomFor({.count = 3, .bytes = 2'403}));
  for (int i = 0; i < 3; ++i) Publish(large);
  const size_t bytes = link_.window_bytes();
  Publish("b");
  EXPECT_EQ(link_.window_bytes(), bytes);
  EXPECT_EQ(links_.publications.size(), 3u);
  EXPECT_EQ(Told(), Words({"b refused"}));
  EXPECT_FALSE(link_.HasRoomFor({.count = 1, .bytes = 2}));
}

TEST_F(PublisherLinkTest, ALaterQuestionEndsAPromiseThatWasNotUsed) {
  Connect();
  EXPECT_TRUE(link_.HasRoomFor({.count = 2, .bytes = 1'602}));
  Publish(std::string(800, 'a'));
  EXPECT_FALSE(link_.HasRoomFor({.count = 1, .bytes = 801}));
  Publish(std::string(800, 'b'));
  EXPECT_EQ(Told(), Words({"b refused"}));
}

TEST_F(PublisherLinkTest, TheListenerHearsOfRoomWhenTheSmallestWishFits) {
  Connect();
  Publish(std::string(500, 'a'));
  Publish("b");
  EXPECT_FALSE(link_.TellRoom());  // nobody has asked
  EXPECT_FALSE(link_.HasRoomFor({.count = 1, .bytes = 700}));
  EXPECT_FALSE(link_.HasRoomFor({.count = 1, .bytes = 100}));
  EXPECT_FALSE(link_.HasRoomFor({.count = 1, .bytes = 700}));
  EXPECT_FALSE(link_.TellRoom());
  Acknowledge(1);
  EXPECT_FALSE(link_.HasRoomFor({.count = 1, .bytes = 700}));
  EXPECT_TRUE(link_.TellRoom());
  EXPECT_EQ(Told(), Words({"room", "a done"}));
  EXPECT_FALSE(link_.TellRoom());
}

TEST_F(PublisherLinkTest, AMessageOfExactlyTheMaximumIsTaken) {
  Connect();
  Publish(std::string(64 * 1024, 'a'));
  EXPECT_EQ(links_.publications.size(), 1u);
  Publish(std::string(64 * 1024 + 1, 'b'));
  EXPECT_EQ(links_.publications.size(), 1u);
  EXPECT_EQ(Told(), Words({"b refused"}));
}

}  // namespace
}  // namespace groupcast::service
