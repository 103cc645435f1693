// Services that cannot start as they were told say why, on stderr, and exit with 1.

#include <csignal>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

struct WrongFlags {
  std::string name;
  std::string binary;
  Flags flags;
  std::vector<std::string> sentence;  // what the output must contain
};

std::ostream& operator<<(std::ostream& out, const WrongFlags& wrong) { return out << wrong.name; }

class WrongFlagsTest : public ::testing::TestWithParam<WrongFlags> {};

TEST_P(WrongFlagsTest, IsAClearError) {
  Process process(GetParam().binary, GetParam().flags);
  EXPECT_EQ(process.WaitForEnd(), 1);
  for (const std::string& words : GetParam().sentence)
    EXPECT_THAT(process.Output(), HasSubstr(words));
}

INSTANTIATE_TEST_SUITE_P(
    WebSocketService, WrongFlagsTest,
    ::testing::Values(
        WrongFlags{"UnknownFlag",
                   kWebSocketServiceBinary,
                   {"--wrokers=2"},
                   {"there is no flag --wrokers; did you mean --workers?", "--help"}},
        WrongFlags{"StrayArgument",
                   kWebSocketServiceBinary,
                   {"--port=0", "stray"},
                   {"\"stray\" is not a flag"}},
        WrongFlags{"PortTooLarge",
                   kWebSocketServiceBinary,
                   {"--port=70000"},
                   {"--port=70000 is not a port"}},
        WrongFlags{"AdminPortNegative",
                   kWebSocketServiceBinary,
                   {"--port=0", "--admin_port=-2"},
                   {"--admin_port=-2 is not a port; -1 is for none"}},
        WrongFlags{"AdminAddress",
                   kWebSocketServiceBinary,
                   {"--port=0", "--admin_address=here"},
                   {"--admin_address: \"here\" is not an IP address"}},
        WrongFlags{
            "PortNegative", kWebSocketServiceBinary, {"--port=-1"}, {"--port=-1 is not a port"}},
        WrongFlags{"PortNoNumber",
                   kWebSocketServiceBinary,
                   {"--port=http"},
                   {"--port=http: the value must be a whole number"}},
        WrongFlags{"PagesMissing",
                   kWebSocketServiceBinary,
                   {"--port=0", "--pages=/no/such/dir"},
                   {"no directory /no/such/dir"}},
        WrongFlags{"ChannelWithoutPort",
                   kWebSocketServiceBinary,
                   {"--port=0", "--channel=127.0.0.1"},
                   {"--channel: channel \"127.0.0.1\"", "HOST:PORT, tcp://HOST:PORT, unix:DIR"}},
        WrongFlags{"AddressMalformed",
                   kWebSocketServiceBinary,
                   {"--port=0", "--bind_address=here"},
                   {"\"here\" is not an IP address"}},
        WrongFlags{"AddressOfSomebodyElse",
                   kWebSocketServiceBinary,
                   {"--port=0", "--bind_address=192.0.2.1", "--allow_anonymous"},
                   {"192.0.2.1", "Cannot assign requested address"}},
        WrongFlags{"OriginWithPath",
                   kWebSocketServiceBinary,
                   {"--port=0", "--allowed_origins=https://app.example/"},
                   {"--allowed_origins: \"https://app.example/\" is not an origin",
                    "https://app.example:8443"}},
        WrongFlags{"HostWithPort",
                   kWebSocketServiceBinary,
                   {"--port=0", "--allowed_hosts=app.example:80"},
                   {"--allowed_hosts: \"app.example:80\" is not a host", "*.example.com"}},
        WrongFlags{"TooManyWorkers",
                   kWebSocketServiceBinary,
                   {"--port=0", "--workers=300"},
                   {"--workers must be between 0 and 255"}},
        WrongFlags{"LimitOfZero",
                   kWebSocketServiceBinary,
                   {"--port=0", "--outbox_bytes=0"},
                   {"--outbox_bytes=0 is not between 1 and 2^31"}},
        WrongFlags{"RateBelowZero",
                   kWebSocketServiceBinary,
                   {"--port=0", "--commands_per_second=-1"},
                   {"--commands_per_second must be 0 (no limit), or between 0.001 and 1000000"}},
        WrongFlags{"RateThatIsNoNumber",
                   kWebSocketServiceBinary,
                   {"--port=0", "--commands_per_second=nan"},
                   {"--commands_per_second must be"}},
        WrongFlags{"BurstOfZero",
                   kWebSocketServiceBinary,
                   {"--port=0", "--command_burst=0"},
                   {"--command_burst must be between 1 and 1000000"}},
        WrongFlags{"DurationOfZero",
                   kWebSocketServiceBinary,
                   {"--port=0", "--ping_interval=0"},
                   {"--ping_interval must be above 0"}},
        WrongFlags{"DurationWithoutUnit",
                   kWebSocketServiceBinary,
                   {"--port=0", "--ping_interval=5"},
                   {"--ping_interval=5: the value must be a duration such as 5s"}},
        WrongFlags{
            "LogLevelUnknown", kWebSocketServiceBinary, {"--port=0", "--log_level=loud"}, {"loud"}},
        WrongFlags{"LogFormatUnknown",
                   kWebSocketServiceBinary,
                   {"--port=0", "--log_format=xml"},
                   {"log format \"xml\" is not text or json"}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    ChannelServer, WrongFlagsTest,
    ::testing::Values(
        WrongFlags{"UnknownFlag",
                   kChannelServerBinary,
                   {"--datadir=/tmp"},
                   {"there is no flag --datadir; did you mean --data_dir?", "--help"}},
        WrongFlags{"StrayArgument",
                   kChannelServerBinary,
                   {"--port=0", "stray"},
                   {"\"stray\" is not a flag"}},
        WrongFlags{"DurationWithoutUnit",
                   kChannelServerBinary,
                   {"--port=0", "--history_age=5"},
                   {"--history_age=5: the value must be a duration such as 5s"}},
        WrongFlags{
            "PortTooLarge", kChannelServerBinary, {"--port=70000"}, {"--port=70000 is not a port"}},
        WrongFlags{"NoRoomForTheOtherPorts",
                   kChannelServerBinary,
                   {"--port=65534"},
                   {"--port leaves no room"}},
        WrongFlags{"FsyncUnknown",
                   kChannelServerBinary,
                   {"--port=0", "--fsync=sometimes"},
                   {"--fsync: fsync is never, interval or always, not \"sometimes\""}},
        WrongFlags{"LimitOfZero",
                   kChannelServerBinary,
                   {"--port=0", "--max_message_bytes=0"},
                   {"--max_message_bytes=0 is not between 1 and 2147483648"}},
        WrongFlags{
            "LogLevelUnknown", kChannelServerBinary, {"--port=0", "--log_level=loud"}, {"loud"}},
        WrongFlags{"LogFormatUnknown",
                   kChannelServerBinary,
                   {"--port=0", "--log_format=xml"},
                   {"log format \"xml\" is not text or json"}}),
    [](const auto& info) { return info.param.name; });

TEST(StartupTest, ASecondWebSocketServiceOnThePortRefuses) {
  Groupcast groupcast(/*workers=*/2);
  const std::string port = absl::StrCat(groupcast.service.port());
  Process second(kWebSocketServiceBinary,
                 {"--port=" + port, "--workers=1",
                  absl::StrCat("--channel=127.0.0.1:", groupcast.channel.port())});
  EXPECT_EQ(second.WaitForEnd(), 1);
  EXPECT_THAT(second.Output(), HasSubstr("cannot listen on 127.0.0.1:" + port));
  EXPECT_THAT(second.Output(), HasSubstr("Address already in use"));
  for (int i = 0; i < 8; ++i) TestClient(groupcast.service.port()).Join("first");
}

TEST(StartupTest, AnAdminPortInUseIsAnErrorThatNamesTheFlag) {
  Groupcast groupcast(/*workers=*/1);
  const std::string port = absl::StrCat(groupcast.service.admin_port());
  Process second(kWebSocketServiceBinary,
                 {"--port=0", "--admin_port=" + port, "--workers=1",
                  absl::StrCat("--channel=127.0.0.1:", groupcast.channel.port())});
  EXPECT_EQ(second.WaitForEnd(), 1);
  EXPECT_THAT(second.Output(), HasSubstr("--admin_port: cannot listen on 127.0.0.1:" + port));
  EXPECT_THAT(second.Output(), HasSubstr("another port or -1 (none) helps"));
}

TEST(StartupTest, AServiceCanDoWithoutAnAdminPort) {
  ChannelServer channel;
  const WebSocketService service(channel, /*workers=*/1, {"--admin_port=-1"});
  EXPECT_EQ(service.admin_port(), 0);
}

TEST(StartupTest, AnAdminPortForOtherMachinesIsAWarning) {
  ChannelServer channel;
  WebSocketService service(channel, /*workers=*/1, {"--admin_address=0.0.0.0"});
  EXPECT_THAT(service.process().Output(),
              HasSubstr("--admin_address=0.0.0.0: everybody who reaches this address can read the "
                        "metrics"));
}

TEST(StartupTest, ASecondChannelServerOnThePortRefuses) {
  Groupcast groupcast(/*workers=*/1);
  // The port of the first's third socket, too.
  for (const int port : {groupcast.channel.port() + 0, groupcast.channel.port() + 2}) {
    Process second(kChannelServerBinary, {absl::StrCat("--port=", port), "--admin_port=0"});
    EXPECT_EQ(second.WaitForEnd(), 1);
    EXPECT_THAT(second.Output(),
                HasSubstr(absl::StrCat("cannot listen on tcp://127.0.0.1:", port)));
    EXPECT_THAT(second.Output(), HasSubstr("Address already in use"));
  }
  TestClient(groupcast.service.port()).Join("first");
}

// The port of a service that has just stopped can be used at once, though connections linger in
// TIME_WAIT.
TEST(StartupTest, ThePortIsFreeAgainAtOnce) {
  ChannelServer channel;
  uint16_t port = 0;
  {
    WebSocketService first(channel, /*workers=*/2, {"--drain_time=1s"});
    port = first.port();
    TestClient client(port);
    first.process().Signal(SIGTERM);
    EXPECT_EQ(client.WaitForEnd().close_code, 1001);
    EXPECT_EQ(first.process().WaitForEnd(), 0);
  }
  WebSocketService second(channel, /*workers=*/2, {absl::StrCat("--port=", port)});
  EXPECT_EQ(second.port(), port);
  TestClient(port).Join("second");
}

TEST(StartupTest, MessagesAboveTheChannelServersLimitAreRefused) {
  ChannelServer channel({"--max_message_bytes=1000"});
  Process service(kWebSocketServiceBinary, {"--port=0", "--workers=2", "--max_message_bytes=1001",
                                            absl::StrCat("--channel=127.0.0.1:", channel.port())});
  EXPECT_EQ(service.WaitForEnd(), 1);
  EXPECT_THAT(
      service.Output(),
      HasSubstr("messages of up to 1001 bytes are to be taken from clients, but the channel "
                "server takes 1000: set --max_message_bytes of both alike"));
  EXPECT_EQ(channel.process().Poll(), std::nullopt);
}

TEST(StartupTest, TheServiceIsReadyOnlyWhenItsChannelIs) {
  ChannelServer channel;
  channel.Kill();
  const std::string ready_file = NewTempPath("ready");
  Process service(kWebSocketServiceBinary, {"--port=0", "--workers=2", "--ready_file=" + ready_file,
                                            absl::StrCat("--channel=127.0.0.1:", channel.port())});
  const std::string server = absl::StrCat("the channel server at 127.0.0.1:", channel.port());
  service.WaitForOutput("waiting for " + server);
  service.WaitForOutput("2 of 2 workers wait for " + server + ", for 10s now");
  EXPECT_NE(access(ready_file.c_str(), F_OK), 0) << "ready without a channel";
  channel.StartAgain();
  WaitUntil("the ready file", [&] { return access(ready_file.c_str(), F_OK) == 0; });
  service.WaitForOutput("no worker waits for " + server + " any more, after ");
  EXPECT_EQ(service.Output().find("now\n"), service.Output().rfind("now\n")) << "one line a minute";
}

TEST(StartupTest, AReadyFileThatCannotBeIsRefused) {
  for (const char* binary : {kWebSocketServiceBinary, kChannelServerBinary}) {
    Process process(binary, {"--port=0", "--ready_file=/nowhere/ready.json"});
    EXPECT_EQ(process.WaitForEnd(), 1);
    EXPECT_THAT(process.Output(),
                HasSubstr("the ready file /nowhere/ready.json cannot be written"));
  }
}

TEST(StartupTest, AServiceOutlivesTheDirectoryOfItsReadyFile) {
  ChannelServer channel;
  channel.Kill();
  const std::filesystem::path directory = NewTempPath("directory");
  std::filesystem::create_directory(directory);
  Process service(
      kWebSocketServiceBinary,
      {"--port=0", "--workers=1", absl::StrCat("--ready_file=", (directory / "ready").string()),
       absl::StrCat("--channel=127.0.0.1:", channel.port())});
  service.WaitForOutput("waiting for the channel server");
  std::filesystem::remove(directory);
  channel.StartAgain();
  service.WaitForOutput("cannot be written, and the service goes on");
  std::filesystem::create_directory(directory);
  EXPECT_GT(WaitForReady(&service, directory / "ready"), 0);
}

TEST(StartupTest, HelpNamesTheFlags) {
  for (const auto& [binary, flag] :
       {std::pair{kWebSocketServiceBinary, "--workers"}, {kChannelServerBinary, "--port"}}) {
    Process process(binary, {"--help"});
    EXPECT_EQ(process.WaitForEnd(), 0);
    EXPECT_THAT(process.Output(), HasSubstr(flag));
  }
}

TEST(StartupTest, VersionNamesProgramAndVersion) {
  for (const std::string binary : {kWebSocketServiceBinary, kChannelServerBinary}) {
    Process process(binary, {"--version"});
    EXPECT_EQ(process.WaitForEnd(), 0);
    EXPECT_THAT(process.Output(), ContainsRegex("^(websocket_service|channel_server) "
                                                "\\(Groupcast\\) [0-9]+\\.[0-9]+\\.[0-9]+\n$"));
  }
}

}  // namespace
}  // namespace groupcast::tests
