#ifndef GROUPCAST_TOOLS_GROUPCAST_CERTIFICATE_H_
#define GROUPCAST_TOOLS_GROUPCAST_CERTIFICATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace groupcast::cli {

// The certificate that a server shows.
struct Certificate {
  absl::Time valid_until;
  std::string problem;  // why it is not trusted for this host; empty: it is
};

// Connects, and reads the certificate. `ca_file`: as ClientOptions::ca_file.
// kUnavailable: there is no server, or it does not speak TLS. kInvalidArgument: `ca_file` cannot be
// used.
absl::StatusOr<Certificate> ReadCertificate(const std::string& host, const std::string& port,
                                            const std::string& ca_file, absl::Duration timeout);

}  // namespace groupcast::cli

#endif  // GROUPCAST_TOOLS_GROUPCAST_CERTIFICATE_H_
