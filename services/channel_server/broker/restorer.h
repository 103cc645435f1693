#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_RESTORER_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_RESTORER_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/wire.h"
#include "services/channel_server/broker/broker_state.h"
#include "services/channel_server/broker/proto/snapshot.pb.h"
#include "services/channel_server/broker/turn_record.h"
#include "services/common/clock.h"

namespace groupcast::service {

// Restores the state of a process from its log: from the parts of snapshots and the turns, in the
// log's order.
//
// The first snapshot has the state before the oldest turn. Of later snapshots, it reads only the
// epoch and the last offset: the earlier turns have already led to all other values. An image
// replaces all that came before.
class Restorer final : private TurnVisitor {
 public:
  // Both must outlive it.
  Restorer(BrokerState* state, const Clock* calendar) : state_(state), calendar_(calendar) {}

  // kDataLoss: a broker did not write these bytes.
  absl::Status OnSnapshotPart(absl::string_view bytes);
  // All parts of a snapshot have come.
  void OnSnapshotEnd() {
    has_snapshot_ = true;
    bodies_ = {};
  }
  absl::Status OnTurnRecord(absl::string_view record) { return ReadTurn(record, this); }

 private:
  void OnTime(int64_t time_ms) override;
  void OnMessage(const LiveFrame& frame, absl::string_view bytes) override;
  void OnResult(PublisherId publisher, uint64_t number, uint64_t offset, uint8_t reason) override;
  void OnKnown(absl::string_view group_id, uint64_t floor) override;
  void OnForgotten(absl::string_view group_id, uint64_t head) override;
  void OnEpoch(Epoch epoch) override;

  void RestorePublishers(const channel_server::v1::Snapshot& part);
  void RestoreResults(const channel_server::v1::Image& image);
  absl::Status RestoreMessages(const channel_server::v1::Image& image);
  absl::Status RestoreKeys(const channel_server::v1::Image& image);
  void RestoreMessage(const LiveFrame& frame, absl::string_view bytes, absl::Time since);
  void Reset(KnownGroup* group, uint64_t head);
  absl::Time TimeOf(int64_t time_ms) const;

  BrokerState* const state_;
  const Clock* const calendar_;
  bool has_part_ = false;
  bool has_snapshot_ = false;
  absl::Time since_;  // the time of the present turn
  // Of each publisher's last message in the image.
  absl::flat_hash_map<PublisherId, std::string> bodies_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_RESTORER_H_
