// Debian's Prometheus reads the real services, with the configuration, the rules and the dashboard
// of deploy/.

#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "boost/json/parse.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/metrics/prometheus.h"
#include "tests/metrics/scrape.h"
#include "tests/support/http_client.h"
#include "tests/support/http_gateway.h"
#include "tests/support/process.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

namespace json = boost::json;
using ::testing::ContainerEq;
using ::testing::IsEmpty;
using Words = std::set<std::string>;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string Text(const json::value& value) { return std::string(value.as_string().c_str()); }

// What the documents or Prometheus say of one family.
struct Family {
  std::string type;
  Words labels;
  Words jobs;
  bool operator==(const Family&) const = default;
};
void PrintTo(const Family& family, std::ostream* out) {
  *out << family.type << " {" << absl::StrJoin(family.labels, ",") << "} of "
       << absl::StrJoin(family.jobs, ",");
}
using Families = std::map<std::string, Family>;

// The words in backquotes.
Words Quoted(absl::string_view text) {
  Words words;
  const std::vector<std::string> parts = absl::StrSplit(text, '`');
  for (size_t i = 1; i < parts.size(); i += 2) words.insert(parts[i]);
  return words;
}

// The tables of "The list of metrics", by "NAME of JOB". A line in bold before each table names its
// services. The channel server has no label `worker`.
Families ListedFamilies() {
  const Words all = {"channel_server", "http_gateway", "websocket_service"};
  Families listed;
  Words jobs;
  bool is_list = false;
  const std::string text = Contents("docs/operations.md");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "#")) is_list = line == "### The list of metrics";
    if (!is_list) continue;
    if (absl::StartsWith(line, "**")) {
      jobs = Quoted(line);
      if (jobs.empty()) jobs = all;
    }
    if (!absl::StartsWith(line, "| `groupcast_")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    const Words names = Quoted(cells[1]);
    for (const std::string& job : jobs) {
      Family family = {.type = std::string(absl::StripAsciiWhitespace(cells[2])),
                       .labels = Quoted(cells[3]),
                       .jobs = {job}};
      if (job == "channel_server") family.labels.erase("worker");
      listed[absl::StrCat(*names.begin(), " of ", job)] = family;
    }
  }
  return listed;
}

// The name of the family of a sample: histograms have three names more.
std::string FamilyOf(std::string name, const std::map<std::string, std::string>& types) {
  for (const absl::string_view end : {"_bucket", "_sum", "_count"}) {
    const absl::string_view family = absl::StripSuffix(name, end);
    if (const auto type = types.find(std::string(family));
        type != types.end() && type->second == "histogram") {
      return std::string(family);
    }
  }
  return name;
}

// The metrics that an expression uses.
Words MetricsIn(const std::string& expression) {
  static const auto& name = *new std::regex("groupcast_[a-z0-9_]+");
  return Words(std::sregex_token_iterator(expression.begin(), expression.end(), name), {});
}

class PrometheusTest : public ::testing::Test {
 protected:
  // The types of all families of Groupcast that Prometheus has read.
  std::map<std::string, std::string> Types() const {
    std::map<std::string, std::string> types;
    const json::value metadata = prometheus_.Get("metadata");
    for (const auto& [name, entries] : metadata.as_object()) {
      if (!absl::StartsWith(std::string(name), "groupcast_")) continue;
      types[std::string(name)] = Text(entries.as_array().at(0).at("type"));
    }
    return types;
  }

  // The same, with labels and jobs.
  Families ReadFamilies() const {
    const std::map<std::string, std::string> types = Types();
    Families families;
    for (const Prometheus::Sample& sample : prometheus_.Query("{__name__=~\"groupcast_.+\"}")) {
      const std::string job = Text(sample.labels.at("job"));
      const std::string name = FamilyOf(Text(sample.labels.at("__name__")), types);
      Family& family = families[absl::StrCat(name, " of ", job)];
      family.type = types.contains(name) ? types.at(name) : "unknown";
      family.jobs = {job};
      for (const auto& [label, value] : sample.labels) {
        const std::string text(label);
        if (text != "__name__" && text != "job" && text != "instance" && text != "le") {
          family.labels.insert(text);
        }
      }
    }
    return families;
  }

