#include "tests/metrics/scrape.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/support/http_client.h"
#include "tests/support/wait.h"

namespace groupcast::tests {

double Scrape::Sum(absl::string_view series) const {
  const std::vector<std::string> words = absl::StrSplit(series, ' ');
  const std::string& name = words.front();
  double sum = 0;
  int found = 0;
  for (const auto& [sample, value] : samples) {
    if (sample != name && !absl::StartsWith(sample, name + "{")) continue;
    if (!std::all_of(words.begin() + 1, words.end(), [&sample](const std::string& label) {
          return absl::StrContains(sample, label);
        })) {
      continue;
    }
    sum += value;
    ++found;
  }
  if (found == 0) throw Failure(absl::StrCat("no sample of ", series, " in:\n", text));
  return sum;
}

Scrape ScrapeMetrics(uint16_t admin_port) {
  const HttpReply reply = HttpClient(admin_port).Get("/metrics");
  if (reply.status != 200) throw Failure(absl::StrCat("/metrics: ", reply.status, reply.body));
  Scrape scrape;
  scrape.text = reply.body;
  for (const absl::string_view line : absl::StrSplit(reply.body, '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "# TYPE ")) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      scrape.types[words.at(2)] = words.at(3);
      continue;
    }
    if (absl::StartsWith(line, "#")) continue;
    const size_t space = line.rfind(' ');
    double value = 0;
    if (space == absl::string_view::npos || !absl::SimpleAtod(line.substr(space + 1), &value)) {
      throw Failure(absl::StrCat("not a sample: ", line));
    }
    scrape.samples[std::string(line.substr(0, space))] = value;
  }
  return scrape;
}

void AwaitMetric(uint16_t admin_port, absl::string_view series, double value) {
  double last = 0;
  try {
    WaitUntil(absl::StrCat(series, " is ", value), [&] {
      last = ScrapeMetrics(admin_port).Sum(series);
      return last == value;
    });
  } catch (const Failure& failure) {
    throw Failure(absl::StrCat(failure.what(), "; it was ", last));
  }
}

int AdminStatus(uint16_t admin_port, absl::string_view path) {
  return HttpClient(admin_port).Get(path).status;
}

}  // namespace groupcast::tests
