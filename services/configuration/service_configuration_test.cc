#include "services/configuration/service_configuration.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/flags.h"

// The flags of a channel server.
ABSL_FLAG(std::string, bind_address, "127.0.0.1", "");
ABSL_FLAG(int, port, 2206, "");
ABSL_FLAG(std::string, admin_address, "127.0.0.1", "");
ABSL_FLAG(int, admin_port, 9206, "");
ABSL_FLAG(int, subscribe_port, 0, "");
ABSL_FLAG(int, control_port, 0, "");
ABSL_FLAG(std::string, socket_dir, "", "");
ABSL_FLAG(std::string, data_dir, "", "");
ABSL_FLAG(std::string, fsync, "interval", "");
ABSL_FLAG(bool, new_epoch, false, "");
ABSL_FLAG(std::string, ready_file, "", "");
ABSL_FLAG(int64_t, max_message_bytes, 64 * 1024, "");
ABSL_FLAG(int64_t, history_messages, 100, "");
ABSL_FLAG(absl::Duration, history_age, absl::Seconds(300), "");
ABSL_FLAG(absl::Duration, repair_retention, absl::Seconds(60), "");
ABSL_FLAG(int64_t, retained_bytes, 512 << 20, "");
ABSL_FLAG(int, subscriber_queue_frames, 4'000, "");
ABSL_FLAG(absl::Duration, subscriber_patience, absl::Seconds(1), "");
ABSL_FLAG(std::string, curve_secret_key, "", "");
ABSL_FLAG(std::string, curve_allowed_keys, "", "");
ABSL_FLAG(absl::Duration, presence_grace, absl::Seconds(5), "");
ABSL_FLAG(int, io_threads, 1, "");
ABSL_FLAG(std::string, log_level, "info", "");
ABSL_FLAG(std::string, log_format, "text", "");
// Some of a WebSocket service.
ABSL_FLAG(double, commands_per_second, 0, "");
ABSL_FLAG(int, workers, 0, "");
ABSL_FLAG(absl::Duration, stall_timeout, absl::Seconds(10), "");
ABSL_FLAG(absl::Duration, ping_interval, absl::Seconds(25), "");

namespace groupcast::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ServiceConfigurationTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { std::ofstream(path_) << text; }

  absl::Status Read(ServiceConfiguration* service, std::vector<std::string> flags = {}) {
    flags.push_back("--config=" + path_);
    return ParseFlags(flags, [service] { return service->ReadPresets(); }).status();
  }

  const std::string path_ = absl::StrCat(getenv("TEST_TMPDIR"), "/service.json");
  ServiceConfiguration server_{"channel_server"};
  ServiceConfiguration service_{"websocket_service"};
};

TEST_F(ServiceConfigurationTest, ASectionGivesFlagsOfEachTypeTheirValues) {
  Write(R"({"channel_server": {"port": 1, "retained_bytes": 5000000000, "new_epoch": true,
            "history_age": "1m30s", "fsync": "always"},
            "websocket_service": {"port": 2, "workers": 3}})");
  ASSERT_EQ(Read(&server_), absl::OkStatus());
  EXPECT_EQ(absl::GetFlag(FLAGS_port), 1);
  EXPECT_EQ(absl::GetFlag(FLAGS_retained_bytes), 5'000'000'000);
  EXPECT_TRUE(absl::GetFlag(FLAGS_new_epoch));
  EXPECT_EQ(absl::GetFlag(FLAGS_history_age), absl::Seconds(90));
  EXPECT_EQ(absl::GetFlag(FLAGS_fsync), "always");
  EXPECT_EQ(absl::GetFlag(FLAGS_io_threads), 1) << "its default";
  EXPECT_EQ(absl::GetFlag(FLAGS_workers), 0) << "another service's";
  EXPECT_EQ(FlagPlace("port"), path_ + ":1: channel_server.port");
}

TEST_F(ServiceConfigurationTest, ANumberKeepsItsDigits) {
  Write("{\"websocket_service\": {\"commands_per_second\": 0.12345678901234568}}");
  ASSERT_EQ(Read(&service_), absl::OkStatus());
  EXPECT_EQ(absl::GetFlag(FLAGS_commands_per_second), 0.12345678901234568);
}

