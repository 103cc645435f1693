#include "services/common/ready_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"
#include "spdlog/spdlog.h"

namespace groupcast::service {

namespace fs = std::filesystem;

absl::Status WriteReadyFile(absl::string_view path, const ReadyPorts& ports) {
  const std::string target(path);
  const std::string beside = absl::StrCat(path, ".", getpid(), ".tmp");
  const std::string text = absl::StrCat(
      "{\"port\": ", ports.port,
      ports.admin_port == 0 ? "" : absl::StrCat(", \"admin_port\": ", ports.admin_port), "}\n");
  Fd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return ErrnoStatus(absl::StrCat("open ", beside));
  absl::Status status;
  const ssize_t written = write(fd.get(), text.data(), text.size());
  if (written < 0) {
    status = ErrnoStatus(absl::StrCat("write ", beside));
  } else if (static_cast<size_t>(written) < text.size()) {
    status = absl::ResourceExhaustedError(absl::StrCat("write ", beside, ": no room"));
  }
  fd.Reset();
  if (status.ok() && rename(beside.c_str(), target.c_str()) != 0) {
    status = ErrnoStatus(absl::StrCat("rename ", beside, " to ", path));
  }
  if (!status.ok()) unlink(beside.c_str());
  return status;
}

absl::StatusOr<ReadyFile> ReadyFile::Create(absl::string_view path) {
  if (path.empty()) return ReadyFile(path);
  const std::string file(path);
  fs::path directory = fs::path(file).parent_path();
  if (directory.empty()) directory = ".";
  std::error_code error;
  const bool is_place = fs::is_directory(directory, error) && !fs::is_directory(file, error) &&
                        !fs::path(file).filename().empty();
  if (!is_place || access(directory.c_str(), W_OK | X_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the ready file ", path, " cannot be written: ",
                     is_place ? "its directory is not writable"
                              : "its directory is not there, or it is a directory itself"));
  }
  return ReadyFile(path);
}

void ReadyFile::Write(const ReadyPorts& ports, absl::Time now) {
  if (written_ || now < try_at_) return;
  try_at_ = now + kRetryPeriod;
  const absl::Status status = WriteReadyFile(path_, ports);
  written_ = status.ok();
  if (written_ && failed_) spdlog::info("the ready file {} is written now", path_);
  failed_ = !written_;
  if (written_) return;
  if (const int64_t count = failures_.Admit(now)) {
    spdlog::error(
        "the ready file {} cannot be written, and the service goes on and tries again every "
        "second: {} ({} attempts since the last such line)",
        path_, std::string(status.message()), count);
  }
}

}  // namespace groupcast::service
