#ifndef GROUPCAST_TESTS_FAULTS_CHAOS_REPORT_H_
#define GROUPCAST_TESTS_FAULTS_CHAOS_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/faults/fault.h"
#include "tests/faults/http_publisher.h"
#include "tests/faults/ledger.h"
#include "tests/faults/member_watcher.h"
#include "tests/faults/stream_member.h"

namespace groupcast::tests {

struct ChaosReport {
  uint64_t seed = 0;
  absl::Duration duration;
  Ledger::Counts counts;
  FaultMix::Counts faults = {};
  int64_t crashes = 0;  // processes that ended without a SIGKILL
  int64_t rejoins = 0;  // memberships that ended and began again
  // The times from each start of the channel server to the first delivery, to any client, of a
  // message that was sent after it. In ascending order.
  std::vector<absl::Duration> returns;
  // Every send was answered and every member received every message, within the time limit.
  bool settled = false;
  MemberWatcher::Counts presence;    // of all watchers
  HttpPublisher::Counts publishers;  // of the HTTP gateway
  StreamMember::Counts streams;      // of events
  int64_t gateway_findings = 0;      // what no publisher and no stream should get
  // What contradicted a watcher's view, and views that were not the truth in the end.
  int64_t presence_findings = 0;
  // The first problems, in words.
  std::vector<std::string> findings;

  int64_t FaultsInAll() const;
  int64_t Contradictions() const { return presence_findings + gateway_findings; }
  bool Passed() const { return settled && crashes == 0 && counts.Clean() && Contradictions() == 0; }
  // The whole report, in several lines.
  std::string Text() const;
  // The main results, in one line.
  std::string Line() const;
};

}  // namespace groupcast::tests

#endif  // GROUPCAST_TESTS_FAULTS_CHAOS_REPORT_H_
