#ifndef GROUPCAST_SERVICES_CHANNEL_NATS_NATS_WRITER_H_
#define GROUPCAST_SERVICES_CHANNEL_NATS_NATS_WRITER_H_

#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace groupcast::service {

// What goes out to a NATS server. Without a connection it has no effect. The order is kept.
class NatsWriter {
 public:
  // Names and values, without line breaks.
  using Headers = absl::Span<const std::pair<absl::string_view, absl::string_view>>;

  virtual void Publish(absl::string_view subject, absl::string_view reply, Headers headers,
                       absl::string_view data) = 0;
  // Messages of the subject come with this number, which is new on this connection.
  virtual void Subscribe(absl::string_view subject, uint64_t number) = 0;
  virtual void Unsubscribe(uint64_t number) = 0;

 protected:
  ~NatsWriter() = default;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_NATS_NATS_WRITER_H_
