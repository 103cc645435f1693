// Workers and a channel server with CURVE keys, and those who have none.

#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "zmq.hpp"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A pair as tools/curve_key makes it.
struct KeyFiles {
  KeyFiles() {
    Process tool("tools/curve/curve_key", {name});
    if (tool.WaitForEnd() != 0) throw Failure(tool.Output());
  }

  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    std::string key;
    file >> key;
    return key;
  }
  std::string own() const { return Read(name + ".public"); }
  std::string secret() const { return Read(name + ".secret"); }

  std::string name = NewTempPath("key");
};

std::string AllowList(const std::vector<const KeyFiles*>& keys) {
  std::string path = NewTempPath("allowed");
  std::ofstream file(path);
  for (const KeyFiles* key : keys) file << key->own() << " a worker\n";
  return path;
}

Flags ServerFlags(const KeyFiles& server, const std::string& allowed) {
  return {"--curve_secret_key=" + server.name + ".secret", "--curve_allowed_keys=" + allowed};
}

Flags WorkerFlags(const KeyFiles& own, const KeyFiles& server) {
  return {"--channel_curve_secret_key=" + own.name + ".secret",
          "--channel_curve_server_key=" + server.name + ".public"};
}

int OpenFiles(pid_t pid) {
  const std::filesystem::directory_iterator all(absl::StrCat("/proc/", pid, "/fd"));
  return static_cast<int>(std::distance(begin(all), end(all)));
}

class ChannelKeysTest : public ::testing::Test {
 protected:
  void ExpectServing() {
    TestClient member(service_.port(), Mode::kV1);
    TestClient sender(service_.port(), Mode::kV1);
    member.Join("room");
    sender.Send(SendToGroup("\"room\"", "\"hello\"", "1"));
    EXPECT_EQ(sender.NextEvent().name(), "reply");
    EXPECT_EQ(member.NextEvent().Text("message"), "hello");
  }

  KeyFiles server_keys_;
  KeyFiles worker_keys_;
  ChannelServer channel_{ServerFlags(server_keys_, AllowList({&worker_keys_}))};
  WebSocketService service_{channel_, /*workers=*/2, WorkerFlags(worker_keys_, server_keys_)};
};

TEST_F(ChannelKeysTest, AWorkerWithAKeyIsServed) {
  ExpectServing();
  EXPECT_THAT(channel_.process().Output(),
              HasSubstr("all links are encrypted (CURVE), for workers with one of 1 keys"));
  // Frames of the largest size fit, with what CURVE adds.
  TestClient member(service_.port(), Mode::kV1);
  member.Join("room");
  const std::string largest(65'536, 'x');
  member.Send(SendToGroup("\"room\"", Quoted(largest), "1"));
  for (int events = 0; events < 2; ++events) {
    const Event event = member.NextEvent();
    EXPECT_TRUE(event.name() == "reply" || event.Text("message") == largest) << event.name();
  }
  // And the links come back.
  channel_.Kill();
  channel_.StartAgain();
  WaitUntil("the workers are connected again", [&] {
    TestClient client(service_.port(), Mode::kV1);
    client.Send(SendToGroup("\"room\"", "\"again\"", "1"));
    return client.NextEvent().name() == "reply";
  });
}

constexpr int kFailed = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED;

// A stranger to the three links.
enum class Stranger { kWithoutKeys, kWithAnotherKey, kWithAnotherServersKey };

class StrangerTest : public ChannelKeysTest, public ::testing::WithParamInterface<Stranger> {
 protected:
  zmq::socket_t NewSocket(zmq::socket_type type) {
    zmq::socket_t socket(context_, type);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::reconnect_ivl, 20);
    const KeyFiles& own = GetParam() == Stranger::kWithAnotherKey ? stranger_keys_ : worker_keys_;
    const KeyFiles& server =
        GetParam() == Stranger::kWithAnotherServersKey ? stranger_keys_ : server_keys_;
    if (GetParam() != Stranger::kWithoutKeys) {
      socket.set(zmq::sockopt::curve_serverkey, server.own());
      socket.set(zmq::sockopt::curve_publickey, own.own());
      socket.set(zmq::sockopt::curve_secretkey, own.secret());
    }
    return socket;
  }

  std::string Endpoint(int link) const {
    return absl::StrCat("tcp://127.0.0.1:", channel_.port() + link);
  }

  KeyFiles stranger_keys_;
  zmq::context_t context_;
};

