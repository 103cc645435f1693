// The data directory goes away under a running server, and comes back in every way.

#include "services/channel_server/data_directory.h"

#include <unistd.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/channel_server/log/testing/resource_limit.h"
#include "services/common/clock.h"
#include "services/common/log_capture.h"

namespace groupcast::service {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr PublisherId kPublisher{1};

// A channel server without sockets. It is killed with its end of life.
class Life final : private BrokerSink {
 public:
  explicit Life(const fs::path& path, const GroupLogOptions& options = {.boot_id = "boot"})
      : broker_({.new_epoch = [] { return Epoch{7}; },
                 .has_log = true,
                 .record_room_bytes = GroupLog::kRecordHeaderBytes},
                &clock_, &clock_) {
    absl::StatusOr<std::unique_ptr<DataDirectory>> data =
        DataDirectory::Open(path, options, false, &clock_, &broker_, &report_);
    EXPECT_TRUE(data.ok()) << data.status();
    data_ = *std::move(data);
    broker_.BeginTurn();
    channel::v1::Hello hello;
    hello.set_first_unacknowledged(1);
    EXPECT_TRUE(broker_.OnControl(kPublisher, ControlFrame(ControlKind::kHello, hello), this).ok());
    EXPECT_TRUE(EndTurn().ok());
  }

  // Publishes a message in a turn of its own, after the server has looked at its directory.
  absl::Status Publish(absl::string_view group_id = "x", absl::Duration after = absl::Seconds(1)) {
    Pass(after);
    frames_.push_back(LiveFramePrefix(group_id, {.kind = LiveKind::kPublication,
                                                 .publisher = kPublisher,
                                                 .number = ++number_}) +
                      "body");
    EXPECT_TRUE(broker_.OnPublication(absl::MakeSpan(frames_.back())).ok());
    return EndTurn();
  }
  void Look() {
    clock_.Advance(absl::Seconds(1));
    EXPECT_TRUE(EndTurn().ok());
  }
  // A turn after a long time forgets messages, so it may be refused.
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    EndTurn().IgnoreError();
  }
  absl::Status Close() { return data_->Close(); }
  uint64_t last_offset() const { return broker_.last_offset(); }
  uint64_t retained_bytes() const { return broker_.retained_bytes(); }

 private:
  absl::Status EndTurn() {
    absl::Status written = broker_.EndTurn(this);
    frames_.clear();
    broker_.BeginTurn();
    data_->Step();
    return written;
  }
  absl::Status WriteLog(std::string* record) override { return data_->Append(record); }
  bool HandOut(size_t) override { return true; }
  bool Announce(absl::string_view) override { return true; }
  Sent SendControl(PublisherId, absl::string_view frame) override {
    const ControlView control = *ParseControlFrame(frame);
    channel::v1::HelloReply reply;
    if (control.kind == ControlKind::kHelloReply &&
        reply.ParseFromString(std::string(control.body))) {
      number_ = reply.last_accepted();
    }
    return Sent::kSent;
  }

  FakeClock clock_;
  Broker broker_;
  RecoveryReport report_;
  std::unique_ptr<DataDirectory> data_;
  std::deque<std::string> frames_;
  uint64_t number_ = 0;
};

class DataDirectoryTest : public ::testing::Test {
 protected:
  DataDirectoryTest() {
    const testing::TestInfo& info = *testing::UnitTest::GetInstance()->current_test_info();
    parent_ = fs::path(testing::TempDir()) / info.name();
    fs::remove_all(parent_);
    fs::create_directories(parent_);
  }
  ~DataDirectoryTest() override { fs::remove_all(parent_); }

  fs::path parent_;
  fs::path path() const { return parent_ / "data"; }
  fs::path away() const { return parent_ / "away"; }

  // A server that starts now knows `messages` messages, and takes another one.
  void ExpectKnown(uint64_t messages) const {
    Life next(path());
    EXPECT_EQ(next.last_offset(), messages);
    EXPECT_GT(next.retained_bytes(), 256 * messages);
    EXPECT_TRUE(next.Publish().ok());
    EXPECT_EQ(next.last_offset(), messages + 1);
  }
};

