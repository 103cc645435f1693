#ifndef GROUPCAST_SERVICES_WORKER_METRICS_CLOSE_COUNTS_H_
#define GROUPCAST_SERVICES_WORKER_METRICS_CLOSE_COUNTS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "services/protocol/close_code.h"

namespace groupcast::service {

// The codes that are counted by themselves. A client may close with many others.
inline constexpr CloseCode kCountedCloseCodes[] = {
    CloseCode::kNormal,          CloseCode::kGoingAway, CloseCode::kProtocolError,
    CloseCode::kUnsupportedData, CloseCode::kNone,      CloseCode::kAbnormal,
    CloseCode::kInvalidPayload,  CloseCode::kTooBig,    CloseCode::kDraining,
    CloseCode::kSlowConsumer,    CloseCode::kNoPong,    CloseCode::kNotAuthenticated,
    CloseCode::kTokenExpired,    CloseCode::kOverLimit};
inline constexpr size_t kCountedCloses = std::size(kCountedCloseCodes);

// How often connections, or streams of events, were closed with each code.
class CloseCounts {
 public:
  void Add(CloseCode code) {
    const auto* const found =
        std::find(std::begin(kCountedCloseCodes), std::end(kCountedCloseCodes), code);
    ++counts_[static_cast<size_t>(found - std::begin(kCountedCloseCodes))];
  }

  // `index` is of kCountedCloseCodes; kCountedCloses stands for all others.
  uint64_t Of(size_t index) const { return counts_[index]; }

 private:
  std::array<uint64_t, kCountedCloses + 1> counts_ = {};
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WORKER_METRICS_CLOSE_COUNTS_H_
