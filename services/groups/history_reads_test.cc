#include "services/groups/history_reads.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {
namespace {

using Words = std::vector<std::string>;

constexpr Epoch kEpoch{7};

// Keeps the questions until the test answers them.
class AskedChannel final : public Channel {
 public:
  struct Question {
    std::string group_id;
    HistoryCallback done;
  };
  std::vector<Question> questions;

  void FetchHistory(absl::string_view group_id, const Position&, uint32_t,
                    HistoryCallback done) override {
    questions.push_back({std::string(group_id), std::move(done)});
  }
  void Publish(const Publication&, PublishCallback) override {}
  bool HasRoomFor(const PublicationsSize&) override { return true; }
  void Subscribe(absl::string_view) override {}
  void Unsubscribe(absl::string_view) override {}
  bool connected() const override { return true; }
  size_t message_bytes_max() const override { return 64 * 1024; }
};

class Reader final : public Member {
 public:
  Reader(uint64_t id, std::string name)
      : Member(ConnectionId{id}, &kPlainV1Encoding), name(std::move(name)) {}

  void Send(const SharedBytes& bytes, TrafficClass) override {
    replies.emplace_back(bytes.bytes());
  }
  bool HasRoomFor(size_t) const override { return true; }
  void Disconnect(CloseCode, absl::string_view) override {}
  void ResumeCommands() override { ++resumed; }

  const std::string name;
  Words replies;
  int resumed = 0;
};

class HistoryReadsTest : public testing::Test {
 protected:
  explicit HistoryReadsTest(const HistoryReadsOptions& options = {.asked_max = 2})
      : reads_(options, [this](Member* member, const absl::Status& why, const std::string& id) {
          refused_.push_back(absl::StrCat(static_cast<Reader*>(member)->name, " ", id, ": ",
                                          absl::StatusCodeToString(why.code())));
        }) {
    reads_.SetChannel(&channel_);
  }

  std::unique_ptr<Reader> NewReader(const std::string& name) {
    return std::make_unique<Reader>(++last_id_, name);
  }
  void Read(Reader* reader, const std::string& group_id, uint32_t limit = 100) {
    Command command{.kind = Command::Kind::kGroupHistory, .id = "1", .history = limit};
    command.group_ids.push_back({.id = group_id});
    reads_.Read(reader, command);
  }

  // The groups of the questions without an answer.
  Words Asked() const {
    Words groups;
    for (const AskedChannel::Question& question : channel_.questions) {
      groups.push_back(question.group_id);
    }
    return groups;
  }
  static History OneMessage(uint64_t offset, std::string data) {
    return {.head = {kEpoch, offset},
            .messages = {{.offset = offset, .previous = offset - 1, .data = std::move(data)}}};
  }
  // Answers the oldest question.
  void Answer(absl::StatusOr<History> history) {
    ASSERT_FALSE(channel_.questions.empty());
    const AskedChannel::Question question = std::move(channel_.questions.front());
    channel_.questions.erase(channel_.questions.begin());
    question.done(std::move(history));
  }
  void Answer(size_t bytes = 10) { Answer(OneMessage(5, std::string(bytes, 'x'))); }

  AskedChannel channel_;
  Words refused_;
  uint64_t last_id_ = 0;
  HistoryReads reads_;
};

TEST_F(HistoryReadsTest, AFewQuestionsAreUnderWayAndTheOthersFollowInTheirOrder) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (const char* group : {"a", "b", "c", "d"}) {
    readers.push_back(NewReader(group));
    Read(readers.back().get(), group);
  }
  EXPECT_EQ(Asked(), Words({"a", "b"}));
  Answer();
  EXPECT_EQ(Asked(), Words({"b", "c"}));
  EXPECT_EQ(readers[0]->replies.size(), 1u);
  EXPECT_EQ(readers[0]->pending_answers, 0);
  EXPECT_EQ(readers[0]->resumed, 1);
  EXPECT_EQ(readers[1]->pending_answers, 1);
  Answer();
  Answer();
  Answer();
  for (const auto& reader : readers) EXPECT_EQ(reader->replies.size(), 1u);
  EXPECT_EQ(reads_.reads(), 0u);
}

