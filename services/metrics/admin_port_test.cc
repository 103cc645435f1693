#include "services/metrics/admin_port.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/flags.h"
#include "services/common/listener.h"
#include "services/common/log_capture.h"

// As each program defines it.
ABSL_FLAG(int, admin_port, 9999, "port");

namespace groupcast::service {
namespace {

using ::testing::StartsWith;

// A port is in use.
class AdminPortTest : public ::testing::Test {
 protected:
  int used() const { return used_->port; }

  // With these arguments. The default port is `default_port`.
  absl::StatusOr<std::optional<AdminPort>> Open(int default_port,
                                                const std::vector<std::string>& arguments,
                                                const FlagPresets& presets = nullptr) {
    const absl::StatusOr<CommandLine> line = ParseFlags(arguments, presets);
    EXPECT_TRUE(line.ok()) << line.status();
    const int port = IsFlagNamed("admin_port") ? absl::GetFlag(FLAGS_admin_port) : default_port;
    return OpenAdminPort(*ReadAdminPlace(port, service_port_));
  }

  int service_port_ = 1'234;
  std::optional<Listeners> used_ = *OpenListeners("127.0.0.1", 0, 1);
  LogCapture log_;
};

TEST_F(AdminPortTest, TheServiceGoesOnWithoutTheDefaultPort) {
  const absl::StatusOr<std::optional<AdminPort>> port = Open(used(), {});
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_FALSE(port->has_value());
  EXPECT_EQ(log_.Count("NO METRICS"), 1);
  EXPECT_EQ(log_.Count(absl::StrCat("cannot listen on 127.0.0.1:", used(),
                                    ": Address already in use. It is the default")),
            1);
  EXPECT_EQ(log_.Count("--admin_port=PORT"), 1);
}

TEST_F(AdminPortTest, ANamedPortInUseIsAnError) {
  const std::string argument = absl::StrCat("--admin_port=", used());
  absl::Status status = Open(/*default_port=*/9'999, {argument}).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(std::string(status.message()), StartsWith("--admin_port: cannot listen on "));
  status = Open(/*default_port=*/used(), {argument}).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << "also if it names the default";
  const FlagPresets file = [this] {
    return std::vector<FlagPreset>{
        {.flag = "admin_port", .value = absl::StrCat(used()), .place = "file: admin_port"}};
  };
  status = Open(/*default_port=*/used(), {}, file).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(std::string(status.message()), StartsWith("file: admin_port: cannot listen on "));
  EXPECT_EQ(log_.Count("NO METRICS"), 0);
}

TEST_F(AdminPortTest, AnotherErrorIsOneForTheDefaultPortToo) {
  // Of no interface (RFC 5737).
  const absl::Status status = Open(used(), {"--admin_address=192.0.2.1"}).status();
  EXPECT_THAT(std::string(status.message()), StartsWith("--admin_port: cannot listen on "));
}

TEST_F(AdminPortTest, WithAFreeServicePortTheDefaultIsAFreePortAndANamedOneStays) {
  service_port_ = 0;
  const absl::StatusOr<std::optional<AdminPort>> port = Open(used(), {});
  ASSERT_TRUE(port.ok()) << port.status();
  ASSERT_TRUE(port->has_value());
  EXPECT_NE((*port)->port, used());
  const std::string argument = absl::StrCat("--admin_port=", used());
  EXPECT_TRUE(absl::IsAlreadyExists(Open(used(), {argument}).status()));
}

TEST_F(AdminPortTest, OpensTheDefaultPortIfItIsFree) {
  const int free = used();
  used_.reset();
  const absl::StatusOr<std::optional<AdminPort>> port = Open(free, {});
  ASSERT_TRUE(port.ok()) << port.status();
  ASSERT_TRUE(port->has_value());
  EXPECT_EQ((*port)->port, free);
}

}  // namespace
}  // namespace groupcast::service
