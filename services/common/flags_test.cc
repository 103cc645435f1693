#include "services/common/flags.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

ABSL_FLAG(int, workers, 3, "worker processes");
ABSL_FLAG(int64_t, outbox_bytes, 1000, "bytes that wait for one connection");
ABSL_FLAG(absl::Duration, ping_interval, absl::Seconds(25),
          "silence after which a client is pinged");
ABSL_FLAG(absl::Duration, pong_timeout, absl::Seconds(10), "silence after a ping");
ABSL_FLAG(std::string, pages, "", "directory of pages");
ABSL_FLAG(std::string, bind_address, "127.0.0.1", "address");
ABSL_FLAG(bool, new_epoch, false, "begin a new history");
ABSL_FLAG(double, share, 0.5, "a part");

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() { Parse({}); }

  CommandLine Parse(const std::vector<std::string>& arguments) {
    const absl::StatusOr<CommandLine> line = ParseFlags(arguments);
    EXPECT_TRUE(line.ok()) << line.status();
    return line.value_or(CommandLine());
  }

  std::string Error(const std::vector<std::string>& arguments) {
    const absl::Status status = ParseFlags(arguments).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }

  // Writes a flag file and returns its path.
  std::string File(absl::string_view name, std::initializer_list<absl::string_view> lines) {
    std::string path = absl::StrCat(getenv("TEST_TMPDIR"), "/", name);
    std::ofstream file(path);
    for (const absl::string_view line : lines) file << line << "\n";
    return path;
  }
};

TEST_F(FlagsTest, TakesValuesInEveryForm) {
  EXPECT_THAT(
      Parse({"--workers=4", "--ping_interval", "5s", "-pages=/a=b", "--new_epoch"}).operands,
      IsEmpty());
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 4);
  EXPECT_EQ(absl::GetFlag(FLAGS_ping_interval), absl::Seconds(5));
  EXPECT_EQ(absl::GetFlag(FLAGS_pages), "/a=b");
  EXPECT_TRUE(absl::GetFlag(FLAGS_new_epoch));
  Parse({"--new_epoch", "--nonew_epoch", "--workers", "-1", "--pages="});
  EXPECT_FALSE(absl::GetFlag(FLAGS_new_epoch)) << "the last one counts";
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), -1);
}

TEST_F(FlagsTest, AFlagThatIsNotThereHasItsDefault) {
  Parse({"--workers=4", "--new_epoch"});
  Parse({"--outbox_bytes=7"});
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 3);
  EXPECT_FALSE(absl::GetFlag(FLAGS_new_epoch));
  EXPECT_EQ(absl::GetFlag(FLAGS_outbox_bytes), 7);
}

TEST_F(FlagsTest, OperandsAreWhatIsNoFlag) {
  EXPECT_THAT(Parse({"one", "--workers=4", "-", "--new_epoch", "two", "--", "--pages=x"}).operands,
              ElementsAre("one", "-", "two", "--pages=x"));
  EXPECT_EQ(absl::GetFlag(FLAGS_pages), "");
}

TEST_F(FlagsTest, AnUnknownFlagNamesTheNearest) {
  EXPECT_EQ(Error({"--wrokers=2"}),
            "there is no flag --wrokers; did you mean --workers? (--help lists the flags)");
  EXPECT_THAT(Error({"--worker"}), HasSubstr("did you mean --workers?"));
  EXPECT_THAT(Error({"--ping-interval=5s"}), HasSubstr("did you mean --ping_interval?"));
  EXPECT_THAT(Error({"--address=::1"}), HasSubstr("did you mean --bind_address?"));
  EXPECT_THAT(Error({"--falgfile=x"}), HasSubstr("did you mean --flagfile?"));
  EXPECT_THAT(Error({"--verison"}), HasSubstr("did you mean --version?"));
  EXPECT_EQ(Error({"--colour=red"}), "there is no flag --colour (--help lists the flags)");
  EXPECT_THAT(Error({"--noworkers"}), HasSubstr("there is no flag --noworkers"));
  EXPECT_THAT(Error({"--workers 4"}), HasSubstr("the form is --name=VALUE"));
}

TEST_F(FlagsTest, AValueThatCannotBeReadNamesTheForm) {
  EXPECT_EQ(Error({"--ping_interval=5"}),
            "--ping_interval=5: the value must be a duration such as 5s (units: us, ms, s, m, h)");
  EXPECT_EQ(Error({"--workers", "many"}),
            "--workers=many: the value must be a whole number below 2^31");
  EXPECT_THAT(Error({"--workers=3000000000"}), HasSubstr("a whole number below 2^31"));
  EXPECT_THAT(Error({"--workers="}), HasSubstr("a whole number"));
  EXPECT_THAT(Error({"--outbox_bytes=1k"}), HasSubstr("a whole number below 2^63"));
  EXPECT_THAT(Error({"--share=half"}), HasSubstr("a number such as 0.5"));
  EXPECT_THAT(Error({"--new_epoch=maybe"}), HasSubstr("true or false"));
}

