// The C++ SDK over TLS with the real service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "groupcast/testing/client_fixture.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/support/services.h"

namespace groupcast {
namespace {

using service::CertificateFiles;
using testing::HasSubstr;

class CppClientServiceTest : public ClientTest {
 protected:
  CppClientServiceTest() { options_.ca_file = files_.certificate; }
  ~CppClientServiceTest() override { client_.reset(); }

  CertificateFiles files_;
};

TEST_F(CppClientServiceTest, WithTheRealService) {
  tests::Groupcast groupcast(
      /*workers=*/2, {"--tls_certificate=" + files_.certificate, "--tls_key=" + files_.key});
  for (const char* host : {"localhost", "127.0.0.1"}) {
    options_.url = absl::StrCat("wss://", host, ":", groupcast.service.port());
    Start();
    ASSERT_OK(Join("g"));
    EXPECT_EQ(joins_.Pop()->code, absl::StatusCode::kOk);
    ASSERT_OK(client_->Send("g", host, OnSent()));
    EXPECT_EQ(messages_.Pop()->text, host);
    EXPECT_EQ(sends_.Pop()->code, absl::StatusCode::kOk);
    client_.reset();
  }
  const CertificateFiles other;
  options_.ca_file = other.certificate;
  Start();
  EXPECT_THAT(AwaitState(ConnectionState::kWaiting, absl::StatusCode::kFailedPrecondition),
              HasSubstr("is not from a CA that this client trusts"));
  client_.reset();

  // The wrong kind of URL, in both directions.
  tests::Groupcast plain(/*workers=*/1);
  options_.url = absl::StrCat("wss://localhost:", plain.service.port());
  Start();
  EXPECT_THAT(AwaitState(ConnectionState::kWaiting, absl::StatusCode::kUnavailable),
              HasSubstr("localhost does not speak TLS on this port"));
  client_.reset();
  while (!states_.empty()) states_.Pop();
  options_.ca_file = "";
  options_.url = absl::StrCat("ws://localhost:", groupcast.service.port());
  Start();
  EXPECT_THAT(AwaitState(ConnectionState::kClosed, absl::StatusCode::kInvalidArgument),
              HasSubstr("This port has TLS"));
}

}  // namespace
}  // namespace groupcast