  // Every job was read, and read again.
  void AwaitScrapes() const {
    prometheus_.Await("count(up == 1)", 3);
    prometheus_.Await("count(count_over_time(groupcast_build_info[1h]) >= 3)", 3);
  }

  // What a member of each front end gets: 4 messages of a WebSocket client, and 3 over HTTP.
  void MakeTraffic() {
    member_.emplace(service_.port(), Mode::kV1);
    member_->Join("room");
    stream_.emplace(gateway_.port(), "/v1/groups/room/events");
    TestClient sender(service_.port(), Mode::kV1);
    sender.Send("{");
    EXPECT_EQ(sender.NextEvent().Text("code"), "bad_json");
    for (int i = 0; i < 4; ++i) {
      sender.Send(SendToGroup("\"room\"", "\"over WebSockets\"", "1"));
      EXPECT_EQ(sender.NextEvent().name(), "reply");
    }
    HttpClient http(gateway_.port());
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(http.Post("/v1/groups/room/messages", "\"over HTTP\"").status, 200);
    }
    for (int i = 0; i < 7; ++i) EXPECT_EQ(member_->NextEvent().name(), "message");
    for (int i = 0; i < 7;) {
      if (stream_->Next().name == "message") ++i;
    }
  }

  ChannelServer channel_{{"--data_dir=" + NewTempPath("data")}};
  WebSocketService service_{channel_, /*workers=*/1};
  HttpGateway gateway_{channel_};
  Prometheus prometheus_{{.channel_server = channel_.admin_port(),
                          .websocket_service = service_.admin_port(),
                          .http_gateway = gateway_.admin_port()}};
  std::optional<TestClient> member_;
  std::optional<EventStream> stream_;
};

TEST_F(PrometheusTest, SeesKnownTraffic) {
  prometheus_.Await("count(up == 1)", 3);
  MakeTraffic();
  const auto of = [](const char* metric, const char* job) {
    return absl::StrCat("sum(", metric, "{job=\"", job, "\"})");
  };
  prometheus_.Await(of("groupcast_channel_publications_total", "channel_server"), 7);
  prometheus_.Await(of("groupcast_channel_workers", "channel_server"), 2);
  prometheus_.Await(of("groupcast_publications_total", "websocket_service"), 4);
  prometheus_.Await(of("groupcast_publications_total", "http_gateway"), 3);
  prometheus_.Await(of("groupcast_messages_total", "websocket_service"), 7);
  prometheus_.Await(of("groupcast_deliveries_total", "websocket_service"), 7);
  prometheus_.Await(of("groupcast_deliveries_total", "http_gateway"), 7);
  prometheus_.Await(of("groupcast_delivery_latency_seconds_count", "websocket_service"), 7);
  prometheus_.Await(of("groupcast_connections", "websocket_service"), 1);
  prometheus_.Await(of("groupcast_streams", "http_gateway"), 1);
  prometheus_.Await("sum(groupcast_errors_total{job=\"websocket_service\", code=\"bad_json\"})", 1);
  prometheus_.Await("sum(groupcast_errors_total)", 1);
  prometheus_.Await("sum(groupcast_gaps_total)", 0);
}

// In both directions, with types and labels.
TEST_F(PrometheusTest, ReadsExactlyTheListedMetrics) {
  AwaitScrapes();
  const Families listed = ListedFamilies();
  EXPECT_GT(listed.size(), 50u);
  EXPECT_THAT(ReadFamilies(), ContainerEq(listed));
}

