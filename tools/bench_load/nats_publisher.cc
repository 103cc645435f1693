// Publishes to nats-server over many connections, for tools/bench_http. With --acknowledged, each
// connection waits for JetStream's acknowledgement before its next message, as an HTTP client waits
// for an answer. Without, it writes what the server takes, and the server says nothing: a last PING
// on each connection shows that it has read everything. Prints one JSON object.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/common/flags.h"
#include "services/common/posix.h"
#include "tools/bench_load/latency_histogram.h"
#include "tools/bench_load/nats_ack.h"
#include "tools/bench_load/nats_reader.h"

ABSL_FLAG(int, port, 4222, "the server's port on 127.0.0.1");
ABSL_FLAG(int, connections, 64, "connections");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(3), "how long it publishes");
ABSL_FLAG(int, message_bytes, 100, "size of a message");
ABSL_FLAG(int, subjects, 100, "messages go to so many subjects in turn");
ABSL_FLAG(bool, acknowledged, true, "JetStream with a stream in memory; otherwise plain NATS");

namespace groupcast::bench {
namespace {

using service::ErrnoStatus;
using service::Fd;

// Without acknowledgements, written at once.
constexpr int kMessagesPerWrite = 64;
constexpr absl::Duration kEndPatience = absl::Seconds(10);
constexpr int kWaitMs = 100;
// As much as the HTTP servers of the comparison keep.
constexpr char kStream[] =
    R"({"name":"bench","subjects":["g.*"],"storage":"memory","retention":"limits","discard":"old",)"
    R"("num_replicas":1,"max_msgs_per_subject":100,"max_age":300000000000})";

class Publisher {
 public:
  // Connects, and makes the stream if there shall be one.
  absl::Status Start();
  // Publishes for --duration, and waits for all that was begun.
  absl::Status Run();
  void Print() const;

 private:
  struct Connection {
    Fd fd;
    NatsReader reader;
    size_t number = 0;
    std::string out;  // not written yet
    int64_t in_it = 0;
    int64_t sent_ns = 0;
    bool waits = false;  // for the answer to its last message, or to the PING
    bool done = false;
    uint32_t watched = EPOLLIN;
  };

  absl::Status Connect(size_t number);
  // The acknowledgement of one message, or of a request to the server.
  absl::Status Ask(Connection* connection, absl::string_view subject, absl::string_view body,
                   std::string* answer);
  absl::Status Probe(uint64_t* sequence);
  absl::Status Read(Connection* connection);
  absl::Status Take(std::string_view operation, Connection* connection);
  // Its next messages, or its end.
  void Fill(Connection* connection);
  absl::Status Write(Connection* connection);
  absl::Status RunUntil(absl::Time end);
  std::string Publication(const Connection& connection);

