#ifndef GROUPCAST_TESTS_FAULTS_GATEWAY_SIDE_H_
#define GROUPCAST_TESTS_FAULTS_GATEWAY_SIDE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/faults/flaky_proxy.h"
#include "tests/faults/http_publisher.h"
#include "tests/faults/ledger.h"
#include "tests/faults/return_clock.h"
#include "tests/faults/stream_member.h"
#include "tests/support/http_gateway.h"
#include "tests/support/services.h"

namespace groupcast::tests {

struct GatewayOptions {
  int workers = 4;
  int publishers = 16;
  int streams = 24;  // one in three follows three groups, the others one
  int rate = 400;    // requests per second, by all publishers together
  Flags flags = {};  // additional ones, of http_gateway
};

// The HTTP gateway in chaos, behind proxies, with its publishers and its streams of events. Of one
// thread.
class GatewaySide {
 public:
  // Its clients have the numbers from `first_client` on. `ledger` and `return_clock` must outlive
  // it. All streams have asked for their groups when it returns.
  GatewaySide(const ChannelServer& server, const GatewayOptions& options, int groups,
              int first_client, uint64_t seed, Ledger* ledger, ReturnClock* return_clock);

  // The publishers begin.
  void Start();
  // Each publisher publishes one last message to each group. Returns when all have a result.
  void Finish();

  HttpGateway& gateway() { return gateway_; }
  // Kills the supervisor. StartAgain follows.
  void Kill();
  void StartAgain() { gateway_.StartAgain(); }
  // Those to the channel server, and those of publishers and streams.
  FlakyProxy& links() { return links_; }
  FlakyProxy& client_links() { return client_links_; }

  // The users of the streams in this group.
  std::vector<std::string> UsersIn(int group) const;
  HttpPublisher::Counts publisher_counts() const;
  StreamMember::Counts stream_counts() const;
  std::vector<std::string> findings() const;
  // What its supervisors have said so far.
  std::string Output() { return earlier_output_ + gateway_.process().Output(); }

 private:
  const GatewayOptions options_;
  const int groups_;
  const int first_client_;
  const uint64_t seed_;
  Ledger* const ledger_;
  std::string earlier_output_;  // of supervisors that were killed
  FlakyProxy links_;
  HttpGateway gateway_;
  FlakyProxy client_links_;
  std::vector<std::unique_ptr<StreamMember>> streams_;
  std::vector<std::unique_ptr<HttpPublisher>> publishers_;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_GATEWAY_SIDE_H_
