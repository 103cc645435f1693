// The file of --config: what it sets, what overrides it, and what a running service takes from it.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "services/configuration/proto/configuration.pb.h"
#include "tests/support/http_gateway.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigurationTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { std::ofstream(path_) << text; }

  // Runs the binary to its end with --config and these flags.
  struct End {
    int code = 0;
    std::string output;
  };
  End Run(const std::string& binary, Flags flags) {
    flags.push_back("--config=" + path_);
    Process process(binary, flags);
    const int code = process.WaitForEnd();
    return {code, process.Output()};
  }

  const std::string path_ = NewTempPath("groupcast.json");
};

int64_t PingIntervalMs(WebSocketService* service) {
  return TestClient(service->port(), Mode::kV1).welcome().Number("ping_interval_ms");
}

TEST_F(ConfigurationTest, BothServicesStartFromOneFileAndFlagsOverrideIt) {
  Write(R"({
    // The flags of the test give other ports.
    "channel_server": {"port": 70000, "max_message_bytes": 2000},
    "websocket_service": {"ping_interval": "11s", "pong_timeout": "3s", "max_message_bytes": 2000}
  })");
  ChannelServer channel({"--config=" + path_});
  const std::string flagfile = NewTempPath("flags");
  std::ofstream(flagfile) << "--pong_timeout=4s\n";
  WebSocketService service(channel, /*workers=*/1, {"--config=" + path_});
  EXPECT_EQ(PingIntervalMs(&service), 11'000);
  WebSocketService overridden(
      channel, /*workers=*/1,
      {"--config=" + path_, "--ping_interval=7s", "--flagfile=" + flagfile});
  EXPECT_EQ(PingIntervalMs(&overridden), 7'000);
  // The service may not take more than the channel server, whose maximum is the file's.
  Process large(kWebSocketServiceBinary,
                {"--config=" + path_, "--port=0", "--workers=1", "--max_message_bytes=2001",
                 absl::StrCat("--channel=127.0.0.1:", channel.port())});
  EXPECT_EQ(large.WaitForEnd(), 1);
  EXPECT_THAT(large.Output(), HasSubstr("the channel server takes 2000"));
}

// ---- Errors

struct WrongFile {
  std::string name;
  std::string binary;
  std::string text;
  std::string sentence;  // after "PROGRAM: FILE:"
};

std::ostream& operator<<(std::ostream& out, const WrongFile& wrong) { return out << wrong.name; }

class WrongFileTest : public ConfigurationTest, public ::testing::WithParamInterface<WrongFile> {};

TEST_P(WrongFileTest, IsAnErrorWithFileAndField) {
  Write(GetParam().text);
  const std::string program =
      absl::StrCat(GetParam().binary.substr(GetParam().binary.rfind('/') + 1), ": ");
  for (const char* const flag : {"--nocheck_config", "--check_config", "--print_config"}) {
    const End end = Run(GetParam().binary, {flag});
    EXPECT_EQ(end.code, 1) << flag;
    EXPECT_THAT(end.output, StartsWith(program + path_ + ":" + GetParam().sentence)) << flag;
  }
}

std::string Service(const std::string& fields) {
  return "{\"websocket_service\": {\n" + fields + "\n}}";
}
std::string Server(const std::string& fields) {
  return "{\"channel_server\": {\n" + fields + "\n}}";
}

INSTANTIATE_TEST_SUITE_P(
    WebSocketService, WrongFileTest,
    ::testing::Values(
        WrongFile{"NoJson", kWebSocketServiceBinary, Service("port: 1"), "2: this is not JSON"},
        WrongFile{"UnknownField", kWebSocketServiceBinary, Service("\"prot\": 1"),
                  "2: websocket_service.prot: there is no such field; did you mean port?"},
        WrongFile{"UnknownFieldOfTheOther", kWebSocketServiceBinary, Server("\"prot\": 1"),
                  "2: channel_server.prot: there is no such field; did you mean port?"},
        WrongFile{"WrongType", kWebSocketServiceBinary, Service("\"port\": \"1\""),
                  "2: websocket_service.port must be a whole number below 2^31"},
        WrongFile{"Port", kWebSocketServiceBinary, Service("\"port\": 70000"),
                  "2: websocket_service.port=70000 is not a port"},
        WrongFile{"OtherPort", kWebSocketServiceBinary, Service("\"channel_control_port\": -1"),
                  "2: websocket_service.channel_control_port=-1 is not a port"},
        WrongFile{"Workers", kWebSocketServiceBinary, Service("\"workers\": 300"),
                  "2: websocket_service.workers must be between 0 and 255"},
        WrongFile{"Bytes", kWebSocketServiceBinary, Service("\"outbox_bytes\": 0"),
                  "2: websocket_service.outbox_bytes=0 is not between 1 and 2^31"},
        WrongFile{"CommandsPerSecond", kWebSocketServiceBinary,
                  Service("\"commands_per_second\": 0.0001"),
                  "2: websocket_service.commands_per_second must be 0 (no limit), or between"},
        WrongFile{"CommandBurst", kWebSocketServiceBinary, Service("\"command_burst\": 0"),
                  "2: websocket_service.command_burst must be between 1 and 1000000"},
        WrongFile{"NoDuration", kWebSocketServiceBinary, Service("\"ping_interval\": \"5\""),
                  "2: websocket_service.ping_interval=5: the value must be a duration such as 5s"},
        WrongFile{"DurationOfZero", kWebSocketServiceBinary, Service("\"ping_interval\": \"0s\""),
                  "2: websocket_service.ping_interval must be above 0 and at most 24h"},
        WrongFile{"StallTimeout", kWebSocketServiceBinary, Service("\"stall_timeout\": \"1ms\""),
                  "2: websocket_service.stall_timeout must be at least 1s"},
        WrongFile{"Channel", kWebSocketServiceBinary, Service("\"channel\": \"here\""),
                  "2: websocket_service.channel: channel \"here\": it has no known form"},
        WrongFile{"Engine", kWebSocketServiceBinary,
                  Service("\"workers\": 2, \"channel\": \"memory:\""),
                  "2: websocket_service.channel=memory: joins nothing but one process"},
        WrongFile{"LogLevel", kWebSocketServiceBinary, Service("\"log_level\": \"loud\""),
                  "2: websocket_service.log_level: log level \"loud\" is not"},
        WrongFile{"Pages", kWebSocketServiceBinary, Service("\"pages\": \"/no/such\""),
                  "2: websocket_service.pages: pages: there is no directory /no/such"},
        WrongFile{"TokenKeys", kWebSocketServiceBinary, Service("\"token_keys\": \"/no/such\""),
                  "2: websocket_service.token_keys: reading /no/such"},
        WrongFile{"TokenLeeway", kWebSocketServiceBinary, Service("\"token_leeway\": \"-1s\""),
                  "2: websocket_service.token_leeway must not be below 0 or above 24h"},
        WrongFile{"TokenGrace", kWebSocketServiceBinary, Service("\"token_grace\": \"25h\""),
                  "2: websocket_service.token_grace must not be below 0 or above 24h"},
        WrongFile{"AuthenticationTimeout", kWebSocketServiceBinary,
                  Service("\"authentication_timeout\": \"0s\""),
                  "2: websocket_service.authentication_timeout must be above 0 and at most 24h"},
        WrongFile{"RuleOfRights", kWebSocketServiceBinary,
                  "{\"group_rules\": [\n{\"prefix\": \"\", \"join\": \"all\"}]}",
                  "2: group_rules[0].join=all must be anyone, authenticated, granted or nobody"},
        WrongFile{"Origins", kWebSocketServiceBinary, Service("\"allowed_origins\": \"here\""),
                  "2: websocket_service.allowed_origins: \"here\" is not an origin"},
        WrongFile{"Hosts", kWebSocketServiceBinary, Service("\"allowed_hosts\": \"here/\""),
                  "2: websocket_service.allowed_hosts: \"here/\" is not a host"},
        WrongFile{"Address", kWebSocketServiceBinary, Service("\"bind_address\": \"here\""),
                  "2: websocket_service.bind_address: \"here\" is not an IP address"},
        WrongFile{"RuleOverMaximum", kWebSocketServiceBinary,
                  "{\"group_rules\": [\n{\"prefix\": \"\", \"message_bytes\": 65537}]}",
                  "2: group_rules[0].message_bytes=65537 is not between 1 and 65536, which is"},
        WrongFile{"ReadyFile", kWebSocketServiceBinary, Service("\"ready_file\": \"/no/such\""),
                  "2: websocket_service.ready_file: the ready file /no/such cannot be written"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    ChannelServer, WrongFileTest,
    ::testing::Values(
        WrongFile{"UnknownField", kChannelServerBinary, Server("\"datadir\": \"x\""),
                  "2: channel_server.datadir: there is no such field; did you mean data_dir?"},
        WrongFile{"Port", kChannelServerBinary, Server("\"control_port\": 70000"),
                  "2: channel_server.control_port=70000 is not a port"},
        WrongFile{"NoRoomForPorts", kChannelServerBinary, Server("\"port\": 65534"),
                  "2: channel_server.port leaves no room for the two ports after it"},
        WrongFile{"Number", kChannelServerBinary, Server("\"history_messages\": 0"),
                  "2: channel_server.history_messages=0 is not between 1 and 2147483648"},
        WrongFile{"Retention", kChannelServerBinary, Server("\"repair_retention\": \"1ms\""),
                  "2: channel_server.repair_retention must be between 1s and 8760h"},
        WrongFile{"Age", kChannelServerBinary, Server("\"history_age\": \"-1s\""),
                  "2: channel_server.history_age must be between 0 and 8760h"},
        WrongFile{"Patience", kChannelServerBinary, Server("\"subscriber_patience\": \"-1s\""),
                  "2: channel_server.subscriber_patience must be between 0 and 24h"},
        WrongFile{"Fsync", kChannelServerBinary, Server("\"fsync\": \"sometimes\""),
                  "2: channel_server.fsync: fsync is never, interval or always"},
        WrongFile{"LogLevel", kChannelServerBinary, Server("\"log_level\": \"loud\""),
                  "2: channel_server.log_level: log level \"loud\" is not"},
        WrongFile{"RuleWithoutPrefix", kChannelServerBinary,
                  "{\"group_rules\": [\n{\"message_bytes\": 1}]}",
                  "2: group_rules[0] needs a prefix"},
        WrongFile{"ReadyFile", kChannelServerBinary, Server("\"ready_file\": \"/no/such\""),
                  "2: channel_server.ready_file: the ready file /no/such cannot be written"}),
    [](const auto& info) { return info.param.name; });

std::string Gateway(const std::string& fields) {
  return "{\"http_gateway\": {\n" + fields + "\n}}";
}

INSTANTIATE_TEST_SUITE_P(
    HttpGateway, WrongFileTest,
    ::testing::Values(
        WrongFile{"Port", kHttpGatewayBinary, Gateway("\"port\": 70000"),
                  "2: http_gateway.port=70000 is not a port"},
        WrongFile{"Workers", kHttpGatewayBinary, Gateway("\"workers\": 300"),
                  "2: http_gateway.workers must be between 0 and 255"},
        WrongFile{"Bytes", kHttpGatewayBinary, Gateway("\"unfinished_bytes\": 0"),
                  "2: http_gateway.unfinished_bytes=0 is not between 1 and 2^31"},
        WrongFile{"Body", kHttpGatewayBinary, Gateway("\"max_body_bytes\": 394239"),
                  "2: http_gateway.max_body_bytes must have room for a message with escapes"},
        WrongFile{"Duration", kHttpGatewayBinary, Gateway("\"idle_timeout\": \"0s\""),
                  "2: http_gateway.idle_timeout must be above 0 and at most 24h"},
        WrongFile{"Groups", kHttpGatewayBinary, Gateway("\"max_groups_per_stream\": 129"),
                  "2: http_gateway.max_groups_per_stream=129 is not between 1 and 128"},
        WrongFile{"Rate", kHttpGatewayBinary, Gateway("\"requests_per_second\": 1e7"),
                  "2: http_gateway.requests_per_second must be 0 (no limit), or between"},
        WrongFile{"Burst", kHttpGatewayBinary, Gateway("\"request_burst\": 0.5"),
                  "2: http_gateway.request_burst must be between 1 and 1000000"},
        WrongFile{"NobodyMayCall", kHttpGatewayBinary, Gateway("\"bind_address\": \"0.0.0.0\""),
                  "2: http_gateway.bind_address=0.0.0.0 is not a loopback address, so others may "
                  "connect. Say who may: --token_keys=FILE lets in those that have a token, the "
                  "api_keys of the file of --config let in programs, and --allow_anonymous"},
        WrongFile{"ApiKey", kHttpGatewayBinary,
                  "{\"api_keys\": [{\"name\": \"a\",\n\"hash\": \"x\"}]}",
                  "2: api_keys[0].hash must be sha256: and 64 hexadecimal digits"},
        WrongFile{"LogLevel", kHttpGatewayBinary, Gateway("\"log_level\": \"loud\""),
                  "2: http_gateway.log_level: log level \"loud\" is not"},
        WrongFile{"LogFormat", kHttpGatewayBinary, Gateway("\"log_format\": \"xml\""),
                  "2: http_gateway.log_format: log format \"xml\" is not"}),
    [](const auto& info) { return info.param.name; });

TEST_F(ConfigurationTest, AnErrorOfAFlagNamesTheFlagAlsoBesideAFile) {
  Write(Service("\"outbox_bytes\": 1"));
  EXPECT_THAT(Run(kWebSocketServiceBinary, {"--outbox_bytes=0"}).output,
              StartsWith("websocket_service: --outbox_bytes=0 is not between 1 and 2^31"));
}

TEST_F(ConfigurationTest, AFileThatCannotBeReadIsNamed) {
  for (const std::string binary :
       {kWebSocketServiceBinary, kChannelServerBinary, kHttpGatewayBinary}) {
    const End end = Run(binary, {});
    EXPECT_EQ(end.code, 1);
    EXPECT_THAT(end.output, HasSubstr("--config=" + path_ + ": there is no such file to read"));
  }
}

// ---- --check_config and --print_config

TEST_F(ConfigurationTest, CheckConfigSaysThatAllIsWellAndUsesNoPort) {
  Groupcast running(/*workers=*/1);
  Write(absl::StrCat("{\"websocket_service\": {\"port\": ", running.service.port(),
                     "}, \"channel_server\": {\"port\": ", running.channel.port(), "}}"));
  for (const std::string binary :
       {kWebSocketServiceBinary, kChannelServerBinary, kHttpGatewayBinary}) {
    const End end = Run(binary, {"--check_config"});
    EXPECT_EQ(end.code, 0);
    EXPECT_EQ(end.output, path_ + ": ok\n");
  }
}

TEST_F(ConfigurationTest, WhatPrintConfigPrintsIsTheSameConfiguration) {
  Write(R"({"websocket_service": {"port": 1, "ping_interval": "90s"},
            "channel_server": {"port": 2, "history_age": "0.5s"}})");
  for (const std::string binary :
       {kWebSocketServiceBinary, kChannelServerBinary, kHttpGatewayBinary}) {
    const End first = Run(binary, {"--print_config", "--port=3", "--log_level=debug"});
    EXPECT_EQ(first.code, 0);
    EXPECT_THAT(first.output, HasSubstr("\"port\": 3,"));
    EXPECT_THAT(first.output, HasSubstr("\"log_level\": \"debug\""));
    const std::string printed = NewTempPath("printed.json");
    std::ofstream(printed) << first.output;
    Process second(binary, {"--print_config", "--config=" + printed});
    EXPECT_EQ(second.WaitForEnd(), 0);
    EXPECT_EQ(second.Output(), first.output);
  }
}

TEST_F(ConfigurationTest, TheExampleHasTheDefaults) {
  for (const std::string binary :
       {kWebSocketServiceBinary, kChannelServerBinary, kHttpGatewayBinary}) {
    Process plain(binary, {"--print_config"});
    Process example(binary, {"--print_config", "--config=docs/groupcast.example.json"});
    EXPECT_EQ(plain.WaitForEnd(), 0);
    EXPECT_EQ(example.WaitForEnd(), 0);
    // The example also has the other service's section, before or after.
    const std::string text = plain.Output();
    EXPECT_THAT(example.Output(), HasSubstr(text.substr(2, text.size() - 5)));
  }
}

// The names of a program's flags, without those that are about its start.
std::set<std::string> FlagsOf(const std::string& binary) {
  Process process(binary, {"--help"});
  EXPECT_EQ(process.WaitForEnd(), 0);
  std::set<std::string> flags;
  const std::string help = process.Output();
  for (const absl::string_view line : absl::StrSplit(help, '\n')) {
    if (!absl::StartsWith(line, "  --")) continue;
    flags.emplace(line.substr(4, line.find_first_of("=, ", 4) - 4));
  }
  for (const char* const name :
       {"config", "check_config", "print_config", "flagfile", "help", "version"}) {
    EXPECT_EQ(flags.erase(name), 1u) << name;
  }
  return flags;
}

std::set<std::string> FieldsOf(const google::protobuf::Descriptor& section) {
  std::set<std::string> fields;
  for (int i = 0; i < section.field_count(); ++i) fields.insert(section.field(i)->name());
  return fields;
}

TEST_F(ConfigurationTest, EachFlagHasAFieldAndEachFieldHasAFlag) {
  EXPECT_EQ(FlagsOf(kWebSocketServiceBinary),
            FieldsOf(*configuration::v1::WebSocketService::descriptor()));
  EXPECT_EQ(FlagsOf(kChannelServerBinary),
            FieldsOf(*configuration::v1::ChannelServer::descriptor()));
  EXPECT_EQ(FlagsOf(kHttpGatewayBinary), FieldsOf(*configuration::v1::HttpGateway::descriptor()));
}

// ---- Group rules

class GroupRulesTest : public ConfigurationTest {
 protected:
  static std::string Send(TestClient* client, const std::string& group, size_t bytes) {
    client->Send(absl::StrCat(R"({"cmd":"send_to_group","group_id":")", group, R"(","message":")",
                              std::string(bytes, 'm'), R"(","id":1})"));
    const Event event = client->NextEvent();
    return event.name() == "reply" ? "" : event.Text("message");
  }

  // The number of messages that a client reads.
  static size_t History(TestClient* client, const std::string& group) {
    client->Send(absl::StrCat(R"({"cmd":"group_history","group_id":")", group, R"(","id":1})"));
    const std::string reply = client->NextText();
    size_t count = 0;
    for (size_t at = 0; (at = reply.find("\"sent_at\"", at)) != std::string::npos; ++at) ++count;
    return count;
  }
};

TEST_F(GroupRulesTest, EachGroupHasTheRuleOfItsLongestPrefix) {
  Write(R"({"group_rules": [
    {"prefix": "news.", "history_count": 2, "message_bytes": 10},
    {"prefix": "news.now.", "history_age": "0s"}
  ]})");
  ChannelServer channel({"--config=" + path_, "--data_dir=" + NewTempPath("data")});
  WebSocketService service(channel, /*workers=*/1, {"--config=" + path_, "--drain_time=1s"});
  const auto expect_histories = [&](TestClient* client) {
    EXPECT_EQ(History(client, "news.x"), 2u);
    EXPECT_EQ(History(client, "news.now.x"), 0u);
    EXPECT_EQ(History(client, "x"), 3u);
  };
  TestClient client(service.port(), Mode::kV1);
  for (int i = 0; i < 3; ++i) {
    for (const char* const group : {"news.x", "news.now.x", "x"}) {
      EXPECT_EQ(Send(&client, group, 10), "");
    }
  }
  expect_histories(&client);
  EXPECT_EQ(Send(&client, "news.x", 11), "the message has 11 bytes; the limit of this group is 10");
  EXPECT_EQ(Send(&client, "news.now.y", 11), "") << "it has a rule of its own";
  EXPECT_EQ(Send(&client, "y", 11), "");
  // A restart has the same rules, also for what its log restores.
  const size_t from = service.process().Output().size();
  channel.Kill();
  service.process().WaitForOutput("the channel is away", from);
  channel.StartAgain();
  service.process().WaitForOutput("the channel is there", from);
  expect_histories(&client);

  const std::vector<pid_t> before = service.WorkerPids();
  Write(R"({"group_rules": [{"prefix": "news.", "message_bytes": 12}]})");
  service.process().Signal(SIGHUP);
  WaitUntil("the old workers are gone",
            [&] { return std::none_of(before.begin(), before.end(), IsAlive); });
  TestClient next(service.port(), Mode::kV1);
  EXPECT_EQ(Send(&next, "news.x", 12), "");
  EXPECT_EQ(Send(&next, "news.x", 13), "the message has 13 bytes; the limit of this group is 12");
}

