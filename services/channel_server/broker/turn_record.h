#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_TURN_RECORD_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_TURN_RECORD_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/channel/position.h"
#include "services/channel/wire.h"

namespace groupcast::service {

// The record of one turn of the broker in its log: the time, and items in the order of their
// events. Integers are little-endian:
//
//   time in ms since 1970 i64 | items
//   message    1 | bytes u32 | the frame that was handed out
//   result     2 | publisher u64 | number u64 | offset u64 | reason u8   without a new message
//   known      3 | floor u64 | bytes u8 | group id         the group begins anew, with this head
//   forgotten  4 | head u64 | bytes u8 | group id          the group is not known any more
//   epoch      5 | epoch u64                               another history begins
class TurnWriter {
 public:
  // Begins a record. It leaves `room` zero bytes free before the record.
  void Begin(size_t room, int64_t time_ms);

  void AddMessage(absl::string_view frame);
  void AddResult(PublisherId publisher, uint64_t number, uint64_t offset, uint8_t reason);
  void AddKnown(absl::string_view group_id, uint64_t floor);
  void AddForgotten(absl::string_view group_id, uint64_t head);
  void AddEpoch(Epoch epoch);

  bool empty() const { return empty_; }
  std::string& record() { return record_; }

 private:
  void AddByte(uint8_t byte);
  void AddGroup(uint64_t offset, absl::string_view group_id);
  template <typename Integer>
  void AddInteger(Integer value);

  std::string record_;
  bool empty_ = true;
};

// Receives the items of a record. Views are valid during the call.
class TurnVisitor {
 public:
  virtual void OnTime(int64_t time_ms) = 0;
  // `bytes` is the whole frame.
  virtual void OnMessage(const LiveFrame& frame, absl::string_view bytes) = 0;
  virtual void OnResult(PublisherId publisher, uint64_t number, uint64_t offset,
                        uint8_t reason) = 0;
  virtual void OnKnown(absl::string_view group_id, uint64_t floor) = 0;
  virtual void OnForgotten(absl::string_view group_id, uint64_t head) = 0;
  virtual void OnEpoch(Epoch epoch) = 0;

 protected:
  ~TurnVisitor() = default;
};

// kDataLoss: not a turn record. The visitor has received the items before the defect.
absl::Status ReadTurn(absl::string_view record, TurnVisitor* visitor);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_TURN_RECORD_H_
