// The metrics of websocket_service and http_gateway: every family is there, and counts are exact.

#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/metrics/scrape.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

namespace groupcast::tests {
namespace {

using ::testing::Contains;
using ::testing::Pair;

using Types = std::vector<std::pair<std::string, std::string>>;

// Of both services.
const Types& CommonTypes() {
  static const auto& types = *new Types{{"groupcast_build_info", "gauge"},
                                        {"groupcast_workers", "gauge"},
                                        {"groupcast_worker_restarts_total", "counter"},
                                        {"groupcast_connections", "gauge"},
                                        {"groupcast_groups", "gauge"},
                                        {"groupcast_memberships", "gauge"},
                                        {"groupcast_commands_total", "counter"},
                                        {"groupcast_publications_total", "counter"},
                                        {"groupcast_messages_total", "counter"},
                                        {"groupcast_deliveries_total", "counter"},
                                        {"groupcast_received_bytes_total", "counter"},
                                        {"groupcast_sent_bytes_total", "counter"},
                                        {"groupcast_outbox_bytes", "gauge"},
                                        {"groupcast_slow_consumer_closes_total", "counter"},
                                        {"groupcast_errors_total", "counter"},
                                        {"groupcast_closes_total", "counter"},
                                        {"groupcast_limit_hits_total", "counter"},
                                        {"groupcast_gaps_total", "counter"},
                                        {"groupcast_recoveries_total", "counter"},
                                        {"groupcast_repairs_total", "counter"},
                                        {"groupcast_digests_behind_total", "counter"},
                                        {"groupcast_window_bytes", "gauge"},
                                        {"groupcast_window_limit_bytes", "gauge"},
                                        {"groupcast_channel_connected", "gauge"},
                                        {"groupcast_turn_seconds", "histogram"},
                                        {"groupcast_delivery_latency_seconds", "histogram"},
                                        {"groupcast_log_lines_dropped_total", "counter"},
                                        {"groupcast_cpu_seconds_total", "counter"},
                                        {"groupcast_resident_memory_bytes", "gauge"},
                                        {"groupcast_open_files", "gauge"}};
  return types;
}

TEST(MetricsTest, TheWebSocketServiceHasEveryFamily) {
  const Groupcast groupcast(/*workers=*/2);
  const Scrape metrics = ScrapeMetrics(groupcast.service.admin_port());
  for (const auto& type : CommonTypes())
    EXPECT_THAT(metrics.types, Contains(Pair(type.first, type.second)));
  EXPECT_EQ(metrics.types.size(), CommonTypes().size()) << "one is new";
  EXPECT_EQ(metrics.Sum("groupcast_build_info service=\"websocket_service\" version="), 1);
  EXPECT_EQ(metrics.Sum("groupcast_workers state=\"ready\""), 2);
  EXPECT_EQ(metrics.Sum("groupcast_channel_connected worker=\"1\""), 1);
  EXPECT_EQ(metrics.Sum("groupcast_channel_connected worker=\"2\""), 1);
  EXPECT_GT(metrics.Sum("groupcast_resident_memory_bytes worker=\"2\""), 1 << 20);
  EXPECT_GT(metrics.Sum("groupcast_open_files worker=\"2\""), 5);
  EXPECT_EQ(metrics.Sum("groupcast_window_limit_bytes worker=\"1\""), 64 << 20);
}

TEST(MetricsTest, TheGatewayHasEveryFamily) {
  ChannelServer channel;
  const HttpGateway gateway(channel);
  const Scrape metrics = ScrapeMetrics(gateway.admin_port());
  Types types = CommonTypes();
  types.insert(types.end(), {{"groupcast_streams", "gauge"},
                             {"groupcast_requests_total", "counter"},
                             {"groupcast_requests_refused_total", "counter"}});
  for (const auto& type : types)
    EXPECT_THAT(metrics.types, Contains(Pair(type.first, type.second)));
  EXPECT_EQ(metrics.types.size(), types.size()) << "one is new";
  EXPECT_EQ(metrics.Sum("groupcast_build_info service=\"http_gateway\" version="), 1);
}

// Members of one group who have had messages.
class TrafficTest : public ::testing::Test {
 protected:
  static constexpr int kMembers = 3;
  static constexpr int kMessages = 10;
  static constexpr int kMessageBytes = 1'000;

