#include "services/channel_server/log/file_storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

// The time between syncs with kInterval, and between attempts to remove a file.
constexpr auto kPeriod = std::chrono::seconds(1);

// A file that is being created. No other program would call its file so.
constexpr char kUnfinished[] = ".groupcast-unfinished";

// What mkfs leaves in a new file system.
constexpr char kLostAndFound[] = "lost+found";

absl::Status Failure(absl::string_view what, const std::string& path, int error) {
  const std::string text = absl::StrCat("cannot ", what, " ", path, ": ", strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(text);
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::Status Unusable(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("the data directory ", path, " ", why));
}

bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool IsMountPoint(int directory) {
  struct stat here;
  struct stat parent;
  return fstat(directory, &here) == 0 && fstatat(directory, "..", &parent, 0) == 0 &&
         here.st_dev != parent.st_dev;
}

// Returns 0 or errno. After an error, some bytes may have been written.
int WriteAll(int fd, absl::string_view bytes, uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes.remove_prefix(static_cast<size_t>(written));
    at += static_cast<uint64_t>(written);
  }
  return 0;
}

}  // namespace

absl::StatusOr<FsyncMode> ParseFsyncMode(absl::string_view text) {
  if (text == "never") return FsyncMode::kNever;
  if (text == "interval") return FsyncMode::kInterval;
  if (text == "always") return FsyncMode::kAlways;
  return absl::InvalidArgumentError(
      absl::StrCat("fsync is never, interval or always, not \"", text, "\""));
}

std::string ReadBootId() {
  const Fd fd(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t size = fd.valid() ? read(fd.get(), text, sizeof(text)) : 0;
  std::string id(text, size > 0 ? static_cast<size_t>(size) : 0);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

absl::StatusOr<std::unique_ptr<FileStorage>> FileStorage::Open(absl::string_view directory,
                                                               FsyncMode fsync) {
  const std::string path(directory);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Unusable(
        path, absl::StrCat("cannot be made: ", strerror(errno),
                           "; name one below a directory that is there and may be written to"));
  }
  return OpenExisting(directory, fsync);
}

absl::StatusOr<std::unique_ptr<FileStorage>> FileStorage::OpenExisting(absl::string_view directory,
                                                                       FsyncMode fsync) {
  const std::string path(directory);
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOTDIR)
      return Unusable(path, "is not a directory; name one, or a path where none is");
    return Unusable(path, absl::StrCat("cannot be opened: ", strerror(errno)));
  }
  if (faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return Unusable(path, absl::StrCat("cannot be read and written to: ", strerror(errno),
                                       "; give it to the user that runs the channel server"));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Unusable(
          path,
          "is in use by another channel server; stop that one, or give this one a --data_dir of "
          "its own");
    }
    return Unusable(path, absl::StrCat("cannot be locked: ", strerror(errno)));
  }
  // Of a server that was killed while it created a file.
  if (unlinkat(fd.get(), kUnfinished, 0) != 0 && errno != ENOENT) {
    return Failure("remove", absl::StrCat(path, "/", kUnfinished), errno);
  }
  return std::unique_ptr<FileStorage>(new FileStorage(directory, std::move(fd), fsync));
}

FileStorage::FileStorage(absl::string_view directory, Fd directory_fd, FsyncMode fsync)
    : directory_(directory),
      directory_fd_(std::move(directory_fd)),
      fsync_(fsync),
      was_mount_point_(IsMountPoint(directory_fd_.get())) {
  thread_ = std::thread([this] { Run(); });
}

FileStorage::~FileStorage() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

