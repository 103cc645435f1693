#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_TESTING_MEMORY_STORAGE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_TESTING_MEMORY_STORAGE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/channel_server/log/log_storage.h"

namespace groupcast::service {

// A disk in memory, for tests, with the failures of real ones. It outlives logs: the next server
// reads the bytes of a killed server from the same storage. It remembers the bytes that a power
// loss would leave, depending on the mode. With kInterval the test ends the interval (Sync).
class MemoryStorage final : public LogStorage {
 public:
  explicit MemoryStorage(FsyncMode fsync = FsyncMode::kInterval) : fsync_(fsync) {}

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

  // Limits the room to `bytes_left`. A write over it fails with kResourceExhausted after the bytes
  // with room were written. The storage removes these bytes again, unless can_truncate is off.
  // Nullopt: no limit.
  void set_bytes_left(std::optional<uint64_t> bytes_left) { bytes_left_ = bytes_left; }

  // A file of BeginCreate exists at the `calls`-th call of FinishCreate after it. A server that is
  // killed before leaves no file.
  void set_create_takes(int calls) { create_takes_ = calls; }

  // Whether files can be removed.
  void set_can_remove(bool can_remove);

  // Whether Sync succeeds.
  void set_can_sync(bool can_sync) { can_sync_ = can_sync; }

  // Whether files can be truncated.
  void set_can_truncate(bool can_truncate) { can_truncate_ = can_truncate; }

  // The server is killed. The next server has not created anything yet.
  void Kill();

  // A power loss. LoseUnsynced leaves only synced bytes. CutNewest cuts the newest file to `size`
  // bytes, also below or above the synced ones.
  void LoseUnsynced();
  void CutNewest(uint64_t size);

  // Flips bits of one byte.
  void Corrupt(const std::string& name, uint64_t at, uint8_t bits);

  // Adds or replaces a file, as an older file of the storage.
  void Put(const std::string& name, std::string contents);

  // Empty: no file.
  absl::string_view contents(const std::string& name) const;
  // The name that sorts last. Empty: no file.
  std::string newest() const { return files_.empty() ? "" : files_.rbegin()->first; }
  uint64_t append_count() const { return append_count_; }

 private:
  struct File {
    std::string bytes;
    uint64_t synced = 0;   // the number of bytes that survive a power loss
    bool durable = false;  // the file itself survives a power loss
  };

  struct Creation {
    std::string name;
    std::string contents;
    int calls_left = 0;
    absl::Status status;
    bool is_there = false;  // and Append does not write to it yet
  };

  absl::Status PutNew(const std::string& name, absl::string_view contents, bool synced);
  absl::Status Append(absl::string_view bytes, bool synced);
  absl::Status CutBack();
  void RemoveWaiting();

  const FsyncMode fsync_;
  std::map<std::string, File> files_;
  std::string current_;  // Append writes to it
  std::optional<uint64_t> bytes_left_;
  bool can_sync_ = true;
  bool can_truncate_ = true;
  bool can_remove_ = true;
  int create_takes_ = 1;
  std::optional<Creation> creation_;
  std::deque<std::string> to_remove_;
  uint64_t leftover_ = 0;  // of a failed append, at the end of `current_`
  uint64_t append_count_ = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_TESTING_MEMORY_STORAGE_H_
