#include "services/channel_server/data_directory.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// Between two looks at the directory.
constexpr absl::Duration kLookPeriod = absl::Milliseconds(250);

// Between the end of a failed attempt to begin anew and the next attempt.
constexpr absl::Duration kImageRetryMin = absl::Seconds(1);
constexpr absl::Duration kImageRetryMax = absl::Minutes(1);

// The log is not in its place. Another error says only that the system gives no answer.
bool IsLoss(const absl::Status& found) {
  return absl::IsNotFound(found) || absl::IsFailedPrecondition(found) || absl::IsDataLoss(found) ||
         absl::IsOutOfRange(found);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(
    const std::string& path, const GroupLogOptions& options, bool begin_new_epoch,
    const Clock* clock, Broker* broker, RecoveryReport* report) {
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, options, clock, broker));
  absl::StatusOr<std::unique_ptr<FileStorage>> storage = FileStorage::Open(path, options.fsync);
  if (!storage.ok()) return storage.status();
  directory->storage_ = *std::move(storage);
  absl::StatusOr<std::unique_ptr<BrokerLog>> log = BrokerLog::Open(
      options, begin_new_epoch, clock->Now(), directory->storage_.get(), broker, report);
  if (!log.ok()) return log.status();
  directory->log_ = *std::move(log);
  return directory;
}

absl::Status DataDirectory::Append(std::string* record) {
  if (is_lost()) return absl::UnavailableError(lost_.message());
  absl::Status written = log_->Append(record);
  write_failed_ = !written.ok();
  if (write_failed_) failure_is_recent_ = true;
  return written;
}

// A disk that is nearly full takes small messages and refuses large ones, so this may alternate
// quickly.
void DataDirectory::TellRecovery() {
  const absl::Time now = clock_->Now();
  if (!failure_is_recent_ || write_failed_ || now < next_recovery_line_) return;
  failure_is_recent_ = false;
  next_recovery_line_ = now + absl::Seconds(1);
  spdlog::info("the log can be written again, and publications are taken");
}

void DataDirectory::Step() {
  if (clock_->Now() >= next_look_) {
    Look();
    next_look_ = clock_->Now() + kLookPeriod;
  }
  if (is_lost()) return;
  TellRecovery();
  const absl::Time now = clock_->Now();
  const absl::Status kept = log_->Step(now);
  if (kept.ok()) return;
  if (const int64_t count = rotation_limit_.Admit(now)) {
    spdlog::error(
        "the log cannot rotate, and goes on in its present segment: {} ({} since the last such "
        "line)",
        std::string(kept.message()), count);
  }
}

void DataDirectory::Look() {
  absl::Status found = log_->Check();
  if (!found.ok() && !IsLoss(found)) return;  // the system gives no answer now
  if (found != found_) ForgetFailedImages();
  found_ = std::move(found);
  const absl::Status before = std::exchange(lost_, found_);
  if (!is_lost()) {
    if (!before.ok()) spdlog::info("data directory {}: it is back, and the log goes on", path_);
    return;
  }
  const absl::Status begun = BeginAnew();
  if (absl::IsUnavailable(begun)) return;  // at the next look
  if (begun.ok()) {
    spdlog::warn(
        "data directory {}: {}; the log begins anew there, with all that this server still keeps",
        path_, std::string(found_.message()));
    found_ = lost_ = absl::OkStatus();
    return;
  }
  lost_ = begun;
  const int64_t count = lost_limit_.Admit(clock_->Now());
  if (count == 0 && before == begun) return;
  spdlog::error(
      "data directory {}: {}; publications are refused until the same directory is back, or an "
      "empty one is there",
      path_, std::string(begun.message()));
}

// kUnavailable: not now.
absl::Status DataDirectory::BeginAnew() {
  switch (found_.code()) {
    case absl::StatusCode::kOutOfRange:
      return WriteImage([this] { return log_->StartAnew(clock_->Now()); });
    case absl::StatusCode::kDataLoss:
      return BeginInEmptiedDirectory();
    case absl::StatusCode::kFailedPrecondition:
      return BeginInOtherDirectory();
    default:
      return found_;
  }
}

absl::Status DataDirectory::BeginInEmptiedDirectory() {
  const absl::StatusOr<std::vector<std::string>> names = storage_->List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    // It may have got its name after someone emptied the directory.
    if (log_->IsBeingCreated(name)) continue;
    return absl::DataLossError(
        absl::StrCat(found_.message(), ", and other files are there, such as ", name));
  }
  return WriteImage([this] { return log_->StartAnew(clock_->Now()); });
}

absl::Status DataDirectory::BeginInOtherDirectory() {
  absl::StatusOr<std::unique_ptr<FileStorage>> storage =
      FileStorage::OpenExisting(path_, options_.fsync);
  if (!storage.ok()) return storage.status();
  if (storage_->was_mount_point() && !(*storage)->was_mount_point()) {
    return absl::FailedPreconditionError("no file system is mounted there, as was before");
  }
  const absl::StatusOr<std::vector<std::string>> names = (*storage)->List();
  if (!names.ok()) return names.status();
  if (!names->empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("another directory is there, and it has ", names->front()));
  }
  return WriteImage([&] {
    absl::StatusOr<std::unique_ptr<BrokerLog>> log =
        BrokerLog::OpenEmpty(options_, clock_->Now(), storage->get(), broker_);
    if (!log.ok()) return log.status();
    log_ = *std::move(log);
    storage_ = *std::move(storage);
    return absl::OkStatus();
  });
}

// Everything waits for an image. So one that fails is not tried again at each look.
absl::Status DataDirectory::WriteImage(const std::function<absl::Status()>& write) {
  if (clock_->Now() < no_image_before_) return image_failure_;
  const absl::Status written = write();
  if (absl::IsUnavailable(written)) return written;
  if (written.ok()) {
    ForgetFailedImages();
    return written;
  }
  no_image_before_ = clock_->Now() + image_retry_;
  image_retry_ = std::min(2 * image_retry_, kImageRetryMax);
  image_failure_ = absl::Status(
      written.code(),
      absl::StrCat(found_.message(), ", and the log cannot begin anew: ", written.message()));
  return image_failure_;
}

void DataDirectory::ForgetFailedImages() {
  no_image_before_ = absl::InfinitePast();
  image_retry_ = kImageRetryMin;
}

absl::Status DataDirectory::Close() {
  ForgetFailedImages();
  Look();
  absl::Status closed = log_->Close();
  return is_lost() ? absl::UnavailableError(lost_.message()) : closed;
}

}  // namespace groupcast::service
