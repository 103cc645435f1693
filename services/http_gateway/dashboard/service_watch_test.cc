#include "services/http_gateway/dashboard/service_watch.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/http_gateway/dashboard/fake_admin_port.h"

namespace groupcast::service {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

class ServiceWatchTest : public testing::Test {
 protected:
  ServiceWatchTest() {
    port_.Answer("/readyz", 200, "ready");
    port_.Answer("/metrics", 200, "groupcast_connections{worker=\"0\"} 12\n");
  }

  void Watch(ServiceWatchOptions options) {
    watch_ = std::make_unique<ServiceWatch>(std::move(options), loop_.get());
    watch_->OnAnswer([this](const std::string& answer) { answers_.push_back(answer); });
  }
  void Watch() { Watch({.services = {port_.port()}, .timeout = absl::Hours(1)}); }

  // The services of the next answer.
  json::array Services() {
    const size_t before = answers_.size();
    const std::string* const known = watch_->Ask();
    if (known != nullptr) return json::parse(*known).at("services").as_array();
    while (answers_.size() == before) loop_->RunOnce(absl::Seconds(1));
    return json::parse(answers_.back()).at("services").as_array();
  }
  json::object Service() {
    const json::array services = Services();
    EXPECT_EQ(services.size(), 1u);
    return services.at(0).as_object();
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  FakeAdminPort port_{loop_.get()};
  std::unique_ptr<ServiceWatch> watch_;
  std::vector<std::string> answers_;
};

TEST_F(ServiceWatchTest, AServiceThatIsReadyHasItsMetrics) {
  Watch();
  const int64_t before_ms = absl::ToUnixMillis(absl::Now());
  const json::object service = Service();
  EXPECT_EQ(json::serialize(service),
            absl::StrCat("{\"address\":\"", port_.port().text,
                         "\",\"up\":true,\"ready\":true,\"metrics\":{\"groupcast_connections\":"
                         "[{\"labels\":{\"worker\":\"0\"},\"value\":12}]}}"));
  const int64_t at = json::parse(answers_.back()).at("at").to_number<int64_t>();
  EXPECT_GE(at, before_ms);
  EXPECT_LE(at, absl::ToUnixMillis(absl::Now()));
}

TEST_F(ServiceWatchTest, AServiceThatIsNotReadySaysWhy) {
  port_.Answer("/readyz", 503, "The channel is away.\n");
  Watch();
  const json::object service = Service();
  EXPECT_TRUE(service.at("up").as_bool());
  EXPECT_FALSE(service.at("ready").as_bool());
  EXPECT_EQ(service.at("reason"), "The channel is away.");
  EXPECT_TRUE(service.contains("metrics"));
}

TEST_F(ServiceWatchTest, AServiceThatIsGoneIsNotUp) {
  Watch();
  port_.Close();
  const json::object service = Service();
  EXPECT_FALSE(service.at("up").as_bool());
  EXPECT_FALSE(service.at("ready").as_bool());
  EXPECT_EQ(service.at("reason"), "nothing listens there");
  EXPECT_FALSE(service.contains("metrics"));
}

TEST_F(ServiceWatchTest, AServiceThatIsSilentEndsItsRoundAlone) {
  FakeAdminPort silent(loop_.get());
  Watch({.services = {silent.port(), port_.port()}, .timeout = absl::Milliseconds(100)});
  const json::array services = Services();
  EXPECT_FALSE(services.at(0).at("up").as_bool());
  EXPECT_EQ(services.at(0).at("reason"), "it did not answer within 100ms");
  EXPECT_TRUE(services.at(1).at("up").as_bool());
}

TEST_F(ServiceWatchTest, MetricsThatCannotBeUsedHaveAReason) {
  port_.Answer("/metrics", 200, "<html>");
  Watch({.services = {port_.port()}, .interval = absl::ZeroDuration()});
  EXPECT_EQ(Service().at("reason"), "line 1 of the metrics is no sample");
  port_.Answer("/metrics", 404, "");
  const json::object service = Service();
  EXPECT_TRUE(service.at("ready").as_bool());
  EXPECT_EQ(service.at("reason"), "its /metrics has the status 404");
  EXPECT_FALSE(service.contains("metrics"));
}

TEST_F(ServiceWatchTest, AllMetricsTogetherHaveABound) {
  FakeAdminPort second(loop_.get());
  second.Answer("/readyz", 200, "ready");
  second.Answer("/metrics", 200, "groupcast_x 1\n");
  Watch({.services = {port_.port(), second.port()},
         .timeout = absl::Hours(1),
         .metrics_bytes_max = 50,
         .total_bytes_max = 80});
  const json::array services = Services();
  EXPECT_TRUE(services.at(0).as_object().contains("metrics"));
  EXPECT_FALSE(services.at(1).as_object().contains("metrics"));
  EXPECT_EQ(services.at(1).at("reason"), "the metrics of all services together are too large");
  port_.Answer("/metrics", 200, std::string(51, '#'));
  Watch({.services = {port_.port()}, .timeout = absl::Hours(1), .metrics_bytes_max = 50});
  EXPECT_EQ(Service().at("reason"), "its answer has more than 50 bytes");
}

TEST_F(ServiceWatchTest, AllWhoAskShareARoundAndItsAnswer) {
  Watch({.services = {port_.port()}, .timeout = absl::Hours(1), .interval = absl::Hours(1)});
  EXPECT_EQ(watch_->Ask(), nullptr);
  EXPECT_EQ(watch_->Ask(), nullptr);
  while (answers_.empty()) loop_->RunOnce(absl::Seconds(1));
  const std::string* const known = watch_->Ask();
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(*known, answers_[0]);
  EXPECT_EQ(port_.requests().size(), 2u);  // /readyz and /metrics, once
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(ServiceWatchTest, AnOldAnswerIsNotGivenAgain) {
  Watch({.services = {port_.port()}, .timeout = absl::Hours(1), .interval = absl::ZeroDuration()});
  Service();
  port_.Answer("/metrics", 200, "groupcast_connections 13\n");
  EXPECT_THAT(json::serialize(Service()), HasSubstr("\"value\":13"));
}

TEST_F(ServiceWatchTest, NoServicesAreAnAnswerToo) {
  Watch({});
  ASSERT_NE(watch_->Ask(), nullptr);
  EXPECT_THAT(*watch_->Ask(), HasSubstr("\"services\":[]}"));
}

TEST_F(ServiceWatchTest, MayEndDuringARound) {
  Watch({.services = {port_.port()}, .timeout = absl::ZeroDuration()});
  EXPECT_EQ(watch_->Ask(), nullptr);
  watch_.reset();
  for (int i = 0; i < 5; ++i) loop_->RunOnce(absl::Milliseconds(1));
  EXPECT_TRUE(answers_.empty());
}

TEST(ServiceAddressesTest, AreAddressesWithPorts) {
  const auto ports = ReadServiceAddresses("x", "127.0.0.1:9234, localhost:9206,[::1]:9280");
  ASSERT_TRUE(ports.ok()) << ports.status();
  ASSERT_EQ(ports->size(), 3u);
  EXPECT_EQ((*ports)[0].text, "127.0.0.1:9234");
  EXPECT_EQ((*ports)[1].address, *IpAddress::Parse("127.0.0.1"));
  EXPECT_EQ((*ports)[1].port, 9206);
  EXPECT_EQ((*ports)[2].address, *IpAddress::Parse("::1"));
  EXPECT_TRUE(ReadServiceAddresses("x", " ").value().empty());
}

TEST(ServiceAddressesTest, AServiceIsThereOnce) {
  std::vector<ServiceAddress> services = *ReadServiceAddresses("x", "localhost:9280");
  AddService(ReadServiceAddresses("x", "127.0.0.1:9280")->front(), &services);
  EXPECT_EQ(services.size(), 1u);
  AddService(ReadServiceAddresses("x", "127.0.0.1:9281")->front(), &services);
  ASSERT_EQ(services.size(), 2u);
  EXPECT_EQ(services[1].text, "127.0.0.1:9281");
}

TEST(ServiceAddressesTest, AWrongEntryIsNamed) {
  for (const char* entry : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":9234",
                            "host.example:9234", "::1:9234", "127.0.0.1:x", "[::1:9", ","}) {
    EXPECT_EQ(ReadServiceAddresses("x", entry).status().code(), absl::StatusCode::kInvalidArgument)
        << entry;
  }
  EXPECT_EQ(ReadServiceAddresses("--dashboard_services", "127.0.0.1:1,nowhere").status().message(),
            "--dashboard_services: \"nowhere\" is no admin port; an entry is an IP address or "
            "localhost, and a port, such as 127.0.0.1:9234 or [2001:db8::1]:9234");
  std::string many = "127.0.0.1:1";
  for (int i = 1; i < 64; ++i) many += ",127.0.0.1:1";
  EXPECT_TRUE(ReadServiceAddresses("x", many).ok());
  EXPECT_EQ(ReadServiceAddresses("x", many + ",127.0.0.1:1").status().message(),
            "x has more than 64 services");
}

}  // namespace
}  // namespace groupcast::service
