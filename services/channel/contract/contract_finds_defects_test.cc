// A check that cannot fail is a defect: for each way in which an engine can be wrong, a case of the
// contract fails.

#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "services/channel/contract/defective_channel.h"

namespace groupcast::service::contract {
namespace {

constexpr absl::string_view kBinary = "services/channel/contract/defective_contract";

struct Verdict {
  int exit_code = -1;  // -1: it did not end by itself
  std::string output;
  std::vector<std::string> failed_cases;
};

Verdict RunContract(absl::string_view defect) {
  Verdict run;
  FILE* const output = popen(absl::StrCat(kBinary, " '", defect, "' 2>&1").c_str(), "r");
  if (output == nullptr) return run;
  char part[4096];
  while (const size_t size = fread(part, 1, sizeof(part), output)) run.output.append(part, size);
  const int status = pclose(output);
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  for (const absl::string_view line : absl::StrSplit(run.output, '\n')) {
    if (!absl::StartsWith(line, "[  FAILED  ] ") || !absl::StrContains(line, "ContractTest.")) {
      continue;
    }
    const absl::string_view name = line.substr(line.find('.') + 1);
    run.failed_cases.emplace_back(name.substr(0, name.find('/')));
    if (absl::StrContains(line, " ms)")) continue;
    run.failed_cases.pop_back();  // the list at the end names it again
  }
  return run;
}

TEST(ContractFindsDefectsTest, AnEngineWithoutADefectPasses) {
  const Verdict run = RunContract("");
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_TRUE(run.failed_cases.empty());
}

class DefectTest : public testing::TestWithParam<absl::string_view> {};

TEST_P(DefectTest, IsFound) {
  const Verdict run = RunContract(GetParam());
  // 1 is a failed test. A crash would be no finding.
  EXPECT_EQ(run.exit_code, 1) << run.output;
  ASSERT_FALSE(run.failed_cases.empty()) << "no case finds an engine that " << GetParam();
  std::string cases;
  for (const std::string& name : run.failed_cases) absl::StrAppend(&cases, " ", name);
  std::printf("an engine that %s:%s\n", std::string(GetParam()).c_str(), cases.c_str());
}

INSTANTIATE_TEST_SUITE_P(All, DefectTest, testing::ValuesIn(Defects()),
                         [](const testing::TestParamInfo<absl::string_view>& info) {
                           std::string name;
                           for (const char letter : info.param) {
                             if (letter != ' ') name += letter;
                           }
                           return name;
                         });

}  // namespace
}  // namespace groupcast::service::contract
