#include "services/channel/nats/nats_client.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel/wire_content.h"
#include "services/common/clock.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

std::string Body(const std::string& text) {
  channel::v1::Content content;
  ContentToWire({.data = text}, &content);
  return content.SerializeAsString();
}

// Plays the server: the test sees each request, and gives the answers.
class NatsClientTest : public ::testing::Test, public NatsWriter, public ChannelListener {
 protected:
  struct Written {
    std::string subject;
    std::string reply;
    std::string data;
  };

  NatsClientTest() {
    NatsClientOptions options;
    options.stream.name = "s";
    client_ = std::make_unique<NatsClient>(options, &clock_, this, this);
  }

  void Publish(absl::string_view subject, absl::string_view reply, Headers,
               absl::string_view data) override {
    written_.push_back({std::string(subject), std::string(reply), std::string(data)});
  }
  void Subscribe(absl::string_view subject, uint64_t number) override {
    numbers_[std::string(subject)] = number;
  }
  void Unsubscribe(uint64_t) override {}

  void OnSubscribed(absl::string_view, const Position& head) override {
    absl::StrAppend(&seen_, "joined ", head.offset, "; ");
  }
  void OnMessage(const Message& message) override {
    absl::StrAppend(&seen_, message.previous, ">", message.offset, " ", message.content.data, "; ");
  }
  void OnGap(absl::string_view, const Gap& gap) override {
    absl::StrAppend(&seen_, gap.new_epoch ? "new epoch " : "", "gap to ", gap.to.offset, "; ");
  }
  void OnConnectionState(bool connected) override {
    absl::StrAppend(&seen_, connected ? "connected; " : "lost; ");
  }
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status& why) override {
    absl::StrAppend(&seen_, "misconfigured: ", why.message(), "; ");
  }

  // The oldest request that was not taken, of this subject.
  Written Take(const std::string& subject) {
    for (size_t i = 0; i < written_.size(); ++i) {
      if (written_[i].subject != subject) continue;
      Written taken = written_[i];
      written_.erase(written_.begin() + static_cast<std::ptrdiff_t>(i));
      return taken;
    }
    ADD_FAILURE() << "no request " << subject;
    return {};
  }
  bool Has(const std::string& subject) const {
    for (const Written& written : written_) {
      if (written.subject == subject) return true;
    }
    return false;
  }
  void Answer(const Written& request, const std::string& json, const std::string& headers = "") {
    client_->OnMessage(
        {.subject = request.reply, .subscription = 1, .headers = headers, .data = json});
    client_->GiveAnswers();
  }
  void AnswerStream(const std::string& created, uint64_t last) {
    Answer(Take("$JS.API.STREAM.CREATE.s"),
           absl::StrCat(R"({"created":")", created, R"(","state":{"first_seq":1,"last_seq":)", last,
                        "}}"));
  }
  void Connect(const std::string& created = "once", uint64_t last = 20) {
    client_->OnConnected({.name = "n1", .payload_bytes_max = 1'000'000, .has_jet_stream = true});
    AnswerStream(created, last);
  }
  // The leader's answer: the message with this offset. 0: there is none.
  void AnswerMessage(uint64_t offset, const std::string& text = "") {
    Answer(Take(kGet),
           offset == 0 ? R"({"error":{"code":404,"err_code":10037,"description":"none"}})"
                       : absl::StrCat(R"({"message":{"subject":"s.g.g","seq":)", offset,
                                      R"(,"data":")", absl::Base64Escape(Body(text)), R"("}})"));
  }
  void Join(uint64_t head) {
    client_->Subscribe("g");
    AnswerMessage(head);
  }
  void Live(uint64_t offset, uint64_t previous, const std::string& text) {
    const std::string headers = absl::StrCat("NATS/1.0\r\nNats-Sequence: ", offset,
                                             "\r\nNats-Last-Sequence: ", previous, "\r\n\r\n");
    const std::string body = Body(text);
    client_->OnMessage({.subject = "s.live.g",
                        .subscription = numbers_["s.live.g"],
                        .headers = headers,
                        .data = body});
    client_->GiveAnswers();
  }
  // A repair after `head` was asked for: the stream's state, its head, then its messages.
  void AnswerRepair(const std::vector<std::pair<uint64_t, std::string>>& messages) {
    Answer(Take("$JS.API.STREAM.INFO.s"),
           R"({"created":"once","state":{"first_seq":1,"last_seq":50,"subjects":{"s.g.g":3}}})");
    AnswerMessage(messages.back().first);
    for (const auto& [offset, text] : messages) AnswerMessage(offset, text);
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    client_->Tick();
    client_->GiveAnswers();
  }
  std::string Seen() { return std::exchange(seen_, {}); }

  static constexpr char kGet[] = "$JS.API.STREAM.MSG.GET.s";
  FakeClock clock_;
  std::vector<Written> written_;
  std::map<std::string, uint64_t> numbers_;
  std::string seen_;
  std::unique_ptr<NatsClient> client_;
};

TEST_F(NatsClientTest, IsConnectedWhenItHasTheStream) {
  client_->OnConnected({.name = "n1", .payload_bytes_max = 1'000'000});
  client_->GiveAnswers();
  EXPECT_FALSE(client_->connected());
  AnswerStream("once", 0);
  EXPECT_TRUE(client_->connected());
  EXPECT_EQ(Seen(), "connected; ");
  client_->OnLost();
  client_->GiveAnswers();
  EXPECT_EQ(Seen(), "lost; ");
}

