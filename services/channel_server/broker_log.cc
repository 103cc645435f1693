#include "services/channel_server/broker_log.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// After a part of a snapshot could not be written.
constexpr absl::Duration kRetryAfter = absl::Seconds(1);

class Visitor final : public GroupLogVisitor {
 public:
  explicit Visitor(Restorer* restorer) : restorer_(restorer) {}
  absl::Status OnSnapshotPart(absl::string_view part) override {
    return restorer_->OnSnapshotPart(part);
  }
  void OnSnapshotEnd() override { restorer_->OnSnapshotEnd(); }
  absl::Status OnTurn(absl::string_view turn) override { return restorer_->OnTurnRecord(turn); }

 private:
  Restorer* const restorer_;
};

std::vector<std::string> WholeSnapshot(SnapshotWriter* writer) {
  std::vector<std::string> parts;
  writer->Begin();
  while (!writer->done()) parts.push_back(writer->NextPart());
  return parts;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BrokerLog>> BrokerLog::Open(const GroupLogOptions& options,
                                                           bool begin_new_epoch, absl::Time now,
                                                           LogStorage* storage, Broker* broker,
                                                           RecoveryReport* report) {
  Visitor visitor(broker->restorer());
  absl::StatusOr<std::unique_ptr<GroupLog>> log =
      GroupLog::Open(options, storage, &visitor, report);
  if (!log.ok()) return log.status();
  broker->FinishRecovery(report->tail_may_be_missing || (report->existed && begin_new_epoch));
  const absl::Status started = (*log)->Start(WholeSnapshot(broker->snapshot()), now);
  if (absl::IsResourceExhausted(started)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(started.message(), "; make room there and start again, nothing is lost"));
  }
  if (!started.ok()) return started;
  return std::unique_ptr<BrokerLog>(new BrokerLog(*std::move(log), broker));
}

absl::Status BrokerLog::Step(absl::Time now) {
  SnapshotWriter* const snapshot = broker_->snapshot();
  if (!log_->needs_snapshot()) {
    const absl::StatusOr<bool> rotated = log_->Rotate(now);
    if (!rotated.ok()) return rotated.status();
    if (!*rotated) return absl::OkStatus();
    snapshot->Begin();
  }
  if (now < no_part_before_) return absl::OkStatus();
  const std::string part = snapshot->NextPart();
  absl::Status written = log_->AppendSnapshot(part, snapshot->done());
  no_part_before_ = absl::InfinitePast();
  if (!written.ok()) {
    // A part belongs to this place of the log, so it is not written later.
    snapshot->Begin();
    no_part_before_ = now + kRetryAfter;
  }
  return written;
}

}  // namespace groupcast::service
