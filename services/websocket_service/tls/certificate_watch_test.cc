#include "services/websocket_service/tls/certificate_watch.h"

#include <unistd.h>

#include <memory>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "services/websocket_service/tls/testing/certificates.h"

namespace groupcast::service {
namespace {

class CertificateWatchTest : public testing::Test {
 protected:
  // Looks at the files, later than the last time.
  void Check() { watch_.Check(now_ += absl::Seconds(2)); }

  CertificateFiles files_;
  std::shared_ptr<const TlsContext> first_ = *TlsContext::Load(
      {.certificate = {"--tls_certificate", files_.certificate}, .key = {"--tls_key", files_.key}},
      TicketKeys(), absl::Now());
  CertificateWatch watch_{first_};
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(CertificateWatchTest, TakesUpChangedFiles) {
  Check();
  EXPECT_EQ(watch_.context(), first_);
  files_.Replace(MakeCertificate({.valid_until = absl::Hours(99)}));
  watch_.Check(now_ + absl::Milliseconds(1'999));
  EXPECT_EQ(watch_.context(), first_);  // it does not look all the time
  Check();
  ASSERT_NE(watch_.context(), first_);
  EXPECT_GT(watch_.context()->valid_until(), first_->valid_until());
}

// The two files are not written at the same moment.
TEST_F(CertificateWatchTest, KeepsTheContextWhileTheFilesDoNotBelongTogether) {
  const CertificateAndKey fresh = MakeCertificate();
  WriteFile(files_.key, fresh.key);
  Check();
  EXPECT_EQ(watch_.context(), first_);
  unlink(files_.certificate.c_str());
  Check();
  EXPECT_EQ(watch_.context(), first_);
  WriteFile(files_.certificate, fresh.certificate);
  Check();
  EXPECT_NE(watch_.context(), first_);
}

TEST(PlainCertificateWatchTest, APlainServiceStaysPlain) {
  CertificateWatch watch(nullptr);
  watch.Check(absl::UnixEpoch());
  EXPECT_EQ(watch.context(), nullptr);
}

}  // namespace
}  // namespace groupcast::service
