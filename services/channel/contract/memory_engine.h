#ifndef GROUPCAST_SERVICES_CHANNEL_CONTRACT_MEMORY_ENGINE_H_
#define GROUPCAST_SERVICES_CHANNEL_CONTRACT_MEMORY_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "services/channel/contract/engine_under_test.h"
#include "services/channel/memory/memory_channel.h"

namespace groupcast::service::contract {

// The memory engine under test. Its modes are differences that no user should notice.
class MemoryEngine final : public EngineUnderTest {
 public:
  enum class Mode {
    kPlain,
    kLate,              // holds messages and answers back in every other step
    kFlaky,             // loses all connections every few steps, and restores them
    kCountGroupsAlone,  // the offsets of each group count from 1
  };
  // For defective engines: creates the channel that Open returns. It wraps the channel that `make`
  // creates for a listener.
  using MakeMemoryChannel = std::function<std::unique_ptr<Channel>(ChannelListener*)>;
  using Wrap = std::function<std::unique_ptr<Channel>(ChannelListener*, const MakeMemoryChannel&)>;

  explicit MemoryEngine(Mode mode, Wrap wrap = nullptr);

  std::unique_ptr<Channel> Open(ChannelListener* listener) override;
  bool RunUntil(const std::function<bool()>& done) override;
  void Disconnect() override;
  void Reconnect() override { is_up_ = true; }
  void LoseEverything() override;

 private:
  class OpenChannel;

  void Step();

  const Mode mode_;
  const Wrap wrap_;
  uint64_t epoch_ = 1;
  uint64_t steps_ = 0;
  bool is_up_ = true;
  MemoryHub hub_{Epoch{1}};
  std::vector<MemoryChannel*> channels_;  // that are open
};

}  // namespace groupcast::service::contract

#endif  // GROUPCAST_SERVICES_CHANNEL_CONTRACT_MEMORY_ENGINE_H_
