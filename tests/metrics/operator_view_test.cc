// What an operator sees when a service is killed, stalled or overloaded: a real Prometheus with the
// alert rules, /readyz, and the data of the dashboard. Each test waits until all that it names is
// right, and prints how long that took after the fault.

#include <csignal>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "boost/json/parse.hpp"
#include "gtest/gtest.h"
#include "tests/metrics/prometheus.h"
#include "tests/support/event.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

constexpr char kChannel[] = "channel_server";
constexpr char kWebSocket[] = "websocket_service";
constexpr char kGateway[] = "http_gateway";
// For busy machines: an alert has a time for which its condition must hold.
constexpr absl::Duration kTruthPatience = absl::Seconds(60);

struct SystemFlags {
  Flags channel = {};
  Flags websocket = {};
  Flags gateway = {};
};

class OperatorViewTest : public testing::Test {
 protected:
  // Waits until Prometheus and /readyz say that all is well.
  void StartSystem(const SystemFlags& flags = {}) {
    // Its admin port is the same after a restart.
    channel_admin_port_ = StartOnFreePorts(1, /*may_say_otherwise=*/false, [&](uint16_t port) {
      Flags all = {absl::StrCat("--data_dir=", NewTempPath("data")),
                   absl::StrCat("--admin_port=", port)};
      all.insert(all.end(), flags.channel.begin(), flags.channel.end());
      channel_ = std::make_unique<ChannelServer>(all);
    });
    websocket_ = std::make_unique<WebSocketService>(*channel_, 2, flags.websocket);
    Flags gateway = {absl::StrCat("--dashboard_services=127.0.0.1:", channel_admin_port_,
                                  ",127.0.0.1:", websocket_->admin_port())};
    gateway.insert(gateway.end(), flags.gateway.begin(), flags.gateway.end());
    gateway_ = std::make_unique<HttpGateway>(*channel_, 2, gateway);
    prometheus_ =
        std::make_unique<Prometheus>(ScrapedPorts{.channel_server = channel_admin_port_,
                                                  .websocket_service = websocket_->admin_port(),
                                                  .http_gateway = gateway_->admin_port()});
    for (const char* job : {kChannel, kWebSocket, kGateway}) AwaitUp(job, true);
    AwaitReady(websocket_->admin_port(), true);
    AwaitReady(gateway_->admin_port(), true);
    std::cerr << "the fault:\n";
    fault_at_ = absl::Now();
  }

  void Await(const std::string& what, const std::function<bool()>& is_true) {
    WaitUntil(what, is_true, kTruthPatience);
    std::cerr << absl::StrFormat("  %5.1f s  %s\n", absl::ToDoubleSeconds(absl::Now() - fault_at_),
                                 what);
  }

  void AwaitUp(const std::string& job, bool up) {
    Await(absl::StrCat("up of ", job, " is ", up),
          [&] { return Value(absl::StrCat("up{job=\"", job, "\"}")) == (up ? 1 : 0); });
  }

  // The value of a query is above `least`.
  void AwaitAbove(const std::string& query, double least) {
    Await(absl::StrCat(query, " is above ", least),
          [&] { return Value(query).value_or(least) > least; });
  }

  void AwaitChannel(const std::string& job, bool connected) {
    const std::string query = absl::StrCat("min(groupcast_channel_connected{job=\"", job, "\"})");
    Await(absl::StrCat(query, " is ", connected),
          [&] { return Value(query) == (connected ? 1 : 0); });
  }

  // Of a service that answers.
  void AwaitReady(uint16_t admin_port, bool ready) {
    Await(absl::StrCat("/readyz of ", NameOf(admin_port), " is ", ready ? 200 : 503),
          [&] { return StatusOfReadyz(admin_port) == (ready ? 200 : 503); });
  }

  void AwaitNoAnswer(uint16_t admin_port) {
    Await(absl::StrCat("/readyz of ", NameOf(admin_port), " has no answer"),
          [&] { return StatusOfReadyz(admin_port) == 0; });
  }

  // The alert is at least pending.
  void AwaitAlert(const std::string& name, const std::string& job) {
    Await(absl::StrCat(name, " of ", job, " is pending or fires"),
          [&] { return !AlertState(name, job).empty(); });
  }
  bool IsAlert(const std::string& name, const std::string& job) const {
    return !AlertState(name, job).empty();
  }
  void AwaitFiring(const std::string& name, const std::string& job) {
    Await(absl::StrCat(name, " of ", job, " fires"),
          [&] { return AlertState(name, job) == "firing"; });
  }
  void AwaitNoAlert(const std::string& name, const std::string& job) {
    Await(absl::StrCat(name, " of ", job, " is over"),
          [&] { return AlertState(name, job).empty(); });
  }

  // The data of the gateway's dashboard.
  void AwaitDashboard(uint16_t admin_port, bool up, bool ready) {
    Await(absl::StrCat("the dashboard's ", NameOf(admin_port), " is ", up ? "up" : "not up",
                       ready ? " and ready" : " and not ready"),
          [&] {
            const HttpReply reply = HttpClient(gateway_->port()).Get("/v1/services");
            const boost::json::value body = boost::json::parse(reply.body);
            for (const boost::json::value& service : body.at("services").as_array()) {
              if (service.at("address").as_string() == absl::StrCat("127.0.0.1:", admin_port)) {
                return service.at("up").as_bool() == up && service.at("ready").as_bool() == ready;
              }
            }
            return false;
          });
  }

