#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_DEFLATION_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_DEFLATION_H_

#include <cstddef>

#include "services/groups/encoding.h"
#include "services/websocket_service/wire/deflate.h"
#include "services/websocket_service/wire/encodings.h"

namespace groupcast::service {

// What the sessions of a worker with permessage-deflate share: one compressor, one inflater, and
// the two modes. It must outlive them.
class Deflation {
 public:
  explicit Deflation(size_t threshold_bytes)
      : bare_(&kBareEncoding, EncodingSlot::kThird, &deflater_, threshold_bytes),
        v1_(&kV1Encoding, EncodingSlot::kFourth, &deflater_, threshold_bytes) {}
  Deflation(const Deflation&) = delete;
  Deflation& operator=(const Deflation&) = delete;

  Inflater& inflater() { return inflater_; }

  // Whether a message may be inflated in this turn of the worker. A few kilobytes on the wire may
  // be megabytes of text, and others wait while the worker reads them. The last message of a turn
  // may exceed the bound.
  bool MayInflate() const { return inflated_in_turn_ < kTurnBytesMax; }
  void CountInflated(size_t bytes) { inflated_in_turn_ += bytes; }
  // The worker calls it once per turn.
  void BeginTurn() { inflated_in_turn_ = 0; }

  const Encoding& encoding(bool v1) const { return v1 ? v1_ : bare_; }

 private:
  static constexpr size_t kTurnBytesMax = 1u << 20;

  size_t inflated_in_turn_ = 0;
  Deflater deflater_;
  Inflater inflater_;
  const DeflatedEncoding bare_;
  const DeflatedEncoding v1_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_DEFLATION_H_