TEST_F(DataDirectoryTest, NothingIsTakenWithoutTheDirectory) {
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  fs::remove_all(path());
  const absl::Status refused = life.Publish();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("cannot find"));
  EXPECT_FALSE(fs::exists(path()));  // it is not for the server to make it
  EXPECT_EQ(life.last_offset(), 1u);
  const absl::Status closed = life.Close();
  EXPECT_EQ(closed.code(), absl::StatusCode::kUnavailable);
}

#if !defined(__SANITIZE_ADDRESS__)  // UBSan itself needs a descriptor to look at an object

// Strangers may hold all of them.
TEST_F(DataDirectoryTest, ALogThatIsOpenNeedsNoFurtherDescriptor) {
  { EXPECT_TRUE(Life(path()).Publish().ok()); }
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  {
    const ResourceLimit no_descriptors(RLIMIT_NOFILE, 0);
    ASSERT_FALSE(std::ifstream("/dev/null").is_open());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(life.Publish().ok());
  }
  EXPECT_TRUE(life.Publish().ok());
}

#endif

// No permission is not an absence. The log stays open, and what was lost stays lost.
TEST_F(DataDirectoryTest, WithoutAnAnswerOfTheSystemTheStateStays) {
  constexpr uid_t kNobody = 65534;  // root may look everywhere
  const bool is_root = geteuid() == 0;
  const auto publish_unseeing = [&](Life* life) {
    fs::permissions(parent_, fs::perms::none);
    EXPECT_TRUE(!is_root || seteuid(kNobody) == 0);
    const absl::Status published = life->Publish();
    EXPECT_TRUE(!is_root || seteuid(0) == 0);
    fs::permissions(parent_, fs::perms::owner_all);
    return published;
  };
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  EXPECT_TRUE(publish_unseeing(&life).ok());
  fs::rename(path(), away());
  EXPECT_FALSE(life.Publish().ok());
  EXPECT_EQ(publish_unseeing(&life).code(), absl::StatusCode::kUnavailable);
  fs::rename(away(), path());
  EXPECT_TRUE(life.Publish().ok());
}

TEST_F(DataDirectoryTest, AnEmptyDirectoryTakesUpAllThatTheServerHas) {
  {
    Life life(path());
    ASSERT_TRUE(life.Publish().ok());
    ASSERT_TRUE(life.Publish().ok());
    fs::remove_all(path());
    EXPECT_FALSE(life.Publish().ok());
    fs::create_directory(path());
    ASSERT_TRUE(life.Publish().ok());
  }
  ExpectKnown(3);
}

// As by rm -rf data/*.
TEST_F(DataDirectoryTest, ADirectoryThatIsEmptiedTakesItUpToo) {
  {
    Life life(path());
    ASSERT_TRUE(life.Publish().ok());
    for (const fs::directory_entry& file : fs::directory_iterator(path())) fs::remove(file);
    ASSERT_TRUE(life.Publish().ok());
  }
  ExpectKnown(2);
}

TEST_F(DataDirectoryTest, TheSameDirectoryGoesOn) {
  {
    Life life(path());
    ASSERT_TRUE(life.Publish().ok());
    fs::rename(path(), away());
    EXPECT_FALSE(life.Publish().ok());
    fs::rename(away(), path());
    ASSERT_TRUE(life.Publish().ok());
    EXPECT_EQ(std::distance(fs::directory_iterator(path()), fs::directory_iterator()), 1);
    EXPECT_TRUE(life.Close().ok());
  }
  ExpectKnown(2);
}

