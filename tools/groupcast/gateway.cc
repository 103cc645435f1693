#include "tools/groupcast/gateway.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/groupcast/console.h"
#include "tools/groupcast/exit_code.h"

namespace groupcast::cli {
namespace {

constexpr size_t kPage = 1000;  // the most that the gateway gives

}  // namespace

absl::StatusOr<Gateway> Gateway::Create(const GatewayOptions& options) {
  absl::StatusOr<HttpUrl> url = ParseHttpUrl(options.url);
  if (!url.ok()) return url.status();
  absl::StatusOr<std::string> key = KeyOf(options);
  if (!key.ok()) return key.status();
  HttpOptions http;
  http.bearer = *std::move(key);
  http.ca_file = options.ca_file;
  return Gateway(*std::move(url), std::move(http));
}

absl::StatusOr<HttpAnswer> Gateway::Get(absl::string_view target) const {
  absl::StatusOr<HttpAnswer> answer = HttpGet(url_, target, options_);
  if (answer.ok() && answer->status != 200) return ProblemStatus(answer->status, answer->body);
  return answer;
}

absl::StatusOr<std::vector<ServiceRow>> Gateway::Services() const {
  const absl::StatusOr<HttpAnswer> answer = Get("/v1/services");
  if (!answer.ok()) return answer.status();
  return ReadServices(answer->body);
}

absl::StatusOr<GroupList> Gateway::Groups(absl::string_view prefix, size_t groups_max) const {
  GroupList all;
  std::string after;
  do {
    const size_t wanted = std::min(kPage, groups_max - all.groups.size());
    const absl::StatusOr<HttpAnswer> answer =
        Get(absl::StrCat("/v1/groups?prefix=", EscapedForUrl(prefix), "&limit=", wanted,
                         after.empty() ? "" : "&after=", EscapedForUrl(after)));
    if (!answer.ok()) return answer.status();
    absl::StatusOr<GroupList> page = ReadGroupList(answer->body);
    if (!page.ok()) return page.status();
    all.complete = all.complete && page->complete;
    std::move(page->groups.begin(), page->groups.end(), std::back_inserter(all.groups));
    // A server that repeats itself must not hold the command for ever.
    after = page->groups.empty() ? "" : page->next;
    all.next = after;
  } while (!after.empty() && all.groups.size() < groups_max);
  return all;
}

absl::StatusOr<GroupList> Gateway::Busiest(absl::string_view prefix, int limit) const {
  const absl::StatusOr<HttpAnswer> answer = Get(
      absl::StrCat("/v1/groups?order=busiest&prefix=", EscapedForUrl(prefix), "&limit=", limit));
  if (!answer.ok()) return answer.status();
  return ReadGroupList(answer->body);
}

bool HasAnswered(const absl::Status& error) { return absl::StartsWith(error.message(), "HTTP "); }

std::string GatewayError(const GatewayOptions& options, const absl::Status& error) {
  const std::string why = Harmless(error.message());
  if (absl::IsUnauthenticated(error)) {
    return absl::StrCat(options.url, " wants an API key: set GROUPCAST_API_KEY, or --key_file (",
                        why, ")");
  }
  return absl::StrCat(options.url,
                      ExitCodeOf(error) == ExitCode::kNotReachable && !HasAnswered(error)
                          ? " is not reachable: "
                          : ": ",
                      why);
}

}  // namespace groupcast::cli
