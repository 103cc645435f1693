#ifndef GROUPCAST_TOOLS_BENCH_LOAD_PEER_DIALECTS_H_
#define GROUPCAST_TOOLS_BENCH_LOAD_PEER_DIALECTS_H_

#include <memory>

#include "tools/bench_load/dialect.h"

// The dialects of the servers of tools/bench_peers.

namespace groupcast::bench {

// nginx with Nchan: the address of a connection is its group, and a frame is a message.
std::unique_ptr<Dialect> NewNchan();

// Socket.IO, with its protocol 5 over Engine.IO's 4. Each command is an event of
// socketio_server.js.
std::unique_ptr<Dialect> NewSocketIo();

// ws_server.js.
std::unique_ptr<Dialect> NewWs();

// nats-server, with a subject for each group.
std::unique_ptr<Dialect> NewNats();

}  // namespace groupcast::bench

#endif  // GROUPCAST_TOOLS_BENCH_LOAD_PEER_DIALECTS_H_