TEST_F(DataDirectoryTest, ACopyOfTheLogIsRefusedUntilTheLogIsBack) {
  {
    Life life(path());
    ASSERT_TRUE(life.Publish().ok());
    fs::copy(path(), parent_ / "copy");
    ASSERT_TRUE(life.Publish().ok());
    fs::rename(path(), away());
    fs::rename(parent_ / "copy", path());
    const absl::Status refused = life.Publish();
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr("another directory is there, and it has"));
    fs::rename(path(), parent_ / "copy");
    EXPECT_FALSE(life.Publish().ok());
    fs::rename(away(), path());
    ASSERT_TRUE(life.Publish().ok());
  }
  ExpectKnown(3);
}

// The next segment's file gets its name after someone has emptied the directory, and before the
// log uses the file.
TEST_F(DataDirectoryTest, TheFileOfTheNextSegmentIsTheLogsOwn) {
  const GroupLogOptions options{.segment_bytes_max = 1, .boot_id = "boot"};
  uint64_t taken = 0;
  {
    Life life(path(), options);
    ASSERT_TRUE(life.Publish(std::string(128, 'g')).ok());  // more than a snapshot
    ++taken;
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!fs::exists(path() / "log-0000000000000002")) ASSERT_LT(absl::Now(), deadline);
    fs::remove(path() / "log-0000000000000001");
    life.Pass(absl::Seconds(1));  // a look, which finds that the first segment is missing
    // Then little time passes for the log, so that its messages do not expire meanwhile.
    while (!life.Publish("x", absl::Microseconds(100)).ok()) ASSERT_LT(absl::Now(), deadline);
    ++taken;
  }
  ExpectKnown(taken);
}

// Each attempt writes up to as much as the server keeps, and everything waits for it.
TEST_F(DataDirectoryTest, AnImageThatFailsIsNotTriedAgainAtEachLook) {
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  // Without room nothing remains of an attempt but the directory's time of change.
  const auto long_ago = fs::last_write_time(path()) - std::chrono::hours(1);
  const auto attempts_in = [&](absl::Duration time) {
    int attempts = 0;
    for (absl::Duration passed; passed < time; passed += absl::Milliseconds(250)) {
      fs::last_write_time(path(), long_ago);
      life.Pass(absl::Milliseconds(250));
      if (fs::last_write_time(path()) > long_ago + std::chrono::minutes(30)) ++attempts;
    }
    return attempts;
  };
  for (const bool again : {false, true}) {
    SCOPED_TRACE(again);
    fs::remove_all(path());
    life.Look();
    fs::create_directory(path());
    int first = 0;
    int later = 0;
    absl::Status refused;
    {
      const ResourceLimit full(RLIMIT_FSIZE, 10);  // the test's output has no room, too
      first = attempts_in(absl::Seconds(10));
      life.Pass(absl::Minutes(1));
      attempts_in(absl::Minutes(2));
      later = attempts_in(absl::Minutes(5));
      refused = life.Publish();
    }
    EXPECT_EQ(first, 4);  // after 0, 1, 3 and 7 seconds
    EXPECT_GE(later, 4);
    EXPECT_LE(later, 6);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("cannot begin anew"));
    life.Pass(absl::Minutes(1));
    EXPECT_TRUE(life.Publish().ok());
  }
}

// A disk that is nearly full takes small messages and refuses large ones, as clients send them.
TEST_F(DataDirectoryTest, AFailureThatComesAndGoesWritesOneLinePerSecond) {
  Life life(path());
  const LogCapture log;
  const auto flap = [&] {
    {
      const ResourceLimit full(RLIMIT_FSIZE, 10);
      EXPECT_FALSE(life.Publish("x", absl::ZeroDuration()).ok());
    }
    EXPECT_TRUE(life.Publish("x", absl::ZeroDuration()).ok());
  };
  for (int i = 0; i < 10; ++i) flap();
  EXPECT_EQ(log.Count("the log can be written again"), 1);
  // The last change is told, too, when it is time.
  life.Look();
  EXPECT_EQ(log.Count("the log can be written again"), 2);
  life.Look();
  EXPECT_EQ(log.Count("the log can be written again"), 2);
}

// ---- The end of the server looks for the last time.

