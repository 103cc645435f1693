#include "services/configuration/json_check.h"

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "services/configuration/configuration_file.h"
#include "services/configuration/testing/sample.pb.h"

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

using Lines = std::map<std::string, int, std::less<>>;

configuration::testing::Sample Sample() {
  configuration::testing::Sample sample;
  sample.set_name("n");
  sample.set_password("p");
  sample.add_words("one");
  sample.add_words("two");
  sample.add_entries()->set_on(true);
  sample.add_entries()->mutable_inner();
  return sample;
}

absl::Status Check(absl::string_view text) {
  Lines lines;
  return CheckJson(text, *configuration::testing::Sample::descriptor(), &lines);
}

TEST(JsonCheckTest, ListsHaveElementsByNumber) {
  Lines lines;
  EXPECT_EQ(CheckJson("{\"entries\": [{\"on\": true},\n{\"inner\": {\"on\": true}}],\n"
                      "\"words\": [\"a\"]}",
                      *configuration::testing::Sample::descriptor(), &lines),
            absl::OkStatus());
  EXPECT_THAT(lines,
              ElementsAre(Pair("entries", 1), Pair("entries[0]", 1), Pair("entries[0].on", 1),
                          Pair("entries[1]", 2), Pair("entries[1].inner", 2),
                          Pair("entries[1].inner.on", 2), Pair("words", 3)));
}

TEST(JsonCheckTest, AnErrorInAListNamesTheElement) {
  EXPECT_EQ(
      Check("{\"entries\": [{}, {\n\"onn\": 1}]}"),
      absl::InvalidArgumentError("2: entries[1].onn: there is no such field; did you mean on?"));
  EXPECT_EQ(Check("{\"entries\": [{}, {\"inner\": {\"on\": 1}}]}"),
            absl::InvalidArgumentError("1: entries[1].inner.on must be true or false"));
  EXPECT_EQ(Check("{\"entries\": [{}, 1]}"),
            absl::InvalidArgumentError("1: entries[1] must be an object: {...}"));
  EXPECT_EQ(Check("{\"words\": [\"a\", [\"b\"]]}"),
            absl::InvalidArgumentError("1: words[1] must be a text in quotes"));
  EXPECT_EQ(Check("{\"words\": \"a\"}"),
            absl::InvalidArgumentError("1: words must be a list: [...]"));
  EXPECT_EQ(Check("{\"entries\": {}}"),
            absl::InvalidArgumentError("1: entries must be a list: [...]"));
}

TEST(JsonCheckTest, AnObjectMayBeInEachElementOnce) {
  EXPECT_EQ(Check("{\"entries\": [{\"on\": true}, {\"on\": true}]}"), absl::OkStatus());
  EXPECT_EQ(Check("{\"entries\": [{\"on\": true, \"on\": true}]}"),
            absl::InvalidArgumentError("1: entries[0].on: this field is there twice"));
}

TEST(JsonCheckTest, DepthIsBounded) {
  std::string text = "{\"entries\": [";
  for (int i = 0; i < 14; ++i) text += "{\"inner\": ";
  EXPECT_TRUE(absl::StrContains(Check(text + "{").message(), "too deep")) << Check(text + "{");
}

TEST(JsonCheckTest, WhatIsHiddenIsNoSecret) {
  EXPECT_EQ(Check("{\"name\": \"(hidden)\", \"password\": \"x\"}"), absl::OkStatus());
  EXPECT_EQ(Check("{\n\"password\": \"(hidden)\"}"),
            absl::InvalidArgumentError("2: password is hidden: the file needs the secret itself"));
}

// The printed form of fields that today's configuration does not have.
TEST(JsonCheckTest, PrintedListsReadAsTheSameAndSecretsAreHidden) {
  configuration::testing::Sample sample = Sample();
  EXPECT_EQ(FormatConfiguration(sample), R"json({
  "name": "n",
  "password": "(hidden)",
  "entries": [
    {
      "on": true
    },
    {
      "inner": {}
    }
  ],
  "words": [
    "one",
    "two"
  ]
}
)json");
  sample.clear_password();
  const std::string text = FormatConfiguration(sample);
  EXPECT_EQ(Check(text), absl::OkStatus());
  configuration::testing::Sample read;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &read).ok());
  EXPECT_EQ(read.SerializeAsString(), sample.SerializeAsString());
  sample.set_password("");
  EXPECT_TRUE(absl::StrContains(FormatConfiguration(sample), "\"password\": \"\""))
      << "an empty secret is none";
}

}  // namespace
}  // namespace groupcast::service
