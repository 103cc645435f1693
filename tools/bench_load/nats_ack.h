#ifndef GROUPCAST_TOOLS_BENCH_LOAD_NATS_ACK_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_NATS_ACK_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace groupcast::bench {

// The place in its stream that JetStream gave to a publication. `operation` is the MSG of the
// answer, as NatsReader hands it out. nullopt: it is no acknowledgement, but an error or another
// operation.
std::optional<uint64_t> ReadNatsAck(std::string_view operation);

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_NATS_ACK_H_