TEST_F(DataDirectoryTest, AnEndWithoutTheDirectoryIsTold) {
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  fs::remove_all(path());
  const absl::Status closed = life.Close();
  EXPECT_EQ(closed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(closed.message()), HasSubstr("cannot find"));
}

TEST_F(DataDirectoryTest, AnEndInADirectoryThatWasEmptiedWritesEverything) {
  {
    Life life(path());
    ASSERT_TRUE(life.Publish().ok());
    for (const fs::directory_entry& file : fs::directory_iterator(path())) fs::remove(file);
    EXPECT_TRUE(life.Close().ok());
  }
  ExpectKnown(1);
}

TEST_F(DataDirectoryTest, AnEndDoesNotWaitForTheNextAttempt) {
  {
    Life life(path());
    ASSERT_TRUE(life.Publish().ok());
    fs::remove_all(path());
    life.Look();
    fs::create_directory(path());
    {
      const ResourceLimit full(RLIMIT_FSIZE, 10);
      life.Look();
    }
    EXPECT_TRUE(life.Close().ok());
  }
  ExpectKnown(1);
}

// As by a copy back of a backup.
TEST_F(DataDirectoryTest, OtherFilesInTheDirectoryAreRefusedAndNotTouched) {
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  const fs::path segment = path() / "log-0000000000000001";
  fs::copy(segment, parent_ / "backup");
  ASSERT_TRUE(life.Publish().ok());
  fs::remove(segment);
  fs::rename(parent_ / "backup", segment);
  const auto size = fs::file_size(segment);
  const absl::Status refused = life.Publish();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("is another file now"));
  EXPECT_EQ(fs::file_size(segment), size);
  fs::remove(segment);
  ASSERT_TRUE(life.Publish().ok());
}

TEST_F(DataDirectoryTest, AnEarlierSegmentThatIsMissingIsMadeGood) {
  {
    Life first(path());
    ASSERT_TRUE(first.Publish().ok());
  }
  {
    Life life(path());
    ASSERT_TRUE(life.Publish().ok());
    fs::remove(path() / "log-0000000000000001");
    ASSERT_TRUE(life.Publish().ok());
    EXPECT_TRUE(fs::exists(path() / "log-0000000000000003"));
    EXPECT_FALSE(fs::exists(path() / "log-0000000000000002"));
  }
  ExpectKnown(3);
}

TEST_F(DataDirectoryTest, AFileInThePlaceOfTheDirectoryIsRefused) {
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  fs::remove_all(path());
  std::ofstream(path()) << "a file";
  EXPECT_FALSE(life.Publish().ok());
  fs::remove(path());
  fs::create_directory(path());
  EXPECT_TRUE(life.Publish().ok());
}

TEST_F(DataDirectoryTest, ADirectoryOfAnotherServerIsRefused) {
  Life life(path());
  ASSERT_TRUE(life.Publish().ok());
  fs::rename(path(), away());
  {
    Life other(path());
    EXPECT_THAT(std::string(life.Publish().message()), HasSubstr("in use by another"));
  }
  EXPECT_THAT(std::string(life.Publish().message()), HasSubstr("another directory is there"));
}

// A rotation that was in progress ends first, or never.
TEST_F(DataDirectoryTest, ItGoesAwayInTheMiddleOfRotations) {
  GroupLogOptions options{.segment_bytes_max = 300, .boot_id = "boot"};
  uint64_t taken = 0;
  {
    Life life(path(), options);
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(life.Publish().ok());
        ++taken;
      }
      if (round % 2 == 0) {
        fs::remove_all(path());
        EXPECT_FALSE(life.Publish().ok());
        fs::create_directory(path());
      } else {
        for (const fs::directory_entry& file : fs::directory_iterator(path())) {
          fs::remove(file);  // but not a file that has another name by now
        }
      }
      const absl::Time deadline = absl::Now() + absl::Seconds(30);
      while (!life.Publish().ok()) ASSERT_LT(absl::Now(), deadline);
      ++taken;
    }
  }
  ExpectKnown(taken);
}

}  // namespace
}  // namespace groupcast::service
