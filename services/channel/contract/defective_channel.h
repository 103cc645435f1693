#ifndef GROUPCAST_SERVICES_CHANNEL_CONTRACT_DEFECTIVE_CHANNEL_H_
#define GROUPCAST_SERVICES_CHANNEL_CONTRACT_DEFECTIVE_CHANNEL_H_

#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/channel/channel.h"
#include "services/channel/contract/memory_engine.h"

namespace groupcast::service::contract {

// The names of the defects that a DefectiveChannel can have. Each breaks one rule of Channel.
const std::vector<absl::string_view>& Defects();

// An engine that is wrong on purpose. It is a memory channel with one defect of Defects(), or with
// none if `defect` is empty. It shows that the contract test can fail.
std::unique_ptr<Channel> MakeDefectiveChannel(absl::string_view defect, ChannelListener* listener,
                                              const MemoryEngine::MakeMemoryChannel& make);

}  // namespace groupcast::service::contract

#endif  // GROUPCAST_SERVICES_CHANNEL_CONTRACT_DEFECTIVE_CHANNEL_H_
