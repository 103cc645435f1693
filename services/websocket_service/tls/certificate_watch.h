#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_CERTIFICATE_WATCH_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_CERTIFICATE_WATCH_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "services/websocket_service/tls/tls_context.h"

namespace groupcast::service {

// Loads the certificate of new connections anew when its files have changed. While the files do not
// belong together, the certificate of before stays, and the log has the reason once.
class CertificateWatch {
 public:
  // Null: connections are plain, and there is nothing to look at.
  explicit CertificateWatch(std::shared_ptr<const TlsContext> context)
      : context_(std::move(context)) {}

  // The present one. Null: connections are plain.
  const std::shared_ptr<const TlsContext>& context() const { return context_; }

  // Looks at the files, at most every 2 s. The worker calls it on each tick.
  void Check(absl::Time now);

 private:
  std::shared_ptr<const TlsContext> context_;
  absl::Time next_ = absl::InfinitePast();
  std::string error_;  // of the last look at changed files
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_TLS_CERTIFICATE_WATCH_H_