// Who joined the first question might miss a message that it sent itself before it read.
TEST_F(HistoryReadsTest, EqualReadsThatWaitShareOneQuestionButNoneThatWasAskedBefore) {
  const auto first = NewReader("first");
  const auto second = NewReader("second");
  const auto third = NewReader("third");
  const auto other = NewReader("other");
  Read(first.get(), "g");
  Read(other.get(), "other");
  Read(second.get(), "g");
  Read(third.get(), "g");
  EXPECT_EQ(Asked(), Words({"g", "other"}));
  Answer(OneMessage(5, "old"));
  EXPECT_EQ(Asked(), Words({"other", "g"}));
  EXPECT_TRUE(second->replies.empty());
  Answer();
  Answer(OneMessage(6, "new"));
  EXPECT_EQ(Asked(), Words());
  EXPECT_TRUE(absl::StrContains(first->replies[0], "old"));
  for (const auto* reader : {&second, &third}) {
    ASSERT_EQ((*reader)->replies.size(), 1u);
    EXPECT_TRUE(absl::StrContains((*reader)->replies[0], "new"));
  }
}

TEST_F(HistoryReadsTest, AnErrorAnswersAllThatShareTheQuestion) {
  const auto first = NewReader("first");
  const auto second = NewReader("second");
  const auto third = NewReader("third");
  const auto blocker = NewReader("blocker");
  Read(first.get(), "a");
  Read(blocker.get(), "x");
  Read(second.get(), "b");
  Read(third.get(), "b");
  Answer(absl::UnavailableError("away"));
  Answer();
  Answer(absl::UnavailableError("away"));
  EXPECT_EQ(refused_,
            Words({"first 1: UNAVAILABLE", "second 1: UNAVAILABLE", "third 1: UNAVAILABLE"}));
  EXPECT_EQ(third->resumed, 1);
}

TEST_F(HistoryReadsTest, AMessageThatExcludesAReaderIsItsPlaceForThisReaderOnly) {
  const auto excluded = NewReader("excluded");
  const auto other = NewReader("other");
  const auto x = NewReader("x");
  const auto y = NewReader("y");
  Read(x.get(), "x");
  Read(y.get(), "y");
  Read(excluded.get(), "g");
  Read(other.get(), "g");
  Answer();
  History history = OneMessage(5, "secret");
  history.messages[0].excluded_session = excluded->session();
  Answer();
  Answer(history);
  ASSERT_EQ(excluded->replies.size(), 1u);
  EXPECT_FALSE(absl::StrContains(excluded->replies[0], "secret"));
  EXPECT_TRUE(absl::StrContains(excluded->replies[0], "excluded"));
  EXPECT_TRUE(absl::StrContains(other->replies[0], "secret"));
}

TEST_F(HistoryReadsTest, WhoHasGoneIsForgottenWhereverItsReadIs) {
  auto asked = NewReader("asked");
  auto shares = NewReader("shares");
  auto waits = NewReader("waits");
  const auto stays = NewReader("stays");
  const auto blocker = NewReader("blocker");
  Read(asked.get(), "a");
  Read(blocker.get(), "b");
  Read(waits.get(), "alone");
  Read(shares.get(), "shared");
  Read(stays.get(), "shared");
  for (auto* gone : {&asked, &shares, &waits}) {
    reads_.Drop(gone->get());
    gone->reset();
  }
  EXPECT_EQ(reads_.reads(), 2u);
  Answer();
  EXPECT_EQ(Asked(), Words({"b", "shared"}));  // nobody asks for "alone"
  Answer();
  Answer();
  EXPECT_EQ(stays->replies.size(), 1u);
  EXPECT_EQ(Asked(), Words());
}

TEST_F(HistoryReadsTest, AQuestionWhoseOnlyReaderHasGoneIsAskedAnewForTheNext) {
  const auto a = NewReader("a");
  const auto b = NewReader("b");
  auto gone = NewReader("gone");
  const auto next = NewReader("next");
  Read(a.get(), "a");
  Read(b.get(), "b");
  Read(gone.get(), "g");
  reads_.Drop(gone.get());
  Read(next.get(), "g");
  Answer();
  EXPECT_EQ(Asked(), Words({"b", "g"}));
  Answer();
  Answer();
  EXPECT_EQ(next->replies.size(), 1u);
}

TEST_F(HistoryReadsTest, ReadersThatSeeTheSameShareARenderingAlsoIfAMessageExcludesSomebody) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (const char* name : {"a", "b", "excluded", "c", "d"}) {
    readers.push_back(NewReader(name));
    readers.back()->set_session(FingerprintOf({name}));
    Read(readers.back().get(), readers.size() < 3 ? name : "g");
  }
  History history = OneMessage(5, "secret");
  history.messages[0].excluded_session = readers[2]->session();
  Answer();
  Answer();
  const uint64_t before = reads_.renderings();
  Answer(history);
  EXPECT_EQ(reads_.renderings(), before + 2);
  for (size_t i = 2; i < 5; ++i) {
    EXPECT_EQ(absl::StrContains(readers[i]->replies.back(), "secret"), i != 2);
  }
}

