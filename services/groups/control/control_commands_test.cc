#include "services/groups/control/control_commands.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

// It has many ids that members have kept, and none of them is asked for.
class ManyIds final : public Presence {
 public:
  void SetListener(PresenceListener*) override {}
  void Watch(absl::string_view) override {}
  void Unwatch(absl::string_view) override {}
  bool HasRoomToWatch() const override { return true; }
  const PresenceView* View(absl::string_view) const override { return nullptr; }
  void OnJoin(absl::string_view, uint64_t) override {}
  void OnLeave(absl::string_view, uint64_t, bool) override {}
  std::vector<uint64_t> ConnectionsOf(uint64_t, absl::string_view) const override { return {}; }
  size_t kept_ids() const override { return 99'999; }
};

TEST(ControlCommandsTest, WhoSearchesAllKeptIdsForAMemberIsChargedForThem) {
  const FakeClock clock;
  GroupTable table;
  const RateWindows windows;
  const absl::flat_hash_map<ConnectionId, Member*> members;
  ControlCommands commands({.clock = &clock,
                            .table = &table,
                            .windows = &windows,
                            .access = nullptr,
                            .members = &members});
  const ManyIds presence;
  commands.SetPresence(&presence);
  const auto run = [&commands] {
    ControlAnswer answer;
    commands.Run({.kind = ControlCommand::Kind::kDisconnect, .member = 1}, 1'000, &answer);
    return answer.outcome;
  };
  for (int i = 0; i < 4; ++i) EXPECT_EQ(run(), ControlAnswer::Outcome::kDone);
  EXPECT_EQ(run(), ControlAnswer::Outcome::kBusy);
}

}  // namespace
}  // namespace groupcast::service
