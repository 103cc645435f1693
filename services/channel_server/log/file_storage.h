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
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel_server/log/log_storage.h"
#include "services/common/posix.h"

namespace groupcast::service {

// "never", "interval" or "always". kInvalidArgument: neither, with a sentence.
absl::StatusOr<FsyncMode> ParseFsyncMode(absl::string_view text);

// What the kernel calls this run of the machine; empty if it does not say.
std::string ReadBootId();

// The files in a directory. The directory is locked while this lives, with flock(2) on itself. So
// no two servers write the same log, and no file of ours is left in a directory that turns out to
// be somebody else's.
//
// Append costs one write(2). What may wait for the disk runs in a thread of its own, never with a
// lock that Append takes: BeginCreate, RemoveLater, and with kInterval a sync about once a second.
// If that sync fails, appends fail until it succeeds: what is acknowledged should not be older than
// what is safe by more than about a second.
class FileStorage final : public LogStorage {
 public:
  // Makes the directory if it is not there (mode 0700; its parent must be).
  // kFailedPrecondition: it cannot be used, because it is no directory, may not be written to, or
  // another server uses it; the sentence says which and what to do.
  static absl::StatusOr<std::unique_ptr<FileStorage>> Open(absl::string_view directory,
                                                           FsyncMode fsync);
  ~FileStorage() override;
  FileStorage(const FileStorage&) = delete;
  FileStorage& operator=(const FileStorage&) = delete;

  absl::StatusOr<std::vector<std::string>> List() override;
  absl::StatusOr<std::string> Read(const std::string& name) override;
  absl::Status Create(const std::string& name, absl::string_view contents) override;
  void BeginCreate(const std::string& name, std::string contents) override;
  std::optional<absl::Status> FinishCreate() override;
  absl::Status Append(absl::string_view bytes) override;
  absl::Status AppendUnsynced(absl::string_view bytes) override;
  absl::Status Truncate(const std::string& name, uint64_t size) override;
  absl::Status Remove(const std::string& name) override;
  void RemoveLater(const std::string& name) override;
  absl::Status Sync() override;
  std::string Describe(absl::string_view name) const override;

 private:
  FileStorage(absl::string_view directory, Fd directory_fd, FsyncMode fsync);

  using SharedFd = std::shared_ptr<const Fd>;
  struct Creation {
    std::string name;
    std::string contents;
    absl::StatusOr<SharedFd> file = absl::UnavailableError("not made yet");
  };

  absl::StatusOr<SharedFd> Make(const std::string& name, absl::string_view contents);
  absl::Status Append(absl::string_view bytes, bool synced);
  absl::Status SyncDirectory();
  absl::Status CutBack();
  void Use(const std::string& name, SharedFd file, size_t size);

  // Of the other thread.
  void Run();
  void WorkLocked(std::unique_lock<std::mutex>* lock);
  void SyncLocked(std::unique_lock<std::mutex>* lock);
  void RemoveLocked(std::unique_lock<std::mutex>* lock);

  const std::string directory_;
  const Fd directory_fd_;
  const FsyncMode fsync_;

  // The file that is appended to. Changed with the mutex held, by the thread that appends; what the
  // other thread holds of it stays open.
  SharedFd file_;
  std::string file_name_;
  uint64_t file_size_ = 0;
  bool must_cut_ = false;  // there are bytes behind file_size_ that should not be

  std::atomic<bool> unsynced_ = false;
  std::atomic<int> sync_errno_ = 0;
  std::atomic<bool> created_ = false;  // the creation has its result

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool has_work_ = false;
  std::optional<Creation> creation_;
  std::vector<SharedFd> to_sync_;  // files that are not appended to any more
  std::deque<std::string> to_remove_;
  std::thread thread_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_FILE_STORAGE_H_
