#include "services/websocket_service/http/refusal_log.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

TEST(RefusalLogTest, SaysWhoSpokeWhatAndWhatToDo) {
  RefusalLog log;
  EXPECT_EQ(log.Note(Refusal::kTls, "", "10.0.0.5", absl::UnixEpoch()),
            "10.0.0.5 spoke TLS to this plain port and was refused: clients must use ws:// or "
            "http:// here, or a proxy must end TLS before (1 since the last such line)");
  EXPECT_TRUE(log.Note(Refusal::kHttp2, "", "::1", absl::UnixEpoch()).has_value());
  EXPECT_TRUE(log.Note(Refusal::kProxyProtocol, "", "::1", absl::UnixEpoch()).has_value());
}

TEST(RefusalLogTest, NamesTheHostOrOriginAndTheFlagThatAllowsIt) {
  RefusalLog log;
  EXPECT_EQ(
      log.Note(Refusal::kHost, "evil.example", "10.0.0.5", absl::UnixEpoch()),
      "10.0.0.5 named the host evil.example and was refused: --allowed_hosts must list it, if "
      "it is this service's (1 since the last such line)");
  EXPECT_EQ(
      log.Note(Refusal::kOrigin, "http://evil.example", "10.0.0.5", absl::UnixEpoch()),
      "10.0.0.5 came from a page of the origin http://evil.example and was refused: "
      "--allowed_origins must list it, if its pages may connect (1 since the last such line)");
  EXPECT_EQ(
      RefusalLog().Note(Refusal::kOrigin, "null", "10.0.0.5", absl::UnixEpoch()),
      "10.0.0.5 came from a page of the origin null and was refused: only --allow_null_origin lets "
      "pages without an origin connect (1 since the last such line)");
}

TEST(RefusalLogTest, NamesTheAddressWithTooManyConnections) {
  EXPECT_EQ(RefusalLog().Note(Refusal::kAddressFull, "", "10.0.0.5", absl::UnixEpoch()),
            "10.0.0.5 has as many connections as an address may have and was refused: "
            "--max_connections_per_address is the limit (1 since the last such line)");
}

TEST(RefusalLogTest, OneLineAMinuteForEachKind) {
  RefusalLog log;
  absl::Time now = absl::UnixEpoch();
  log.Note(Refusal::kTls, "", "a", now);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(log.Note(Refusal::kTls, "", "b", now), std::nullopt);
  now += absl::Seconds(59);
  EXPECT_EQ(log.Note(Refusal::kTls, "", "b", now), std::nullopt);
  now += absl::Seconds(1);
  const std::optional<std::string> line = log.Note(Refusal::kTls, "", "c", now);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->substr(line->find('(')), "(1002 since the last such line)");
  // Whatever the refused host or origin is.
  EXPECT_TRUE(log.Note(Refusal::kHost, "1.example", "a", now).has_value());
  EXPECT_TRUE(log.Note(Refusal::kOrigin, "http://1.example", "a", now).has_value());
  EXPECT_EQ(log.Note(Refusal::kHost, "2.example", "a", now), std::nullopt);
  EXPECT_EQ(log.Note(Refusal::kOrigin, "http://2.example", "a", now), std::nullopt);
}

TEST(RefusalLogTest, EachKindHasALimitOfItsOwn) {
  RefusalLog log;
  for (const Refusal refusal :
       {Refusal::kTls, Refusal::kHttp2, Refusal::kProxyProtocol, Refusal::kHost, Refusal::kOrigin,
        Refusal::kPlain, Refusal::kNoProxyHeader, Refusal::kTlsHandshake, Refusal::kAddressFull}) {
    EXPECT_TRUE(log.Note(refusal, "", "a", absl::UnixEpoch()).has_value())
        << static_cast<int>(refusal);
  }
}

TEST(RefusalLogTest, AnythingElseIsNotWorthALine) {
  RefusalLog log;
  EXPECT_EQ(log.Note(Refusal::kUnknownProtocol, "", "a", absl::UnixEpoch()), std::nullopt);
  EXPECT_EQ(log.Note(Refusal::kNone, "", "a", absl::UnixEpoch()), std::nullopt);
  EXPECT_EQ(log.Note(Refusal::kHeadTooLarge, "", "a", absl::UnixEpoch()), std::nullopt);
  EXPECT_EQ(log.Note(Refusal::kWorkerFull, "", "a", absl::UnixEpoch()), std::nullopt);
}

}  // namespace
}  // namespace groupcast::service
