// What is particular to wss://: certificates and their change, versions, resumption, and clients
// that begin a handshake and do no more. The other tests of this folder and those of bad_input also
// run over TLS as a whole.

#include <dirent.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/support/crowd.h"
#include "tests/support/memory.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

using service::CertificateFiles;
using service::MakeCertificate;
using service::WriteFile;
using ::testing::HasSubstr;

// A client that trusts this certificate alone.
TestClient Trusting(uint16_t port, const std::string& certificate, Mode mode = Mode::kBare) {
  RawClient raw(port, TlsClientOptions{.trusted = certificate});
  raw.Write(HandshakeRequest(mode == Mode::kV1 ? kV1 : ""));
  return TestClient(std::move(raw), mode);
}

// Why the handshake fails. Empty: it succeeds.
std::string TlsError(uint16_t port, const TlsClientOptions& options) {
  try {
    RawClient client(port, options);
    client.Write(HandshakeRequest());
    client.ReadMore();
    return client.received().empty() ? "no answer" : "";
  } catch (const Failure& failure) {
    return failure.what();
  }
}

int OpenFiles(pid_t pid) {
  int count = 0;
  DIR* const directory = opendir(absl::StrCat("/proc/", pid, "/fd").c_str());
  if (directory == nullptr) throw Failure("there is no such process");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

class TlsTest : public ::testing::Test {
 protected:
  explicit TlsTest(int workers = 2,
                   const Flags& more = {"--handshake_timeout=24h", "--drain_time=1s"})
      : groupcast_(workers, AllFlags(more)) {}

  Flags AllFlags(const Flags& more) {
    Flags flags = TlsFlags(files_);
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }

  Process& process() { return groupcast_.service.process(); }

  CertificateFiles files_;
  Groupcast groupcast_;
  const uint16_t port_ = groupcast_.service.port();
};

TEST_F(TlsTest, AClientThatTrustsTheCertificateConnectsAndOthersDoNot) {
  TestClient client = Trusting(port_, files_.certificate);
  client.Join("room");
  client.Send(SendToGroup("\"room\"", "\"hello\""));
  EXPECT_EQ(client.NextText(), "hello");
  EXPECT_STREQ(SSL_get_version(client.raw().tls()), "TLSv1.3");
  EXPECT_THAT(process().Output(), HasSubstr(absl::StrCat("wss://127.0.0.1:", port_)));

  const CertificateFiles other;
  EXPECT_THAT(TlsError(port_, {.trusted = other.certificate}), HasSubstr("certificate verify"));
  // The operator learns why clients stay away.
  process().WaitForOutput("127.0.0.1 did not complete the TLS handshake: ");
}

TEST_F(TlsTest, SpeaksVersions12And13) {
  EXPECT_EQ(TlsError(port_, {.version_min = TLS1_2_VERSION, .version_max = TLS1_2_VERSION}), "");
  EXPECT_EQ(TlsError(port_, {.version_min = TLS1_3_VERSION, .version_max = TLS1_3_VERSION}), "");
  EXPECT_THAT(TlsError(port_, {.version_min = TLS1_VERSION, .version_max = TLS1_1_VERSION}),
              HasSubstr("alert protocol version"));
  process().WaitForOutput("did not complete the TLS handshake: unsupported protocol");
}

TEST_F(TlsTest, ClientsWithoutTlsAreToldSoAtOnce) {
  for (const std::string& bytes :
       {HandshakeRequest(), std::string("GET / HTTP/1.1\r\n"), std::string("x")}) {
    RawClient client(port_, 0, "127.0.0.1", RawClient::Transport::kPlain);
    client.Write(bytes);
    client.ReadToEnd();
    EXPECT_EQ(client.state(), RawClient::State::kClosed);
    EXPECT_THAT(client.received(), HasSubstr("HTTP/1.1 400"));
    EXPECT_THAT(client.received(), HasSubstr("This port has TLS: it speaks https:// and wss://"));
  }
  process().WaitForOutput("127.0.0.1 spoke without TLS to this TLS port");
}

// Each worker is a process of its own. The kernel chooses one for each connection.
TEST_F(TlsTest, ASessionIsResumedAtEveryWorker) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TlsClientOptions options = {.version_min = version, .version_max = version};
    RawClient first(port_, options);
    first.Write(HandshakeRequest());
    first.ReadMore();  // with it comes the ticket of TLS 1.3
    const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(
        SSL_get1_session(first.tls()), &SSL_SESSION_free);
    for (int i = 0; i < 16; ++i) {
      const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> copy(
          SSL_SESSION_dup(session.get()), &SSL_SESSION_free);
      TlsClientOptions resuming = options;
      resuming.session = copy.get();
      EXPECT_EQ(SSL_session_reused(RawClient(port_, resuming).tls()), 1) << i;
    }
  }
}

