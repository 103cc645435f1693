#include "services/websocket_service/tls/certificate_watch.h"

#include "absl/status/statusor.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

constexpr absl::Duration kPeriod = absl::Seconds(2);

}  // namespace

void CertificateWatch::Check(absl::Time now) {
  if (context_ == nullptr || now < next_) return;
  next_ = now + kPeriod;
  if (!context_->IsOutdated()) return;
  absl::StatusOr<std::shared_ptr<const TlsContext>> fresh =
      TlsContext::Load(context_->files(), context_->tickets(), absl::Now());
  if (fresh.ok()) {
    context_ = *std::move(fresh);
    error_.clear();
    spdlog::info("took up the changed certificate, valid until {}",
                 absl::FormatTime(context_->valid_until(), absl::UTCTimeZone()));
    return;
  }
  // The second of the two files may not be there yet. A lasting error is told once.
  if (error_ == fresh.status().message()) return;
  error_ = std::string(fresh.status().message());
  spdlog::error("{}; the certificate of before stays", error_);
}

}  // namespace groupcast::service
