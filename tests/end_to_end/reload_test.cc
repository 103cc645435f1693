// SIGHUP: new workers with the flags as they are now, on the same port, while clients come and go.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/crowd.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

TEST(ReloadTest, SighupReplacesEveryWorkerAndClientsCanConnectThroughout) {
  Groupcast groupcast(/*workers=*/4, {"--drain_time=1s"});
  std::vector<TestClient> before = ConnectCrowd(&groupcast.service, 16, Mode::kV1);
  const std::vector<pid_t> old_workers = groupcast.service.WorkerPids();
  groupcast.service.process().Signal(SIGHUP);
  int connected = 0;
  int cut_short = 0;
  WaitUntil("the old workers are gone", [&] {
    for (int i = 0; i < 8; ++i) {
      // No client may be refused, nor be cut off before its handshake was answered: not even one
      // that a worker has taken just before it is told to drain.
      RawClient raw(groupcast.service.port());
      raw.Write(HandshakeRequest());
      while (raw.received().empty() && raw.state() == RawClient::State::kOpen) raw.ReadMore();
      raw.received().empty() ? ++cut_short : ++connected;
    }
    for (TestClient& client : before) client.raw().ReadAvailable();
    return std::none_of(old_workers.begin(), old_workers.end(), IsAlive);
  });
  EXPECT_GT(connected, 0);
  EXPECT_EQ(cut_short, 0) << "of " << connected + cut_short;
  for (TestClient& client : before) EXPECT_EQ(client.WaitForEnd().close_code, 4000);
  EXPECT_EQ(groupcast.service.WorkerPids().size(), 4u);
  std::vector<TestClient> after = ConnectCrowd(&groupcast.service, 16);
  for (TestClient& client : after) client.Join("room");
  after.front().Send(SendToGroup("\"room\"", "\"new\""));
  for (TestClient& client : after) EXPECT_EQ(client.NextText(), "new");
}

class ReloadFlagsTest : public ::testing::Test {
 protected:
  void WriteFlags(const std::string& text) { std::ofstream(flagfile_) << text << std::endl; }

  // Asks for a reload that cannot work, and expects that it is refused with `sentence` and changes
  // nothing.
  void ExpectRefused(const std::string& sentence) {
    const std::vector<pid_t> before = groupcast_.service.WorkerPids();
    const size_t from = groupcast_.service.process().Output().size();
    groupcast_.service.process().Signal(SIGHUP);
    groupcast_.service.process().WaitForOutput(sentence, from);
    WaitUntil("the workers are those of before",
              [&] { return groupcast_.service.WorkerPids() == before; });
    TestClient client(groupcast_.service.port(), Mode::kV1);
    EXPECT_EQ(client.welcome().Number("ping_interval_ms"), 11'000);
    client.Join("room");
  }

  const std::string flagfile_ = [] {
    std::string path = NewTempPath("flags");
    std::ofstream(path) << "--ping_interval=11s" << std::endl;
    return path;
  }();
  Groupcast groupcast_{/*workers=*/2, {"--flagfile=" + flagfile_, "--drain_time=1s"}};
};

TEST_F(ReloadFlagsTest, FlagsInAFlagfileAreReadAgain) {
  const std::vector<pid_t> old_workers = groupcast_.service.WorkerPids();
  WriteFlags("--ping_interval=7s");
  groupcast_.service.process().Signal(SIGHUP);
  WaitUntil("the old workers are gone",
            [&] { return std::none_of(old_workers.begin(), old_workers.end(), IsAlive); });
  EXPECT_EQ(TestClient(groupcast_.service.port(), Mode::kV1).welcome().Number("ping_interval_ms"),
            7'000);
}

TEST_F(ReloadFlagsTest, AConfigurationThatCannotBeUsedChangesNothing) {
  const std::string good = "--ping_interval=7s\n--outbox_bytes=1000000\n--pages=\n";
  WriteFlags(good + "--outbox_bytes=0");
  ExpectRefused("--outbox_bytes=0 is not between 1 and 2^31");
  WriteFlags(good + "--pages=/no/such/dir");
  ExpectRefused("no directory /no/such/dir");
  WriteFlags(good + "--colour=red");
  ExpectRefused("nothing changes: " + flagfile_ + ":4: there is no flag --colour");
  WriteFlags(good + "--pong_timeout=5");
  ExpectRefused(":4: --pong_timeout=5: the value must be a duration such as 5s");
  WriteFlags(good + "--log_level=loud");
  ExpectRefused("--log_level: log level \"loud\" is not trace");
  WriteFlags(good + "stray");
  ExpectRefused(":4: \"stray\" is not a flag");
  WriteFlags(good + "--channel=memory:");
  ExpectRefused("it needs --workers=1");
  // What only the new worker can find out, from the channel server.
  WriteFlags(good + "--max_message_bytes=100000");
  ExpectRefused("the old workers stay");
}

TEST_F(ReloadFlagsTest, ALineThatIsGoneFromTheFlagfileCountsNoLonger) {
  WriteFlags("--outbox_bytes=0");
  ExpectRefused("--outbox_bytes=0 is not between 1 and 2^31");
  WriteFlags("--ping_interval=7s");
  const std::vector<pid_t> old_workers = groupcast_.service.WorkerPids();
  const size_t from = groupcast_.service.process().Output().size();
  groupcast_.service.process().Signal(SIGHUP);
  groupcast_.service.process().WaitForOutput("SIGHUP: replacing 2 workers", from);
  WaitUntil("the old workers are gone",
            [&] { return std::none_of(old_workers.begin(), old_workers.end(), IsAlive); });
  WriteFlags("");
  groupcast_.service.process().Signal(SIGHUP);
  WaitUntil("the default is back", [&] {
    return TestClient(groupcast_.service.port(), Mode::kV1).welcome().Number("ping_interval_ms") ==
           25'000;
  });
}

}  // namespace
}  // namespace groupcast::tests
