// The data directory goes away under a running channel server. Sends are refused until it is back,
// and what was acknowledged is there after a kill -9.

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

namespace fs = std::filesystem;

constexpr char kRoom[] = "\"room\"";
constexpr char kGone[] = "publications are refused until the same directory is back";

class DataDirGoneTest : public ::testing::Test {
 protected:
  DataDirGoneTest() {
    TestClient client(service_.port(), Mode::kV1);
    const Event joined = client.Join("room");
    epoch_ = joined.Text("epoch");
    first_ = joined.Number("offset");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Send(), "");
  }

  // Sends a message. Returns the code of the error, or "" if it was acknowledged.
  std::string Send() {
    const std::string text = absl::StrCat("message ", ++sent_);
    sender_.Send(SendToGroup(kRoom, Quoted(text), "1"));
    const Event answer = sender_.NextEvent();
    if (answer.name() == "error") return answer.Text("code");
    acknowledged_.push_back(text);
    return "";
  }
  // Sends until the server has noticed that its directory is not there. What is acknowledged
  // meanwhile counts.
  void ExpectRefusals() {
    channel_.process().WaitForOutputTimes(kGone, ++times_gone_);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(), "unavailable");
  }
  void ExpectGoesOn(const std::string& line) {
    channel_.process().WaitForOutput(line);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(Send(), "");
  }
  // Everything that was acknowledged and nothing else, for a member that was away all the time.
  void ExpectAllThereAfterAKill() {
    channel_.Kill();
    channel_.StartAgain();
    EXPECT_EQ(Send(), "");
    const WebSocketService other(channel_, /*workers=*/1);
    TestClient late(other.port(), Mode::kV1);
    const Event reply = late.JoinSince("room", epoch_, first_);
    EXPECT_TRUE(reply.Bool("recovered")) << reply.text();
    EXPECT_EQ(reply.Text("epoch"), epoch_);
    for (const std::string& text : acknowledged_) ASSERT_EQ(late.NextEvent().Text("message"), text);
    EXPECT_TRUE(late.IsQuiet());
  }

  const fs::path data_dir_ = NewTempPath("data");
  const fs::path away_ = NewTempPath("away");
  ChannelServer channel_{{"--data_dir=" + data_dir_.string()}};
  WebSocketService service_{channel_, /*workers=*/1};
  TestClient sender_{service_.port(), Mode::kV1};
  std::string epoch_;
  int64_t first_ = 0;
  int sent_ = 0;
  int times_gone_ = 0;
  std::vector<std::string> acknowledged_;
};

TEST_F(DataDirGoneTest, ANewEmptyDirectoryHasEverything) {
  fs::remove_all(data_dir_);
  ExpectRefusals();
  fs::create_directory(data_dir_);
  ExpectGoesOn("the log begins anew there");
  ExpectAllThereAfterAKill();
}

TEST_F(DataDirGoneTest, TheDirectoryComesBack) {
  fs::rename(data_dir_, away_);
  ExpectRefusals();
  fs::rename(away_, data_dir_);
  ExpectGoesOn("it is back, and the log goes on");
  ExpectAllThereAfterAKill();
}

TEST_F(DataDirGoneTest, ACopyOfAnotherLogIsNotTakenUp) {
  const fs::path copy = NewTempPath("copy");
  { const ChannelServer other({"--data_dir=" + copy.string()}); }
  fs::rename(data_dir_, away_);
  fs::rename(copy, data_dir_);
  ExpectRefusals();
  channel_.process().WaitForOutput("another directory is there, and it has log-");
  fs::rename(data_dir_, copy);
  fs::rename(away_, data_dir_);
  ExpectGoesOn("it is back, and the log goes on");
  ExpectAllThereAfterAKill();
}

// As by rm -rf data/*.
TEST_F(DataDirGoneTest, ADirectoryThatWasEmptiedIsFilledAgain) {
  for (const fs::directory_entry& file : fs::directory_iterator(data_dir_)) fs::remove(file);
  ExpectGoesOn("the log begins anew there");
  ExpectAllThereAfterAKill();
}

TEST_F(DataDirGoneTest, AnEndWithoutTheDirectoryIsTold) {
  fs::remove_all(data_dir_);
  channel_.process().Signal(SIGTERM);
  EXPECT_EQ(channel_.process().WaitForEnd(), 1);
  EXPECT_NE(channel_.process().Output().find("what it acknowledged is lost, unless the log is in"),
            std::string::npos);
}

}  // namespace
}  // namespace groupcast::tests
