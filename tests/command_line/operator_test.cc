// The commands for operators: status, doctor, top, tail, bench and token.

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/websocket_service/tls/testing/certificates.h"
#include "tests/command_line/shell.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(OperatorTest, StatusNamesAllServices) {
  Installation groupcast;
  groupcast.gateway();
  const ShellResult status = RunShell("groupcast status");
  EXPECT_EQ(status.status, 0) << status.err;
  EXPECT_THAT(status.out, ContainsRegex("\nWebSocket +ws://127.0.0.1:[0-9]+ +reachable"));
  EXPECT_THAT(status.out, ContainsRegex("\nchannel_server +127.0.0.1:[0-9]+ +ready +[0-9.]+ "));
  EXPECT_THAT(status.out,
              ContainsRegex("\nwebsocket_service +127.0.0.1:[0-9]+ +ready +[0-9.]+ +2 workers, "
                            "channel connected, 0 connections\n"));
  EXPECT_THAT(status.out, ContainsRegex("\nhttp_gateway +[0-9.:]+ +ready +[0-9.]+ +1 worker, "));
  EXPECT_THAT(status.out, Not(HasSubstr("\x1b")));
  const ShellResult json = RunShell("groupcast status --json");
  EXPECT_THAT(json.out, ContainsRegex(R"("service":"channel_server","address":"[^"]*","ok":true,)"
                                      R"("state":"ready",)"));
}

TEST(OperatorTest, StatusFailsIfAServiceIsNotReady) {
  Installation groupcast;
  groupcast.gateway();
  groupcast.channel().Kill();
  ShellResult status;
  WaitUntil("the services notice", [&] {
    status = RunShell("groupcast status");
    return status.out.find("not ready") != std::string::npos;
  });
  EXPECT_EQ(status.status, 1);
  EXPECT_THAT(status.out, HasSubstr("not reachable"));
}

TEST(OperatorTest, StatusWithoutAGatewayIs3) {
  Installation groupcast;
  setenv("GROUPCAST_GATEWAY", "http://127.0.0.1:1", 1);  // nothing has this port
  const ShellResult status = RunShell("groupcast status");
  EXPECT_EQ(status.status, 3);
  EXPECT_THAT(status.err, HasSubstr("http://127.0.0.1:1 is not reachable: Connection refused\n"));
}

TEST(OperatorTest, DoctorFindsNothingWrong) {
  Installation groupcast;
  groupcast.gateway();
  const ShellResult doctor = RunShell("groupcast doctor");
  EXPECT_EQ(doctor.status, 0) << doctor.out;
  EXPECT_THAT(doctor.out, HasSubstr("ok    WebSocket: ws://127.0.0.1:"));
  EXPECT_THAT(doctor.out, HasSubstr("ok    gateway: http://127.0.0.1:"));
  EXPECT_THAT(doctor.out,
              HasSubstr("ok    clock: this machine and the server have the same time\n"));
  EXPECT_THAT(doctor.out, HasSubstr("ok    service: channel_server is ready\n"));
  EXPECT_THAT(doctor.out, HasSubstr("ok    versions: all programs have version "));
  EXPECT_THAT(doctor.out, HasSubstr("  descriptors: a program of this shell may have "));
  EXPECT_THAT(doctor.out, Not(HasSubstr("fail")));
}

TEST(OperatorTest, DoctorSaysWhatToDoIfNothingListens) {
  Installation groupcast;
  groupcast.gateway();
  groupcast.service().process().Signal(SIGKILL);
  groupcast.service().process().WaitForEnd();
  const ShellResult doctor = RunShell("groupcast doctor");
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr("fail  WebSocket: ws://127.0.0.1:"));
  EXPECT_THAT(doctor.out, HasSubstr("\n      Nothing listens there. Start the services"));
  EXPECT_THAT(doctor.out, HasSubstr("fail  service: "));
}

TEST(OperatorTest, TopPrintsLinesThatAreNoTable) {
  Installation groupcast;
  groupcast.gateway();
  Shell sub("exec groupcast sub busy");
  groupcast.AwaitMemberships(1);
  RunShell("groupcast pub busy x");
  const ShellResult top = RunShell("groupcast top --count=2 --interval=10ms");
  EXPECT_EQ(top.status, 0) << top.err;
  EXPECT_THAT(top.out, ContainsRegex("T[0-9:]+Z services connections=[0-9]+ messages="));
  EXPECT_THAT(top.out, ContainsRegex("T[0-9:]+Z group members=1 messages=[0-9.]+/s id=busy\n"));
  EXPECT_THAT(top.out, Not(HasSubstr("\x1b")));
}

TEST(OperatorTest, TailFollowsTheGroupsThatAreThereAndThoseThatCome) {
  Installation groupcast;
  groupcast.gateway();
  Shell first("exec groupcast sub room:1 other");
  groupcast.AwaitMemberships(2);
  Shell tail("exec groupcast tail --interval=10ms room:");
  groupcast.AwaitMemberships(3);
  RunShell("groupcast pub other no; groupcast pub room:1 yes");
  tail.WaitForOut("[room:1] yes\n");
  Shell second("exec groupcast sub room:2");
  groupcast.AwaitMemberships(5);
  RunShell("groupcast pub room:2 new");
  tail.WaitForOut("[room:2] new\n");
  tail.process().Signal(SIGINT);
  const ShellResult result = tail.WaitForEnd();
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "[room:1] yes\n[room:2] new\n");
  EXPECT_EQ(result.err, "");
}

TEST(OperatorTest, BenchMissesNoMessage) {
  Installation groupcast;
  const ShellResult bench =
      RunShell("groupcast bench --seconds=1 --members=4 --groups=2 --senders=2 --in_flight=4");
  EXPECT_EQ(bench.status, 0) << bench.err;
  EXPECT_THAT(bench.out, ContainsRegex("acknowledged +[1-9][0-9]* "));
  EXPECT_THAT(bench.out, ContainsRegex("delivered +[1-9][0-9]* "));
}

