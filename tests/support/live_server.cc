#include "tests/support/live_server.h"

#include <algorithm>
#include <exception>

namespace groupcast::tests {
namespace {

constexpr int kWorkers = 2;
// So many that each worker has some.
constexpr int kNeighbours = 16;

// GoogleTest owns it.
LiveServer* live_server = nullptr;
uint16_t live_port = 0;

const bool kRegistered = [] {
  live_server = new LiveServer;
  ::testing::AddGlobalTestEnvironment(live_server);
  return true;
}();

}  // namespace

uint16_t LiveServer::port() { return live_port; }

void LiveServer::SetUp() {
  groupcast_ = std::make_unique<Groupcast>(kWorkers);
  live_port = groupcast_->service.port();
  workers_ = groupcast_->service.WorkerPids();
  for (int i = 0; i < kNeighbours; ++i) {
    neighbours_.emplace_back(live_port, Mode::kV1).Join("neighbours");
  }
}

void LiveServer::TearDown() {
  // Outside of a test, GoogleTest does not catch.
  try {
    CheckNeighbours();
  } catch (const std::exception& failure) {
    ADD_FAILURE() << "a neighbour of the cases: " << failure.what();
  }
  neighbours_.clear();
  groupcast_.reset();
}

void LiveServer::CheckNeighbours() {
  EXPECT_EQ(groupcast_->service.WorkerPids(), workers_);
  neighbours_.front().Send(SendToGroup("\"neighbours\"", "\"still here\""));
  for (TestClient& neighbour : neighbours_) {
    const Event event = neighbour.NextEvent();
    EXPECT_EQ(event.name(), "message");
    EXPECT_EQ(event.Text("message"), "still here");
    EXPECT_TRUE(neighbour.IsQuiet());
  }
}

}  // namespace groupcast::tests