TEST_F(FlagsTest, AMissingValueIsAnError) {
  EXPECT_EQ(Error({"--workers"}), "--workers needs a value: --workers=NUMBER");
  EXPECT_EQ(Error({"--ping_interval", "--workers=4"}),
            "--ping_interval needs a value: --ping_interval=DURATION");
  EXPECT_EQ(Error({"--flagfile"}), "--flagfile needs a value: --flagfile=FILE");
}

TEST_F(FlagsTest, AnErrorChangesNothing) {
  Parse({"--workers=4", "--pages=here"});
  Error({"--workers=5", "--ping_interval=5"});
  Error({"--pages=there", "--colour"});
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 4);
  EXPECT_EQ(absl::GetFlag(FLAGS_pages), "here");
}

TEST_F(FlagsTest, FlagFilesAreReadInTheirPlace) {
  const std::string inner = File("inner", {"--pages=inner"});
  const std::string outer =
      File("outer", {"# a comment", "", "  --workers=5  ", "--new_epoch\r", "--flagfile=" + inner});
  Parse({"--workers=4", "--pages=outside", "--flagfile=" + outer, "--ping_interval=2s"});
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 5);
  EXPECT_EQ(absl::GetFlag(FLAGS_pages), "inner");
  EXPECT_EQ(absl::GetFlag(FLAGS_ping_interval), absl::Seconds(2));
  EXPECT_TRUE(absl::GetFlag(FLAGS_new_epoch));
  Parse({"--flagfile", outer + "," + inner, "--workers=6"});
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 6);
}

TEST_F(FlagsTest, AnErrorInAFlagFileNamesFileAndLine) {
  const std::string value = File("value", {"--workers=5", "--ping_interval=5"});
  EXPECT_THAT(Error({"--flagfile=" + value}),
              HasSubstr(value + ":2: --ping_interval=5: the value"));
  const std::string unknown = File("unknown", {"--wrokers=5"});
  EXPECT_THAT(Error({"--flagfile=" + unknown}),
              HasSubstr(unknown + ":1: there is no flag --wrokers"));
  const std::string missing = File("missing", {"--workers", "5"});
  EXPECT_THAT(Error({"--flagfile=" + missing}), HasSubstr(missing + ":1: --workers needs a value"));
  for (const absl::string_view line : {"stray", "--", "-", "--workers 5", "--help", "--version"}) {
    const std::string path = File("bad", {"--workers=5", line});
    EXPECT_THAT(Error({"--flagfile=" + path}), HasSubstr(path + ":2: "));
  }
  EXPECT_THAT(Error({"--flagfile=/no/such/file"}), HasSubstr("there is no such file"));
  EXPECT_THAT(Error({absl::StrCat("--flagfile=", getenv("TEST_TMPDIR"))}),
              HasSubstr("cannot be read"));
  const std::string circle =
      File("circle", {absl::StrCat("--flagfile=", getenv("TEST_TMPDIR"), "/circle")});
  EXPECT_THAT(Error({"--flagfile=" + circle}), HasSubstr("name each other"));
}

// ---- Presets

TEST_F(FlagsTest, APresetIsStrongerThanTheDefaultAndWeakerThanTheArguments) {
  const std::string file = File("flags", {"--pages=of the flag file"});
  const FlagPresets presets = [] {
    return std::vector<FlagPreset>{{"workers", "5", "f:1: workers"},
                                   {"ping_interval", "2s", "f:2: ping_interval"},
                                   {"pages", "of the preset", "f:3: pages"},
                                   {"new_epoch", "true", "f:4: new_epoch"}};
  };
  ASSERT_TRUE(ParseFlags({"--ping_interval=3s", "--flagfile=" + file}, presets).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 5);
  EXPECT_EQ(absl::GetFlag(FLAGS_ping_interval), absl::Seconds(3));
  EXPECT_EQ(absl::GetFlag(FLAGS_pages), "of the flag file");
  EXPECT_TRUE(absl::GetFlag(FLAGS_new_epoch));
  EXPECT_EQ(absl::GetFlag(FLAGS_pong_timeout), absl::Seconds(10));
}

TEST_F(FlagsTest, PresetsMayDependOnTheArguments) {
  const FlagPresets presets = [] {
    return std::vector<FlagPreset>{{"bind_address", absl::GetFlag(FLAGS_pages), "f"}};
  };
  ASSERT_TRUE(ParseFlags({"--pages=here"}, presets).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_bind_address), "here");
}

TEST_F(FlagsTest, AnErrorNamesThePlaceOfAPreset) {
  const FlagPresets presets = [] {
    return std::vector<FlagPreset>{{"workers", "5", "f:1: workers"}, {"share", "1", "f:2: share"}};
  };
  ASSERT_TRUE(ParseFlags({"--workers=6"}, presets).ok());
  EXPECT_EQ(FlagPlace("workers"), "--workers");
  EXPECT_EQ(FlagPlace("share"), "f:2: share");
  EXPECT_EQ(FlagPlace("pages"), "--pages");
  const absl::Status error = absl::NotFoundError("it is gone");
  EXPECT_EQ(AtPresetPlace("share", error), absl::NotFoundError("f:2: share: it is gone"));
  EXPECT_EQ(AtPresetPlace("workers", error), error);
  EXPECT_EQ(AtPresetPlace("share", absl::OkStatus()), absl::OkStatus());
  Parse({});
  EXPECT_EQ(FlagPlace("share"), "--share") << "its preset is gone";
}

