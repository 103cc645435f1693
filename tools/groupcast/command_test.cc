#include "tools/groupcast/command.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Values {
  std::vector<std::string> groups;
  std::string key_file;
  absl::Duration timeout;
  bool ran = false;
};
Values values;

Run DefineSay(CLI::App* app) {
  values = Values();
  Add(app, "GROUP", &values.groups, "GROUP...", "the groups")->required();
  Add(app, "--key_file", &values.key_file, "FILE",
      "a file with words enough to fill more than one line of the help of this one command");
  AddDuration(app, "--timeout", &values.timeout, "how long")->default_str("5s");
  app->footer("Examples:\n  groupcast say news");
  return [](Console&) {
    values.ran = true;
    return ExitCode::kNotReachable;
  };
}

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {{"say", "say something", DefineSay},
                                                {"token", "work with tokens", nullptr},
                                                {"token make", "make a token", DefineSay}};
  return commands;
}

// Both streams of a run, and its exit code.
struct Ran {
  ExitCode code;
  std::string output;
};

Ran RunWith(std::vector<std::string> arguments) {
  std::FILE* const file = std::tmpfile();
  Console console({.out = fileno(file), .err = fileno(file)});
  Ran ran{RunCommand(Commands(), std::move(arguments), console), ""};
  std::rewind(file);
  char buffer[8192];
  ran.output.assign(buffer, std::fread(buffer, 1, sizeof(buffer), file));
  std::fclose(file);
  return ran;
}

TEST(CommandTest, ArgumentsReachTheCommand) {
  const Ran ran = RunWith({"say", "--key-file=a-b", "--timeout", "1m30s", "x", "y"});
  EXPECT_EQ(ran.code, ExitCode::kNotReachable);
  EXPECT_EQ(ran.output, "");
  EXPECT_TRUE(values.ran);
  EXPECT_THAT(values.groups, testing::ElementsAre("x", "y"));
  EXPECT_EQ(values.key_file, "a-b");
  EXPECT_EQ(values.timeout, absl::Seconds(90));
}

TEST(CommandTest, AfterTwoDashesThereAreOnlyOperands) {
  RunWith({"say", "--", "--key-file", "say"});
  EXPECT_THAT(values.groups, testing::ElementsAre("--key-file", "say"));
}

TEST(CommandTest, WrongArgumentsAreNamedWithTheNearestRightOnes) {
  const struct {
    std::vector<std::string> arguments;
    const char* why;
  } kCases[] = {
      {{"sya"}, "error: there is no command sya. Did you mean say?"},
      {{"say", "--key_fil=x", "g"},
       "error: there is no option --key_fil. Did you mean --key_file?"},
      {{"say"}, "error: GROUP is required"},
      {{"say", "--timeout=5", "g"}, "\"5\" is no duration up to 24h, such as 500ms, 5s or 1m30s"},
      {{"say", "--timeout=25h", "g"}, "\"25h\" is no duration up to 24h"},
      {{"token"}, "error: the command is incomplete."},
      {{"token", "maek"}, "error: there is no command maek. Did you mean make?"},
  };
  for (const auto& test : kCases) {
    const Ran ran = RunWith(test.arguments);
    EXPECT_EQ(ran.code, ExitCode::kWrongUsage) << test.why;
    EXPECT_THAT(ran.output, HasSubstr(test.why));
    EXPECT_THAT(ran.output, HasSubstr(" --help tells what there is.\n"));
    EXPECT_FALSE(values.ran);
  }
}

TEST(CommandTest, TheHelpOfACommand) {
  const Ran ran = RunWith({"say", "--help"});
  EXPECT_EQ(ran.code, ExitCode::kDone);
  EXPECT_EQ(ran.output,
            "groupcast say - say something\n"
            "\n"
            "  groupcast say [options] GROUP...\n"
            "\n"
            "  GROUP...  the groups\n"
            "\n"
            "  --key_file=FILE  a file with words enough to fill more than one line of the help of "
            "this one\n"
            "                   command\n"
            "  --timeout=TIME   how long (default: 5s)\n"
            "  -h, --help       this text\n"
            "\n"
            "Examples:\n"
            "  groupcast say news\n");
  EXPECT_THAT(RunWith({"token", "make", "-h"}).output,
              StartsWith("groupcast token make - make a token\n"));
}

TEST(CommandTest, WithoutACommandThereIsTheHelp) {
  const Ran ran = RunWith({});
  EXPECT_EQ(ran.code, ExitCode::kWrongUsage);
  EXPECT_THAT(ran.output,
              HasSubstr("\n  say         say something\n  token       work with tokens\n"));
  EXPECT_EQ(RunWith({"--help"}).output, ran.output);
  EXPECT_EQ(RunWith({"--help"}).code, ExitCode::kDone);
}

TEST(CommandTest, CompletionsKnowAllCommandsAndOptions) {
  const Ran bash = RunWith({"completion", "bash"});
  EXPECT_EQ(bash.code, ExitCode::kDone);
  EXPECT_THAT(bash.output, HasSubstr("    '') words='say token completion --help --version' ;;\n"));
  EXPECT_THAT(bash.output, HasSubstr("    'say') words='--help --key_file= --timeout=' ;;\n"));
  EXPECT_THAT(bash.output, HasSubstr("    'token make') words='--help "));
  EXPECT_THAT(bash.output, HasSubstr("'say' | 'token' | 'token make' | 'completion') command="));
  const Ran zsh = RunWith({"completion", "zsh"});
  EXPECT_THAT(zsh.output, StartsWith("#compdef groupcast\n"));
  EXPECT_THAT(zsh.output, HasSubstr("'say:say something'"));
  EXPECT_THAT(zsh.output, HasSubstr("'--timeout=:how long'"));
  EXPECT_EQ(RunWith({"completion", "fish"}).code, ExitCode::kWrongUsage);
}

TEST(CommandTest, TheVersion) {
  const Ran ran = RunWith({"--version"});
  EXPECT_EQ(ran.code, ExitCode::kDone);
  EXPECT_THAT(ran.output, testing::MatchesRegex("groupcast [0-9.]+\n"));
}

}  // namespace
}  // namespace groupcast::cli
