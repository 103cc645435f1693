#include "services/websocket_service/tls/tls_stream.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "services/common/posix.h"
#include "services/websocket_service/tls/testing/certificates.h"

namespace groupcast::service {
namespace {

constexpr size_t kMuch = 4'000'000;

std::shared_ptr<const TlsContext> NewContext(const TicketKeys& tickets = TicketKeys()) {
  static const auto* const files = new CertificateFiles;
  auto context = TlsContext::Load(
      {.certificate = {"certificate", files->certificate}, .key = {"key", files->key}}, tickets,
      absl::Now());
  EXPECT_TRUE(context.ok()) << context.status();
  return *context;
}

std::string Pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

// What a test wants of the client.
struct ClientOptions {
  int version_max = TLS1_3_VERSION;
  std::string alpn;                // as ALPN writes it
  SSL_SESSION* session = nullptr;  // to resume
};

// Both ends of a connection. The client is OpenSSL's own.
class Ends {
 public:
  explicit Ends(std::shared_ptr<const TlsContext> context, const ClientOptions& options = {}) {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) != 0) {
      ADD_FAILURE() << "no sockets";
    }
    server_socket_ = Fd(sockets[0]);
    client_socket_ = Fd(sockets[1]);
    server = TlsStream::Create(std::move(context), server_socket_.get());
    client_context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(client_context_.get(), 0);
    SSL_CTX_set_min_proto_version(client_context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(client_context_.get(), options.version_max);
    client_.reset(SSL_new(client_context_.get()));
    SSL_set_fd(client_.get(), client_socket_.get());
    SSL_set_connect_state(client_.get());
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(client_.get(),
                          reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    }
    if (options.session != nullptr) SSL_set_session(client_.get(), options.session);
  }

  // Until the server's result is certain.
  TlsStream::Progress Handshake() {
    TlsStream::Progress progress = TlsStream::Progress::kUnfinished;
    for (int i = 0; i < 100 && progress == TlsStream::Progress::kUnfinished; ++i) {
      ERR_clear_error();
      SSL_do_handshake(client_.get());
      progress = server->Handshake();
    }
    ERR_clear_error();
    client_alert = SSL_do_handshake(client_.get()) == 1
                       ? 0
                       : ERR_GET_REASON(ERR_peek_error()) - SSL_AD_REASON_OFFSET;
    return progress;
  }