// Each query of the dashboard, with the values that Grafana puts into it, has an answer.
TEST_F(PrometheusTest, AnswersEachQueryOfTheDashboard) {
  MakeTraffic();
  AwaitScrapes();
  const std::map<std::string, std::string> types = Types();
  const json::value dashboard = json::parse(Contents("deploy/grafana/groupcast.json"));
  int queries = 0;
  for (const json::value& panel : dashboard.at("panels").as_array()) {
    if (panel.at("type").as_string() == "row") continue;
    ASSERT_TRUE(panel.as_object().contains("targets")) << Text(panel.at("title"));
    for (const json::value& target : panel.at("targets").as_array()) {
      const std::string expression =
          absl::StrReplaceAll(Text(target.at("expr")),
                              {{"$__rate_interval", "1h"}, {"$job", ".+"}, {"$instance", ".+"}});
      EXPECT_FALSE(absl::StrContains(expression, "$")) << expression;
      for (const std::string& name : MetricsIn(expression)) {
        EXPECT_TRUE(types.contains(FamilyOf(name, types))) << name << " in " << expression;
      }
      EXPECT_FALSE(prometheus_.Query(expression).empty())
          << Text(panel.at("title")) << ": " << expression;
      ++queries;
    }
  }
  EXPECT_GT(queries, 40);
}

// The rules work, use what is there, and are explained.
TEST_F(PrometheusTest, HasTheAlertsThatTheDocumentsExplain) {
  AwaitScrapes();
  const std::map<std::string, std::string> types = Types();
  Words alerts;
  const json::value groups = prometheus_.Get("rules");
  for (const json::value& rule : groups.at("groups").as_array().at(0).at("rules").as_array()) {
    const std::string name = Text(rule.at("name"));
    alerts.insert(name);
    for (const std::string& metric : MetricsIn(Text(rule.at("query")))) {
      EXPECT_TRUE(types.contains(FamilyOf(metric, types))) << metric << " of " << name;
    }
  }
  Words explained;
  bool is_alerts = false;
  const std::string text = Contents("docs/operations.md");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "## ")) is_alerts = line == "## Alerts";
    if (is_alerts && absl::ConsumePrefix(&line, "### ")) {
      explained.insert(std::string(line));
    }
  }
  EXPECT_THAT(alerts, ContainerEq(explained));
  EXPECT_GE(alerts.size(), 15u);
  // promtool runs the tests, but does not miss one.
  const std::string tests = Contents("deploy/prometheus/groupcast.rules_test.yml");
  for (const std::string& alert : alerts) {
    const size_t begin = tests.find(absl::StrCat("  - name: ", alert, "\n"));
    ASSERT_NE(begin, std::string::npos) << "no test of " << alert;
    const std::string test = tests.substr(begin, tests.find("\n  - name:", begin) - begin);
    EXPECT_TRUE(absl::StrContains(test, "exp_alerts: []")) << alert << " never is silent";
    EXPECT_TRUE(absl::StrContains(test, "exp_labels:")) << alert << " never fires";
  }
  WaitUntil("each rule was evaluated", [&] {
    const json::value now = prometheus_.Get("rules");
    for (const json::value& rule : now.at("groups").as_array().at(0).at("rules").as_array()) {
      if (rule.at("health").as_string() != "ok") return false;
    }
    return true;
  });
  EXPECT_THAT(prometheus_.Query("ALERTS{severity=\"critical\"}"), IsEmpty())
      << "nothing is wrong here";
}

TEST_F(PrometheusTest, SeesADeadChannelServer) {
  AwaitScrapes();
  channel_.Kill();
  prometheus_.Await("up{job=\"channel_server\"}", 0);
  prometheus_.Await("sum(groupcast_channel_connected)", 0);
  prometheus_.Await("count(ALERTS{alertname=\"GroupcastServiceDown\", job=\"channel_server\"})", 1);
  prometheus_.Await("count(ALERTS{alertname=\"GroupcastChannelUnreachable\"})", 2);
}

// Prometheus' own judge of names, types and help.
TEST_F(PrometheusTest, PromtoolFindsNothingInTheMetrics) {
  for (const uint16_t port :
       {channel_.admin_port(), service_.admin_port(), gateway_.admin_port()}) {
    const std::string path = NewTempPath("metrics");
    std::ofstream(path) << ScrapeMetrics(port).text;
    Process promtool("/bin/sh", {"-c", "exec promtool check metrics < " + path});
    EXPECT_EQ(promtool.WaitForEnd(), 0) << promtool.Output();
    EXPECT_EQ(promtool.Output(), "");
  }
}

}  // namespace
}  // namespace groupcast::tests
