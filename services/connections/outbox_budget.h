#ifndef GROUPCAST_SERVICES_CONNECTIONS_OUTBOX_BUDGET_H_
#define GROUPCAST_SERVICES_CONNECTIONS_OUTBOX_BUDGET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"

namespace groupcast::service {

// The bound of the memory of all outboxes of a worker together. Each outbox has its own bound, but
// very many of them could fill the machine. Over the bound, the worst consumers are closed: first
// those that take no bytes, and among these the ones with the largest outboxes.
//
// The caller measures the memory: a frame that many outboxes share is there once. So a close frees
// only what no other outbox refers to, and the caller measures again after each.
//
// No IO. Not thread-safe.
class OutboxBudget {
 public:
  struct Consumer {
    void* connection = nullptr;  // for the caller
    size_t outbox_bytes = 0;
    bool takes_bytes = false;  // the kernel took some for it of late
  };

  explicit OutboxBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  // Whether consumers should be closed now. `bytes` is the present memory. After a Relieve that
  // found too few consumers, it waits until the memory has grown by an eighth of the bound.
  bool IsExceeded(int64_t bytes) {
    if (bytes <= bytes_max_) allowed_above_ = 0;
    return bytes > bytes_max_ + allowed_above_;
  }

  // Closes consumers, the worst first, until the memory is an eighth below the bound, or none is
  // left. `close` closes one; `measure` returns the present memory. Returns the number of closed
  // ones.
  size_t Relieve(std::vector<Consumer> consumers,
                 absl::FunctionRef<void(const Consumer& consumer)> close,
                 absl::FunctionRef<int64_t()> measure);

 private:
  const int64_t bytes_max_;
  int64_t allowed_above_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONNECTIONS_OUTBOX_BUDGET_H_
