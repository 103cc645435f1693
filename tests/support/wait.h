#ifndef GROUPCAST_TESTS_SUPPORT_WAIT_H_
#define GROUPCAST_TESTS_SUPPORT_WAIT_H_

#include <functional>
#include <stdexcept>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace groupcast::tests {

// What a test waits for did not come. Everything here that waits throws it, so that a test reads
// like what should happen; GoogleTest ends the test and reports the sentence.
class Failure : public std::runtime_error {
 public:
  explicit Failure(absl::string_view sentence);
};

// How long tests wait for what must happen. Far above what it takes, for machines that are busy and
// builds that are instrumented.
inline constexpr absl::Duration kPatience = absl::Seconds(20);

// Looks until `condition` holds. Failure, naming `what`, if it does not in time.
void WaitUntil(absl::string_view what, const std::function<bool()>& condition,
               absl::Duration patience = kPatience);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_WAIT_H_
