// The contract's cases on an engine with the defect that the first argument names; none if it is
// empty. It must fail: see contract_finds_defects_test.cc.

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "services/channel/contract/channel_contract.h"
#include "services/channel/contract/defective_channel.h"
#include "services/channel/contract/memory_engine.h"

namespace groupcast::service::contract {
namespace {

std::string& DefectOfThisProcess() {
  static auto* const defect = new std::string;
  return *defect;
}

std::unique_ptr<EngineUnderTest> MakeEngine() {
  return std::make_unique<MemoryEngine>(
      MemoryEngine::Mode::kPlain,
      [](ChannelListener* listener, const MemoryEngine::MakeMemoryChannel& make) {
        return MakeDefectiveChannel(DefectOfThisProcess(), listener, make);
      });
}

INSTANTIATE_TEST_SUITE_P(Defective, ChannelContractTest,
                         testing::Values(EngineFactory{"Memory", MakeEngine}), EngineName);

}  // namespace
}  // namespace groupcast::service::contract

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1) groupcast::service::contract::DefectOfThisProcess() = argv[1];
  return RUN_ALL_TESTS();
}
