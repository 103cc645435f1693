#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_FILE_STORAGE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_FILE_STORAGE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel_server/log/log_storage.h"
#include "services/common/posix.h"

namespace groupcast::service {

// Reads "never", "interval" or "always". kInvalidArgument: another text; the message is a sentence.
absl::StatusOr<FsyncMode> ParseFsyncMode(absl::string_view text);

// The kernel's id of this run of the machine. Empty: the kernel gives none.
std::string ReadBootId();

// The files in a directory. This object holds a lock (flock(2)) on the directory itself. So two
// servers never write the same log. There is also no lock file that would be left in a wrong
// directory.
//
// Append costs one write(2). Work that waits for the disk runs in a separate thread: BeginCreate,
// RemoveLater, and with kInterval a sync about once a second. That thread waits without any lock
// that Append takes. If that sync fails, appends fail until a sync succeeds. So the acknowledged
// bytes should be at most about a second ahead of the synced bytes.
class FileStorage final : public LogStorage {
 public:
  // Creates the directory if it does not exist (mode 0700). Its parent must exist.
  // kFailedPrecondition: the directory cannot be used: it is not a directory, is not writable, or
  // another server uses it. The message names the reason and the remedy.
  static absl::StatusOr<std::unique_ptr<FileStorage>> Open(absl::string_view directory,
                                                           FsyncMode fsync);
  // The same, for a directory that must exist.
  static absl::StatusOr<std::unique_ptr<FileStorage>> OpenExisting(absl::string_view directory,
                                                                   FsyncMode fsync);
  ~FileStorage() override;
  FileStorage(const FileStorage&) = delete;
  FileStorage& operator=(const FileStorage&) = delete;

  absl::StatusOr<std::vector<std::string>> List() override;
  absl::StatusOr<std::string> Read(const std::string& name) override;
  using LogStorage::Create;
  absl::Status Create(const std::string& name, const Pieces& pieces) override;
  void BeginCreate(const std::string& name, std::string contents) override;
  std::optional<absl::Status> FinishCreate() override;
  absl::Status Append(absl::string_view bytes) override;
  absl::Status AppendUnsynced(absl::string_view bytes) override;
  absl::Status Check() override;
  absl::Status Find(const std::string& name) override;
  absl::Status Truncate(const std::string& name, uint64_t size) override;
  absl::Status Remove(const std::string& name) override;
  void RemoveLater(const std::string& name) override;
  absl::Status Sync() override;
  std::string Describe(absl::string_view name) const override;

  // Another file system began at the directory when it was opened.
  bool was_mount_point() const { return was_mount_point_; }

 private:
  FileStorage(absl::string_view directory, Fd directory_fd, FsyncMode fsync);

  using SharedFd = std::shared_ptr<const Fd>;
  struct Creation {
    std::string name;
    std::string contents;
    absl::StatusOr<std::pair<SharedFd, size_t>> file = absl::UnavailableError("not made yet");
  };

  // Returns the file and its size.
  absl::StatusOr<std::pair<SharedFd, size_t>> Make(const std::string& name, const Pieces& pieces,
                                                   bool sync_contents);
  absl::Status Append(absl::string_view bytes, bool synced);
  absl::Status SyncDirectory();
  absl::Status CutBack();
  void Use(const std::string& name, SharedFd file, size_t size);

  // The methods of the other thread.
  void Run();
  void WorkLocked(std::unique_lock<std::mutex>* lock);
  bool SyncLocked(std::unique_lock<std::mutex>* lock);
  void RemoveOldestLocked(std::unique_lock<std::mutex>* lock);

  const std::string directory_;
  const Fd directory_fd_;
  const FsyncMode fsync_;
  const bool was_mount_point_;

  // The file that Append writes to. The appending thread changes it with the mutex held. The other
  // thread's copies keep the file open.
  SharedFd file_;
  std::string file_name_;
  uint64_t file_size_ = 0;
  bool must_cut_ = false;  // the file has extra bytes after file_size_

  std::atomic<bool> unsynced_ = false;
  std::atomic<int> sync_errno_ = 0;
  std::atomic<bool> created_ = false;  // the creation has its result

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool has_work_ = false;
  std::optional<Creation> creation_;
  std::vector<SharedFd> to_sync_;  // earlier files of Append
  std::deque<std::string> to_remove_;
  std::thread thread_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_FILE_STORAGE_H_