absl::StatusOr<std::vector<std::string>> FileStorage::List() {
  Fd fd(openat(directory_fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* const listing = fd.valid() ? fdopendir(fd.get()) : nullptr;
  if (listing == nullptr) return Failure("list", directory_, errno);
  fd.Release();  // the listing owns it
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(listing)) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != kUnfinished && name != kLostAndFound) {
      names.emplace_back(name);
    }
  }
  const int error = errno;
  closedir(listing);
  if (error != 0) return Failure("list", directory_, error);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::string> FileStorage::Read(const std::string& name) {
  const Fd fd(openat(directory_fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0) return Failure("open", Describe(name), errno);
  posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  // read(2) and not mmap(2): a bad sector is then an error and not a SIGBUS.
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(fd.get(), &bytes[size], bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure("read", Describe(name), errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  bytes.resize(size);
  return bytes;
}

absl::Status FileStorage::Create(const std::string& name, const Pieces& pieces) {
  // Only the newest file may have an end that is not whole.
  if (absl::Status status = CutBack(); !status.ok()) return status;
  auto made = Make(name, pieces, /*sync_contents=*/true);
  if (!made.ok()) return made.status();
  Use(name, std::move(made->first), made->second);
  return absl::OkStatus();
}

absl::StatusOr<std::pair<FileStorage::SharedFd, size_t>> FileStorage::Make(const std::string& name,
                                                                           const Pieces& pieces,
                                                                           bool sync_contents) {
  Fd fd(openat(directory_fd_.get(), kUnfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return Failure("create", Describe(name), errno);
  int error = 0;
  size_t size = 0;
  for (std::string piece; error == 0 && pieces(&piece); size += piece.size()) {
    error = WriteAll(fd.get(), piece, size);
  }
  if (error == 0 && sync_contents && fdatasync(fd.get()) != 0) error = errno;
  if (error == 0 &&
      renameat(directory_fd_.get(), kUnfinished, directory_fd_.get(), name.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    unlinkat(directory_fd_.get(), kUnfinished, 0);
    return Failure("create", Describe(name), error);
  }
  if (fsync_ != FsyncMode::kNever) {
    if (absl::Status status = SyncDirectory(); !status.ok()) {
      unlinkat(directory_fd_.get(), name.c_str(), 0);
      return status;
    }
  }
  return std::pair(std::make_shared<const Fd>(std::move(fd)), size);
}

void FileStorage::Use(const std::string& name, SharedFd file, size_t size) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    file_.swap(file);
    if (file != nullptr) {
      to_sync_.push_back(std::move(file));
      has_work_ = true;
    }
  }
  wake_.notify_one();
  file_name_ = name;
  file_size_ = size;
}

void FileStorage::BeginCreate(const std::string& name, std::string contents) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    created_ = false;
    creation_ = {.name = name, .contents = std::move(contents)};
    has_work_ = true;
  }
  wake_.notify_one();
}

std::optional<absl::Status> FileStorage::FinishCreate() {
  if (!created_) return std::nullopt;
  // Only the newest file may have an end that is not whole.
  if (!CutBack().ok()) return std::nullopt;
  Creation creation;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    creation = *std::exchange(creation_, std::nullopt);
    created_ = false;
  }
  if (!creation.file.ok()) return creation.file.status();
  Use(creation.name, std::move(creation.file->first), creation.file->second);
  return absl::OkStatus();
}

absl::Status FileStorage::Append(absl::string_view bytes) {
  return Append(bytes, /*synced=*/fsync_ == FsyncMode::kAlways);
}

absl::Status FileStorage::AppendUnsynced(absl::string_view bytes) {
  return Append(bytes, /*synced=*/false);
}

absl::Status FileStorage::Append(absl::string_view bytes, bool synced) {
  if (file_ == nullptr) return absl::FailedPreconditionError("no file was created to append to");
  if (const int error = sync_errno_; error != 0) {
    return Failure("sync", Describe(file_name_), error);
  }
  if (absl::Status status = CutBack(); !status.ok()) return status;
  int error = WriteAll(file_->get(), bytes, file_size_);
  if (error == 0 && synced && fdatasync(file_->get()) != 0) error = errno;
  if (error != 0) {
    must_cut_ = true;
    CutBack().IgnoreError();  // The next append tries again.
    return Failure("append to", Describe(file_name_), error);
  }
  file_size_ += bytes.size();
  if (!synced) unsynced_ = true;
  return absl::OkStatus();
}

absl::Status FileStorage::Check() {
  struct stat there;
  struct stat ours;
  if (stat(directory_.c_str(), &there) != 0) return Failure("find", directory_, errno);
  if (fstat(directory_fd_.get(), &ours) != 0) return Failure("look at", directory_, errno);
  if (!IsSameFile(there, ours)) {
    return absl::FailedPreconditionError(absl::StrCat(directory_, " is another directory now"));
  }
  if (file_ == nullptr) return absl::OkStatus();
  if (fstatat(directory_fd_.get(), file_name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return Failure("find", Describe(file_name_), errno);
    return absl::DataLossError(absl::StrCat(Describe(file_name_), " is missing"));
  }
  if (fstat(file_->get(), &ours) != 0) return Failure("look at", Describe(file_name_), errno);
  if (!IsSameFile(there, ours)) {
    return absl::DataLossError(absl::StrCat(Describe(file_name_), " is another file now"));
  }
  return absl::OkStatus();
}

absl::Status FileStorage::Find(const std::string& name) {
  struct stat status;
  if (fstatat(directory_fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return absl::OkStatus();
  }
  return Failure("find", Describe(name), errno);
}

absl::Status FileStorage::Truncate(const std::string& name, uint64_t size) {
  const Fd fd(openat(directory_fd_.get(), name.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return Failure("open", Describe(name), errno);
  if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return Failure("truncate", Describe(name), errno);
  }
  if (name == file_name_) {
    file_size_ = size;
    must_cut_ = false;
  }
  if (fsync_ != FsyncMode::kNever && fdatasync(fd.get()) != 0) {
    return Failure("sync", Describe(name), errno);
  }
  return absl::OkStatus();
}

absl::Status FileStorage::Remove(const std::string& name) {
  if (unlinkat(directory_fd_.get(), name.c_str(), 0) != 0) {
    return Failure("remove", Describe(name), errno);
  }
  return fsync_ == FsyncMode::kNever ? absl::OkStatus() : SyncDirectory();
}

absl::Status FileStorage::Sync() {
  const absl::StatusOr<std::vector<std::string>> names = List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const Fd fd(openat(directory_fd_.get(), name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid() && errno == ENOENT) continue;  // the other thread has removed it
    if (!fd.valid()) return Failure("open", Describe(name), errno);
    // EINVAL: not a file that has anything to sync, and so none of ours.
    if (fdatasync(fd.get()) != 0 && errno != EINVAL) return Failure("sync", Describe(name), errno);
  }
  unsynced_ = false;
  return SyncDirectory();
}

std::string FileStorage::Describe(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name);
}

absl::Status FileStorage::SyncDirectory() {
  if (fsync(directory_fd_.get()) != 0) return Failure("sync", directory_, errno);
  return absl::OkStatus();
}

absl::Status FileStorage::CutBack() {
  if (!must_cut_) return absl::OkStatus();
  if (ftruncate(file_->get(), static_cast<off_t>(file_size_)) != 0) {
    return Failure("truncate", Describe(file_name_), errno);
  }
  // What was refused must not be there again after a power loss.
  if (fsync_ == FsyncMode::kAlways && fdatasync(file_->get()) != 0) {
    return Failure("sync", Describe(file_name_), errno);
  }
  must_cut_ = false;
  return absl::OkStatus();
}

void FileStorage::RemoveLater(const std::string& name) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    to_remove_.push_back(name);
    has_work_ = true;
  }
  wake_.notify_one();
}

// ---- The other thread. It holds the mutex, but not while it waits for the disk.

void FileStorage::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, kPeriod, [this] { return stopping_ || has_work_; });
    if (stopping_) return;
    has_work_ = false;
    WorkLocked(&lock);
  }
}