TEST_F(FlagsTest, KnowsWhetherAValueIsTheDefault) {
  const FlagPresets presets = [] {
    return std::vector<FlagPreset>{{.flag = "pages", .value = "", .place = "file: pages"}};
  };
  ASSERT_TRUE(ParseFlags({"--workers=3"}, presets).ok());
  EXPECT_TRUE(IsFlagNamed("workers")) << "also with the value of the default";
  EXPECT_TRUE(IsFlagNamed("pages"));
  EXPECT_FALSE(IsFlagNamed("outbox_bytes"));
  Error({"--outbox_bytes=1k"});
  EXPECT_TRUE(IsFlagNamed("workers")) << "an error changes nothing";
  Parse({});
  EXPECT_FALSE(IsFlagNamed("workers"));
  EXPECT_FALSE(IsFlagNamed("pages"));
}

TEST_F(FlagsTest, AWrongPresetChangesNothing) {
  Parse({"--workers=4"});
  const auto with = [](const std::string& flag, const std::string& value) {
    return [=] { return std::vector<FlagPreset>{{flag, value, "f:1: x." + flag}}; };
  };
  EXPECT_EQ(ParseFlags({"--workers=5"}, with("ping_interval", "5")).status(),
            absl::InvalidArgumentError("f:1: x.ping_interval=5: the value must be a duration such "
                                       "as 5s (units: us, ms, s, m, h)"));
  EXPECT_EQ(ParseFlags({"--workers=5"}, with("colour", "red")).status(),
            absl::InternalError("f:1: x.colour: there is no such flag"));
  EXPECT_EQ(ParseFlags({"--workers=5"}, [] { return absl::NotFoundError("no file"); }).status(),
            absl::NotFoundError("no file"));
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 4);
  EXPECT_EQ(FlagPlace("ping_interval"), "--ping_interval");
}

TEST_F(FlagsTest, HelpAndVersionChangeNothing) {
  EXPECT_TRUE(Parse({"--workers=4", "--help", "--colour"}).wants_help);
  EXPECT_TRUE(Parse({"-h"}).wants_help);
  EXPECT_TRUE(Parse({"--version"}).wants_version);
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 3);
  EXPECT_THAT(Error({"--help=all"}), HasSubstr("takes no value"));
}

TEST_F(FlagsTest, HelpHasEachFlagWithFormDefaultAndText) {
  const std::string help = FormatHelp("prog: does it");
  EXPECT_THAT(help, HasSubstr("prog: does it\n"));
  EXPECT_THAT(help, HasSubstr("  --ping_interval=DURATION  (default: 25s)\n"
                              "      silence after which a client is pinged\n"));
  EXPECT_THAT(help, HasSubstr("  --new_epoch\n      begin a new history\n"));
  EXPECT_THAT(help, HasSubstr("  --pages=TEXT\n"));
  EXPECT_THAT(help, HasSubstr("  --flagfile=FILE\n"));
}

// ---- ParseCommandLine, which may end the process.

std::vector<std::string> ParseMain(std::vector<std::string> arguments, size_t operands_max = 0) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data(), "usage", operands_max);
}

using ParseCommandLineDeathTest = FlagsTest;

TEST_F(ParseCommandLineDeathTest, ReturnsOperandsIfThereIsAPlaceForThem) {
  EXPECT_THAT(ParseMain({"bin/prog", "--workers=4", "one"}, 1), ElementsAre("one"));
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 4);
  EXPECT_EXIT(ParseMain({"bin/prog", "one", "two"}, 1), ::testing::ExitedWithCode(1),
              "prog: \"two\" is not a flag, and there is no place for more arguments");
}

TEST_F(ParseCommandLineDeathTest, RefusesStrayArguments) {
  EXPECT_EXIT(ParseMain({"bin/prog", "stray"}), ::testing::ExitedWithCode(1),
              "prog: \"stray\" is not a flag, and there is no place for other arguments");
  EXPECT_EXIT(ParseMain({"bin/prog", "workers=4"}), ::testing::ExitedWithCode(1),
              "did you mean --workers=4?");
  EXPECT_EXIT(ParseMain({"bin/prog", ""}), ::testing::ExitedWithCode(1),
              "prog: \"\" is not a flag");
}

TEST_F(ParseCommandLineDeathTest, SaysWhatIsWrong) {
  EXPECT_EXIT(ParseMain({"bin/prog", "--workers=x"}), ::testing::ExitedWithCode(1),
              "^prog: --workers=x: the value must be a whole number");
}

TEST_F(ParseCommandLineDeathTest, HelpAndVersionAreNoErrors) {
  EXPECT_EXIT(ParseMain({"bin/prog", "--help"}), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(ParseMain({"bin/prog", "--version"}), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace groupcast::service
