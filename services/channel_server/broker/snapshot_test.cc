// A snapshot whose parts are written between turns restores what one of a single moment would.

#include "services/channel_server/broker/snapshot.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "services/channel_server/broker/broker_harness.h"
#include "services/channel_server/broker/proto/snapshot.pb.h"

namespace groupcast::service {
namespace {

constexpr int kGroups = 20;

std::string Id(int i) { return absl::StrCat("group ", i); }

BrokerOptions Options() {
  BrokerOptions options = SmallOptions(true);
  options.idle_groups_max = 1'000'000;
  options.groups_per_snapshot_part = kGroups / 2;
  options.retention.bytes_max = 100'000'000;
  return options;
}

using channel_server::v1::Snapshot;

// Gives each field of the message, and of the messages in it, a value of its own. A repeated field
// has two entries.
void FillEachField(google::protobuf::Message* message, int* next) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection* const reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const Field* const field = message->GetDescriptor()->field(i);
    if (field->name() == "continues") continue;  // of the form, not of the state
    if (field->name() == "image") continue;      // see image_test
    if (field->is_repeated()) {
      ASSERT_EQ(field->cpp_type(), Field::CPPTYPE_MESSAGE) << field->full_name();
      for (int entry = 0; entry < 2; ++entry) {
        FillEachField(reflection->AddMessage(message, field), next);
      }
      continue;
    }
    const int value = ++*next;
    switch (field->cpp_type()) {
      case Field::CPPTYPE_UINT64:
        reflection->SetUInt64(message, field, static_cast<uint64_t>(value));
        break;
      case Field::CPPTYPE_INT64:
        reflection->SetInt64(message, field, value);
        break;
      case Field::CPPTYPE_STRING:
        reflection->SetString(message, field, absl::StrCat("text ", value));
        break;
      default:
        FAIL() << "give this type a value: " << field->full_name();
    }
  }
}

// A field that is added to the format and not restored, or not written, is missing afterwards.
TEST(SnapshotFieldsTest, EachFieldComesBackFromASnapshot) {
  Snapshot filled;
  int values = 0;
  FillEachField(&filled, &values);
  ASSERT_GE(values, 13);
  FakeClock clock;
  FakeClock calendar;  // its date is after the times in the snapshot
  Broker broker(Options(), &clock, &calendar);
  ASSERT_TRUE(broker.restorer()->OnSnapshotPart(filled.SerializeAsString()).ok());
  broker.restorer()->OnSnapshotEnd();
  broker.FinishRecovery(false);
  broker.snapshot()->Begin();
  Snapshot written;
  ASSERT_TRUE(written.ParseFromString(broker.snapshot()->NextPart()));
  ASSERT_TRUE(broker.snapshot()->done());
  std::string differences;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&differences);
  EXPECT_TRUE(differencer.Compare(filled, written)) << differences;
}

class SnapshotTest : public testing::Test {
 protected:
  // Each group has one message: group 0 at offset 1, and so on.
  SnapshotTest() {
    for (int i = 0; i < kGroups; ++i) Publish(i);
    server_.EndTurn();
    server_.BeginSegment();
  }
  void Publish(int group) { server_.Publish(kA, ++number_, Id(group)); }

  BrokerHarness server_{Options()};
  uint64_t number_ = 0;
};

TEST_F(SnapshotTest, ComesInPartsThatTogetherHaveAll) {
  ASSERT_TRUE(server_.AddSnapshotPart());
  ASSERT_FALSE(server_.AddSnapshotPart());
  EXPECT_TRUE(server_.broker.snapshot()->done());
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.group_count(), static_cast<size_t>(kGroups));
  for (const int i : {0, 1, kGroups / 2, kGroups - 1}) {
    EXPECT_EQ(restarted->History(Id(i)), absl::StrCat("from ", i + 1, " up to ", i + 1));
  }
  EXPECT_EQ(restarted->Hello(kA, number_ + 1), absl::StrCat("to 1: known after ", number_));
}

