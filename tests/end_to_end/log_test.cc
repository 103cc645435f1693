// The log lines of the real services: lines of JSON for machines, and no secrets in any form.

#include <sys/stat.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/access/testing/token_maker.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kJson[] = "--log_format=json";

// What the lines of a process's output say, in their order. Each must be an object with the fields
// of a log line, of one of these processes.
struct Lines {
  std::vector<std::string> messages;
  std::set<std::string> levels;
  std::map<pid_t, int64_t> workers;  // by pid; 0: it is not a worker
};

Lines ReadLines(const Process& process, const std::string& service) {
  Lines lines;
  const std::string output = process.Output();
  EXPECT_TRUE(output.empty() || output.back() == '\n') << output;
  for (const absl::string_view line : absl::StrSplit(output, '\n', absl::SkipEmpty())) {
    json::error_code error;
    const json::value value = json::parse(std::string(line), error);
    if (error || !value.is_object()) {
      ADD_FAILURE() << "not an object: " << line;
      continue;
    }
    std::vector<std::string> names;
    for (const auto& field : value.as_object()) names.emplace_back(field.key());
    std::vector<std::string> expected = {"time", "level", "service", "pid", "message"};
    const bool is_worker = value.as_object().contains("worker");
    if (is_worker) expected.insert(expected.begin() + 3, "worker");
    EXPECT_EQ(names, expected) << line;
    absl::Time time;
    std::string why;
    EXPECT_TRUE(absl::ParseTime("%Y-%m-%dT%H:%M:%E3SZ",
                                json::value_to<std::string>(value.at("time")), &time, &why))
        << line;
    EXPECT_EQ(json::value_to<std::string>(value.at("service")), service) << line;
    lines.levels.insert(json::value_to<std::string>(value.at("level")));
    lines.messages.push_back(json::value_to<std::string>(value.at("message")));
    lines.workers[static_cast<pid_t>(value.at("pid").as_int64())] =
        is_worker ? value.at("worker").as_int64() : 0;
  }
  return lines;
}

std::string WriteFile(absl::string_view name, absl::string_view content) {
  std::string path = NewTempPath(name);
  std::ofstream(path) << content;
  chmod(path.c_str(), 0600);
  return path;
}

TEST(JsonLogTest, EachLineOfAServiceIsAnObjectFromItsStartToItsEnd) {
  const std::string flagfile = WriteFile("flags", "--drain_time=1s\n");
  ChannelServer channel({kJson});
  const Flags flags = {kJson, "--flagfile=" + flagfile};
  WebSocketService service(channel, 2, flags);
  HttpGateway gateway(channel, 2, flags);
  const std::vector<pid_t> workers = service.WorkerPids();

  // What it is, before anybody asks.
  EXPECT_THAT(ReadLines(service.process(), "websocket_service").messages,
              Contains(StartsWith("ready; websocket: 2 workers at ")));
  EXPECT_THAT(ReadLines(gateway.process(), "http_gateway").messages,
              Contains(StartsWith("ready; http: 2 workers at http://127.0.0.1:")));
  EXPECT_THAT(service.process().Output(), Not(HasSubstr("listen address")));

  RawClient stranger(service.port());
  stranger.Write(
      absl::StrReplaceAll(HandshakeRequest(), {{"Host: 127.0.0.1", "Host: evil.example"}}));
  stranger.ReadToEnd();
  service.process().WaitForOutput("evil");

  for (Process* const pool : {&service.process(), &gateway.process()}) {
    pool->Signal(SIGUSR1);
    pool->WaitForOutput("numbers: kill -USR1");
    std::ofstream(flagfile) << "--drain_time=never\n" << std::flush;
    pool->Signal(SIGHUP);
    pool->WaitForOutput("the configuration is not usable");
    std::ofstream(flagfile) << "--drain_time=1s\n" << std::flush;
  }
  channel.process().Signal(SIGUSR1);  // it may be meant for all services
  channel.process().Signal(SIGHUP);
  channel.process().WaitForOutput("the configuration is taken up");
  kill(workers[0], SIGKILL);
  service.process().WaitForOutput("its successor starts");
  channel.Kill();
  service.process().WaitForOutput("the channel is away");
  for (Process* const pool : {&service.process(), &gateway.process()}) {
    pool->Signal(SIGTERM);
    EXPECT_EQ(pool->WaitForEnd(), 0);
  }

  const Lines of_service = ReadLines(service.process(), "websocket_service");
  EXPECT_THAT(of_service.messages, Contains(HasSubstr("evil")));
  EXPECT_THAT(of_service.messages, Contains(StartsWith("  worker   pid")));
  EXPECT_EQ(of_service.workers.at(service.process().pid()), 0);
  EXPECT_EQ(of_service.workers.at(workers[1]), 2);
  EXPECT_THAT(of_service.levels, ElementsAre("error", "info", "warning"));
  ReadLines(gateway.process(), "http_gateway");
  ReadLines(channel.process(), "channel_server");
}