  void MakeTraffic() {
    for (int i = 0; i < kMembers; ++i) {
      members_.push_back(std::make_unique<TestClient>(groupcast_.service.port(), Mode::kV1));
      members_.back()->Join("traffic");
    }
    const std::string text(kMessageBytes, 'x');
    for (int i = 0; i < kMessages; ++i) {
      members_[0]->Send(
          absl::StrCat(R"({"cmd":"send_to_group","group_id":"traffic","message":")", text, "\"}"));
    }
    for (const std::unique_ptr<TestClient>& member : members_) {
      for (int i = 0; i < kMessages; ++i) {
        ASSERT_EQ(member->NextEvent().name(), "message");
      }
    }
  }
  void Await(absl::string_view series, double value) {
    AwaitMetric(groupcast_.service.admin_port(), series, value);
  }
  // The latencies are the last numbers that a worker writes, so all others are there too.
  void AwaitReport() { Await("groupcast_delivery_latency_seconds_count", kMessages); }
  Scrape Now() { return ScrapeMetrics(groupcast_.service.admin_port()); }

  Groupcast groupcast_{/*workers=*/1};
  std::vector<std::unique_ptr<TestClient>> members_;
};

TEST_F(TrafficTest, CountsAreExact) {
  MakeTraffic();
  AwaitReport();
  const Scrape metrics = Now();
  EXPECT_EQ(metrics.Sum("groupcast_deliveries_total"), kMembers * kMessages);
  EXPECT_EQ(metrics.Sum("groupcast_connections"), kMembers);
  EXPECT_EQ(metrics.Sum("groupcast_groups"), 1);
  EXPECT_EQ(metrics.Sum("groupcast_memberships"), kMembers);
  EXPECT_EQ(metrics.Sum("groupcast_commands_total"), kMembers + kMessages);
  EXPECT_EQ(metrics.Sum("groupcast_publications_total"), kMessages);
  EXPECT_EQ(metrics.Sum("groupcast_messages_total"), kMessages);
  EXPECT_EQ(metrics.Sum("groupcast_delivery_latency_seconds_count"), kMessages)
      << "once for each message and worker";
  EXPECT_GE(metrics.Sum("groupcast_turn_seconds_count"), kMessages / 10);
  EXPECT_GT(metrics.Sum("groupcast_turn_seconds_sum"), 0);
  EXPECT_GE(metrics.Sum("groupcast_received_bytes_total"), kMessages * kMessageBytes);
  EXPECT_LT(metrics.Sum("groupcast_received_bytes_total"), 2 * kMessages * kMessageBytes);
  EXPECT_GE(metrics.Sum("groupcast_sent_bytes_total"), kMembers * kMessages * kMessageBytes);
  EXPECT_LT(metrics.Sum("groupcast_sent_bytes_total"), 2 * kMembers * kMessages * kMessageBytes);
  EXPECT_EQ(metrics.Sum("groupcast_errors_total"), 0);
  EXPECT_EQ(metrics.Sum("groupcast_closes_total"), 0);
  Await("groupcast_window_bytes", 0);
}

TEST_F(TrafficTest, ErrorsAndClosesHaveTheirCodes) {
  MakeTraffic();
  members_[0]->Send("{");
  members_[0]->NextEvent();
  members_[0]->Send(R"({"cmd":"add_group","group_id":""})");
  members_[0]->NextEvent();
  members_[0]->Send(R"({"cmd":"add_group","group_id":""})");
  members_[0]->NextEvent();
  members_[0]->raw().Write(CloseFrame(1000));
  EXPECT_EQ(members_[0]->WaitForEnd().close_code, 1000);
  members_[1]->raw().Write(TextFrame("\xff"));
  EXPECT_EQ(members_[1]->WaitForEnd().close_code, 1007);
  members_[2]->raw().Close();
  Await("groupcast_closes_total", 3);
  const Scrape metrics = Now();
  EXPECT_EQ(metrics.Sum("groupcast_errors_total code=\"bad_json\""), 1);
  EXPECT_EQ(metrics.Sum("groupcast_errors_total code=\"group_id_invalid\""), 2);
  EXPECT_EQ(metrics.Sum("groupcast_errors_total"), 3);
  EXPECT_EQ(metrics.Sum("groupcast_closes_total code=\"1000\""), 1);
  EXPECT_EQ(metrics.Sum("groupcast_closes_total code=\"1007\""), 1);
  EXPECT_EQ(metrics.Sum("groupcast_closes_total code=\"1006\""), 1);
  EXPECT_EQ(metrics.Sum("groupcast_closes_total"), 3);
  EXPECT_EQ(metrics.Sum("groupcast_connections"), 0);
  EXPECT_EQ(metrics.Sum("groupcast_memberships"), 0);
}

TEST_F(TrafficTest, TotalsOutliveAKilledWorker) {
  MakeTraffic();
  AwaitReport();
  const double cpu_before = Now().Sum("groupcast_cpu_seconds_total");
  kill(groupcast_.service.WorkerPids().at(0), SIGKILL);
  Await("groupcast_worker_restarts_total", 1);
  Await("groupcast_workers state=\"ready\"", 1);
  const Scrape after = Now();
  EXPECT_EQ(after.Sum("groupcast_deliveries_total"), kMembers * kMessages);
  EXPECT_EQ(after.Sum("groupcast_delivery_latency_seconds_count"), kMessages);
  EXPECT_GE(after.Sum("groupcast_cpu_seconds_total"), cpu_before);
  EXPECT_EQ(after.Sum("groupcast_connections"), 0) << "a gauge does not go on";
  members_.clear();
  MakeTraffic();
  Await("groupcast_deliveries_total", 2 * kMembers * kMessages);
}

// A worker that drains reports its last numbers at its end.
TEST_F(TrafficTest, TotalsOutliveAReload) {
  MakeTraffic();
  const pid_t worker = groupcast_.service.WorkerPids().at(0);
  const pid_t admin = AwaitAdmin(groupcast_.service.process().pid());
  groupcast_.service.process().Signal(SIGHUP);
  for (const std::unique_ptr<TestClient>& member : members_) {
    EXPECT_EQ(member->WaitForEnd().close_code, 4000);
  }
  WaitUntil("the worker has ended", [&] { return !IsAlive(worker); });
  const Scrape metrics = Now();
  EXPECT_EQ(metrics.Sum("groupcast_deliveries_total"), kMembers * kMessages);
  EXPECT_EQ(metrics.Sum("groupcast_closes_total code=\"4000\""), kMembers);
  EXPECT_EQ(metrics.Sum("groupcast_worker_restarts_total"), 0) << "a reload is none";
  EXPECT_EQ(AwaitAdmin(groupcast_.service.process().pid()), admin);
}

TEST_F(TrafficTest, TotalsOutliveTheProcessOfTheAdminPort) {
  MakeTraffic();
  Await("groupcast_deliveries_total", kMembers * kMessages);
  const pid_t worker = groupcast_.service.WorkerPids().at(0);
  const pid_t admin = AwaitAdmin(groupcast_.service.process().pid());
  kill(admin, SIGKILL);
  WaitUntil("it has ended", [&] { return !IsAlive(admin); });
  EXPECT_NE(AwaitAdmin(groupcast_.service.process().pid()), admin);
  Await("groupcast_deliveries_total", kMembers * kMessages);
  EXPECT_EQ(groupcast_.service.WorkerPids(), std::vector<pid_t>{worker});
  EXPECT_TRUE(members_[0]->IsQuiet());
}

TEST(GatewayMetricsTest, CountsAreExact) {
  ChannelServer channel;
  const HttpGateway gateway(channel);
  EventStream stream(gateway.port(), "/v1/groups/g/events");
  EXPECT_EQ(stream.Next().name, "joined");
  HttpClient client(gateway.port());
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(client.Post("/v1/groups/g/messages", absl::StrCat(i)).status, 200);
  }
  for (int i = 0; i < 4; ++i) EXPECT_EQ(stream.Next().name, "message");
  EXPECT_EQ(client.Get("/v1/nowhere").status, 404);
  const auto await = [&](absl::string_view series, double value) {
    AwaitMetric(gateway.admin_port(), series, value);
  };
  await("groupcast_requests_refused_total", 1);
  await("groupcast_requests_total", 5);
  await("groupcast_connections", 2);
  await("groupcast_streams", 1);
  await("groupcast_groups", 1);
  await("groupcast_publications_total", 4);
  await("groupcast_messages_total", 4);
  await("groupcast_deliveries_total", 4);
  await("groupcast_delivery_latency_seconds_count", 4);
  const Scrape metrics = ScrapeMetrics(gateway.admin_port());
  EXPECT_GT(metrics.Sum("groupcast_received_bytes_total"), 500);
  EXPECT_GT(metrics.Sum("groupcast_sent_bytes_total"), 500);
  stream.client().raw().Close();
  await("groupcast_closes_total code=\"1006\"", 1);
  await("groupcast_streams", 0);
}