// Before and after the part that has the group.
TEST_F(SnapshotTest, MessagesBetweenThePartsGoOnFromTheGroupsPlace) {
  Publish(0);
  Publish(kGroups - 1);
  server_.EndTurn();
  ASSERT_TRUE(server_.AddSnapshotPart());
  Publish(1);
  Publish(kGroups - 1);
  server_.EndTurn();
  ASSERT_FALSE(server_.AddSnapshotPart());
  Publish(2);
  server_.EndTurn();
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  const int n = kGroups;
  EXPECT_EQ(restarted->History(Id(0)), absl::StrCat(n + 1, " from 1 up to ", n + 1));
  EXPECT_EQ(restarted->History(Id(1)), absl::StrCat(n + 3, " from 2 up to ", n + 3));
  EXPECT_EQ(restarted->History(Id(2)), absl::StrCat(n + 5, " from 3 up to ", n + 5));
  EXPECT_EQ(restarted->History(Id(n - 1)),
            absl::StrCat(n + 2, " ", n + 4, " from ", n, " up to ", n + 4));
  EXPECT_EQ(restarted->Hello(kA, number_ + 1), absl::StrCat("to 1: known after ", number_));
}

TEST_F(SnapshotTest, GroupsThatComeBetweenThePartsAreThere) {
  ASSERT_TRUE(server_.AddSnapshotPart());
  Publish(kGroups);
  server_.Subscribe("quiet");
  server_.EndTurn();
  while (server_.AddSnapshotPart()) {
  }
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->History(Id(kGroups)),
            absl::StrCat(kGroups + 1, " from 0 up to ", kGroups + 1));
  EXPECT_EQ(restarted->History("quiet"), "from 0 up to 0");
}

// It must not come back with the log, with a head below what was told of it since.
TEST_F(SnapshotTest, GroupsThatAreForgottenBetweenThePartsStayForgotten) {
  ASSERT_TRUE(server_.AddSnapshotPart());
  server_.Pass(absl::Minutes(10));
  ASSERT_EQ(server_.broker.group_count(), 0u);
  EXPECT_FALSE(server_.AddSnapshotPart());
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.group_count(), 0u);
  const std::string known = absl::StrCat("from ", kGroups, " up to ", kGroups);
  EXPECT_EQ(restarted->History(Id(0)), known);
  EXPECT_EQ(restarted->History(Id(kGroups - 1)), known);
}

TEST_F(SnapshotTest, AnEpochThatBeginsBetweenThePartsCounts) {
  server_.Subscribe(Id(3));
  server_.EndTurn();
  ASSERT_TRUE(server_.AddSnapshotPart());
  server_.Hello(kB, 1, kEpoch, 1'000'000);  // the log is an old copy
  server_.EndTurn();
  ASSERT_EQ(server_.broker.epoch(), kNextEpoch);
  while (server_.AddSnapshotPart()) {
  }
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.epoch(), kNextEpoch);
  EXPECT_EQ(restarted->broker.group_count(), 1u);
  EXPECT_EQ(restarted->History(Id(3), 0, 0, kNextEpoch),
            absl::StrCat("from ", kGroups, " up to ", kGroups));
}

// The message is in the log before the part, so the part must be beyond it.
TEST_F(SnapshotTest, AMessageThatIsNotHandedOutYetIsInTheGroupsPlace) {
  server_.sink.room = 0;
  Publish(kGroups - 1);
  server_.EndTurn();
  ASSERT_TRUE(server_.broker.handing_out());
  while (server_.AddSnapshotPart()) {
  }
  server_.BeginSegment();
  while (server_.AddSnapshotPart()) {
  }
  EXPECT_EQ(server_.Restart()->History(Id(kGroups - 1)),
            absl::StrCat("from ", kGroups + 1, " up to ", kGroups + 1));
}

TEST_F(SnapshotTest, APartHasItsNumberOfGroupsAndTheFirstAllElse) {
  const Words parts = server_.TakeSnapshot();
  ASSERT_EQ(parts.size(), 2u);
  Snapshot first;
  Snapshot second;
  ASSERT_TRUE(first.ParseFromString(parts[0]) && second.ParseFromString(parts[1]));
  EXPECT_EQ(first.groups_size(), kGroups / 2);
  EXPECT_EQ(second.groups_size(), kGroups / 2);
  EXPECT_FALSE(first.continues());
  EXPECT_EQ(first.publishers_size(), 2);
  EXPECT_TRUE(second.continues());
  EXPECT_EQ(second.publishers_size(), 0);
  EXPECT_EQ(second.epoch(), 0u);
}

