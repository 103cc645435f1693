#include "services/channel_server/data_directory.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {
namespace {

// Between two looks at the directory.
constexpr absl::Duration kLookPeriod = absl::Milliseconds(250);

// The log is not in its place. Another error says only that the system gives no answer.
bool IsLoss(const absl::Status& found) {
  return absl::IsNotFound(found) || absl::IsFailedPrecondition(found) || absl::IsDataLoss(found) ||
         absl::IsOutOfRange(found);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path,
                                                                   const GroupLogOptions& options,
                                                                   bool begin_new_epoch,
                                                                   absl::Time now, Broker* broker,
                                                                   RecoveryReport* report) {
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, options, broker));
  absl::StatusOr<std::unique_ptr<FileStorage>> storage = FileStorage::Open(path, options.fsync);
  if (!storage.ok()) return storage.status();
  directory->storage_ = *std::move(storage);
  absl::StatusOr<std::unique_ptr<BrokerLog>> log =
      BrokerLog::Open(options, begin_new_epoch, now, directory->storage_.get(), broker, report);
  if (!log.ok()) return log.status();
  directory->log_ = *std::move(log);
  return directory;
}

absl::Status DataDirectory::Append(std::string* record) {
  if (is_lost()) return absl::UnavailableError(lost_.message());
  absl::Status written = log_->Append(record);
  if (written.ok()) {
    if (std::exchange(write_failed_, false)) {
      spdlog::info("the log can be written again, and publications are taken");
    }
  } else {
    write_failed_ = true;
  }
  return written;
}

void DataDirectory::Step(absl::Time now) {
  if (now >= next_look_) {
    next_look_ = now + kLookPeriod;
    Look(now);
  }
  if (is_lost()) return;
  const absl::Status kept = log_->Step(now);
  if (kept.ok()) return;
  if (const int64_t count = rotation_limit_.Admit(now)) {
    spdlog::error(
        "the log cannot rotate, and goes on in its present segment: {} ({} since the last such "
        "line)",
        std::string(kept.message()), count);
  }
}

void DataDirectory::Look(absl::Time now) {
  const absl::Status found = log_->Check();
  if (!found.ok() && !IsLoss(found)) return;  // nobody can tell now
  const absl::Status before = std::exchange(lost_, found);
  if (!is_lost()) {
    if (!before.ok()) spdlog::info("data directory {}: it is back, and the log goes on", path_);
    return;
  }
  const absl::Status begun = BeginAnew(now, lost_);
  if (absl::IsUnavailable(begun)) return;  // at the next look
  if (begun.ok()) {
    spdlog::warn(
        "data directory {}: {}; the log begins anew there, with all that this server still keeps",
        path_, std::string(lost_.message()));
    lost_ = absl::OkStatus();
    return;
  }
  lost_ = begun;
  const int64_t count = lost_limit_.Admit(now);
  if (count == 0 && before == begun) return;
  spdlog::error(
      "data directory {}: {}; publications are refused until the same directory is back, or an "
      "empty one is there",
      path_, std::string(begun.message()));
}

// `found` is why the log is not in its place. kUnavailable: not now.
absl::Status DataDirectory::BeginAnew(absl::Time now, const absl::Status& found) {
  switch (found.code()) {
    case absl::StatusCode::kOutOfRange:
      return log_->StartAnew(now);
    case absl::StatusCode::kDataLoss: {
      const absl::StatusOr<std::vector<std::string>> names = storage_->List();
      if (!names.ok()) return names.status();
      if (names->empty()) return log_->StartAnew(now);
      return absl::DataLossError(
          absl::StrCat(found.message(), ", and other files are there, such as ", names->front()));
    }
    case absl::StatusCode::kFailedPrecondition:
      return BeginInOtherDirectory(now);
    default:
      return found;
  }
}

absl::Status DataDirectory::BeginInOtherDirectory(absl::Time now) {
  absl::StatusOr<std::unique_ptr<FileStorage>> storage =
      FileStorage::OpenExisting(path_, options_.fsync);
  if (!storage.ok()) return storage.status();
  if (storage_->was_mount_point() && !(*storage)->was_mount_point()) {
    return absl::FailedPreconditionError("no file system is mounted there, as was before");
  }
  absl::StatusOr<std::unique_ptr<BrokerLog>> log =
      BrokerLog::OpenEmpty(options_, now, storage->get(), broker_);
  if (absl::IsFailedPrecondition(log.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("another directory is there, and ", log.status().message()));
  }
  if (!log.ok()) return log.status();
  log_ = *std::move(log);
  storage_ = *std::move(storage);
  return absl::OkStatus();
}

absl::Status DataDirectory::Close() {
  absl::Status closed = log_->Close();
  if (is_lost()) {
    return absl::UnavailableError(
        absl::StrCat("the data directory is not there: ", lost_.message()));
  }
  return closed;
}

}  // namespace groupcast::service
