// The memory engine keeps the contract, also while it is late, while connections come and go, and
// with a counter for each group.

#include <memory>

#include "services/channel/contract/channel_contract.h"
#include "services/channel/contract/memory_engine.h"

namespace groupcast::service::contract {
namespace {

EngineFactory Memory(const char* name, MemoryEngine::Mode mode) {
  return {name, [mode] { return std::make_unique<MemoryEngine>(mode); }};
}

INSTANTIATE_TEST_SUITE_P(Memory, ChannelContractTest,
                         testing::Values(Memory("Plain", MemoryEngine::Mode::kPlain),
                                         Memory("Late", MemoryEngine::Mode::kLate),
                                         Memory("Flaky", MemoryEngine::Mode::kFlaky),
                                         Memory("CountGroupsAlone",
                                                MemoryEngine::Mode::kCountGroupsAlone)),
                         EngineName);
INSTANTIATE_TEST_SUITE_P(Memory, PresenceContractTest,
                         testing::Values(Memory("Plain", MemoryEngine::Mode::kPlain),
                                         Memory("Flaky", MemoryEngine::Mode::kFlaky)),
                         EngineName);

}  // namespace
}  // namespace groupcast::service::contract