  void ClientWrites(absl::string_view bytes) {
    ASSERT_EQ(SSL_write(client_.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  // All that has come.
  std::string ClientReads() {
    std::string text;
    char buffer[20'000];
    for (int count = 0; (count = SSL_read(client_.get(), buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }
  SSL* client() { return client_.get(); }
  int client_socket() const { return client_socket_.get(); }
  void EndClientsSocket() { shutdown(client_socket_.get(), SHUT_WR); }

  std::unique_ptr<TlsStream> server;
  int client_alert = 0;  // 0: none

 private:
  Fd server_socket_;
  Fd client_socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> client_context_{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> client_{nullptr, &SSL_free};
};

class TlsVersionTest : public ::testing::TestWithParam<int> {};

TEST_P(TlsVersionTest, CarriesBytesBothWays) {
  Ends ends(NewContext(), {.version_max = GetParam()});
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone) << ends.server->failure();
  EXPECT_EQ(SSL_version(ends.client()), GetParam());
  ends.ClientWrites("from the client");
  char buffer[100];
  ASSERT_EQ(ends.server->Read(buffer, sizeof(buffer)), 15);
  EXPECT_EQ(absl::string_view(buffer, 15), "from the client");
  EXPECT_EQ(ends.server->Read(buffer, sizeof(buffer)), -1);
  EXPECT_EQ(errno, EAGAIN);
  char first[] = "from ";
  char second[] = "the server";
  const iovec vectors[] = {{first, 5}, {second, 10}};
  EXPECT_EQ(ends.server->Write(vectors), 15);
  EXPECT_EQ(ends.ClientReads(), "from the server");
}

// The socket takes less than the peer is sent. Each byte arrives once and in order, and only the
// bytes of one Write wait.
TEST_P(TlsVersionTest, AFullSocketTakesTheRestLater) {
  Ends ends(NewContext(), {.version_max = GetParam()});
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  std::string text = Pattern(kMuch);
  std::string received;
  size_t taken = 0;
  int times_full = 0;
  while (received.size() < text.size()) {
    // Frames of odd sizes.
    std::vector<iovec> vectors;
    for (size_t at = taken; at < text.size() && vectors.size() < 64; at += 777) {
      vectors.push_back({text.data() + at, std::min<size_t>(777, text.size() - at)});
    }
    const ssize_t count = ends.server->Write(vectors);
    if (count >= 0) taken += static_cast<size_t>(count);
    if (count < 0) {
      ASSERT_EQ(errno, EAGAIN);
      ASSERT_GT(ends.server->unsent_bytes(), 0u);
      ASSERT_LE(ends.server->unsent_bytes(), TlsStream::kWriteBytesMax + 2'000);
      ++times_full;
    }
    if (count <= 0) received += ends.ClientReads();
  }
  EXPECT_GT(times_full, 3);
  EXPECT_TRUE(received == text);
  EXPECT_EQ(ends.server->unsent_bytes(), 0u);
}

// The peer's bytes wait in the stream, where the socket does not show them.
TEST_P(TlsVersionTest, TellsOfInputThatTheSocketDoesNotShow) {
  Ends ends(NewContext(), {.version_max = GetParam()});
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  ends.ClientWrites("abc");
  ends.ClientWrites("defghi");
  char buffer[100];
  ASSERT_EQ(ends.server->Peek(buffer, 2), 2);
  EXPECT_EQ(absl::string_view(buffer, 2), "ab");
  EXPECT_TRUE(ends.server->has_input());
  ASSERT_EQ(ends.server->Read(buffer, 4), 4);
  EXPECT_EQ(absl::string_view(buffer, 4), "abcd");
  EXPECT_TRUE(ends.server->has_input());
  ASSERT_EQ(ends.server->Read(buffer, sizeof(buffer)), 5);
  EXPECT_EQ(absl::string_view(buffer, 5), "efghi");
  EXPECT_FALSE(ends.server->has_input());
  EXPECT_EQ(ends.server->input_bytes(), 0u);
}

TEST_P(TlsVersionTest, TheEndComesAfterTheLastBytes) {
  for (const bool with_notice : {true, false}) {
    Ends ends(NewContext(), {.version_max = GetParam()});
    ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
    ends.ClientWrites("last");
    if (with_notice) SSL_shutdown(ends.client());
    ends.EndClientsSocket();
    char buffer[100];
    ASSERT_EQ(ends.server->Read(buffer, sizeof(buffer)), 4);
    EXPECT_TRUE(ends.server->has_input()) << "the socket may not show the end again";
    EXPECT_EQ(ends.server->Read(buffer, sizeof(buffer)), 0);
  }
}

TEST_P(TlsVersionTest, SaysGoodbye) {
  Ends ends(NewContext(), {.version_max = GetParam()});
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  ends.server->SendCloseNotify();
  ends.server->SendCloseNotify();
  EXPECT_EQ(ends.ClientReads(), "");
  EXPECT_EQ(SSL_get_shutdown(ends.client()), SSL_RECEIVED_SHUTDOWN);
}

// The clients of a worker come back to another one, whose certificate may be loaded anew.
TEST_P(TlsVersionTest, AClientResumesItsSessionWithTheKeysAndTheNextOnes) {
  const TicketKeys tickets;
  Ends first(NewContext(tickets), {.version_max = GetParam()});
  ASSERT_EQ(first.Handshake(), TlsStream::Progress::kDone);
  EXPECT_EQ(first.ClientReads(), "");  // takes the ticket of TLS 1.3
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(
      SSL_get1_session(first.client()), &SSL_SESSION_free);
  const struct {
    TicketKeys tickets;
    bool resumes;
  } cases[] = {{tickets, true},
               {tickets.Next(), true},
               {tickets.Next().Next(), false},
               {TicketKeys(), false}};
  for (const auto& c : cases) {
    // A copy: OpenSSL's client does not use a session again whose connection has broken.
    const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> copy(
        SSL_SESSION_dup(session.get()), &SSL_SESSION_free);
    Ends ends(NewContext(c.tickets), {.version_max = GetParam(), .session = copy.get()});
    ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone) << ends.server->failure();
    EXPECT_EQ(ends.server->resumed(), c.resumes) << &c - cases;
  }
}

// Whatever is cut off, the server waits for the rest and holds a bounded part.
TEST_P(TlsVersionTest, AHandshakeThatIsCutOffStaysUnfinished) {
  Ends ends(NewContext(), {.version_max = GetParam()});
  int relay[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, relay), 0);
  const Fd here(relay[0]);
  const Fd there(relay[1]);
  SSL_set_fd(ends.client(), there.get());
  SSL_do_handshake(ends.client());
  char hello[2'000];
  const ssize_t bytes = read(here.get(), hello, sizeof(hello));
  ASSERT_GT(bytes, 50);
  for (ssize_t i = 0; i + 1 < bytes; ++i) {
    ASSERT_EQ(write(ends.client_socket(), hello + i, 1), 1);
    ASSERT_EQ(ends.server->Handshake(), TlsStream::Progress::kUnfinished) << i;
    ASSERT_EQ(ends.server->unsent_bytes(), 0u);
  }
  ends.EndClientsSocket();
  EXPECT_EQ(ends.server->Handshake(), TlsStream::Progress::kFailed);
  EXPECT_EQ(ends.server->failure(), "") << "it has gone, and nothing is wrong";
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsVersionTest,
                         ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const ::testing::TestParamInfo<int>& info) {
                           return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

TEST(TlsStreamTest, OlderVersionsAreRefusedWithAnAlertAndAReason) {
  Ends ends(NewContext(), {.version_max = TLS1_1_VERSION});
  EXPECT_EQ(ends.Handshake(), TlsStream::Progress::kFailed);
  EXPECT_EQ(ends.client_alert, SSL_AD_PROTOCOL_VERSION);
  EXPECT_EQ(ends.server->failure(), "unsupported protocol");
}

TEST(TlsStreamTest, ChoosesHttp11AndRefusesClientsThatOfferOthersAlone) {
  Ends both(NewContext(), {.alpn = "\x02h2\x08http/1.1"});
  ASSERT_EQ(both.Handshake(), TlsStream::Progress::kDone);
  const unsigned char* chosen = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(both.client(), &chosen, &bytes);
  EXPECT_EQ(std::string(chosen, chosen + bytes), "http/1.1");

  Ends other(NewContext(), {.alpn = "\x02h2"});
  EXPECT_EQ(other.Handshake(), TlsStream::Progress::kFailed);
  EXPECT_EQ(other.client_alert, SSL_AD_NO_APPLICATION_PROTOCOL);
}

TEST(TlsStreamTest, ThereIsNoRenegotiation) {
  Ends ends(NewContext(), {.version_max = TLS1_2_VERSION});
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  ASSERT_EQ(SSL_renegotiate(ends.client()), 1);
  SSL_do_handshake(ends.client());
  char buffer[100];
  EXPECT_EQ(ends.server->Read(buffer, sizeof(buffer)), -1);
  ERR_clear_error();
  EXPECT_LE(SSL_do_handshake(ends.client()), 0);
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
}

// The socket's other end may send far more than one call reads.
void MakeRoom(int socket) {
  const int bytes = 4 << 20;
  setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

// Writes a key update. False: the socket is full.
bool UpdateKeys(SSL* client, int type = SSL_KEY_UPDATE_NOT_REQUESTED) {
  return SSL_key_update(client, type) == 1 && SSL_do_handshake(client) == 1;
}

// OpenSSL would read key updates as long as they come.
TEST(TlsStreamTest, KeyUpdatesWithoutDataEndTheConnectionWithinOneRead) {
  for (const bool peeks : {false, true}) {
    Ends ends(NewContext());
    MakeRoom(ends.client_socket());
    ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
    constexpr int kUpdates = 400;
    for (int i = 0; i < kUpdates; ++i) ASSERT_TRUE(UpdateKeys(ends.client())) << i;
    // What was sent behind the bound is never looked at.
    ends.ClientWrites("data");
    char buffer[100];
    EXPECT_EQ(peeks ? ends.server->Peek(buffer, 10) : ends.server->Read(buffer, 10), -1);
    EXPECT_EQ(errno, ECONNRESET);
    EXPECT_EQ(ends.server->Read(buffer, 10), -1) << "the error stays";
    EXPECT_EQ(errno, ECONNRESET);
  }
}

TEST(TlsStreamTest, KeyUpdatesBetweenDataAreInOrder) {
  Ends ends(NewContext());
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  char buffer[100];
  for (int i = 0; i < 100; ++i) {
    for (uint32_t k = 0; k + 1 < TlsStream::kFruitlessRecordsMax; ++k) {
      ASSERT_TRUE(UpdateKeys(ends.client()));
    }
    ends.ClientWrites("data");
    ASSERT_EQ(ends.server->Read(buffer, sizeof(buffer)), 4) << i;
  }
}

// It reads nothing, so that the answers wait.
TEST(TlsStreamTest, APeerThatAsksForAnswersAndTakesNoneIsBrokenAtTheBound) {
  const int64_t memory_before = TlsStream::unsent_memory();
  {
    Ends ends(NewContext());
    ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
    std::string much(TlsStream::kWriteBytesMax, 'x');
    const iovec vector = {much.data(), much.size()};
    while (ends.server->unsent_bytes() == 0) ASSERT_GT(ends.server->Write({&vector, 1}), 0);
    char buffer[100];
    ssize_t count = 0;
    int asked = 0;
    for (; count >= 0 && asked < 10'000; ++asked) {
      ASSERT_TRUE(UpdateKeys(ends.client(), SSL_KEY_UPDATE_REQUESTED));
      ends.ClientWrites("x");
      count = ends.server->Read(buffer, sizeof(buffer));
      ASSERT_LE(ends.server->unsent_bytes(),
                TlsStream::kWriteBytesMax + TlsStream::kAnswerBytesMax + 2'000);
      ASSERT_GE(TlsStream::unsent_memory() - memory_before,
                static_cast<int64_t>(ends.server->unsent_bytes()));
    }
    EXPECT_EQ(count, -1);
    EXPECT_EQ(errno, ECONNRESET);
    EXPECT_GT(asked, 50) << "some answers are no attack";
  }
  EXPECT_EQ(TlsStream::unsent_memory(), memory_before);
}

TEST(TlsStreamTest, AStreamThatEndsSoonLeavesTheCountOfMemory) {
  const int64_t memory_before = TlsStream::unsent_memory();
  Ends ends(NewContext());
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  std::string much(TlsStream::kWriteBytesMax, 'x');
  const iovec vector = {much.data(), much.size()};
  while (ends.server->unsent_bytes() == 0) ASSERT_GT(ends.server->Write({&vector, 1}), 0);
  EXPECT_GT(TlsStream::unsent_memory(), memory_before);
  ends.server->LeaveUnsentMemory();
  EXPECT_EQ(TlsStream::unsent_memory(), memory_before);
}

// Each record costs far more than its byte.
TEST_P(TlsVersionTest, OneReadTakesABoundedNumberOfRecords) {
  Ends ends(NewContext(), {.version_max = GetParam()});
  MakeRoom(ends.client_socket());
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  constexpr uint32_t kRecords = 300;
  for (uint32_t i = 0; i < kRecords; ++i) ends.ClientWrites("x");
  char buffer[20'000];
  uint32_t records = 0;
  while (records < kRecords) {
    const ssize_t count = ends.server->Read(buffer, sizeof(buffer));
    ASSERT_GT(count, 0);
    ASSERT_LE(count, TlsStream::kRecordsPerRead);
    records += static_cast<uint32_t>(count);
    EXPECT_TRUE(records == kRecords || ends.server->has_input());
  }
  EXPECT_EQ(ends.server->Read(buffer, sizeof(buffer)), -1);
  EXPECT_EQ(errno, EAGAIN);
}

// TLS 1.3 hides lengths: a record of 16 KB may bring one byte.
TEST(TlsStreamTest, OneReadTakesABoundedNumberOfBytesFromTheSocket) {
  Ends ends(NewContext());
  MakeRoom(ends.client_socket());
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  ends.server->TakeReceivedBytes();
  SSL_set_block_padding(ends.client(), 16'000);
  constexpr int kRecords = 20;
  for (int i = 0; i < kRecords; ++i) ends.ClientWrites("x");
  char buffer[1'000];
  int records = 0;
  size_t received = 0;
  for (int calls = 0; records < kRecords && calls < 1'000; ++calls) {
    const ssize_t count = ends.server->Read(buffer, sizeof(buffer));
    ASSERT_TRUE(count > 0 || errno == EAGAIN);
    const size_t bytes = ends.server->TakeReceivedBytes();
    ASSERT_LE(bytes, sizeof(buffer) + 18'000);
    received += bytes;
    records += static_cast<int>(std::max<ssize_t>(0, count));
    EXPECT_TRUE(records == kRecords || ends.server->has_input());
  }
  EXPECT_EQ(records, kRecords);
  EXPECT_GT(received, kRecords * 16'000u);
}

// The same, before there is a connection. A ClientHello may have many records.
TEST(TlsStreamTest, OneCallOfTheHandshakeReadsABoundedNumberOfBytes) {
  Ends ends(NewContext());
  MakeRoom(ends.client_socket());
  // A ClientHello of 131,000 bytes, with 1 byte in each record.
  std::string hello("\x16\x03\x01\x00\x04\x01\x01\xff\xb8", 9);
  for (int i = 0; i < 20'000; ++i) hello += std::string("\x16\x03\x01\x00\x01x", 6);
  ASSERT_EQ(write(ends.client_socket(), hello.data(), hello.size()),
            static_cast<ssize_t>(hello.size()));
  size_t received = 0;
  for (int calls = 0; received < hello.size() && calls < 100; ++calls) {
    ASSERT_EQ(ends.server->Handshake(), TlsStream::Progress::kUnfinished);
    const size_t bytes = ends.server->TakeReceivedBytes();
    ASSERT_LE(bytes, 18'000u);
    received += bytes;
  }
  EXPECT_EQ(received, hello.size());
}

TEST(TlsStreamTest, BytesThatAreNoTlsFail) {
  Ends ends(NewContext());
  const std::string garbage("\x16\x03\x01\x00\x05hello", 10);
  ASSERT_GT(write(ends.client_socket(), garbage.data(), garbage.size()), 0);
  EXPECT_EQ(ends.server->Handshake(), TlsStream::Progress::kFailed);
  EXPECT_NE(ends.server->failure(), "");
}

// A changed bit is an error, and not other bytes.
TEST(TlsStreamTest, AChangedRecordIsAnError) {
  Ends ends(NewContext());
  ASSERT_EQ(ends.Handshake(), TlsStream::Progress::kDone);
  const std::string record = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
  ends.ClientWrites("good");
  ASSERT_GT(write(ends.client_socket(), record.data(), record.size()), 0);
  char buffer[100];
  ASSERT_EQ(ends.server->Read(buffer, sizeof(buffer)), 4);
  EXPECT_TRUE(ends.server->has_input()) << "the error is still to come";
  EXPECT_EQ(ends.server->Read(buffer, sizeof(buffer)), -1);
  EXPECT_NE(errno, EAGAIN);
}

}  // namespace
}  // namespace groupcast::service
