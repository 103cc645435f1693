#include "tests/support/wait.h"

#include <poll.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace groupcast::tests {
namespace {

constexpr int kLookEveryMs = 2;

}  // namespace

Failure::Failure(absl::string_view sentence) : std::runtime_error(std::string(sentence)) {}

void WaitUntil(absl::string_view what, const std::function<bool()>& condition,
               absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() > deadline) {
      throw Failure(absl::StrCat("not within ", absl::FormatDuration(patience), ": ", what));
    }
    poll(nullptr, 0, kLookEveryMs);
  }
}

}  // namespace groupcast::tests
