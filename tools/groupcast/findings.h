#ifndef GROUPCAST_TOOLS_GROUPCAST_FINDINGS_H_
#define GROUPCAST_TOOLS_GROUPCAST_FINDINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/groupcast/certificate.h"
#include "tools/groupcast/gateway.h"

namespace groupcast::cli {

// What `doctor` says of one thing that it looked at. The functions here judge; they look at nothing
// themselves.
struct Finding {
  enum class Level { kOk, kWarn, kFail };

  Level level = Level::kOk;
  std::string subject;  // a word or two
  std::string text;
  std::string advice;  // what to do; empty if it is well
};

// The result of a connection as a client.
Finding JudgeConnection(const std::string& url, const absl::Status& status, absl::Duration took);
// The result of a question to the gateway. Only a status that is not OK has a reason.
Finding JudgeGateway(const GatewayOptions& options, const absl::Status& status);
// By how much this machine's clock is before the server's.
Finding JudgeClock(absl::Duration ahead);
// The descriptors that a program of this shell may have, now and at most.
Finding JudgeDescriptors(uint64_t now, uint64_t most);
// A finding for each service, and one for their versions beside `own_version`.
std::vector<Finding> JudgeServices(const std::vector<ServiceRow>& services,
                                   const std::string& own_version);
// The certificate of the server at `url`.
Finding JudgeCertificate(const std::string& url, const absl::StatusOr<Certificate>& certificate,
                         absl::Time now);
// The token of the environment or a file.
Finding JudgeToken(const std::string& token, absl::Time now);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_FINDINGS_H_