void FileStorage::WorkLocked(std::unique_lock<std::mutex>* lock) {
  if (creation_.has_value() && !created_) {
    const std::string name = creation_->name;
    const std::string contents = creation_->contents;
    lock->unlock();
    bool written = false;
    auto file = Make(
        name,
        [&](std::string* piece) {
          *piece = contents;
          return !std::exchange(written, true);
        },
        /*sync_contents=*/fsync_ != FsyncMode::kNever);
    lock->lock();
    creation_->file = std::move(file);
    created_ = true;
  }
  // A file goes when what was appended before is safe: it may stand for what the file has.
  const bool may_remove = !to_remove_.empty();
  const bool must_sync = fsync_ == FsyncMode::kInterval && (unsynced_ || !to_sync_.empty());
  if (!may_remove && !must_sync) return;
  if (!SyncLocked(lock) || !may_remove) return;
  RemoveOldestLocked(lock);
}

// Returns whether all files are safe.
bool FileStorage::SyncLocked(std::unique_lock<std::mutex>* lock) {
  unsynced_ = false;
  // The older ones first: what is safe should have no hole.
  std::vector<SharedFd> files = to_sync_;
  if (file_ != nullptr) files.push_back(file_);
  const size_t older = to_sync_.size();
  lock->unlock();
  int error = 0;
  for (const SharedFd& file : files) {
    if (error == 0 && fdatasync(file->get()) != 0) error = errno;
  }
  if (fsync_ == FsyncMode::kInterval) sync_errno_ = error;
  if (error != 0) unsynced_ = true;
  lock->lock();
  if (error != 0) return false;
  to_sync_.erase(to_sync_.begin(), to_sync_.begin() + static_cast<ptrdiff_t>(older));
  return true;
}

// One at a time, so that other work does not wait for many.
void FileStorage::RemoveOldestLocked(std::unique_lock<std::mutex>* lock) {
  const std::string name = to_remove_.front();
  lock->unlock();
  const absl::Status removed = Remove(name);
  lock->lock();
  // In order: what is left never has a hole.
  if (!removed.ok() && !absl::IsNotFound(removed)) return;
  to_remove_.pop_front();
  if (!to_remove_.empty()) has_work_ = true;
}

}  // namespace groupcast::service
