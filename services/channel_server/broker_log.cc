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
  auto opened = std::unique_ptr<BrokerLog>(new BrokerLog(*std::move(log), broker));
  const bool begins_anew = opened->segment_count() >= options.segments_at_start_max;
  absl::Status started = begins_anew ? opened->StartAnew(now) : absl::OkStatus();
  // A further segment needs little room, and lets the earlier ones expire.
  if (!begins_anew || absl::IsResourceExhausted(started)) {
    started = opened->log_->Start(WholeSnapshot(broker->snapshot()), now);
  }
  if (absl::IsResourceExhausted(started)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(started.message(), "; make room there and start again, nothing is lost"));
  }
  if (!started.ok()) return started;
  return opened;
}

absl::StatusOr<std::unique_ptr<BrokerLog>> BrokerLog::OpenEmpty(const GroupLogOptions& options,
                                                                absl::Time now, LogStorage* storage,
                                                                Broker* broker) {
  const absl::StatusOr<std::vector<std::string>> names = storage->List();
  if (!names.ok()) return names.status();
  if (!names->empty()) {
    return absl::FailedPreconditionError(absl::StrCat("it has ", names->front()));
  }
  RecoveryReport report;
  absl::StatusOr<std::unique_ptr<GroupLog>> log =
      GroupLog::Open(options, storage, /*visitor=*/nullptr, &report);
  if (!log.ok()) return log.status();
  auto opened = std::unique_ptr<BrokerLog>(new BrokerLog(*std::move(log), broker));
  if (absl::Status started = opened->StartAnew(now); !started.ok()) return started;
  return opened;
}

absl::Status BrokerLog::StartAnew(absl::Time now) {
  if (broker_->handing_out()) return absl::UnavailableError("messages are being handed out");
  ImageWriter image = broker_->WriteImage();
  const absl::Status started =
      log_->StartAnew([&image](std::string* part) { return image.NextPart(part); }, now);
  if (started.ok()) no_part_before_ = absl::InfinitePast();
  return started;
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
