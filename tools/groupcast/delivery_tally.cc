#include "tools/groupcast/delivery_tally.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace groupcast::cli {

void DeliveryTally::End(uint64_t line, const absl::Status& result) {
  ++ended_;
  if (result.ok()) {
    ++acknowledged_;
  } else {
    Fail(line, result);
  }
}

void DeliveryTally::Refuse(uint64_t line, const absl::Status& why) { Fail(line, why); }

void DeliveryTally::Fail(uint64_t line, const absl::Status& why) {
  const ExitCode code = ExitCodeOf(why);
  if (code == ExitCode::kOutcomeUnknown) {
    ++unknown_;
  } else if (code == ExitCode::kNotReachable) {
    ++not_sent_;
  } else {
    ++refused_;
  }
  const Failure failure{line,
                        absl::StrCat(line == 0 ? "the message" : absl::StrCat("line ", line),
                                     code == ExitCode::kOutcomeUnknown ? " is perhaps delivered: "
                                                                       : " is not delivered: ",
                                     why.message())};
  // The first lines are named, in whatever order the results come.
  const auto place =
      std::upper_bound(failures_.begin(), failures_.end(), failure,
                       [](const Failure& a, const Failure& b) { return a.line < b.line; });
  failures_.insert(place, failure);
  if (failures_.size() > kNamedFailures) failures_.pop_back();
}

std::vector<std::string> DeliveryTally::Report() const {
  std::vector<std::string> lines;
  for (const Failure& failure : failures_) lines.push_back(failure.text);
  if (failed() > failures_.size()) {
    lines.push_back(absl::StrCat("and ", failed() - failures_.size(), " more lines"));
  }
  std::string counts = absl::StrCat(acknowledged_, " of ", total(),
                                    total() == 1 ? " message" : " messages", " acknowledged");
  if (refused_ + not_sent_ > 0)
    absl::StrAppend(&counts, ", ", refused_ + not_sent_, " not delivered");
  if (unknown_ > 0) absl::StrAppend(&counts, ", ", unknown_, " with unknown outcome");
  lines.push_back(counts);
  return lines;
}

ExitCode DeliveryTally::exit_code() const {
  if (unknown_ > 0) return ExitCode::kOutcomeUnknown;
  if (refused_ > 0) return ExitCode::kFailed;
  if (not_sent_ > 0) return ExitCode::kNotReachable;
  return ExitCode::kDone;
}

}  // namespace groupcast::cli