  // The fault is over.
  void Repaired() {
    std::cerr << "the repair:\n";
    fault_at_ = absl::Now();
  }

  std::unique_ptr<ChannelServer> channel_;
  std::unique_ptr<WebSocketService> websocket_;
  std::unique_ptr<HttpGateway> gateway_;
  std::unique_ptr<Prometheus> prometheus_;
  uint16_t channel_admin_port_ = 0;

 private:
  // The only sample of a query; nullopt: there is none, or there are several.
  std::optional<double> Value(const std::string& query) const {
    const std::vector<Prometheus::Sample> samples = prometheus_->Query(query);
    if (samples.size() != 1) return std::nullopt;
    return samples[0].value;
  }

  // "pending" or "firing"; empty: there is no such alert.
  std::string AlertState(const std::string& name, const std::string& job) const {
    const std::vector<Prometheus::Sample> samples =
        prometheus_->Query(absl::StrCat("ALERTS{alertname=\"", name, "\",job=\"", job, "\"}"));
    return samples.empty() ? "" : std::string(samples[0].labels.at("alertstate").as_string());
  }

  // 0: no answer.
  static int StatusOfReadyz(uint16_t admin_port) {
    try {
      return HttpClient(admin_port, absl::Seconds(1)).Get("/readyz").status;
    } catch (const Failure&) {
      return 0;
    }
  }

  std::string NameOf(uint16_t admin_port) const {
    if (admin_port == channel_admin_port_) return kChannel;
    return admin_port == websocket_->admin_port() ? kWebSocket : kGateway;
  }

  absl::Time fault_at_ = absl::Now();
};

// ---- The channel server

TEST_F(OperatorViewTest, AKilledChannelServer) {
  StartSystem();
  channel_->Kill();
  AwaitUp(kChannel, false);
  for (const uint16_t port : {websocket_->admin_port(), gateway_->admin_port()}) {
    AwaitReady(port, false);
  }
  AwaitChannel(kWebSocket, false);
  AwaitChannel(kGateway, false);
  AwaitDashboard(channel_admin_port_, /*up=*/false, /*ready=*/false);
  AwaitDashboard(websocket_->admin_port(), /*up=*/true, /*ready=*/false);
  AwaitAlert("GroupcastServiceDown", kChannel);
  AwaitAlert("GroupcastChannelUnreachable", kWebSocket);
  AwaitFiring("GroupcastChannelUnreachable", kGateway);
  AwaitFiring("GroupcastServiceDown", kChannel);
  Repaired();
  channel_->StartAgain();
  AwaitUp(kChannel, true);
  AwaitDashboard(channel_admin_port_, /*up=*/true, /*ready=*/true);
  AwaitReady(websocket_->admin_port(), true);
  AwaitReady(gateway_->admin_port(), true);
  AwaitNoAlert("GroupcastServiceDown", kChannel);
  AwaitNoAlert("GroupcastChannelUnreachable", kGateway);
}

TEST_F(OperatorViewTest, AStalledChannelServer) {
  StartSystem();
  channel_->process().Signal(SIGSTOP);
  AwaitUp(kChannel, false);
  AwaitDashboard(channel_admin_port_, /*up=*/false, /*ready=*/false);
  AwaitReady(websocket_->admin_port(), false);
  AwaitReady(gateway_->admin_port(), false);
  AwaitChannel(kWebSocket, false);
  AwaitAlert("GroupcastServiceDown", kChannel);
  AwaitAlert("GroupcastChannelUnreachable", kWebSocket);
  Repaired();
  channel_->process().Signal(SIGCONT);
  AwaitUp(kChannel, true);
  AwaitReady(websocket_->admin_port(), true);
  AwaitNoAlert("GroupcastServiceDown", kChannel);
  AwaitNoAlert("GroupcastChannelUnreachable", kWebSocket);
}

// As with a disk that does not answer: the threads of the admin port and of its links go on.
TEST_F(OperatorViewTest, AChannelServerWhoseLoopStandsStill) {
  StartSystem();
  if (!channel_->process().StopMainThread()) {
    GTEST_SKIP() << "this system lets no process trace its children";
  }
  AwaitAbove("groupcast_channel_loop_age_seconds", 5);
  AwaitReady(channel_admin_port_, false);
  AwaitDashboard(channel_admin_port_, /*up=*/true, /*ready=*/false);
  AwaitFiring("GroupcastChannelStandsStill", kChannel);
  AwaitUp(kChannel, true);
  Repaired();
  channel_->process().ContinueMainThread();
  AwaitReady(channel_admin_port_, true);
  AwaitDashboard(channel_admin_port_, /*up=*/true, /*ready=*/true);
  AwaitNoAlert("GroupcastChannelStandsStill", kChannel);
}

