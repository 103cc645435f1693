// A channel server with a data directory ends in every way and comes back: what was acknowledged is
// there, once and in its order, and everything goes on after it.

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kRoom[] = "\"room\"";

// A message with its place.
struct Placed {
  std::string text;
  int64_t offset = 0;

  friend bool operator==(const Placed&, const Placed&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Placed& placed) {
    return out << placed.offset << " " << placed.text.substr(0, 20);
  }
};
using Chain = std::vector<Placed>;

// The newest file of the log.
fs::path LastSegment(const fs::path& data_dir) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(data_dir)) {
    files.push_back(entry.path());
  }
  if (files.empty()) throw Failure("no file in the data directory");
  return *std::max_element(files.begin(), files.end());
}

// A connection that names its session.
TestClient ConnectAs(uint16_t port, const std::string& session) {
  RawClient raw(port);
  raw.Write(absl::StrReplaceAll(HandshakeRequest(kV1),
                                {{"GET / ", absl::StrCat("GET /?session=", session, " ")}}));
  return TestClient(std::move(raw), Mode::kV1);
}

class DataDirTest : public ::testing::Test {
 protected:
  DataDirTest() {
    const Event joined = member_.Join("room");
    epoch_ = joined.Text("epoch");
    first_ = last_ = joined.Number("offset");
  }

  // kill -9 and a new process.
  void KillChannelAndStartAgain() {
    channel_.Kill();
    channel_.StartAgain();
  }

  // Sends, waits for the answer, and adds what was acknowledged to `acknowledged_`. Returns the
  // error's code, or "" if there was none.
  std::string Send(const std::string& text) {
    sender_.Send(SendToGroup(kRoom, Quoted(text), "1"));
    const Event answer = sender_.NextEvent();
    if (answer.name() == "error") return answer.Text("code");
    EXPECT_EQ(answer.Text("epoch"), epoch_) << answer.text();
    acknowledged_.push_back({text, answer.Number("offset")});
    return "";
  }

  // The next messages of a member whose position is `*last`: an unbroken chain.
  static Chain ReadChain(TestClient* member, size_t count, int64_t* last) {
    Chain chain;
    for (size_t i = 0; i < count; ++i) {
      const Event event = member->NextEvent();
      EXPECT_EQ(event.name(), "message") << event.text();
      EXPECT_EQ(event.Number("previous"), *last) << event.text();
      *last = event.Number("offset");
      chain.push_back({event.Text("message"), *last});
    }
    return chain;
  }

  // The member has got all that was acknowledged, and somebody who joins with the position at which
  // the test began gets the same; nothing else.
  void ExpectAllThereOnce() {
    const Chain live = ReadChain(&member_, acknowledged_.size() - seen_.size(), &last_);
    seen_.insert(seen_.end(), live.begin(), live.end());
    EXPECT_EQ(seen_, acknowledged_);
    EXPECT_TRUE(member_.IsQuiet());
    ExpectRecovers(service_.port());
  }

  void ExpectRecovers(uint16_t port) {
    TestClient late(port, Mode::kV1);
    const Event reply = late.JoinSince("room", epoch_, first_);
    EXPECT_TRUE(reply.Bool("recovered")) << reply.text();
    EXPECT_EQ(reply.Text("epoch"), epoch_);
    int64_t last = reply.Number("offset");
    EXPECT_EQ(last, first_);
    EXPECT_EQ(ReadChain(&late, acknowledged_.size(), &last), acknowledged_);
    EXPECT_TRUE(late.IsQuiet());
  }

  // The member is told that another history begins, and what is sent from now on follows it.
  void ExpectNewEpoch() {
    channel_.process().WaitForOutput("a worker knows of messages that are not in the log");
    const Event gap = member_.NextEvent();
    EXPECT_EQ(gap.name(), "gap") << gap.text();
    EXPECT_TRUE(gap.IsNull("from"));
    EXPECT_NE(gap.Text("epoch"), epoch_);
    TestClient late(service_.port(), Mode::kV1);
    EXPECT_FALSE(late.JoinSince("room", epoch_, last_).Bool("recovered"));
    epoch_ = gap.Text("epoch");
    last_ = gap.Number("to");
    EXPECT_EQ(Send("in the new epoch"), "");
    EXPECT_EQ(ReadChain(&member_, 1, &last_), Chain{acknowledged_.back()});
  }

