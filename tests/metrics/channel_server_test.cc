// The admin port of a real channel server.

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/metrics/scrape.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

// Waits until a sample has the value, and returns the whole scrape.
Scrape WaitForValue(const ChannelServer& channel, const std::string& name, double value) {
  Scrape scrape;
  WaitUntil(absl::StrCat(name, " == ", value), [&] {
    scrape = ScrapeMetrics(channel.admin_port());
    return scrape.Sum(name) == value;
  });
  return scrape;
}

TEST(ChannelServerMetricsTest, CountsKnownTraffic) {
  const fs::path data_dir = NewTempPath("data");
  ChannelServer channel({"--data_dir=" + data_dir.string(), "--retained_bytes=1000000"});
  WebSocketService service(channel, /*workers=*/2);
  TestClient sender(service.port(), Mode::kV1);
  TestClient member(service.port(), Mode::kV1);
  member.Join("a");
  for (int i = 0; i < 5; ++i) {
    sender.Send(SendToGroup("\"a\"", Quoted(absl::StrCat("message ", i)), "1"));
    EXPECT_EQ(sender.NextEvent().name(), "reply");
  }
  const Scrape scrape = WaitForValue(channel, "groupcast_channel_publications_total", 5);
  EXPECT_EQ(scrape.Sum("groupcast_channel_retained_messages"), 5);
  EXPECT_EQ(scrape.Sum("groupcast_channel_retained_limit_bytes"), 1'000'000);
  EXPECT_GT(scrape.Sum("groupcast_channel_retained_bytes"), 5 * 256);
  EXPECT_GE(scrape.Sum("groupcast_channel_announcements_total"), 1);
  EXPECT_EQ(scrape.Sum("groupcast_channel_publications_refused_total"), 0);
  EXPECT_EQ(scrape.Sum("groupcast_channel_log_failed_writes_total"), 0);
  EXPECT_GE(scrape.Sum("groupcast_channel_log_write_seconds_count"), 5)
      << "each send waited for the answer of the one before";
  EXPECT_GT(scrape.Sum("groupcast_resident_memory_bytes"), 1'000'000);
  WaitForValue(channel, "groupcast_channel_workers", 2);
  uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(data_dir)) {
    if (entry.path().filename().string().starts_with("log-")) bytes += entry.file_size();
  }
  WaitForValue(channel, "groupcast_channel_log_bytes", static_cast<double>(bytes));
}

TEST(ChannelServerMetricsTest, SeesTheEndOfAWorker) {
  ChannelServer channel;
  const WebSocketService first(channel, /*workers=*/1);
  WaitForValue(channel, "groupcast_channel_workers", 1);
  {
    const WebSocketService second(channel, /*workers=*/1);
    WaitForValue(channel, "groupcast_channel_workers", 2);
  }
  const Scrape scrape = WaitForValue(channel, "groupcast_channel_workers", 1);
  EXPECT_EQ(scrape.Sum("groupcast_channel_lagging_workers"), 0);
  EXPECT_EQ(scrape.Sum("groupcast_channel_log_bytes"), 0) << "it has no log";
}

TEST(ChannelServerMetricsTest, IsReadyWhenItsReadyFileIsThere) {
  ChannelServer channel;
  const HttpReply ready = HttpClient(channel.admin_port()).Get("/readyz");
  EXPECT_EQ(ready.status, 200) << ready.body;
  EXPECT_EQ(HttpClient(channel.admin_port()).Get("/healthz").status, 200);
}

// A scraper that does not finish its request delays neither the end nor anybody else.
TEST(ChannelServerMetricsTest, EndsWhileSomebodyHoldsTheAdminPort) {
  ChannelServer channel;
  RawClient idle(channel.admin_port(), 0, "127.0.0.1", RawClient::Transport::kPlain);
  idle.Write("GET /metrics HTTP/1.1\r\n");
  WaitForValue(channel, "groupcast_channel_workers", 0);
  channel.process().Signal(SIGTERM);
  EXPECT_EQ(channel.process().WaitForEnd(), 0) << channel.process().Output();
  idle.ReadToEnd();
}

TEST(ChannelServerMetricsTest, AnAdminPortInUseIsAnErrorThatNamesTheFlag) {
  ChannelServer channel;
  Process second(kChannelServerBinary,
                 {"--port=0", absl::StrCat("--admin_port=", channel.admin_port())});
  EXPECT_EQ(second.WaitForEnd(), 1);
  EXPECT_THAT(second.Output(), HasSubstr(absl::StrCat("--admin_port: cannot listen on 127.0.0.1:",
                                                      channel.admin_port())));
}

TEST(ChannelServerMetricsTest, CanDoWithoutAnAdminPort) {
  const ChannelServer channel({"--admin_port=-1"});
  EXPECT_EQ(channel.admin_port(), 0);
}

}  // namespace
}  // namespace groupcast::tests
