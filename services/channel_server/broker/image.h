#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_IMAGE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_IMAGE_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/channel/wire.h"
#include "services/channel_server/broker/broker_state.h"
#include "services/channel_server/broker/proto/snapshot.pb.h"
#include "services/common/clock.h"

namespace groupcast::service {

// Writes all of the server's state as a sequence of parts (proto/snapshot.proto): the small state
// of a snapshot, and also the messages, the keys, and the results that publishers may ask for. A
// reader needs nothing that the log has before it.
//
// The state must not change from the first part to the last. All messages must be handed out.
//
// Not thread-safe.
class ImageWriter {
 public:
  // Both must outlive it. It uses the group index's cursor.
  ImageWriter(BrokerState* state, const Clock* calendar);
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;

  // Puts the next part into `part`. Parts have about a megabyte. False: no part is left.
  bool NextPart(std::string* part);

 private:
  enum class Step { kPublishers, kMessages, kGroups, kKeys, kEnd };

  void Fill(channel_server::v1::Snapshot* part);
  // They add the next item, and return its bytes. Nullopt: none is left.
  std::optional<size_t> AddPublisher(channel_server::v1::Snapshot* part);
  std::optional<size_t> AddMessage(channel_server::v1::Snapshot* part);
  std::optional<size_t> AddGroup(channel_server::v1::Snapshot* part);
  std::optional<size_t> AddKey(channel_server::v1::Snapshot* part);
  int64_t Date(absl::Time time) const { return absl::ToUnixMillis(date_ - (state_->now - time)); }

  BrokerState* const state_;
  const absl::Time date_;
  bool begun_ = false;
  Step step_ = Step::kPublishers;
  Publishers::BySilence::const_iterator publisher_;
  const Retention::Message* message_;
  // Of each publisher.
  absl::flat_hash_map<PublisherId, const Retention::Message*> messages_before_;
  size_t key_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_IMAGE_H_
