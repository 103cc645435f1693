#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_READS_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_READS_H_

#include "services/channel/proto/wire.pb.h"
#include "services/channel_server/broker/broker_state.h"

namespace groupcast::service {

// The answers to workers' questions. They change nothing, and reach up to the heads: no answer has
// a message that is not handed out.

// A page of the group's messages, with its floor and its head.
channel::v1::History ReadHistory(const BrokerState& state, const channel::v1::FetchHistory& fetch);

// The groups whose heads differ from those in `compare`.
channel::v1::Heads DifferentHeads(const BrokerState& state,
                                  const channel::v1::CompareHeads& compare);

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_BROKER_READS_H_