  const bool acknowledged_ = absl::GetFlag(FLAGS_acknowledged);
  const std::string message_ =
      std::string(static_cast<size_t>(absl::GetFlag(FLAGS_message_bytes)), 'm');
  Fd epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
  std::string* answer_ = nullptr;  // where the answer to a request goes
  int64_t subject_ = 0;
  absl::Time begin_;
  absl::Time stop_at_;
  absl::Duration took_;
  size_t done_ = 0;
  int64_t publications_ = 0;
  uint64_t first_ = 0;  // places in the stream, around all publications
  uint64_t last_ = 0;
  LatencyHistogram latencies_;
};

absl::Status Publisher::Start() {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  for (int i = 0; i < absl::GetFlag(FLAGS_connections); ++i) {
    if (absl::Status status = Connect(static_cast<size_t>(i)); !status.ok()) return status;
  }
  if (!acknowledged_) return absl::OkStatus();
  std::string answer;
  absl::Status status = Ask(connections_[0].get(), "$JS.API.STREAM.CREATE.bench", kStream, &answer);
  if (status.ok() && absl::StrContains(answer, "\"error\"")) {
    return absl::InternalError(absl::StrCat("no stream: ", answer));
  }
  return status;
}

absl::Status Publisher::Connect(size_t number) {
  auto connection = std::make_unique<Connection>();
  connection->number = number;
  connection->fd = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = connection->fd.get();
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(absl::GetFlag(FLAGS_port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  epoll_event event{.events = EPOLLIN, .data = {.ptr = connection.get()}};
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoStatus("connect");
  }
  connection->out = absl::StrCat(R"(CONNECT {"verbose":false,"pedantic":false})", "\r\nSUB _INBOX.",
                                 number, " 1\r\n");
  connections_.push_back(std::move(connection));
  return Write(connections_.back().get());
}

absl::Status Publisher::Ask(Connection* connection, absl::string_view subject,
                            absl::string_view body, std::string* answer) {
  connection->out = absl::StrCat("PUB ", subject, " _INBOX.", connection->number, " ", body.size(),
                                 "\r\n", body, "\r\n");
  answer->clear();
  answer_ = answer;
  absl::Status status = Write(connection);
  while (status.ok() && answer->empty()) status = Read(connection);
  answer_ = nullptr;
  return status;
}

// The place of a message that is sent for it.
absl::Status Publisher::Probe(uint64_t* sequence) {
  std::string answer;
  if (absl::Status status = Ask(connections_[0].get(), "g.probe", "", &answer); !status.ok()) {
    return status;
  }
  const std::optional<uint64_t> place = ReadNatsAck(answer);
  if (!place.has_value()) return absl::InternalError(absl::StrCat("no place: ", answer));
  *sequence = *place;
  return absl::OkStatus();
}

absl::Status Publisher::Run() {
  if (acknowledged_) {
    if (absl::Status status = Probe(&first_); !status.ok()) return status;
  }
  begin_ = absl::Now();
  stop_at_ = begin_ + absl::GetFlag(FLAGS_duration);
  for (const std::unique_ptr<Connection>& connection : connections_) {
    Fill(connection.get());
    if (absl::Status status = Write(connection.get()); !status.ok()) return status;
  }
  if (absl::Status status = RunUntil(stop_at_ + kEndPatience); !status.ok()) return status;
  took_ = absl::Now() - begin_;
  return acknowledged_ ? Probe(&last_) : absl::OkStatus();
}

absl::Status Publisher::RunUntil(absl::Time end) {
  while (done_ < connections_.size()) {
    if (absl::Now() > end) return absl::DeadlineExceededError("the server does not answer");
    epoll_event events[256];
    const int count = epoll_wait(epoll_.get(), events, 256, kWaitMs);
    if (count < 0 && errno != EINTR) return ErrnoStatus("epoll_wait");
    for (int i = 0; i < count; ++i) {
      auto* const connection = static_cast<Connection*>(events[i].data.ptr);
      absl::Status status;
      if ((events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) status = Read(connection);
      if (status.ok()) status = Write(connection);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status Publisher::Read(Connection* connection) {
  const ssize_t bytes = recv(connection->fd.get(), buffer_.data(), buffer_.size(), 0);
  if (bytes < 0) return ErrnoStatus("recv");
  if (bytes == 0) return absl::UnavailableError("the server closes a connection");
  absl::Status status;
  const bool is_nats = connection->reader.Take({buffer_.data(), static_cast<size_t>(bytes)},
                                               [&](std::string_view operation) {
                                                 if (status.ok())
                                                   status = Take(operation, connection);
                                               });
  return is_nats ? status : absl::InternalError("this is not NATS's protocol");
}

absl::Status Publisher::Take(std::string_view operation, Connection* connection) {
  const absl::string_view text(operation.data(), operation.size());
  if (absl::StartsWith(text, "-ERR")) return absl::InternalError(text);
  // Between whole operations: the server may ask at any time.
  if (absl::StartsWith(text, "PING")) connection->out += "PONG\r\n";
  if (absl::StartsWith(text, "PONG") && connection->waits) {
    connection->done = true;
    ++done_;
  }
  if (!absl::StartsWith(text, "MSG ")) return absl::OkStatus();
  if (answer_ != nullptr) {
    *answer_ = std::string(text);
    return absl::OkStatus();
  }
  if (!ReadNatsAck(operation).has_value()) return absl::InternalError(text);
  latencies_.Record(absl::GetCurrentTimeNanos() - connection->sent_ns);
  ++publications_;
  connection->waits = false;
  Fill(connection);
  return absl::OkStatus();
}

std::string Publisher::Publication(const Connection& connection) {
  const int64_t subject = subject_++ % absl::GetFlag(FLAGS_subjects);
  return absl::StrCat("PUB g.", subject,
                      acknowledged_ ? absl::StrCat(" _INBOX.", connection.number) : "", " ",
                      message_.size(), "\r\n", message_, "\r\n");
}

void Publisher::Fill(Connection* connection) {
  if (connection->waits || connection->done) return;
  const bool is_over = absl::Now() >= stop_at_;
  if (acknowledged_) {
    if (is_over) {
      connection->done = true;
      ++done_;
      return;
    }
    connection->out += Publication(*connection);
    connection->sent_ns = absl::GetCurrentTimeNanos();
    connection->waits = true;
    return;
  }
  publications_ += connection->in_it;
  connection->in_it = 0;
  if (is_over) {
    connection->out += "PING\r\n";
    connection->waits = true;
    return;
  }
  for (int i = 0; i < kMessagesPerWrite; ++i) connection->out += Publication(*connection);
  connection->in_it = kMessagesPerWrite;
}

absl::Status Publisher::Write(Connection* connection) {
  while (!connection->out.empty()) {
    const ssize_t bytes = send(connection->fd.get(), connection->out.data(), connection->out.size(),
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (bytes < 0 && errno == EAGAIN) break;
    if (bytes < 0) return ErrnoStatus("send");
    connection->out.erase(0, static_cast<size_t>(bytes));
    // One write in each turn of the loop, so that the connections take turns.
    if (connection->out.empty() && !acknowledged_ && begin_ != absl::Time()) {
      Fill(connection);
      break;
    }
  }
  const uint32_t wanted = connection->out.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  if (wanted == connection->watched) return absl::OkStatus();
  connection->watched = wanted;
  epoll_event event{.events = wanted, .data = {.ptr = connection}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->fd.get(), &event) != 0) {
    return ErrnoStatus("epoll_ctl");
  }
  return absl::OkStatus();
}

void Publisher::Print() const {
  // The second probe is one more.
  const uint64_t growth = acknowledged_ ? last_ - first_ - 1 : 0;
  std::printf("{\"publications\":%lld,\"seconds\":%.6f,\"p99_ms\":%.4f,\"growth\":%llu}\n",
              static_cast<long long>(publications_), absl::ToDoubleSeconds(took_),
              absl::ToDoubleMilliseconds(latencies_.Percentile(99)),
              static_cast<unsigned long long>(growth));
}

int Main() {
  Publisher publisher;
  absl::Status status = publisher.Start();
  if (status.ok()) status = publisher.Run();
  if (!status.ok()) {
    std::fprintf(stderr, "nats_publisher: %s\n", status.ToString().c_str());
    return EXIT_FAILURE;
  }
  publisher.Print();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace groupcast::bench

int main(int argc, char** argv) {
  groupcast::service::ParseCommandLine(
      argc, argv,
      "Publishes to nats-server over many connections, and prints the rate. See tools/bench_http.");
  return groupcast::bench::Main();
}