TEST_F(TlsTest, AChangedCertificateIsTakenUpAndNoConnectionEnds) {
  TestClient before = Trusting(port_, files_.certificate, Mode::kV1);
  before.Join("room");
  const std::vector<pid_t> workers = groupcast_.service.WorkerPids();
  const CertificateFiles other;
  // First a pair that does not belong together, as a tool may leave it for a moment or for ever.
  const service::CertificateAndKey fresh = MakeCertificate();
  WriteFile(files_.certificate, fresh.certificate);
  process().WaitForOutputTimes("does not belong to the certificate", 2);
  EXPECT_THAT(process().Output(), HasSubstr("; the certificate of before stays"));
  EXPECT_THAT(TlsError(port_, {.trusted = files_.certificate}), HasSubstr("certificate verify"));

  WriteFile(files_.key, fresh.key);
  process().WaitForOutputTimes("took up the changed certificate", 2);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(TlsError(port_, {.trusted = files_.certificate}), "");
  before.Send(SendToGroup("\"room\"", "\"still here\""));
  EXPECT_EQ(before.NextEvent().Text("message"), "still here");
  EXPECT_EQ(groupcast_.service.WorkerPids(), workers);
}

TEST_F(TlsTest, SighupTakesUpTheCertificateOrChangesNothing) {
  const std::vector<pid_t> workers = groupcast_.service.WorkerPids();
  chmod(files_.key.c_str(), 0644);
  process().Signal(SIGHUP);
  process().WaitForOutput(absl::StrCat("--tls_key: ", files_.key,
                                       " has a secret, and other users may access it; chmod 600"));
  EXPECT_EQ(groupcast_.service.WorkerPids(), workers);
  chmod(files_.key.c_str(), 0600);

  RawClient first(port_, TlsClientOptions{});
  first.Write(HandshakeRequest());
  first.ReadMore();
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(
      SSL_get1_session(first.tls()), &SSL_SESSION_free);
  files_.Replace(MakeCertificate());
  process().Signal(SIGHUP);
  WaitUntil("the old workers are gone",
            [&] { return std::none_of(workers.begin(), workers.end(), IsAlive); });
  EXPECT_EQ(TlsError(port_, {.trusted = files_.certificate}), "");
  // All clients come back now: they need not shake hands in full.
  RawClient second(port_, TlsClientOptions{.session = session.get()});
  EXPECT_EQ(SSL_session_reused(second.tls()), 1);
}

// Key updates bring no data, so OpenSSL would read them as long as they come, and nobody else would
// be served. A stranger can send them before any request.
TEST_F(TlsTest, AFloodOfKeyUpdatesEndsItsConnectionAndNoOther) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to a connection that has ended
  TestClient neighbour = Trusting(port_, files_.certificate, Mode::kV1);
  const std::vector<pid_t> workers = groupcast_.service.WorkerPids();
  for (const bool has_request : {false, true}) {
    RawClient client(port_, TlsClientOptions{.version_min = TLS1_3_VERSION});
    if (has_request) {
      client.Write(HandshakeRequest());
      ASSERT_TRUE(client.ReadMore());
    }
    for (int i = 0; i < 1'000 && SSL_key_update(client.tls(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1;
         ++i) {
      if (SSL_do_handshake(client.tls()) != 1) break;  // the connection has ended already
    }
    client.ReadToEnd();
    EXPECT_NE(client.state(), RawClient::State::kOpen);
  }
  neighbour.Send(Ping("1"));
  EXPECT_EQ(neighbour.NextEvent().Number("id"), 1);
  EXPECT_EQ(groupcast_.service.WorkerPids(), workers);
}

