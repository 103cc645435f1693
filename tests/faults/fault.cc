#include "tests/faults/fault.h"

#include <algorithm>
#include <iterator>

namespace groupcast::tests {

FaultMix::FaultMix(std::mt19937_64* random) : random_(random) {
  for (size_t kind = 0; kind < kFaultKinds; ++kind) first_kinds_.push_back(kind);
  std::shuffle(first_kinds_.begin(), first_kinds_.end(), *random_);
}

size_t FaultMix::Next() {
  if (!first_kinds_.empty()) return first_kinds_.front();
  std::array<double, kFaultKinds> weights;
  std::transform(std::begin(kFaults), std::end(kFaults), weights.begin(),
                 [](const FaultKind& kind) { return kind.weight; });
  return std::discrete_distribution<size_t>(weights.begin(), weights.end())(*random_);
}

void FaultMix::Done(size_t kind, bool has_happened) {
  if (has_happened) ++counts_[kind];
  if (first_kinds_.empty() || first_kinds_.front() != kind) return;
  first_kinds_.pop_front();
  if (!has_happened) first_kinds_.push_back(kind);
}

}  // namespace groupcast::tests
