#ifndef GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_FIXTURE_H_
#define GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_FIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/channel/memory/memory_channel.h"
#include "services/groups/group_service.h"
#include "services/groups/plain_encodings.h"

namespace groupcast::service {

inline constexpr Epoch kEpoch{0x0a};

// A connection from the view of the groups. It records the bytes that it is sent, and holds
// commands back like a session.
class FakeMember final : public Member {
 public:
  FakeMember(uint64_t id, const Encoding* encoding, GroupService* service)
      : Member(ConnectionId{id}, encoding), service_(service) {
    service_->Add(this);
  }
  ~FakeMember() override { service_->Remove(this); }

  void Do(const std::string& command) {
    waiting_.push_back(command);
    if (waiting_.size() == 1) ResumeCommands();
  }

  void Send(const SharedBytes& bytes, TrafficClass) override {
    received.emplace_back(bytes.bytes());
    blocks.push_back(bytes);
    if (on_send) on_send();
    if (room > 0) --room;
  }
  bool HasRoomFor(size_t bytes) const override { return room > 0 && bytes <= block_bytes_max; }
  void Disconnect(CloseCode code, absl::string_view reason) override {
    disconnected = code;
    disconnect_reason = std::string(reason);
  }
  void ResumeCommands() override {
    while (!waiting_.empty() && service_->HandleCommand(this, waiting_.front())) {
      waiting_.erase(waiting_.begin());
    }
  }

  // Acts like a session after its outbox has drained: there is room for `blocks_max` blocks.
  void Drain(size_t blocks_max) {
    room = blocks_max;
    if (recoveries > 0) service_->OnDrained(this);
  }

  std::function<void()> on_send;  // null: none
  std::optional<CloseCode> disconnected;
  std::string disconnect_reason;
  std::vector<std::string> received;
  std::vector<SharedBytes> blocks;
  size_t room = std::numeric_limits<size_t>::max();
  size_t block_bytes_max = std::numeric_limits<size_t>::max();

 private:
  GroupService* const service_;
  std::vector<std::string> waiting_;
};

using Received = std::vector<std::string>;

// One worker's groups on a channel. Tests also publish on the channel from outside.
class GroupServiceFixture : public testing::Test {
 protected:
  explicit GroupServiceFixture(const GroupServiceOptions& options = {})
      : service_(options, &clock_), hub_(kEpoch), channel_(&hub_, &service_) {
    service_.SetChannel(&channel_);
    channel_.SetConnected(true);
    hub_.Pump();
  }

  std::unique_ptr<FakeMember> Bare() {
    return std::make_unique<FakeMember>(++last_id_, &kPlainBareEncoding, &service_);
  }
  std::unique_ptr<FakeMember> V1() {
    return std::make_unique<FakeMember>(++last_id_, &kPlainV1Encoding, &service_);
  }

  FakeClock clock_;
  GroupService service_;
  MemoryHub hub_;
  MemoryChannel channel_;
  uint64_t last_id_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_GROUPS_GROUP_SERVICE_FIXTURE_H_