// What SIGHUP is for, such as other limits, does not wait for a new certificate.
TEST(TlsExpiryTest, SighupGoesOnWithACertificateThatHasExpiredSince) {
  const CertificateFiles files({.valid_until = absl::Seconds(8)});
  const absl::Time expired = absl::Now() + absl::Seconds(9);
  Groupcast groupcast(/*workers=*/1, TlsFlags(files));
  WebSocketService& service = groupcast.service;
  WaitUntil("the certificate has expired", [&] { return absl::Now() > expired; });
  for (int i = 0; i < 2; ++i) {
    const std::vector<pid_t> workers = service.WorkerPids();
    service.process().Signal(SIGHUP);
    WaitUntil("the old workers are gone",
              [&] { return std::none_of(workers.begin(), workers.end(), IsAlive); });
    EXPECT_EQ(TlsError(service.port(), {}), "");
  }
  EXPECT_THAT(service.process().Output(),
              HasSubstr(absl::StrCat("--tls_certificate: ", files.certificate,
                                     " has expired and is unchanged: it stays in use")));
  // Other files are checked as always.
  WriteFile(files.certificate, MakeCertificate({.valid_until = -absl::Hours(1)}).certificate);
  service.process().Signal(SIGHUP);
  service.process().WaitForOutput("nothing changes: --tls_certificate");
}

class TlsTimeoutTest : public TlsTest {
 protected:
  TlsTimeoutTest() : TlsTest(/*workers=*/1, {"--handshake_timeout=1s"}) {}
};

// Whatever part of its handshake a client leaves out, it is dropped in time.
TEST_F(TlsTimeoutTest, AHandshakeThatStopsIsDropped) {
  TestClient neighbour = Trusting(port_, files_.certificate);
  std::vector<RawClient> stopped;
  for (const std::string& bytes :
       {std::string(), std::string("\x16"), std::string("\x16\x03\x01\x02\x00\x01", 6)}) {
    stopped.emplace_back(port_, 0, "127.0.0.1", RawClient::Transport::kPlain);
    stopped.back().Write(bytes);
  }
  // And one that completes TLS and sends no request.
  stopped.emplace_back(port_, TlsClientOptions{});
  for (RawClient& client : stopped) {
    client.ReadToEnd();
    EXPECT_EQ(client.received(), "");
  }
  EXPECT_TRUE(neighbour.IsQuiet());
}

class TlsHandshakeBoundTest : public TlsTest {
 protected:
  TlsHandshakeBoundTest()
      : TlsTest(/*workers=*/1, {"--max_tls_handshakes_per_worker=4", "--handshake_timeout=24h"}) {}
};