  const fs::path data_dir_ = NewTempPath("data");
  ChannelServer channel_{{"--data_dir=" + data_dir_.string()}};
  WebSocketService service_{channel_, /*workers=*/2};
  TestClient member_{service_.port(), Mode::kV1};
  TestClient sender_{service_.port(), Mode::kV1};
  std::string epoch_;
  int64_t first_ = 0;  // where the member's group was when the test began
  int64_t last_ = 0;   // where the member is
  Chain acknowledged_;
  Chain seen_;
};

TEST_F(DataDirTest, KillOfTheServerLosesNothingThatWasAcknowledged) {
  constexpr int kSends = 3'000;
  // Without waiting for answers, so that many are on their way each time.
  for (int i = 0; i < kSends; ++i) {
    sender_.Send(SendToGroup(kRoom, Quoted(absl::StrCat(i)), absl::StrCat(i)));
    if (i % 1'000 == 500) KillChannelAndStartAgain();
  }
  std::map<int64_t, int64_t> offsets;
  for (int i = 0; i < kSends; ++i) {
    const Event answer = sender_.NextEvent();
    ASSERT_EQ(answer.name(), "reply") << answer.text();
    EXPECT_EQ(answer.Text("epoch"), epoch_);
    EXPECT_TRUE(offsets.emplace(answer.Number("id"), answer.Number("offset")).second);
  }
  for (const auto& [id, offset] : offsets) acknowledged_.push_back({absl::StrCat(id), offset});
  // One sender's messages are in the order in which it sent them.
  EXPECT_TRUE(std::is_sorted(acknowledged_.begin(), acknowledged_.end(),
                             [](const Placed& a, const Placed& b) { return a.offset < b.offset; }));
  ExpectAllThereOnce();
  EXPECT_THAT(channel_.process().Output(), HasSubstr("was not closed: its server was killed"));
}

TEST_F(DataDirTest, KillOfEverythingLosesNothingThatWasAcknowledged) {
  TestClient sender = ConnectAs(service_.port(), "one-session");
  const std::string keyed =
      R"({"cmd":"send_to_group","group_id":"room","message":"with a key","key":"k","id":2})";
  EXPECT_EQ(Send("a"), "");
  sender.Send(keyed);
  acknowledged_.push_back({"with a key", sender.NextEvent().Number("offset")});
  EXPECT_EQ(Send("b"), "");

  service_.process().Signal(SIGKILL);
  service_.process().WaitForEnd();
  KillChannelAndStartAgain();
  WebSocketService successor(channel_, /*workers=*/2);
  ExpectRecovers(successor.port());

  // Its key is remembered too: sent again, it is the message that is there already.
  TestClient again = ConnectAs(successor.port(), "one-session");
  again.Send(keyed);
  const Event repeated = again.NextEvent();
  EXPECT_EQ(repeated.Number("offset"), acknowledged_[1].offset) << repeated.text();
  EXPECT_EQ(repeated.Text("epoch"), epoch_);
  ExpectRecovers(successor.port());
}

TEST_F(DataDirTest, AStopAndAStartAreAsIfNothingHadHappened) {
  EXPECT_EQ(Send("before"), "");
  for (const int signal : {SIGTERM, SIGINT}) {
    channel_.process().Signal(signal);
    EXPECT_EQ(channel_.process().WaitForEnd(), 0);
    EXPECT_THAT(channel_.process().Output(),
                HasSubstr("the log is closed; the next start goes on from it"));
    channel_.StartAgain();
    EXPECT_THAT(channel_.process().Output(), HasSubstr("recovered in"));
    EXPECT_THAT(channel_.process().Output(), HasSubstr("as it was closed"));
    EXPECT_EQ(Send("after"), "");
  }
  ExpectAllThereOnce();
}

// A record that is not whole was not acknowledged. It is cut off, that is said, and all goes on.
TEST_F(DataDirTest, ATornLastRecordIsCutOffAndSaid) {
  EXPECT_EQ(Send("whole"), "");
  channel_.Kill();
  const fs::path segment = LastSegment(data_dir_);
  std::ofstream(segment, std::ios::app) << "torn re";
  channel_.StartAgain();
  EXPECT_THAT(channel_.process().Output(),
              HasSubstr(absl::StrCat("7 bytes were cut off the end, which was not whole: ",
                                     segment.string())));
  EXPECT_EQ(Send("after"), "");
  ExpectAllThereOnce();
}

// Somebody, or something, has taken acknowledged messages from the log's end. The workers know
// better, so the offsets do not go on as if nothing had happened.
TEST_F(DataDirTest, ALostTailIsANewEpochAndIsTold) {
  for (const char* text : {"a", "b", "c"}) EXPECT_EQ(Send(text), "");
  ReadChain(&member_, 3, &last_);
  channel_.Kill();
  const fs::path segment = LastSegment(data_dir_);
  fs::resize_file(segment, fs::file_size(segment) - 3);
  channel_.StartAgain();
  EXPECT_THAT(channel_.process().Output(), HasSubstr("the record is cut off"));
  ExpectNewEpoch();
}

TEST_F(DataDirTest, ARestoredBackupIsANewEpochAndIsTold) {
  EXPECT_EQ(Send("in the backup"), "");
  channel_.process().Signal(SIGTERM);
  EXPECT_EQ(channel_.process().WaitForEnd(), 0);
  const fs::path backup = NewTempPath("backup");
  fs::copy(data_dir_, backup);
  channel_.StartAgain();
  EXPECT_EQ(Send("not in it"), "");
  ReadChain(&member_, 2, &last_);

  channel_.Kill();
  fs::remove_all(data_dir_);
  fs::rename(backup, data_dir_);
  channel_.StartAgain();
  ExpectNewEpoch();
}

// When nobody is left who knows how far the log had come, it must be said.
TEST_F(DataDirTest, ANewEpochCanBeAskedFor) {
  EXPECT_EQ(Send("before"), "");
  channel_.Kill();
  ChannelServer successor({"--data_dir=" + data_dir_.string(), "--new_epoch"});
  EXPECT_THAT(successor.process().Output(),
              HasSubstr("a new epoch begins, and members are told, because of --new_epoch"));
  WebSocketService service(successor, /*workers=*/1);
  TestClient client(service.port(), Mode::kV1);
  const Event reply = client.JoinSince("room", epoch_, first_);
  EXPECT_FALSE(reply.Bool("recovered")) << reply.text();
  EXPECT_NE(reply.Text("epoch"), epoch_);
}

// The limit on a file's size stands for the end of the disk: the system refuses the write.
class FullDiskTest : public DataDirTest {
 protected:
  // From now on the log finds room for no more than `bytes` more.
  void LeaveRoom(size_t bytes) {
    const pid_t pid = channel_.process().pid();
    rlimit limit;
    ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, nullptr, &limit), 0);
    limit.rlim_cur = fs::file_size(LastSegment(data_dir_)) + bytes;
    ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, &limit, nullptr), 0);
  }
  void MakeRoom() {
    const pid_t pid = channel_.process().pid();
    rlimit limit;
    ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, nullptr, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, &limit, nullptr), 0);
  }

  // Sends large messages until there is no room, and a few more; returns the first refusal's code.
  std::string FillUp() {
    std::string code;
    for (int i = 0; i < 1'000 && code.empty(); ++i) {
      code = Send(absl::StrCat(i, " ", std::string(10'000, 'x')));
    }
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(Send(absl::StrCat("refused ", i, std::string(10'000, 'y'))), code);
    }
    return code;
  }
};

TEST_F(FullDiskTest, PublicationsAreRefusedUntilThereIsRoomAndNothingIsLost) {
  EXPECT_EQ(Send("before"), "");
  LeaveRoom(100'000);
  EXPECT_EQ(FillUp(), "unavailable");
  EXPECT_GE(acknowledged_.size(), 9u);
  EXPECT_THAT(channel_.process().Output(),
              HasSubstr("the log cannot be written, and publications are refused until it can"));
  EXPECT_THAT(channel_.process().Output(), HasSubstr("File too large"));
  ExpectAllThereOnce();

  MakeRoom();
  EXPECT_EQ(Send("after"), "");
  channel_.process().WaitForOutput("the log can be written again");
  ExpectAllThereOnce();
  KillChannelAndStartAgain();
  EXPECT_EQ(Send("after the restart"), "");
  ExpectAllThereOnce();
}

TEST_F(FullDiskTest, KillAndStopWhileItIsFullLoseNothingEither) {
  LeaveRoom(50'000);
  EXPECT_EQ(FillUp(), "unavailable");
  KillChannelAndStartAgain();
  // Larger than what the server writes to stderr, to which the limit applies as well.
  EXPECT_EQ(Send(absl::StrCat("after the kill ", std::string(20'000, 'z'))), "");
  ExpectAllThereOnce();

  LeaveRoom(0);
  channel_.process().Signal(SIGTERM);
  EXPECT_EQ(channel_.process().WaitForEnd(), 1);
  EXPECT_THAT(channel_.process().Output(),
              HasSubstr("the log could not be closed, but nothing that was acknowledged is lost"));
  channel_.StartAgain();
  EXPECT_EQ(Send("after the stop"), "");
  ExpectAllThereOnce();
}

// All groups are subscribed and compared anew at once, while each has a message waiting.
TEST(ManyGroupsTest, TenThousandGroupsGoOnAfterTheServersDeath) {
  constexpr int kMembers = 80;
  constexpr int kGroups = 125;  // of each
  ChannelServer channel({"--data_dir=" + NewTempPath("data")});
  WebSocketService service(channel, /*workers=*/2);
  const auto group = [](int member, int number) { return absl::StrCat(member, "-", number); };
  std::vector<TestClient> members;
  std::map<std::string, int64_t> heads;
  for (int i = 0; i < kMembers; ++i) {
    members.emplace_back(service.port(), Mode::kV1);
    for (int j = 0; j < kGroups; ++j) {
      members[i].Send(AddGroup(Quoted(group(i, j)), absl::StrCat(j)));
    }
  }
  std::string epoch;
  for (TestClient& member : members) {
    for (int j = 0; j < kGroups; ++j) {
      const Event joined = member.NextEvent();
      heads[joined.Text("group_id")] = joined.Number("offset");
      epoch = joined.Text("epoch");
    }
  }
  ASSERT_EQ(heads.size(), static_cast<size_t>(kMembers * kGroups));

  channel.Kill();
  for (int i = 0; i < kMembers; ++i) {
    for (int j = 0; j < kGroups; ++j) {
      members[i].Send(SendToGroup(Quoted(group(i, j)), "1", absl::StrCat(j)));
    }
  }
  channel.StartAgain();
  for (TestClient& member : members) {
    int replies = 0;
    for (int j = 0; j < 2 * kGroups; ++j) {
      const Event event = member.NextEvent();
      if (event.name() == "reply") {
        EXPECT_EQ(event.Text("epoch"), epoch);
        ++replies;
        continue;
      }
      ASSERT_EQ(event.name(), "message") << event.text();
      EXPECT_EQ(event.Number("previous"), heads.at(event.Text("group_id")));
    }
    EXPECT_EQ(replies, kGroups);
    EXPECT_TRUE(member.IsQuiet());
  }
}

}  // namespace
}  // namespace groupcast::tests
