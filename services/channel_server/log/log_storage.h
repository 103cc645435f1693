#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_STORAGE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_STORAGE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// The time at which written bytes are forced to the disk. It matters only if the machine itself
// stops (power loss, a kernel panic). Bytes that a process has written outlive the process, also
// after kill -9.
enum class FsyncMode : uint8_t {
  kNever = 0,     // at a time of the system's choice, usually within half a minute
  kInterval = 1,  // about once a second, in the background
  kAlways = 2,    // before Append returns
};

// The files of a log: the only input and output of GroupLog. One file at a time takes appended
// bytes. All bytes that a call wrote before it returned OK survive any end of the process. The
// comment of each call states its effect after a power loss.
//
// Errors:
//   kResourceExhausted  there is no room (the disk, a quota or a limit of the file's size)
//   kNotFound           no file of that name
//   kInternal           the system refused for another reason; the message has its text
//
// Not thread-safe. Must outlive the GroupLog that uses it.
class LogStorage {
 public:
  virtual ~LogStorage() = default;

  // The names of all files, in ascending order.
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;

  // Reads the whole file. Not intended for files larger than a segment of the log.
  virtual absl::StatusOr<std::string> Read(const std::string& name) = 0;

  // The pieces of a file: puts the next one into `piece`. False: there is none.
  using Pieces = std::function<bool(std::string* piece)>;

  // Creates a file that appears whole or not at all, also after a power loss. It replaces another
  // file of that name. Append writes to it after this call. After an error Append still writes to
  // the file before. Unless the mode is kNever, the file survives a power loss.
  virtual absl::Status Create(const std::string& name, const Pieces& pieces) = 0;
  absl::Status Create(const std::string& name, absl::string_view contents) {
    bool done = false;
    return Create(name, [&](std::string* piece) {
      if (!done) *piece = std::string(contents);
      return !std::exchange(done, true);
    });
  }

  // Begins to create such a file, and does not wait. Meanwhile Append writes to the present file.
  // Only one creation may be in progress.
  virtual void BeginCreate(const std::string& name, std::string contents) = 0;
  // Returns the result of BeginCreate once. Nullopt: it is in progress. After OK, Append writes to
  // the new file. The file before it is whole, and its appended bytes become as safe as the mode
  // says.
  virtual std::optional<absl::Status> FinishCreate() = 0;

  // Appends to the newest file. After an error the file has none of `bytes`. If they cannot be
  // removed, every append fails until their removal succeeds. It survives a power loss if the mode
  // says so.
  // kFailedPrecondition: no file was created yet.
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Like Append, but with kAlways it survives a power loss only with the next Append.
  virtual absl::Status AppendUnsynced(absl::string_view bytes) = 0;

  // Cuts the file to `size` bytes. Unless the mode is kNever, the cut survives a power loss.
  virtual absl::Status Truncate(const std::string& name, uint64_t size) = 0;

  // Other programs can take the files away. OK: the storage is where its name leads, and has the
  // file of Append there. kNotFound: its name leads to nothing. kFailedPrecondition: it leads to
  // another storage. kDataLoss: the file is missing, or is another one. The message names what is
  // wrong. kInternal: the system gives no answer now, so nothing is known to be missing.
  virtual absl::Status Check() = 0;

  // OK: a file of that name is there. kNotFound: none is there. Check and Find need no resources
  // that the system may lack, such as descriptors.
  virtual absl::Status Find(const std::string& name) = 0;

  // Removes a file. Unless the mode is kNever, a later removal never survives a power loss without
  // this one.
  virtual absl::Status Remove(const std::string& name) = 0;
  // Removes a file later, without a wait. Whatever the mode, what was appended before the call then
  // survives a power loss before the file disappears. If a file cannot be removed, the storage
  // tries again, and those after it wait.
  virtual void RemoveLater(const std::string& name) = 0;

  // In every mode: the present contents of the storage survive a power loss, also those from
  // earlier processes.
  virtual absl::Status Sync() = 0;

  // The file's name for people, with the directory.
  virtual std::string Describe(absl::string_view name) const = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_STORAGE_H_
