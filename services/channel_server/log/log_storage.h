#ifndef GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_STORAGE_H_
#define GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_STORAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupcast::service {

// When what was written is forced to the disk. It matters only if the machine itself stops (power
// loss, a kernel panic): whatever a process has written outlives the process, also after kill -9.
enum class FsyncMode : uint8_t {
  kNever = 0,     // when the system sees fit, usually within half a minute
  kInterval = 1,  // about once a second, beside the writing
  kAlways = 2,    // before Append returns
};

// The files of a log: the only input and output that GroupLog has. One file at a time is appended
// to. Whatever a call wrote before it returned OK survives the end of the process in any way; what
// survives a power loss is said at each call.
//
// Errors: kResourceExhausted, there is no room (the disk, a quota or a limit of the file's size);
// kNotFound, no file of that name; kInternal, the system refused in another way, with its words.
//
// Not thread-safe. Must outlive the GroupLog that uses it.
class LogStorage {
 public:
  virtual ~LogStorage() = default;

  // The names of all files, in no particular order.
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;

  // The whole file. Not meant for more than a segment of the log.
  virtual absl::StatusOr<std::string> Read(const std::string& name) = 0;

  // Makes a file that appears whole or not at all, in place of any other of that name. From then on
  // Append goes to it. After an error Append goes where it went before. Unless the mode is kNever,
  // the file survives a power loss.
  virtual absl::Status Create(const std::string& name, absl::string_view contents) = 0;

  // Begins to make such a file, and does not wait: Append goes on to the present file. One at a
  // time.
  virtual void BeginCreate(const std::string& name, std::string contents) = 0;
  // What BeginCreate came to, once; nothing: it goes on. After OK, Append goes to the new file. The
  // file before it is whole, and what was appended to it becomes as safe as the mode says.
  virtual std::optional<absl::Status> FinishCreate() = 0;

  // Appends to the file that was created last. After an error none of `bytes` is in the file; if
  // they cannot even be taken away again, every append fails until that succeeds. Survives a power
  // loss when the mode says so. kFailedPrecondition: nothing was created yet.
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // The same, but with kAlways it survives a power loss only with the next Append.
  virtual absl::Status AppendUnsynced(absl::string_view bytes) = 0;

  // Cuts the file to `size` bytes. Unless the mode is kNever, that survives a power loss.
  virtual absl::Status Truncate(const std::string& name, uint64_t size) = 0;

  // Unless the mode is kNever, no file that is removed later disappears without this one.
  virtual absl::Status Remove(const std::string& name) = 0;
  // The same without waiting. A file that cannot be removed is tried again, and those after it
  // wait.
  virtual void RemoveLater(const std::string& name) = 0;

  // Whatever the mode: all that is in the storage now, also from before this process, survives a
  // power loss.
  virtual absl::Status Sync() = 0;

  // The file's name for people: with the directory.
  virtual std::string Describe(absl::string_view name) const = 0;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CHANNEL_SERVER_LOG_LOG_STORAGE_H_