// ---- SIGHUP

class ReloadConfigurationTest : public ConfigurationTest {
 protected:
  ReloadConfigurationTest() { Write(Service("\"ping_interval\": \"11s\"")); }

  // Sends SIGHUP and waits for a line.
  void Reload(const std::string& sentence) {
    const size_t from = groupcast().service.process().Output().size();
    groupcast().service.process().Signal(SIGHUP);
    groupcast().service.process().WaitForOutput(sentence, from);
  }

  void WaitUntilGone(const std::vector<pid_t>& workers) {
    WaitUntil("the old workers are gone",
              [&] { return std::none_of(workers.begin(), workers.end(), IsAlive); });
  }

  // It starts when the file is there.
  Groupcast& groupcast() {
    if (groupcast_ == nullptr) {
      groupcast_ = std::make_unique<Groupcast>(
          /*workers=*/1, Flags{"--config=" + path_, "--drain_time=1s"});
    }
    return *groupcast_;
  }

 private:
  std::unique_ptr<Groupcast> groupcast_;
};

TEST_F(ReloadConfigurationTest, SighupTakesUpTheFile) {
  const std::vector<pid_t> before = groupcast().service.WorkerPids();
  EXPECT_EQ(PingIntervalMs(&groupcast().service), 11'000);
  Write(Service("\"ping_interval\": \"7s\""));
  Reload("SIGHUP: replacing 1 workers");
  WaitUntilGone(before);
  EXPECT_EQ(PingIntervalMs(&groupcast().service), 7'000);
  EXPECT_THAT(groupcast().service.process().Output(), ::testing::Not(HasSubstr("keeps until")));
}

TEST_F(ReloadConfigurationTest, AWrongFileChangesNothing) {
  const std::vector<pid_t> before = groupcast().service.WorkerPids();
  const std::string refused = "SIGHUP: the configuration is not usable, nothing changes: ";
  Write(Service("\"ping_interval\": \"7s\",\n\"colour\": 1"));
  Reload(refused + path_ + ":3: websocket_service.colour: there is no such field");
  Write(Service("\"ping_interval\": \"7s\",\n\"outbox_bytes\": 0"));
  Reload(refused + path_ + ":3: websocket_service.outbox_bytes=0 is not between 1 and 2^31");
  Write("{");
  Reload(refused + path_ + ":1: this is not JSON");
  unlink(path_.c_str());
  Reload(refused + "--config=" + path_ + ": there is no such file to read");
  // What only the new worker can find out, from the channel server.
  Write(Service("\"ping_interval\": \"7s\",\n\"max_message_bytes\": 100000"));
  Reload("the old workers stay");
  WaitUntil("the workers are those of before",
            [&] { return groupcast().service.WorkerPids() == before; });
  EXPECT_EQ(PingIntervalMs(&groupcast().service), 11'000);
}

TEST_F(ReloadConfigurationTest, NamesWhatARunningServiceKeeps) {
  const uint16_t port = groupcast().service.port();
  Write(
      Service("\"ping_interval\": \"7s\", \"stall_timeout\": \"20s\", \"bind_address\": \"::1\","
              "\"workers\": 3"));
  const std::vector<pid_t> before = groupcast().service.WorkerPids();
  Reload(
      "SIGHUP: what a running service keeps until it starts again: bind_address (127.0.0.1, "
      "not ::1), stall_timeout (10s, not 20s)\n");
  WaitUntilGone(before);
  EXPECT_EQ(groupcast().service.port(), port);
  EXPECT_EQ(PingIntervalMs(&groupcast().service), 7'000);
}

// It went on before only if nobody sent the signal: the default of SIGHUP is death.
TEST_F(ConfigurationTest, TheChannelServerChecksItsConfigurationAtSighup) {
  Write(Server("\"log_level\": \"info\""));
  ChannelServer server({"--config=" + path_});
  WebSocketService service(server, 1);
  TestClient client(service.port(), Mode::kV1);
  const auto hang_up = [&](const std::string& line) {
    const size_t from = server.process().Output().size();
    server.process().Signal(SIGHUP);
    server.process().WaitForOutput(line, from);
  };
  hang_up("SIGHUP: the configuration is taken up");
  Write(Server("\"log_level\": \"info\", \"history_messages\": 7"));
  hang_up(
      "SIGHUP: what a running service keeps until it starts again: history_messages (100, not 7)");
  Write("{\"group_rules\": [{\"prefix\": \"a\", \"history_count\": 1}]}");
  hang_up("SIGHUP: what a running service keeps until it starts again: group_rules");
  Write(Server("\"history_messages\": 0"));
  hang_up("SIGHUP: the configuration is not usable, nothing changes: ");
  Write(Server("\"log_level\": \"error\""));
  server.process().Signal(SIGHUP);
  // It served all the time.
  client.Join("g");
  EXPECT_TRUE(client.IsQuiet());
}

// The first SIGHUP names a channel server that is not there. The second is refused by the channel
// server.
TEST_F(ReloadConfigurationTest, ASecondSighupInTheMiddleOfTheFirstGoesBackToWhatWorked) {
  ChannelServer& channel = groupcast().channel;
  const std::string here = absl::StrCat("127.0.0.1:", channel.port());
  ChannelServer away;
  away.Kill();
  const std::string flagfile = NewTempPath("flags");
  std::ofstream(flagfile) << "--channel=" << here << std::endl;
  WebSocketService service(channel, /*workers=*/1,
                           {"--config=" + path_, "--flagfile=" + flagfile, "--drain_time=1s"});
  const pid_t old = service.WorkerPids().at(0);

  Write(Service("\"ping_interval\": \"7s\""));
  std::ofstream(flagfile) << "--channel=127.0.0.1:" << away.port() << std::endl;
  service.process().Signal(SIGHUP);
  WaitUntil("the first reload's worker waits", [&] { return service.WorkerPids().size() == 2; });

  Write(Service("\"ping_interval\": \"8s\", \"max_message_bytes\": 100000"));
  std::ofstream(flagfile) << "--channel=" << here << std::endl;
  service.process().Signal(SIGHUP);
  service.process().WaitForOutput("the old workers stay");
  kill(old, SIGKILL);
  WaitUntil("the old worker's successor", [&] {
    const std::vector<pid_t> workers = service.WorkerPids();
    return !IsAlive(old) && workers.size() == 1 && service.RowOf(workers[0]).state == "ready";
  });
  EXPECT_EQ(PingIntervalMs(&service), 11'000);
}

// A mistake in the address of the channel server can be mended by another SIGHUP.
TEST_F(ReloadConfigurationTest, ASecondSighupDoesNotWaitForTheFirst) {
  ChannelServer away;
  away.Kill();
  const std::string flagfile = NewTempPath("flags");
  const auto write_channel = [&](uint16_t port) {
    std::ofstream(flagfile) << "--channel=127.0.0.1:" << port << std::endl;
  };
  write_channel(groupcast().channel.port());
  WebSocketService service(groupcast().channel, /*workers=*/1,
                           {"--config=" + path_, "--flagfile=" + flagfile, "--drain_time=1s"});
  const pid_t old = service.WorkerPids().at(0);
  write_channel(away.port());
  service.process().Signal(SIGHUP);
  WaitUntil("the first reload's worker waits", [&] { return service.WorkerPids().size() == 2; });
  write_channel(groupcast().channel.port());
  Write(Service("\"ping_interval\": \"8s\""));
  service.process().Signal(SIGHUP);
  WaitUntil("the old worker is gone", [&] { return !IsAlive(old); });
  EXPECT_EQ(PingIntervalMs(&service), 8'000);
}

}  // namespace
}  // namespace groupcast::tests
