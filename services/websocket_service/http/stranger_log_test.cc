#include "services/websocket_service/http/stranger_log.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(StrangerLogTest, SaysWhoSpokeWhatAndWhatToDo) {
  StrangerLog log;
  EXPECT_EQ(log.Note(Stranger::kTls, "10.0.0.5", absl::UnixEpoch()),
            "10.0.0.5 spoke TLS to this plain port and was refused: clients must use ws:// or "
            "http:// here, or a proxy must end TLS before (1 since the last such line)");
  EXPECT_TRUE(log.Note(Stranger::kHttp2, "::1", absl::UnixEpoch()).has_value());
  EXPECT_TRUE(log.Note(Stranger::kProxyProtocol, "::1", absl::UnixEpoch()).has_value());
}

TEST(StrangerLogTest, OneLineAMinuteForEachProtocol) {
  StrangerLog log;
  absl::Time now = absl::UnixEpoch();
  log.Note(Stranger::kTls, "a", now);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(log.Note(Stranger::kTls, "b", now), std::nullopt);
  now += absl::Seconds(59);
  EXPECT_EQ(log.Note(Stranger::kTls, "b", now), std::nullopt);
  now += absl::Seconds(1);
  const std::optional<std::string> line = log.Note(Stranger::kTls, "c", now);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->substr(line->find('(')), "(1002 since the last such line)");
}

TEST(StrangerLogTest, AnythingElseIsNotWorthALine) {
  StrangerLog log;
  EXPECT_EQ(log.Note(Stranger::kUnknown, "a", absl::UnixEpoch()), std::nullopt);
  EXPECT_EQ(log.Note(Stranger::kNone, "a", absl::UnixEpoch()), std::nullopt);
}

}  // namespace
}  // namespace groupcast::service
