#include "services/websocket_service/tls/tls_context.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/websocket_service/tls/testing/certificates.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

TlsFiles Named(const CertificateFiles& files) {
  return {.certificate = {"--tls_certificate", files.certificate}, .key = {"--tls_key", files.key}};
}

// The error that the files give. Empty: none.
std::string ErrorOf(const TlsFiles& files, absl::Time now = absl::Now(),
                    const TlsContext* present = nullptr) {
  const auto context = TlsContext::Load(files, TicketKeys(), now, present);
  return context.ok() ? "" : std::string(context.status().message());
}

TEST(TlsContextTest, TakesACertificateAndItsKey) {
  const CertificateFiles files({.valid_until = absl::Hours(48)});
  const auto context = TlsContext::Load(Named(files), TicketKeys(), absl::Now());
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_GT((*context)->valid_until(), absl::Now() + absl::Hours(47));
  EXPECT_LT((*context)->valid_until(), absl::Now() + absl::Hours(49));
}

TEST(TlsContextTest, AnErrorNamesTheFlagTheFileAndWhatIsAllowed) {
  const CertificateFiles files;
  const CertificateFiles other;
  const CertificateFiles locked({.passphrase = "secret"});
  EXPECT_EQ(ErrorOf({Named(files).certificate, Named(other).key}),
            absl::StrCat("--tls_key: ", other.key,
                         " does not belong to the certificate of --tls_certificate, ",
                         files.certificate));
  EXPECT_EQ(ErrorOf({{"--tls_certificate", files.key}, Named(files).key}),
            absl::StrCat("--tls_certificate: ", files.key, " has no certificate in PEM"));
  EXPECT_EQ(ErrorOf({Named(files).certificate, {"--tls_key", "/no/such/key"}}),
            "--tls_key: reading /no/such/key: No such file or directory");
  EXPECT_EQ(ErrorOf({Named(files).certificate, {"--tls_key", "/dev/null"}}),
            "--tls_key: /dev/null is not a regular file");
  EXPECT_EQ(
      ErrorOf({Named(locked).certificate, Named(locked).key}),
      absl::StrCat("--tls_key: ", locked.key, " has no private key in PEM without a passphrase"));
  EXPECT_EQ(ErrorOf({Named(files).certificate, {"--tls_key", ""}}),
            "--tls_certificate needs --tls_key beside it");
  EXPECT_EQ(ErrorOf({{"--tls_certificate", ""}, Named(files).key}),
            "--tls_key needs --tls_certificate beside it");
}

TEST(TlsContextTest, AKeyThatEveryUserMayReadOrWriteIsRefused) {
  const CertificateFiles files;
  for (const int mode : {0644, 0604, 0602}) {
    chmod(files.key.c_str(), static_cast<mode_t>(mode));
    EXPECT_EQ(ErrorOf(Named(files)), absl::StrCat("--tls_key: ", files.key,
                                                  " has a secret, and other users may access "
                                                  "it; chmod 600 or 640 makes it right"))
        << mode;
  }
  for (const int mode : {0600, 0640, 0400}) {
    chmod(files.key.c_str(), static_cast<mode_t>(mode));
    EXPECT_EQ(ErrorOf(Named(files)), "") << mode;
  }
}

TEST(TlsContextTest, ACertificateCountsOnlyInItsTime) {
  const CertificateFiles expired({.valid_until = -absl::Minutes(1)});
  EXPECT_THAT(ErrorOf(Named(expired)), HasSubstr("has a certificate that has expired; it was"));
  const CertificateFiles early({.valid_from = absl::Hours(1)});
  EXPECT_THAT(ErrorOf(Named(early)),
              HasSubstr("has a certificate that is not valid yet, but from"));
}

// SIGHUP must be able to change other things while a certificate has expired.
TEST(TlsContextTest, ACertificateInUseMayExpireWhileItsFilesAreTheSame) {
  CertificateFiles files({.valid_until = absl::Hours(1)});
  const absl::Time now = absl::Now();
  const auto context = TlsContext::Load(Named(files), TicketKeys(), now);
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(ErrorOf(Named(files), (*context)->valid_until()), "");
  const absl::Time later = (*context)->valid_until() + absl::Milliseconds(1);
  EXPECT_THAT(ErrorOf(Named(files), later), HasSubstr("has expired"));
  const auto again = TlsContext::Load(Named(files), TicketKeys(), later, context->get());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->valid_until(), (*context)->valid_until());
  // The same holds for the next time.
  EXPECT_EQ(ErrorOf(Named(files), later, again->get()), "");
  // Files that have been written since are new ones.
  files.Replace(MakeCertificate({.valid_until = -absl::Hours(1)}));
  EXPECT_THAT(ErrorOf(Named(files), now, context->get()), HasSubstr("has expired"));
}

// A chain that is cut off would otherwise be served without its last certificates, and some clients
// would not find the way to their root.
TEST(TlsContextTest, AChainMustBeWhole) {
  const CertificateFiles files;
  const CertificateAndKey own = MakeCertificate();
  const std::string next = MakeCertificate().certificate;
  WriteFile(files.key, own.key);
  WriteFile(files.certificate, own.certificate + next);
  EXPECT_EQ(ErrorOf(Named(files)), "");
  WriteFile(files.certificate, own.certificate + next.substr(0, next.size() / 2));
  EXPECT_THAT(ErrorOf(Named(files)), HasSubstr("has a damaged certificate in its chain: "));
}

TEST(TlsContextTest, IsOutdatedOnceAFileIsAnotherOne) {
  CertificateFiles files;
  const auto context = TlsContext::Load(Named(files), TicketKeys(), absl::Now());
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_FALSE((*context)->IsOutdated());
  const CertificateAndKey pair = MakeCertificate();
  WriteFile(files.key, pair.key);
  EXPECT_TRUE((*context)->IsOutdated());
  WriteFile(files.certificate, pair.certificate);
  const auto fresh = TlsContext::Load(Named(files), TicketKeys(), absl::Now());
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_FALSE((*fresh)->IsOutdated());
  unlink(files.certificate.c_str());
  EXPECT_TRUE((*fresh)->IsOutdated());
}

}  // namespace
}  // namespace groupcast::service
