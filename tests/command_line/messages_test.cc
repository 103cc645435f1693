// sub, pub and history, with their exit codes, and with pipes on both sides.

#include <csignal>
#include <regex>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/command_line/shell.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST(MessagesTest, WhatIsPublishedIsPrinted) {
  Installation groupcast;
  Shell sub("exec groupcast sub --count=3 news");
  groupcast.AwaitMemberships(1);
  const ShellResult one = RunShell("groupcast pub news 'هذه هي الرسالة'");
  EXPECT_EQ(one.status, 0);
  EXPECT_EQ(one.out + one.err, "");
  EXPECT_EQ(RunShell(R"(groupcast pub --json news '{"n": 0.10}')").status, 0);
  EXPECT_EQ(RunShell("printf 'a line\\nnot read' | groupcast pub news -").status, 0);
  const ShellResult printed = sub.WaitForEnd();
  EXPECT_EQ(printed.status, 0);
  EXPECT_EQ(printed.out, "هذه هي الرسالة\n{\"n\":0.10}\na line\n");
  EXPECT_EQ(printed.err, "");
}

TEST(MessagesTest, SeveralGroupsAreNamed) {
  Installation groupcast;
  Shell sub("exec groupcast sub --count=2 a b");
  groupcast.AwaitMemberships(2);
  RunShell("groupcast pub a 1; groupcast pub b 2");
  EXPECT_EQ(sub.WaitForEnd().out, "[a] 1\n[b] 2\n");
}

TEST(MessagesTest, HistoryAndAPositionAreWhereSubBegins) {
  Installation groupcast;
  RunShell("seq 1 5 | groupcast pub g");
  EXPECT_EQ(RunShell("groupcast sub --history=2 --count=2 g").out, "4\n5\n");
  EXPECT_EQ(RunShell("groupcast history --limit=3 g").out, "3\n4\n5\n");
  const ShellResult since = RunShell(R"sh(
    position=$(groupcast history --json g | sed -n '2s/.*"position":"\([^"]*\)".*/\1/p')
    echo "$position"
    groupcast sub --since="$position" --count=3 g
    groupcast history --since="$position" g)sh");
  EXPECT_THAT(since.out, MatchesRegex("[0-9a-f]{16}:2\n3\n4\n5\n3\n4\n5\n"));
  EXPECT_EQ(since.err, "");
  const ShellResult json = RunShell("groupcast sub --history=1 --count=1 --json g");
  EXPECT_THAT(json.out, MatchesRegex(R"(\{"group_id":"g","message":"5","offset":5,"previous":4,)"
                                     R"("epoch":"[0-9a-f]{16}","sent_at":[0-9]+,)"
                                     R"("position":"[0-9a-f]{16}:5"\})"
                                     "\n"));
}

TEST(MessagesTest, MembersAreListed) {
  Installation groupcast;
  EXPECT_EQ(RunShell("groupcast members --count g").out, "0\n");
  Shell first("exec groupcast sub g");
  Shell second("exec groupcast sub g");
  groupcast.AwaitMemberships(2);
  WaitUntil("two members", [] { return RunShell("groupcast members --count g").out == "2\n"; });
  const ShellResult table = RunShell("groupcast members g");
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.out,
              MatchesRegex("CONNECTION +USER  SINCE +INFO\n([0-9a-f]+  - +[-0-9: ]+\n){2}"));
  const ShellResult json = RunShell("groupcast members --json g");
  EXPECT_THAT(json.out,
              MatchesRegex("(\\{\"connection_id\":\"[0-9a-f]+\",\"since\":[0-9]+\\}\n){2}"));
}

TEST(MessagesTest, ASignalEndsSubCleanly) {
  Installation groupcast;
  Shell sub("exec groupcast sub news");
  groupcast.AwaitMemberships(1);
  sub.process().Signal(SIGINT);
  const ShellResult result = sub.WaitForEnd();
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  groupcast.AwaitMemberships(0);
}

TEST(MessagesTest, AReaderThatHasEnoughEndsSubQuietly) {
  Installation groupcast;
  Shell sub("groupcast sub news | head -1; echo \"${PIPESTATUS[*]}\"");
  groupcast.AwaitMemberships(1);
  // The writes after the first message find that the reader has gone.
  Shell pub("while groupcast pub news x; do :; done");
  const ShellResult result = sub.WaitForEnd();
  EXPECT_EQ(result.out, "x\n0 0\n");
  EXPECT_EQ(result.err, "");
}

TEST(MessagesTest, InputLargerThanTheQueueIsSentAsItIsAcknowledged) {
  Installation groupcast;
  // Each frame has more than 100 bytes, so these are more than 3 MiB.
  const ShellResult pub = RunShell("seq 1 30000 | groupcast pub bulk");
  EXPECT_EQ(pub.status, 0) << pub.err;
  EXPECT_EQ(RunShell("groupcast history --limit=2 bulk").out, "29999\n30000\n");
}

