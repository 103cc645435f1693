#include "tests/support/crowd.h"

#include <algorithm>

namespace groupcast::tests {

std::vector<TestClient> ConnectCrowd(WebSocketService* service, int count, Mode mode) {
  for (;;) {
    std::vector<TestClient> clients;
    for (int i = 0; i < count; ++i) clients.emplace_back(service->port(), mode);
    WaitForConnections(service, count);
    const std::vector<WebSocketService::WorkerRow> rows = service->Table();
    if (std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.connections > 0; }))
      return clients;
    clients.clear();
    WaitForConnections(service, 0);
  }
}

void WaitForConnections(WebSocketService* service, int64_t count) {
  WaitUntil("the workers count the connections", [&] {
    int64_t sum = 0;
    for (const WebSocketService::WorkerRow& row : service->Table()) sum += row.connections;
    return sum == count;
  });
}

}  // namespace groupcast::tests