// Its handshakes fail on all three links. So it neither reads nor writes.
TEST_P(StrangerTest, GetsNothing) {
  zmq::socket_t publish = NewSocket(zmq::socket_type::xpub);
  zmq::socket_t subscribe = NewSocket(zmq::socket_type::sub);
  zmq::socket_t control = NewSocket(zmq::socket_type::dealer);
  subscribe.set(zmq::sockopt::subscribe, "");
  std::vector<zmq::socket_t> monitors;
  int number = 0;
  for (zmq::socket_t* socket : {&publish, &subscribe, &control}) {
    const std::string endpoint = absl::StrCat("inproc://monitor", number);
    ASSERT_EQ(zmq_socket_monitor(socket->handle(), endpoint.c_str(),
                                 ZMQ_EVENT_HANDSHAKE_SUCCEEDED | kFailed),
              0);
    monitors.emplace_back(context_, zmq::socket_type::pair);
    monitors.back().set(zmq::sockopt::rcvtimeo, 20'000);
    monitors.back().connect(endpoint);
    socket->connect(Endpoint(number++));
  }
  control.send(zmq::str_buffer("hello"), zmq::send_flags::dontwait);
  for (zmq::socket_t& monitor : monitors) {
    zmq::message_t event;
    ASSERT_TRUE(monitor.recv(event).has_value());
    uint16_t id = 0;
    std::memcpy(&id, event.data(), sizeof(id));
    EXPECT_NE(id & kFailed, 0) << id;
  }
  ExpectServing();
  zmq::message_t message;
  EXPECT_FALSE(subscribe.recv(message, zmq::recv_flags::dontwait).has_value());
  EXPECT_FALSE(publish.recv(message, zmq::recv_flags::dontwait).has_value());
  EXPECT_FALSE(control.recv(message, zmq::recv_flags::dontwait).has_value());
}

TEST_P(StrangerTest, CostsNothing) {
  constexpr int kStrangers = 300;
  ExpectServing();
  const pid_t pid = channel_.process().pid();
  const int files_before = OpenFiles(pid);
  const int64_t memory_before = AnonymousMemoryKib(pid);
  {
    context_.set(zmq::ctxopt::max_sockets, kStrangers + 10);
    std::vector<zmq::socket_t> strangers;
    for (int i = 0; i < kStrangers; ++i) {
      strangers.push_back(NewSocket(zmq::socket_type::dealer));
      strangers.back().connect(Endpoint(i % 3));
    }
    ExpectServing();
  }
  WaitUntil("the descriptors are back", [&] { return OpenFiles(pid) <= files_before; });
  EXPECT_LT(AnonymousMemoryKib(pid) - memory_before, 20'000);
  ExpectServing();
}

INSTANTIATE_TEST_SUITE_P(Strangers, StrangerTest,
                         ::testing::Values(Stranger::kWithoutKeys, Stranger::kWithAnotherKey,
                                           Stranger::kWithAnotherServersKey),
                         [](const ::testing::TestParamInfo<Stranger>& info) {
                           return info.param == Stranger::kWithoutKeys ? "WithoutKeys"
                                  : info.param == Stranger::kWithAnotherKey
                                      ? "WithAnotherKey"
                                      : "WithAnotherServersKey";
                         });

// The logs of both sides say why a service does not become ready.
TEST_F(ChannelKeysTest, BothSidesSayWhatDoesNotFit) {
  const KeyFiles other;
  const auto start = [&](Flags flags) {
    flags.push_back("--port=0");
    flags.push_back(absl::StrCat("--channel=127.0.0.1:", channel_.port()));
    return std::make_unique<Process>(kWebSocketServiceBinary, flags);
  };
  const auto without = start({});
  without->WaitForOutput("the channel server and this worker do not agree on keys");
  without->WaitForOutput("this service needs --channel_curve_");
  const auto unknown = start(WorkerFlags(other, server_keys_));
  unknown->WaitForOutput("the server does not allow this worker's key");
  channel_.process().WaitForOutput(absl::StrCat("its key is not allowed: ", other.own()));
  const auto mistaken = start(WorkerFlags(worker_keys_, other));
  mistaken->WaitForOutput("perhaps the server has another key than --channel_curve_server_key");
  ExpectServing();
}

// ZeroMQ does not connect again by itself after such a refusal.
TEST(ChannelKeysChangeTest, AWorkerThatWasRefusedTriesAgain) {
  const KeyFiles server;
  const KeyFiles worker;
  const KeyFiles other;
  const std::string allowed = AllowList({&other});
  ChannelServer channel(ServerFlags(server, allowed));
  for (const bool with_key : {true, false}) {
    Flags flags = with_key ? WorkerFlags(worker, server) : Flags();
    flags.push_back("--port=0");
    flags.push_back("--workers=1");
    flags.push_back(absl::StrCat("--channel=127.0.0.1:", channel.port()));
    Process service(kWebSocketServiceBinary, flags);
    service.WaitForOutput("the channel server and this worker do not agree on keys");
    channel.process().Signal(SIGTERM);
    channel.process().WaitForEnd();
    if (with_key) {
      std::filesystem::copy_file(AllowList({&other, &worker}), allowed,
                                 std::filesystem::copy_options::overwrite_existing);
    } else {
      channel.SetFlags({});
    }
    channel.StartAgain();
    service.WaitForOutput("the channel is there");
  }
}

TEST(ChannelKeyFilesTest, WrongOnesAreFoundAtTheStart) {
  const KeyFiles server;
  const KeyFiles worker;
  const KeyFiles open;
  chmod((open.name + ".secret").c_str(), 0644);
  const std::string secret = " has a secret, and other users may access it";
  const struct {
    const char* binary;
    Flags flags;
    std::string error;
  } cases[] = {
      {kChannelServerBinary, ServerFlags(open, AllowList({&worker})),
       absl::StrCat("--curve_secret_key: ", open.name, ".secret", secret)},
      {kWebSocketServiceBinary, WorkerFlags(open, server),
       absl::StrCat("--channel_curve_secret_key: ", open.name, ".secret", secret)},
      {kChannelServerBinary,
       {"--curve_secret_key=" + server.name + ".secret"},
       "--curve_secret_key: it needs --curve_allowed_keys beside it"},
      {kWebSocketServiceBinary,
       {"--channel_curve_server_key=" + server.name + ".public"},
       "--channel_curve_server_key: it needs --channel_curve_secret_key beside it"},
  };
  for (const auto& c : cases) {
    for (const bool check : {true, false}) {
      Flags flags = c.flags;
      flags.push_back("--port=0");
      if (check) flags.push_back("--check_config");
      Process process(c.binary, flags);
      EXPECT_EQ(process.WaitForEnd(), 1);
      EXPECT_THAT(process.Output(), HasSubstr(c.error));
    }
  }
}

TEST(ChannelKeyFilesTest, TheToolWritesASecretForItsOwnerAndOverwritesNothing) {
  const KeyFiles keys;
  struct stat status;
  ASSERT_EQ(stat((keys.name + ".secret").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const std::string before = keys.secret();
  Process again("tools/curve/curve_key", {keys.name});
  EXPECT_EQ(again.WaitForEnd(), 1);
  EXPECT_THAT(again.Output(), HasSubstr("File exists"));
  EXPECT_EQ(keys.secret(), before);
}

// On an address that others may reach.
TEST(ChannelKeyFilesTest, TheServerWarnsWithoutKeysAlone) {
  const std::string warning = "LISTENING ON 0.0.0.0 WITHOUT KEYS";
  ChannelServer open({"--bind_address=0.0.0.0"});
  EXPECT_THAT(open.process().Output(), HasSubstr(warning));
  const KeyFiles server;
  const KeyFiles worker;
  Flags flags = ServerFlags(server, AllowList({&worker}));
  flags.push_back("--bind_address=0.0.0.0");
  ChannelServer locked(flags);
  EXPECT_THAT(locked.process().Output(), Not(HasSubstr(warning)));
}

}  // namespace
}  // namespace groupcast::tests
