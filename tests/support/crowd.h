#ifndef GROUPCAST_TESTS_SUPPORT_CROWD_H_
#define GROUPCAST_TESTS_SUPPORT_CROWD_H_

#include <vector>

#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {

// `count` connections, some of them at each worker. The kernel spreads them over the workers'
// sockets by chance, so this tries until every worker has one.
std::vector<TestClient> ConnectCrowd(WebSocketService* service, int count, Mode mode = Mode::kBare);

// Waits until the workers report this many connections together.
void WaitForConnections(WebSocketService* service, int64_t count);

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_CROWD_H_
