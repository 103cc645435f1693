#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_DEFLATE_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_DEFLATE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct z_stream_s;

namespace groupcast::service {

// The payloads of permessage-deflate (RFC 7692 section 7.2), each on its own: neither side keeps
// its window from message to message. So one object of each kind serves all connections of a
// worker, and a compressed message can be shared. Not thread-safe.

// Keeps about 270 KB from its first use on.
class Deflater {
 public:
  Deflater();
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // Returns the payload for the text `head` and then `rest`. The view is valid until the next call.
  absl::string_view Deflate(absl::string_view head, absl::string_view rest = {});

 private:
  std::unique_ptr<z_stream_s> stream_;  // null: not used yet
  std::string output_;
};

// Keeps about 50 KB from its first use on, and during a call at most `bytes_max` of it in addition.
class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Returns the text of a payload. The view is valid until the next call.
  // kResourceExhausted: it has more than `bytes_max` bytes. The rest of it was not inflated.
  // kInvalidArgument: it is no whole payload of permessage-deflate.
  absl::StatusOr<absl::string_view> Inflate(absl::string_view payload, size_t bytes_max);

 private:
  // Inflates `input` after what is in output_. OK: all of it.
  absl::Status Add(absl::string_view input, size_t bytes_max);

  std::unique_ptr<z_stream_s> stream_;  // null: not used yet
  std::string output_;
  size_t output_bytes_ = 0;  // of output_, those that are in use
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_WIRE_DEFLATE_H_
