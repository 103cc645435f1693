// The C++ SDK over TLS, with a front that the test controls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "groupcast/testing/client_fixture.h"
#include "groupcast/testing/relay.h"
#include "services/websocket_service/tls/testing/certificates.h"

namespace groupcast {
namespace {

using service::CertificateAndKey;
using service::CertificateFiles;
using service::MakeCertificate;
using testing::HasSubstr;

class CppClientTlsTest : public ClientTest {
 protected:
  CppClientTlsTest() {
    Use(MakeCertificate());
    options_.url = Url("localhost");
    options_.ca_file = files_.certificate;
  }

  ~CppClientTlsTest() override { client_.reset(); }

  // The server has this certificate from now on, and the client trusts it.
  void Use(const CertificateAndKey& pair) {
    files_.Replace(pair);
    front_.SetCertificate(pair.certificate, pair.key);
  }

  uint16_t ServerPort() const {
    const std::string url = server_.url();
    const size_t colon = url.rfind(':');
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(url.substr(colon + 1, url.rfind('/') - colon - 1), &port));
    return static_cast<uint16_t>(port);
  }

  std::string Url(absl::string_view host) const {
    return absl::StrCat("wss://", host, ":", front_.port(), "/fake");
  }

  // Why the client does not connect. It tries again.
  std::string Refusal() {
    Start();
    const std::string text =
        AwaitState(ConnectionState::kWaiting, absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(AwaitState(ConnectionState::kWaiting, absl::StatusCode::kFailedPrecondition), text);
    client_.reset();
    return text;
  }

  CertificateFiles files_;
  const CertificateAndKey first_ = MakeCertificate();
  TlsFront front_{ServerPort(), first_.certificate, first_.key};
};

TEST_F(CppClientTlsTest, EverythingGoesThroughTls) {
  StartAndAccept();
  ASSERT_OK(Join("g"));
  ASSERT_OK(peer_->ExpectJoin("g", {"e", 1}));
  ASSERT_OK(peer_->SendMessage("g", absl::StrCat("\"", std::string(900'000, 'x'), "\""), 1, 2));
  EXPECT_EQ(messages_.Pop()->text->size(), 900'000u);
  ASSERT_OK(client_->Send("g", std::string(60'000, 'y'), OnSent()));
  ASSERT_OK(peer_->Reply(Expect("send_to_group").id, "g", {"e", 3}));
  EXPECT_EQ(sends_.Pop()->position.offset, 3u);
  EXPECT_THAT(front_.names(), testing::ElementsAre("localhost"));

  // A cut brings no end of the TLS stream.
  peer_->Cut();
  AwaitState(ConnectionState::kWaiting, absl::StatusCode::kUnavailable);
  peer_ = Accept();
  EXPECT_EQ(Expect("add_group").since, (Position{"e", 2}));

  std::future<absl::StatusOr<uint16_t>> code =
      std::async(std::launch::async, [this] { return peer_->AwaitClose(); });
  client_->Close();
  EXPECT_EQ(code.get().value(), 1000);
}

TEST_F(CppClientTlsTest, AnAddressIsCheckedAsAnAddress) {
  options_.url = Url("127.0.0.1");
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, absl::StatusCode::kOk);
  EXPECT_THAT(front_.names(), testing::ElementsAre("")) << "SNI is for names";
  client_.reset();

  Use(MakeCertificate({.alternative_names = "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.2"}));
  EXPECT_THAT(Refusal(), HasSubstr("the server's certificate is not for 127.0.0.1"));
}

TEST_F(CppClientTlsTest, TheNameOfTheHostIsChecked) {
  for (const char* names : {"DNS:other.test", "DNS:localhost.other.test", "DNS:*.localhost",
                            "DNS:local*", "IP:127.0.0.1"}) {
    // The common name does not count.
    Use(MakeCertificate({.name = "localhost", .alternative_names = names}));
    EXPECT_THAT(Refusal(), HasSubstr("the server's certificate is not for localhost")) << names;
  }
}

TEST_F(CppClientTlsTest, OnlyTrustedCasCount) {
  const CertificateFiles other;
  options_.ca_file = other.certificate;
  EXPECT_THAT(Refusal(), HasSubstr("is not from a CA that this client trusts"));
  options_.ca_file = "";
  EXPECT_THAT(Refusal(), HasSubstr("is not from a CA that this client trusts"));
}

// OpenSSL takes the CAs of the system from this file, if it is named.
TEST_F(CppClientTlsTest, WithoutACaFileTheCasOfTheSystemCount) {
  options_.ca_file = "";
  setenv("SSL_CERT_FILE", files_.certificate.c_str(), 1);
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, absl::StatusCode::kOk);
  client_.reset();
  unsetenv("SSL_CERT_FILE");
}

TEST_F(CppClientTlsTest, ACertificateThatIsNotValidNowIsRefusedUntilItIsReplaced) {
  Use(MakeCertificate({.valid_from = absl::Hours(1)}));
  EXPECT_THAT(Refusal(), HasSubstr("certificate is not yet valid"));
  const CertificateAndKey expired =
      MakeCertificate({.name = "expired", .valid_until = -absl::Minutes(1)});
  const CertificateAndKey fresh = MakeCertificate();
  files_.Replace({expired.certificate + fresh.certificate, fresh.key});  // the client trusts both
  front_.SetCertificate(expired.certificate, expired.key);
  EXPECT_THAT(Refusal(), HasSubstr("certificate has expired"));

  Start();
  AwaitState(ConnectionState::kWaiting, absl::StatusCode::kFailedPrecondition);
  front_.SetCertificate(fresh.certificate, fresh.key);
  peer_ = Accept();
  AwaitState(ConnectionState::kConnected, absl::StatusCode::kOk);
}

// The host to prove is the server, whatever is between.
TEST_F(CppClientTlsTest, ThroughAProxy) {
  ScriptedProxy proxy;
  options_.proxy = absl::StrCat("http://127.0.0.1:", proxy.port());
  options_.url = Url("chat.test");  // the proxy resolves it
  EXPECT_THAT(Refusal(), HasSubstr("the server's certificate is not for chat.test"));
  Use(MakeCertificate({.alternative_names = "DNS:chat.test"}));
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, absl::StatusCode::kOk);
  EXPECT_EQ(front_.names().back(), "chat.test");
  EXPECT_THAT(proxy.requests().back(), testing::StartsWith("CONNECT chat.test:"));
  client_.reset();  // before the proxy
}

TEST_F(CppClientTlsTest, MayBeDestroyedDuringTheHandshake) {
  options_.connect_timeout = absl::Hours(1);
  front_.FallSilent();
  for (int i = 0; i < 20; ++i) {
    Start();
    AwaitState(ConnectionState::kConnecting, absl::StatusCode::kOk);
    client_.reset();
    AwaitState(ConnectionState::kClosed, absl::StatusCode::kOk);
  }
  options_.connect_timeout = absl::Milliseconds(50);
  Start();
  AwaitState(ConnectionState::kWaiting, absl::StatusCode::kDeadlineExceeded);
}

// The pings of the WebSocket are written by nobody's request, and TLS reads meanwhile.
TEST_F(CppClientTlsTest, GivesUpOnADeadPeer) {
  options_.dead_peer_timeout = absl::Milliseconds(200);
  StartAndAccept();
  AwaitState(ConnectionState::kConnected, absl::StatusCode::kOk);
  AwaitState(ConnectionState::kWaiting, absl::StatusCode::kDeadlineExceeded);
}

TEST_F(CppClientTlsTest, ACaFileThatIsOfNoUseIsFoundAtOnce) {
  const auto create = [&](std::string ca_file) {
    options_.ca_file = std::move(ca_file);
    return std::string(Client::Create(options_).status().message());
  };
  EXPECT_EQ(create("/no/such.pem"), "ca_file /no/such.pem: No such file or directory");
  EXPECT_EQ(create("/dev/null"), "ca_file /dev/null: it is empty");
  EXPECT_EQ(create("/"), "ca_file /: Is a directory");
  EXPECT_THAT(create(files_.key), HasSubstr("has no certificates in PEM"));
  options_.url = server_.url();
  EXPECT_EQ(create(files_.certificate), "ca_file is for wss:// alone");
}

}  // namespace
}  // namespace groupcast
