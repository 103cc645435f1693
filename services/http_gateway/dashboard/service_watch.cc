#include "services/http_gateway/dashboard/service_watch.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/address.h"
#include "services/common/utf8.h"
#include "services/http_gateway/dashboard/metrics_text.h"
#include "services/protocol/json.h"

namespace groupcast::service {
namespace {

// /readyz says in a sentence why a service is not ready.
constexpr size_t kReadyBytesMax = 4 * 1024;

std::optional<ServiceAddress> ReadServiceAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  const absl::string_view host = text.substr(0, colon);
  const absl::string_view digits = text.substr(colon + 1);
  int port = 0;
  if (!absl::SimpleAtoi(digits, &port) || port < 1 || port > 65'535) return std::nullopt;
  const absl::string_view bare = WithoutBrackets(host);
  // An IPv6 address without brackets could end with the port.
  if (bare.size() == host.size() && absl::StrContains(host, ":")) return std::nullopt;
  const std::optional<IpAddress> address =
      IpAddress::Parse(bare == "localhost" ? absl::string_view("127.0.0.1") : bare);
  if (!address.has_value()) return std::nullopt;
  return ServiceAddress{
      .address = *address, .port = static_cast<uint16_t>(port), .text = std::string(text)};
}

// The sentence in the body of a /readyz, which may be plain text or a problem document.
std::string WhyNotReady(const AdminFetch::Answer& answer) {
  if (answer.status == 200) return "";
  absl::string_view text = absl::StripAsciiWhitespace(answer.body);
  Utf8Checker utf8;
  if (text.empty() || !utf8.Check(text) || !utf8.complete()) {
    return absl::StrCat("its /readyz has the status ", answer.status);
  }
  return std::string(text);
}

}  // namespace

absl::StatusOr<std::vector<ServiceAddress>> ReadServiceAddresses(absl::string_view name,
                                                                 absl::string_view list) {
  std::vector<ServiceAddress> ports;
  if (absl::StripAsciiWhitespace(list).empty()) return ports;
  for (absl::string_view entry : absl::StrSplit(list, ',')) {
    entry = absl::StripAsciiWhitespace(entry);
    std::optional<ServiceAddress> port = ReadServiceAddress(entry);
    if (!port.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": \"", entry, "\" is no admin port; an entry is an IP address or localhost, and ",
          "a port, such as 127.0.0.1:9234 or [2001:db8::1]:9234"));
    }
    ports.push_back(*std::move(port));
  }
  if (ports.size() > ServiceWatchOptions::kServicesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " has more than ", ServiceWatchOptions::kServicesMax, " services"));
  }
  return ports;
}

void AddService(const ServiceAddress& service, std::vector<ServiceAddress>* services) {
  for (const ServiceAddress& known : *services) {
    if (known.address == service.address && known.port == service.port) return;
  }
  services->push_back(service);
}

ServiceWatch::ServiceWatch(ServiceWatchOptions options, EventLoop* loop)
    : options_(std::move(options)), loop_(loop), self_(std::make_shared<ServiceWatch*>(this)) {}

ServiceWatch::~ServiceWatch() { *self_ = nullptr; }

const std::string* ServiceWatch::Ask() {
  if (!questions_.empty()) return nullptr;
  if (loop_->now() - began_ < options_.interval) return &answer_;
  BeginRound();
  return questions_.empty() ? &answer_ : nullptr;
}

void ServiceWatch::BeginRound() {
  began_ = loop_->now();
  asked_at_ = absl::Now();
  const uint64_t round = ++round_;
  // Not from inside a request's event: that request must not be destroyed there.
  const auto end_if_done = [this, round] {
    for (const Question& question : questions_) {
      if (!question.is_done()) return;
    }
    loop_->Post([self = self_, round] {
      if (*self != nullptr && (*self)->round_ == round) (*self)->EndRound();
    });
  };
  questions_.reserve(options_.services.size());
  for (const ServiceAddress& service : options_.services) {
    questions_.push_back(
        {.ready =
             std::make_unique<AdminFetch>(loop_, service, "/readyz", kReadyBytesMax, end_if_done),
         .metrics = std::make_unique<AdminFetch>(loop_, service, "/metrics",
                                                 options_.metrics_bytes_max, end_if_done)});
  }
  if (questions_.empty()) return EndRound();
  end_if_done();  // all may have failed at once
  loop_->RunAfter(options_.timeout, [self = self_, round] {
    if (*self != nullptr && (*self)->round_ == round) (*self)->EndRound();
  });
}

void ServiceWatch::EndRound() {
  if (questions_.empty() && !options_.services.empty()) return;
  answer_ = absl::StrCat("{\"at\":", absl::ToUnixMillis(asked_at_), ",\"services\":[");
  size_t bytes_left = options_.total_bytes_max;
  for (size_t i = 0; i < questions_.size(); ++i) {
    absl::StrAppend(&answer_, i == 0 ? "" : ",",
                    Describe(options_.services[i], questions_[i], &bytes_left));
  }
  absl::StrAppend(&answer_, "]}");
  questions_.clear();
  if (!options_.services.empty() && take_) take_(answer_);
}

std::string ServiceWatch::Describe(const ServiceAddress& service, const Question& question,
                                   size_t* bytes_left) const {
  std::string json = "{\"address\":";
  AppendJsonString(service.text, &json);
  std::string reason;
  bool is_ready = false;
  if (!question.ready->is_done()) {
    reason = absl::StrCat("it did not answer within ", absl::FormatDuration(options_.timeout));
  } else if (!question.ready->answer().ok()) {
    reason = std::string(question.ready->answer().status().message());
  } else {
    reason = WhyNotReady(*question.ready->answer());
    is_ready = reason.empty();
  }
  // Whoever answers is alive.
  const bool is_up = question.ready->is_done() && question.ready->answer().ok();
  absl::StatusOr<std::string> metrics = absl::UnavailableError("its metrics did not come");
  if (question.metrics->is_done()) {
    const absl::StatusOr<AdminFetch::Answer>& answer = question.metrics->answer();
    if (!answer.ok()) {
      metrics = answer.status();
    } else if (answer->status != 200) {
      metrics =
          absl::UnavailableError(absl::StrCat("its /metrics has the status ", answer->status));
    } else {
      metrics = MetricsJson(answer->body);
    }
  }
  if (metrics.ok() && metrics->size() > *bytes_left) {
    metrics = absl::ResourceExhaustedError("the metrics of all services together are too large");
  }
  if (!metrics.ok() && reason.empty()) reason = std::string(metrics.status().message());
  absl::StrAppend(&json, ",\"up\":", is_up ? "true" : "false",
                  ",\"ready\":", is_ready ? "true" : "false");
  if (!reason.empty()) {
    json += ",\"reason\":";
    AppendJsonString(reason, &json);
  }
  if (metrics.ok()) {
    *bytes_left -= metrics->size();
    absl::StrAppend(&json, ",\"metrics\":", *metrics);
  }
  json += '}';
  return json;
}

}  // namespace groupcast::service
