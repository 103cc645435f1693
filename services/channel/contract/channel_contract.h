#ifndef GROUPCAST_SERVICES_CHANNEL_CONTRACT_CHANNEL_CONTRACT_H_
#define GROUPCAST_SERVICES_CHANNEL_CONTRACT_CHANNEL_CONTRACT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "services/channel/contract/engine_under_test.h"
#include "services/channel/contract/peer.h"

namespace groupcast::service::contract {

// The contract of Channel (services/channel/channel.h), as a suite that every engine must pass.
// docs/channel_contract.md lists the cases of each sentence. An engine's test instantiates it:
//
//     INSTANTIATE_TEST_SUITE_P(Memory, ChannelContractTest,
//                              testing::Values(EngineFactory{"Plain", [] { return … }}),
//                              EngineName);
//
// The cases assume nothing that channel.h does not say. Offsets of different groups have no order.
// Messages of different groups may overtake each other. Nothing is instant: the cases wait for
// conditions. Settle shows that an event does NOT come: it waits for a message that was sent later.
class ChannelContractTest : public testing::TestWithParam<EngineFactory> {
 protected:
  ChannelContractTest();

  // A new peer, connected.
  std::unique_ptr<Peer> Connect();
  // A peer that is connected and in the group.
  std::unique_ptr<Peer> Join(absl::string_view group_id);
  bool RunUntil(const std::function<bool()>& done) { return engine_->RunUntil(done); }
  // Publishes the text, and waits until it has its position.
  Position PublishAndWait(Peer* peer, absl::string_view group_id, absl::string_view text,
                          const Fingerprint& key = {});
  // Publishes `count` messages of `bytes`, and waits for their positions.
  std::vector<Position> PublishMany(Peer* peer, absl::string_view group_id, int count,
                                    size_t bytes);
  // Waits until the effects of `peer`'s earlier calls are complete, and its earlier events have
  // come.
  void Settle(Peer* peer);
  void DisconnectAll(const std::vector<Peer*>& peers);

  std::unique_ptr<EngineUnderTest> engine_;
  int settled_ = 0;
};

// The contract of Presence (services/channel/presence.h), for engines that have it. An engine's
// test instantiates it like ChannelContractTest.
class PresenceContractTest : public ChannelContractTest {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PresenceContractTest);

bool AllAnswered(const std::vector<std::shared_ptr<const Outcome>>& outcomes);

inline std::string EngineName(const testing::TestParamInfo<EngineFactory>& info) {
  return info.param.name;
}

}  // namespace groupcast::service::contract

#endif  // GROUPCAST_SERVICES_CHANNEL_CONTRACT_CHANNEL_CONTRACT_H_
