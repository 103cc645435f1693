#include "services/channel/contract/channel_contract.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace groupcast::service::contract {

bool AllAnswered(const std::vector<std::shared_ptr<const Outcome>>& outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(),
                     [](const auto& outcome) { return outcome->times > 0; });
}

ChannelContractTest::ChannelContractTest() : engine_(GetParam().make()) {}

std::unique_ptr<Peer> ChannelContractTest::Connect() {
  auto peer = std::make_unique<Peer>(engine_.get());
  EXPECT_TRUE(RunUntil([&] { return !peer->states().empty(); })) << "it does not connect";
  return peer;
}

std::unique_ptr<Peer> ChannelContractTest::Join(absl::string_view group_id) {
  std::unique_ptr<Peer> peer = Connect();
  peer->Subscribe(group_id);
  EXPECT_TRUE(RunUntil([&] { return peer->joined(group_id); })) << group_id << " is not joined";
  return peer;
}

Position ChannelContractTest::PublishAndWait(Peer* peer, absl::string_view group_id,
                                             absl::string_view text, const Fingerprint& key) {
  const auto outcome = peer->Publish({.group_id = group_id, .content = {.data = text}, .key = key});
  EXPECT_TRUE(RunUntil([&] { return outcome->times > 0; })) << text << " is not answered";
  EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
  return outcome->result.ok() ? *outcome->result : Position{};
}

std::vector<Position> ChannelContractTest::PublishMany(Peer* peer, absl::string_view group_id,
                                                       int count, size_t bytes) {
  std::vector<std::shared_ptr<const Outcome>> outcomes;
  for (int i = 0; i < count; ++i) {
    std::string text = absl::StrCat(i, " ");
    text.resize(std::max(bytes, text.size()), '.');
    outcomes.push_back(peer->Publish(group_id, text));
  }
  EXPECT_TRUE(RunUntil([&] { return AllAnswered(outcomes); }));
  std::vector<Position> positions;
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome->result.ok()) << outcome->result.status();
    positions.push_back(outcome->result.value_or(Position{}));
  }
  return positions;
}

void ChannelContractTest::Settle(Peer* peer) {
  // Twice, so that the effects of the first round have time too.
  for (int i = 0; i < 2; ++i) {
    const std::string group_id = absl::StrCat("settled ", ++settled_);
    peer->Subscribe(group_id);
    ASSERT_TRUE(RunUntil([&] { return peer->joined(group_id); })) << "a group is not joined";
    const auto outcome = peer->Publish(group_id, "settled");
    ASSERT_TRUE(RunUntil([&] { return outcome->times > 0 && !peer->texts(group_id).empty(); }))
        << "a message does not come back to its sender";
    peer->Unsubscribe(group_id);
  }
}

void ChannelContractTest::DisconnectAll(const std::vector<Peer*>& peers) {
  engine_->Disconnect();
  EXPECT_TRUE(RunUntil([&] {
    return std::none_of(peers.begin(), peers.end(), [](const Peer* peer) {
      return peer->connected() || peer->is_told_connected();
    });
  })) << "nobody notices that the connection is lost";
}

}  // namespace groupcast::service::contract