// What a log has brought back is in the snapshot of the process that follows.
TEST_F(SnapshotTest, RestoredGroupsAreInTheNextSnapshot) {
  server_.Subscribe("quiet");
  Publish(kGroups);
  server_.EndTurn();
  while (server_.AddSnapshotPart()) {
  }
  const std::unique_ptr<BrokerHarness> first = server_.Restart();
  first->Rotate();
  const std::unique_ptr<BrokerHarness> second = first->Restart();
  EXPECT_EQ(second->broker.group_count(), static_cast<size_t>(kGroups) + 2);
  EXPECT_EQ(second->History("quiet"), "from 0 up to 0");
  EXPECT_EQ(second->History(Id(0)), "from 1 up to 1");
  EXPECT_EQ(second->History(Id(kGroups)),
            absl::StrCat("from ", kGroups + 1, " up to ", kGroups + 1));
}

// The first part found no room, and a turn came before it. Its results must not be lost.
TEST_F(SnapshotTest, ResultsOfATurnBeforeTheFirstPartStay) {
  Publish(0);
  server_.EndTurn();
  while (server_.AddSnapshotPart()) {
  }
  EXPECT_EQ(server_.Restart()->Hello(kA, number_),
            absl::StrCat("to 1: known after ", number_, " from ", number_, ": ", kGroups + 1));
}

// It has said hello in an epoch that has ended, and not in the next.
TEST_F(SnapshotTest, APublisherWithoutNumbersIsNotInAPart) {
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart(/*tail_may_be_missing=*/true);
  restarted->EndTurn();
  restarted->Rotate();
  EXPECT_EQ(restarted->Restart()->Hello(kA), "to 1: new of epoch 8 after 0");
}

TEST(SnapshotOrderTest, OfTooManyPublishersTheOneHeardOfLongestAgoIsForgotten) {
  Snapshot snapshot;
  for (const auto& [id, heard_ms] : {std::pair{1, 3}, {2, 1}, {3, 2}}) {
    Snapshot::Publisher* const publisher = snapshot.add_publishers();
    publisher->set_id(static_cast<uint64_t>(id));
    publisher->set_heard_ms(heard_ms);
  }
  BrokerOptions options = Options();
  options.publishers.publishers_max = 1;
  FakeClock clock;
  Broker broker(options, &clock, &clock);
  ASSERT_TRUE(broker.restorer()->OnSnapshotPart(snapshot.SerializeAsString()).ok());
  broker.restorer()->OnSnapshotEnd();
  broker.FinishRecovery(false);
  broker.snapshot()->Begin();
  Snapshot written;
  ASSERT_TRUE(written.ParseFromString(broker.snapshot()->NextPart()));
  ASSERT_EQ(written.publishers_size(), 1);
  EXPECT_EQ(written.publishers(0).id(), 1u);
}

// The part before could not be written, and the log has others of the same snapshot.
TEST_F(SnapshotTest, BeginsAnewAfterAPartIsLost) {
  ASSERT_TRUE(server_.AddSnapshotPart());
  Publish(0);
  server_.EndTurn();
  server_.broker.snapshot()->NextPart();  // not written
  server_.broker.snapshot()->Begin();
  while (server_.AddSnapshotPart()) {
  }
  const std::unique_ptr<BrokerHarness> restarted = server_.Restart();
  EXPECT_EQ(restarted->broker.group_count(), static_cast<size_t>(kGroups));
  EXPECT_EQ(restarted->History(Id(0)), absl::StrCat(kGroups + 1, " from 1 up to ", kGroups + 1));
}

// A turn that the log has not got made the group known, and a later one made it unknown. Had the
// snapshot the group, it would come back with a head below what was told of it since.
TEST_F(SnapshotTest, AGroupThatNoTurnInTheLogHasNamedIsNotInAPart) {
  server_.sink.log_works = false;  // for the turns; the parts are smaller
  server_.Subscribe("new");
  server_.Pass(absl::Milliseconds(1));
  while (server_.AddSnapshotPart()) {
  }
  server_.Unsubscribe("new");
  server_.Pass(absl::Milliseconds(1));
  server_.sink.log_works = true;
  server_.Pass(absl::Minutes(10));
  ASSERT_EQ(server_.broker.group_count(), 0u);
  const std::string told = absl::StrCat("from ", kGroups, " up to ", kGroups);
  ASSERT_EQ(server_.History("new"), told);
  EXPECT_EQ(server_.Restart()->History("new"), told);
}

}  // namespace
}  // namespace groupcast::service