TEST_F(ServiceConfigurationTest, AFlagOverridesTheFile) {
  Write("{\"channel_server\": {\"port\": 1, \"fsync\": \"always\", \"new_epoch\": true}}");
  ASSERT_EQ(Read(&server_, {"--port=3", "--nonew_epoch"}), absl::OkStatus());
  EXPECT_EQ(absl::GetFlag(FLAGS_port), 3);
  EXPECT_FALSE(absl::GetFlag(FLAGS_new_epoch));
  EXPECT_EQ(absl::GetFlag(FLAGS_fsync), "always");
}

TEST_F(ServiceConfigurationTest, WithoutAFileFlagsAreAsTheyWere) {
  ASSERT_TRUE(ParseFlags({"--port=3"}, [this] { return server_.ReadPresets(); }).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_port), 3);
  EXPECT_EQ(server_.file().path(), "");
}

TEST_F(ServiceConfigurationTest, AnErrorNamesTheFieldAndTheFileOfBeforeStays) {
  Write("{\"channel_server\": {\"port\": 1}}");
  ASSERT_EQ(Read(&server_), absl::OkStatus());
  Write("{\"channel_server\": {\"port\": 2,\n\"history_age\": \"5\"}}");
  EXPECT_EQ(Read(&server_), absl::InvalidArgumentError(absl::StrCat(
                                path_,
                                ":2: channel_server.history_age=5: the value must be a "
                                "duration such as 5s (units: us, ms, s, m, h)")));
  EXPECT_EQ(absl::GetFlag(FLAGS_port), 1);
  Write("{\"channel_server\": {\"prt\": 2}}");
  EXPECT_THAT(std::string(Read(&server_).message()), HasSubstr("did you mean port?"));
  EXPECT_EQ(server_.file().path(), path_);
  EXPECT_EQ(absl::GetFlag(FLAGS_port), 1);
}

TEST_F(ServiceConfigurationTest, TheAnswersAreOneLineOrAFile) {
  Write("{\"channel_server\": {\"port\": 1}, \"websocket_service\": {\"workers\": 3}}");
  ASSERT_EQ(Read(&server_), absl::OkStatus());
  EXPECT_EQ(*server_.Answer(), "");
  ASSERT_EQ(Read(&server_, {"--check_config"}), absl::OkStatus());
  EXPECT_EQ(*server_.Answer(), path_ + ": ok\n");
  ASSERT_TRUE(ParseFlags({"--check_config"}, [this] { return server_.ReadPresets(); }).ok());
  EXPECT_EQ(*server_.Answer(), "the flags: ok\n");

  ASSERT_EQ(Read(&server_, {"--print_config", "--history_age=90s"}), absl::OkStatus());
  const std::string printed = *server_.Answer();
  Write(printed);
  ASSERT_EQ(Read(&server_, {"--print_config"}), absl::OkStatus());
  EXPECT_EQ(*server_.Answer(), printed);
  EXPECT_THAT(printed, HasSubstr("\"workers\": 3"));
  EXPECT_THAT(printed, HasSubstr("\"port\": 1,"));
  EXPECT_THAT(printed, HasSubstr("\"history_age\": \"1m30s\""));
  EXPECT_THAT(printed, HasSubstr("\"io_threads\": 1"));
}

TEST_F(ServiceConfigurationTest, AFieldWithoutAFlagIsAnError) {
  EXPECT_EQ(service_.Effective().status(),
            absl::InternalError("websocket_service.channel has no flag of its type"));
}

TEST_F(ServiceConfigurationTest, NamesWhatARunningServiceKeeps) {
  Write("{\"websocket_service\": {\"port\": 1, \"stall_timeout\": \"60s\"}}");
  ASSERT_EQ(Read(&service_, {"--workers=2"}), absl::OkStatus());
  service_.RememberStart();
  EXPECT_THAT(service_.KeptFields(), IsEmpty());
  Write(
      "{\"websocket_service\": {\"port\": 3, \"stall_timeout\": \"1m\", \"workers\": 4, "
      "\"ping_interval\": \"7s\"}}");
  ASSERT_EQ(Read(&service_, {"--workers=2"}), absl::OkStatus());
  EXPECT_THAT(service_.KeptFields(), ElementsAre("port (1, not 3)"));
  ASSERT_EQ(Read(&service_), absl::OkStatus());
  EXPECT_THAT(service_.KeptFields(), ElementsAre("port (1, not 3)", "workers (2, not 4)"));
}

}  // namespace
}  // namespace groupcast::service