TEST(OperatorTest, AGatewayThatRefusesIsNoGatewayThatIsAway) {
  Installation groupcast;
  const std::string keys = NewTempPath("gateway.json");
  std::ofstream(keys) << R"({"api_keys": [{"name": "a", "hash": "sha256:)" << std::string(64, '0')
                      << R"(", "scopes": ["read"]}]})";
  HttpGateway gateway(groupcast.channel(), 1, {"--config=" + keys});
  setenv("GROUPCAST_GATEWAY", absl::StrCat("http://127.0.0.1:", gateway.port()).c_str(), 1);
  for (const char* command : {"groupcast top --count=1", "groupcast tail a", "groupcast status"}) {
    const ShellResult result = RunShell(command);
    EXPECT_EQ(result.status, 1) << command;
    EXPECT_THAT(result.err, HasSubstr(" wants an API key: set GROUPCAST_API_KEY, or --key_file"));
  }
}

TEST(OperatorTest, ATokenLetsItsUserInAndNobodyElse) {
  const std::string secret = NewTempPath("token.secret");
  const std::string weak = NewTempPath("weak.secret");
  ASSERT_EQ(RunShell(absl::StrCat("umask 077; printf '%048d\n' 7 >", secret,
                                  "; printf '%048d\n' 8 >", weak))
                .status,
            0);
  Installation groupcast({"--token_keys=" + secret});
  const ShellResult refused = RunShell("groupcast pub --timeout=1ms chat:1 x");
  EXPECT_EQ(refused.status, 1) << refused.err;
  const std::string make =
      absl::StrCat("export GROUPCAST_TOKEN=$(groupcast token make --key=", secret,
                   " --user=alice --groups='chat:*,news')\n");
  const ShellResult taken = RunShell(absl::StrCat(make, "groupcast pub chat:1 x"));
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_EQ(RunShell(absl::StrCat(make, "umask 077; echo $GROUPCAST_TOKEN >", weak, ".token; ",
                                  "unset GROUPCAST_TOKEN; groupcast pub --token_file=", weak,
                                  ".token chat:1 x"))
                .status,
            0);
  const ShellResult forbidden =
      RunShell(absl::StrCat(make, "yes | head -100000 | groupcast pub secret"));
  EXPECT_EQ(forbidden.status, 1);
  EXPECT_THAT(forbidden.err, HasSubstr("line 1 is not delivered: forbidden"));
  EXPECT_THAT(forbidden.err, HasSubstr("the rest of the input was not sent."));
  EXPECT_EQ(RunShell(absl::StrCat(make, "exec groupcast sub secret")).status, 1);

  const ShellResult inspected =
      RunShell(absl::StrCat(make, "printf %s $GROUPCAST_TOKEN | groupcast token inspect"));
  EXPECT_EQ(inspected.status, 0);
  EXPECT_THAT(inspected.out, HasSubstr(R"("sub":"alice")"));
  EXPECT_THAT(inspected.out, ContainsRegex("time +expires in [0-9ms]+\n"));
  EXPECT_THAT(inspected.out, HasSubstr("signature  not checked, because --key is not given\n"));
  EXPECT_EQ(
      RunShell(absl::StrCat(make, "groupcast token inspect --key=", secret, " $GROUPCAST_TOKEN"))
          .status,
      0);
  const ShellResult other =
      RunShell(absl::StrCat(make, "groupcast token inspect --key=", weak, " $GROUPCAST_TOKEN"));
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.out, HasSubstr("signature  refused: "));
  EXPECT_EQ(
      RunShell(absl::StrCat("chmod 644 ", secret, "; groupcast token make --key=", secret)).status,
      2);
}

TEST(OperatorTest, TlsIsUsedWithACertificateThatIsTrusted) {
  const service::CertificateFiles files;
  Installation groupcast(TlsFlags(files));
  const std::string port = absl::StrCat("127.0.0.1:", groupcast.service().port());
  const std::string trusted = absl::StrCat(" --url=wss://", port, " --ca_file=", files.certificate);
  EXPECT_EQ(RunShell(absl::StrCat("groupcast pub", trusted, " news x")).status, 0);
  EXPECT_EQ(RunShell(absl::StrCat("groupcast history", trusted, " news")).out, "x\n");
  const ShellResult untrusted = RunShell(absl::StrCat("groupcast pub --url=wss://", port, " g x"));
  EXPECT_EQ(untrusted.status, 1) << untrusted.err;

  // No gateway has TLS itself: a proxy before it does. The WebSocket service answers HTTP too.
  const std::string gateway = absl::StrCat(" --gateway=https://", port);
  const ShellResult doctor = RunShell(absl::StrCat("groupcast doctor", trusted, gateway));
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out, HasSubstr(absl::StrCat("warn  certificate: wss://", port,
                                                 " has a valid certificate, for 0 days more\n")));
  EXPECT_THAT(doctor.out, HasSubstr(absl::StrCat("ok    WebSocket: wss://", port)));
  EXPECT_THAT(doctor.out, HasSubstr("fail  gateway: https://"));
  EXPECT_THAT(doctor.out, HasSubstr(": HTTP 4"));
  const ShellResult stranger =
      RunShell(absl::StrCat("groupcast doctor --url=wss://", port, gateway));
  EXPECT_THAT(stranger.out,
              HasSubstr(absl::StrCat("fail  certificate: wss://", port, " is not trusted: ")));
  EXPECT_THAT(stranger.out, HasSubstr("TLS: certificate verify failed"));
}

}  // namespace
}  // namespace groupcast::tests
