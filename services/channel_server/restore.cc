#include "services/channel_server/restore.h"

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

class Visitor final : public GroupLogVisitor {
 public:
  explicit Visitor(Broker* broker) : broker_(broker) {}
  absl::Status OnSnapshot(absl::string_view snapshot) override {
    return broker_->RestoreSnapshot(snapshot);
  }
  absl::Status OnTurn(absl::string_view turn) override { return broker_->RestoreTurn(turn); }

 private:
  Broker* const broker_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GroupLog>> RestoreFromLog(const GroupLogOptions& options,
                                                         bool begin_new_epoch, absl::Time now,
                                                         LogStorage* storage, Broker* broker,
                                                         RecoveryReport* report) {
  Visitor visitor(broker);
  absl::StatusOr<std::unique_ptr<GroupLog>> log =
      GroupLog::Open(options, storage, &visitor, report);
  if (!log.ok()) return log;
  broker->FinishRecovery(report->tail_may_be_missing || (report->existed && begin_new_epoch));
  const absl::Status started = (*log)->StartSegment(broker->Snapshot(), now);
  if (started.ok()) return log;
  if (!absl::IsResourceExhausted(started)) return started;
  return absl::ResourceExhaustedError(
      absl::StrCat(started.message(), "; make room there and start again, nothing is lost"));
}

}  // namespace groupcast::service