// A header announces the largest ClientHello, and OpenSSL makes room for it. Only 4 of these may do
// so at a time. The others wait, and honest clients among them get their turn, because those that
// stop have little time then.
TEST_F(TlsHandshakeBoundTest, HandshakesThatStopTakeBoundedMemoryAndDoNotShutOutOthers) {
  constexpr int kStopped = 300;
  { TestClient warm = Trusting(port_, files_.certificate); }
  WaitForConnections(&groupcast_.service, 0);
  const pid_t worker = groupcast_.service.WorkerPids().at(0);
  const int64_t memory_before = AnonymousMemoryKib(worker);
  const int files_before = OpenFiles(worker);
  // A record of 16 KB with the beginning of a ClientHello of 131,000 bytes.
  const std::string hello =
      std::string("\x16\x03\x01\x40\x00\x01\x01\xff\xb8", 9) + std::string(16'384 - 4, 'x');
  std::vector<RawClient> stopped;
  for (int i = 0; i < kStopped; ++i) {
    stopped.emplace_back(port_, 0, "127.0.0.1", RawClient::Transport::kPlain);
    stopped.back().Write(hello);
  }
  WaitUntil("the worker has all of them",
            [&] { return OpenFiles(worker) >= files_before + kStopped; });
  // Without the bound: 300 times 150 KB.
  EXPECT_LT(AnonymousMemoryKib(worker) - memory_before, 4'000);
  for (RawClient& client : stopped) client.Close();
  WaitUntil("the descriptors are back", [&] { return OpenFiles(worker) == files_before; });

  std::vector<RawClient> again;
  for (int i = 0; i < 6; ++i) {
    again.emplace_back(port_, 0, "127.0.0.1", RawClient::Transport::kPlain);
    again.back().Write(hello);
  }
  TestClient honest = Trusting(port_, files_.certificate);
  EXPECT_TRUE(honest.IsQuiet());
}

class TlsShareTest : public TlsTest {
 protected:
  TlsShareTest()
      : TlsTest(/*workers=*/1, {"--max_tls_handshakes_per_worker=8", "--handshake_timeout=24h"}) {}
};

// A connection that has sent a part of its first record takes no place. These have a day.
TEST_F(TlsShareTest, ConnectionsWithAPartOfTheFirstRecordTakeNoPlace) {
  std::vector<RawClient> stopped;
  for (const absl::string_view bytes : {"\x16", "\x16\x03\x01", "\x16\x03\x01\x02\x05\x01\x02"}) {
    for (int i = 0; i < 10; ++i) {
      stopped.emplace_back(port_, 0, "127.0.0.1", RawClient::Transport::kPlain);
      stopped.back().Write(bytes);
    }
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(TlsError(port_, {.trusted = files_.certificate}), "");
  for (RawClient& client : stopped) {
    client.ReadAvailable();
    EXPECT_EQ(client.state(), RawClient::State::kOpen) << "nobody hurries them";
  }
}

// The worker reads 20 KB at first, and the first send waits for its join. Meanwhile OpenSSL has the
// rest, so the socket never shows it.
TEST_F(TlsTest, CommandsBehindOneThatWaitsAreCarriedOut) {
  TestClient client = Trusting(port_, files_.certificate, Mode::kV1);
  const std::vector<pid_t> workers = groupcast_.service.WorkerPids();
  for (const pid_t worker : workers) kill(worker, SIGSTOP);
  std::string bytes = TextFrame(AddGroup("\"cold\""));
  for (int id = 1; id <= 3; ++id) {
    bytes += TextFrame(SendToGroup("\"cold\"", Quoted(std::string(9'000, 'x')), absl::StrCat(id)));
  }
  client.raw().Write(bytes);
  for (const pid_t worker : workers) kill(worker, SIGCONT);
  for (int events = 0; events < 6; ++events) {
    const Event event = client.NextEvent();
    EXPECT_TRUE(event.name() == "reply" || event.name() == "message") << event.text();
  }
}

// OpenSSL takes 17 KB for a record of which a part has come. Such memory has the bound of
// unfinished messages, as if the record were a message.
TEST(TlsRecordTest, RecordsThatStopCountAsUnfinishedMessages) {
  constexpr int kClients = 60;
  const CertificateFiles files;
  Flags flags = TlsFlags(files);
  flags.push_back("--unfinished_bytes=500000");
  Groupcast groupcast(/*workers=*/1, flags);
  TestClient neighbour = Trusting(groupcast.service.port(), files.certificate);
  std::vector<TestClient> stopped;
  const std::string part("\x17\x03\x03\x40\x00x", 6);
  for (int i = 0; i < kClients; ++i) {
    stopped.push_back(Trusting(groupcast.service.port(), files.certificate));
    ASSERT_GT(send(SSL_get_fd(stopped.back().raw().tls()), part.data(), part.size(), 0), 0);
  }
  groupcast.service.process().WaitForOutput("unfinished messages take ");
  // 28 of them stay.
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(stopped[static_cast<size_t>(i)].WaitForEnd().close_code, 1009);
  }
  EXPECT_TRUE(neighbour.IsQuiet());
}

// A start and --check_config find the same errors.
TEST(TlsFlagsTest, FilesThatCannotBeUsedAreFoundAtTheStart) {
  const CertificateFiles files;
  const CertificateFiles expired({.valid_until = -absl::Hours(1)});
  const CertificateFiles open;
  chmod(open.key.c_str(), 0644);
  const struct {
    Flags flags;
    std::string error;
  } cases[] = {
      {TlsFlags(expired), absl::StrCat("--tls_certificate: ", expired.certificate,
                                       " has a certificate that has expired; it was valid until")},
      {TlsFlags(open), absl::StrCat("--tls_key: ", open.key,
                                    " has a secret, and other users may "
                                    "access it; chmod 600 or 640 makes it right")},
      {{"--tls_certificate=" + files.certificate, "--tls_key=" + expired.key},
       absl::StrCat("--tls_key: ", expired.key,
                    " does not belong to the certificate of "
                    "--tls_certificate, ",
                    files.certificate)},
      {{"--tls_certificate=" + files.certificate}, "--tls_certificate needs --tls_key beside it"},
  };
  for (const auto& c : cases) {
    for (const bool check : {true, false}) {
      Flags flags = c.flags;
      flags.push_back("--port=0");
      if (check) flags.push_back("--check_config");
      Process process(kWebSocketServiceBinary, flags);
      EXPECT_EQ(process.WaitForEnd(), 1);
      EXPECT_THAT(process.Output(), HasSubstr(c.error));
    }
  }
  Flags good = TlsFlags(files);
  good.push_back("--check_config");
  Process process(kWebSocketServiceBinary, good);
  EXPECT_EQ(process.WaitForEnd(), 0) << process.Output();
}

}  // namespace
}  // namespace groupcast::tests
