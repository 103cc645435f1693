#include "tests/metrics/prometheus.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "boost/json/parse.hpp"
#include "tests/support/raw_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Failure(absl::StrCat("no file ", path));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Writes the configuration and the rules into a new directory.
std::string WriteConfiguration(const ScrapedPorts& ports) {
  const std::string directory = NewTempPath("prometheus");
  fs::create_directory(directory);
  std::string text = Contents("deploy/prometheus/prometheus.yml");
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"127.0.0.1:9206",
                                            absl::StrCat("127.0.0.1:", ports.channel_server)},
        {"127.0.0.1:9234", absl::StrCat("127.0.0.1:", ports.websocket_service)},
        {"127.0.0.1:9280", absl::StrCat("127.0.0.1:", ports.http_gateway)},
        {"scrape_interval: 5s", "scrape_interval: 1s"},
        {"scrape_timeout: 4s", "scrape_timeout: 1s"},
        {"evaluation_interval: 5s", "evaluation_interval: 1s"}}) {
    if (!absl::StrContains(text, from)) throw Failure(absl::StrCat("no ", from, " in:\n", text));
    text = absl::StrReplaceAll(text, {{from, to}});
  }
  std::ofstream(directory + "/prometheus.yml") << text;
  fs::copy_file("deploy/prometheus/groupcast.rules.yml", directory + "/groupcast.rules.yml");
  return directory;
}

std::string Escaped(absl::string_view text) {
  std::string escaped;
  for (const char c : text) absl::StrAppendFormat(&escaped, "%%%02X", static_cast<uint8_t>(c));
  return escaped;
}

}  // namespace

Prometheus::Prometheus(const ScrapedPorts& ports)
    : directory_(WriteConfiguration(ports)),
      process_("/usr/bin/prometheus", {"--config.file=" + directory_ + "/prometheus.yml",
                                       "--storage.tsdb.path=" + directory_ + "/data",
                                       "--web.listen-address=127.0.0.1:0"}) {
  // ... msg="Listening on" address=127.0.0.1:38117
  const std::string says = "\"Listening on\" address=127.0.0.1:";
  process_.WaitForOutput("Server is ready to receive web requests.");
  process_.WaitForOutput(says);
  const std::string output = process_.Output();
  port_ = static_cast<uint16_t>(std::atoi(output.c_str() + output.find(says) + says.size()));
}

json::value Prometheus::Get(absl::string_view path) const {
  RawClient client(port_, 0, "127.0.0.1", RawClient::Transport::kPlain);
  client.Write(absl::StrCat("GET /api/v1/", path, " HTTP/1.0\r\nHost: localhost\r\n\r\n"));
  client.ReadToEnd();
  const std::string& answer = client.received();
  const size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos) throw Failure(absl::StrCat("no answer, but: ", answer));
  json::error_code error;
  const json::value body = json::parse(answer.substr(end + 4), error);
  if (error || body.as_object().at("status").as_string() != "success") {
    throw Failure(absl::StrCat(path, ": ", answer));
  }
  return body.at("data");
}

std::vector<Prometheus::Sample> Prometheus::Query(absl::string_view expression) const {
  std::vector<Sample> samples;
  const json::value data = Get(absl::StrCat("query?query=", Escaped(expression)));
  for (const json::value& result : data.at("result").as_array()) {
    Sample sample{.labels = result.at("metric").as_object()};
    const json::string& value = result.at("value").as_array().at(1).as_string();
    if (!absl::SimpleAtod(absl::string_view(value.data(), value.size()), &sample.value)) {
      throw Failure(absl::StrCat(expression, " has the value ", value.c_str()));
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

void Prometheus::Await(absl::string_view expression, double value) const {
  std::string last = "nothing";
  try {
    WaitUntil(absl::StrCat(expression, " == ", value), [&] {
      const std::vector<Sample> samples = Query(expression);
      last = samples.size() == 1 ? absl::StrCat(samples[0].value)
                                 : absl::StrCat(samples.size(), " samples");
      return samples.size() == 1 && samples[0].value == value;
    });
  } catch (const Failure& failure) {
    throw Failure(absl::StrCat(failure.what(), "; at last: ", last));
  }
}

}  // namespace groupcast::tests
