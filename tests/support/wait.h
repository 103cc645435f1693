#ifndef GROUPCAST_TESTS_SUPPORT_WAIT_H_
#define GROUPCAST_TESTS_SUPPORT_WAIT_H_

#include <functional>
#include <stdexcept>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::tests {

// The event that a test waits for did not come. All functions here that wait throw it, so a test
// reads like the expected events. GoogleTest ends the test and reports the sentence.
class Failure : public std::runtime_error {
 public:
  explicit Failure(absl::string_view sentence);
};

// The time that tests wait for an event that must happen. It is far longer than the event takes,
// for busy machines and instrumented builds.
inline constexpr absl::Duration kPatience = absl::Seconds(20);

// Polls until `condition` holds. Throws Failure with `what` in its text if it does not in time.
void WaitUntil(absl::string_view what, const std::function<bool()>& condition,
               absl::Duration patience = kPatience);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_WAIT_H_
