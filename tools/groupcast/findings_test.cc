#include "tools/groupcast/findings.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"

namespace groupcast::cli {
namespace {

using testing::HasSubstr;
using Level = Finding::Level;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// A finding that is not well says what to do.
void ExpectLevel(const Finding& finding, Level level) {
  EXPECT_EQ(finding.level, level) << finding.text;
  EXPECT_EQ(finding.advice.empty(), level == Level::kOk) << finding.text << finding.advice;
}

TEST(FindingsTest, AConnectionThatFailsHasTheAdviceForItsReason) {
  const auto judge = [](const absl::Status& status) {
    return JudgeConnection("ws://a", status, absl::Milliseconds(2));
  };
  ExpectLevel(judge(absl::OkStatus()), Level::kOk);
  const Finding refused = judge(absl::UnavailableError("connecting: Connection refused"));
  ExpectLevel(refused, Level::kFail);
  EXPECT_THAT(refused.text, HasSubstr("ws://a: connecting: Connection refused"));
  EXPECT_THAT(refused.advice, HasSubstr("Nothing listens there."));
  EXPECT_THAT(
      judge(absl::UnavailableError("the server refused the handshake with HTTP 401")).advice,
      HasSubstr("GROUPCAST_TOKEN"));
  EXPECT_THAT(judge(absl::UnauthenticatedError("4500")).advice, HasSubstr("GROUPCAST_TOKEN"));
  EXPECT_THAT(judge(absl::DeadlineExceededError("late")).advice, HasSubstr("firewall"));
  EXPECT_THAT(judge(absl::FailedPreconditionError("certificate")).advice, HasSubstr("certificate"));
  ExpectLevel(judge(absl::InternalError("odd")), Level::kFail);
}

TEST(FindingsTest, AGatewayThatIsAwayIsAWarning) {
  GatewayOptions options;
  options.url = "http://a";
  ExpectLevel(JudgeGateway(options, absl::OkStatus()), Level::kOk);
  ExpectLevel(JudgeGateway(options, absl::UnavailableError("Connection refused")), Level::kWarn);
  const Finding not_ready = JudgeGateway(options, absl::UnavailableError("HTTP 503"));
  ExpectLevel(not_ready, Level::kFail);
  EXPECT_THAT(not_ready.advice, HasSubstr("channel server"));
  ExpectLevel(JudgeGateway(options, absl::FailedPreconditionError("HTTP 404")), Level::kFail);
}

TEST(FindingsTest, ClocksMayDifferALittle) {
  ExpectLevel(JudgeClock(absl::Milliseconds(500)), Level::kOk);
  ExpectLevel(JudgeClock(absl::Seconds(-5)), Level::kOk);
  ExpectLevel(JudgeClock(absl::Seconds(6)), Level::kWarn);
  ExpectLevel(JudgeClock(absl::Seconds(-31)), Level::kFail);
  EXPECT_EQ(JudgeClock(absl::Seconds(-90)).text, "this machine is 1m30s behind the server");
  EXPECT_EQ(JudgeClock(absl::Hours(1)).text, "this machine is 1h before the server");
}

TEST(FindingsTest, FewDescriptorsAreAWarning) {
  ExpectLevel(JudgeDescriptors(1024, 1'048'576), Level::kOk);
  ExpectLevel(JudgeDescriptors(1024, 4096), Level::kWarn);
}

ServiceRow Service(const std::string& version) {
  ServiceRow row;
  row.address = "127.0.0.1:9206";
  row.up = row.ready = true;
  row.metrics["groupcast_build_info"] = {
      {{{"service", "channel_server"}, {"version", version}}, 1}};
  return row;
}

TEST(FindingsTest, ServicesAndTheirVersions) {
  std::vector<Finding> findings = JudgeServices({Service("1.0")}, "1.0");
  ASSERT_EQ(findings.size(), 2u);
  ExpectLevel(findings[0], Level::kOk);
  ExpectLevel(findings[1], Level::kOk);

  ServiceRow stops = Service("1.0");
  stops.ready = false;
  findings = JudgeServices({stops}, "1.0");
  ExpectLevel(findings[0], Level::kFail);
  EXPECT_EQ(findings[0].text, "channel_server is not ready");

  ServiceRow away;
  away.address = "127.0.0.1:9234";
  away.reason = "nothing listens there";
  findings = JudgeServices({Service("1.1"), away}, "1.0");
  ASSERT_EQ(findings.size(), 3u);
  ExpectLevel(findings[1], Level::kFail);
  EXPECT_EQ(findings[1].text, "127.0.0.1:9234 is not up: nothing listens there");
  ExpectLevel(findings[2], Level::kWarn);
  EXPECT_EQ(findings[2].text, "there are several: 1.0, 1.1; this program has 1.0");
}

TEST(FindingsTest, CertificatesAreTrustedAndNotAboutToExpire) {
  const auto judge = [](const absl::StatusOr<Certificate>& certificate) {
    return JudgeCertificate("wss://a", certificate, kNow);
  };
  ExpectLevel(judge(Certificate{kNow + absl::Hours(24 * 90), ""}), Level::kOk);
  ExpectLevel(judge(Certificate{kNow + absl::Hours(24 * 13), ""}), Level::kWarn);
  const Finding expired = judge(Certificate{kNow - absl::Hours(48), "certificate has expired"});
  ExpectLevel(expired, Level::kFail);
  EXPECT_EQ(expired.text, "wss://a has a certificate that expired 2 days ago");
  ExpectLevel(judge(Certificate{kNow + absl::Hours(24 * 90), "hostname mismatch"}), Level::kFail);
  ExpectLevel(judge(absl::UnavailableError("the TLS handshake failed")), Level::kFail);
}

TEST(FindingsTest, ATokenIsLookedAt) {
  const std::string token = service::HmacToken(R"({"exp":1800000060})", "secret");
  ExpectLevel(JudgeToken(token, kNow), Level::kOk);
  ExpectLevel(JudgeToken(token, kNow + absl::Hours(1)), Level::kFail);
  ExpectLevel(JudgeToken("x", kNow), Level::kFail);
}

}  // namespace
}  // namespace groupcast::cli
