// The metrics of a service, which may be anything that listens on the port: the answer is JSON in
// UTF-8 with the documented form, or an error. Lines that are added to a good text stay apart.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "boost/json.hpp"
#include "services/http_gateway/dashboard/metrics_text.h"

namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

size_t Samples(const boost::json::object& metrics) {
  size_t count = 0;
  for (const auto& [name, list] : metrics) {
    Check(name.starts_with("groupcast_"), "a name of others");
    Check(list.is_array() && !list.as_array().empty(), "a name without samples");
    for (const boost::json::value& sample : list.as_array()) {
      ++count;
      Check(sample.at("labels").is_object(), "a sample without labels");
      const boost::json::value& value = sample.at("value");
      Check(value.is_null() || value.is_number(), "a sample without a value");
    }
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<std::string> json = groupcast::service::MetricsJson(text);
  if (!json.ok()) {
    Check(absl::IsInvalidArgument(json.status()) && !json.status().message().empty(), "no reason");
    return 0;
  }
  const size_t before = Samples(boost::json::parse(*json).as_object());
  const absl::StatusOr<std::string> more =
      groupcast::service::MetricsJson(absl::StrCat(text, "\ngroupcast_fuzz{a=\"b\"} 1\n"));
  Check(more.ok(), "a good line makes a good text bad");
  Check(Samples(boost::json::parse(*more).as_object()) == before + 1, "another number of samples");
  return 0;
}
