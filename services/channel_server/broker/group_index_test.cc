#include "services/channel_server/broker/group_index.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

const absl::Time kStart = absl::UnixEpoch();

// Whoever forgot it would break a promise that the flag stands for.
TEST(GroupIndexTest, AGroupWithSomethingToSendIsNotIdle) {
  GroupIndex groups;
  KnownGroup* const group = groups.FindOrAdd("x", 5);
  for (bool KnownGroup::*const flag :
       {&KnownGroup::subscribed, &KnownGroup::announce, &KnownGroup::active}) {
    group->*flag = true;
    groups.UpdateIdle(group, kStart);
    EXPECT_EQ(groups.idle_count(), 0u);
    group->*flag = false;
    groups.UpdateIdle(group, kStart);
    EXPECT_EQ(groups.first_idle(), group);
  }
  group->last_placed = 6;  // it is not handed out yet
  groups.UpdateIdle(group, kStart);
  EXPECT_EQ(groups.idle_count(), 0u);
}

}  // namespace
}  // namespace groupcast::service