TEST(JsonLogTest, TheErrorThatPreventsAStartIsAnObjectToo) {
  for (const auto& [binary, service] :
       std::map<std::string, std::string>{{kChannelServerBinary, "channel_server"},
                                          {kWebSocketServiceBinary, "websocket_service"},
                                          {kHttpGatewayBinary, "http_gateway"}}) {
    Process process(binary, {kJson, "--port=70000"});
    EXPECT_EQ(process.WaitForEnd(), 1);
    const Lines lines = ReadLines(process, service);
    EXPECT_THAT(lines.messages, ElementsAre(HasSubstr("--port=70000 is not a port")));
    EXPECT_THAT(lines.levels, ElementsAre("error"));
  }
}

// The form of a log is that of its start, because its reader is.
TEST(JsonLogTest, AReloadKeepsTheFormat) {
  const std::string flagfile = WriteFile("flags", "--log_format=json\n");
  ChannelServer channel;
  WebSocketService service(channel, 1, {"--flagfile=" + flagfile, "--drain_time=100ms"});
  const std::vector<pid_t> before = service.WorkerPids();
  std::ofstream(flagfile) << "--log_format=text\n" << std::flush;
  service.process().Signal(SIGHUP);
  service.process().WaitForOutput("log_format (json, not text)");
  WaitUntil("the old worker is gone", [&] { return !IsAlive(before[0]); });
  service.process().WaitForOutputTimes("the channel is there", 2);
  ReadLines(service.process(), "websocket_service");
}

class SecretsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(SecretsTest, NothingThatAClientKeepsSecretGetsIntoALog) {
  const std::string key = "0123456789abcdef0123456789abcdef";
  const std::string good = service::HmacToken(R"({"sub":"alice","groups":["*"]})", key);
  const std::string bad =
      service::HmacToken(R"({"sub":"alice"})", "another secret of thirty-two byte");
  const std::string api_key = "gck_TheApiKeyOfNobody";
  const std::string message = "TheTextOfAMessage";
  const Flags flags = {absl::StrCat("--log_format=", GetParam()), "--log_level=trace"};
  ChannelServer channel(flags);
  Flags of_front_ends = flags;
  of_front_ends.push_back("--token_keys=" + WriteFile("key", key));
  of_front_ends.push_back("--drain_time=100ms");
  WebSocketService service(channel, 1, of_front_ends);
  HttpGateway gateway(channel, 1, of_front_ends);

  const auto upgrade = [&](absl::string_view target, absl::string_view fields) {
    RawClient raw(service.port());
    raw.Write(absl::StrReplaceAll(
        HandshakeRequest("groupcast.v1.json"),
        {{"GET / ", absl::StrCat("GET ", target, " ")},
         {"Host: 127.0.0.1\r\n", absl::StrCat("Host: 127.0.0.1\r\n", fields)}}));
    return raw;
  };
  const std::string query = absl::StrCat("/?session=TheSession&token=", bad);
  upgrade(query, "").ReadToEnd();
  upgrade(query, "Origin: https://evil.example\r\n").ReadToEnd();
  upgrade(absl::StrCat(query, "&token=", good),
          absl::StrCat("Authorization: Bearer ", good, "\r\n"))
      .ReadToEnd();
  TestClient client(upgrade(absl::StrCat("/?session=TheSession&token=", good), ""), Mode::kV1);
  for (const std::string& command :
       {absl::StrCat(R"({"cmd":"authenticate","id":1,"token":")", bad, "\"}"),
        absl::StrCat(R"({"cmd":"send_to_group","group_id":"g","message":")", message, "\"}"),
        absl::StrCat(R"({"cmd":"send_to_group","group_id":"g","message":")", message, "\""),
        absl::StrCat(R"({"cmd":")", message, "\"}")}) {
    client.Send(command);
  }
  client.Send(R"({"cmd":"ping","id":2})");
  while (client.NextEvent().name() != "reply") continue;

  HttpClient http(gateway.port());
  const std::string target = "/v1/groups/g/messages";
  for (const std::string& bearer : {bad, api_key}) {
    EXPECT_EQ(http.Post(target, absl::StrCat("\"", message, "\""),
                        {absl::StrCat("Authorization: Bearer ", bearer)})
                  .status,
              401);
    EXPECT_GE(http.Get(absl::StrCat(target, "?token=", bearer)).status, 400);
  }
  EXPECT_EQ(
      http.Post(target, absl::StrCat("{\"", message), {"Authorization: Bearer " + good}).status,
      400);
  for (const int link : {0, 1, 2}) {
    RawClient raw(static_cast<uint16_t>(channel.port() + link), 0, "127.0.0.1",
                  RawClient::Transport::kPlain);
    raw.Write(absl::StrCat(message, api_key));
    raw.CloseWriting();
  }

  for (Process* const process : {&service.process(), &gateway.process(), &channel.process()}) {
    process->Signal(SIGTERM);
    EXPECT_EQ(process->WaitForEnd(), 0);
    const std::string log = process->Output();
    EXPECT_THAT(log, HasSubstr(process == &channel.process() ? "Terminated" : "SIGTERM"));
    for (const std::string& secret :
         {good, bad, good.substr(good.rfind('.') + 1), bad.substr(bad.rfind('.') + 1), key, api_key,
          message, std::string("TheSession")}) {
      EXPECT_THAT(log, Not(HasSubstr(secret)));
    }
  }
  EXPECT_THAT(service.process().Output(), HasSubstr("evil.example"));
}

INSTANTIATE_TEST_SUITE_P(Formats, SecretsTest, ::testing::Values("text", "json"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace groupcast::tests
