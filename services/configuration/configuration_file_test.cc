#include "services/configuration/configuration_file.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

using ::testing::HasSubstr;

ConfigurationFile Parse(absl::string_view text) {
  const absl::StatusOr<ConfigurationFile> file = ConfigurationFile::Parse("f.json", text);
  EXPECT_TRUE(file.ok()) << file.status();
  return file.value_or(ConfigurationFile());
}

std::string Error(absl::string_view text) {
  const absl::Status status = ConfigurationFile::Parse("f.json", text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

// A file whose second line has this in the section of the WebSocket service.
std::string InSection(absl::string_view line) {
  return absl::StrCat("{\"websocket_service\": {\n", line, "\n}}");
}

TEST(ConfigurationFileTest, WhatIsThereIsSetAndTheRestIsNot) {
  const ConfigurationFile file = Parse(R"({
    "websocket_service": {"port": 0, "channel": "unix:\u002ftmp", "outbox_bytes": 5000000000},
    "channel_server": {"new_epoch": true}
  })");
  EXPECT_EQ(file.path(), "f.json");
  const configuration::v1::WebSocketService& service = file.values().websocket_service();
  EXPECT_TRUE(service.has_port());
  EXPECT_EQ(service.port(), 0);
  EXPECT_EQ(service.channel(), "unix:/tmp");
  EXPECT_EQ(service.outbox_bytes(), 5'000'000'000);
  EXPECT_FALSE(service.has_workers());
  EXPECT_TRUE(file.values().channel_server().new_epoch());
}

TEST(ConfigurationFileTest, AnEmptyObjectHasNoValues) {
  EXPECT_FALSE(Parse("{}").values().has_websocket_service());
  EXPECT_TRUE(Parse("{\"channel_server\": {}}").values().has_channel_server());
}

TEST(ConfigurationFileTest, ALineThatBeginsWithTwoSlashesIsAComment) {
  const ConfigurationFile file = Parse(
      "// first\n{\n\t // \"port\": 1,\n\"websocket_service\": {\r\n  //\r\n"
      "\"channel\": \"x//y\"\n}}\n// last");
  EXPECT_EQ(file.values().websocket_service().channel(), "x//y");
  EXPECT_EQ(file.Place("websocket_service.channel"), "f.json:6: websocket_service.channel")
      << "comments count as lines";
  EXPECT_THAT(Error(InSection("\"port\": 1 // one")), HasSubstr("f.json:2: this is not JSON"));
  EXPECT_THAT(Error(InSection("# one")), HasSubstr("f.json:2: this is not JSON"));
}

TEST(ConfigurationFileTest, APlaceNamesFileLineAndField) {
  const ConfigurationFile file = Parse(InSection("\"port\": 1"));
  EXPECT_EQ(file.Place("websocket_service.port"), "f.json:2: websocket_service.port");
  EXPECT_EQ(file.Place("websocket_service"), "f.json:1: websocket_service");
  EXPECT_EQ(file.Place("channel_server.port"), "f.json: channel_server.port");
}

TEST(ConfigurationFileTest, AnUnknownFieldNamesTheNearest) {
  EXPECT_EQ(Error(InSection("\"ping_intervall\": \"5s\"")),
            "f.json:2: websocket_service.ping_intervall: there is no such field; did you mean "
            "ping_interval?");
  EXPECT_THAT(Error(InSection("\"bindAddress\": \"::1\"")),
              HasSubstr("websocket_service.bindAddress: there is no such field; did you mean "
                        "bind_address?"));
  EXPECT_THAT(Error("{\"web_socket_service\": {}}"), HasSubstr("did you mean websocket_service?"));
  EXPECT_THAT(
      Error("{\"colour\": 1}"),
      HasSubstr("f.json:1: colour: there is no such field; there "
                "are websocket_service, channel_server, group_rules, http_gateway, api_keys"));
  EXPECT_THAT(Error("{\"port\": 1}"), HasSubstr("port: there is no such field"));
}

TEST(ConfigurationFileTest, AWrongTypeNamesTheRightOne) {
  for (const char* const value : {"\"1\"", "1.0", "1e3", "2147483648", "-2147483649",
                                  "99999999999999999999", "true", "null", "[1]", "{}"}) {
    EXPECT_EQ(Error(InSection(absl::StrCat("\"port\": ", value))),
              "f.json:2: websocket_service.port must be a whole number below 2^31")
        << value;
  }
  for (const char* const value : {"\"1\"", "0.5", "18446744073709551615", "null"}) {
    EXPECT_EQ(Error(InSection(absl::StrCat("\"outbox_bytes\": ", value))),
              "f.json:2: websocket_service.outbox_bytes must be a whole number below 2^63")
        << value;
  }
  for (const char* const value : {"\"1\"", "true", "null", "9007199254740993", "1.8e308"}) {
    EXPECT_EQ(Error(InSection(absl::StrCat("\"command_burst\": ", value))),
              "f.json:2: websocket_service.command_burst must be a number such as 0.5")
        << value;
  }
  for (const char* const value : {"5", "false", "null", "[\"5s\"]", "{}"}) {
    EXPECT_EQ(Error(InSection(absl::StrCat("\"ping_interval\": ", value))),
              "f.json:2: websocket_service.ping_interval must be a text in quotes")
        << value;
  }
  for (const char* const value : {"1", "\"true\"", "null"}) {
    EXPECT_EQ(Error(absl::StrCat("{\"channel_server\":\n\n{\"new_epoch\": ", value, "}}")),
              "f.json:3: channel_server.new_epoch must be true or false")
        << value;
  }
  for (const char* const value : {"1", "\"x\"", "[]", "[{}]", "null"}) {
    EXPECT_EQ(Error(absl::StrCat("{\"channel_server\": ", value, "}")),
              "f.json:1: channel_server must be an object: {...}")
        << value;
  }
  for (const char* const text : {"1", "\"x\"", "[]", "true", "null", "1.5"}) {
    EXPECT_EQ(Error(text), "f.json:1: the file must have one object: {...}") << text;
  }
}

TEST(ConfigurationFileTest, AFieldMayStandThereOnce) {
  EXPECT_EQ(Error(InSection("\"port\": 1,\n\"port\": 1")),
            "f.json:3: websocket_service.port: this field is there twice");
  EXPECT_EQ(Error("{\"channel_server\": {},\n\"channel_server\": {}}"),
            "f.json:2: channel_server: this field is there twice");
}

TEST(ConfigurationFileTest, WhatIsNotJsonNamesItsLine) {
  EXPECT_THAT(Error(""), HasSubstr("f.json:1: this is not JSON: "));
  EXPECT_THAT(Error("{\n\n"), HasSubstr("f.json:3: this is not JSON: "));
  EXPECT_THAT(Error(InSection("\"port\": 1,")), HasSubstr("f.json:3: this is not JSON: "));
  EXPECT_THAT(Error(InSection("port: 1")), HasSubstr("f.json:2: this is not JSON: "));
  EXPECT_THAT(Error(InSection("'port': 1")), HasSubstr("f.json:2: this is not JSON: "));
  EXPECT_THAT(Error(InSection("\"channel\": \"two\nlines\"")), HasSubstr("f.json:2: this is not"));
  EXPECT_THAT(Error(InSection("\"channel\": \"\xff\"")), HasSubstr("f.json:2: this is not JSON: "));
  EXPECT_THAT(Error("{}\n{}"), HasSubstr("f.json:2: this is not JSON: "));
  EXPECT_THAT(Error("{}}"), HasSubstr("f.json:1: this is not JSON: "));
  EXPECT_THAT(Error(std::string(10'000, '[')), HasSubstr("f.json:1: "));
  EXPECT_EQ(Parse("{}\n\n  \n").path(), "f.json");
}

// ---- Files

std::string WriteTemp(absl::string_view text) {
  std::string path = absl::StrCat(getenv("TEST_TMPDIR"), "/configuration.json");
  std::ofstream(path) << text;
  return path;
}

TEST(ConfigurationFileReadTest, ReadsAFile) {
  const std::string path = WriteTemp("{\"channel_server\":\n{\"port\": 1}}\n");
  const absl::StatusOr<ConfigurationFile> file = ConfigurationFile::Read(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->values().channel_server().port(), 1);
  EXPECT_EQ(file->Place("channel_server.port"), absl::StrCat(path, ":2: channel_server.port"));
}

TEST(ConfigurationFileReadTest, AFileThatCannotBeReadIsNamed) {
  EXPECT_EQ(ConfigurationFile::Read("/no/such/file").status(),
            absl::InvalidArgumentError("--config=/no/such/file: there is no such file to read"));
  const std::string directory = getenv("TEST_TMPDIR");
  EXPECT_EQ(
      ConfigurationFile::Read(directory).status(),
      absl::InvalidArgumentError(absl::StrCat("--config=", directory, ": it cannot be read")));
  const std::string most = absl::StrCat("{}", std::string(ConfigurationFile::kBytesMax - 2, ' '));
  EXPECT_TRUE(ConfigurationFile::Read(WriteTemp(most)).ok());
  const std::string path = WriteTemp(most + " ");
  EXPECT_EQ(ConfigurationFile::Read(path).status(),
            absl::InvalidArgumentError(
                absl::StrCat("--config=", path, ": it must have at most 1048576 bytes")));
}

// ---- FormatConfiguration

TEST(FormatConfigurationTest, WhatItWritesReadsAsTheSame) {
  const ConfigurationFile file = Parse(R"({
    "websocket_service": {"port": -1, "pages": "\"\\\u0001/ü", "held_bytes": 9223372036854775807,
                          "commands_per_second": 0.1, "command_burst": 2e2},
    "channel_server": {"new_epoch": false, "history_age": "1m30s"}
  })");
  const std::string text = FormatConfiguration(file.values());
  EXPECT_EQ(text, R"({
  "websocket_service": {
    "port": -1,
    "pages": "\"\\\u0001/ü",
    "commands_per_second": 0.1,
    "command_burst": 200,
    "held_bytes": 9223372036854775807
  },
  "channel_server": {
    "new_epoch": false,
    "history_age": "1m30s"
  }
}
)");
  EXPECT_EQ(Parse(text).values().SerializeAsString(), file.values().SerializeAsString());
  EXPECT_EQ(FormatConfiguration(configuration::v1::Configuration()), "{}\n");
}

// ---- The example

// Appends the fields of a message that the file does not have, also in the first element of lists.
void AppendMissing(const ConfigurationFile& file, const google::protobuf::Descriptor& message,
                   const std::string& path, std::vector<std::string>* missing) {
  for (int i = 0; i < message.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *message.field(i);
    const std::string name = path + field.name();
    // A field that is there has a line.
    const bool has_line = file.Place(name) != absl::StrCat(file.path(), ": ", name);
    if (!has_line) missing->push_back(name);
    if (field.message_type() == nullptr) continue;
    AppendMissing(file, *field.message_type(), name + (field.is_repeated() ? "[0]." : "."),
                  missing);
  }
}

TEST(ExampleTest, HasEveryField) {
  const absl::StatusOr<ConfigurationFile> example =
      ConfigurationFile::Read("docs/groupcast.example.json");
  ASSERT_TRUE(example.ok()) << example.status();
  std::vector<std::string> missing;
  AppendMissing(*example, *configuration::v1::Configuration::descriptor(), "", &missing);
  EXPECT_THAT(missing, ::testing::IsEmpty());
}

}  // namespace
}  // namespace groupcast::service
