#include "services/connections/outbox_budget.h"

#include <algorithm>

namespace groupcast::service {

size_t OutboxBudget::Relieve(std::vector<Consumer> consumers,
                             absl::FunctionRef<void(const Consumer& consumer)> close,
                             absl::FunctionRef<int64_t()> measure) {
  std::sort(consumers.begin(), consumers.end(), [](const Consumer& a, const Consumer& b) {
    return a.takes_bytes != b.takes_bytes ? b.takes_bytes : a.outbox_bytes > b.outbox_bytes;
  });
  const int64_t eighth = bytes_max_ / 8;
  size_t closed = 0;
  while (closed < consumers.size() && measure() > bytes_max_ - eighth) close(consumers[closed++]);
  const int64_t rest = measure();
  allowed_above_ = rest > bytes_max_ ? rest - bytes_max_ + eighth : 0;
  return closed;
}

}  // namespace groupcast::service
