#ifndef GROUPCAST_TESTS_SUPPORT_LIVE_SERVER_H_
#define GROUPCAST_TESTS_SUPPORT_LIVE_SERVER_H_

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/services.h"
#include "tests/support/test_client.h"

namespace groupcast::tests {

// The one server of all cases of a test binary, and well-behaved neighbours of theirs. At the end
// of the last case, the neighbours must have received nothing of them, and no worker may have been
// replaced.
class LiveServer final : public ::testing::Environment {
 public:
  static uint16_t port();

  void SetUp() override;
  void TearDown() override;

 private:
  void CheckNeighbours();

  std::unique_ptr<Groupcast> groupcast_;
  std::vector<pid_t> workers_;
  std::vector<TestClient> neighbours_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_SUPPORT_LIVE_SERVER_H_
