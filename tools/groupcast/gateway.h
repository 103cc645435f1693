#ifndef GROUPCAST_TOOLS_GROUPCAST_GATEWAY_H_
#define GROUPCAST_TOOLS_GROUPCAST_GATEWAY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/groupcast/http_client.h"
#include "tools/groupcast/server_options.h"

namespace groupcast::cli {

// A group in GET /v1/groups.
struct GroupRow {
  std::string group_id;
  uint64_t members = 0;
  double messages_per_second = 0;  // only with order=busiest
};

struct GroupList {
  std::vector<GroupRow> groups;
  std::string next;      // empty: these are the last groups
  bool complete = true;  // false: a worker did not answer in time
};

struct MetricSample {
  std::map<std::string, std::string> labels;
  double value = 0;
};

// A service in GET /v1/services.
struct ServiceRow {
  std::string address;
  bool up = false;
  bool ready = false;
  std::string reason;  // why it is not ready
  std::map<std::string, std::vector<MetricSample>> metrics;

  // The sum of a metric's samples. nullopt: there is none.
  std::optional<double> Sum(const std::string& metric) const;
  // "service" or "version" of its build, or an empty string if its metrics are not known.
  std::string BuildInfo(const std::string& label) const;
};

// The readers of the gateway's JSON. kInternal: it has another form.
absl::StatusOr<GroupList> ReadGroupList(absl::string_view json);
absl::StatusOr<std::vector<ServiceRow>> ReadServices(absl::string_view json);

// The status of an answer that is not 200, with the sentence of its problem document.
// kUnauthenticated (401), kPermissionDenied (403), kResourceExhausted (429), kUnavailable (503),
// kFailedPrecondition (any other).
absl::Status ProblemStatus(int http_status, absl::string_view body);

// The HTTP gateway. Its errors are those of HttpGet and ProblemStatus, and those of the readers.
class Gateway {
 public:
  // kInvalidArgument: the address or the file of the key is wrong.
  static absl::StatusOr<Gateway> Create(const GatewayOptions& options);

  // GET of a target. Only an answer with 200 is no error.
  absl::StatusOr<HttpAnswer> Get(absl::string_view target) const;

  absl::StatusOr<std::vector<ServiceRow>> Services() const;
  // The groups whose ids begin with `prefix`, of all pages, up to `groups_max`.
  absl::StatusOr<GroupList> Groups(absl::string_view prefix, size_t groups_max) const;
  absl::StatusOr<GroupList> Busiest(absl::string_view prefix, int limit) const;

  const HttpUrl& url() const { return url_; }

 private:
  Gateway(HttpUrl url, HttpOptions options) : url_(std::move(url)), options_(std::move(options)) {}

  HttpUrl url_;
  HttpOptions options_;
};

// A sentence about an error of a Gateway, for people.
std::string GatewayError(const GatewayOptions& options, const absl::Status& error);

// The error is an answer of the gateway, with a status of HTTP.
bool HasAnswered(const absl::Status& error);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_GATEWAY_H_