TEST(MessagesTest, TheLinesThatWereRefusedAreNamed) {
  Installation groupcast({"--max_message_bytes=10"});
  const ShellResult pub = RunShell("printf 'one\\nmuch too long\\nthree\\n' | groupcast pub g");
  EXPECT_EQ(pub.status, 1);
  EXPECT_EQ(pub.out, "");
  EXPECT_THAT(pub.err, HasSubstr("error: line 2 is not delivered: message_too_large: "));
  EXPECT_THAT(pub.err, HasSubstr("error: 2 of 3 messages acknowledged, 1 not delivered\n"));
  EXPECT_EQ(RunShell("groupcast history g").out, "one\nthree\n");

  const ShellResult json = RunShell("printf '1\\n\\n{\\n[]' | groupcast pub --json j");
  EXPECT_EQ(json.status, 1);
  EXPECT_THAT(json.err, HasSubstr("error: line 3 is not delivered: the message is not a JSON"));
  EXPECT_THAT(json.err, HasSubstr("error: 2 of 3 messages acknowledged"));

  const ShellResult longest = RunShell("printf '1\\n%070000d\\n3' 2 | groupcast pub l");
  EXPECT_EQ(longest.status, 1);
  EXPECT_THAT(longest.err,
              HasSubstr("error: line 2 is not delivered: it has more than 65536 bytes"));
  EXPECT_THAT(longest.err, HasSubstr("error: 2 of 3 messages acknowledged"));
}

TEST(MessagesTest, WithoutAServerTheExitCodeIs3) {
  Installation groupcast;
  groupcast.service().process().Signal(SIGKILL);
  groupcast.service().process().WaitForEnd();
  for (const char* command : {"groupcast sub g", "groupcast pub g x", "groupcast history g"}) {
    const ShellResult result = RunShell(command);
    EXPECT_EQ(result.status, 3) << command;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(" is not reachable: "));
  }
}

TEST(MessagesTest, AMessageWithoutAnAnswerHasAnUnknownOutcome) {
  Installation groupcast;
  groupcast.channel().process().Stop();
  Shell pub("exec groupcast pub g x");
  // A worker has the message, and waits for the channel server.
  WaitUntil("a publication", [&] {
    HttpClient admin(groupcast.service().admin_port());
    return std::regex_search(admin.Get("/metrics").body,
                             std::regex("groupcast_publications_total\\{[^}]*\\} 1\n"));
  });
  pub.process().Signal(SIGTERM);
  const ShellResult result = pub.WaitForEnd();
  groupcast.channel().process().Signal(SIGCONT);
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.err, HasSubstr("error: the message is perhaps delivered: outcome_unknown: "));
}

TEST(MessagesTest, AfterTheDeathOfAWorkerSubGoesOn) {
  Installation groupcast;
  Shell sub("exec groupcast sub --count=2 g");
  groupcast.AwaitMemberships(1);
  RunShell("groupcast pub g first");
  sub.WaitForOut("first\n");
  for (const pid_t worker : groupcast.service().WorkerPids()) kill(worker, SIGKILL);
  sub.WaitForErr("connected again\n");
  EXPECT_EQ(RunShell("groupcast pub --timeout=20s g second").status, 0);
  const ShellResult result = sub.WaitForEnd();
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "first\nsecond\n");
  EXPECT_THAT(result.err, MatchesRegex("not connected: .*; trying again\nconnected again\n"));
  EXPECT_THAT(result.err, Not(HasSubstr("\x1b")));
}

TEST(MessagesTest, LostMessagesAreTold) {
  Installation groupcast;
  Shell sub("exec groupcast sub --since=0123456789abcdef:1 g");
  sub.WaitForErr("\n");
  sub.process().Signal(SIGINT);
  const ShellResult result = sub.WaitForEnd();
  EXPECT_THAT(result.err, HasSubstr("g: messages before offset "));
  EXPECT_THAT(result.err, HasSubstr(" are perhaps lost: the group has another history\n"));
}

TEST(MessagesTest, ArgumentsThatCannotBeMeantAreWrongUsage) {
  for (const char* command :
       {"groupcast", "groupcast sbu", "groupcast sub", "groupcast sub --count=0 g",
        "groupcast sub --since=1 g", "groupcast sub --since=0123456789abcdef:1 a b",
        "groupcast sub --since=0123456789abcdef:1 --history=1 g", "groupcast pub",
        "groupcast pub --url=http://127.0.0.1:1 g x", "groupcast history --limit=101 g",
        "groupcast pub --token_file=/nowhere g x"}) {
    const ShellResult result = RunShell(command);
    EXPECT_EQ(result.status, 2) << command << "\n" << result.err;
  }
}

}  // namespace
}  // namespace groupcast::tests