TEST(GatewayMetricsTest, EachRefusalHasItsCode) {
  ChannelServer channel;
  const HttpGateway gateway(channel, /*workers=*/1,
                            {"--requests_per_second=0.001", "--request_burst=2"});
  const auto ask = [&](absl::string_view method, absl::string_view target, int status,
                       const HttpClient::Fields& fields = {}) {
    EXPECT_EQ(HttpClient(gateway.port()).Send(method, target, fields).status, status) << target;
  };
  ask("GET", "/v1/nowhere", 404);
  ask("DELETE", "/v1/connections/00000000000000ff", 404);
  ask("DELETE", "/v1/connections/x", 400);
  ask("PUT", "/v1/groups", 405);
  ask("GET", "/v1/groups/g/messages", 403, {"Origin: https://evil.example"});
  ask("GET", "/v1/groups/$groupcast.control/messages", 403);
  HttpClient fast(gateway.port());
  EXPECT_EQ(fast.Post("/v1/messages", R"({"messages":[{"group_id":"g"},{"message":1}]})").status,
            200);
  EXPECT_EQ(fast.Post("/v1/groups/g/messages", "1", {"Content-Type: image/png"}).status, 415);
  EXPECT_EQ(fast.Get("/v1/services").status, 200);
  EXPECT_EQ(fast.Get("/v1/groups").status, 200);
  EXPECT_EQ(fast.Get("/v1/groups").status, 429);
  EXPECT_EQ(fast.Get("/v1/services").status, 429);
  EXPECT_EQ(
      fast.Post("/v1/groups/g/messages", absl::StrCat("\"", std::string(70'000, 'x'), "\"")).status,
      413);
  AwaitMetric(gateway.admin_port(), "groupcast_requests_refused_total", 10);
  const Scrape metrics = ScrapeMetrics(gateway.admin_port());
  double sum = 0;
  for (const auto& [code, count] : {std::pair{"not_found", 2},
                                    {"bad_request", 1},
                                    {"method_not_allowed", 1},
                                    {"forbidden", 2},
                                    {"message_missing", 1},
                                    {"group_id_invalid", 1},
                                    {"unsupported_media_type", 1},
                                    {"rate_limited", 2},
                                    {"message_too_large", 1}}) {
    EXPECT_EQ(metrics.Sum(absl::StrCat("groupcast_errors_total code=\"", code, "\"")), count)
        << code;
    sum += count;
  }
  EXPECT_EQ(metrics.Sum("groupcast_errors_total"), sum) << "none is there twice";
  EXPECT_EQ(metrics.Sum("groupcast_limit_hits_total limit=\"access\""), 2);
  EXPECT_EQ(metrics.Sum("groupcast_limit_hits_total limit=\"rate\""), 2);
  EXPECT_EQ(metrics.Sum("groupcast_limit_hits_total limit=\"message\""), 1);
}

TEST(GatewayMetricsTest, RefusedCredentialsCount) {
  ChannelServer channel;
  const std::string keys = NewTempPath("keys.json");
  std::ofstream(keys) << R"({"api_keys": [{"name": "observer", "scopes": ["observe"], "hash":
      "sha256:b1d927ddd0a218883e53cb46688b924bc96cd3170819570e7d08630f17118aef"}]})";
  const HttpGateway gateway(channel, /*workers=*/1, {"--config=" + keys});
  HttpClient client(gateway.port());
  EXPECT_EQ(client.Get("/v1/groups", {"Authorization: Bearer gck_wrong"}).status, 401);
  EXPECT_EQ(client.Get("/v1/groups").status, 401);
  EXPECT_EQ(client.Get("/v1/groups", {"Authorization: Bearer gck_observer"}).status, 200);
  EXPECT_EQ(client.Get("/v1/services", {"Authorization: Bearer gck_observer"}).status, 403);
  AwaitMetric(gateway.admin_port(), "groupcast_requests_refused_total", 3);
  const Scrape metrics = ScrapeMetrics(gateway.admin_port());
  EXPECT_EQ(metrics.Sum("groupcast_errors_total code=\"unauthorized\""), 2);
  EXPECT_EQ(metrics.Sum("groupcast_errors_total code=\"forbidden\""), 1);
  EXPECT_EQ(metrics.Sum("groupcast_limit_hits_total limit=\"access\""), 3);
}

}  // namespace
}  // namespace groupcast::tests
