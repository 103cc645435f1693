#include "services/common/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "services/common/posix.h"

namespace groupcast::service {
namespace {

absl::Status Unreadable(const std::string& path) {
  return absl::InvalidArgumentError(ErrnoStatus(absl::StrCat("reading ", path)).message());
}

}  // namespace

absl::StatusOr<KeyFile> ReadKeyFile(const std::string& path) {
  // Not blocking, because opening a FIFO would wait for its writer.
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about {};
  if (!fd.valid() || fstat(fd.get(), &about) != 0) return Unreadable(path);
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  }
  KeyFile file{.others_may_access = (about.st_mode & (S_IROTH | S_IWOTH)) != 0};
  char buffer[4096];
  for (;;) {
    const ssize_t count = read(fd.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unreadable(path);
    if (count == 0) break;
    file.content.append(buffer, static_cast<size_t>(count));
    if (file.content.size() > KeyFile::kBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is over ", KeyFile::kBytesMax, " bytes, which no key is"));
    }
  }
  if (file.content.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  return file;
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  absl::StatusOr<KeyFile> file = ReadKeyFile(path);
  if (!file.ok()) return file.status();
  if (file->others_may_access) {
    return absl::InvalidArgumentError(absl::StrCat(path, " ", kOthersMayAccess));
  }
  return std::move(file->content);
}

}  // namespace groupcast::service
