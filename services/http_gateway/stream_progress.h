#ifndef GROUPCAST_SERVICES_HTTP_GATEWAY_STREAM_PROGRESS_H_
#define GROUPCAST_SERVICES_HTTP_GATEWAY_STREAM_PROGRESS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/common/shared_bytes.h"
#include "services/groups/encoding.h"

namespace groupcast::service {

// How far a stream of events has come: what came for it before all its joins had their replies, and
// the ids of its events.
//
// Logic only. Not thread-safe.
class StreamProgress {
 public:
  // Of no stream, or of one with one group: each of its events has the id already.
  StreamProgress() = default;
  // `groups`: in the order of the request.
  explicit StreamProgress(const std::vector<std::string>& groups);

  // Of its messages.
  const Encoding* encoding() const;

  // Something has come before the stream has begun. False: there are more bytes than `bytes_max`.
  bool CountEarly(size_t bytes, size_t bytes_max);
  // An early message. The positions of all joins belong into the ids of all events, so it waits.
  void Keep(const SharedBytes& message) { early_.push_back(message); }

  // The stream begins. `replies`: to its joins, in the order of its groups. Returns its first
  // events.
  std::string Begin(const std::vector<std::string>& replies);
  // After Begin, once: the messages that have waited.
  std::vector<SharedBytes> TakeEarly() { return std::exchange(early_, {}); }

  // What must follow these bytes of a message or a gap: their id. Empty: nothing.
  SharedBytes IdAfter(absl::string_view bytes) {
    return groups_.empty() ? SharedBytes() : NextId(bytes);
  }

 private:
  SharedBytes NextId(absl::string_view bytes);

  // Of a stream with several groups: their positions, in the same order.
  std::vector<std::string> groups_;
  std::vector<Position> positions_;
  std::vector<SharedBytes> early_;
  size_t early_bytes_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_HTTP_GATEWAY_STREAM_PROGRESS_H_