TEST_F(OperatorViewTest, AnOverloadedChannelServer) {
  StartSystem({.channel = {"--retained_bytes=1048576"}});
  HttpClient client(gateway_->port());
  const std::string body = Quoted(std::string(2'000, 'x'));
  for (int i = 0; i < 2'500; ++i) {
    ASSERT_EQ(client.Post("/v1/groups/g/messages", body).status, 200);
  }
  AwaitAlert("GroupcastRetentionFull", kChannel);
}

// ---- The WebSocket service

TEST_F(OperatorViewTest, AKilledWorker) {
  StartSystem();
  kill(websocket_->WorkerPids().at(0), SIGKILL);
  AwaitAbove("sum(groupcast_worker_restarts_total{job=\"websocket_service\"})", 0);
  AwaitFiring("GroupcastWorkerRestarts", kWebSocket);
  AwaitReady(websocket_->admin_port(), true);
}

TEST_F(OperatorViewTest, AStalledWorker) {
  StartSystem();
  kill(websocket_->WorkerPids().at(0), SIGSTOP);
  AwaitAbove("sum(groupcast_workers{job=\"websocket_service\",state=\"stalled\"})", 0);
  AwaitFiring("GroupcastWorkerStalled", kWebSocket);
  AwaitAbove("sum(groupcast_worker_restarts_total{job=\"websocket_service\"})", 0);
  AwaitFiring("GroupcastWorkerRestarts", kWebSocket);
}

TEST_F(OperatorViewTest, AKilledWebSocketService) {
  StartSystem();
  websocket_->process().Signal(SIGKILL);
  AwaitNoAnswer(websocket_->admin_port());
  AwaitDashboard(websocket_->admin_port(), /*up=*/false, /*ready=*/false);
  AwaitUp(kWebSocket, false);
  AwaitAlert("GroupcastServiceDown", kWebSocket);
}

TEST_F(OperatorViewTest, AStalledWebSocketService) {
  StartSystem();
  websocket_->process().SignalGroup(SIGSTOP);
  AwaitNoAnswer(websocket_->admin_port());
  AwaitDashboard(websocket_->admin_port(), /*up=*/false, /*ready=*/false);
  AwaitUp(kWebSocket, false);
  AwaitAlert("GroupcastServiceDown", kWebSocket);
  Repaired();
  websocket_->process().SignalGroup(SIGCONT);
  AwaitUp(kWebSocket, true);
  AwaitReady(websocket_->admin_port(), true);
  AwaitNoAlert("GroupcastServiceDown", kWebSocket);
}

// Members that do not read, and more for them than their outboxes hold.
TEST_F(OperatorViewTest, AnOverloadedWebSocketService) {
  StartSystem({.websocket = {"--outbox_bytes=65536", "--unsent_bytes=16384", "--burst_bytes=1"}});
  std::vector<std::unique_ptr<TestClient>> deaf;
  for (int i = 0; i < 15; ++i) {
    deaf.push_back(std::make_unique<TestClient>(websocket_->port(), Mode::kV1, 4'096));
    deaf.back()->Join("g");
  }
  HttpClient client(gateway_->port());
  const std::string body = Quoted(std::string(60'000, 'x'));
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(client.Post("/v1/groups/g/messages", body).status, 200);
  }
  AwaitAbove("sum(groupcast_slow_consumer_closes_total{job=\"websocket_service\"})", 10);
  AwaitFiring("GroupcastSlowConsumers", kWebSocket);
}

// ---- The HTTP gateway

TEST_F(OperatorViewTest, AKilledGateway) {
  StartSystem();
  gateway_->Kill();
  AwaitNoAnswer(gateway_->admin_port());
  AwaitUp(kGateway, false);
  AwaitAlert("GroupcastServiceDown", kGateway);
  Repaired();
  gateway_->StartAgain();
  AwaitUp(kGateway, true);
  AwaitReady(gateway_->admin_port(), true);
  AwaitNoAlert("GroupcastServiceDown", kGateway);
}

TEST_F(OperatorViewTest, AStalledGateway) {
  StartSystem();
  gateway_->process().SignalGroup(SIGSTOP);
  AwaitNoAnswer(gateway_->admin_port());
  AwaitUp(kGateway, false);
  AwaitAlert("GroupcastServiceDown", kGateway);
  Repaired();
  gateway_->process().SignalGroup(SIGCONT);
  AwaitUp(kGateway, true);
  AwaitNoAlert("GroupcastServiceDown", kGateway);
}

TEST_F(OperatorViewTest, AnOverloadedGateway) {
  StartSystem({.gateway = {"--requests_per_second=1", "--request_burst=1"}});
  HttpClient client(gateway_->port());
  int refused = 0;
  Await("LimitsBite is pending or fires", [&] {
    if (client.Post("/v1/groups/g/messages", "1").status == 429) ++refused;
    return IsAlert("GroupcastLimitsBite", kGateway);
  });
  EXPECT_GT(refused, 0);
  AwaitAbove("sum(groupcast_limit_hits_total{job=\"http_gateway\"})", 0);
}

}  // namespace
}  // namespace groupcast::tests
