#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/groupcast/gateway.h"

namespace groupcast::cli {
namespace {

namespace json = boost::json;

absl::Status OtherForm() {
  return absl::InternalError("the answer has another form; is this a gateway of Groupcast?");
}

std::string Text(const json::object& object, const char* name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool IsTrue(const json::object& object, const char* name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

double Number(const json::object& object, const char* name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

// The array with this name in a JSON object. Null: there is none, or it is no object.
const json::array* Array(const json::value& value, const char* name) {
  const json::object* const object = value.if_object();
  const json::value* const array = object == nullptr ? nullptr : object->if_contains(name);
  return array == nullptr ? nullptr : array->if_array();
}

json::value Parse(absl::string_view text) {
  json::error_code error;
  return json::parse(json::string_view(text.data(), text.size()), error);  // null after an error
}

std::vector<MetricSample> ReadSamples(const json::value& value) {
  std::vector<MetricSample> samples;
  const json::array* const array = value.if_array();
  if (array == nullptr) return samples;
  for (const json::value& element : *array) {
    const json::object* const object = element.if_object();
    if (object == nullptr) continue;
    MetricSample sample;
    sample.value = Number(*object, "value");
    const json::value* const labels = object->if_contains("labels");
    if (labels != nullptr && labels->is_object()) {
      for (const auto& label : labels->get_object()) {
        sample.labels[std::string(label.key())] = Text(labels->get_object(), label.key_c_str());
      }
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace

absl::StatusOr<GroupList> ReadGroupList(absl::string_view text) {
  const json::value value = Parse(text);
  const json::array* const groups = Array(value, "groups");
  if (groups == nullptr) return OtherForm();
  GroupList list;
  list.next = Text(value.get_object(), "next");
  list.complete = IsTrue(value.get_object(), "complete");
  for (const json::value& element : *groups) {
    const json::object* const group = element.if_object();
    if (group == nullptr) return OtherForm();
    list.groups.push_back({Text(*group, "group_id"),
                           static_cast<uint64_t>(Number(*group, "members")),
                           Number(*group, "messages_per_second")});
  }
  return list;
}

absl::StatusOr<std::vector<ServiceRow>> ReadServices(absl::string_view text) {
  const json::value value = Parse(text);
  const json::array* const services = Array(value, "services");
  if (services == nullptr) return OtherForm();
  std::vector<ServiceRow> rows;
  for (const json::value& element : *services) {
    const json::object* const service = element.if_object();
    if (service == nullptr) return OtherForm();
    ServiceRow row;
    row.address = Text(*service, "address");
    row.up = IsTrue(*service, "up");
    row.ready = IsTrue(*service, "ready");
    row.reason = Text(*service, "reason");
    const json::value* const metrics = service->if_contains("metrics");
    if (metrics != nullptr && metrics->is_object()) {
      for (const auto& metric : metrics->get_object()) {
        row.metrics[std::string(metric.key())] = ReadSamples(metric.value());
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::optional<double> ServiceRow::Sum(const std::string& metric) const {
  const auto at = metrics.find(metric);
  if (at == metrics.end() || at->second.empty()) return std::nullopt;
  double sum = 0;
  for (const MetricSample& sample : at->second) sum += sample.value;
  return sum;
}

std::string ServiceRow::BuildInfo(const std::string& label) const {
  const auto at = metrics.find("groupcast_build_info");
  if (at == metrics.end() || at->second.empty()) return "";
  const auto text = at->second.front().labels.find(label);
  return text == at->second.front().labels.end() ? "" : text->second;
}

absl::Status ProblemStatus(int http_status, absl::string_view body) {
  const json::value problem = Parse(body);
  const std::string detail = problem.is_object() ? Text(problem.get_object(), "detail") : "";
  const std::string text = absl::StrCat("HTTP ", http_status, detail.empty() ? "" : ": ", detail);
  switch (http_status) {
    case 401:
      return absl::UnauthenticatedError(text);
    case 403:
      return absl::PermissionDeniedError(text);
    case 429:
      return absl::ResourceExhaustedError(text);
    case 503:
      return absl::UnavailableError(text);
    default:
      return absl::FailedPreconditionError(text);
  }
}

}  // namespace groupcast::cli
