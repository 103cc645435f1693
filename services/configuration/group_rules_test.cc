#include "services/configuration/group_rules.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

// The rules of a file that has `text` in its second line.
absl::StatusOr<std::vector<GroupRule>> Read(
    const std::string& text, std::optional<size_t> message_bytes_max = std::nullopt) {
  const absl::StatusOr<ConfigurationFile> file =
      ConfigurationFile::Parse("f.json", absl::StrCat("{\"group_rules\": [\n", text, "]}"));
  if (!file.ok()) return file.status();
  return ReadGroupRules(*file, message_bytes_max);
}

std::string Error(const std::string& text, std::optional<size_t> message_bytes_max = std::nullopt) {
  const auto rules = Read(text, message_bytes_max);
  EXPECT_EQ(rules.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(rules.status().message());
}

TEST(GroupRulesTest, ARuleHasWhatIsGiven) {
  const auto rules = Read(
      R"({"prefix": "", "history_count": 1}, {"prefix": "a", "history_age": "0s"},
         {"prefix": "b", "message_bytes": 1, "history_age": "8760h"})");
  ASSERT_TRUE(rules.ok()) << rules.status();
  ASSERT_EQ(rules->size(), 3u);
  EXPECT_EQ((*rules)[0].prefix, "");
  EXPECT_EQ((*rules)[0].history_count, 1u);
  EXPECT_EQ((*rules)[0].history_age, std::nullopt);
  EXPECT_EQ((*rules)[0].message_bytes, std::nullopt);
  EXPECT_EQ((*rules)[1].history_age, absl::ZeroDuration());
  EXPECT_EQ((*rules)[2].message_bytes, 1u);
  EXPECT_EQ((*rules)[2].history_age, absl::Hours(8760));
  EXPECT_TRUE(ReadGroupRules(ConfigurationFile())->empty());
}

TEST(GroupRulesTest, ARateOfSendsIsWithinItsBounds) {
  const auto rule = [](const std::string& fields) {
    return absl::StrCat("{\"prefix\": \"\", ", fields, "}");
  };
  for (const char* const rate : {"0.001", "1e6"}) {
    EXPECT_TRUE(Read(rule(absl::StrCat("\"send_rate\": ", rate))).ok()) << rate;
  }
  for (const char* const rate : {"0.0009", "0", "-1", "1000001"}) {
    EXPECT_THAT(Error(rule(absl::StrCat("\"send_rate\": ", rate))),
                testing::AllOf(testing::StartsWith("f.json:2: group_rules[0].send_rate="),
                               testing::EndsWith(" is not between 0.001 and 1000000")));
  }
  const auto rules = Read(rule("\"send_rate\": 0.5, \"send_burst\": 1"));
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ((*rules)[0].send_rate, 0.5);
  EXPECT_EQ((*rules)[0].send_burst, 1);
  EXPECT_EQ(Error(rule("\"send_rate\": 1, \"send_burst\": 0.5")),
            "f.json:2: group_rules[0].send_burst=0.5 is not between 1 and 1000000");
  EXPECT_EQ(Error(rule("\"send_burst\": 5")),
            "f.json:2: group_rules[0].send_burst needs a send_rate");
}

TEST(GroupRulesTest, AnErrorNamesThePlace) {
  EXPECT_EQ(Error("{\"prefix\": \"a\"},\n{}"),
            "f.json:3: group_rules[1] needs a prefix; \"\" is for all groups");
  EXPECT_EQ(Error("{\"prefix\": \"a\"},\n{\"prefix\": \"a\"}"),
            "f.json:3: group_rules[1].prefix is that of group_rules[0] too");
  EXPECT_TRUE(Read(absl::StrCat("{\"prefix\": \"", std::string(128, 'x'), "\"}")).ok());
  EXPECT_EQ(Error(absl::StrCat("{\"prefix\": \"", std::string(129, 'x'), "\"}")),
            "f.json:2: group_rules[0].prefix must have at most 128 bytes");
  EXPECT_EQ(Error("{\"prefix\": \"\",\n\"history_count\": 0}"),
            "f.json:3: group_rules[0].history_count=0 must be above 0");
  EXPECT_EQ(Error("{\"prefix\": \"\", \"history_age\": \"5\"}"),
            "f.json:2: group_rules[0].history_age=5: the value must be a duration such as 5s "
            "(units: us, ms, s, m, h)");
  for (const char* const age : {"-1ns", "8761h", "inf"}) {
    EXPECT_EQ(Error(absl::StrCat("{\"prefix\": \"\", \"history_age\": \"", age, "\"}")),
              "f.json:2: group_rules[0].history_age must not be below 0 or above 8760h");
  }
  EXPECT_EQ(Error("{\"prefix\": \"\", \"message_bytes\": 0}"),
            "f.json:2: group_rules[0].message_bytes=0 is not between 1 and 2^63");
  EXPECT_EQ(Error("{\"prefix\": \"\", \"bytes\": 0}"),
            "f.json:2: group_rules[0].bytes: there is no such field; did you mean message_bytes?");
}

TEST(GroupRulesTest, AMessageMayNotBeAboveTheServicesMaximum) {
  EXPECT_TRUE(Read("{\"prefix\": \"\", \"message_bytes\": 100}", 100).ok());
  EXPECT_EQ(Error("{\"prefix\": \"\", \"message_bytes\": 101}", 100),
            "f.json:2: group_rules[0].message_bytes=101 is not between 1 and 100, which is "
            "max_message_bytes");
}

TEST(GroupRulesTest, TheNumberOfRulesAndOfAgesIsBounded) {
  std::string rules;
  std::string ages;
  for (int i = 0; i < 1'000; ++i) {
    absl::StrAppend(&rules, i == 0 ? "" : ",\n", "{\"prefix\": \"", i, "\"}");
    if (i >= 17) continue;
    // The first age is there twice.
    absl::StrAppend(&ages, i == 0 ? "" : ",\n", "{\"prefix\": \"", i, "\", \"history_age\": \"",
                    std::max(i, 1), "s\"}");
  }
  EXPECT_TRUE(Read(rules).ok());
  EXPECT_EQ(Error(rules + ",\n{\"prefix\": \"x\"}"),
            "f.json:1002: group_rules[1000]: there may be 1000 rules");
  EXPECT_TRUE(Read(ages).ok());
  EXPECT_EQ(Error(ages + ",\n{\"prefix\": \"x\", \"history_age\": \"17s\"}"),
            "f.json:19: group_rules[17].history_age: the rules may have 16 different values of it");
}

}  // namespace
}  // namespace groupcast::service