TEST_F(NatsClientTest, AStreamWithOtherOptionsIsAMisconfiguration) {
  client_->OnConnected({.name = "n1", .payload_bytes_max = 1'000'000});
  Answer(Take("$JS.API.STREAM.CREATE.s"),
         R"({"error":{"code":400,"err_code":10058,"description":"in use"}})");
  EXPECT_EQ(Seen(), "misconfigured: JetStream says: in use; ");
}

TEST_F(NatsClientTest, WithoutJetStreamItTriesAgain) {
  client_->OnConnected({.name = "n1", .payload_bytes_max = 1'000'000});
  Answer(Take("$JS.API.STREAM.CREATE.s"), "", "NATS/1.0 503\r\n\r\n");
  EXPECT_THAT(std::string(client_->defect().message()), HasSubstr("no JetStream"));
  Pass(absl::Seconds(1));
  AnswerStream("once", 0);
  EXPECT_TRUE(client_->defect().ok());
  EXPECT_EQ(Seen(), "connected; ");
}

TEST_F(NatsClientTest, ServersThatTakeTooLittleAreAMisconfiguration) {
  client_->OnConnected({.name = "n1", .payload_bytes_max = 10'000});
  EXPECT_THAT(Seen(), HasSubstr("but n1 takes 7952: raise max_payload"));
}

TEST_F(NatsClientTest, DeliversAfterTheLastMessageThatTheLeaderTells) {
  Connect();
  Join(7);
  Live(7, 3, "was part of it");
  Live(9, 7, "a");
  Live(12, 9, "b");
  EXPECT_EQ(Seen(), "connected; joined 7; 7>9 a; 9>12 b; ");
}

TEST_F(NatsClientTest, AnEmptyGroupBeginsAtTheEndOfTheStream) {
  Connect("once", 20);
  Join(0);
  Live(30, 0, "the first one");
  EXPECT_EQ(Seen(), "connected; joined 20; 20>30 the first one; ");
}

TEST_F(NatsClientTest, ACopyMayComeBeforeTheLeadersAnswer) {
  Connect();
  client_->Subscribe("g");
  Live(9, 7, "early");
  AnswerMessage(7);
  EXPECT_EQ(Seen(), "connected; joined 7; ");
  AnswerRepair({{9, "early"}});
  EXPECT_EQ(Seen(), "7>9 early; ");
}

TEST_F(NatsClientTest, AMissingCopyIsRepaired) {
  Connect();
  Join(7);
  Live(12, 9, "b");
  EXPECT_EQ(Seen(), "connected; joined 7; ");
  AnswerRepair({{9, "a"}, {12, "b"}});
  EXPECT_EQ(Seen(), "7>9 a; 9>12 b; ");
}

// Nothing comes live after it, so only the comparison shows it.
TEST_F(NatsClientTest, AMissingCopyOfTheLastMessageIsFound) {
  Connect();
  Join(7);
  Pass(absl::Milliseconds(50));
  AnswerMessage(9);
  EXPECT_FALSE(Has("$JS.API.STREAM.INFO.s")) << "it may be on its way";
  Pass(absl::Seconds(1));
  Take(kGet);  // of the next comparison
  AnswerRepair({{9, "a"}});
  EXPECT_EQ(Seen(), "connected; joined 7; 7>9 a; ");
  EXPECT_EQ(client_->counters().behind, 1u);
}

TEST_F(NatsClientTest, ACopyOfItsOwnPublicationThatIsMissingIsFound) {
  Connect();
  Join(7);
  client_->Publish({.group_id = "g", .content = {.data = "mine"}, .key = {}},
                   [](const absl::StatusOr<Position>&) {});
  Answer(Take("s.g.g"), R"({"stream":"s","seq":9})");
  written_.clear();
  clock_.Advance(absl::Seconds(1));
  client_->Tick();
  client_->GiveAnswers();
  EXPECT_TRUE(Has("$JS.API.STREAM.INFO.s"));
}

TEST_F(NatsClientTest, WhatCameWhileItWasAwayIsRepaired) {
  Connect();
  Join(7);
  client_->OnLost();
  Connect();
  AnswerMessage(9);
  AnswerRepair({{9, "a"}});
  EXPECT_EQ(Seen(), "connected; joined 7; lost; connected; 7>9 a; ");
}

TEST_F(NatsClientTest, AGroupWithoutMessagesMissesNothingAfterAShortAbsence) {
  Connect();
  Join(7);
  client_->OnLost();
  Connect("once", 90);
  AnswerMessage(0);
  EXPECT_FALSE(Has("$JS.API.STREAM.INFO.s")) << "there is nothing to repair";
  Live(95, 0, "next");
  EXPECT_EQ(Seen(), "connected; joined 7; lost; connected; 7>95 next; ");
}

TEST_F(NatsClientTest, AnotherStreamOfTheNameIsANewEpoch) {
  Connect();
  Join(7);
  client_->OnLost();
  Connect("again", 3);
  AnswerMessage(2);
  Answer(Take("$JS.API.STREAM.INFO.s"),
         R"({"created":"again","state":{"first_seq":1,"last_seq":3,"subjects":{"s.g.g":1}}})");
  AnswerMessage(2);
  AnswerMessage(2, "of the new one");
  EXPECT_EQ(Seen(),
            "connected; joined 7; lost; connected; new epoch gap to 0; 0>2 of the new one; ");
}

TEST_F(NatsClientTest, AHeadThatIsNotToldIsAskedForAgain) {
  Connect();
  client_->Subscribe("g");
  Answer(Take(kGet), "", "NATS/1.0 503\r\n\r\n");
  Pass(absl::Milliseconds(50));
  AnswerMessage(7);
  EXPECT_EQ(Seen(), "connected; joined 7; ");
}

}  // namespace
}  // namespace groupcast::service