class OneQuestionTest : public HistoryReadsTest {
 protected:
  OneQuestionTest() : HistoryReadsTest({.asked_max = 1, .turn_bytes = 100 << 20}) {}
};

TEST_F(OneQuestionTest, WhoHasReadMuchWaitsWhileOthersReadAsMuch) {
  const auto heavy = NewReader("heavy");
  const auto heavy_too = NewReader("heavy too");
  // Two of them, so that one always waits: nobody is held up for nothing.
  const auto light = NewReader("light");
  const auto light_too = NewReader("light too");
  for (Reader* reader : {heavy.get(), heavy_too.get(), light.get(), light_too.get()}) {
    Read(reader, reader->name);
  }
  Answer(100'000);
  Read(heavy.get(), "heavy");
  Answer(100'000);
  Read(heavy_too.get(), "heavy too");
  int light_reads = 0;
  for (Reader* next = light.get(); Asked() == Words({next->name}) && light_reads < 1'000;
       next = next == light.get() ? light_too.get() : light.get()) {
    ++light_reads;
    Answer(100);
    Read(next, next->name);
  }
  // When each of them has had as many bytes, it is the turn of the others.
  EXPECT_EQ(Asked(), Words({"heavy"}));
  EXPECT_GT(light_reads, 200);
  EXPECT_LT(light_reads, 400);
}

// Otherwise it could save up its turns, and then hold up all others.
TEST_F(OneQuestionTest, WhoComesLateBeginsWhereTheOthersAre) {
  const auto early = NewReader("early");
  const auto late = NewReader("late");
  for (int i = 0; i < 10; ++i) {
    Read(early.get(), "early");
    Answer(100'000);
  }
  const auto blocker = NewReader("blocker");
  Read(blocker.get(), "blocker");
  Read(late.get(), "late");
  Read(early.get(), "early");
  Answer(100);
  EXPECT_EQ(Asked(), Words({"late"}));
  Answer(200'000);
  Read(late.get(), "late");
  EXPECT_EQ(Asked(), Words({"early"}));
}

TEST_F(OneQuestionTest, WhoComesLateDoesNotReadForFreeWhatTheOthersHadBefore) {
  const auto early = NewReader("early");
  const auto late = NewReader("late");
  const auto blocker = NewReader("blocker");
  for (int i = 0; i < 10; ++i) {
    Read(early.get(), "early");
    Answer(100'000);
  }
  Read(late.get(), "late");
  Answer(200'000);
  Read(blocker.get(), "blocker");
  Read(late.get(), "late");
  Read(early.get(), "early");
  Answer(100);
  EXPECT_EQ(Asked(), Words({"early"}));
}

TEST_F(OneQuestionTest, AReaderOfLittleLendsItsPlaceToAQuestionThatItShares) {
  const auto heavy = NewReader("heavy");
  const auto other = NewReader("other");
  const auto light = NewReader("light");
  const auto blocker = NewReader("blocker");
  Read(heavy.get(), "g");
  Answer(100'000);
  Read(other.get(), "x");
  Answer(50'000);
  Read(blocker.get(), "blocker");
  Read(heavy.get(), "g");
  Read(other.get(), "x");
  Read(light.get(), "g");
  Answer(100);
  EXPECT_EQ(Asked(), Words({"g"}));
  Answer(100);
  EXPECT_EQ(light->replies.size(), 1u);
  EXPECT_EQ(heavy->replies.size(), 2u);
}

class SmallTurnsTest : public HistoryReadsTest {
 protected:
  SmallTurnsTest()
      : HistoryReadsTest({.asked_max = 2, .turn_bytes = 3'000, .answers_bytes_max = 5'000}) {}
};

TEST_F(SmallTurnsTest, ATurnHasABudgetForReplies) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < 5; ++i) {
    readers.push_back(NewReader(absl::StrCat(i)));
    Read(readers.back().get(), i == 0 ? "first" : i == 1 ? "second" : "g");
  }
  const auto replies = [&] {
    size_t count = 0;
    for (const auto& reader : readers) count += reader->replies.size();
    return count;
  };
  Answer(100);
  Answer(100);
  EXPECT_EQ(replies(), 2u);
  Answer(2'000);  // for three readers
  EXPECT_EQ(replies(), 3u);
  EXPECT_TRUE(reads_.ServeTurn());
  EXPECT_EQ(replies(), 3u);
  EXPECT_FALSE(reads_.ServeTurn());
  EXPECT_EQ(replies(), 5u);
  EXPECT_FALSE(reads_.ServeTurn());
}

TEST_F(SmallTurnsTest, AnswersThatWaitForTheirTurnAreBoundedButNotForReadersThatComeFirst) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (const char* name : {"a", "b", "c", "d"}) {
    readers.push_back(NewReader(name));
    reads_.ServeTurn();
    Read(readers.back().get(), name);
    Answer(3'000);  // it takes the budget of the turn
    EXPECT_EQ(readers.back()->replies.size(), 1u);
  }
  Read(readers[0].get(), "a");
  Answer(3'000);
  Read(readers[1].get(), "b");
  Answer(3'000);
  // The answers for these two wait.
  Read(readers[2].get(), "c");
  EXPECT_EQ(Asked(), Words());
  const auto fresh = NewReader("fresh");
  Read(fresh.get(), "fresh");
  EXPECT_EQ(Asked(), Words({"fresh"}));
  Answer(100);
  reads_.ServeTurn();
  reads_.ServeTurn();
  EXPECT_EQ(fresh->replies.size(), 1u);
  for (int i = 0; i < 3; ++i) reads_.ServeTurn();
  EXPECT_EQ(Asked(), Words({"c"}));
}

// The reader's answer would count for ever.
TEST_F(SmallTurnsTest, AnAnswerThatNobodyWaitsForTakesNoRoom) {
  auto gone = NewReader("gone");
  const auto a = NewReader("a");
  const auto b = NewReader("b");
  const auto c = NewReader("c");
  Read(gone.get(), "gone");
  reads_.Drop(gone.get());
  Answer(10'000);
  Read(a.get(), "a");
  Answer(3'000);  // it takes the budget of the turn
  Read(b.get(), "b");
  Answer(100);
  EXPECT_TRUE(b->replies.empty());
  Read(c.get(), "c");
  EXPECT_EQ(Asked(), Words({"c"}));
}

// The groups of the questions when `answers` answers of this size wait for their turn.
class ExactBoundTest : public HistoryReadsTest {
 protected:
  static constexpr size_t kAnswerBytes = sizeof(History::Entry) + 3'000;
  explicit ExactBoundTest(size_t answers_bytes_max = 2 * kAnswerBytes)
      : HistoryReadsTest({.turn_bytes = 1'000, .answers_bytes_max = answers_bytes_max}) {}

  Words AskedAfterTwoAnswersThatWait() {
    for (const char* name : {"a", "b", "c", "d"}) {
      readers_.push_back(NewReader(name));
      Read(readers_.back().get(), name);
      if (Asked().empty()) break;
      if (readers_.size() < 4) Answer(3'000);  // the first takes the budget of the turn
    }
    return Asked();
  }
  std::vector<std::unique_ptr<Reader>> readers_;
};

class AByteMoreTest : public ExactBoundTest {
 protected:
  AByteMoreTest() : ExactBoundTest(2 * kAnswerBytes + 1) {}
};

TEST_F(ExactBoundTest, AnswersThatWaitMayReachTheirBound) {
  EXPECT_EQ(AskedAfterTwoAnswersThatWait(), Words());
}

TEST_F(AByteMoreTest, BelowTheBoundOfAnswersThatWaitThereIsANextQuestion) {
  EXPECT_EQ(AskedAfterTwoAnswersThatWait(), Words({"d"}));
}

TEST_F(HistoryReadsTest, AByteOfATurnThatIsLeftServesOneMoreReader) {
  const auto first = NewReader("first");
  const auto second = NewReader("second");
  Read(first.get(), "first");
  Answer(100);
  HistoryReads reads({.turn_bytes = first->read_bytes + 1},
                     [](Member*, const absl::Status&, const std::string&) {});
  reads.SetChannel(&channel_);
  for (Reader* reader : {first.get(), second.get()}) {
    reader->read_bytes = 0;
    reader->replies.clear();
    Command command{.kind = Command::Kind::kGroupHistory, .id = "1", .history = 100};
    command.group_ids.push_back({.id = "first"});
    reads.Read(reader, command);
    Answer(100);
    EXPECT_EQ(reader->replies.size(), 1u);
  }
}

TEST_F(HistoryReadsTest, AReplyIsRenderedAgainIfTheFloorHasPassedItsReader) {
  const auto reader = NewReader("reader");
  Command command{.kind = Command::Kind::kGroupHistory, .id = "1", .history = 100};
  command.group_ids.push_back({.id = "g"});
  command.since = Position{kEpoch, 4};
  History history = OneMessage(5, "text");
  reads_.Read(reader.get(), command);
  Answer(history);
  EXPECT_TRUE(absl::StrContains(reader->replies[0], R"("recovered":true)"));
  history.floor = 5;
  reads_.Read(reader.get(), command);
  Answer(history);
  EXPECT_TRUE(absl::StrContains(reader->replies[1], R"("recovered":false)"));
}

TEST_F(HistoryReadsTest, AReplyMayTakeAllTheBytesForKeptRepliesAndItsSuccessorTakesItsPlace) {
  const auto reader = NewReader("reader");
  Read(reader.get(), "g");
  Answer(OneMessage(5, "text"));
  const size_t bytes = reads_.kept_bytes();
  Read(reader.get(), "g");
  Answer(OneMessage(6, "text"));
  EXPECT_EQ(reads_.kept_bytes(), bytes);
  HistoryReads reads({.kept_bytes_max = bytes},
                     [](Member*, const absl::Status&, const std::string&) {});
  reads.SetChannel(&channel_);
  Command command{.kind = Command::Kind::kGroupHistory, .id = "1", .history = 100};
  command.group_ids.push_back({.id = "g"});
  reads.Read(reader.get(), command);
  Answer(OneMessage(5, "text"));
  EXPECT_EQ(reads.kept_bytes(), bytes);
}

TEST_F(HistoryReadsTest, AReplyWithTheSameMessagesIsNotRenderedAgain) {
  const auto reader = NewReader("reader");
  for (int i = 0; i < 3; ++i) {
    Read(reader.get(), "g");
    Answer(OneMessage(5, "same"));
  }
  EXPECT_EQ(reads_.renderings(), 1u);
  EXPECT_EQ(reader->replies[2], reader->replies[0]);
  Read(reader.get(), "g");
  Answer(OneMessage(6, "next"));
  EXPECT_EQ(reads_.renderings(), 2u);
  EXPECT_TRUE(absl::StrContains(reader->replies[3], "next"));
  History newer = OneMessage(6, "next");
  newer.head.epoch = Epoch{8};
  Read(reader.get(), "g");
  Answer(newer);
  EXPECT_EQ(reads_.renderings(), 3u);
  newer.messages.clear();
  Read(reader.get(), "g");
  Answer(newer);
  EXPECT_FALSE(absl::StrContains(reader->replies[5], "next"));
}

class FewKeptTest : public HistoryReadsTest {
 protected:
  FewKeptTest() : HistoryReadsTest({.kept_bytes_max = 4'000}) {}
  uint64_t renderings_ = 0;
};

TEST_F(FewKeptTest, TheRepliesThatWereUsedLastAreKept) {
  const auto reader = NewReader("reader");
  const auto read = [&](const char* group) {
    Read(reader.get(), group);
    Answer(1'000);
    const uint64_t before = std::exchange(renderings_, reads_.renderings());
    EXPECT_LE(reads_.kept_bytes(), 4'000u);
    return renderings_ == before;
  };
  EXPECT_FALSE(read("a"));
  EXPECT_FALSE(read("b"));
  EXPECT_TRUE(read("a"));
  EXPECT_FALSE(read("c"));  // in the place of "b"
  EXPECT_TRUE(read("a"));
  EXPECT_FALSE(read("b"));
  Read(reader.get(), "large");
  Answer(10'000);
  EXPECT_EQ(reads_.kept_bytes(), 0u);
}

TEST_F(FewKeptTest, AReplyThatWasReplacedHasNoPlaceAnyMore) {
  const auto reader = NewReader("reader");
  const auto renders = [&](const char* group, uint64_t offset) {
    Read(reader.get(), group);
    Answer(OneMessage(offset, std::string(1'000, 'x')));
    return std::exchange(renderings_, reads_.renderings()) != reads_.renderings();
  };
  EXPECT_TRUE(renders("a", 5));
  EXPECT_TRUE(renders("a", 6));
  EXPECT_TRUE(renders("b", 5));
  EXPECT_FALSE(renders("a", 6));
  EXPECT_TRUE(renders("c", 5));  // in the place of "b"
  EXPECT_FALSE(renders("a", 6));
}

}  // namespace
}  // namespace groupcast::service
